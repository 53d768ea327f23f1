//! The store itself: records are enriched and indexed as `backfill` does it, a batch at a time.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use ingest::{Options, Timestamp};

use super::super::deletions::{Change, What, changes};
use super::super::meter::Meter;
use super::super::spool::{Chunk, Position};
use crate::failure::{Failure, Result};
use crate::pipeline::{InMemory, Output, Run, StoreOutput};
use crate::rejects::Rejects;
use crate::report::Report;
use crate::stop::Stop;
use crate::store::Written;

/// How long records are gathered before they are committed, so that a dashboard shows them soon.
const COMMIT_EVERY: Duration = Duration::from_secs(1);
/// How many bytes of records are gathered at most.
const COMMIT_BYTES: usize = 16 * 1024 * 1024;

/// A store that collected records are written to.
pub(in super::super) struct StoreDestination {
    output: StoreOutput,
    options: Arc<Options>,
    rejects: Rejects,
    /// What documents name as their source.
    source: Arc<str>,
    /// Whether posts that were deleted are deleted from the store, and those that were changed replaced.
    follows_deletions: bool,
    report: Report,
    gathered: Gathered,
    accepted: Position,
    /// Whether the run was cut off while records were written. They stay in the spool, and so does what comes after them.
    is_cut_off: bool,
}

#[derive(Default)]
struct Gathered {
    chunks: Vec<Chunk>,
    bytes: usize,
    since: Option<Instant>,
    end: Position,
}

impl StoreDestination {
    pub(in super::super) fn new(
        output: StoreOutput,
        options: Arc<Options>,
        rejects: Rejects,
        source: &str,
        follows_deletions: bool,
    ) -> StoreDestination {
        StoreDestination {
            output,
            options,
            rejects,
            source: source.into(),
            follows_deletions,
            report: Report::default(),
            gathered: Gathered::default(),
            accepted: Position::default(),
            is_cut_off: false,
        }
    }

    pub(super) fn take(&mut self, chunk: Chunk, end: Position) -> Result<()> {
        self.gathered.bytes += chunk.lines.len();
        self.gathered.end = end;
        self.gathered.since.get_or_insert_with(Instant::now);
        self.gathered.chunks.push(chunk);
        Ok(())
    }

    pub(super) fn settle(&mut self, is_end: bool, meter: &Meter) -> Result<Position> {
        let is_due = is_end
            || self.gathered.bytes >= COMMIT_BYTES
            || self.gathered.since.is_some_and(|since| since.elapsed() >= COMMIT_EVERY);
        if is_due && !self.is_cut_off {
            let Gathered { chunks, end, .. } = std::mem::take(&mut self.gathered);
            let records: u64 = chunks.iter().map(|chunk| chunk.records).sum();
            if records > 0 {
                self.write(chunks)?;
                if self.is_cut_off {
                    return Ok(self.accepted);
                }
                meter.sent.inc_by(records);
            }
            self.accepted = self.accepted.max(end);
        }
        Ok(self.accepted)
    }

    /// Closes the store. Returns what was done to it, and whether it could be closed.
    pub(in super::super) fn finish(mut self, took: Duration) -> (Report, Result<()>) {
        self.report.seconds = took.as_secs_f64();
        let closed = self.close();
        (self.report, closed)
    }

    fn close(&mut self) -> Result<()> {
        if let Some(writer) = self.output.writer.take() {
            let mut written = Written::default();
            writer.finish(&mut written)?;
            self.report.add_written(&written);
        }
        if let Some(path) = self.rejects.finish()? {
            tracing::warn!(
                hint = "fix what the reasons describe, then index the rejects: indexer backfill REJECTS_FILE",
                "{} records were rejected, see `{}`",
                self.report.rejected,
                path.display()
            );
        }
        Ok(())
    }

    fn write(&mut self, chunks: Vec<Chunk>) -> Result<()> {
        let mut batch = Vec::new();
        let mut gone = BTreeSet::new();
        let name = Arc::clone(&self.source);
        for chunk in chunks {
            let written_at = Some(Timestamp::from_millis(chunk.received_at));
            let source =
                |lines: Bytes| InMemory { name: Arc::clone(&name), bytes: lines, written_at };
            let lines = Bytes::from(chunk.lines);
            let changes = if self.follows_deletions { changes(&lines) } else { Vec::new() };
            let mut from = 0;
            for Change { id, line_start, what } in changes {
                match what {
                    // A post of the same name, written anew.
                    What::Created => drop(gone.remove(&id)),
                    What::Deleted => drop(gone.insert(id)),
                    // What is already there must be deleted before the new text is written, since a merge would keep the
                    // longer of the two.
                    What::Updated => {
                        gone.insert(id);
                        batch.push(source(lines.slice(from..line_start)));
                        from = line_start;
                        self.index(std::mem::take(&mut batch))?;
                        self.delete(&std::mem::take(&mut gone))?;
                    }
                }
            }
            batch.push(source(lines.slice(from..)));
        }
        self.index(batch)?;
        self.delete(&gone)
    }

    fn index(&mut self, batch: Vec<InMemory>) -> Result<()> {
        let batch: Vec<InMemory> =
            batch.into_iter().filter(|part| !part.bytes.is_empty()).collect();
        if batch.is_empty() || self.is_cut_off {
            return Ok(());
        }
        let run = Run {
            options: Arc::clone(&self.options),
            output: Output::Store(&mut self.output),
            rejects: &mut self.rejects,
            stop: Stop::default(),
            readers: 1,
            journal: None,
        };
        let ended = run.over_memory(batch)?;
        self.report.add(ended.report);
        self.rejects.finish()?;
        self.is_cut_off = ended.is_stopped;
        match ended.failure {
            Some(failure) => Err(Failure::from(failure)),
            None if ended.left > 0 => Err(Failure::new(format!(
                "{} records are neither indexed nor rejected",
                ended.left
            ))),
            None => Ok(()),
        }
    }

    fn delete(&mut self, ids: &BTreeSet<String>) -> Result<()> {
        if ids.is_empty() || self.is_cut_off {
            return Ok(());
        }
        let ids: Vec<String> = ids.iter().cloned().collect();
        self.output.delete(&ids)?;
        Ok(())
    }
}
