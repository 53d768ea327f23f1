//! The rejects file: what could not be indexed, one JSON object a line, made only if it is needed.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context;
use ingest::{Rejected, Timestamp};

use crate::failure::with_hint;
use crate::progress;

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
