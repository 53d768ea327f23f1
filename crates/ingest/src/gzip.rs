//! Decompresses gzip (RFC 1952) of one or more members, and can resume in the middle.
//!
//! Deflate data cannot be decompressed from an arbitrary position: that takes the 32 KiB of output before it, and the
//! codes of the current block. So a [`Mark`] that holds all of this is made at regular intervals. zlib's `zran.c` makes
//! such marks between blocks, but some compressors write a single block of many megabytes, so marks must be possible
//! within blocks. `flate2` gives no access to the state of its decompressor; `miniz_oxide` does.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read};
use std::ops::Range;
use std::sync::mpsc::Sender;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::inflate_flags::TINFL_FLAG_HAS_MORE_INPUT;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::codec::refuse_bomb;

/// How far back deflate data may refer, in bytes.
const WINDOW: usize = 32 * 1024;
/// The size of the ring buffer for decompressed bytes, which holds the window as well.
const RING: usize = 4 * WINDOW;
/// How far apart marks are, in decompressed bytes.
const SPACING: u64 = 256 * 1024;
/// A place in gzip data, and what is needed to go on there.
#[derive(Clone, Serialize, Deserialize)]
pub struct Mark {
    /// Compressed bytes before it.
    pub(crate) bytes_in: u64,
    /// Decompressed bytes before it.
    pub(crate) bytes_out: u64,
    /// The checksum and the length of what has been decompressed of the current member.
    crc: u32,
    member_bytes: u64,
    state: Box<DecompressorOxide>,
    /// The last decompressed bytes, up to 32 KiB, which the data that follows may refer to.
    #[serde(serialize_with = "to_base64", deserialize_with = "from_base64")]
    window: Vec<u8>,
}

fn to_base64<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&BASE64.encode(bytes))
}

fn from_base64<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    BASE64.decode(String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
}

impl fmt::Debug for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mark({} -> {})", self.bytes_in, self.bytes_out)
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// At the start of a member, or at the end.
    Header,
    Body,
    Trailer,
    Ended,
}

/// A reader of the decompressed data.
pub(crate) struct Gunzip<R> {
    input: BufReader<R>,
    state: State,
    inflate: Box<DecompressorOxide>,
    ring: Box<[u8]>,
    /// Where in the ring the next decompressed byte goes.
    at: usize,
    /// The part of the ring that has been decompressed but not returned to the caller yet.
    ready: Range<usize>,
    crc: crc32fast::Hasher,
    member_bytes: u64,
    bytes_in: u64,
    bytes_out: u64,
    last_mark: u64,
    marks: Sender<Mark>,
}

impl<R: Read> Gunzip<R> {
    /// Reads from the start; marks are sent as they are passed.
    pub(crate) fn new(input: R, marks: Sender<Mark>) -> Gunzip<R> {
        Gunzip {
            input: BufReader::with_capacity(32 * 1024, input),
            state: State::Header,
            inflate: Box::default(),
            ring: vec![0; RING].into(),
            at: 0,
            ready: 0..0,
            crc: crc32fast::Hasher::new(),
            member_bytes: 0,
            bytes_in: 0,
            bytes_out: 0,
            last_mark: 0,
            marks,
        }
    }

    /// Resumes at `mark`. The input must begin at the mark's compressed offset.
    pub(crate) fn at(mark: &Mark, input: R, marks: Sender<Mark>) -> io::Result<Gunzip<R>> {
        let mut gunzip = Gunzip::new(input, marks);
        // Writing starts at the first byte of the ring, so what came before it belongs at the ring's end.
        let start =
            RING.checked_sub(mark.window.len()).ok_or_else(|| damaged("the mark is invalid"))?;
        gunzip.ring[start..].copy_from_slice(&mark.window);
        gunzip.inflate = mark.state.clone();
        gunzip.state = State::Body;
        gunzip.crc = crc32fast::Hasher::new_with_initial_len(mark.crc, mark.member_bytes);
        gunzip.member_bytes = mark.member_bytes;
        (gunzip.bytes_in, gunzip.bytes_out) = (mark.bytes_in, mark.bytes_out);
        gunzip.last_mark = mark.bytes_out;
        Ok(gunzip)
    }

