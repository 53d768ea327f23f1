//! Turns the bytes of a source into UTF-8-like bytes: decompresses them, and converts UTF-16 to UTF-8.
//!
//! Both are detected from the content. To support another compression, add its magic number and a reader here.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, channel};

use encoding_rs_io::DecodeReaderBytesBuilder;

use crate::Error;
use crate::gzip::{Gunzip, Mark};
use crate::kpl;

/// The magic numbers of formats that are not supported, each with the name of the format and a hint for the user.
const UNSUPPORTED: &[(&[u8], &str, &str)] = &[
    (b"PK\x03\x04", "a zip archive", "unzip it and give the files in it"),
    (b"PAR1", "a Parquet file", "export it as CSV or NDJSON"),
    (b"\x28\xb5\x2f\xfd", "zstd-compressed", "pipe it in: zstd -dc FILE | indexer backfill -"),
    (b"BZh", "bzip2-compressed", "pipe it in: bzip2 -dc FILE | indexer backfill -"),
    (b"\xfd7zXZ\x00", "xz-compressed", "pipe it in: xz -dc FILE | indexer backfill -"),
    (b"\xff\x06\x00\x00sNaPpY", "snappy-compressed", "decompress it first"),
    (b"Obj\x01", "an Avro file", "export it as CSV or NDJSON"),
    (b"SQLite format 3\0", "an SQLite database", "export the table as CSV"),
    (b"%PDF-", "a PDF", "give the CSV or JSON file that it was made from"),
];

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

/// A stream of UTF-8-like bytes.
pub(crate) struct Decoded<'r> {
    pub(crate) reader: Box<dyn Read + Send + 'r>,
    /// How the source is stored, which decides how reading can be resumed.
    pub(crate) packing: Packing,
    /// What it is called for people, from the outside in: `gzip`, `UTF-16`.
    pub(crate) layers: Vec<&'static str>,
}

/// How a source is stored.
pub(crate) enum Packing {
    /// Uncompressed and UTF-8-like: reading can be resumed at any byte.
    Plain,
    /// Compressed with gzip. The channel receives the marks that the reader passes, at which it can be resumed.
    Gzip(Receiver<Mark>),
    /// As UTF-16, compressed or not, or as an aggregated record of Kinesis: reading cannot be resumed in the middle.
    Encoded,
}

/// Decompresses `reader` if its first bytes say that it is compressed, and decodes UTF-16.
pub(crate) fn decode<'r>(reader: impl Read + Send + 'r) -> Result<Decoded<'r>, Error> {
    let (magic, reader) = peek(reader, 16);
    if let Some(&(_, what, hint)) =
        UNSUPPORTED.iter().find(|(prefix, ..)| magic.starts_with(prefix))
    {
        return Err(Error::Unsupported { what, hint });
    }
    if magic.starts_with(&kpl::MAGIC) {
        let layers = vec!["aggregated record of Kinesis"];
        return Ok(Decoded {
            reader: Box::new(aggregated(reader)),
            packing: Packing::Encoded,
            layers,
        });
    }
    let (plain, packing): (Box<dyn Read + Send + 'r>, _) = if magic.starts_with(b"\x1f\x8b") {
        let (sender, marks) = channel();
        (Box::new(Gunzip::new(reader, sender)), Packing::Gzip(marks))
    } else {
        (Box::new(reader), Packing::Plain)
    };
    // After decompression, since UTF-16 may be compressed too.
    let (start, plain) = peek(plain, 64);
    let mut layers = Vec::new();
    if let Packing::Gzip(_) = packing {
        layers.push("gzip");
    }
    let Some(encoding) = utf16(&start) else {
        return Ok(Decoded { reader: Box::new(plain), packing, layers });
    };
    layers.push("UTF-16");
    let text =
        DecodeReaderBytesBuilder::new().encoding(Some(encoding)).bom_override(true).build(plain);
    Ok(Decoded { reader: Box::new(text), packing: Packing::Encoded, layers })
}

/// The largest record of Kinesis, in bytes.
const MAX_KINESIS_BYTES: u64 = 10 * 1024 * 1024;

/// The records in one that the Kinesis Producer Library has put together, or the bytes as they are if that is damaged.
fn aggregated(mut reader: impl Read + Send) -> impl Read + Send {
    let mut bytes = Vec::new();
    let error = reader.by_ref().take(MAX_KINESIS_BYTES).read_to_end(&mut bytes).err();
    let lines = kpl::lines(&bytes).unwrap_or(bytes);
    io::Cursor::new(lines).chain(FailLater { reader, error })
}

/// Detects UTF-16 by its byte order mark, or by the zero byte in each ASCII character.
fn utf16(start: &[u8]) -> Option<&'static encoding_rs::Encoding> {
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
