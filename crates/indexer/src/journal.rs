//! Which sources earlier runs have read to their end, so that `--resume` leaves them out.
//!
//! A file beside the store, one JSON object a line. A source stands in it once everything that was read
//! of it is safe in the store or in the rejects; one that has changed since is another one.

use std::collections::HashSet;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde::{Deserialize, Serialize};

use crate::failure::with_hint;
use crate::source::Source;
use crate::store::Address;

/// A source, as it was when it was read.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Entry {
    store: String,
    source: String,
    version: String,
}

/// The sources that were read into a store.
pub(crate) struct Journal {
    path: PathBuf,
    store: String,
    done: HashSet<Entry>,
    file: Option<File>,
}

impl Journal {
    /// Of what was read into the store at `address`; with `recreate`, that is nothing.
    pub(crate) fn open(address: &Address, recreate: bool) -> anyhow::Result<Journal> {
        let path = address.beside().join("indexer-resume.ndjson");
        let store = address.to_string();
        let mut journal = Journal { path, store, done: HashSet::new(), file: None };
        match fs::read_to_string(&journal.path) {
            // A line that a crash has cut is one that says nothing.
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
    fn forget(&self) -> anyhow::Result<()> {
        let text = fs::read_to_string(&self.path)?;
        let of_others = |line: &&str| {
            serde_json::from_str(line).is_ok_and(|entry: Entry| entry.store != self.store)
        };
        let kept: String = text.lines().filter(of_others).flat_map(|line| [line, "\n"]).collect();
        fs::write(&self.path, kept).map_err(|error| unusable(&self.path, error))
    }

    /// How a source is written down; pipes are not.
    pub(crate) fn entry(&self, source: &Source) -> Option<Entry> {
        let (store, name) = (self.store.clone(), source.name());
        Some(Entry { store, source: name, version: source.version()? })
    }

    /// Whether a source was read to its end.
    pub(crate) fn has(&self, source: &Source) -> bool {
        self.entry(source).is_some_and(|entry| self.done.contains(&entry))
    }

    /// Writes down that a source was.
    pub(crate) fn add(&mut self, entry: &Entry) -> anyhow::Result<()> {
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

fn unusable(path: &Path, error: io::Error) -> anyhow::Error {
    let error = anyhow::Error::new(error)
        .context(format!("cannot use `{}`, where --resume keeps what was read", path.display()));
    with_hint(
        error,
        "check its permissions, or leave --resume out: a rerun repeats nothing in the store",
    )
}
