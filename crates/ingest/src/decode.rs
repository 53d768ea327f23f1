//! Bytes as they lie there to UTF-8-like bytes: decompresses, and turns UTF-16 into UTF-8.
//!
//! Both are found by content. New compressions have their room here: a magic number and a reader.

use std::io::{self, Read};
use std::sync::mpsc::{Receiver, channel};

use encoding_rs_io::DecodeReaderBytesBuilder;

use crate::Error;
use crate::gzip::{Gunzip, Mark};

/// What the magic numbers of formats that we do not read tell, with a way out.
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

/// A reader that gives back what was read off it to look at.
pub(crate) type Peeked<R> = io::Chain<io::Cursor<Vec<u8>>, R>;

/// Reads up to `length` bytes off `reader`; gives them and a reader that starts with them again.
///
/// An error is left for the returned reader to meet, so that what came before it is not lost.
pub(crate) fn peek<R: Read>(mut reader: R, length: usize) -> (Vec<u8>, Peeked<FailLater<R>>) {
    let mut head = Vec::new();
    let error = reader.by_ref().take(length as u64).read_to_end(&mut head).err();
    (head.clone(), io::Cursor::new(head).chain(FailLater { reader, error }))
}

/// Reports an error that came up while peeking when it is its turn.
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
    /// How it is compressed, and where to go on in that.
    pub(crate) packing: Packing,
}

/// How the bytes lie in their source.
pub(crate) enum Packing {
    /// As they are.
    Plain,
    /// Compressed; marks come as they are passed.
    Gzip(Receiver<Mark>),
    /// In a way in which nobody can go on in the middle.
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
    let (plain, packing): (Box<dyn Read + Send + 'r>, _) = if magic.starts_with(b"\x1f\x8b") {
        let (sender, marks) = channel();
        (Box::new(Gunzip::new(reader, sender)), Packing::Gzip(marks))
    } else {
        (Box::new(reader), Packing::Plain)
    };
    let (start, plain) = peek(plain, 64);
    let Some(encoding) = utf16(&start) else {
        return Ok(Decoded { reader: Box::new(plain), packing });
    };
    let text =
        DecodeReaderBytesBuilder::new().encoding(Some(encoding)).bom_override(true).build(plain);
    Ok(Decoded { reader: Box::new(text), packing: Packing::Encoded })
}

/// UTF-16 by its byte order mark, or by the zero halves of ASCII characters.
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
