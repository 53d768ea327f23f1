//! `indexer collect` against stand-ins for Bluesky, Firehose and Kinesis that fail as they are told.
#![allow(clippy::unwrap_used, reason = "a test may stop on anything odd, in its helpers too")]

use std::collections::HashSet;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tests::{
    Faults, Jetstream, Puts, Sink, Workplace, at_uri, aws_at, base64, kill, lines, open, report,
    stop, wait_until,
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_indexer-under-test");

#[test]
fn bluesky_fills_the_store_also_when_it_is_killed_and_the_connection_breaks() {
    for version in ["v1", "v2"] {
        let (workplace, server) = (Workplace::new(PROGRAM), Jetstream::start());
        server.slow_down(2_000);
        server.cut_after(Some(900));
        server.post(100);
        let arguments = format!(
            "collect bluesky --host {} --jetstream {version} --since 2026-09-21 --keyword MARKETPLACE --lang en --follow-deletes --report json",
            server.url()
        );
        let run = || {
            let mut command = workplace.command(arguments.split(' '));
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
        };
        let count = || {
            let store = workplace.path("tweets-index");
            if !store.join("meta.json").exists() {
                return 0;
            }
            open(store.to_str().unwrap()).count(&Default::default()).unwrap()
        };
        let mut child = run();
        wait_until("the first posts", || count() > 0);
        for round in 0..4 {
            server.post(700);
            thread::sleep(Duration::from_millis(300 + 100 * round));
            kill(child);
            server.post(20);
            child = run();
        }
        server.change(7, None);
        server.change(8, Some("the AWS Marketplace, changed"));
        server.post(1);
        let n_posts = 100 + 4 * 720 + 1;
        let started = Instant::now();
        while count() != n_posts - 1 && started.elapsed().as_secs() < 20 {
            thread::sleep(Duration::from_millis(100));
        }
        thread::sleep(Duration::from_millis(1500));
        let output = stop(child);
        assert_eq!(count(), n_posts - 1, "{version}: {output:?}");
        let shown = workplace.show("search changed --json");
        assert!(
            shown.contains(&at_uri(8))
                && shown.contains("bsky.app/profile/did:plc:author8/post/rkey8"),
            "{shown}"
        );
        assert!(shown.contains("\"network\":\"bluesky\""), "{shown}");
        let connections = server.connections();
        assert!(connections.len() >= 5, "{connections:?}");
        let is_cursor = |c: &&String| c.contains("cursor=");
        assert_eq!(
            connections.iter().filter(is_cursor).count(),
            connections.len(),
            "{connections:?}"
        );
    }
}

#[test]
fn a_jetstream_that_no_longer_has_the_events_says_what_is_missed() {
    let (workplace, server) = (Workplace::new(PROGRAM), Jetstream::start());
    server.post(50);
    let arguments = format!(
        "collect bluesky --host {} --since 2026-09-21 --to out.ndjson --for 1s",
        server.url()
    );
    let run = || workplace.command(arguments.split(' ')).output().unwrap();
    run();
    assert_eq!(lines(&workplace, "out.ndjson").len(), 50);
    server.post(100);
    server.forget_before(100);
    let log = String::from_utf8_lossy(&run().stderr).into_owned();
    assert!(
        log.contains("no longer has the events after number 50 (2026-09-21T14:13:20.500Z): cursor is below the lookback floor 100"),
        "{log}"
    );
    assert_eq!(lines(&workplace, "out.ndjson").len(), 50 + 51);
}

#[test]
fn a_destination_that_is_away_gets_everything_when_it_is_back() {
    let puts = Puts::start();
    let workplace = Workplace::new(PROGRAM);
    let sample = workplace.run(["sample", "--count", "6000", "--format", "ndjson"]);
    let text = String::from_utf8(sample.stdout).unwrap();
    let n_records = text.lines().count();
    workplace.file("sample.ndjson", text);
    puts.refuse_every(97);
    let arguments = "collect replay sample.ndjson --rate 3000 --to firehose:tweets --report json";
    let mut command = workplace.command(arguments.split(' '));
    aws_at(&mut command, &puts.url());
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_until("the first records", || puts.count() > 500);
    puts.set_away(true);
    thread::sleep(Duration::from_millis(1500));
    puts.set_away(false);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    assert_eq!(puts.count(), n_records);
    assert!(puts.largest().0 <= 500 && puts.largest().1 <= 4 * 1024 * 1024);
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(log.contains("Firehose refused"), "{log}");
    let different: HashSet<String> = puts.accepted().into_values().flatten().collect();
    assert_eq!(different.len(), n_records);
}

#[test]
fn a_hot_shard_slows_down_only_its_own_records() {
    let puts = Puts::start();
    let workplace = Workplace::new(PROGRAM);
    let tweet = |id: usize, tag: &str| {
        format!("{{\"id\":\"{}\",\"text\":\"a #{tag}\"}}\n", 1_601_645_088_790_257_667 + id)
    };
    let all: String =
        (0..2_000).map(|i| tweet(i, if i % 4 == 0 { "Hot" } else { "cold" })).collect();
    workplace.file("tweets.ndjson", all);
    puts.set_hot_key(Some("hot"));
    let mut command =
        workplace.command(["collect", "replay", "tweets.ndjson", "--to", "kinesis:tweets"]);
    aws_at(&mut command, &puts.url());
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    wait_until("the other records", || puts.count() == 1500);
    thread::sleep(Duration::from_millis(200));
    puts.set_hot_key(None);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let accepted = puts.accepted();
    assert_eq!((accepted["hot"].len(), accepted["cold"].len()), (500, 1500));
    let expected: Vec<String> = (0..2_000).step_by(4).map(|i| base64(&tweet(i, "Hot"))).collect();
    assert!(accepted["hot"] == expected, "the order of a key is kept");
}

#[test]
fn a_replay_that_is_killed_goes_on_with_what_is_in_the_spool() {
    let puts = Puts::start();
    let workplace = Workplace::new(PROGRAM);
    let sample = workplace.run(["sample", "--count", "3000", "--format", "csv"]);
    workplace.file("tweets.csv", sample.stdout);
    let run = |more: &str| {
        let arguments = format!("collect replay tweets.csv --to firehose:tweets {more}");
        let mut command = workplace.command(arguments.split(' ').filter(|word| !word.is_empty()));
        aws_at(&mut command, &puts.url());
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    puts.set_away(false);
    let child = run("--rate 2000");
    wait_until("the first records", || puts.count() > 200);
    puts.set_away(true);
    thread::sleep(Duration::from_millis(300));
    kill(child);
    puts.set_away(false);
    let output = run("--resume").wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let different: HashSet<String> = puts.accepted().into_values().flatten().collect();
    assert_eq!(different.len(), 3000, "{output:?}");
}

#[test]
fn a_destination_that_cannot_be_used_is_named_with_a_hint() {
    let workplace = Workplace::new(PROGRAM);
    workplace.file("tweets.csv", "id,text\n1601645088790257667,hello\n");
    let mut seen = String::new();
    for arguments in [
        "collect replay tweets.csv --to kinesis:",
        "collect replay tweets.csv --to http://example.com/",
        "collect replay tweets.csv --to out.ndjson.gz",
        "collect replay tweets.csv --to firehouse:tweets",
        "collect replay tweets.csv --to Store",
        "collect replay tweets.csv --to folder/",
        "collect replay tweets.csv --to out.ndjson --create",
        "collect replay tweets.csv --to out.ndjson --lang klingon",
        "collect replay tweets.csv --to out.ndjson --bbox 50,8,51,9 --keyword nothing",
        "collect replay tweets.csv --to out.ndjson --bbox 5,55,15,47",
        "collect replay tweets.csv --to /nowhere/out.ndjson",
        "collect replay nothing.csv --to out.ndjson",
        "collect search --to out.ndjson",
        "collect search --max-posts 10 --query AWS",
        "collect search --max-posts 5",
        "collect search --max-posts 10 --to out.ndjson",
        "collect stream --rules nothing --max-posts 10",
        "collect bluesky --host 127.0.0.1:1 --for 1s --to out.ndjson --since yesterday",
        "collect bluesky --host https://bsky.app --to out.ndjson",
    ] {
        seen += &workplace.show(arguments);
        seen.push('\n');
    }
    insta::with_settings!({ filters => [(r"seconds +\d+\.\d+", "seconds  [time]")] }, {
        insta::assert_snapshot!(seen);
    });
}

#[test]
fn a_jetstream_whose_numbers_have_begun_anew_is_asked_by_time() {
    let (workplace, server) = (Workplace::new(PROGRAM), Jetstream::start());
    server.post(50);
    let arguments = format!("collect bluesky --host {} --to out.ndjson --for 1s", server.url());
    let run = |more: &str| workplace.run(format!("{arguments}{more}").split(' '));
    run(" --since 2026-09-21");
    server.begin_anew();
    // Its clock goes on.
    server.post(49);
    let log = String::from_utf8_lossy(&run("").stderr).into_owned();
    assert!(log.contains("FutureCursor"), "{log}");
    let asked = server.connections();
    assert!(asked[asked.len() - 2].contains("cursor=50"), "{asked:?}");
    assert!(asked[asked.len() - 1].contains("cursor=1789999"), "{asked:?}");
}

#[test]
fn a_record_that_kinesis_refuses_is_put_again_while_nothing_else_comes() {
    let (workplace, server, puts) = (Workplace::new(PROGRAM), Jetstream::start(), Puts::start());
    puts.refuse_every(3);
    let arguments =
        format!("collect bluesky --host {} --since 2026-09-21 --to kinesis:tweets", server.url());
    let mut command = workplace.command(arguments.split(' '));
    aws_at(&mut command, &puts.url());
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    server.post(3);
    wait_until("the refused one", || puts.count() == 3);
    stop(child);
}

#[test]
fn what_a_slow_cluster_has_not_taken_when_the_run_is_stopped_is_indexed_by_the_next_one() {
    let workplace = Workplace::new(PROGRAM);
    let sample = workplace.run(["sample", "--count", "9000", "--format", "csv"]);
    workplace.file("sample.csv", sample.stdout);
    let sink = Sink::start(Faults { delay: Duration::from_secs(2), ..Faults::default() });
    let run = |more: &str| {
        let arguments = format!(
            "collect replay sample.csv --store {} --bulk-documents 500 --bulk-requests 1 --report json{more}",
            sink.url()
        );
        let mut command = workplace.command(arguments.split(' '));
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let child = run("");
    wait_until("the first bulk", || !sink.ids().is_empty());
    let output = stop(child);
    assert!(report(&output)["waiting"].as_u64() > Some(0), "{output:?}");
    sink.mend();
    let output = run(" --resume").wait_with_output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let documents = String::from_utf8(workplace.run(["enrich", "sample.csv"]).stdout).unwrap();
    let id = |line: &str| serde_json::from_str::<Value>(line).unwrap()["id"].to_string();
    let all: HashSet<String> = documents.lines().map(id).collect();
    assert_eq!(sink.ids().len(), all.len(), "{output:?}");
}

#[test]
fn a_server_that_is_never_reached_is_an_error_also_if_the_time_is_over() {
    let workplace = Workplace::new(PROGRAM);
    let output =
        workplace.run("collect bluesky --host ws://127.0.0.1:1 --for 1s --to o.ndjson".split(' '));
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{errors}");
    assert!(errors.contains("no connection to Bluesky") && errors.contains("hint: "), "{errors}");
}

#[test]
fn a_replay_at_a_pace_resumes_with_the_very_next_record() {
    let workplace = Workplace::new(PROGRAM);
    for (name, seed) in [("a.csv", "1"), ("b.csv", "2")] {
        let sample = workplace.run(["sample", "--count", "40", "--seed", seed, "--format", "csv"]);
        workplace.file(name, sample.stdout);
    }
    let run = |arguments: &str| {
        let common = format!("collect replay a.csv b.csv --to out.ndjson {arguments}");
        let output = workplace.run(common.split(' '));
        assert!(output.status.success(), "{output:?}");
        std::fs::read_to_string(workplace.path("out.ndjson")).unwrap().lines().count()
    };
    // Stopped in the first source, in the second one, and at the end.
    let first = run("--rate 20 --for 1s");
    let second = run("--resume --rate 40 --for 1s");
    assert!((10..40).contains(&first) && (41..80).contains(&second), "{first} {second}");
    assert_eq!(run("--resume"), 80);
}

#[test]
fn metrics_are_served_while_records_come_in() {
    let (workplace, server) = (Workplace::new(PROGRAM), Jetstream::start());
    server.post(10);
    let port = tests::free_port();
    let arguments = format!(
        "collect bluesky --host {} --since 2026-09-21 --to out.ndjson --metrics {port}",
        server.url()
    );
    let child = workplace
        .command(arguments.split(' '))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let metrics = || tests::get(&format!("http://127.0.0.1:{port}/metrics")).unwrap_or_default();
    wait_until("the records", || metrics().contains("indexer_collect_sent_total 10"));
    let text = metrics();
    for name in [
        "received_total 10",
        "dropped_total 0",
        "reconnects_total 0",
        "lag_seconds",
        "x_cost_dollars 0.0",
    ] {
        assert!(text.contains(&format!("indexer_collect_{name}")), "{name}: {text}");
    }
    stop(child);
}
