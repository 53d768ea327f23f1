//! Texts a second and core of VADER's implementations, side by side in one run:
//! `cargo bench -p tests --bench vader`.
//!
//! Each scores the 23,703 texts of the reference's source distribution, in turn, several rounds; what counts
//! is the median of the CPU seconds. Needs what `.ci/parts` installs.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints, and may stop on anything odd"
)]

use std::path::Path;
use std::process::Command;
use std::time::Instant;

const ROUNDS: usize = 7;

fn main() {
    #[expect(clippy::disallowed_methods, reason = "where the parts are")]
    let home = std::env::var("XDG_CACHE_HOME")
        .unwrap_or_else(|_| format!("{}/.cache", std::env::var("HOME").unwrap()));
    let parts = Path::new(&home).join("tweet-indexer");
    let reference = |mode: &str| {
        let output = Command::new(parts.join("venv/bin/python"))
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/python/vader_reference.py"))
            .args([mode, parts.join("vaderSentiment-3.3.2.tar.gz").to_str().unwrap()])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let texts: Vec<String> =
        reference("texts").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let parity = vader_parity::SentimentIntensityAnalyzer::new();
    let port = vader_sentiment::SentimentIntensityAnalyzer::new();

    let mut seconds: [Vec<f64>; 4] = Default::default();
    for _ in 0..ROUNDS {
        seconds[0].push(reference("time").trim().parse().unwrap());
        seconds[1].push(time(&texts, |text| port.polarity_scores(text)["compound"]));
        seconds[2].push(time(&texts, |text| parity.polarity_scores(text).compound));
        seconds[3].push(time(&texts, |text| enrich::vader::score(text).compound));
    }
    let median = seconds.map(|mut rounds| {
        rounds.sort_by(f64::total_cmp);
        rounds[ROUNDS / 2]
    });
    println!("{:<24}{:>14}{:>12}", "", "texts/second", "ours is");
    for (name, seconds) in
        ["Python 3.3.2", "vader_sentiment 0.1.1", "vader-parity 0.1.0", "enrich::vader"]
            .iter()
            .zip(median)
    {
        println!("{name:<24}{:>14.0}{:>11.1}x", texts.len() as f64 / seconds, seconds / median[3]);
    }
}

/// How many seconds one pass takes, on this thread alone.
fn time(texts: &[String], score: impl Fn(&str) -> f64) -> f64 {
    let started = Instant::now();
    let sum: f64 = texts.iter().map(|text| score(text)).sum();
    assert!(sum.is_finite());
    started.elapsed().as_secs_f64()
}
