//! Bytes that can be read from any place, as archives and Parquet need.

use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::sync::Arc;

/// Something that can be read from any place, and as often as needed: a file, an object in S3.
pub trait Origin: Send + Sync {
    /// How many bytes there are; `u64::MAX` if that is not known.
    fn length(&self) -> u64;

    /// A reader of the bytes in `range`, which lies within the length.
    ///
    /// # Errors
    ///
    /// If it cannot be opened.
    fn read(&self, range: Range<u64>) -> io::Result<Box<dyn Read + Send>>;
}

/// Keeps a stream, so that it can be read from any place: in a temporary file, for example.
pub trait Spool {
    /// Keeps all that `reader` gives.
    ///
    /// # Errors
    ///
    /// If reading fails, or it is too much, or it cannot be kept.
    fn keep(&self, reader: &mut dyn Read) -> io::Result<Arc<dyn Origin>>;
}

/// When reading continues in the middle of a source, its format is told from so many bytes at its beginning, if these are
/// enough, as they are for a compressed source. These are the first bytes that an [`Origin`] is asked for then.
pub const HEAD_BYTES: u64 = 20 * 1024;
/// Where more of the beginning ends, which is enough for any source but a very large page.
const LONGER_HEAD_BYTES: u64 = 84 * 1024;

/// A reader of all bytes, which opens the origin for the first of them, and again when more are wanted.
pub(crate) fn gradually(origin: Arc<dyn Origin>) -> Box<dyn Read> {
    let [first, second] = [HEAD_BYTES, LONGER_HEAD_BYTES].map(|end| end.min(origin.length()));
    let ranges = [0..first, first..second, second..origin.length()];
    let part = move |range: Range<u64>| Lazy { origin: Arc::clone(&origin), range, reader: None };
    let [head, rest_of_head, rest] = ranges.map(part);
    Box::new(head.chain(rest_of_head).chain(rest))
}

/// A part that is opened when it is first read.
struct Lazy {
    origin: Arc<dyn Origin>,
    range: Range<u64>,
    reader: Option<Box<dyn Read + Send>>,
}

impl Read for Lazy {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let reader = match &mut self.reader {
            Some(reader) => reader,
            None if self.range.is_empty() => return Ok(0),
            closed => closed.insert(self.origin.read(self.range.clone())?),
        };
        reader.read(buf)
    }
}

/// How many bytes are read at once when many small pieces are asked for.
const AHEAD: u64 = 256 * 1024;

/// A reader with a position that can be changed.
pub(crate) struct Seeker {
    origin: Arc<dyn Origin>,
    at: u64,
    /// Bytes that have been read already, and where they begin.
    buffer: Vec<u8>,
    begin: u64,
}

impl Seeker {
    pub(crate) fn new(origin: Arc<dyn Origin>) -> Seeker {
        Seeker { origin, at: 0, buffer: Vec::new(), begin: 0 }
    }
}

impl Read for Seeker {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let end = self.begin + self.buffer.len() as u64;
        if !(self.begin..end).contains(&self.at) {
            let range = self.at..self.origin.length().min(self.at.saturating_add(AHEAD));
            self.buffer.clear();
            self.begin = self.at;
            if !range.is_empty() {
                self.origin.read(range)?.read_to_end(&mut self.buffer)?;
            }
        }
        let ready = self.buffer.get((self.at - self.begin) as usize..).unwrap_or_default();
        let length = ready.len().min(buf.len());
        buf[..length].copy_from_slice(&ready[..length]);
        self.at += length as u64;
        Ok(length)
    }
}

impl Seek for Seeker {
    fn seek(&mut self, position: SeekFrom) -> io::Result<u64> {
        let (from, by) = match position {
            SeekFrom::Start(at) => (at, 0),
            SeekFrom::End(by) => (self.origin.length(), by),
            SeekFrom::Current(by) => (self.at, by),
        };
        self.at = from
            .checked_add_signed(by)
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "before the beginning"))?;
        Ok(self.at)
    }
}
