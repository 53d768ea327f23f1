//! A stream of bytes to batches of records: where each record begins and ends, and nothing more.
//!
//! Memory is bounded by a batch and the longest record allowed, whatever the length of the stream.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::mpsc::channel;

use memchr::memchr_iter;
use serde::{Deserialize, Serialize};

use crate::decode::{Decoded, Packing, decode};
use crate::gzip::{Gunzip, Mark};
use crate::sniff::{Format, SNIFF_BYTES, Sniffed, sniff};
use crate::{Error, Options};

mod csv;
mod json;

/// How many bytes of records make a batch.
const BATCH_BYTES: usize = 256 * 1024;
/// How many records make one, however short they are.
const BATCH_RECORDS: usize = 4096;

/// Records that stood side by side in a source; [`Batch::read`] reads them.
#[derive(Debug)]
pub struct Batch {
    pub(crate) bytes: Vec<u8>,
    pub(crate) records: Vec<Record>,
    pub(crate) format: Arc<Format>,
    pub(crate) options: Arc<Options>,
    /// Where the next one begins.
    pub end: Position,
    /// What is needed to go on at the places of this batch, if the source is gzip.
    pub marks: Vec<Mark>,
}

/// A position between two records of a source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// Bytes before it, decompressed.
    pub offset: u64,
    /// Lines before it.
    pub line: u64,
    /// Records before it.
    pub records: u64,
}

/// Where reading a source goes on: see [`Batches::resume`].
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Checkpoint {
    /// What was read.
    pub position: Position,
    /// A mark before that position; none where the source is not compressed, or from its start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mark: Option<Mark>,
}

impl Checkpoint {
    /// With the last of `marks` that can be used for `position`.
    pub fn new(position: Position, mut marks: VecDeque<Mark>) -> Checkpoint {
        Checkpoint::forget(position, &mut marks);
        let mark = marks.pop_front().filter(|mark| mark.bytes_out <= position.offset);
        Checkpoint { position, mark }
    }

    /// Drops the marks that are of no use for `position` and what comes after it.
    pub fn forget(position: Position, marks: &mut VecDeque<Mark>) {
        while marks.get(1).is_some_and(|next| next.bytes_out <= position.offset) {
            marks.pop_front();
        }
    }

    /// Its mark alone.
    pub fn into_mark(self) -> Option<Mark> {
        self.mark
    }
}

/// Where a record lies in its batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// The line that it starts on, from 1.
    pub(crate) line: u64,
    /// Why it is no whole record, if it is none.
    pub(crate) fault: Option<&'static str>,
}

/// What a splitter found at the front of the bytes that are not dealt with yet. Indices count from
/// that front.
enum Found {
    /// A record, or a stretch of bytes that is none, from the front up to `end`.
    Record { end: usize, fault: Option<&'static str> },
    /// Nothing but separators up to `end`.
    Separators { end: usize },
    /// Whatever begins here goes on past the end of the bytes.
    More,
}

/// Whether more bytes may follow.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rest {
    ToCome,
    /// The stream has ended as streams do.
    Ended,
    /// The stream broke off: what stands last is likely cut, even if it looks whole.
    BrokeOff,
}

/// Why the last record of a stream that broke off is not trusted.
const BROKEN_OFF: &str = "the source breaks off in this record";

enum Splitter {
    Csv(csv::Splitter),
    Json(json::Splitter),
}

/// The batches of one source, in order. After an error there is nothing more.
pub struct Batches<'r> {
    reader: Box<dyn Read + Send + 'r>,
    packing: Packing,
    format: Arc<Format>,
    options: Arc<Options>,
    splitter: Splitter,
    newline: u8,
    /// Where the buffer begins.
    start: Position,
    /// What was read and has not left in a batch.
    buffer: Vec<u8>,
    /// The records found in the buffer, and up to where it is dealt with.
    records: Vec<Record>,
    done: usize,
    /// The line that `done` lies on.
    line: u64,
    /// How the stream ended, once it has.
    ended: Option<Result<(), Error>>,
    /// Whether it will be read again if reading fails.
    is_read_again: bool,
}

/// Looks at how `reader` begins and makes ready to split it.
///
/// # Errors
///
/// If it is empty, or neither CSV with a column for the text nor JSON.
pub fn open<'r>(
    reader: impl Read + Send + 'r,
    options: &Arc<Options>,
) -> Result<Batches<'r>, Error> {
    let Decoded { mut reader, packing } = decode(reader)?;
    let mut buffer = Vec::new();
    let mut ended = fill(&mut reader, &mut buffer, SNIFF_BYTES);
    let Sniffed { format, skip } = match (sniff(&buffer, options), ended.take()) {
        // A stream that broke before its first byte is broken, not empty.
        (Err(Error::Empty), Some(Err(error))) => return Err(error),
        (sniffed, end) => {
            ended = end;
            sniffed?
        }
    };
    let (splitter, newline) = match &format {
        Format::Csv(columns) => (Splitter::Csv(csv::Splitter::new(columns)), columns.newline),
        Format::Json => (Splitter::Json(json::Splitter::default()), b'\n'),
    };
    let line = 1 + count_lines(&buffer[..skip], newline);
    Ok(Batches {
        reader,
        packing,
        format: Arc::new(format),
        options: Arc::clone(options),
        splitter,
        newline,
        start: Position::default(),
        buffer,
        records: Vec::new(),
        done: skip,
        line,
        ended,
        is_read_again: false,
    })
}

