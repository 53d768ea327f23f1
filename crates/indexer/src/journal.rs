//! Notes which sources were read to their end, so that `--resume` can skip them.
//!
//! They are noted in a file beside the store, as one JSON object a line, once everything that was read from them is in
//! the store or in the rejects. A source that has changed since then counts as another one.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::failure::{Context, Failure, Result};
use crate::source::{RESUME_FILE, Source};
use crate::store::Address;

/// A source, and the version of its content that was read, see [`Source::version`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Entry {
    store: String,
    source: String,
    version: String,
}

/// The sources that were read into one store.
pub(crate) struct Journal {
    path: PathBuf,
    store: String,
    done: HashSet<Entry>,
    file: Option<File>,
}

impl Journal {
    /// Opens the journal of the store at `address`. With `recreate`, what it says of that store is dropped.
    pub(crate) fn open(address: &Address, recreate: bool) -> Result<Journal> {
        let path = address.beside().join(RESUME_FILE);
        let store = address.to_string();
        let mut journal = Journal { path, store, done: HashSet::new(), file: None };
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
