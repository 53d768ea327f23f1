//! VADER's numbers against its reference, PyPI's vaderSentiment 3.3.2, digit for digit.
#![allow(clippy::unwrap_used, reason = "a test may stop on anything odd, in its helpers too")]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use enrich::vader::{Scores, score};
use tests::skip;

type Expected = (String, f64, f64, f64, f64);

/// Compares every line of the reference's output; returns how many texts there were.
fn compare(lines: impl BufRead) -> usize {
    let mut n_texts = 0;
    let mut differences = Vec::new();
    for line in lines.lines() {
        let line = line.unwrap();
        let (text, pos, neu, neg, compound): Expected = serde_json::from_str(&line).unwrap();
        n_texts += 1;
        let ours = score(&text);
        if ours != (Scores { pos, neu, neg, compound }) {
            differences.push(format!("{line}\n   but {ours:?}"));
        }
    }
    assert!(
        differences.is_empty(),
        "{} of {n_texts} differ:\n{}",
        differences.len(),
        differences[..1].join("\n")
    );
    n_texts
}

fn folder() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[test]
fn the_golden_texts_score_as_the_reference_scored_them() {
    let golden = std::fs::read(folder().join("golden/vader.ndjson")).unwrap();
    assert_eq!(compare(golden.as_slice()), 2_000);
}

/// The Python that has the reference, as `.ci/run` installs it, and the package's source distribution.
#[expect(clippy::disallowed_methods, reason = "tests are told by the environment where parts are")]
fn reference() -> Option<(PathBuf, PathBuf)> {
    let cache = std::env::var("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache
        .or_else(|_| std::env::var("HOME").map(|home| Path::new(&home).join(".cache")))
        .ok()?;
    let parts = cache.join("tweet-indexer");
    let python = parts.join("venv/bin/python");
    let distribution = parts.join("vaderSentiment-3.3.2.tar.gz");
    (python.is_file() && distribution.is_file()).then_some((python, distribution))
}

fn against_reference(arguments: &[&str]) -> Option<usize> {
    let Some((python, distribution)) = reference() else {
        skip("Python with vaderSentiment 3.3.2 in the user's cache: .ci/parts installs it");
        return None;
    };
    let mut child = Command::new(python)
        .arg(folder().join("python/vader_reference.py"))
        .args(
            arguments
                .iter()
                .map(|argument| argument.replace("DISTRIBUTION", distribution.to_str().unwrap())),
        )
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let n_texts = compare(BufReader::new(child.stdout.take().unwrap()));
    assert!(child.wait().unwrap().success());
    Some(n_texts)
}

#[test]
fn the_texts_of_the_source_distribution_score_as_in_python() {
    if let Some(n_texts) = against_reference(&["distribution", "DISTRIBUTION"]) {
        assert_eq!(n_texts, 23_703);
    }
}

#[test]
fn generated_texts_score_as_in_python() {
    against_reference(&["generated", "30000", "20261121"]);
}

#[test]
fn floods_are_scored_in_linear_time() {
    // Each of these takes the reference minutes or longer.
    for text in [
        "💔".repeat(200_000),
        "not good but bad ".repeat(60_000),
        "!".repeat(1_000_000),
        "a'b".repeat(300_000),
    ] {
        let scores = score(&text);
        assert!((-1.0..=1.0).contains(&scores.compound));
    }
}
