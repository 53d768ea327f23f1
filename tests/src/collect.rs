//! What tests of `indexer collect` share.

use std::process::{Child, Command, Output};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::Workplace;

/// The report that a run with `--report json` has written.
///
/// # Panics
///
/// If there is none.
pub fn report(output: &Output) -> Value {
    let text = String::from_utf8_lossy(&output.stdout);
    let last = text.lines().last().unwrap_or_default();
    serde_json::from_str(last).unwrap_or_else(|_| panic!("no report: {output:?}"))
}

/// Waits until something is so.
///
/// # Panics
///
/// If it is not within a minute.
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed().as_secs() < 60, "{what} takes more than a minute");
        thread::sleep(Duration::from_millis(10));
    }
}

/// Kills a process as `kill -9` does.
///
/// # Panics
///
/// If it cannot be waited for.
pub fn kill(mut child: Child) {
    child.kill().expect("a process");
    child.wait().expect("a process");
}

/// Asks a process to stop, and waits until it has.
///
/// # Panics
///
/// If it cannot be asked or waited for.
pub fn stop(child: Child) -> Output {
    Command::new("kill").args(["-TERM", &child.id().to_string()]).status().expect("a process");
    child.wait_with_output().expect("a process")
}

/// The lines of a file of JSON; none if it is not there.
///
/// # Panics
///
/// If a line is no JSON.
pub fn lines(workplace: &Workplace, name: &str) -> Vec<Value> {
    let text = std::fs::read_to_string(workplace.path(name)).unwrap_or_default();
    // The last one may be under way.
    let whole = text.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    whole.map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// Lets a command find a stand-in for AWS.
pub fn aws_at(command: &mut Command, url: &str) {
    command.env("AWS_ENDPOINT_URL", url).env("AWS_REGION", "us-east-1");
    command.envs([("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")]);
}
