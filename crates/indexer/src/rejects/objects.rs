//! Rejects as objects in S3: a new one for every few megabytes, so that each is whole when it is there.

use anyhow::Context;

use crate::aws::s3::{Location, S3};

/// How much is gathered before it is written, in bytes.
const OBJECT_BYTES: usize = 4 * 1024 * 1024;

/// Rejects on their way to S3.
pub(crate) struct Objects {
    s3: S3,
    prefix: Location,
    /// What they are called, but for the number: the same for the same records, so that a retry writes
    /// the same objects and not more of them.
    name: String,
    n_written: u32,
    lines: Vec<u8>,
}

impl Objects {
    pub(crate) fn new(s3: &S3, prefix: &Location, name: String) -> Objects {
        let (s3, prefix) = (s3.clone(), prefix.clone());
        Objects { s3, prefix, name, n_written: 0, lines: Vec::new() }
    }

    pub(super) fn write(&mut self, line: &[u8]) -> anyhow::Result<()> {
        self.lines.extend_from_slice(line);
        if self.lines.len() < OBJECT_BYTES { Ok(()) } else { self.flush() }
    }

    pub(super) fn flush(&mut self) -> anyhow::Result<()> {
        if self.lines.is_empty() {
            return Ok(());
        }
        let location = self.prefix.join(&format!("{}-{:04}.ndjson", self.name, self.n_written));
        self.s3
            .put(&location, std::mem::take(&mut self.lines))
            .with_context(|| format!("cannot write the rejects to {location}"))?;
        tracing::warn!("there are rejects in {location}");
        self.n_written += 1;
        Ok(())
    }
}
