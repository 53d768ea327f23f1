//! Rejects as objects in S3: a new one for every few megabytes, so that each is whole when it is there.

use std::sync::{Arc, OnceLock};

use anyhow::Context;
use bytes::Bytes;

use crate::aws::s3::{Location, Object, S3};

/// How much is gathered before it is written, in bytes.
const OBJECT_BYTES: usize = 4 * 1024 * 1024;

/// Rejects on their way to S3.
pub(crate) struct Objects {
    s3: S3,
    prefix: Location,
    /// What they are called, but for the number: the same for the same records, so that a retry writes
    /// the same objects and not more of them.
    name: Name,
    n_written: u32,
    lines: Vec<u8>,
}

/// What rejects are called.
pub(crate) enum Name {
    /// So.
    Fixed(String),
    /// After the object that they are of, which is known once it is open, and where reading began.
    Of(Arc<OnceLock<Object>>, u64),
}

/// The longest part of an object's key that is part of the names of its rejects, in bytes; S3 allows 1,024
/// in all.
const MAX_KEY_BYTES: usize = 600;

impl Name {
    fn stem(&self) -> String {
        match self {
            Name::Fixed(name) => name.clone(),
            Name::Of(object, from) => match object.get() {
                Some(object) => {
                    let Location { bucket, key } = &object.location;
                    let is_end = |at: &usize| key.is_char_boundary(*at);
                    let cut = (0..=MAX_KEY_BYTES.min(key.len())).rev().find(is_end);
                    let key = &key[..cut.unwrap_or_default()];
                    format!("{bucket}/{key}.{}-{from}", &object.digest()[..8])
                }
                None => format!("unopened-{from}"),
            },
        }
    }
}

impl Objects {
    pub(crate) fn new(s3: &S3, prefix: &Location, name: Name) -> Objects {
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
        let name = format!("{}-{:04}.ndjson", self.name.stem(), self.n_written);
        let location = self.prefix.join(&name);
        let lines = Bytes::from(std::mem::take(&mut self.lines));
        self.s3
            .put_rejects(&location, lines)
            .with_context(|| format!("cannot write the rejects to {location}"))?;
        tracing::warn!("there are rejects in {location}");
        self.n_written += 1;
        Ok(())
    }
}
