//! The rejects file: what could not be indexed, one JSON object a line, made only if it is needed.

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use ingest::{Rejected, Timestamp};

use crate::failure::with_hint;
use crate::progress;
use crate::source::Source;

/// Where rejects go.
pub(crate) enum Rejects {
    /// A file that is not there yet.
    Pending(PathBuf),
    /// A file that holds some.
    File(PathBuf, BufWriter<File>),
    /// Stderr.
    Stderr,
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
            _ => progress::aside(|| io::stderr().write_all(&line))
                .context("cannot write the rejects to stderr"),
        }
    }

    /// Makes sure that all are written; tells where they are, if there are any in a file.
    pub(crate) fn finish(&mut self) -> anyhow::Result<Option<PathBuf>> {
        let Rejects::File(path, file) = self else { return Ok(None) };
        file.flush()
            .with_context(|| format!("cannot write the rejects to `{}`", path.display()))?;
        Ok(Some(path.clone()))
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a file's name, not its content, may depend on the clock"
)]
fn now_for_a_name() -> String {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let time = Timestamp::from_millis(since_epoch.as_millis() as i64).to_string();
    time.chars().filter(|c| c.is_ascii_alphanumeric()).collect()
}
