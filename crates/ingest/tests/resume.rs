//! Reading goes on where it stopped, in each format and packing, as if it had never stopped.
#![allow(clippy::unwrap_used, reason = "a test may stop on anything odd, in its helpers too")]

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io::Write as _;
use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;
use ingest::{Batches, Checkpoint, Options};

/// Enough for several batches and marks.
const RECORDS: u64 = 4_000;

fn open(bytes: &[u8]) -> Batches<'_> {
    ingest::open(bytes, &Arc::new(Options::default())).unwrap()
}

/// The items of the next batches: of all, or of so many.
fn items(batches: &mut Batches<'_>, most: usize) -> Vec<String> {
    let mut items = Vec::new();
    for batch in batches.take(most) {
        batch.unwrap().read(|item| items.push(format!("{item:?}")));
    }
    items
}

#[track_caller]
fn check(name: &str, bytes: &[u8]) {
    let whole = items(&mut open(bytes), usize::MAX);
    let n_batches = open(bytes).count();
    assert!(n_batches > 3, "{name}: {n_batches} batches");
    for n_read in [1, n_batches / 2, n_batches - 1] {
        let mut batches = open(bytes);
        let (mut read, mut marks, mut end) = (Vec::new(), VecDeque::new(), None);
        for batch in batches.by_ref().take(n_read) {
            let batch = batch.unwrap();
            batch.read(|item| read.push(format!("{item:?}")));
            end = Some(batch.end);
            marks.extend(batch.marks);
        }
        let checkpoint = Checkpoint::new(end.unwrap(), marks);
        let kept = serde_json::to_string(&checkpoint).unwrap();
        let checkpoint: Checkpoint = serde_json::from_str(&kept).unwrap();

        let mut again = open(bytes);
        let mut opened_at = 0;
        let open_at = |at: u64| {
            opened_at = at;
            Ok(&bytes[at as usize..])
        };
        again.resume(&checkpoint, open_at).unwrap();
        read.extend(items(&mut again, usize::MAX));
        assert!(read == whole, "{name}: other items after {n_read} batches");
        let is_near = opened_at > 0 || checkpoint.position.offset < 2_000_000;
        assert!(is_near, "{name}: read from the start after {n_read} batches");
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn reading_goes_on_where_it_stopped() {
    // Not to be compressed away.
    let noise = |n: u64| {
        let digits = (0..24).map(|i| (n * 24 + i).wrapping_mul(0x9E37_79B9_7F4A_7C15).to_string());
        digits.collect::<Vec<_>>().join(" ")
    };
    let record = |n: u64| {
        let id = 1_601_645_088_790_257_667 + n * 7_919;
        let noise = noise(n);
        format!(r#"{{"id_str":"{id}","full_text":"the cloud \"{noise}\"","n":[{n},{n}]}}"#)
    };
    let joined = |separator: &str| (0..RECORDS).map(record).collect::<Vec<_>>().join(separator);
    let mut csv = "id,text,cloud\n".to_owned();
    for n in 0..RECORDS {
        let id = 1_601_645_088_790_257_667 + n * 7_919;
        writeln!(csv, "{id},\"the cloud, line {n}\nand \"\"{}\"\"\",AWS", noise(n)).unwrap();
    }
    let broken = joined("\n").replace("99]}", "99").replace("[111", "111");
    for (name, text) in [
        ("lines", joined("\n")),
        ("concatenated", joined("")),
        ("comma lines", joined(",\n")),
        ("array", format!("[{}]", joined(","))),
        ("archive", format!("window.YTD.tweets.part0 = [{}]", joined(",\n"))),
        ("broken lines", broken),
        ("csv", csv.clone()),
        ("csv with a BOM", format!("\u{FEFF}{csv}")),
    ] {
        check(name, text.as_bytes());
        check(&format!("{name}, gzip"), &gzip(text.as_bytes()));
        let (first, second) = text.as_bytes().split_at(text.len() / 3);
        check(&format!("{name}, two members"), &[gzip(first), gzip(second)].concat());
    }
}

/// Gives some bytes and then fails, as a connection does.
struct Failing<'b>(&'b [u8]);

impl std::io::Read for Failing<'_> {
    fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
        if self.0.is_empty() {
            return Err(std::io::Error::other("the connection is gone"));
        }
        let length = buf.len().min(self.0.len());
        buf[..length].copy_from_slice(&self.0[..length]);
        self.0 = &self.0[length..];
        Ok(length)
    }
}

#[test]
fn a_record_that_was_cut_by_a_failure_is_read_again_and_not_rejected() {
    let csv = "id,text\n1601645088790257667,one\n1601645088790257668,two\n";
    let json = "{\"id\":\"1601645088790257667\",\"text\":\"one\"}\n{\"id\":\"1601645088790257668\",\"text\":\"two\"}\n";
    for text in [csv, json] {
        let whole = items(&mut open(text.as_bytes()), usize::MAX);
        for cut in text.len() - 20..text.len() {
            let options = Arc::new(Options::default());
            let mut batches = ingest::open(Failing(&text.as_bytes()[..cut]), &options).unwrap();
            batches.read_again();
            let (mut read, mut end) = (Vec::new(), None);
            for batch in batches.by_ref() {
                let Ok(batch) = batch else { break };
                batch.read(|item| read.push(format!("{item:?}")));
                end = Some(batch.end);
            }
            let checkpoint = Checkpoint::new(end.unwrap(), VecDeque::new());
            let mut again = open(text.as_bytes());
            again.resume(&checkpoint, |at| Ok(&text.as_bytes()[at as usize..])).unwrap();
            read.extend(items(&mut again, usize::MAX));
            assert_eq!(read, whole, "cut at {cut}");
        }
    }
}
