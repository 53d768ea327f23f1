//! Decompresses what is compressed as a stream. Compressions are told by how the data begins.

use std::io::{self, BufReader, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use bzip2::read::MultiBzDecoder;
use lzma_rust2::XzReader;

mod snappy;

use snappy::Hadoop;

/// The most memory that decompressing may take, in MiB: with `xz -9`, it takes 65.
const MAX_MEMORY_MIB: u32 = 80;
/// How far back zstd data may refer, as a power of two: 128 MiB, as far as `zstd --long` goes.
const MAX_WINDOW_LOG: u32 = 27;
/// Data that has expanded to more than `BOMB_BYTES`, and by a factor of more than `BOMB_RATIO`, is rejected as a
/// decompression bomb. No real tweets compress that well.
const BOMB_RATIO: u64 = 800;
const BOMB_BYTES: u64 = 256 * 1024 * 1024;

/// Fails if so many bytes came out of so many compressed ones that it must be a bomb.
pub(crate) fn refuse_bomb(bytes_out: u64, bytes_in: u64) -> io::Result<()> {
    if bytes_out > BOMB_BYTES && bytes_out / BOMB_RATIO > bytes_in {
        let what = "it expands more than 800-fold, as only decompression bombs do";
        return Err(io::Error::new(io::ErrorKind::InvalidData, what));
    }
    Ok(())
}

/// A compression other than gzip, which can be resumed in the middle and so has a [reader of its own](crate::gzip).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Codec {
    Bzip2,
    Xz,
    Zstd,
    /// Snappy in frames (`.sz`).
    Snappy,
    /// Snappy in the blocks of Hadoop.
    HadoopSnappy,
    /// Snappy without anything around it.
    RawSnappy,
}

impl Codec {
    /// The compression of data that begins with `start`, which should be some hundred bytes.
    pub(crate) fn of(start: &[u8]) -> Option<Codec> {
        match start {
            [b'B', b'Z', b'h', b'1'..=b'9', ..] => Some(Codec::Bzip2),
            [0xFD, b'7', b'z', b'X', b'Z', 0, ..] => Some(Codec::Xz),
            // Frames that are to be skipped may come first.
            [0x28, 0xB5, 0x2F, 0xFD, ..] | [0x50..=0x5F, 0x2A, 0x4D, 0x18, ..] => Some(Codec::Zstd),
            _ if start.starts_with(b"\xff\x06\x00\x00sNaPpY") => Some(Codec::Snappy),
            _ if snappy::is_hadoop(start) => Some(Codec::HadoopSnappy),
            _ if snappy::is_raw(start) => Some(Codec::RawSnappy),
            _ => None,
        }
    }

    /// What people call it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Codec::Bzip2 => "bzip2",
            Codec::Xz => "xz",
            Codec::Zstd => "zstd",
            Codec::Snappy => "Snappy",
            Codec::HadoopSnappy => "Snappy (Hadoop)",
            Codec::RawSnappy => "Snappy (raw)",
        }
    }

    /// A reader of the decompressed data.
    ///
    /// # Errors
    ///
    /// If not even the beginning can be decompressed.
    pub(crate) fn decompress<'r>(self, reader: impl Read + 'r) -> io::Result<Box<dyn Read + 'r>> {
        let taken = Arc::new(Taken::default());
        let reader = Input { reader, taken: Arc::clone(&taken) };
        let plain: Box<dyn Read + 'r> = match self {
            Codec::Bzip2 => Box::new(MultiBzDecoder::new(BufReader::new(reader))),
            Codec::Xz => {
                let reader = BufReader::with_capacity(64 * 1024, reader);
                Box::new(XzReader::new_mem_limit(reader, true, MAX_MEMORY_MIB * 1024))
            }
            Codec::Zstd => {
                let mut decoder = zstd::Decoder::new(reader)?;
                decoder.window_log_max(MAX_WINDOW_LOG)?;
                Box::new(decoder)
            }
            Codec::Snappy => Box::new(snap::read::FrameDecoder::new(reader)),
            Codec::HadoopSnappy => Box::new(Hadoop::new(BufReader::new(reader))),
            Codec::RawSnappy => Box::new(io::Cursor::new(snappy::raw(reader)?)),
        };
        Ok(Box::new(Decompressed { plain, name: self.name(), taken, bytes: 0 }))
    }
}

/// What a decompressor, or the reader of an archive, has taken so far.
#[derive(Default)]
pub(crate) struct Taken {
    bytes: AtomicU64,
    /// Whether reading failed.
    has_failed: AtomicBool,
}

impl Taken {
    /// Whether reading failed. Otherwise an error is one of the data.
    pub(crate) fn has_failed(&self) -> bool {
        self.has_failed.load(Ordering::Relaxed)
    }
}

/// What it reads.
pub(crate) struct Input<R> {
    pub(crate) reader: R,
    pub(crate) taken: Arc<Taken>,
}

impl<R: Read> Read for Input<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let read = self.reader.read(buf);
        match &read {
            Ok(length) => drop(self.taken.bytes.fetch_add(*length as u64, Ordering::Relaxed)),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => self.taken.has_failed.store(true, Ordering::Relaxed),
        }
        read
    }
}

/// Decompressed data. Errors of the decompressor are told from those of what it reads, and bombs are noticed.
struct Decompressed<'r> {
    plain: Box<dyn Read + 'r>,
    name: &'static str,
    taken: Arc<Taken>,
    bytes: u64,
}

impl Read for Decompressed<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let length = self.plain.read(buf).map_err(|error| match self.taken.has_failed() {
            true => error,
            false => damaged(self.name, &error),
        })?;
        self.bytes += length as u64;
        refuse_bomb(self.bytes, self.taken.bytes.load(Ordering::Relaxed))?;
        Ok(length)
    }
}

fn damaged(name: &str, what: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{name}: {what}"))
}
