//! The files below a folder.

use std::ffi::OsStr;
use std::path::Path;

use walkdir::{DirEntry, WalkDir};

use super::Source;
use crate::failure::{Failure, Result};

/// The files below a folder, in the order of their names. Hidden files and folders, embedded stores, and the rejects
/// of earlier runs are left out; rejects are read only if they are named as a source. Symbolic links to folders are
/// not followed.
pub(super) fn files_below(folder: &Path) -> impl Iterator<Item = Result<Source>> {
    let entries = WalkDir::new(folder).sort_by_file_name().into_iter();
    entries.filter_entry(is_wanted).filter_map(|entry| {
        match entry {
            // `is_file` follows links to files. Pipes are left out: reading one to which nobody writes would never
            // end.
            Ok(entry) if entry.file_type().is_dir() || !entry.path().is_file() => None,
            Ok(entry) => Some(Ok(Source::File(entry.into_path()))),
            Err(error) => {
                let path = error.path().map(|path| path.display().to_string()).unwrap_or_default();
                let failure = match error.into_io_error() {
                    Some(error) => Failure::from(error),
                    None => Failure::new("symbolic links form a loop"),
                };
                let failure = failure.with_hint("check the permissions of the folder");
                Some(Err(failure.context(format!("cannot read `{path}`"))))
            }
        }
    })
}

fn is_wanted(entry: &DirEntry) -> bool {
    // Tantivy keeps these two files in every index, and thus in every embedded store.
    let is_store = || {
        let has = |name: &str| entry.path().join(name).is_file();
        has("meta.json") && has(".managed.json")
    };
    match entry.file_type().is_dir() {
        // Whoever names a hidden folder means it. A store is never read as a source, however it is named.
        _ if entry.depth() == 0 => !is_store(),
        true => !is_hidden(entry.file_name()) && !is_store(),
        false => !is_hidden(entry.file_name()) && !holds_rejects(entry.file_name()),
    }
}

fn is_hidden(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".")
}

/// Whether a file has a name like those that rejects files get if the user does not choose one with `--rejects`.
fn holds_rejects(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    name.starts_with("rejects-") && name.ends_with(".ndjson")
}
