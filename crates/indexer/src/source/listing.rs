//! Finds the sources that the arguments of a command stand for. The first ones are read while others are still being
//! found, since a bucket may hold millions of objects.

use std::collections::VecDeque;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use ingest::Timestamp;

use super::folder::files_below;
use super::glob::files_matching;
use super::{CHECKPOINT_EXTENSION, ObjectSource, Source};
use crate::aws::s3::{S3, S3Object, S3Uri};
use crate::failure::{Context, Failure, Result};

/// How many sources may be found before they are read: as many as S3 lists in one response.
const PAGE: usize = 1_000;

/// How long the first page of sources is waited for. Where only a few of a million objects are wanted, it may take long
/// to fill.
const FIRST_PAGE_WAIT: Duration = Duration::from_secs(2);

/// Which objects below `s3://bucket/prefix` are read.
#[derive(Debug, Clone, Default)]
pub(crate) struct ObjectFilter {
    /// Only those whose keys come after this one.
    pub(crate) start_after: Option<String>,
    /// Only those that were written at this time or later.
    pub(crate) modified_from: Option<Timestamp>,
    /// Only those that were written before this time.
    pub(crate) modified_to: Option<Timestamp>,
}

/// The sources that arguments stand for, in order. An argument for which nothing is found gives an error in its
/// place, and the others are still found.
pub(crate) struct Listing {
    found: Receiver<Found>,
    /// Sources that [`Listing::first_page`] has returned and [`Listing::next`] has not.
    ahead: VecDeque<Result<Source>>,
    is_complete: bool,
    /// Until when [`Listing::first_page`] waits.
    deadline: Instant,
}

/// What the thread that lists has found.
enum Found {
    Source(Result<Source>),
    End,
}

/// What [`Listing::next`] returns.
#[derive(Debug)]
pub(crate) enum Listed {
    Source(Result<Source>),
    /// No source was found in time, but there may be more.
    Pending,
    End,
}

impl Listing {
    /// Starts to find out what `arguments` stand for.
    pub(crate) fn start(arguments: Vec<String>, filter: ObjectFilter) -> Listing {
        let (sender, found) = bounded(PAGE);
        std::thread::spawn(move || {
            for argument in arguments {
                let mut finder = Finder { sender: &sender, filter: &filter, n_found: 0 };
                if let Err(failure) = finder.find(&argument)
                    && sender.send(Found::Source(Err(failure))).is_err()
                {
                    return;
                }
            }
            // If the listing was dropped, nobody needs to know about the end.
            let _ = sender.send(Found::End);
        });
        let deadline = Instant::now() + FIRST_PAGE_WAIT;
        Listing { found, ahead: VecDeque::new(), is_complete: false, deadline }
    }

    /// A listing of one source.
    pub(crate) fn of(source: Source) -> Listing {
        let (_, found) = bounded(0);
        let ahead = VecDeque::from([Ok(source)]);
        Listing { found, ahead, is_complete: true, deadline: Instant::now() }
    }

    /// The first sources, at most [`PAGE`] of them, as far as they are found soon. `next` will still return them.
    pub(crate) fn first_page(&mut self) -> impl Iterator<Item = &Result<Source>> {
        while !self.is_complete && self.ahead.len() < PAGE {
            let found = self.found.recv_deadline(self.deadline);
            match self.take(found) {
                Listed::Source(source) => self.ahead.push_back(source),
                Listed::Pending => break,
                Listed::End => {}
            }
        }
        self.ahead.iter()
    }

    /// The total length in bytes of all sources that are wanted. `None` if not all sources are on the first page, or if
    /// the length of one of them is not known.
    pub(crate) fn total_bytes(&mut self, is_wanted: impl Fn(&Source) -> bool) -> Option<u64> {
        let wanted = self.first_page().flatten().filter(|source| is_wanted(source));
        let total = wanted.map(Source::length).sum::<Option<u64>>();
        total.filter(|_| self.is_complete)
    }

    /// The next source. Waits at most `wait` for one to be found.
    pub(crate) fn next(&mut self, wait: Duration) -> Listed {
        match self.ahead.pop_front() {
            Some(source) => Listed::Source(source),
            None if self.is_complete => Listed::End,
            None => {
                let found = self.found.recv_timeout(wait);
                self.take(found)
            }
        }
    }

    fn take(&mut self, found: Result<Found, RecvTimeoutError>) -> Listed {
        match found {
            Ok(Found::Source(source)) => Listed::Source(source),
            Err(RecvTimeoutError::Timeout) => Listed::Pending,
            Ok(Found::End) => {
                self.is_complete = true;
                Listed::End
            }
            Err(RecvTimeoutError::Disconnected) => {
                self.is_complete = true;
                Listed::Source(Err(Failure::new("listing the sources stopped unexpectedly")))
            }
        }
    }
}

/// Finds what one argument stands for.
struct Finder<'f> {
    sender: &'f Sender<Found>,
    filter: &'f ObjectFilter,
    n_found: u64,
}

