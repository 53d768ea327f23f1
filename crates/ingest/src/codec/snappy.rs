//! Snappy as Hadoop and Firehose write it, and Snappy without anything around it. Neither has a magic number.

use std::io::{self, Read};

use snap::raw::{Decoder, decompress_len};

/// The largest block of Hadoop, decompressed. Its default is 256 KiB.
const MAX_BLOCK_BYTES: usize = 16 * 1024 * 1024;
/// The largest raw data, decompressed, which has to be kept in memory as a whole.
const MAX_RAW_BYTES: usize = 64 * 1024 * 1024;

/// Whether data begins like a block of Hadoop: the length of what is in it, the length of the first chunk, and in the chunk
/// the length of what it holds once more.
pub(super) fn is_hadoop(start: &[u8]) -> bool {
    let (Some(block), Some(chunk)) = (big_endian(start), start.get(4..).and_then(big_endian))
    else {
        return false;
    };
    let length = start.get(8..).map(decompress_len);
    (1..=MAX_BLOCK_BYTES).contains(&block)
        && chunk > 0
        && chunk <= block + block / 6 + 32
        && matches!(length, Some(Ok(length)) if length > 0 && length <= block)
}

fn big_endian(bytes: &[u8]) -> Option<usize> {
    let bytes: [u8; 4] = bytes.get(..4)?.try_into().ok()?;
    Some(u32::from_be_bytes(bytes) as usize)
}

/// Whether data begins like raw Snappy of a text: a length, and then a stretch of the text itself.
pub(super) fn is_raw(start: &[u8]) -> bool {
    let Ok(length @ 16..=MAX_RAW_BYTES) = decompress_len(start) else { return false };
    let n_varint = start.iter().take_while(|byte| **byte >= 0x80).count() + 1;
    let Some(&tag) = start.get(n_varint) else { return false };
    let (n_tag, n_literal) = match tag >> 2 {
        _ if tag & 0b11 != 0 => return false,
        short @ 0..=59 => (1, usize::from(short) + 1),
        60 => (2, start.get(n_varint + 1).map_or(0, |byte| usize::from(*byte) + 1)),
        61 => {
            let bytes = start.get(n_varint + 1..n_varint + 3);
            (3, bytes.map_or(0, |two| usize::from(two[0]) + (usize::from(two[1]) << 8) + 1))
        }
        _ => return false,
    };
    let literal = &start[(n_varint + n_tag).min(start.len())..];
    let literal = &literal[..n_literal.min(literal.len())];
    let is_text = |byte: &u8| *byte >= 0x20 || matches!(byte, b'\t' | b'\n' | b'\r');
    // A text of its own would have to begin with its own length, as a number without a line end.
    n_literal <= length
        && literal.len() >= 4
        && literal.iter().all(is_text)
        && matches!(literal[0], b'{' | b'[' | b'"' | b'\n' | 0xEF | b'a'..=b'z' | b'A'..=b'Z')
        && (start[0] >= 0x80 || start[0] < 0x20 && !start[0].is_ascii_whitespace())
}

/// Decompresses raw data.
pub(super) fn raw(mut reader: impl Read) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    reader.by_ref().take(MAX_RAW_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    if bytes.len() > MAX_RAW_BYTES || decompress_len(&bytes)? > MAX_RAW_BYTES {
        let what = "raw Snappy data of more than 64 MiB cannot be read";
        return Err(io::Error::new(io::ErrorKind::InvalidData, what));
    }
    Ok(Decoder::new().decompress_vec(&bytes)?)
}

/// A reader of what is in blocks of Hadoop.
pub(super) struct Hadoop<R> {
    reader: R,
    /// How much of the current block is still to come, decompressed.
    left: usize,
    chunk: Vec<u8>,
    at: usize,
}

impl<R: Read> Hadoop<R> {
    pub(super) fn new(reader: R) -> Hadoop<R> {
        Hadoop { reader, left: 0, chunk: Vec::new(), at: 0 }
    }

    /// A length, or `None` at the end.
    fn length(&mut self) -> io::Result<Option<usize>> {
        let mut bytes = Vec::with_capacity(4);
        match self.reader.by_ref().take(4).read_to_end(&mut bytes)? {
            0 => Ok(None),
            _ => big_endian(&bytes).map(Some).ok_or_else(|| io::ErrorKind::UnexpectedEof.into()),
        }
    }

    /// Decompresses the next chunk. Returns false at the end.
    fn next(&mut self) -> io::Result<bool> {
        while self.left == 0 {
            match self.length()? {
                Some(block) => self.left = block,
                None => return Ok(false),
            }
        }
        let damaged = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
        let length = self.length()?.ok_or(io::ErrorKind::UnexpectedEof)?;
        if length > 2 * MAX_BLOCK_BYTES {
            return Err(damaged("a block of Snappy is too long"));
        }
        let mut compressed = Vec::new();
        if self.reader.by_ref().take(length as u64).read_to_end(&mut compressed)? < length {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if decompress_len(&compressed)? > self.left {
            return Err(damaged("a block of Snappy holds more than it says"));
        }
        self.chunk = Decoder::new().decompress_vec(&compressed)?;
        self.left -= self.chunk.len();
        self.at = 0;
        Ok(true)
    }
}

impl<R: Read> Read for Hadoop<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.at == self.chunk.len() {
            if !self.next()? {
                return Ok(0);
            }
        }
        let length = buf.len().min(self.chunk.len() - self.at);
        buf[..length].copy_from_slice(&self.chunk[self.at..self.at + length]);
        self.at += length;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use snap::raw::Encoder;

    use super::*;

    fn text() -> String {
        (0..30_000).map(|i| format!("{{\"id\":{i},\"text\":\"a\"}}\n")).collect()
    }

    fn hadoop(text: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        for block in text.as_bytes().chunks(256 * 1024) {
            bytes.extend((block.len() as u32).to_be_bytes());
            for chunk in block.chunks(100_000) {
                let compressed = Encoder::new().compress_vec(chunk).unwrap();
                bytes.extend((compressed.len() as u32).to_be_bytes());
                bytes.extend(compressed);
            }
        }
        bytes
    }

    #[test]
    fn blocks_of_hadoop_are_known_and_read() {
        let bytes = hadoop(&text());
        assert!(is_hadoop(&bytes[..64]));
        let mut read = String::new();
        Hadoop::new(&*bytes).read_to_string(&mut read).unwrap();
        assert!(read == text());
    }

    #[test]
    fn a_block_that_is_cut_is_an_error() {
        let bytes = hadoop(&text());
        let read = Hadoop::new(&bytes[..bytes.len() - 9]).read_to_end(&mut Vec::new());
        assert_eq!(read.unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn raw_data_is_known_and_text_is_not_taken_for_it() {
        for start in ["{\"id\":1}", "id,text\n1,a\n", "window.YTD.tweets.part0 = [", "\u{FEFF}id\n"]
        {
            assert!(!is_raw(start.as_bytes()) && !is_hadoop(start.as_bytes()), "{start}");
        }
        for text in [text(), "id,text\n1,hello world\n".to_owned()] {
            let bytes = Encoder::new().compress_vec(text.as_bytes()).unwrap();
            assert!(is_raw(&bytes[..bytes.len().min(64)]), "{}", text.len());
            assert!(raw(&*bytes).unwrap() == text.as_bytes());
        }
    }
}
