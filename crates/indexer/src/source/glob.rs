//! The files that match a glob pattern which the shell did not expand.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use glob::{Pattern, PatternError};

use super::Source;
use super::folder::{Entries, files_below};
use crate::failure::{Failure, Result};

/// Passes the files that match a pattern to `add`, in the order of their names, until `add` returns false. Of a folder
/// that matches, these are all files below it.
///
/// The library matches the folders, and only the names in each folder are matched here: it would hold all paths, of
/// which there may be millions.
///
/// # Errors
///
/// If the pattern is malformed, or a folder cannot be read.
pub(super) fn files_matching(
    pattern: &str,
    mut add: impl FnMut(Result<Source>) -> bool,
) -> Result<()> {
    let path = Path::new(pattern.trim_start_matches("./"));
    let (folders, names) = match (path.parent(), path.file_name()) {
        // Folders only.
        _ if pattern.ends_with('/') => (path, OsStr::new("*")),
        (Some(parent), Some(names)) if names == "**" => (parent, OsStr::new("*")),
        (Some(parent), Some(names)) => (parent, names),
        _ => (path, OsStr::new("*")),
    };
    let malformed = |error: PatternError| Failure::new(error.to_string());
    let names = Pattern::new(&names.to_string_lossy()).map_err(malformed)?;
    let is_match = |name: &OsStr, _| names.matches(&name.to_string_lossy());
    // Symbolic links and `**` may lead to the same folder in several ways.
    let (mut visited, mut read_whole) = (HashSet::new(), HashSet::<PathBuf>::new());
    for folder in matching(folders).map_err(malformed)? {
        let folder = folder?;
        // The current folder has an empty path, which only becomes one of a folder with the dot.
        let Ok(canonical) = folder.join(".").canonicalize() else { continue };
        let is_read = canonical.ancestors().any(|folder| read_whole.contains(folder));
        if is_read || !visited.insert(canonical) {
            continue;
        }
        for entry in Entries::of(folder, is_match) {
            let path = entry?.path;
            // A link that leads nowhere is no source.
            let Ok(meta) = path.metadata() else { continue };
            if !meta.is_dir() {
                if !add(Ok(Source::at(path, &meta))) {
                    return Ok(());
                }
                continue;
            }
            if path.canonicalize().is_ok_and(|canonical| !read_whole.insert(canonical)) {
                continue;
            }
            for source in files_below(&path) {
                if !add(source) {
                    return Ok(());
                }
            }
        }
    }
    Ok(())
}

type Paths = Box<dyn Iterator<Item = Result<PathBuf>>>;

/// The paths that match the part of the pattern before the names.
fn matching(folders: &Path) -> Result<Paths, PatternError> {
    let Some(parent) = folders.parent() else {
        return Ok(Box::new(std::iter::once(Ok(folders.to_owned()))));
    };
    let paths = glob::glob(&folders.to_string_lossy())?;
    let paths = paths.map(|path| path.map_err(io::Error::from).map_err(Failure::from));
    // `folder/**` is the folder itself too, which the library leaves out.
    match folders.ends_with("**") {
        true => Ok(Box::new(matching(parent)?.chain(paths))),
        false => Ok(Box::new(paths)),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn each_file_matches_once_however_many_ways_lead_to_it() {
        let folder = std::env::temp_dir().join(format!("indexer-glob-{}", std::process::id()));
        fs::create_dir_all(folder.join("a/b")).unwrap();
        for name in ["x.csv", "a/y.csv", "a/b/z.csv", "a/b/z.txt"] {
            fs::write(folder.join(name), "").unwrap();
        }
        std::os::unix::fs::symlink(folder.join("a"), folder.join("link")).unwrap();
        for (pattern, expected) in [
            ("*.csv", "x.csv"),
            ("?.csv", "x.csv"),
            ("**/*.csv", "x.csv a/y.csv a/b/z.csv"),
            ("*/*.csv", "a/y.csv"),
            ("**/*", "a/b/z.csv a/b/z.txt a/y.csv x.csv"),
            ("**", "a/b/z.csv a/b/z.txt a/y.csv x.csv"),
            ("a*", "a/b/z.csv a/b/z.txt a/y.csv"),
            ("[a]/**", "a/b/z.csv a/b/z.txt a/y.csv"),
            ("*/", "a/b/z.csv a/b/z.txt a/y.csv"),
            ("n*", ""),
        ] {
            let mut found = Vec::new();
            let pattern = folder.join(pattern);
            let add = |source: Result<Source>| {
                let name = PathBuf::from(source.unwrap().name());
                found.push(name.strip_prefix(&folder).unwrap().display().to_string());
                true
            };
            files_matching(pattern.to_str().unwrap(), add).unwrap();
            assert_eq!(found.join(" "), expected, "{}", pattern.display());
        }
        fs::remove_dir_all(&folder).unwrap();
    }
}
