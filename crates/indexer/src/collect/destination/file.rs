//! A file to which lines are appended. When it is large or old enough, it is renamed and a new one begun.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use ingest::Timestamp;

use super::super::intake::is_full;
use super::super::meter::Meter;
use super::super::spool::{Chunk, Position};
use super::put::wait;
use crate::clock;
use crate::config::Roll;
use crate::failure::{Context, Failure, Result};
use crate::stop::Stop;

/// A file of lines.
pub(crate) struct RolledFile {
    path: PathBuf,
    file: File,
    length: u64,
    begun: Instant,
    roll: Roll,
    taken: Position,
    unsettled: u64,
    /// Whether what is accepted must outlive a power failure.
    is_durable: bool,
}

impl RolledFile {
    /// Opens a file to append to, or makes it. If its last line has no end, because a crash has cut it off or somebody else has
    /// written it like this, it gets one.
    ///
    /// # Errors
    ///
    /// If it cannot be written.
    pub(super) fn open(path: PathBuf, roll: Roll, is_durable: bool) -> Result<RolledFile> {
        let unwritable = || format!("cannot write to `{}`", path.display());
        let opened =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
        let mut file = opened.with_context(unwritable).map_err(|failure| {
            failure.with_hint("check that its folder is there and can be written to")
        })?;
        if !file.metadata().with_context(unwritable)?.is_file() {
            let failure = Failure::new(format!("`{}` is not a regular file", path.display()));
            return Err(failure.with_hint("write to a pipe with --to -"));
        }
        if let Err(TryLockError::WouldBlock) = file.try_lock() {
            let failure = Failure::new("another process writes to it").context(unwritable());
            return Err(failure.with_hint("name another file"));
        }
        let length = end_last_line(&mut file).with_context(unwritable)?;
        match length {
            0 => tracing::info!("writing to `{}`", path.display()),
            _ => tracing::info!("appending to `{}`, which has {length} bytes", path.display()),
        }
        let (begun, taken) = (Instant::now(), Position::default());
        Ok(RolledFile { path, file, length, begun, roll, taken, unsettled: 0, is_durable })
    }

    pub(super) fn take(&mut self, chunk: &Chunk, end: Position, stop: &Stop) -> Result<()> {
        let is_large = self.roll.bytes.is_some_and(|bytes| self.length >= bytes);
        let is_old = self.roll.age.is_some_and(|age| self.begun.elapsed() >= age);
        let unwritable = || format!("cannot write to `{}`", self.path.display());
        if self.length > 0 && !chunk.lines.is_empty() && (is_large || is_old) {
            self.file = begin_another(&self.path).with_context(unwritable)?;
            (self.length, self.begun) = (0, Instant::now());
        }
        let mut is_told = false;
        while let Err(error) = self.file.write_all(&chunk.lines) {
            // Half a line would damage the one that is appended next.
            let back =
                self.file.set_len(self.length).and_then(|()| self.file.seek(SeekFrom::End(0)));
            if is_full(&error) && back.is_ok() {
                if !std::mem::replace(&mut is_told, true) {
                    let path = self.path.display();
                    tracing::warn!(
                        "the disk with `{path}` is full: free some space; writing waits until there is room"
                    );
                }
                if !wait(Duration::from_millis(500), stop) {
                    return Ok(());
                }
                continue;
            }
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
        let unsettled = std::mem::take(&mut self.unsettled);
        if unsettled > 0 && self.is_durable {
            // What is deleted from the spool must outlive a power failure here.
            self.file
                .sync_data()
                .with_context(|| format!("cannot write to `{}`", self.path.display()))?;
        }
        meter.sent.inc_by(unsettled);
        Ok(self.taken)
    }
}

/// Renames the file, to `tweets-20261127T100000123Z.ndjson` for `tweets.ndjson`, and begins a new one.
fn begin_another(path: &Path) -> io::Result<File> {
    let time = Timestamp::from_millis(clock::now()).to_string();
    let time: String = time.chars().filter(char::is_ascii_alphanumeric).collect();
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let extension =
        path.extension().map(|e| format!(".{}", e.to_string_lossy())).unwrap_or_default();
    let names = (0..).map(|n| match n {
        0 => path.with_file_name(format!("{stem}-{time}{extension}")),
        n => path.with_file_name(format!("{stem}-{time}-{n}{extension}")),
    });
    for name in names {
        // A link, unlike renaming, never replaces a file that is there.
        match fs::hard_link(path, &name) {
            Ok(()) => {
                fs::remove_file(path)?;
                break;
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            // This file system has no links.
            Err(_) if !name.exists() => {
                fs::rename(path, &name)?;
                break;
            }
            Err(_) => {}
        }
    }
    let file = OpenOptions::new().read(true).write(true).create_new(true).open(path)?;
    // Nobody else can have it yet.
    let _ = file.try_lock();
    Ok(file)
}

/// Ends the last line of a file if it has no end, and returns the file's length.
fn end_last_line(file: &mut File) -> io::Result<u64> {
    let length = file.seek(SeekFrom::End(0))?;
    let mut last = [b'\n'];
    if length > 0 {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
    }
    if last == [b'\n'] {
        return Ok(length);
    }
    file.write_all(b"\n")?;
    Ok(length + 1)
}
