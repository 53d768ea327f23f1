//! A batch: consecutive records of a source.

use std::sync::Arc;

use crate::format::Format;
use crate::{Mark, Options, Position, Rejected, Stage};

/// Consecutive records of a source that have been found but not read yet: see [`Batch::read`].
#[derive(Debug)]
pub struct Batch {
    pub(crate) bytes: Vec<u8>,
    pub(crate) records: Vec<Record>,
    pub(crate) format: Arc<dyn Format>,
    pub(crate) options: Arc<Options>,
    /// Whether it is the first of its source.
    pub(crate) is_first: bool,
    /// Where the next batch begins.
    pub end: Position,
    /// The places in this batch at which decompressing gzip data can be resumed; empty for other sources.
    pub marks: Vec<Mark>,
}

/// Where a record lies in its batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// The line that it starts on, from 1.
    pub(crate) line: u64,
    /// Why these bytes are not a whole record; `None` if they are one.
    pub(crate) fault: Option<&'static str>,
}

impl Batch {
    /// How many records there are. A record may hold several tweets.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there are no records.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// A reject of the record at `index`, from 0.
    pub fn reject(&self, index: usize, stage: Stage, reason: impl Into<String>) -> Rejected {
        let Record { start, end, line, .. } = self.records[index];
        let mut rejected = Rejected::new(line, stage, reason, &self.bytes[start..end]);
        rejected.header = self.format.header();
        rejected
    }
}
