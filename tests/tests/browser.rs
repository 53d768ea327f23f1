//! The dashboard in Chromium: `browser/dashboard.mjs` does what people do.
#![allow(clippy::unwrap_used, reason = "a test may stop on anything odd, in its helpers too")]

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use tests::{Dashboard, Workplace, chromium};

const FIXTURES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures");
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/browser/dashboard.mjs");

#[test]
fn the_page_works_in_a_browser() {
    let Some((chromium, packages)) = chromium() else { return };
    let workplace = Workplace::new(env!("CARGO_BIN_EXE_indexer-under-test"));
    let sample = ["sample", "--count", "3000", "--format", "ndjson"];
    workplace.file("sample.ndjson", workplace.run(sample).stdout);
    let markup = format!("{FIXTURES}/markup.ndjson");
    assert!(workplace.run(["backfill", "sample.ndjson", &markup]).status.success());
    let dashboard = Dashboard::start(&workplace, "tweets-index", &[]);
    let screenshots = std::env::temp_dir().join("tweet-indexer-screenshots");
    std::fs::create_dir_all(&screenshots).unwrap();
    let mut script = Command::new("node")
        .arg(SCRIPT)
        .arg(format!("{}/", dashboard.url))
        .args([&packages, &screenshots])
        .env("CHROMIUM", chromium)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = String::new();
    for line in BufReader::new(script.stdout.take().unwrap()).lines().map_while(Result::ok) {
        if line == "more" {
            let more = ["sample", "--count", "500", "--format", "ndjson", "--seed", "2"];
            workplace.file("more.ndjson", workplace.run(more).stdout);
            assert!(workplace.run(["backfill", "more.ndjson"]).status.success());
        }
        told.push_str(&format!("{line}\n"));
    }
    assert!(script.wait().unwrap().success(), "{told}");
}
