//! `indexer collect search` and `stream` against a stand-in for X that fails as it is told.
#![allow(clippy::unwrap_used, reason = "a test may stop on anything odd, in its helpers too")]

use std::collections::HashSet;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use tests::{Workplace, X_TOKEN, XApi, XFault, XStream, kill, lines, report, stop, wait_until};

const PROGRAM: &str = env!("CARGO_BIN_EXE_indexer-under-test");

/// A command that asks the stand-in for X.
fn x(workplace: &Workplace, api: &XApi, arguments: &str) -> Command {
    let mut command = workplace.command(arguments.split(' ').filter(|word| !word.is_empty()));
    command.args(["--api-url", &api.url(), "--report", "json"]).env("X_BEARER_TOKEN", X_TOKEN);
    command
}

const AWS: &str = "\"AWS Marketplace\" -is:retweet";
const GCP: &str = "\"GCP Marketplace\" -is:retweet";
const AZURE: &str = "\"Azure Marketplace\" -is:retweet";

#[test]
fn a_search_that_is_run_again_asks_only_for_what_is_new() {
    let (workplace, api) = (Workplace::new(PROGRAM), XApi::start());
    for (query, n) in [(AWS, 250), (GCP, 3), (AZURE, 0)] {
        api.add(query, n);
    }
    let estimate = x(&workplace, &api, "collect search --estimate").output().unwrap();
    let said = String::from_utf8_lossy(&estimate.stdout).into_owned();
    assert!(said.contains("253      $1.265  total"), "{said}");
    assert_eq!(api.charged(), (0, 0));
    let search = "collect search --max-posts 1000 --to out.ndjson";
    let first = report(&x(&workplace, &api, search).output().unwrap());
    assert_eq!((&first["sent"], &first["x_cost_dollars"]), (&json!(253), &json!(1.265)));
    api.add(AWS, 2);
    api.add(AZURE, 1);
    let second = report(&x(&workplace, &api, search).output().unwrap());
    assert_eq!((&second["sent"], api.charged()), (&json!(3), (256, 0)));
    let lines = lines(&workplace, "out.ndjson");
    let tagged = |tag: &str| lines.iter().filter(|l| l["matching_rules"][0]["tag"] == tag).count();
    assert_eq!((tagged("AWS"), tagged("GCP"), tagged("Azure")), (252, 3, 1));
}

#[test]
fn a_search_waits_as_long_as_x_says_and_outlasts_its_errors() {
    let (workplace, api) = (Workplace::new(PROGRAM), XApi::start());
    api.add(AWS, 120);
    api.fail([
        XFault::RateLimit(Duration::from_secs(2)),
        XFault::Status(503),
        XFault::Cut,
        XFault::RateLimitWithoutReset,
    ]);
    let search = "collect search --max-posts 1000 --to out.ndjson --query AWS=a";
    api.add("a", 120);
    let output = x(&workplace, &api, &format!("{search} --clock-rate 40")).output().unwrap();
    assert_eq!(report(&output)["sent"], 120);
    let log = String::from_utf8_lossy(&output.stderr);
    for wait in [
        "X: 503: over capacity; asking again in 5 s",
        "asking again in 0.25 s",
        "429: too many requests; asking again in 60 s",
    ] {
        assert!(log.contains(wait), "{wait}: {log}");
    }
    // By the real clock, no request comes before the limit is lifted, and the next one soon after.
    let (workplace, api) = (Workplace::new(PROGRAM), XApi::start());
    api.fail([XFault::RateLimit(Duration::from_secs(2))]);
    api.add("a", 1);
    let started = Instant::now();
    let output = x(&workplace, &api, search).output().unwrap();
    let took = started.elapsed().as_secs_f64();
    assert_eq!((report(&output)["sent"].as_u64(), api.early()), (Some(1), 0));
    assert!((1.0..5.0).contains(&took), "{took}");
}

