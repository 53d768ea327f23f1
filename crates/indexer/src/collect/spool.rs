//! What was received and has not been delivered yet, on disk: the queue between a source and its destination.
//!
//! A source appends what it receives, together with its mark: where it goes on after a restart. So a record and the mark
//! behind it are either both on disk or neither is, whenever the process is killed. Records stay until the destination
//! has accepted them. The queue is a folder of files of some megabytes ([`segment`]); a file is deleted when all of it
//! was delivered, which needs no room on a disk that is full.

use std::cmp::Ordering;
use std::collections::VecDeque;
use std::fs::{self, File, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;

use crate::failure::{Context, Failure, Result};

mod segment;
#[cfg(test)]
mod tests;

use segment::{Header, Segment, is_segment};

/// A file is complete once it is this long, or a quarter of what the spool may hold.
const SEGMENT_BYTES: u64 = 8 * 1024 * 1024;

/// Records that were received together.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Chunk {
    /// The records as JSON, each on a line of its own.
    pub(super) lines: Vec<u8>,
    /// How many there are.
    pub(super) records: u64,
    /// When they were received, in milliseconds since 1970.
    pub(super) received_at: i64,
    /// Where the source goes on after them.
    pub(super) mark: Value,
}

/// The place behind a chunk. Those of later chunks are greater.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Position {
    segment: u64,
    offset: u64,
}

/// What [`Spool::take`] found.
#[derive(Debug, PartialEq)]
pub(super) enum Taken {
    /// A chunk, and the position behind it.
    Chunk(Chunk, Position),
    /// Nothing yet.
    Nothing,
    /// Nothing, and there will be nothing more.
    Closed,
}

/// What [`Spool::append`] did.
#[derive(Debug, PartialEq)]
pub(super) enum Appended {
    /// The chunk is on disk.
    Done,
    /// The spool holds as much as it may.
    Full,
}

/// The queue. One thread appends, and one takes.
pub(super) struct Spool {
    folder: PathBuf,
    /// A name of its own, by which its positions are told apart from those of other spools.
    id: String,
    limit: u64,
    state: Mutex<State>,
    /// Notified when something was appended or deleted, and at the end.
    changed: Condvar,
    /// Keeps other processes away as long as it is open.
    _lock: File,
}

struct State {
    segments: VecDeque<Segment>,
    /// The number of the last segment there was. It goes on while the spool is empty, so that positions never repeat.
    last_number: u64,
    /// Up to where chunks have been taken.
    taken: Position,
    /// Up to where they have been delivered.
    delivered: Position,
    /// Up to where it has been noted elsewhere that they were, together with the mark.
    noted: Position,
    /// Records that were dropped before they were taken.
    dropped: u64,
    /// Whether nothing more will be appended.
    is_closed: bool,
}

impl Spool {
    /// Opens the spool in `folder`, and finds what an earlier run has left there. It will hold `limit` bytes at most.
    ///
    /// # Errors
    ///
    /// If it cannot be read or written, is damaged, or another process uses it.
    pub(super) fn open(folder: &Path, limit: u64) -> Result<Spool> {
        let unusable = || format!("cannot use the spool in `{}`", folder.display());
        fs::create_dir_all(folder).with_context(unusable)?;
        let lock = File::create(folder.join("lock")).with_context(unusable)?;
        lock.try_lock().map_err(|error| match error {
            TryLockError::WouldBlock => Failure::new(format!(
                "another process uses the spool in `{}`",
                folder.display()
            ))
            .with_hint("wait for the other run to end, or give this one a folder of its own: --spool FOLDER"),
            TryLockError::Error(error) => Failure::from(error).context(unusable()),
        })?;
        let id = identify(&folder.join("id")).with_context(unusable)?;
        let mut numbers = Vec::new();
        for entry in fs::read_dir(folder).with_context(unusable)? {
            numbers.extend(is_segment(&entry.with_context(unusable)?.file_name()));
        }
        numbers.sort_unstable();
        let mut segments = VecDeque::new();
        for number in &numbers {
            let is_last = numbers.last() == Some(number);
            let segment = Segment::recover(folder, *number, is_last)
                .with_context(unusable)
                .map_err(|failure| {
                    failure.with_hint("move the damaged file away to collect without what is in it")
                })?;
            match segment.length {
                // The last one was just begun. Another one was emptied by somebody else.
                0 if is_last => segment.delete(folder).with_context(unusable)?,
                0 => {
                    let failure = Failure::new(format!("the file {number:010}.spool is empty"));
                    return Err(failure.context(unusable()).with_hint(
                        "what was in it is lost; delete the file to collect without that",
                    ));
                }
                _ => segments.push_back(segment),
            }
        }
        let nothing = Position::default();
        let state = State {
            segments,
            last_number: numbers.last().copied().unwrap_or(0),
            taken: nothing,
            delivered: nothing,
            noted: nothing,
            dropped: 0,
            is_closed: false,
        };
        Ok(Spool {
            folder: folder.to_owned(),
            id,
            limit,
            state: Mutex::new(state),
            changed: Condvar::new(),
            _lock: lock,
        })
    }

