//! Rejects: what could not be indexed, one JSON object a line, in a file or objects made only if needed.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use ingest::{Rejected, Timestamp};

use crate::clock;
use crate::failure::with_hint;
use crate::progress;
use crate::source::Source;

mod objects;

pub(crate) use objects::{Name, Objects};

/// Where rejects go.
pub(crate) enum Rejects {
    /// A file that is not there yet.
    Pending(PathBuf),
    /// A file that holds some.
    File(PathBuf, BufWriter<File>),
    /// Stderr.
    Stderr,
    /// S3.
    Objects(Objects),
    /// Nowhere: if there are any, what they come from has failed.
    Refused {
        /// The first.
        first: Option<Box<Rejected>>,
        /// How many there are.
        count: u64,
    },
    /// Nowhere, since they are read from where they would go.
    Kept,
}

impl Rejects {
    /// To the file `named`, else to a new one in `folder`.
    pub(crate) fn to_file(named: Option<PathBuf>, folder: &Path) -> Rejects {
        Rejects::Pending(
            named.unwrap_or_else(|| folder.join(format!("rejects-{}.ndjson", now_for_a_name()))),
        )
    }

    /// Makes sure that they will not be written into something else.
    ///
    /// # Errors
    ///
    /// If the file is one of the sources (reading what it writes, the run would never end), or holds
    /// anything but rejects.
    pub(crate) fn check(&self, sources: &[anyhow::Result<Source>]) -> anyhow::Result<()> {
        let Rejects::Pending(path) = self else { return Ok(()) };
        let Ok(canonical) = path.canonicalize() else { return Ok(()) };
        let refused = |why: &str| {
            let error = anyhow::anyhow!("cannot write the rejects to `{}`: {why}", path.display());
            with_hint(error, "name a new file: --rejects FILE")
        };
        let is_it = |source: &Source| matches!(source, Source::File(path) if path.canonicalize().is_ok_and(|path| path == canonical));
        if sources.iter().flatten().any(is_it) {
            return Err(refused("it is one of the sources"));
        }
        let mut first = String::new();
        let read = File::open(path)
            .and_then(|file| BufReader::new(file.take(1 << 20)).read_line(&mut first));
        let holds_rejects = first.is_empty()
            || serde_json::from_str::<Rejected>(&first).is_ok()
            || first.len() == 1 << 20;
        if read.is_ok() && !holds_rejects {
            return Err(refused("it holds something else"));
        }
        Ok(())
    }

    /// Writes one.
    pub(crate) fn write(&mut self, rejected: &Rejected) -> anyhow::Result<()> {
        match self {
            Rejects::Kept => return Ok(()),
            Rejects::Refused { first, count } => {
                first.get_or_insert_with(|| Box::new(rejected.clone()));
                *count += 1;
                return Ok(());
            }
            _ => {}
        }
        if let Rejects::Pending(path) = self {
            let file =
                OpenOptions::new().create(true).append(true).open(&path).map_err(|error| {
                    let error = anyhow::Error::new(error)
                        .context(format!("cannot write the rejects to `{}`", path.display()));
                    with_hint(error, "name a file that can be written: --rejects FILE")
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
            _ => progress::aside(|| io::stderr().write_all(&line))
                .context("cannot write the rejects to stderr"),
        }
    }

    /// Makes sure that all are written; tells where they are, if there are any in a file.
    pub(crate) fn finish(&mut self) -> anyhow::Result<Option<PathBuf>> {
        match self {
            Rejects::File(path, file) => {
                file.flush()
                    .with_context(|| format!("cannot write the rejects to `{}`", path.display()))?;
                Ok(Some(path.clone()))
            }
            Rejects::Objects(objects) => objects.flush().map(|()| None),
            Rejects::Refused { first: Some(first), count } => {
                let Rejected { source, line, reason, .. } = &**first;
                let error = anyhow::anyhow!(
                    "{count} records cannot be indexed, and there is no REJECTS_URL to keep them; the first is {source}, line {line}: {reason}"
                );
                Err(with_hint(error, "set REJECTS_URL to s3://bucket/prefix/"))
            }
            _ => Ok(None),
        }
    }
}

/// A file's name, not its content, may depend on the clock.
fn now_for_a_name() -> String {
    let time = Timestamp::from_millis(clock::now()).to_string();
    time.chars().filter(|c| c.is_ascii_alphanumeric()).collect()
}
