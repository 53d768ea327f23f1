//! What a source hands its records to: it filters them and puts them into the spool, or waits until there is room.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ingest::{Options, Rejected, Stage};
use serde::Serialize;

use super::meter::Meter;
use super::spool::{Appended, Chunk, Spool};
use crate::clock;
use crate::config::Conditions;
use crate::failure::{Failure, Result};
use crate::rejects::Rejects;
use crate::stop::Stop;

/// How often it is said that the spool is full, or that it cannot be written.
const REMIND_EVERY: Duration = Duration::from_secs(30);

/// The way into the spool.
pub(super) struct Intake {
    pub(super) spool: Arc<Spool>,
    pub(super) meter: Arc<Meter>,
    pub(super) conditions: Conditions,
    pub(super) options: Arc<Options>,
    pub(super) stop: Stop,
    /// Whether the oldest records are dropped where the spool is full, instead of waiting.
    pub(super) drops_oldest: bool,
    /// Whether what is taken must outlive a power failure.
    pub(super) is_durable: bool,
    /// When it was last said that the spool takes nothing.
    pub(super) reminded: Option<Instant>,
    /// Where records go that cannot be passed on.
    pub(super) rejects: Rejects,
    /// The longest record that the destination takes, in bytes.
    pub(super) longest: usize,
    /// What rejects name as their source.
    pub(super) source: String,
}

/// Lines that were received and are not in the spool yet.
#[derive(Default)]
pub(super) struct Lines {
    pub(super) bytes: Vec<u8>,
    pub(super) records: u64,
}

impl Lines {
    /// Adds a record on a line of its own. In JSON, a line break stands only between values, where a blank does as well.
    pub(super) fn push(&mut self, record: &[u8]) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(record);
        let is_break = |byte: &&mut u8| matches!(byte, b'\n' | b'\r');
        self.bytes[start..].iter_mut().filter(is_break).for_each(|byte| *byte = b' ');
        self.bytes.push(b'\n');
        self.records += 1;
    }

    /// Adds what is no record, as a reject, so that whoever indexes it counts it.
    pub(super) fn push_rejected(&mut self, rejected: &Rejected) {
        if let Ok(line) = serde_json::to_vec(rejected) {
            self.push(&line);
        }
    }

    /// Adds something from a source that is no JSON, as a reject.
    pub(super) fn push_unreadable(&mut self, source: &str, raw: &[u8]) {
        let mut rejected = Rejected::new(1, Stage::Parse, "it is not JSON", raw);
        source.clone_into(&mut rejected.source);
        self.push_rejected(&rejected);
    }
}

/// Whether there is no room on the disk.
pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

impl Intake {
    /// Takes records, with the mark at which the source resumes after them; without records, only the mark. Waits while the
    /// spool is full. Returns false if the run was stopped before they were taken.
    ///
    /// # Errors
    ///
    /// If the spool cannot be written, for another reason than a full disk.
    pub(super) fn take(&mut self, lines: Lines, mark: &impl Serialize) -> Result<bool> {
        let mark = serde_json::to_value(mark)?;
        let Lines { bytes: mut lines, records: received } = lines;
        let (kept, filtered) = self.conditions.apply(&mut lines, &self.options);
        let records = kept - self.reject_too_long(&mut lines)?;
        let chunk = Chunk { lines, records, received_at: clock::now(), mark };
        let waiting_since = Instant::now();
        loop {
            // What was paid for is kept, also if the run ends while the spool is full.
            let anyway = self.is_durable && self.stop.is_set();
            let trouble = match self.spool.append(&chunk, self.is_durable, anyway) {
                Ok(Appended::Done) => break,
                Ok(Appended::Full) if self.drops_oldest && self.spool.drop_oldest()? => {
                    self.count_dropped();
                    continue;
                }
                Ok(Appended::Full) => {
                    "the spool is full (--spool-size): the destination is unreachable, or slower than the source".to_owned()
                }
                Err(error) if is_full(&error) => {
                    if self.drops_oldest && self.spool.drop_oldest()? {
                        self.count_dropped();
                        continue;
                    }
                    "the disk with the spool is full: free some space".to_owned()
                }
                Err(error) => {
                    return Err(Failure::from(error).context("cannot write to the spool"));
                }
            };
            if self.stop.is_set() {
                return Ok(false);
            }
            // A moment is nothing to speak of.
            let is_long = waiting_since.elapsed() > Duration::from_secs(1);
            if is_long && self.reminded.is_none_or(|last| last.elapsed() > REMIND_EVERY) {
                self.reminded = Some(Instant::now());
                tracing::warn!(
                    "{trouble}; receiving waits until there is room, {} records are in the spool",
                    self.spool.waiting()
                );
            }
            self.spool.wait_for_room(Duration::from_millis(200));
        }
        self.meter.received.inc_by(received);
        self.meter.filtered.inc_by(filtered);
        self.meter.holds(&self.spool);
        Ok(true)
    }

    /// Takes what a source has gathered, if that is anything; see [`Intake::take`].
    ///
    /// # Errors
    ///
    /// As for [`Intake::take`].
    pub(super) fn flush(&mut self, lines: &mut Lines, mark: &impl Serialize) -> Result<bool> {
        match lines.records {
            0 => Ok(true),
            _ => self.take(std::mem::take(lines), mark),
        }
    }

    /// Rejects the records that the destination does not take. Returns how many.
    fn reject_too_long(&mut self, lines: &mut Vec<u8>) -> Result<u64> {
        if lines.len() <= self.longest {
            return Ok(0);
        }
        let mut n_rejected = 0;
        let mut kept = Vec::with_capacity(lines.len());
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            if line.len() <= self.longest {
                kept.extend_from_slice(line);
                continue;
            }
            let reason = format!("the destination takes records of {} bytes at most", self.longest);
            let mut rejected = Rejected::new(1, Stage::Index, reason, line);
            rejected.source.clone_from(&self.source);
            n_rejected += 1;
            self.meter.rejected.inc();
            self.rejects.write(&rejected)?;
        }
        *lines = kept;
        // On disk before the mark moves.
        self.rejects.finish()?;
        Ok(n_rejected)
    }

    fn count_dropped(&mut self) {
        let dropped = self.spool.take_dropped();
        self.meter.dropped.inc_by(dropped);
        if dropped > 0 && self.reminded.is_none_or(|last| last.elapsed() > REMIND_EVERY) {
            self.reminded = Some(Instant::now());
            tracing::warn!(
                "the spool is full: its oldest records are dropped (--drop-oldest), {} so far",
                self.meter.dropped.get()
            );
        }
    }
}
