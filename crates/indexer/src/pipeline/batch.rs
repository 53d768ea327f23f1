//! What a batch of records becomes, on whichever thread of the pool is free.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use enrich::{Document, Origin, enrich};
use ingest::{Batch, Item, MAX_ID_BYTES, Mark, Position, Rejected, Stage, Timestamp};

use crate::report::Report;
use crate::store::Delivery;

/// What documents and rejects say of the source that they come from.
pub(super) struct SourceInfo {
    pub(super) name: Arc<str>,
    pub(super) written_at: Option<Timestamp>,
}

/// The result of enriching a batch.
#[derive(Default)]
pub(super) struct Enriched {
    pub(super) deliveries: Vec<Delivery>,
    /// The documents as NDJSON, if that was asked for instead of deliveries.
    pub(super) lines: Vec<u8>,
    pub(super) rejected: Vec<Rejected>,
    pub(super) report: Report,
    /// Where the next batch begins.
    pub(super) end: Position,
    /// The places in the batch from which gzip data can be decompressed again.
    pub(super) marks: Vec<Mark>,
}

impl Enriched {
    fn add(&mut self, document: Document, source: Arc<str>, line: u64, as_lines: bool) {
        if as_lines {
            let length = self.lines.len();
            if serde_json::to_writer(&mut self.lines, &document).is_err() {
                // Cannot happen: everything in a document can be written. Half a line must not stay.
                self.lines.truncate(length);
                return;
            }
            self.lines.push(b'\n');
        }
        self.report.add_document(&document);
        if !as_lines {
            self.deliveries.push(Delivery { document, source, line });
        }
    }

    pub(super) fn reject(&mut self, rejected: Rejected) {
        self.report.read += 1;
        self.report.rejected += 1;
        self.rejected.push(rejected);
    }
}

impl SourceInfo {
    /// The source to name: the original one of a reject that is read again, else this one.
    fn name(&self, original: Option<&str>) -> Arc<str> {
        original.map_or_else(|| Arc::clone(&self.name), Arc::from)
    }
}

/// Reads and enriches all records of a batch.
pub(super) fn enrich_batch(batch: Batch, source: &SourceInfo, as_lines: bool) -> Enriched {
    let own_origin = Origin { source: &source.name, received_at: source.written_at };
    let mut enriched = Enriched::default();
    enriched.report.add_overlooked(&batch);
    isolate_panics(
        &mut enriched,
        batch.len(),
        |enriched, next| {
            batch.read_from(next, |item| match item {
                Item::Tweet { line, tweet, source: original } => {
                    // The time of a rejects file says nothing about when the tweets in it were received.
                    let origin =
                        original.map_or(own_origin, |source| Origin { source, received_at: None });
                    enriched.report.add_tweet(&tweet);
                    enriched.add(enrich(tweet, origin), source.name(original), line, as_lines);
                }
                Item::Document { line, json, source: original } => {
                    let name = source.name(original);
                    match parse_document(json) {
                        Ok(document) => enriched.add(document, name, line, as_lines),
                        Err(reason) => {
                            let mut rejected =
                                Rejected::new(line, Stage::Parse, reason, json.as_bytes());
                            rejected.source = name.to_string();
                            enriched.reject(rejected);
                        }
                    }
                }
                Item::Notice { .. } => {
                    enriched.report.read += 1;
                    enriched.report.notices += 1;
                }
                Item::Rejected(mut rejected) => {
                    if rejected.source.is_empty() {
                        rejected.source = source.name.to_string();
                    }
                    enriched.reject(rejected);
                }
            });
        },
        |enriched, index| {
            let reason = "an internal error of indexer; its log says where";
            let mut rejected = batch.reject(index, Stage::Parse, reason);
            rejected.source = source.name.to_string();
            enriched.reject(rejected);
        },
    );
    (enriched.end, enriched.marks) = (batch.end, batch.marks);
    enriched
}

/// Reads `length` records with `read`, which gets the index of the next record and advances it after each record that
/// it has read. If it panics, the record at the index is passed to `reject`, and reading continues after it.
fn isolate_panics<T>(
    state: &mut T,
    length: usize,
    mut read: impl FnMut(&mut T, &mut usize),
    mut reject: impl FnMut(&mut T, usize),
) {
    let mut next = 0;
    while next < length {
        if catch_unwind(AssertUnwindSafe(|| read(state, &mut next))).is_err() {
            reject(state, next);
            next += 1;
        }
    }
}

/// Reads a document that an earlier run has made of a tweet.
fn parse_document(json: &str) -> Result<Document, String> {
    let mut document: Document = serde_json::from_str(json).map_err(|error| {
        format!("it looks like a document written by indexer, but is invalid: {error}")
    })?;
    document.derive();
    match document.id.len() {
        0 => Err("its id is empty".to_owned()),
        1..=MAX_ID_BYTES => Ok(document),
        _ => Err("its id is longer than 512 bytes".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_that_panics_costs_only_itself() {
        let mut seen = Vec::new();
        let read = |seen: &mut Vec<String>, next: &mut usize| {
            while *next < 5 {
                assert!(!matches!(next, 1 | 4), "a bug");
                seen.push(format!("read {next}"));
                *next += 1;
            }
        };
        isolate_panics(&mut seen, 5, read, |seen, index| seen.push(format!("rejected {index}")));
        assert_eq!(seen, ["read 0", "rejected 1", "read 2", "read 3", "rejected 4"]);
    }
}
