//! A file to which lines are appended. When it is large or old enough, it is renamed and a new one begun.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::time::Instant;

use ingest::Timestamp;

use super::super::meter::Meter;
use super::super::spool::{Chunk, Position};
use crate::clock;
use crate::config::Roll;
use crate::failure::{Context, Failure, Result};

/// A file of lines.
pub(crate) struct RolledFile {
    path: PathBuf,
    file: File,
    length: u64,
    begun: Instant,
    roll: Roll,
    taken: Position,
    unsettled: u64,
}

impl RolledFile {
    /// Opens a file, or makes it. A line at its end that a crash has cut off is removed; it is still in the spool.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub(super) fn open(path: PathBuf, roll: Roll) -> Result<RolledFile> {
        let unwritable = || format!("cannot write to `{}`", path.display());
        let opened =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = opened.with_context(unwritable).map_err(|failure| {
            failure.with_hint("check that its folder is there and can be written to")
        })?;
        if !file.metadata().with_context(unwritable)?.is_file() {
            let failure = Failure::new(format!("`{}` is no regular file", path.display()));
            return Err(failure.with_hint("write to a pipe with --to -"));
        }
        let length = end_of_lines(&mut file).with_context(unwritable)?;
        file.set_len(length).with_context(unwritable)?;
        file.seek(SeekFrom::End(0)).with_context(unwritable)?;
        let (begun, taken) = (Instant::now(), Position::default());
        Ok(RolledFile { path, file, length, begun, roll, taken, unsettled: 0 })
    }

    pub(super) fn take(&mut self, chunk: &Chunk, end: Position) -> Result<()> {
        let is_large = self.roll.bytes.is_some_and(|bytes| self.length >= bytes);
        let is_old = self.roll.age.is_some_and(|age| self.begun.elapsed() >= age);
        let unwritable = || format!("cannot write to `{}`", self.path.display());
        if self.length > 0 && (is_large || is_old) {
            self.file = begin_another(&self.path).with_context(unwritable)?;
            (self.length, self.begun) = (0, Instant::now());
        }
        if let Err(error) = self.file.write_all(&chunk.lines) {
            // Half a line would damage the one that is appended next.
            let _ = self.file.set_len(self.length);
            return Err(error).with_context(unwritable).map_err(|failure: Failure| {
                failure.with_hint("what was received is in the spool; the next run writes it")
            });
        }
        self.length += chunk.lines.len() as u64;
        self.unsettled += chunk.records;
        self.taken = end;
        Ok(())
    }

    pub(super) fn settle(&mut self, meter: &Meter) -> Result<Position> {
        meter.sent.inc_by(std::mem::take(&mut self.unsettled));
        Ok(self.taken)
    }
}

/// Renames the file, to `tweets-20261127T100000123.ndjson` for `tweets.ndjson`, and begins a new one.
fn begin_another(path: &PathBuf) -> io::Result<File> {
    let time = Timestamp::from_millis(clock::now()).to_string();
    let time: String = time.chars().filter(char::is_ascii_alphanumeric).collect();
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let extension =
        path.extension().map(|e| format!(".{}", e.to_string_lossy())).unwrap_or_default();
    fs::rename(path, path.with_file_name(format!("{stem}-{time}{extension}")))?;
    File::create(path)
}

/// The length of a file without an unfinished line at its end.
fn end_of_lines(file: &mut File) -> io::Result<u64> {
    let mut end = file.metadata()?.len();
    let mut block = [0; 4096];
    while end > 0 {
        let start = end.saturating_sub(block.len() as u64);
        let block = &mut block[..(end - start) as usize];
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(block)?;
        if let Some(at) = memchr::memrchr(b'\n', block) {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}