    /// Its name: see [`State::spool`](super::state::State::spool).
    pub(super) fn id(&self) -> &str {
        &self.id
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The mark of the last chunk in the spool.
    pub(super) fn last_mark(&self) -> Option<Value> {
        self.state().segments.back().and_then(|segment| segment.last_mark.clone())
    }

    /// The place behind the last chunk.
    pub(super) fn end(&self) -> Position {
        let state = self.state();
        let last = state.segments.back();
        last.map_or(Position::default(), |last| Position {
            segment: last.number,
            offset: last.length,
        })
    }

    /// How many records wait to be delivered.
    pub(super) fn waiting(&self) -> u64 {
        let state = self.state();
        let Position { segment, offset } = state.delivered;
        let waiting = state.segments.iter().map(|one| match one.number.cmp(&segment) {
            Ordering::Less => 0,
            Ordering::Equal => one.records_after(offset),
            Ordering::Greater => one.records,
        });
        waiting.sum()
    }

    /// How many bytes the spool takes on the disk.
    pub(super) fn bytes(&self) -> u64 {
        self.state().segments.iter().map(|segment| segment.length).sum()
    }

    /// Appends a chunk. With `anyway`, it is taken also if the spool is full. With `durably`, it has reached the disk when this returns, so that it outlives a power failure as
    /// well as the end of the process.
    ///
    /// # Errors
    ///
    /// If it cannot be written, such as on a full disk. The spool is then as it was, and the call can be repeated.
    pub(super) fn append(
        &self,
        chunk: &Chunk,
        durably: bool,
        anyway: bool,
    ) -> io::Result<Appended> {
        let mut state = self.state();
        let waiting = state.waiting_bytes();
        // A chunk larger than the limit is accepted if the spool is empty.
        if waiting > 0 && waiting + chunk.lines.len() as u64 > self.limit && !anyway {
            return Ok(Appended::Full);
        }
        let complete_at = SEGMENT_BYTES.min(self.limit / 4);
        if state.segments.back().is_none_or(|segment| segment.length >= complete_at) {
            // On a full disk, this file takes the space that the next one needs.
            if !state.has_more_than(state.noted)
                && let Some(complete) = state.segments.pop_back()
            {
                complete.delete(&self.folder)?;
            }
            if let Some(complete) = state.segments.back_mut() {
                // Later ones must not outlive it in a power failure: their marks are behind what is in it.
                complete.complete()?;
            }
            let number = state.last_number.max(state.taken.segment) + 1;
            let segment = Segment::create(&self.folder, number)?;
            state.last_number = number;
            if durably {
                File::open(&self.folder)?.sync_all()?;
            }
            state.segments.push_back(segment);
        }
        let is_noted = !state.has_more_than(state.noted);
        let Some(segment) = state.segments.back_mut() else { return Ok(Appended::Full) };
        if let Err(error) = segment.append(chunk, durably) {
            // On a full disk, the file that is being written may hold the last room there is. An empty one would hide
            // that there is nothing to take.
            let is_useless = segment.length == 0 || is_noted;
            if is_useless && segment.delete(&self.folder).is_ok() {
                state.segments.pop_back();
            }
            return Err(error);
        }
        self.changed.notify_all();
        Ok(Appended::Done)
    }

    /// Waits until something was delivered or dropped, at most for `wait`.
    pub(super) fn wait_for_room(&self, wait: Duration) {
        let state = self.state();
        drop(self.changed.wait_timeout(state, wait));
    }

    /// Takes the next chunk. Waits at most `wait` for one to be appended.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub(super) fn take(&self, wait: Duration) -> Result<Taken> {
        let mut state = self.state();
        if !state.has_more_than(state.taken) && !state.is_closed {
            let waited = self.changed.wait_timeout(state, wait);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        if !state.has_more_than(state.taken) {
            return Ok(if state.is_closed { Taken::Closed } else { Taken::Nothing });
        }
        let State { segments, taken, .. } = &mut *state;
        let next = segments.iter_mut().find(|segment| {
            segment.number > taken.segment
                || segment.number == taken.segment && segment.length > taken.offset
        });
        let Some(segment) = next else { return Ok(Taken::Nothing) };
        let offset = if segment.number == taken.segment { taken.offset } else { 0 };
        let (Header { received_at, records, mark, .. }, lines, end) = segment
            .read(&self.folder, offset)
            .with_context(|| format!("cannot read the spool in `{}`", self.folder.display()))?;
        *taken = Position { segment: segment.number, offset: end };
        Ok(Taken::Chunk(Chunk { lines, records, received_at, mark }, *taken))
    }

    /// Continues behind the position up to which an earlier run has delivered. If the last file is shorter than that, because a
    /// power failure has cut it, another one is begun, so that nothing is appended to what counts as delivered.
    ///
    /// # Errors
    ///
    /// If a file cannot be deleted.
    pub(super) fn resume(&self, delivered: Position) -> io::Result<()> {
        self.delivered(delivered, true)?;
        let mut state = self.state();
        if !state.has_more_than(delivered)
            && let Some(last) = state.segments.pop_back()
        {
            last.delete(&self.folder)?;
        }
        Ok(())
    }

    /// Declares that everything up to a position is delivered, and deletes the files that are no longer needed. The last
    /// one stays, with the mark behind the last chunk. `is_noted` says whether that mark is kept elsewhere too.
    ///
    /// # Errors
    ///
    /// If a file cannot be deleted.
    pub(super) fn delivered(&self, to: Position, is_noted: bool) -> io::Result<()> {
        let mut state = self.state();
        state.taken = state.taken.max(to);
        state.delivered = state.delivered.max(to);
        if is_noted {
            state.noted = state.noted.max(to);
        }
        while state.segments.len() > 1
            && let Some(first) = state.segments.front()
            && (first.number, first.length) <= (to.segment, to.offset)
        {
            first.delete(&self.folder)?;
            state.segments.pop_front();
        }
        self.changed.notify_all();
        Ok(())
    }

    /// Deletes the last file too, if its mark is kept elsewhere.
    ///
    /// # Errors
    ///
    /// If it cannot be deleted.
    pub(super) fn finish(&self) -> io::Result<()> {
        let state = self.state();
        match state.segments.back() {
            Some(last) if !state.has_more_than(state.noted) => last.delete(&self.folder),
            _ => Ok(()),
        }
    }

    /// Deletes the oldest file from which nothing has been taken, to make room. Returns whether there was one; the newest is
    /// kept.
    ///
    /// # Errors
    ///
    /// If it cannot be deleted.
    pub(super) fn drop_oldest(&self) -> io::Result<bool> {
        let mut state = self.state();
        let last = state.segments.len().saturating_sub(1);
        let untouched = state.segments.iter().position(|one| one.number > state.taken.segment);
        let Some(at) = untouched.filter(|at| *at < last) else { return Ok(false) };
        state.segments[at].delete(&self.folder)?;
        state.dropped += state.segments[at].records;
        state.segments.remove(at);
        Ok(true)
    }

    /// How many records were dropped since the last call.
    pub(super) fn take_dropped(&self) -> u64 {
        std::mem::take(&mut self.state().dropped)
    }

    /// Declares that nothing more will be appended.
    pub(super) fn close(&self) {
        self.state().is_closed = true;
        self.changed.notify_all();
    }
}

impl State {
    fn waiting_bytes(&self) -> u64 {
        let Position { segment, offset } = self.delivered;
        let waiting = self.segments.iter().map(|one| match one.number.cmp(&segment) {
            Ordering::Less => 0,
            Ordering::Equal => one.length.saturating_sub(offset),
            Ordering::Greater => one.length,
        });
        waiting.sum()
    }

    /// Whether there are chunks behind a position.
    fn has_more_than(&self, Position { segment, offset }: Position) -> bool {
        let last = self.segments.back();
        last.is_some_and(|last| (last.number, last.length) > (segment, offset))
    }
}

/// The name of a spool, which it gets when it is made. If a crash has damaged it, it gets another one: what was delivered
/// is then sent again.
fn identify(path: &Path) -> io::Result<String> {
    match fs::read(path) {
        Ok(id) if id.len() == 16 && id.iter().all(u8::is_ascii_hexdigit) => {
            return Ok(String::from_utf8_lossy(&id).into_owned());
        }
        Ok(_) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let id = format!("{:016x}", fastrand::u64(..));
    let mut file = File::create(path)?;
    file.write_all(id.as_bytes())?;
    file.sync_all()?;
    Ok(id)
}

/// `segment-offset`, as it is kept between runs.
impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}-{}", self.segment, self.offset)
    }
}

impl std::str::FromStr for Position {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Position, Self::Err> {
        let (segment, offset) = text.split_once('-').unwrap_or((text, "0"));
        // Files are numbered with up to ten digits.
        let segment: u32 = segment.parse()?;
        Ok(Position { segment: segment.into(), offset: offset.parse()? })
    }
}
