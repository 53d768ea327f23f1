//! Turns the bytes of a source into UTF-8-like bytes: decompresses them, and converts UTF-16 to UTF-8.
//!
//! Both are detected from the content. Another compression is a line in [`Codec`](crate::codec::Codec).

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, channel};

use encoding_rs_io::DecodeReaderBytesBuilder;

use crate::Error;
use crate::codec::Codec;
use crate::gzip::{Gunzip, Mark};
use crate::kpl;

/// How many bytes at the beginning tell what something is. The header of a tar archive has 512.
const MAGIC_BYTES: usize = 1024;
/// How often something may be compressed.
const MAX_LAYERS: usize = 4;

/// A reader that first returns the bytes that were peeked at.
pub(crate) type Peeked<R> = io::Chain<io::Cursor<Vec<u8>>, R>;

/// Reads up to `length` bytes from `reader`. Returns them, and a reader that starts with them again.
///
/// An error is left for the returned reader to report, so that the bytes before it are not lost.
pub(crate) fn peek<R: Read>(mut reader: R, length: usize) -> (Vec<u8>, Peeked<FailLater<R>>) {
    let mut head = Vec::new();
    let error = reader.by_ref().take(length as u64).read_to_end(&mut head).err();
    (head.clone(), io::Cursor::new(head).chain(FailLater { reader, error }))
}

/// Reports an error that occurred while peeking, but only when it is read from.
pub(crate) struct FailLater<R> {
    reader: R,
    error: Option<io::Error>,
}

impl<R: Read> Read for FailLater<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self.error.take() {
            Some(error) => Err(error),
            None => self.reader.read(buf),
        }
    }
}

/// A stream of UTF-8-like bytes, or an archive.
pub(crate) struct Decoded<'r> {
    pub(crate) reader: Box<dyn Read + 'r>,
    /// How the source is stored, which decides how reading can be resumed.
    pub(crate) packing: Packing,
    /// What it is called for people, from the outside in: `gzip`, `UTF-16`.
    pub(crate) layers: Vec<&'static str>,
    /// The first bytes.
    pub(crate) start: Vec<u8>,
}

/// How a source is stored.
pub(crate) enum Packing {
    /// Uncompressed and UTF-8-like: reading can be resumed at any byte.
    Plain,
    /// Compressed with gzip. The channel receives the marks that the reader passes, at which it can be resumed.
    Gzip(Receiver<Mark>),
    /// In another way. What was read before has to be decoded once more, and is skipped.
    Encoded,
}

/// Decompresses `reader` if its first bytes say that it is compressed, and decodes UTF-16.
pub(crate) fn decode<'r>(reader: impl Read + 'r) -> Result<Decoded<'r>, Error> {
    let mut reader: Box<dyn Read + 'r> = Box::new(reader);
    let mut packing = Packing::Plain;
    let mut layers = Vec::new();
    loop {
        let (start, peeked) = peek(reader, MAGIC_BYTES);
        let is_gzip = start.starts_with(b"\x1f\x8b");
        let codec = Codec::of(&start);
        if (is_gzip || codec.is_some()) && layers.len() == MAX_LAYERS {
            let what = "compressed more than four times";
            return Err(Error::Unsupported { what, hint: "decompress it first" });
        }
        if is_gzip {
            let (sender, marks) = channel();
            packing = if layers.is_empty() { Packing::Gzip(marks) } else { Packing::Encoded };
            layers.push("gzip");
            reader = Box::new(Gunzip::new(peeked, sender));
        } else if let Some(codec) = codec {
            packing = Packing::Encoded;
            layers.push(codec.name());
            let damaged = |source| Error::Damaged { what: codec.name(), source };
            reader = codec.decompress(peeked).map_err(damaged)?;
        } else if start.starts_with(&kpl::MAGIC) {
            layers.push("aggregated record of Kinesis");
            let reader = Box::new(aggregated(peeked));
            return Ok(Decoded { reader, packing: Packing::Encoded, layers, start });
        } else if let Some(encoding) = utf16(&start) {
            layers.push("UTF-16");
            let mut decoder = DecodeReaderBytesBuilder::new();
            let text = decoder.encoding(Some(encoding)).bom_override(true).build(peeked);
            return Ok(Decoded {
                reader: Box::new(text),
                packing: Packing::Encoded,
                layers,
                start,
            });
        } else {
            return Ok(Decoded { reader: Box::new(peeked), packing, layers, start });
        }
    }
}

/// The largest record of Kinesis, in bytes.
const MAX_KINESIS_BYTES: u64 = 10 * 1024 * 1024;

/// The records in one that the Kinesis Producer Library has put together, or the bytes as they are if that is damaged.
fn aggregated(mut reader: impl Read) -> impl Read {
    let mut bytes = Vec::new();
    let error = reader.by_ref().take(MAX_KINESIS_BYTES).read_to_end(&mut bytes).err();
    let lines = kpl::lines(&bytes).unwrap_or(bytes);
    io::Cursor::new(lines).chain(FailLater { reader, error })
}

/// Detects UTF-16 by its byte order mark, or by the zero byte in each ASCII character.
fn utf16(start: &[u8]) -> Option<&'static encoding_rs::Encoding> {
    let start = &start[..start.len().min(64)];
    let zeros = |offset: usize| start.iter().skip(offset).step_by(2).filter(|&&b| b == 0).count();
    let pairs = start.len() / 2;
    match start {
        [0xFF, 0xFE, ..] => Some(encoding_rs::UTF_16LE),
        [0xFE, 0xFF, ..] => Some(encoding_rs::UTF_16BE),
        _ if pairs < 2 => None,
        _ if zeros(1) * 4 >= pairs * 3 && zeros(0) == 0 => Some(encoding_rs::UTF_16LE),
        _ if zeros(0) * 4 >= pairs * 3 && zeros(1) == 0 => Some(encoding_rs::UTF_16BE),
        _ => None,
    }
}