#[test]
fn a_search_that_is_killed_goes_on_without_a_gap_and_pays_nothing_twice() {
    let (workplace, api) = (Workplace::new(PROGRAM), XApi::start());
    api.add("a", 3_000);
    api.slow_down(Duration::from_millis(20));
    let search = "collect search --query A=a --max-posts 10000 --to out.ndjson";
    for round in 0..10 {
        // Each page takes a few milliseconds.
        let child = x(&workplace, &api, search).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        let pages = api.requests("/2/tweets/search/recent");
        wait_until("a page", || api.requests("/2/tweets/search/recent") > pages + round % 3);
        thread::sleep(Duration::from_millis(2 * round as u64));
        kill(child.unwrap());
    }
    let output = x(&workplace, &api, search).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let ids: HashSet<String> =
        lines(&workplace, "out.ndjson").iter().map(|l| l["data"]["id"].to_string()).collect();
    assert_eq!(ids.len(), 3_000);
    // A page that was under way when the process was killed was delivered, and not received.
    let (charged, twice) = api.charged();
    assert!(charged <= 3_000 + 10 * 100 && twice <= 10 * 100, "{charged} {twice}");
    let again = report(&x(&workplace, &api, search).output().unwrap());
    assert_eq!(again["received"], 0);
}

#[test]
fn a_budget_ends_a_search_and_the_next_run_goes_on_there() {
    let (workplace, api) = (Workplace::new(PROGRAM), XApi::start());
    api.add("a", 300);
    let search = "collect search --query A=a --to out.ndjson";
    let first = x(&workplace, &api, &format!("{search} --max-cost 0.75")).output().unwrap();
    assert_eq!(
        (&report(&first)["sent"], &report(&first)["x_cost_dollars"]),
        (&json!(150), &json!(0.75))
    );
    assert!(String::from_utf8_lossy(&first.stderr).contains("the next run continues there"));
    api.add("a", 20);
    let second =
        report(&x(&workplace, &api, &format!("{search} --max-posts 1000")).output().unwrap());
    assert_eq!((&second["sent"], api.charged()), (&json!(170), (320, 0)));
    let refused = x(&workplace, &api, search).output().unwrap();
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("--max-posts"));
}

