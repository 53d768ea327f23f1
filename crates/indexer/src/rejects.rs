//! Keeps the records that could not be indexed, as one JSON object a line, in a file or in objects in S3. Neither is made
//! before it is needed.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use ingest::{Rejected, Timestamp};

use crate::clock;
use crate::failure::{Context, Failure, Result};
use crate::progress;
use crate::source::Source;

mod objects;

pub(crate) use objects::{RejectsName, RejectsObjects};

/// Where the rejects of a run are written.
pub(crate) enum Rejects {
    /// A file that is not open yet.
    Pending(PathBuf),
    /// A file that is open, with its path.
    File(PathBuf, BufWriter<File>),
    /// Standard error, between the lines of the log.
    Stderr,
    /// Objects in S3, each with some megabytes of rejects.
    Objects(RejectsObjects),
    /// Nowhere. If there are any, their source fails.
    Refused {
        /// The first reject, which is named in the error message.
        first: Option<Box<Rejected>>,
        /// How many there are.
        count: u64,
    },
    /// Nowhere: they were read from an object with rejects, and stay in it.
    Kept,
}

impl Rejects {
    /// Rejects into the file `named`, or else into a new one in `folder`.
    pub(crate) fn to_file(named: Option<PathBuf>, folder: &Path) -> Rejects {
        Rejects::Pending(
            named.unwrap_or_else(|| folder.join(format!("rejects-{}.ndjson", now_for_a_name()))),
        )
    }

    /// Makes sure that rejects are not appended to a file that holds something else. Only its first line is looked
    /// at. Pipes and devices hold nothing that could be lost, and reading one could wait for ever.
    ///
    /// # Errors
    ///
    /// If it holds anything else.
    pub(crate) fn check_file(&self) -> Result<()> {
        let Rejects::Pending(path) = self else { return Ok(()) };
        if !path.is_file() {
            return Ok(());
        }
        let mut first = String::new();
        let read = File::open(path)
            .and_then(|file| BufReader::new(file.take(1 << 20)).read_line(&mut first));
        // A first line of a megabyte or more, which was cut off, is taken for a reject.
        let holds_rejects = first.is_empty()
            || serde_json::from_str::<Rejected>(&first).is_ok()
            || first.len() == 1 << 20;
        match read {
            Ok(_) if !holds_rejects => Err(refused(path, "it holds something else")),
            _ => Ok(()),
        }
    }

    /// Makes sure that rejects are not written to the source that they come from: the run would never end.
    ///
    /// # Errors
    ///
    /// If they would be.
    pub(crate) fn check_source(&self, source: &Source) -> Result<()> {
        let (Rejects::Pending(path) | Rejects::File(path, _), Source::File(source)) =
            (self, source)
        else {
            return Ok(());
        };
        // The names of most sources differ from the file's, so that the file system need not be asked.
        let may_be_it =
            path.file_name() == source.file_name() || source.is_symlink() || path.is_symlink();
        if may_be_it && is_same_file(path, source) {
            return Err(refused(path, "it is one of the sources"));
        }
        Ok(())
    }

    /// Writes a reject, or counts it if rejects are not kept.
    pub(crate) fn write(&mut self, rejected: &Rejected) -> Result<()> {
        match self {
            Rejects::Kept => return Ok(()),
            Rejects::Refused { first, count } => {
                first.get_or_insert_with(|| Box::new(rejected.clone()));
                *count += 1;
                return Ok(());
            }
            _ => {}
        }
        // A run without rejects leaves no file behind, so it is created with the first one.
        if let Rejects::Pending(path) = self {
            let file =
                OpenOptions::new().create(true).append(true).open(&path).map_err(|error| {
                    Failure::from(error)
                        .context(format!("cannot write the rejects to `{}`", path.display()))
                        .with_hint("name a file that can be written: --rejects FILE")
                })?;
            *self = Rejects::File(std::mem::take(path), BufWriter::new(file));
        }
        let mut line = serde_json::to_vec(rejected)?;
        line.push(b'\n');
        match self {
            Rejects::File(path, file) => file
                .write_all(&line)
                .with_context(|| format!("cannot write the rejects to `{}`", path.display())),
            Rejects::Objects(objects) => objects.write(&line),
            // The progress bar is on stderr too, and must be cleared first.
            _ => progress::aside(|| io::stderr().write_all(&line))
                .context("cannot write the rejects to stderr"),
        }
    }

    /// Makes sure that all rejects have been written. Returns the path of their file, if they went to one. Fails if
    /// there are rejects but nowhere to keep them.
    pub(crate) fn finish(&mut self) -> Result<Option<PathBuf>> {
        match self {
            Rejects::File(path, file) => {
                file.flush()
                    .with_context(|| format!("cannot write the rejects to `{}`", path.display()))?;
                Ok(Some(path.clone()))
            }
            Rejects::Objects(objects) => objects.flush().map(|()| None),
            Rejects::Refused { first: Some(first), count } => {
                let Rejected { source, line, reason, .. } = &**first;
                let failure = Failure::new(format!(
                    "{count} records cannot be indexed, and there is no REJECTS_URL to keep them; the first is {source}, line {line}: {reason}"
                ));
                Err(failure.with_hint("set REJECTS_URL to s3://bucket/prefix/"))
            }
            _ => Ok(None),
        }
    }
}

fn is_same_file(one: &Path, other: &Path) -> bool {
    matches!((one.canonicalize(), other.canonicalize()), (Ok(one), Ok(other)) if one == other)
}

fn refused(path: &Path, why: &str) -> Failure {
    let failure = Failure::new(format!("cannot write the rejects to `{}`: {why}", path.display()));
    failure.with_hint("name a new file: --rejects FILE")
}

/// The current time, in a form that fits into the name of a file. Only the name depends on the clock, not what the
/// file holds.
fn now_for_a_name() -> String {
    let time = Timestamp::from_millis(clock::now()).to_string();
    time.chars().filter(|c| c.is_ascii_alphanumeric()).collect()
}
