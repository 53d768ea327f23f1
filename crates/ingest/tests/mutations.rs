//! Damaged files: every file in `test_data`, changed at random, is read without a panic, and each record of it comes out.
//!
//! Each run tries other changes for a second. `FUZZ_SECONDS=600 cargo test -p ingest --test mutations` tries for longer;
//! `FUZZ_SEED=7` repeats what a failure names.
#![allow(clippy::unwrap_used, reason = "a test may stop on anything odd, in its helpers too")]
#![allow(clippy::print_stdout, reason = "how far it got is for whoever runs it by hand")]
#![allow(clippy::disallowed_methods, reason = "how long to try is a setting of whoever runs it")]

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fastrand::Rng;
use ingest::Options;

/// What breaks parsers.
const TOKENS: [&[u8]; 26] = [
    b"\"",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b";",
    b"\t",
    b":",
    b"\n",
    b"\r\n",
    b"\\",
    b"\\u",
    b"\\ud83d",
    b"\0",
    b"\xFF",
    b"\xEF\xBB\xBF",
    b"\xED\xA0\xBD",
    b"null",
    b"NaN",
    b"1e999",
    b"<U+",
    b"b'",
    b"{\"data\":[",
    b"{\"a\":{\"a\":{\"a\":",
    b"99999999999999999999",
];

fn mutate(bytes: &mut Vec<u8>, others: &[Vec<u8>], rng: &mut Rng) {
    for _ in 0..rng.usize(1..8) {
        let at = rng.usize(0..=bytes.len());
        let end = (at + rng.usize(1..60)).min(bytes.len());
        match rng.u8(0..7) {
            0 if at < bytes.len() => bytes[at] = rng.u8(..),
            1 => drop(bytes.splice(at..at, rng.choice(TOKENS).unwrap().iter().copied())),
            2 => drop(bytes.drain(at..end)),
            3 => {
                let copied = bytes[at..end].to_vec();
                let to = rng.usize(0..=bytes.len());
                bytes.splice(to..to, copied);
            }
            4 => bytes.truncate(at),
            5 => {
                let other = rng.choice(others).unwrap();
                let from = rng.usize(0..=other.len());
                let piece = &other[from..(from + 200).min(other.len())];
                bytes.splice(at..at, piece.iter().copied());
            }
            _ => {
                let times = rng.usize(2..40);
                let copied = bytes[at..end].repeat(times);
                bytes.splice(at..at, copied);
            }
        }
    }
}

/// Reads everything, and counts that each record gives something.
fn read(bytes: &[u8]) {
    let options = Arc::new(Options::default());
    let Ok(batches) = ingest::open(bytes, &options) else { return };
    for batch in batches {
        let Ok(batch) = batch else { return };
        let mut next = 0;
        let (mut n_items, n_records) = (0, batch.len());
        batch.read_from(&mut next, |_| n_items += 1);
        assert_eq!(next, n_records);
        assert!(n_items >= n_records, "{n_items} of {n_records} records");
        batch.forward(|_, line| {
            assert!(line.is_err() || !line.unwrap().contains(&b'\n'));
        });
    }
}

#[test]
fn no_damage_makes_it_panic_or_lose_a_record() {
    let setting = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
    let time = Duration::from_secs(setting("FUZZ_SECONDS").unwrap_or(1));
    let only = setting("FUZZ_SEED");
    let folder = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/test_data"));
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let files: Vec<Vec<u8>> = paths.iter().map(|path| std::fs::read(path).unwrap()).collect();
    let started = Instant::now();
    let (mut slowest, mut slowest_seed) = (Duration::ZERO, 0);
    let first = only.unwrap_or_else(|| fastrand::u64(..1 << 40));
    for seed in first.. {
        let mut rng = Rng::with_seed(seed);
        let mut bytes = rng.choice(&files).unwrap().clone();
        mutate(&mut bytes, &files, &mut rng);
        let began = Instant::now();
        let result = std::panic::catch_unwind(|| read(&bytes));
        assert!(result.is_ok(), "FUZZ_SEED={seed} fails");
        if began.elapsed() > slowest {
            (slowest, slowest_seed) = (began.elapsed(), seed);
        }
        if only.is_some() || started.elapsed() > time {
            println!(
                "{} files, the slowest took {slowest:?} (FUZZ_SEED={slowest_seed})",
                seed - first + 1
            );
            return;
        }
    }
}
