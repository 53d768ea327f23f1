//! The files that match a glob pattern which the shell did not expand.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs::Metadata;
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::path::{Path, PathBuf};

use glob::{MatchOptions, Pattern, PatternError};

use super::Source;
use super::folder::{Entries, files_below, is_of_a_run, is_store};
use crate::failure::{Failure, Result};

/// As in a shell, wildcards do not match the names of hidden files.
const OPTIONS: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: false,
    require_literal_leading_dot: true,
};

/// Passes the files that match a pattern to `add`, folder by folder and in each by name, until `add` returns false. Of
/// a folder that matches, these are all files below it. Rejects are left out unless the pattern begins with their name.
///
/// The library finds the folders; the names in each of them are matched here, a page at a time. The library would hold
/// all of them at once, as it still does where wildcards stand before the last `/`.
///
/// # Errors
///
/// If the pattern is malformed.
pub(super) fn files_matching(
    pattern: &str,
    mut add: impl FnMut(Result<Source>) -> bool,
) -> Result<()> {
    let path = Path::new(pattern);
    let path = path.strip_prefix(".").unwrap_or(path);
    // Without names, the pattern stands for folders, with all files below them.
    let (folders, names) = match (path.parent(), path.file_name()) {
        (Some(parent), Some(names)) if names == "**" => (parent, None),
        (Some(parent), Some(names)) if !pattern.ends_with('/') => (parent, Some(names)),
        _ => (path, None),
    };
    let malformed = |error: PatternError| Failure::new(error.to_string());
    let names = names.map(|names| Pattern::new(&names.to_string_lossy())).transpose();
    let names = names.map_err(malformed)?;
    // Links and `**` may lead to the same file in several ways. There may be millions of files, so that of each only a
    // hash is kept.
    let (mut seen, hasher) = (HashSet::new(), RandomState::new());
    let mut add = |source: Result<Source>| {
        let is_known = matches!(&source, Ok(Source::File(path))
            if path.canonicalize().is_ok_and(|path| !seen.insert(hasher.hash_one(path))));
        is_known || add(source)
    };
    let mut visited = HashSet::new();
    for folder in matching(folders).map_err(malformed)? {
        let folder = match folder {
            Ok(folder) => folder,
            Err(failure) => match add(Err(failure)) {
                true => continue,
                false => return Ok(()),
            },
        };
        // With the dot, this fails for files, and the empty path is the current folder.
        let Ok(canonical) = folder.join(".").canonicalize() else { continue };
        if is_store(&folder) || !visited.insert(canonical) {
            continue;
        }
        let Some(names) = &names else {
            if !files_below(&folder).all(&mut add) {
                return Ok(());
            }
            continue;
        };
        let is_wanted = |name: &OsStr, is_folder: bool| {
            names.matches_with(&name.to_string_lossy(), OPTIONS)
                && (is_folder || names.as_str().starts_with("rejects") || !is_of_a_run(name))
        };
        for entry in Entries::of(folder, is_wanted) {
            let goes_on = match entry.and_then(|entry| with_metadata(entry.path)) {
                Ok(None) => true,
                Ok(Some((path, meta))) if meta.is_dir() => files_below(&path).all(&mut add),
                Ok(Some((path, meta))) => add(Ok(Source::at(path, &meta))),
                Err(failure) => add(Err(failure)),
            };
            if !goes_on {
                return Ok(());
            }
        }
    }
    Ok(())
}

/// A path with its metadata; `None` if it is a link that leads nowhere.
fn with_metadata(path: PathBuf) -> Result<Option<(PathBuf, Metadata)>> {
    match path.metadata() {
        Ok(meta) => Ok(Some((path, meta))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unreadable(&path, error)),
    }
}

fn unreadable(path: &Path, error: io::Error) -> Failure {
    let failure = Failure::from(error).context(format!("cannot read `{}`", path.display()));
    failure.with_hint("check the permissions of the file and its folders")
}

type Paths = Box<dyn Iterator<Item = Result<PathBuf>>>;

/// The paths that match the part of the pattern before the names.
fn matching(folders: &Path) -> Result<Paths, PatternError> {
    let Some(parent) = folders.parent() else {
        return Ok(Box::new(std::iter::once(Ok(folders.to_owned()))));
    };
    let paths = glob::glob_with(&folders.to_string_lossy(), OPTIONS)?;
    let paths = paths.map(|path| {
        path.map_err(|error| {
            let path = error.path().to_owned();
            unreadable(&path, io::Error::from(error))
        })
    });
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
        let store = ["store/meta.json", "store/.managed.json", "store/1.json"];
        fs::create_dir_all(folder.join("store")).unwrap();
        for name in
            ["x.csv", "a/y.csv", "a/b/z.csv", "a/b/z.txt", "a/.hidden", "a/rejects-1.ndjson"]
                .into_iter()
                .chain(store)
        {
            fs::write(folder.join(name), "").unwrap();
        }
        for (link, to) in [("link", "a"), ("b", "a/b"), ("x2.csv", "x.csv"), ("gone.csv", "gone")] {
            std::os::unix::fs::symlink(folder.join(to), folder.join(link)).unwrap();
        }
        for (pattern, expected) in [
            ("*.csv", "x.csv"),
            ("?.csv", "x.csv"),
            ("**/*.csv", "x.csv a/y.csv a/b/z.csv"),
            ("*/*.csv", "a/y.csv b/z.csv"),
            ("**/*.json", ""),
            ("a/*", "a/b/z.csv a/b/z.txt a/y.csv"),
            ("a/.*", "a/.hidden"),
            ("a/rejects*", "a/rejects-1.ndjson"),
            ("**/b*", "b/z.csv b/z.txt"),
            ("*", "a/b/z.csv a/b/z.txt a/y.csv x.csv"),
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
