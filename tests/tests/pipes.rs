//! Pipes as input and as output: what came through one cannot be read again, and the reader of one may go away.
#![allow(clippy::unwrap_used, reason = "a test may stop on anything odd, in its helpers too")]

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tests::{Faults, Sink, Workplace};

const CSV: &str =
    "id,text\n1601645088790257667,\"one\n\ntweet\"\n1601594891175354371,I love it 👍\n";

fn workplace() -> Workplace {
    Workplace::new(env!("CARGO_BIN_EXE_indexer-under-test"))
}

/// A backfill that reads its stdin, and how often it has read from it.
struct Backfill {
    child: Child,
    n_reads: Arc<AtomicUsize>,
}

impl Backfill {
    fn start(workplace: &Workplace) -> Backfill {
        let mut child = workplace
            .command(["backfill", "-", "--report", "json", "-vv"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let n_reads = Arc::new(AtomicUsize::new(0));
        let (log, counter) = (BufReader::new(child.stderr.take().unwrap()), Arc::clone(&n_reads));
        thread::spawn(move || {
            for line in log.lines().map_while(Result::ok) {
                let is_read = line.contains("bytes from the pipe");
                counter.fetch_add(usize::from(is_read), Ordering::SeqCst);
            }
        });
        Backfill { child, n_reads }
    }

    /// Waits until it has read from the pipe `n_reads` times.
    fn wait(&self, n_reads: usize) {
        let started = Instant::now();
        while self.n_reads.load(Ordering::SeqCst) < n_reads {
            assert!(started.elapsed() < Duration::from_secs(60), "nothing was read");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Presses Ctrl-C, and waits for its end.
    fn interrupt(self) -> (Option<i32>, Value) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        let output = self.child.wait_with_output().unwrap();
        (output.status.code(), serde_json::from_slice(&output.stdout).unwrap())
    }
}

#[test]
fn a_pipe_is_read_to_its_end() {
    let workplace = workplace();
    let mut child = workplace
        .command(["backfill", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(CSV.as_bytes()).unwrap();
    assert!(child.wait_with_output().unwrap().status.success());
    assert!(workplace.show("search ''").contains("2 tweets"));
}

#[test]
fn a_pipe_may_hold_one_record_or_none() {
    let workplace = workplace();
    for (input, code, message) in [
        ("{\"id_str\":\"1480000000000000000\",\"text\":\"hi\"}\n", 0, ""),
        ("id,text\n1480000000000000000,hi\n", 0, ""),
        ("", 2, "it is empty"),
    ] {
        for command in ["enrich", "backfill"] {
            let mut command = workplace.command([command, "-"]);
            let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
            let mut child = piped.spawn().unwrap();
            child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
            let output = child.wait_with_output().unwrap();
            let stderr = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(code), "{input}: {stderr}");
            assert!(stderr.contains(message), "{stderr}");
        }
    }
}

#[test]
fn rejects_may_go_into_a_pipe() {
    let workplace = workplace();
    workplace.file("tweets.csv", "id,text\n1601645088790257667,fine\n7,too old\n");
    let output = workplace.run(["enrich", "tweets.csv", "--rejects", "/dev/stdout"]);
    let stdout = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    assert!(stdout.contains("too old") && stdout.contains("fine"), "{stdout}");
}

#[test]
fn an_interrupted_pipe_is_worked_on_as_far_as_it_came() {
    let workplace = workplace();
    let mut backfill = Backfill::start(&workplace);
    let mut stdin = backfill.child.stdin.take().unwrap();
    stdin.write_all(CSV.as_bytes()).unwrap();
    backfill.wait(1);
    let (code, report) = backfill.interrupt();
    drop(stdin);
    assert_eq!(code, Some(130));
    assert_eq!((&report["read"], &report["created"]), (&2.into(), &2.into()));
}

#[test]
fn an_interrupted_pipe_whose_writer_goes_on_loses_nothing_that_was_said() {
    let workplace = workplace();
    let mut backfill = Backfill::start(&workplace);
    let mut stdin = backfill.child.stdin.take().unwrap();
    let writer = thread::spawn(move || {
        let mut written = Vec::new();
        for i in 0_u64.. {
            let id = 1_601_645_088_790_257_667 + (i << 22);
            if writeln!(stdin, "{{\"id_str\":\"{id}\",\"text\":\"tweet\",\"user\":{{}}}}").is_err()
            {
                break;
            }
            written.push(Instant::now());
            thread::sleep(Duration::from_millis(5));
        }
        written
    });
    backfill.wait(100);
    let interrupted = Instant::now();
    let (code, report) = backfill.interrupt();
    let written = writer.join().unwrap();
    // What was written just before Ctrl-C may still be in the pipe itself.
    let said =
        written.iter().filter(|at| **at + Duration::from_millis(200) < interrupted).count() as u64;
    assert!(report["created"].as_u64().unwrap() >= said && said > 0, "{said} were said: {report}");
    assert_eq!(code, Some(130));
}

#[test]
fn what_came_through_a_named_pipe_is_rejected_when_the_cluster_fails() {
    for arguments in ["--readers 1", "--readers 2"] {
        let workplace = workplace();
        let pipe = workplace.path("pipe");
        assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        let writer = thread::spawn(move || fs::write(pipe, CSV));
        let sink = Sink::start(Faults { down_from: Some(0), ..Faults::default() });
        let store = sink.url();
        let fixed =
            ["backfill", "pipe", "--rejects", "rejects", "--retry-for", "1s", "--store", &store];
        let output = workplace.run(fixed.into_iter().chain(arguments.split(' ')));
        writer.join().unwrap().unwrap();
        assert_eq!(output.status.code(), Some(2), "{output:?}");
        let rejects = fs::read_to_string(workplace.path("rejects")).unwrap();
        assert_eq!(rejects.lines().count(), 2, "{rejects}");
    }
}

/// Runs `indexer` with a reader on one of its outputs that goes away after the first byte.
fn run_with_a_reader_that_leaves(
    workplace: &Workplace,
    arguments: &[&str],
    leaves_stderr: bool,
) -> Output {
    let mut child =
        workplace.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut byte = [0];
    match leaves_stderr {
        true => drop(child.stderr.take().map(|mut stderr| stderr.read(&mut byte))),
        false => drop(child.stdout.take().map(|mut stdout| stdout.read(&mut byte))),
    }
    child.wait_with_output().unwrap()
}

#[test]
fn a_reader_that_leaves_is_an_error_unless_the_output_was_only_looked_at() {
    let workplace = workplace();
    let sample = workplace.run(["sample", "--count", "20000", "--format", "ndjson"]).stdout;
    workplace.file("tweets.ndjson", sample);
    assert!(workplace.run(["backfill", "tweets.ndjson"]).status.success());
    for (arguments, code) in [
        (&["search", "", "--json", "--limit", "20000"][..], 0),
        (&["sample", "--count", "200000"], 0),
        (&["enrich", "tweets.ndjson"], 2),
    ] {
        let output = run_with_a_reader_that_leaves(&workplace, arguments, false);
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {stderr}");
        assert_eq!(stderr.contains("cannot write to stdout"), code == 2, "{arguments:?}: {stderr}");
    }
}

#[test]
fn rejects_that_cannot_be_written_to_stderr_are_an_error() {
    let workplace = workplace();
    let rows: String = (0..5_000).map(|i| format!("{i},too old\n")).collect();
    workplace.file("bad.csv", format!("id,text\n{rows}"));
    let output = run_with_a_reader_that_leaves(&workplace, &["enrich", "bad.csv"], true);
    assert_eq!(output.status.code(), Some(2));
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error() {
    let workplace = workplace();
    workplace.file("tweets.csv", CSV);
    for arguments in [
        &["enrich", "tweets.csv"][..],
        &["score", "tweets.csv"],
        &["sample"],
        &["backfill", "tweets.csv"],
        &["--help"],
        &["--version"],
    ] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let output = workplace.command(arguments).stdout(full).output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {stderr}");
        assert!(stderr.contains("No space left"), "{arguments:?}: {stderr}");
    }
}