    /// Decompresses more data into `ready`, or moves on to the next state.
    fn advance(&mut self) -> io::Result<()> {
        match self.state {
            State::Header => {
                if !self.header()? {
                    self.state = State::Ended;
                    return Ok(());
                }
                self.inflate.init();
                self.crc.reset();
                self.member_bytes = 0;
                self.state = State::Body;
            }
            State::Body => self.body()?,
            State::Trailer => {
                let trailer: [u8; 8] = self.bytes()?;
                // The trailer holds the length modulo 2^32.
                let length = (self.member_bytes as u32).to_le_bytes();
                let crc = self.crc.clone().finalize().to_le_bytes();
                if trailer[..4] != crc || trailer[4..] != length {
                    return Err(damaged("its checksum does not match"));
                }
                self.state = State::Header;
            }
            State::Ended => {}
        }
        Ok(())
    }

    fn body(&mut self) -> io::Result<()> {
        let input = self.input.fill_buf()?;
        if input.is_empty() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let flags = TINFL_FLAG_HAS_MORE_INPUT;
        let (status, n_in, n_out) =
            decompress(&mut self.inflate, input, &mut self.ring, self.at, flags);
        self.input.consume(n_in);
        self.bytes_in += n_in as u64;
        self.bytes_out += n_out as u64;
        self.member_bytes += n_out as u64;
        // The decompressor stops at the end of the ring, so what is ready never wraps around.
        self.ready = self.at..self.at + n_out;
        self.crc.update(&self.ring[self.ready.clone()]);
        self.at = (self.at + n_out) % RING;
        refuse_bomb(self.bytes_out, self.bytes_in)?;
        match status {
            TINFLStatus::Done => self.state = State::Trailer,
            TINFLStatus::NeedsMoreInput | TINFLStatus::HasMoreOutput => {
                if self.bytes_out - self.last_mark >= SPACING {
                    self.mark();
                }
            }
            _ => return Err(damaged("its data is not valid deflate")),
        }
        Ok(())
    }

    fn mark(&mut self) {
        let length = WINDOW.min(usize::try_from(self.member_bytes).unwrap_or(WINDOW));
        let mut window = Vec::with_capacity(WINDOW);
        // The window may wrap around in the ring: its older part is at the end.
        if length > self.at {
            window.extend_from_slice(&self.ring[RING - (length - self.at)..]);
        }
        window.extend_from_slice(&self.ring[self.at.saturating_sub(length)..self.at]);
        self.last_mark = self.bytes_out;
        let mark = Mark {
            bytes_in: self.bytes_in,
            bytes_out: self.bytes_out,
            crc: self.crc.clone().finalize(),
            member_bytes: self.member_bytes,
            state: self.inflate.clone(),
            window,
        };
        // If the receiver is gone, nobody wants marks.
        let _ = self.marks.send(mark);
    }

    /// Reads a member's header. Returns `false` if the input has ended instead.
    fn header(&mut self) -> io::Result<bool> {
        // Tapes and some uploads pad the last member with zeros.
        loop {
            let input = self.input.fill_buf()?;
            let zeros = input.iter().take_while(|&&byte| byte == 0).count();
            if input.is_empty() {
                return Ok(false);
            }
            let is_all = zeros == input.len();
            self.consume(zeros);
            if !is_all {
                break;
            }
        }
        let fixed: [u8; 10] = self.bytes()?;
        let [0x1F, 0x8B, 8, flags, ..] = fixed else {
            return Err(damaged("what follows a member is not gzip"));
        };
        const CHECKSUM: u8 = 1 << 1;
        const EXTRA: u8 = 1 << 2;
        const NAME: u8 = 1 << 3;
        const COMMENT: u8 = 1 << 4;
        if flags & EXTRA != 0 {
            let length: [u8; 2] = self.bytes()?;
            for _ in 0..u16::from_le_bytes(length) {
                self.bytes::<1>()?;
            }
        }
        for text in [NAME, COMMENT] {
            while flags & text != 0 && self.bytes::<1>()? != [0] {}
        }
        if flags & CHECKSUM != 0 {
            self.bytes::<2>()?;
        }
        Ok(true)
    }