/// Reads up to `length` more bytes into `buffer`; tells how the stream ended, if it did.
fn fill(reader: &mut impl Read, buffer: &mut Vec<u8>, length: usize) -> Option<Result<(), Error>> {
    let before = buffer.len();
    match reader.by_ref().take(length as u64).read_to_end(buffer) {
        Ok(_) if buffer.len() - before < length => Some(Ok(())),
        Ok(_) => None,
        Err(error) if is_damage(&error) => Some(Err(Error::Gzip(error))),
        Err(error) => Some(Err(Error::Io(error))),
    }
}

/// Whether a decompressor complains of its data; a file system never answers so.
fn is_damage(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::UnexpectedEof | io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData
    )
}

impl<'r> Batches<'r> {
    /// Goes on at a checkpoint that was made of the same source. `open_at` opens the source as it lies
    /// there from a byte on; what was read of it until now only told its format.
    ///
    /// # Errors
    ///
    /// If the source cannot be opened there, the checkpoint is of another one, or the source is none
    /// that [is resumable](Batches::is_resumable).
    pub fn resume<R: Read + Send + 'r>(
        &mut self,
        checkpoint: &Checkpoint,
        open_at: impl FnOnce(u64) -> io::Result<R>,
    ) -> Result<(), Error> {
        let Checkpoint { position, mark } = checkpoint;
        let (mut reader, from): (Box<dyn Read + Send + 'r>, u64) = match (&self.packing, mark) {
            (Packing::Encoded, _) => {
                let what = "nobody can go on in the middle of UTF-16";
                return Err(Error::Io(io::Error::new(io::ErrorKind::Unsupported, what)));
            }
            (Packing::Plain, _) => (Box::new(open_at(position.offset)?), position.offset),
            (Packing::Gzip(_), mark) => {
                let (sender, marks) = channel();
                let gunzip = match mark {
                    Some(mark) => Gunzip::at(mark, open_at(mark.bytes_in)?, sender)?,
                    None => Gunzip::new(open_at(0)?, sender),
                };
                self.packing = Packing::Gzip(marks);
                (Box::new(gunzip), mark.as_ref().map_or(0, |mark| mark.bytes_out))
            }
        };
        let before = position.offset.saturating_sub(from);
        if let Err(error) = io::copy(&mut reader.by_ref().take(before), &mut io::sink()) {
            return Err(if is_damage(&error) { Error::Gzip(error) } else { Error::Io(error) });
        }
        self.reader = reader;
        self.splitter = match &*self.format {
            Format::Csv(columns) => Splitter::Csv(csv::Splitter::after_header(columns)),
            Format::Json => Splitter::Json(json::Splitter::default()),
        };
        self.start = *position;
        self.buffer.clear();
        self.records.clear();
        (self.done, self.line, self.ended) = (0, position.line + 1, None);
        Ok(())
    }

    /// Says that this source will be read again if reading fails: then what was read of its last record is
    /// left for that, and not rejected. What is damaged is damaged.
    pub fn read_again(&mut self) {
        self.is_read_again = true;
    }

    /// Whether reading can go on in the middle of this source. The batches of others all end at the start.
    pub fn is_resumable(&self) -> bool {
        !matches!(self.packing, Packing::Encoded)
    }

    /// Finds the records in what is in the buffer.
    fn split(&mut self) {
        let rest = match &self.ended {
            None => Rest::ToCome,
            Some(Ok(())) => Rest::Ended,
            Some(Err(Error::Io(_))) if self.is_read_again => Rest::ToCome,
            Some(Err(_)) => Rest::BrokeOff,
        };
        while self.records.len() < BATCH_RECORDS {
            let bytes = &self.buffer[self.done..];
            let found = match &mut self.splitter {
                Splitter::Csv(splitter) => splitter.next(bytes, rest),
                Splitter::Json(splitter) => splitter.next(bytes, rest),
            };
            let end = match found {
                Found::Record { end, fault } => {
                    let (start, end) = (self.done, self.done + end);
                    self.records.push(Record { start, end, line: self.line, fault });
                    end
                }
                Found::Separators { end } => self.done + end,
                Found::More => return,
            };
            self.line += count_lines(&self.buffer[self.done..end], self.newline);
            self.done = end;
        }
    }

    fn take_batch(&mut self) -> Batch {
        let rest = self.buffer.split_off(self.done);
        self.start.offset += self.done as u64;
        self.start.line = self.line - 1;
        self.start.records += self.records.len() as u64;
        self.done = 0;
        Batch {
            bytes: std::mem::replace(&mut self.buffer, rest),
            records: std::mem::take(&mut self.records),
            format: Arc::clone(&self.format),
            options: Arc::clone(&self.options),
            end: if self.is_resumable() { self.start } else { Position::default() },
            marks: match &self.packing {
                Packing::Gzip(marks) => marks.try_iter().collect(),
                Packing::Plain | Packing::Encoded => Vec::new(),
            },
        }
    }
}

impl Iterator for Batches<'_> {
    type Item = Result<Batch, Error>;

    fn next(&mut self) -> Option<Result<Batch, Error>> {
        loop {
            self.split();
            let is_full = self.done >= BATCH_BYTES || self.records.len() >= BATCH_RECORDS;
            if is_full || self.ended.is_some() && !self.records.is_empty() {
                return Some(Ok(self.take_batch()));
            }
            if let Some(ended) = &mut self.ended {
                return std::mem::replace(ended, Ok(())).err().map(Err);
            }
            self.ended = fill(&mut self.reader, &mut self.buffer, BATCH_BYTES);
        }
    }
}

fn count_lines(bytes: &[u8], newline: u8) -> u64 {
    memchr_iter(newline, bytes).count() as u64
}
