//! `indexer setup --kibana`, against stand-ins for Kibana and Elasticsearch.
#![allow(clippy::unwrap_used, reason = "a test may stop on anything odd, in its helpers too")]

use std::process::Output;

use serde_json::json;
use tests::{Faults, Kibana, Sink, Workplace};

struct Place {
    workplace: Workplace,
    sink: Sink,
    kibana: Kibana,
}

impl Place {
    fn new(kibana: Kibana) -> Place {
        let workplace = Workplace::new(env!("CARGO_BIN_EXE_indexer-under-test"));
        Place { workplace, sink: Sink::start(Faults::default()), kibana }
    }

    fn setup(&self, password: &str, arguments: &[&str]) -> Output {
        let (store, kibana) = (self.sink.url(), self.kibana.url());
        let all = ["setup", "--store", &store, "--kibana", &kibana].into_iter();
        let mut command = self.workplace.command(all.chain(arguments.iter().copied()));
        command.env("ELASTICSEARCH_USERNAME", "elastic").env("ELASTICSEARCH_PASSWORD", password);
        command.output().unwrap()
    }

    /// What a user sees of it.
    fn show(&self, password: &str, arguments: &[&str]) -> String {
        let output = self.setup(password, arguments);
        let text = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes).into_owned();
            let text = text.replace(&self.kibana.url(), "http://KIBANA");
            text.replace(&self.sink.url(), "http://CLUSTER")
        };
        format!(
            "$ indexer setup --kibana http://KIBANA {}\nexit {}\n--- stdout\n{}--- stderr\n{}",
            arguments.join(" "),
            output.status.code().unwrap(),
            text(&output.stdout),
            text(&output.stderr)
        )
    }
}

#[test]
fn dashboards_are_imported_once_and_what_people_changed_stays() {
    let place = Place::new(Kibana::start("8.12.2", 1));
    let mut seen = vec![place.show("changeme", &["--dry-run"])];
    // Leave out the many Lens objects to keep the snapshot short.
    let is_object = |line: &&str| !line.starts_with("would import lens");
    seen[0] = seen[0].lines().filter(is_object).collect::<Vec<_>>().join("\n");
    assert!(place.kibana.objects().is_empty());
    seen.push(place.show("changeme", &[]));
    let imported = place.kibana.objects();
    place.kibana.change("default/dashboard/tweets-topics", "title", json!("Ours"));
    seen.push(place.show("changeme", &[]));
    let there = &place.kibana.objects()["default/dashboard/tweets-topics"];
    assert_eq!(there["attributes"]["title"], "Ours");
    seen.push(place.show("changeme", &["--overwrite"]));
    assert_eq!(place.kibana.objects(), imported);
    let public = ["--space", "social", "--kibana-public-url", "https://kibana.example/base"];
    seen.push(place.show("changeme", &public));
    assert_eq!(place.kibana.objects().len(), 2 * imported.len());
    insta::assert_snapshot!("dashboards_are_imported", seen.join("\n"));
}

#[test]
fn one_object_that_is_not_imported_is_named_and_the_exit_code_tells() {
    let answer = r#"{"success":false,"successCount":59,"errors":[
        {"type":"lens","id":"tweets-count","meta":{},"error":{"type":"missing_references","references":[{"type":"index-pattern","id":"tweets-data-view"}]}}]}"#;
    let place = Place::new(Kibana::instead(200, "", answer));
    let output = place.setup("changeme", &[]);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("Kibana did not import lens tweets-count: missing_references"), "{said}");
}

#[test]
fn what_is_wrong_with_kibana_is_said_with_what_to_do() {
    let place = Place::new(Kibana::start("8.12.2", 0));
    let mut seen = vec![
        place.show("hunter2", &[]),
        place.show("changeme", &["--space", "nowhere"]),
        place.show("changeme", &["--space", "No Space"]),
    ];
    let old = Place::new(Kibana::start("8.11.4", 0));
    seen.push(old.show("changeme", &[]));
    let starting = Place::new(Kibana::start("8.12.2", 99));
    seen.push(starting.show("changeme", &["--kibana-wait", "1s"]));
    let cluster = place.sink.url();
    seen.push(place.show("changeme", &["--kibana-wait", "1s"]).replace(&cluster, "http://CLUSTER"));
    for (status, headers, body) in [
        (302, "location: /login?next=%2F\r\n", ""),
        (500, "", r#"{"message":"no index for WHO"}"#),
        (
            422,
            "",
            r#"{"message":"Document \"tweets\" belongs to a more recent version of Kibana"}"#,
        ),
        (200, "", "<html><title>Login</title>WHO</html>"),
        (200, "", r#"{"success":false,"successCount":0}"#),
    ] {
        let other = Place::new(Kibana::instead(status, headers, body));
        seen.push(other.show("hunter2hunter2", &["--kibana-wait", "1s"]));
    }
    let address =
        ["setup", "--store", &place.sink.url(), "--kibana", "http://elastic:hunter2@kibana"];
    seen.push(String::from_utf8(place.workplace.run(address).stderr).unwrap());
    // Somebody gives the cluster's address instead of Kibana's.
    let output = place.workplace.run(["setup", "--store", &cluster, "--kibana", &cluster]);
    seen.push(String::from_utf8(output.stderr).unwrap().replace(&cluster, "http://CLUSTER"));
    let seen = seen.join("\n");
    // The second is `elastic:hunter2` in Base64, as in the `authorization` header.
    for secret in ["hunter2", "ZWxhc3RpYzpodW50ZXIy"] {
        assert!(!seen.contains(secret), "{seen}");
    }
    insta::assert_snapshot!("what_is_wrong_with_kibana", seen);
}
