//! Whatever a cluster does, each tweet ends up either there, once, or in the rejects, and the run never hangs.
#![allow(clippy::unwrap_used, reason = "a test may stop on anything odd, in its helpers too")]

use std::collections::HashSet;
use std::time::Duration;

use serde_json::Value;
use tests::{Faults, Sink, Workplace};

const TWEETS: u64 = 20_000;

/// A run of [`TWEETS`] sample tweets into a sink that goes wrong.
struct Run {
    workplace: Workplace,
    sink: Sink,
    code: Option<i32>,
    report: Value,
    stderr: String,
    rejects: Vec<Value>,
    ids: HashSet<String>,
}

fn run(faults: Faults, options: &str) -> Run {
    let workplace = Workplace::new(env!("CARGO_BIN_EXE_indexer-under-test"));
    let sample = workplace.run(["sample", "--count", &TWEETS.to_string(), "--format", "ndjson"]);
    workplace.file("tweets.ndjson", &sample.stdout);
    run_again(workplace, Sink::start(faults), options)
}

fn run_again(workplace: Workplace, sink: Sink, options: &str) -> Run {
    let sample = std::fs::read(workplace.path("tweets.ndjson")).unwrap();
    let ids = sample.split(|&b| b == b'\n').filter(|line| !line.is_empty());
    // Lines without an id are deletion notices.
    let id =
        |line| Some(serde_json::from_slice::<Value>(line).ok()?["id_str"].as_str()?.to_owned());
    let ids = ids.filter_map(id).collect();
    let store = sink.url();
    let arguments = [
        "backfill",
        "tweets.ndjson",
        "--report",
        "json",
        "--rejects",
        "rejects",
        "--store",
        &store,
    ];
    let output = workplace.run(arguments.into_iter().chain(options.split_whitespace()));
    let rejects = std::fs::read_to_string(workplace.path("rejects")).unwrap_or_default();
    Run {
        workplace,
        sink,
        code: output.status.code(),
        report: serde_json::from_slice(&output.stdout).unwrap_or_default(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        rejects: rejects.lines().map(|line| serde_json::from_str(line).unwrap()).collect(),
        ids,
    }
}

impl Run {
    /// Every tweet is in the sink or in the rejects, none in both, none twice.
    #[track_caller]
    fn check(&self, code: i32) -> &Run {
        assert_eq!(self.code, Some(code), "{}", self.stderr);
        let rejected: HashSet<String> =
            self.rejects.iter().map(|reject| reject["id"].as_str().unwrap().to_owned()).collect();
        assert_eq!(rejected.len(), self.rejects.len(), "a tweet is rejected once");
        let there = self.sink.ids();
        assert!(there.is_disjoint(&rejected));
        let all: HashSet<String> = there.union(&rejected).cloned().collect();
        assert!(all == self.ids, "{} of {} tweets", all.len(), self.ids.len());
        assert_eq!(self.sink.doubled(), 0);
        let number = |name: &str| self.report[name].as_u64().unwrap();
        assert_eq!(
            number("read") - number("notices"),
            number("created") + number("updated") + number("rejected")
        );
        self
    }
}

#[test]
fn nothing_goes_wrong() {
    let run = run(Faults::default(), "");
    run.check(0);
    assert_eq!(run.report["retried"], 0);
}

#[test]
fn a_rerun_asks_what_is_there_and_writes_nothing() {
    let first = run(Faults::default(), "--bulk-documents 1000");
    first.check(0);
    let before = first.sink.n_operations() as u64;
    let again = run_again(first.workplace, first.sink, "--bulk-documents 1000");
    again.check(0);
    assert_eq!(again.report["created"], 0);
    let operations = again.sink.n_operations() as u64 - before;
    // The first few bulks find out that it is a rerun.
    assert!(operations < TWEETS + 5_000, "{operations}");
}

#[test]
fn another_node_takes_what_one_that_is_down_does_not() {
    let down = format!("http://127.0.0.1:{}", tests::free_port());
    let workplace = Workplace::new(env!("CARGO_BIN_EXE_indexer-under-test"));
    workplace.file("tweets.csv", "id,text\n1601645088790257667,fine\n");
    let sink = Sink::start(Faults::default());
    let nodes = format!("{down},{}", sink.url());
    let output = workplace.run(["backfill", "tweets.csv", "--store", &nodes]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(sink.ids().len(), 1);
}

#[test]
fn items_that_are_put_off_once_are_sent_again() {
    let run = run(Faults { item_busy_once: Some(50), ..Faults::default() }, "");
    run.check(0);
    let retried = run.report["retried"].as_u64().unwrap();
    assert!((300..600).contains(&retried), "only those: {retried}");
}

#[test]
fn refused_items_are_rejected_with_the_reason_and_the_others_go_on() {
    let run = run(Faults { item_refused: Some(500), ..Faults::default() }, "");
    run.check(1);
    assert!((20..80).contains(&run.rejects.len()), "{}", run.rejects.len());
    let reject = &run.rejects[0];
    assert_eq!(reject["reason"], "400 document_parsing_exception: because the sink was told so");
    assert_eq!((&reject["stage"], &reject["source"]), (&"index".into(), &"tweets.ndjson".into()));
    let raw: Value = serde_json::from_str(reject["raw"].as_str().unwrap()).unwrap();
    assert_eq!(raw["id"], reject["id"]);
}

#[test]
fn an_overloaded_cluster_is_waited_for_with_fewer_requests() {
    let faults = Faults { busy_for: Duration::from_secs(4), ..Faults::default() };
    let run = run(faults, "--bulk-documents 500 --bulk-requests 4");
    run.check(0);
    let n = run.sink.n_bulks() as u64;
    assert!(n < TWEETS / 500 + 60, "no storm: {n}");
}

#[test]
fn a_cluster_is_left_alone_for_as_long_as_it_asks() {
    let busy_for = Duration::from_millis(2_500);
    let run = run(Faults { busy_for, retry_after: Some(3), ..Faults::default() }, "");
    run.check(0);
    assert!(run.sink.n_bulks() <= 8, "{}", run.sink.n_bulks());
}

#[test]
fn a_request_that_is_too_large_is_halved_and_so_are_the_next() {
    let run = run(Faults { too_large: Some(200_000), ..Faults::default() }, "");
    run.check(0);
    let n = run.sink.n_bulks();
    // Twelve megabytes in requests of at least half of what fits, and four bulks that find that out.
    assert!(n < 200, "each size is tried once or twice, not for each bulk: {n}");
}

#[test]
fn a_document_that_is_too_large_alone_is_rejected() {
    let run = run(Faults { too_large: Some(620), ..Faults::default() }, "--bulk-documents 50");
    run.check(1);
    assert!(run.rejects[0]["reason"].as_str().unwrap().starts_with("413 too large for the server"));
    assert!(run.report["created"].as_u64().unwrap() > 0);
}

#[test]
fn answers_that_break_off_or_make_no_sense_are_asked_for_again() {
    let faults = Faults {
        cut_answer: Some(3),
        not_json: Some(5),
        bad_gateway: Some(7),
        ..Faults::default()
    };
    run(faults, "--bulk-documents 1000").check(0);
}

#[test]
fn everything_at_once() {
    let faults = Faults {
        busy_for: Duration::from_secs(1),
        item_busy_once: Some(50),
        item_refused: Some(500),
        too_large: Some(200_000),
        cut_answer: Some(4),
        not_json: Some(9),
        bad_gateway: Some(5),
        ..Faults::default()
    };
    run(faults, "").check(1);
}

#[test]
fn a_cluster_that_never_recovers_is_given_up_and_what_was_read_is_rejected() {
    let faults = Faults { busy_for: Duration::from_secs(3600), ..Faults::default() };
    let run = run(faults, "--retry-for 2s --bulk-documents 1000");
    assert_eq!(run.code, Some(2), "{}", run.stderr);
    assert!(run.stderr.contains("took nothing for 2 seconds"), "{}", run.stderr);
    assert!(run.stderr.contains("hint:"), "{}", run.stderr);
    assert!(run.rejects.is_empty(), "nothing was taken, and the file is still there");
}

#[test]
fn a_run_that_breaks_off_in_the_middle_keeps_what_was_taken_and_rejects_what_was_read() {
    for (status, kind) in [(401, "security_exception"), (403, "cluster_block_exception")] {
        let faults = Faults { all_items: Some((5, status, kind)), ..Faults::default() };
        let run = run(faults, "--bulk-documents 1000");
        assert_eq!(run.code, Some(2), "{}", run.stderr);
        let number = |name: &str| run.report[name].as_u64().unwrap();
        assert!(number("created") >= 3_000, "{}", run.report);
        assert_eq!(
            number("read"),
            number("created") + number("updated") + number("notices") + number("rejected")
        );
        let there = run.sink.ids();
        assert_eq!(there.len() as u64, number("created"));
        assert!(run.rejects.iter().all(|reject| !there.contains(reject["id"].as_str().unwrap())));
    }
}

#[test]
fn conflicts_without_end_are_neither_a_storm_nor_a_stall() {
    let kind = "version_conflict_engine_exception";
    let faults = Faults { all_items: Some((1, 409, kind)), ..Faults::default() };
    let run = run(faults, "--retry-for 2s");
    assert_eq!(run.code, Some(2), "{}", run.stderr);
    assert!(run.sink.n_bulks() < 100, "{}", run.sink.n_bulks());
}

#[test]
fn a_run_that_breaks_off_rejects_what_it_had_read() {
    let faults = Faults { bad_gateway: Some(1), ..Faults::default() };
    let workplace = Workplace::new(env!("CARGO_BIN_EXE_indexer-under-test"));
    let sink = Sink::start(faults);
    let mut child = workplace
        .command(["backfill", "-", "--report", "json", "--rejects", "rejects", "--retry-for", "1s"])
        .args(["--store", &sink.url(), "--marketplace", "AWS"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let sample = workplace.run(["sample", "--count", "3000", "--format", "csv"]);
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), &sample.stdout).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&report["read"], &report["created"]), (&3000.into(), &0.into()));
    let rejects = std::fs::read_to_string(workplace.path("rejects")).unwrap();
    assert_eq!(report["rejected"], 3000, "what a pipe has said is nowhere else");
    // And they can be read again, as documents.
    workplace.file("again", &rejects);
    let healthy = Sink::start(Faults::default());
    let output =
        workplace.run(["backfill", "again", "--store", &healthy.url(), "--rejects", "none"]);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(healthy.ids().len(), rejects.lines().count());
}

#[test]
fn bodies_are_compressed_when_asked() {
    run(Faults { item_busy_once: Some(50), ..Faults::default() }, "--gzip always").check(0);
}
