//! Cuts a stream of bytes into batches of whole records, without looking into the records.
//!
//! Memory is bounded by the size of a batch and of the longest record allowed, whatever the length of the stream.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::mpsc::channel;

use memchr::memchr_iter;

use crate::batch::Record;
use crate::beginning::{SNIFF_BYTES, Sniffed};
use crate::decode::{Decoded, Packing, decode};
use crate::format::{Format, Rest, Split, Start, Stretch};
use crate::gzip::Gunzip;
use crate::json::{FirstObject, Giant, MAX_PAGE_BYTES, begins_page};
use crate::sniff::sniff;
use crate::text::is_windows_1252;
use crate::{Batch, Checkpoint, Description, Detail, Error, MemberPlace, Options, Position};

/// How many bytes of records make a batch.
const BATCH_BYTES: usize = 256 * 1024;
/// How many records make a batch, even if they hold fewer bytes.
const BATCH_RECORDS: usize = 4096;

/// The batches of one source, in order. After an error there is nothing more.
pub struct Batches<'r> {
    reader: Box<dyn Read + 'r>,
    packing: Packing,
    layers: Vec<&'static str>,
    format: Arc<dyn Format>,
    options: Arc<Options>,
    splitter: Box<dyn Split>,
    /// Where the buffer begins.
    start: Position,
    /// The bytes that were read and are not part of a returned batch yet.
    buffer: Vec<u8>,
    /// The records found in the buffer so far.
    records: Vec<Record>,
    /// How many bytes of the buffer have been split into records.
    done: usize,
    /// The line that `done` lies on.
    line: u64,
    /// How the stream ended, once it has.
    ended: Option<Result<(), Error>>,
    /// Whether the source will be read again if reading fails.
    is_read_again: bool,
}

/// Detects the format of a source from the first bytes of `reader`, and prepares to split it into batches. For a source that
/// may be an archive, see [`unpack`](crate::unpack()).
///
/// # Errors
///
/// If the source is empty, cannot be read from its first byte, has a format that is not supported, or is CSV without a
/// column for the text or without a column that `options` name.
pub fn open<'r>(reader: impl Read + 'r, options: &Arc<Options>) -> Result<Batches<'r>, Error> {
    Batches::new(decode(reader)?, options)
}

/// Reads up to `length` more bytes into `buffer`. Returns how the stream ended, if it did.
fn fill(
    reader: &mut impl Read,
    buffer: &mut Vec<u8>,
    length: usize,
    layer: &'static str,
) -> Option<Result<(), Error>> {
    let before = buffer.len();
    match reader.by_ref().take(length as u64).read_to_end(buffer) {
        Ok(_) if buffer.len() - before < length => Some(Ok(())),
        Ok(_) => None,
        Err(error) => Some(Err(Error::of(error, layer))),
    }
}

