//! Runs over records that are in memory already: those of an event.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use ingest::{Position, Rejected, Stage, Timestamp};

use super::Run;
use super::batch::{Enriched, SourceInfo, enrich_batch};
use super::sink::{Ended, Output, Sink};
use super::track::Track;
use crate::failure::Result;

/// A source that is in memory.
pub(crate) struct InMemory {
    pub(crate) name: Arc<str>,
    pub(crate) bytes: Bytes,
    pub(crate) written_at: Option<Timestamp>,
}

impl Run<'_> {
    /// Reads sources that are in memory. The `records` of the checkpoint that is returned is the number of sources,
    /// from the first on, that are safe.
    ///
    /// # Errors
    ///
    /// If the output or the rejects cannot be written.
    pub(crate) fn over_memory(self, sources: Vec<InMemory>) -> Result<Ended> {
        let Run { options, output, rejects, stop, .. } = self;
        let started = Instant::now();
        let mut sink = Sink::new(output, rejects, Some(Track::default()));
        if let Output::Store(store) = &mut sink.output {
            store.open()?;
        }
        for (done, source) in sources.into_iter().enumerate() {
            if stop.is_set() || sink.ended.failure.is_some() || sink.is_too_late() {
                sink.ended.is_stopped = true;
                break;
            }
            sink.ended.report.bytes += source.bytes.len() as u64;
            let info = SourceInfo { name: source.name, written_at: source.written_at };
            let position = |records| Position { records, ..Position::default() };
            let mut last = Enriched::default();
            match ingest::open(&*source.bytes, &options) {
                Ok(batches) => {
                    for batch in batches {
                        match batch {
                            Ok(batch) => {
                                let mut enriched = enrich_batch(batch, &info, false);
                                // This source only counts as safe once all of its batches are.
                                enriched.end = position(done as u64);
                                enriched.marks.clear();
                                sink.take(enriched)?;
                            }
                            Err(error) => last.reject(unreadable(&info, &source.bytes, &error)),
                        }
                    }
                }
                Err(error) => last.reject(unreadable(&info, &source.bytes, &error)),
            }
            last.end = position(done as u64 + 1);
            sink.take(last)?;
        }
        let mut ended = sink.finish()?;
        ended.report.seconds = started.elapsed().as_secs_f64();
        Ok(ended)
    }
}

/// A whole source that cannot be read, as a reject.
fn unreadable(info: &SourceInfo, bytes: &[u8], error: &ingest::Error) -> Rejected {
    let mut rejected = Rejected::new(1, Stage::Read, error.to_string(), bytes);
    rejected.source = info.name.to_string();
    rejected
}
