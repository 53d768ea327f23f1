//! What a batch of records becomes, on whichever thread has time.

use std::sync::Arc;

use enrich::{Document, Origin, enrich};
use ingest::{Batch, Item, MAX_ID_BYTES, Mark, Position, Rejected, Stage, Timestamp};

use crate::report::Report;
use crate::store::Delivery;

/// What is said of a source in its documents and rejects.
pub(super) struct SourceInfo {
    pub(super) name: Arc<str>,
    pub(super) written_at: Option<Timestamp>,
}

/// What a batch became.
#[derive(Default)]
pub(super) struct Enriched {
    pub(super) deliveries: Vec<Delivery>,
    pub(super) lines: Vec<u8>,
    pub(super) rejected: Vec<Rejected>,
    pub(super) report: Report,
    /// Where the next batch begins, and what is needed to go on there.
    pub(super) end: Position,
    pub(super) marks: Vec<Mark>,
}

impl Enriched {
    fn add(&mut self, document: Document, source: Arc<str>, line: u64, as_lines: bool) {
        self.report.add_document(&document);
        if !as_lines {
            self.deliveries.push(Delivery { document, source, line });
        } else if serde_json::to_writer(&mut self.lines, &document).is_ok() {
            self.lines.push(b'\n');
        }
    }

    pub(super) fn reject(&mut self, rejected: Rejected) {
        self.report.read += 1;
        self.report.rejected += 1;
        self.rejected.push(rejected);
    }
}

impl SourceInfo {
    /// The source to name: where a reject came from first, else this one.
    fn name(&self, first: Option<&str>) -> Arc<str> {
        first.map_or_else(|| Arc::clone(&self.name), Arc::from)
    }
}

/// Reads and enriches what is in a batch.
pub(super) fn enrich_batch(batch: Batch, source: &SourceInfo, as_lines: bool) -> Enriched {
    let own_origin = Origin { source: &source.name, received_at: source.written_at };
    let mut enriched = Enriched::default();
    batch.read(|item| match item {
        Item::Tweet { line, tweet, source: first } => {
            // What was rejected once keeps the name of the source that it came from first.
            let origin =
                first.map_or(own_origin, |first| Origin { source: first, received_at: None });
            enriched.add(enrich(tweet, origin), source.name(first), line, as_lines);
        }
        Item::Document { line, json, source: first } => {
            let name = source.name(first);
            match parse_document(json) {
                Ok(document) => enriched.add(document, name, line, as_lines),
                Err(reason) => {
                    let mut rejected = Rejected::new(line, Stage::Parse, reason, json.as_bytes());
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
    (enriched.end, enriched.marks) = (batch.end, batch.marks);
    enriched
}

/// Reads what a tweet became in an earlier run.
fn parse_document(json: &str) -> Result<Document, String> {
    let mut document: Document = serde_json::from_str(json)
        .map_err(|error| format!("it looks like a document of indexer, but: {error}"))?;
    document.derive();
    match document.id.len() {
        0 => Err("its id is empty".to_owned()),
        1..=MAX_ID_BYTES => Ok(document),
        _ => Err("its id is longer than 512 bytes".to_owned()),
    }
}