impl Finder<'_> {
    /// Passes a source to the listing. Returns false if the listing was dropped, so that no more are wanted.
    fn add(&mut self, source: Result<Source>) -> bool {
        self.n_found += 1;
        self.sender.send(Found::Source(source)).is_ok()
    }

    fn find(&mut self, argument: &str) -> Result<()> {
        if argument == "-" {
            self.add(Ok(Source::Stream(None)));
            return Ok(());
        }
        if argument.starts_with("s3://") {
            return self.find_objects(argument);
        }
        if argument.contains("://") {
            let failure = Failure::new(format!("cannot read `{argument}`: unknown scheme"));
            return Err(
                failure.with_hint("name files, folders, s3://bucket/prefix, or - for a pipe")
            );
        }
        let path = Path::new(argument);
        match path.metadata() {
            Ok(meta) if meta.is_dir() => {
                self.find_files(path);
                if self.n_found == 0 {
                    let failure = Failure::new(format!("the folder `{argument}` holds no files"));
                    return Err(failure.with_hint("name the files, or a folder that holds them"));
                }
                Ok(())
            }
            Ok(meta) => {
                self.add(Ok(Source::at(path.to_owned(), &meta)));
                Ok(())
            }
            Err(error) => self.find_glob(argument, error),
        }
    }

    fn find_files(&mut self, folder: &Path) {
        for source in files_below(folder) {
            if !self.add(source) {
                return;
            }
        }
    }

    fn find_objects(&mut self, argument: &str) -> Result<()> {
        let unreadable = || format!("cannot list `{argument}`");
        let prefix: S3Uri = argument.parse().map_err(Failure::new).with_context(unreadable)?;
        let s3 = S3::new()?;
        let ObjectFilter { start_after, modified_from, modified_to } = self.filter.clone();
        let is_wanted = |object: &S3Object| {
            let after = |from| object.modified.is_none_or(|time| time >= from);
            let before = |to| object.modified.is_none_or(|time| time < to);
            // Consoles make empty objects in the place of folders.
            object.size != Some(0)
                && !object.uri.key.ends_with(CHECKPOINT_EXTENSION)
                && modified_from.is_none_or(after)
                && modified_to.is_none_or(before)
        };
        let mut n_listed = 0_u64;
        let listed = s3.list(&prefix, start_after.as_deref(), |object| {
            n_listed += 1;
            if !is_wanted(&object) {
                return true;
            }
            let (s3, seen) = (s3.clone(), Arc::default());
            let source = ObjectSource { s3, object, from: None, seen };
            self.add(Ok(Source::Object(Box::new(source))))
        });
        listed.with_context(unreadable)?;
        if self.n_found > 0 {
            return Ok(());
        }
        let failure = Failure::new(match n_listed {
            0 => format!("no object begins with `{argument}`"),
            n => format!(
                "of {n} objects that begin with `{argument}`, none is to be read: all are empty, checkpoints or filtered out"
            ),
        });
        Err(failure.with_hint(
            "check the bucket and the prefix, and --start-after, --modified-from and --modified-to: aws s3 ls",
        ))
    }

    /// Treats an argument that is not the name of a file as a glob pattern that the shell did not expand.
    fn find_glob(&mut self, argument: &str, error: io::Error) -> Result<()> {
        let unreadable = || format!("cannot read `{argument}`");
        if !argument.contains(['*', '?', '[']) {
            let hint = match error.kind() {
                io::ErrorKind::PermissionDenied => {
                    "check the permissions of the file and its folders"
                }
                _ => "check the name; relative names start from the current folder",
            };
            return Err(Failure::from(error).context(unreadable()).with_hint(hint));
        }
        files_matching(argument, |source| self.add(source)).with_context(unreadable)?;
        if self.n_found == 0 {
            let failure = Failure::new(format!("no file matches `{argument}`"));
            return Err(failure.with_hint("check the pattern; ** stands for any number of folders"));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn sources_are_found_while_others_are_read() {
        let folder = std::env::temp_dir().join(format!("indexer-listing-{}", std::process::id()));
        let n_files = 3 * PAGE;
        fs::create_dir_all(&folder).unwrap();
        for i in 0..n_files {
            fs::write(folder.join(format!("{i:05}.csv")), "").unwrap();
        }
        let arguments = vec![folder.display().to_string()];
        let mut listing = Listing::start(arguments, ObjectFilter::default());
        assert_eq!(listing.first_page().count(), PAGE);
        assert!(
            !listing.is_complete && listing.total_bytes(|_| true).is_none(),
            "it is a page ahead"
        );
        let mut names = Vec::new();
        loop {
            match listing.next(Duration::from_secs(10)) {
                Listed::Source(source) => names.push(source.unwrap().name()),
                Listed::Pending => panic!("nothing is found any more"),
                Listed::End => break,
            }
        }
        fs::remove_dir_all(&folder).unwrap();
        assert!(names.len() == n_files && names.is_sorted(), "{}", names.len());
    }
}