impl<'r> Batches<'r> {
    pub(crate) fn new(decoded: Decoded<'r>, options: &Arc<Options>) -> Result<Batches<'r>, Error> {
        let Decoded { mut reader, mut packing, layers, .. } = decoded;
        let layer = outermost(&layers);
        let mut buffer = Vec::new();
        let mut ended = fill(&mut reader, &mut buffer, SNIFF_BYTES, layer);
        let mut page = FirstObject::default();
        let mut goes_on = page.goes_on(&buffer);
        if goes_on && begins_page(&buffer) {
            // Whether it is too large shows only when its end has not come after some megabytes.
            while goes_on && ended.is_none() && buffer.len() < MAX_PAGE_BYTES {
                ended = fill(&mut reader, &mut buffer, BATCH_BYTES, layer);
                goes_on = page.goes_on(&buffer);
            }
            if goes_on && ended.is_none() {
                let page = io::Cursor::new(std::mem::take(&mut buffer)).chain(reader);
                reader = Box::new(Giant::new(page));
                packing = Packing::Encoded;
                ended = fill(&mut reader, &mut buffer, SNIFF_BYTES, layer);
            }
        }
        let Sniffed { format, skip } = match (sniff(&buffer, options), ended.take()) {
            // A stream that broke before its first byte is broken, not empty.
            (Err(Error::Empty), Some(Err(error))) => return Err(error),
            (sniffed, end) => {
                ended = end;
                sniffed?
            }
        };
        let line = 1 + count_lines(&buffer[..skip], format.newline());
        Ok(Batches {
            reader,
            packing,
            layers,
            splitter: format.splitter(Start::Beginning),
            format,
            options: Arc::clone(options),
            start: Position::default(),
            buffer,
            records: Vec::new(),
            done: skip,
            line,
            ended,
            is_read_again: false,
        })
    }

    /// Says where in an archive the source stands.
    pub(crate) fn stand_at(&mut self, place: MemberPlace) {
        self.start.place = place;
    }

    /// Says that what follows is counted from there on, since the reader has begun there.
    pub(crate) fn begin_at(&mut self, position: Position) {
        self.start = position;
        self.line = position.line + 1;
    }

    /// Continues at a position that an earlier reading of the same source has reached. What comes before it is read
    /// and dropped.
    pub(crate) fn skip_to(&mut self, position: Position) -> Result<(), Error> {
        let known = usize::try_from(position.offset)
            .map_or(self.buffer.len(), |offset| offset.min(self.buffer.len()));
        self.buffer.drain(..known);
        let more = position.offset - known as u64;
        if more > 0 {
            let layer = outermost(&self.layers);
            let skipped = io::copy(&mut self.reader.by_ref().take(more), &mut io::sink());
            skipped.map_err(|error| Error::of(error, layer))?;
        }
        self.continue_at(position);
        Ok(())
    }

    fn continue_at(&mut self, position: Position) {
        // The header of a CSV is known already, and must not be looked for here.
        self.splitter = self.format.splitter(Start::Middle);
        self.start = position;
        self.records.clear();
        (self.done, self.line) = (0, position.line + 1);
    }

    /// Continues at a checkpoint that was taken while the same source was read earlier. `open_at` opens the source at
    /// a byte offset of its stored (for gzip: compressed) form. What was read before this call served only to detect
    /// the format, and is dropped.
    ///
    /// # Errors
    ///
    /// If the source cannot be opened there, or the checkpoint belongs to another source.
    pub fn resume<R: Read + 'r>(
        &mut self,
        checkpoint: &Checkpoint,
        open_at: impl FnOnce(u64) -> io::Result<R>,
    ) -> Result<(), Error> {
        let Checkpoint { position, mark } = checkpoint;
        let (mut reader, from): (Box<dyn Read + 'r>, u64) = match (&self.packing, mark) {
            (Packing::Encoded, _) => return self.skip_to(*position),
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
        // A mark of gzip lies before the checkpoint; what is between them was read by the earlier run.
        let before = position.offset.saturating_sub(from);
        let skipped = io::copy(&mut reader.by_ref().take(before), &mut io::sink());
        skipped.map_err(|error| Error::of(error, "gzip"))?;
        self.reader = reader;
        self.buffer.clear();
        self.ended = None;
        self.continue_at(*position);
        Ok(())
    }

    /// Declares that the source will be read again if reading it fails. The record in which reading fails is then not
    /// rejected, since the next attempt will read it. (A record that is cut off by damaged data is rejected all the
    /// same, since the data will be just as damaged the next time.)
    pub fn read_again(&mut self) {
        self.is_read_again = true;
    }

    /// What the source is taken for, as far as its first batch shows it.
    pub fn describe(&self, first: &Batch) -> Description {
        let mut description = first.describe();
        let encoding = match std::str::from_utf8(&first.bytes) {
            _ if self.layers.contains(&"UTF-16") => "UTF-16",
            Ok(_) => "UTF-8",
            Err(_) if is_windows_1252(&first.bytes) => "Windows-1252",
            Err(_) => "UTF-8, with bytes that are none",
        };
        let packed: Vec<&str> =
            self.layers.iter().copied().filter(|layer| *layer != "UTF-16").collect();
        let packed = if packed.is_empty() { "none".to_owned() } else { packed.join(", ") };
        let details = [("compression", packed), ("encoding", encoding.to_owned())];
        let details = details.map(|(name, value)| Detail { name, value });
        description.details.splice(0..0, details);
        description
    }

    /// Finds the records that are in the buffer.
    fn split(&mut self) {
        let rest = match &self.ended {
            None => Rest::ToCome,
            Some(Ok(())) => Rest::Ended,
            // The rest will come with the next attempt.
            Some(Err(Error::Io(_))) if self.is_read_again => Rest::ToCome,
            Some(Err(_)) => Rest::BrokeOff,
        };
        while self.records.len() < BATCH_RECORDS {
            let bytes = &self.buffer[self.done..];
            let end = match self.splitter.next(bytes, rest) {
                Stretch::Record { end, fault } => {
                    let (start, end) = (self.done, self.done + end);
                    self.records.push(Record { start, end, line: self.line, fault });
                    end
                }
                Stretch::Separators { end } => self.done + end,
                Stretch::Unfinished => return,
            };
            self.line += count_lines(&self.buffer[self.done..end], self.format.newline());
            self.done = end;
        }
    }

    fn take_batch(&mut self) -> Batch {
        let rest = self.buffer.split_off(self.done);
        let is_first = self.start.records == 0;
        self.start.offset += self.done as u64;
        self.start.line = self.line - 1;
        self.start.records += self.records.len() as u64;
        self.done = 0;
        Batch {
            bytes: std::mem::replace(&mut self.buffer, rest),
            records: std::mem::take(&mut self.records),
            format: Arc::clone(&self.format),
            options: Arc::clone(&self.options),
            is_first,
            end: self.start,
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
            let layer = outermost(&self.layers);
            self.ended = fill(&mut self.reader, &mut self.buffer, BATCH_BYTES, layer);
        }
    }
}

/// The compression that damage is put down to.
fn outermost(layers: &[&'static str]) -> &'static str {
    layers.first().copied().unwrap_or("compressed")
}

fn count_lines(bytes: &[u8], newline: u8) -> u64 {
    memchr_iter(newline, bytes).count() as u64
}
