//! The embedded store: a folder with a Tantivy index.
//!
//! Readers and one writer work side by side, in one process or in several. The whole document is kept as
//! JSON beside what is needed to search, so that a later delivery can be merged into it.

use std::path::{Path, PathBuf};

use tantivy::directory::MmapDirectory;
use tantivy::directory::error::LockError;
use tantivy::{Directory, Index, IndexReader, ReloadPolicy, TantivyError};

use super::StoreError;
use crate::failure::{Context, Failure, Hint, Result};

mod matches;
mod merges;
mod query;
mod questions;
mod read_only;
mod schema;
mod tokenizer;
mod writer;

use read_only::ReadOnly;
use schema::Fields;
pub use writer::EmbeddedWriter;

/// An embedded store opened for queries.
pub struct Embedded {
    path: PathBuf,
    index: Index,
    reader: IndexReader,
    fields: Fields,
}

impl Embedded {
    /// Opens the store in the folder `path`. What other processes commit is seen soon after.
    ///
    /// # Errors
    ///
    /// If there is none, or it was made by another version, or it cannot be read.
    pub fn open(path: &Path) -> Result<Embedded, StoreError> {
        let (index, fields) = match what_is_at(path)? {
            Found::Store => open_index(path, ReadOnly)?,
            Found::Nothing => return Err(StoreError::Missing { path: path.to_owned() }),
        };
        let reader =
            index.reader_builder().reload_policy(ReloadPolicy::OnCommitWithDelay).try_into();
        let reader = reader.map_err(|error| failed("open", path, error))?;
        Ok(Embedded { path: path.to_owned(), index, reader, fields })
    }

    /// A number that changes with each commit that this reader sees.
    pub(super) fn version(&self) -> u64 {
        self.reader.searcher().generation().generation_id()
    }

    fn failed(&self, source: Failure) -> StoreError {
        StoreError::Io { action: "read", path: self.path.clone(), source }
    }
}

enum Found {
    Store,
    /// No folder, or one that may become a store.
    Nothing,
}

/// The file in which Tantivy lists the segments of an index.
const META: &str = "meta.json";

fn what_is_at(path: &Path) -> Result<Found, StoreError> {
    if path.join(META).is_file() && path.join(".managed.json").is_file() {
        return Ok(Found::Store);
    }
    let entries = match path.read_dir() {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Found::Nothing),
        Err(error) if error.kind() == std::io::ErrorKind::NotADirectory => {
            return Err(StoreError::NotAStore { path: path.to_owned() });
        }
        Err(error) => return Err(io("open", path, error)),
    };
    for entry in entries {
        let name = entry.map_err(|error| io("open", path, error))?.file_name();
        // Left behind by a run that was killed before its first commit.
        let is_trace = name
            .to_str()
            .is_some_and(|name| name.starts_with(".tantivy-") || name == ".managed.json");
        if !is_trace {
            return Err(StoreError::NotAStore { path: path.to_owned() });
        }
    }
    Ok(Found::Nothing)
}

fn open_index<D: Directory>(
    path: &Path,
    wrap: impl FnOnce(MmapDirectory) -> D,
) -> Result<(Index, Fields), StoreError> {
    let directory =
        MmapDirectory::open(path).map_err(|error| failed("open", path, error.into()))?;
    let index = Index::open(wrap(directory)).map_err(|error| failed("open", path, error))?;
    let (schema, fields) = schema::schema();
    if index.schema() != schema {
        return Err(StoreError::OtherVersion { path: path.to_owned() });
    }
    tokenizer::register(&index);
    Ok((index, fields))
}

fn open_or_create_index(path: &Path) -> Result<(Index, Fields), StoreError> {
    if let Found::Store = what_is_at(path)? {
        return open_index(path, |directory| directory);
    }
    std::fs::create_dir_all(path).map_err(|error| io("create", path, error))?;
    let (schema, fields) = schema::schema();
    let directory =
        MmapDirectory::open(path).map_err(|error| failed("create", path, error.into()))?;
    let index =
        Index::open_or_create(directory, schema).map_err(|error| failed("create", path, error))?;
    tokenizer::register(&index);
    Ok((index, fields))
}

fn io(action: &'static str, path: &Path, error: std::io::Error) -> StoreError {
    StoreError::Io { action, path: path.to_owned(), source: error.into() }
}

fn failed(action: &'static str, path: &Path, error: TantivyError) -> StoreError {
    let path = path.to_owned();
    match error {
        TantivyError::LockFailure(LockError::LockBusy, _) => StoreError::Locked { path },
        TantivyError::LockFailure(LockError::IoError(source), _) => StoreError::Io {
            action,
            path,
            source: Failure::new(source.to_string()).context("cannot lock it"),
        },
        // An indexing thread failed, and Tantivy does not pass its error on. Most often the disk is full, which an
        // attempt to write a file reveals.
        TantivyError::ErrorInThread(_) if let Err(source) = try_writing(&path) => {
            io(action, &path, source)
        }
        TantivyError::IoError(source) => {
            StoreError::Io { action, path, source: Failure::new(source.to_string()) }
        }
        error => StoreError::Io { action, path, source: error.into() },
    }
}

/// Writes a megabyte into the folder and removes it again, to find out whether the disk is full.
fn try_writing(path: &Path) -> std::io::Result<()> {
    let file = path.join(".tantivy-space");
    let written = std::fs::write(&file, vec![0; 1024 * 1024]);
    // Best effort: if the file could not be created, there is nothing to remove.
    let _ = std::fs::remove_file(&file);
    written
}

impl Hint for TantivyError {}

/// Parses the stored JSON of a document.
fn parse_document(json: &[u8]) -> Result<enrich::Document> {
    serde_json::from_slice(json).context("a document in the store is damaged")
}