#[test]
fn a_budget_is_shared_and_no_answer_that_is_not_a_page_ends_a_search() {
    let (workplace, api) = (Workplace::new(PROGRAM), XApi::start());
    for query in ["a", "b", "c"] {
        api.add(query, 200);
    }
    let search =
        "collect search --query A=a --query B=b --query C=c --to out.ndjson --clock-rate 200";
    api.fail([
        XFault::Body(r#"{"errors":[{"title":"Service Unavailable","detail":"try later"}]}"#),
        XFault::Body("<html>502</html>"),
        XFault::Body(r#"{"meta":{"result_count":0,"next_token":"t9999999999999999999"}}"#),
    ]);
    let first = x(&workplace, &api, &format!("{search} --max-posts 300")).output().unwrap();
    assert_eq!((&report(&first)["sent"], api.charged()), (&json!(300), (300, 0)), "{first:?}");
    let tagged = |tag: &str| {
        let lines = lines(&workplace, "out.ndjson");
        lines.iter().filter(|line| line["matching_rules"][0]["tag"] == tag).count()
    };
    assert_eq!((tagged("A"), tagged("B"), tagged("C")), (100, 100, 100));
    // The page after the last one is no longer there, and that was no slip.
    api.fail([XFault::Status(400), XFault::Status(400)]);
    let second = x(&workplace, &api, &format!("{search} --max-posts 1000")).output().unwrap();
    assert!(String::from_utf8_lossy(&second.stderr).contains("its pages are read again"));
    let ids: HashSet<String> =
        lines(&workplace, "out.ndjson").iter().map(|l| l["data"]["id"].to_string()).collect();
    assert_eq!(ids.len(), 600);
    let third = x(&workplace, &api, &format!("{search} --max-posts 1000")).output().unwrap();
    assert_eq!(report(&third)["received"], 0);
}

#[test]
fn the_token_is_nowhere_to_be_seen() {
    let (workplace, api) = (Workplace::new(PROGRAM), XApi::start());
    api.add("a", 20);
    api.fail([XFault::Status(500), XFault::Cut, XFault::Body(X_TOKEN)]);
    let arguments =
        "collect search --query A=a --max-posts 100 --to out.ndjson -vv --clock-rate 100";
    let mut seen = String::new();
    let mut see = |output: Output| {
        seen += &String::from_utf8_lossy(&output.stdout);
        seen += &String::from_utf8_lossy(&output.stderr);
    };
    see(x(&workplace, &api, arguments).output().unwrap());
    see(x(&workplace, &api, arguments)
        .env("X_BEARER_TOKEN", format!("{X_TOKEN}-wrong"))
        .output()
        .unwrap());
    see(x(&workplace, &api, arguments)
        .env("X_BEARER_TOKEN", format!("{X_TOKEN}\u{7}"))
        .output()
        .unwrap());
    see(x(&workplace, &api, "collect search --help").output().unwrap());
    workplace.file("token", format!("{X_TOKEN}\n"));
    let file = x(&workplace, &api, arguments)
        .env_remove("X_BEARER_TOKEN")
        .env("X_BEARER_TOKEN_FILE", workplace.path("token"))
        .output()
        .unwrap();
    assert!(file.status.success(), "{file:?}");
    see(file);
    assert!(seen.contains("401: Unauthorized") && seen.contains("X_BEARER_TOKEN_FILE"), "{seen}");
    assert!(!seen.contains("very-secret"), "{seen}");
}

#[test]
fn a_stream_that_is_cut_again_and_again_loses_nothing_and_keeps_its_rules() {
    use XStream::{Close, CutPost, KeepAlive, OperationalDisconnect, Post, Silence, Status};
    let (workplace, api) = (Workplace::new(PROGRAM), XApi::start());
    workplace.file("rules", "# marketplaces\nAWS = \"aws marketplace\"\nGCP = gcp\n");
    api.add_rule("AWS", "an older rule");
    api.add_rule("of somebody else", "cats");
    let ends = [CutPost, Close, OperationalDisconnect, Silence, Status(503), Status(429)];
    let mut connections = Vec::new();
    for i in 0..50 {
        connections.push(match &ends[i % ends.len()] {
            status @ Status(_) => vec![status.clone()],
            end => vec![Post, KeepAlive, Post, end.clone()],
        });
    }
    let n_posts = connections.iter().flatten().filter(|step| matches!(step, Post)).count();
    api.stream(connections);
    // A minute of its clock is a quarter of a second.
    let stream = "collect stream --rules rules --max-posts 1000 --to out.ndjson --clock-rate 240";
    let child =
        x(&workplace, &api, stream).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_until("the posts", || lines(&workplace, "out.ndjson").len() >= n_posts);
    let output = stop(child);
    let log = String::from_utf8_lossy(&output.stderr);
    let got: HashSet<u64> = lines(&workplace, "out.ndjson")
        .iter()
        .map(|line| line["data"]["id"].as_str().unwrap().parse().unwrap())
        .collect();
    assert_eq!(got, api.streamed(), "{log}");
    assert_eq!(report(&output)["received"].as_u64(), Some(n_posts as u64));
    for said in [
        "nothing came for 20 s, not even a keep-alive; reconnecting in 0.25 s",
        "it broke off: unexpected EOF during chunk size line; reconnecting in 0.",
        "X disconnects: This stream has been disconnected upstream for operational reasons.; reconnecting in 0",
        "X closed it; reconnecting in 0",
        "503: Service Unavailable; reconnecting in 5 s",
        "429: too many requests; reconnecting in 60 s",
        "the app has rules that are not in the file; their posts are delivered and charged too: of somebody else",
    ] {
        assert!(log.contains(said), "{said}: {log}");
    }
    let rules = |list: &[(&str, &str)]| -> Vec<(String, String)> {
        list.iter().map(|(tag, value)| ((*tag).to_owned(), (*value).to_owned())).collect()
    };
    assert_eq!(
        api.rules(),
        rules(&[("AWS", "\"aws marketplace\""), ("GCP", "gcp"), ("of somebody else", "cats")])
    );
    // Rules that are taken out of the file are deleted, but not for one that X does not understand.
    workplace.file("rules", "GCP = ((gcp\n");
    let refused = x(&workplace, &api, stream).output().unwrap();
    assert!(
        String::from_utf8_lossy(&refused.stderr).contains("missing ) at the end"),
        "{refused:?}"
    );
    assert_eq!(api.rules().len(), 3);
    workplace.file("rules", "GCP = gcp\n");
    api.stream([vec![KeepAlive, Close]]);
    x(&workplace, &api, &format!("{stream} --for 1s")).output().unwrap();
    assert_eq!(api.rules(), rules(&[("GCP", "gcp"), ("of somebody else", "cats")]));
}

#[test]
fn what_a_stream_has_missed_is_searched_for_and_paid_for_once() {
    use XStream::{Close, KeepAlive, Post, Silence};
    let (workplace, api) = (Workplace::new(PROGRAM), XApi::start());
    workplace.file("rules", "AWS=a\nGCP=b\n");
    api.stream([
        vec![Post, Post, Close],
        vec![KeepAlive, Close],
        vec![KeepAlive, Silence],
        vec![KeepAlive],
    ]);
    let stream =
        "collect stream --rules rules --max-posts 1000 --to out.ndjson --fill-gaps --clock-rate 50";
    let run = || {
        let mut command = x(&workplace, &api, stream);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let child = run();
    wait_until("the stream", || lines(&workplace, "out.ndjson").len() == 2);
    api.add("a", 150);
    api.add("b", 30);
    api.fail([XFault::Status(503)]);
    wait_until("the missing posts", || lines(&workplace, "out.ndjson").len() == 182);
    let log = String::from_utf8_lossy(&stop(child).stderr).into_owned();
    assert!(log.contains("filled a gap with 100 posts for `AWS`"), "{log}");
    assert_eq!(api.charged(), (182, 0));
    // What is filled stays filled.
    api.stream([vec![KeepAlive]]);
    let child = run();
    thread::sleep(Duration::from_millis(1500));
    stop(child);
    assert_eq!(api.charged().1, 0);
}

#[test]
fn a_gap_that_cannot_be_filled_yet_is_filled_later_also_with_other_rules() {
    use XStream::{Close, KeepAlive, Post, Silence};
    let (workplace, api) = (Workplace::new(PROGRAM), XApi::start());
    workplace.file("rules", "AWS=a\nGCP=b\n");
    api.stream([vec![Post, Close], vec![KeepAlive, Silence]]);
    let stream = "collect stream --rules rules --max-posts 1000 --to out.ndjson --fill-gaps";
    let run = |rate: u32| {
        let mut command = x(&workplace, &api, &format!("{stream} --clock-rate {rate}"));
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let child = run(20);
    wait_until("the stream", || !lines(&workplace, "out.ndjson").is_empty());
    api.add("a", 30);
    api.add("b", 30);
    thread::sleep(Duration::from_millis(500));
    stop(child);
    workplace.file("rules", "GCP=b\nAWS=a\n");
    api.stream([vec![KeepAlive, Silence]]);
    // So many that asking patiently is given up.
    api.fail_searches(9);
    let child = run(200);
    wait_until("the missing posts", || lines(&workplace, "out.ndjson").len() == 61);
    let log = String::from_utf8_lossy(&stop(child).stderr).into_owned();
    assert!(log.contains("that were missed are searched for again in 60 s"), "{log}");
}