    fn bytes<const N: usize>(&mut self) -> io::Result<[u8; N]> {
        let mut bytes = [0; N];
        self.input.read_exact(&mut bytes)?;
        self.bytes_in += N as u64;
        Ok(bytes)
    }

    fn consume(&mut self, length: usize) {
        self.input.consume(length);
        self.bytes_in += length as u64;
    }
}

impl<R: Read> Read for Gunzip<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.ready.is_empty() {
            if self.state == State::Ended {
                return Ok(0);
            }
            self.advance()?;
        }
        let length = buf.len().min(self.ready.len());
        buf[..length].copy_from_slice(&self.ring[self.ready.start..][..length]);
        self.ready.start += length;
        Ok(length)
    }
}

fn damaged(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::mpsc::channel;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn gzip(text: &[u8], level: u32) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::new(level));
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap()
    }

    fn text(length: usize) -> Vec<u8> {
        let mut state = 1_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state >> 16
        };
        let words = ["cloud ", "market ", "place ", "tweet ", "aws ", "azure ", "\n"];
        let mut text = Vec::new();
        while text.len() < length {
            text.extend_from_slice(words[next() as usize % words.len()].as_bytes());
            text.extend_from_slice(next().to_string().as_bytes());
        }
        text
    }

    #[test]
    fn reading_goes_on_at_every_mark() {
        for level in [0, 1, 6, 9] {
            let (first, second) = (text(3_000_000), text(5_000_000));
            let mut bytes = gzip(&first, level);
            bytes.extend(gzip(&second, level));
            bytes.extend([0; 100]);
            let whole = [first, second].concat();
            let (sender, marks) = channel();
            let mut out = Vec::new();
            Gunzip::new(&bytes[..], sender).read_to_end(&mut out).unwrap();
            assert!(out == whole, "level {level}");
            let marks: Vec<Mark> = marks.try_iter().collect();
            assert!(marks.len() >= 6, "{marks:?}");
            for mark in marks {
                let json = serde_json::to_string(&mark).unwrap();
                let mark: Mark = serde_json::from_str(&json).unwrap();
                let rest = &bytes[mark.bytes_in as usize..];
                let mut out = Vec::new();
                Gunzip::at(&mark, rest, channel().0).unwrap().read_to_end(&mut out).unwrap();
                assert!(out == whole[mark.bytes_out as usize..], "level {level}, {mark:?}");
            }
        }
    }

    #[test]
    fn damage_is_found() {
        let bytes = gzip(&text(100_000), 6);
        let read = |bytes: &[u8]| {
            let mut out = Vec::new();
            let end = Gunzip::new(bytes, channel().0).read_to_end(&mut out);
            end.map_err(|error| error.kind())
        };
        assert_eq!(read(&bytes), Ok(text(100_000).len()));
        let cut = Err(io::ErrorKind::UnexpectedEof);
        for length in [1, 9, 11, 5_000, bytes.len() - 9, bytes.len() - 1] {
            assert_eq!(read(&bytes[..length]), cut, "{length} bytes");
        }
        for at in [3_000, bytes.len() - 8, bytes.len() - 1] {
            let mut bytes = bytes.clone();
            bytes[at] ^= 0x55;
            assert!(read(&bytes).is_err(), "byte {at}");
        }
        let garbage = [&bytes[..], b"garbage, not gzip"].concat();
        assert_eq!(read(&garbage), Err(io::ErrorKind::InvalidData));
    }

    #[test]
    fn a_bomb_is_not_followed_to_its_end() {
        let mut bomb = Vec::new();
        let mut encoder = GzEncoder::new(&mut bomb, Compression::best());
        for _ in 0..300 {
            encoder.write_all(&vec![b'a'; 1024 * 1024]).unwrap();
        }
        encoder.finish().unwrap();
        let mut sink = io::sink();
        let mut gunzip = Gunzip::new(&bomb[..], channel().0);
        let error = io::copy(&mut gunzip, &mut sink).unwrap_err();
        assert_eq!(
            error.to_string(),
            "it expands more than 800-fold, as only decompression bombs do"
        );
    }
}
