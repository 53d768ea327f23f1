//! The files below a folder.

use std::collections::BinaryHeap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::{fs, io, vec};

use super::{Source, together};
use crate::failure::{Failure, Result};

/// The file in which `--resume` notes what has been read. It lies beside the store, where the sources may lie too.
pub(crate) const RESUME_FILE: &str = "indexer-resume.ndjson";

/// The file in which `--resume` notes how far a source was read, beside that.
pub(crate) const PROGRESS_FILE: &str = "indexer-resume-progress.json";

/// How many names of one folder are held at a time. A folder with more entries is read again for each page of them.
const PAGE: usize = 50_000;

/// The files below a folder, in the order of their names. Hidden files and folders, embedded stores, and the rejects
/// and notes of earlier runs are left out; rejects are read only if they are named as a source. Symbolic links to
/// folders are not followed.
pub(super) fn files_below(folder: &Path) -> FilesBelow {
    let mut files = FilesBelow { folders: Vec::new() };
    // Whoever names a hidden folder means it. A store is never read as a source, however it is named.
    if !is_store(folder) {
        files.folders.push(Entries::of(folder.to_owned(), is_wanted));
    }
    files
}

type IsWanted = fn(&OsStr, bool) -> bool;

/// See [`files_below`].
pub(super) struct FilesBelow {
    /// The folders that are being read, from the outermost to the innermost.
    folders: Vec<Entries<IsWanted>>,
}

impl Iterator for FilesBelow {
    type Item = Result<Source>;

    fn next(&mut self) -> Option<Result<Source>> {
        loop {
            match self.folders.last_mut()?.next() {
                None => {
                    self.folders.pop();
                }
                Some(Err(failure)) => return Some(Err(failure)),
                Some(Ok(Entry { path, is_folder: true })) => {
                    if !is_store(&path) && !is_page_of_archive(&path) {
                        self.folders.push(Entries::of(path, is_wanted));
                    }
                }
                // `is_file` follows links to files. Pipes are left out: reading one to which nobody writes would never
                // end.
                Some(Ok(Entry { path, is_folder: false })) => {
                    if path.is_file() && !together::is_part_of_another(&path) {
                        return Some(Ok(Source::File(path)));
                    }
                }
            }
        }
    }
}

fn is_wanted(name: &OsStr, is_folder: bool) -> bool {
    let is_passed_over = match is_folder {
        true => name == "__MACOSX",
        false => is_of_a_run(name) || ingest::is_passed_over(&name.to_string_lossy()),
    };
    !is_hidden(name) && !is_passed_over
}

fn is_hidden(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".")
}

/// Whether a file has a name like those that runs give to their own files: to rejects, if the user does not choose one
/// with `--rejects`, and to the notes of `--resume`.
pub(super) fn is_of_a_run(name: &OsStr) -> bool {
    let text = name.to_string_lossy();
    name == RESUME_FILE
        || name == PROGRESS_FILE
        || text.starts_with("rejects-") && text.ends_with(".ndjson")
}

/// Tantivy keeps these two files in every index, and thus in every embedded store.
pub(super) fn is_store(folder: &Path) -> bool {
    let has = |name: &str| folder.join(name).is_file();
    has("meta.json") && has(".managed.json")
}

/// Whether a folder holds what shows a Twitter archive in a browser.
fn is_page_of_archive(folder: &Path) -> bool {
    let archive = folder.parent().map(|parent| parent.join("data/manifest.js"));
    folder.ends_with("assets") && archive.is_some_and(|manifest| manifest.is_file())
}

/// The entries of one folder, in the order of their names.
pub(super) struct Entries<W> {
    folder: PathBuf,
    /// Which entries are wanted, by name and by whether they are folders.
    is_wanted: W,
    page_size: usize,
    page: vec::IntoIter<(OsString, bool)>,
    /// The last name of the page.
    last: Option<OsString>,
    is_last_page: bool,
}

pub(super) struct Entry {
    pub(super) path: PathBuf,
    /// Whether it is a folder, and not a link to one.
    pub(super) is_folder: bool,
}

impl<W: Fn(&OsStr, bool) -> bool> Entries<W> {
    pub(super) fn of(folder: PathBuf, is_wanted: W) -> Entries<W> {
        let page = Vec::new().into_iter();
        Entries { folder, is_wanted, page_size: PAGE, page, last: None, is_last_page: false }
    }

    /// The path to read: an empty one means the current folder.
    fn readable(&self) -> &Path {
        match self.folder.as_os_str().is_empty() {
            true => Path::new("."),
            false => &self.folder,
        }
    }

    /// Reads the folder once more, for the names that come after the last one.
    fn turn_page(&mut self) -> io::Result<()> {
        // The greatest of the names is at the top, and gives way to lesser ones.
        let mut names = BinaryHeap::new();
        self.is_last_page = true;
        for entry in fs::read_dir(self.readable())? {
            let entry = entry?;
            let name = entry.file_name();
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            let is_passed = self.last.as_ref().is_some_and(|last| name <= *last);
            if is_passed || !(self.is_wanted)(&name, is_folder) {
                continue;
            }
            names.push((name, is_folder));
            if names.len() > self.page_size {
                names.pop();
                self.is_last_page = false;
            }
        }
        self.last = names.peek().map(|(name, _)| name.clone());
        self.page = names.into_sorted_vec().into_iter();
        Ok(())
    }
}

impl<W: Fn(&OsStr, bool) -> bool> Iterator for Entries<W> {
    type Item = Result<Entry>;

    fn next(&mut self) -> Option<Result<Entry>> {
        loop {
            if let Some((name, is_folder)) = self.page.next() {
                return Some(Ok(Entry { path: self.folder.join(name), is_folder }));
            }
            if self.is_last_page {
                return None;
            }
            if let Err(error) = self.turn_page() {
                self.is_last_page = true;
                let failure = Failure::from(error).with_hint("check the permissions of the folder");
                let folder = self.readable().display();
                return Some(Err(failure.context(format!("cannot read `{folder}`"))));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_that_is_read_in_pages_has_each_entry_once_and_in_order() {
        let folder = std::env::temp_dir().join(format!("indexer-pages-{}", std::process::id()));
        fs::create_dir_all(folder.join("c")).unwrap();
        for name in ["e", "b", ".hidden", "d", "a", "rejects-1.ndjson", RESUME_FILE, PROGRESS_FILE]
        {
            fs::write(folder.join(name), "").unwrap();
        }
        for page_size in 1..=6 {
            let entries = Entries { page_size, ..Entries::of(folder.clone(), is_wanted) };
            let names = entries.map(|entry| entry.unwrap().path.file_name().unwrap().to_owned());
            assert_eq!(names.collect::<Vec<_>>(), ["a", "b", "c", "d", "e"], "{page_size} a page");
        }
        fs::remove_dir_all(&folder).unwrap();
    }
}
