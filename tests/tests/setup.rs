//! `indexer setup --kibana`, against what stands in for Kibana and for Elasticsearch.
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

    /// What a person sees of it.
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
    // One line an object is enough of that.
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
    // The cluster's address in the place of Kibana's.
    let output = place.workplace.run(["setup", "--store", &cluster, "--kibana", &cluster]);
    seen.push(String::from_utf8(output.stderr).unwrap().replace(&cluster, "http://CLUSTER"));
    let seen = seen.join("\n");
    assert!(!seen.contains("hunter2"), "{seen}");
    insta::assert_snapshot!("what_is_wrong_with_kibana", seen);
}
