//! Rejects as objects in S3. Every few megabytes make a new object, so that each is complete as soon as it exists.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use crate::aws::s3::{S3, S3Object, S3Uri};
use crate::failure::{Context, Result};

/// How many bytes are gathered before an object is written.
const OBJECT_BYTES: usize = 4 * 1024 * 1024;

/// Rejects on their way to S3.
pub(crate) struct RejectsObjects {
    s3: S3,
    prefix: S3Uri,
    /// The names of the objects, without the number at their end. The same records always get the same names, so that
    /// a retry replaces what was written before.
    name: RejectsName,
    n_written: u32,
    lines: Vec<u8>,
}

/// The names of objects with rejects.
pub(crate) enum RejectsName {
    /// This name.
    Fixed(String),
    /// A name made from the object that was read (which is set once the object is open) and the number of the record
    /// at which reading began.
    Of(Arc<OnceLock<S3Object>>, u64),
}

/// How many bytes of an object's key become a part of the names of its rejects. S3 allows keys of 1,024 bytes.
const MAX_KEY_BYTES: usize = 600;

impl RejectsName {
    fn stem(&self) -> String {
        match self {
            RejectsName::Fixed(name) => name.clone(),
            RejectsName::Of(object, from) => match object.get() {
                Some(object) => {
                    let S3Uri { bucket, key } = &object.uri;
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

impl RejectsObjects {
    pub(crate) fn new(s3: &S3, prefix: &S3Uri, name: RejectsName) -> RejectsObjects {
        let (s3, prefix) = (s3.clone(), prefix.clone());
        RejectsObjects { s3, prefix, name, n_written: 0, lines: Vec::new() }
    }

    pub(super) fn write(&mut self, line: &[u8]) -> Result<()> {
        self.lines.extend_from_slice(line);
        if self.lines.len() < OBJECT_BYTES { Ok(()) } else { self.flush() }
    }

    pub(super) fn flush(&mut self) -> Result<()> {
        if self.lines.is_empty() {
            return Ok(());
        }
        let name = format!("{}-{:04}.ndjson", self.name.stem(), self.n_written);
        let uri = self.prefix.join(&name);
        let lines = Bytes::from(std::mem::take(&mut self.lines));
        self.s3
            .put_rejects(&uri, lines)
            .with_context(|| format!("cannot write the rejects to {uri}"))?;
        tracing::warn!("there are rejects in {uri}");
        self.n_written += 1;
        Ok(())
    }
}
