//! Notes which sources were read to their end, so that `--resume` can skip them, and how far the one was read that was being
//! read last, so that it can go on there.
//!
//! They are noted in a file beside the store, as one JSON object a line, once everything that was read from them is in
//! the store or in the rejects. A source that has changed since then counts as another one. How far a source was read stands
//! in another file, which is replaced each time.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use ingest::Checkpoint;
use serde::{Deserialize, Serialize};

use crate::failure::{Context, Failure, Result};
use crate::source::{PROGRESS_FILE, RESUME_FILE, Source};
use crate::store::Address;

/// A source, and the version of its content that was read, see [`Source::version`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Entry {
    store: String,
    source: String,
    version: String,
}

/// A source that was not read to its end, and from where on everything is still to be read.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Begun {
    #[serde(flatten)]
    entry: Entry,
    checkpoint: Checkpoint,
}

/// The sources that were read into one store.
pub(crate) struct Journal {
    path: PathBuf,
    store: String,
    done: HashSet<Entry>,
    file: Option<File>,
    /// The sources that were begun, one for each store.
    begun: Vec<Begun>,
}

impl Journal {
    /// Opens the journal of the store at `address`. With `recreate`, what it says of that store is dropped.
    pub(crate) fn open(address: &Address, recreate: bool) -> Result<Journal> {
        let path = address.beside().join(RESUME_FILE);
        let store = address.to_string();
        // What a crash has cut off says nothing; the source is read from its beginning then.
        let begun = fs::read(path.with_file_name(PROGRESS_FILE)).unwrap_or_default();
        let begun = serde_json::from_slice(&begun).unwrap_or_default();
        let mut journal = Journal { path, store, done: HashSet::new(), file: None, begun };
        match fs::read_to_string(&journal.path) {
            // A line that a crash has cut off is skipped.
            Ok(text) => {
                let entries = text.lines().filter_map(|line| serde_json::from_str(line).ok());
                journal.done =
                    entries.filter(|entry: &Entry| entry.store == journal.store).collect();
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(unusable(&journal.path, error)),
        }
        if recreate {
            journal.begun.retain(|begun| begun.entry.store != journal.store);
            journal.write_begun()?;
        }
        if recreate && !journal.done.is_empty() {
            journal.done.clear();
            journal.forget()?;
        }
        Ok(journal)
    }

    /// Removes the lines of this store.
    fn forget(&self) -> Result<()> {
        let text = fs::read_to_string(&self.path)?;
        let of_others = |line: &&str| {
            serde_json::from_str(line).is_ok_and(|entry: Entry| entry.store != self.store)
        };
        let kept: String = text.lines().filter(of_others).flat_map(|line| [line, "\n"]).collect();
        fs::write(&self.path, kept).map_err(|error| unusable(&self.path, error))
    }

    /// The entry for a source. `None` if it has no version by which it could be recognized, such as a pipe.
    pub(crate) fn entry(&self, source: &Source) -> Option<Entry> {
        let (store, name) = (self.store.clone(), source.name());
        Some(Entry { store, source: name, version: source.version()? })
    }

    /// Whether a source was read to its end by an earlier run.
    pub(crate) fn has(&self, source: &Source) -> bool {
        self.entry(source).is_some_and(|entry| self.done.contains(&entry))
    }

    /// How far a source was read, if it was begun.
    pub(crate) fn checkpoint(&self, source: &Source) -> Option<Checkpoint> {
        let entry = self.entry(source)?;
        let begun = self.begun.iter().find(|begun| begun.entry == entry)?;
        Some(begun.checkpoint.clone())
    }

    /// Notes how far a source was read.
    pub(crate) fn begin(&mut self, entry: &Entry, checkpoint: Checkpoint) -> Result<()> {
        self.begun.retain(|begun| begun.entry.store != self.store);
        self.begun.push(Begun { entry: entry.clone(), checkpoint });
        self.write_begun()
    }

    /// Replaces the file that says which sources were begun, so that a crash leaves the old one or the new one.
    fn write_begun(&self) -> Result<()> {
        let path = self.path.with_file_name(PROGRESS_FILE);
        if self.begun.is_empty() && !path.exists() {
            return Ok(());
        }
        let new = path.with_extension("new");
        fs::write(&new, serde_json::to_vec(&self.begun)?)
            .and_then(|()| fs::rename(&new, &path))
            .map_err(|error| unusable(&path, error))
    }

    /// Notes that a source was read to its end.
    pub(crate) fn add(&mut self, entry: &Entry) -> Result<()> {
        let path = &self.path;
        let file = match &mut self.file {
            Some(file) => file,
            None => {
                let file = OpenOptions::new().create(true).append(true).open(path);
                self.file.insert(file.map_err(|error| unusable(path, error))?)
            }
        };
        let mut line = serde_json::to_vec(entry)?;
        line.push(b'\n');
        file.write_all(&line).with_context(|| format!("cannot write to `{}`", path.display()))
    }
}

fn unusable(path: &Path, error: io::Error) -> Failure {
    let path = path.display();
    Failure::from(error)
        .context(format!("cannot use `{path}`, where --resume notes what was read"))
        .with_hint("check its permissions, or run without --resume: reading sources again creates no duplicates")
}
