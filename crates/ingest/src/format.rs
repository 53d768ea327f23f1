//! What a format has to provide: how its records are told apart, and how one of them is read.
//!
//! A new format is a folder beside `csv` and `json` that implements [`Format`], and a line in `sniff.rs`.

use std::fmt;

use crate::item::Sink;
use crate::{Description, Options};

/// A format, with all that was found out about it at the beginning of a source.
pub(crate) trait Format: fmt::Debug + Send + Sync {
    /// The byte that ends a line.
    fn newline(&self) -> u8 {
        b'\n'
    }

    /// Splits a source into records.
    fn splitter(&self, start: Start) -> Box<dyn Split>;

    /// Reads the records of a batch.
    fn reader<'f>(&'f self, options: &'f Options) -> Box<dyn Read + 'f>;

    /// Rewrites the records of a batch as lines.
    fn rewriter<'f>(&'f self, options: &'f Options) -> Box<Rewrite<'f>>;

    /// What the source is taken for. `records` are the first ones.
    fn describe(&self, records: &mut dyn Iterator<Item = &[u8]>, options: &Options) -> Description;

    /// What has to precede a record so that it can be read on its own, such as the header of a CSV file.
    fn header(&self) -> Option<String> {
        None
    }
}

/// Hands a record to a sink as JSON on one line, which `ingest` reads as the same tweets; a page becomes one line for each of
/// its tweets. A record that cannot be read is handed over as it is.
pub(crate) type Rewrite<'f> = dyn FnMut(&[u8], &mut dyn FnMut(&[u8])) + 'f;

/// Where a splitter starts.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Start {
    /// At the beginning of the source.
    Beginning,
    /// Between two records.
    Middle,
}

/// Finds the ends of records. [`next`](Split::next) is called again with more bytes until it has found an end, so
/// implementations remember how far they have looked.
pub(crate) trait Split: Send {
    /// Looks for the end of the record at the front of `bytes`, which are all that have not been split yet.
    fn next(&mut self, bytes: &[u8], rest: Rest) -> Stretch;
}

/// Reads records one by one.
pub(crate) trait Read {
    /// Reads a record and hands what is in it to `sink`: at least one thing, and for a page one for each tweet.
    fn read(&mut self, raw: &[u8], line: u64, sink: &mut Sink<'_>);
}

/// What stands at the front of the bytes that have not been split yet. Positions are counted from there.
pub(crate) enum Stretch {
    /// A record up to `end`; with a `fault`, bytes that are not a whole record.
    Record { end: usize, fault: Option<&'static str> },
    /// Bytes up to `end` that belong to no record: separators, or the header row of a CSV file.
    Separators { end: usize },
    /// The beginning of something that continues beyond the bytes.
    Unfinished,
}

/// Whether more bytes may follow.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rest {
    /// More may follow.
    ToCome,
    /// The source has ended normally.
    Ended,
    /// The source broke off. Its last record is probably cut, even if it looks whole.
    BrokeOff,
}

/// Why the last record of a source that broke off is rejected.
pub(crate) const BROKEN_OFF: &str = "the source breaks off in this record";
