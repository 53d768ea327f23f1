//! A file of the spool: chunks one after the other, each behind a line that says how long it is.

use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Chunk;

/// The line before the records of a chunk.
#[derive(Serialize, Deserialize)]
pub(super) struct Header {
    /// The length of the records.
    bytes: u64,
    /// The checksum of them and of what follows here.
    crc32: u32,
    pub(super) records: u64,
    pub(super) received_at: i64,
    pub(super) mark: Value,
}

impl Header {
    fn checksum(&self, lines: &[u8]) -> u32 {
        let mut hasher = crc32fast::Hasher::new();
        hasher.update(lines);
        hasher.update(format!("{} {} {}", self.records, self.received_at, self.mark).as_bytes());
        hasher.finalize()
    }
}

/// A file, as far as it is whole.
pub(super) struct Segment {
    pub(super) number: u64,
    pub(super) length: u64,
    pub(super) records: u64,
    pub(super) last_mark: Option<Value>,
    /// Where chunks end, and how many records there are up to there.
    ends: Vec<(u64, u64)>,
    /// Open if it is appended to.
    writer: Option<File>,
    reader: Option<BufReader<File>>,
}

/// The number of a segment's file; `None` for other files.
pub(super) fn is_segment(name: &OsStr) -> Option<u64> {
    let digits = name.to_str()?.strip_suffix(".spool")?;
    digits.parse().ok().filter(|_| digits.len() == 10)
}

fn path(folder: &Path, number: u64) -> PathBuf {
    folder.join(format!("{number:010}.spool"))
}

impl Segment {
    fn new(number: u64) -> Segment {
        Segment {
            number,
            length: 0,
            records: 0,
            last_mark: None,
            ends: Vec::new(),
            writer: None,
            reader: None,
        }
    }

    pub(super) fn create(folder: &Path, number: u64) -> io::Result<Segment> {
        let file = OpenOptions::new().write(true).create_new(true).open(path(folder, number))?;
        Ok(Segment { writer: Some(file), ..Segment::new(number) })
    }

    /// Finds out how much of a file is whole. What a crash has left unfinished at the end of the last file is cut off; its
    /// mark is lost with it, so it is received again.
    pub(super) fn recover(folder: &Path, number: u64, is_last: bool) -> io::Result<Segment> {
        let mut segment = Segment::new(number);
        let path = path(folder, number);
        let length = fs::metadata(&path)?.len();
        let mut offset = 0;
        while offset < length {
            match segment.read(folder, offset) {
                Ok((header, _, end)) => {
                    segment.grow(end, header.records, header.mark);
                    offset = end;
                }
                Err(error) if error.kind() != io::ErrorKind::InvalidData => return Err(error),
                Err(_) if is_last && is_unfinished(&path, offset, length)? => break,
                Err(_) => {
                    let what = format!("`{}` is damaged at byte {offset}", path.display());
                    return Err(io::Error::new(io::ErrorKind::InvalidData, what));
                }
            }
        }
        if !is_last {
            // Nothing more is appended to it.
            segment.reader = None;
            return Ok(segment);
        }
        let file = OpenOptions::new().write(true).open(&path)?;
        if offset < length {
            tracing::warn!(
                "discarded {} bytes of an unfinished write at the end of `{}`; these records will be received again",
                length - offset,
                path.display()
            );
            file.set_len(offset)?;
        }
        segment.reader = None;
        segment.writer = Some(file);
        Ok(segment)
    }

    /// Makes sure that it has reached the disk, and closes it for writing.
    pub(super) fn complete(&mut self) -> io::Result<()> {
        if let Some(file) = &self.writer {
            file.sync_data()?;
        }
        self.writer = None;
        Ok(())
    }

    fn grow(&mut self, end: u64, records: u64, mark: Value) {
        self.length = end;
        self.records += records;
        self.last_mark = Some(mark);
        self.ends.push((end, self.records));
    }

    pub(super) fn append(&mut self, chunk: &Chunk, durably: bool) -> io::Result<()> {
        let mut header = Header {
            bytes: chunk.lines.len() as u64,
            crc32: 0,
            records: chunk.records,
            received_at: chunk.received_at,
            mark: chunk.mark.clone(),
        };
        header.crc32 = header.checksum(&chunk.lines);
        let mut bytes = serde_json::to_vec(&header)?;
        bytes.push(b'\n');
        bytes.extend_from_slice(&chunk.lines);
        let Some(file) = &mut self.writer else {
            return Err(io::Error::other("it is not open for writing"));
        };
        let written = file
            .seek(SeekFrom::Start(self.length))
            .and_then(|_| file.write_all(&bytes))
            .and_then(|()| if durably { file.sync_data() } else { Ok(()) });
        if let Err(error) = written {
            // Half a chunk would hide those that are appended later. It is overwritten if this fails too.
            let _ = file.set_len(self.length);
            return Err(error);
        }
        self.grow(self.length + bytes.len() as u64, chunk.records, chunk.mark.clone());
        Ok(())
    }

    /// Reads the chunk at an offset. Returns its header, its records, and the offset behind it.
    pub(super) fn read(
        &mut self,
        folder: &Path,
        offset: u64,
    ) -> io::Result<(Header, Vec<u8>, u64)> {
        let reader = match &mut self.reader {
            Some(reader) => reader,
            None => {
                let file = File::open(path(folder, self.number))?;
                self.reader.insert(BufReader::with_capacity(64 * 1024, file))
            }
        };
        // A seek drops the buffer, so it is done only if need be. At the end of the buffer, what has been appended since is
        // read.
        if reader.stream_position()? != offset {
            reader.seek(SeekFrom::Start(offset))?;
        }
        let mut line = Vec::new();
        reader.by_ref().take(MAX_HEADER).read_until(b'\n', &mut line)?;
        let header: Header = serde_json::from_slice(&line)
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "a header is damaged"))?;
        let mut lines = Vec::new();
        reader.by_ref().take(header.bytes).read_to_end(&mut lines)?;
        if lines.len() as u64 != header.bytes || header.checksum(&lines) != header.crc32 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a chunk is damaged"));
        }
        let end = offset + (line.len() + lines.len()) as u64;
        Ok((header, lines, end))
    }

    /// How many records stand after an offset.
    pub(super) fn records_after(&self, offset: u64) -> u64 {
        let before = self.ends.iter().rev().find(|(end, _)| *end <= offset);
        self.records - before.map_or(0, |(_, records)| *records)
    }

    pub(super) fn delete(&self, folder: &Path) -> io::Result<()> {
        match fs::remove_file(path(folder, self.number)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

/// Whether the damaged chunk at an offset is the last thing in a file of a given length, so that it was not written to its
/// end.
fn is_unfinished(path: &Path, offset: u64, length: u64) -> io::Result<bool> {
    let mut file = BufReader::new(File::open(path)?);
    file.seek(SeekFrom::Start(offset))?;
    let mut line = Vec::new();
    file.by_ref().take(MAX_HEADER).read_until(b'\n', &mut line)?;
    Ok(match serde_json::from_slice::<Header>(&line) {
        Ok(header) => offset + line.len() as u64 + header.bytes >= length,
        // Half a header, or what a power failure has left of it.
        Err(_) => !line.ends_with(b"\n") || line.starts_with(&[0]),
    })
}

/// Longer headers are damaged ones. Marks grow with the number of queries, of which X allows a few thousand.
const MAX_HEADER: u64 = 16 * 1024 * 1024;
