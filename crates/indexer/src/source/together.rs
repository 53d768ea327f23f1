//! Files that belong together: those of a Twitter archive, and the pairs that academictwitteR writes.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ingest::{Archive, ArchivePart, Options};

/// The options with which a file is read: with what the files beside it say of it.
pub(super) fn options_for(path: &Path, options: &Arc<Options>) -> Arc<Options> {
    let part = |path: &Path| ArchivePart::of(path.file_name()?.to_str()?);
    let wanted = match part(path) {
        Some(ArchivePart::Tweets) => [ArchivePart::Account, ArchivePart::Notes],
        Some(ArchivePart::Notes) => [ArchivePart::Account, ArchivePart::Tweets],
        Some(ArchivePart::Account) | None => return Arc::clone(options),
    };
    let mut archive = Archive::default();
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    // A folder that cannot be read says nothing of its files.
    for entry in fs::read_dir(folder.unwrap_or(Path::new("."))).into_iter().flatten().flatten() {
        let other = entry.path();
        if let Some(part) = part(&other).filter(|part| wanted.contains(part))
            && let Ok(file) = File::open(&other)
        {
            archive.add(part, file);
        }
    }
    match archive.is_empty() {
        true => Arc::clone(options),
        false => Arc::new(Options { archive: Some(Arc::new(archive)), ..(**options).clone() }),
    }
}

/// `users_1.json` beside `data_1.json`.
fn users_of(data: &Path) -> Option<PathBuf> {
    let number = data.file_name()?.to_str()?.strip_prefix("data_")?;
    Some(data.with_file_name(format!("users_{number}")))
        .filter(|path| number.ends_with(".json") && path.is_file())
}

/// Whether a file is read with another one: the authors of `data_1.json` in `users_1.json`.
pub(super) fn is_part_of_another(path: &Path) -> bool {
    let number = path.file_name().and_then(|name| name.to_str()?.strip_prefix("users_"));
    let data = number.map(|number| path.with_file_name(format!("data_{number}")));
    data.as_deref().and_then(users_of).is_some_and(|users| users == path)
}

/// A list of tweets and what is included about them, as the page of the API v2 that they were taken from. `None` if there is
/// nothing beside the file that is included.
pub(super) fn page_of(data: &Path) -> Option<io::Result<impl Read + use<>>> {
    let users = users_of(data)?;
    let open = || {
        let (data, users) = (File::open(data)?, File::open(users)?);
        let begin = io::Cursor::new("{\"data\":");
        let between = io::Cursor::new(",\"includes\":");
        Ok(begin.chain(data).chain(between).chain(users).chain(io::Cursor::new("}\n")))
    };
    Some(open())
}
