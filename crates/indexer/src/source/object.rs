//! Objects in S3 as sources, read from their start or from a checkpoint on.

use std::io::{self, Read};
use std::ops::Range;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use ingest::{Checkpoint, HEAD_BYTES, Origin, Timestamp};

use super::Counted;
use crate::aws::s3::{Body, S3, S3Object};
use crate::failure::Result;
use crate::stop::Stop;

/// The suffix of the keys of the Lambda's checkpoints, which it keeps beside its rejects. They hold no tweets, so a
/// listing of a bucket skips them.
pub(crate) const CHECKPOINT_EXTENSION: &str = ".checkpoint";

/// An object in S3, and where to continue in it.
#[derive(Debug, Clone)]
pub(crate) struct ObjectSource {
    pub(crate) s3: S3,
    pub(crate) object: S3Object,
    /// Where to continue reading. `None` to begin at the start.
    pub(crate) from: Option<Checkpoint>,
    /// Set once the object is open: the object with its entity tag and the time at which it was written.
    pub(crate) seen: Arc<OnceLock<S3Object>>,
}

impl ObjectSource {
    /// Opens the object. Also returns when it was written. `is_resumed` says that reading will go on in its middle.
    pub(super) fn open(
        &self,
        bytes_read: &Arc<AtomicU64>,
        stop: &Stop,
        is_resumed: bool,
    ) -> Result<(ObjectOrigin, Option<Timestamp>)> {
        let ObjectSource { s3, object, seen, .. } = self;
        let start = s3.open(object, 0..if is_resumed { HEAD_BYTES } else { u64::MAX }, stop)?;
        let (written_at, mut object) = (start.modified(), start.object());
        seen.get_or_init(|| object.clone());
        // What an event says of the size need not be so.
        object.size = start.size();
        let origin = ObjectOrigin {
            s3: s3.clone(),
            object,
            stop: stop.clone(),
            bytes_read: Arc::clone(bytes_read),
            start: Mutex::new(Some(start)),
        };
        Ok((origin, written_at))
    }
}

/// An object that is open.
pub(super) struct ObjectOrigin {
    s3: S3,
    object: S3Object,
    stop: Stop,
    bytes_read: Arc<AtomicU64>,
    /// The answer to the first request, until it is read.
    start: Mutex<Option<Body>>,
}

impl Origin for ObjectOrigin {
    fn length(&self) -> u64 {
        self.object.size.unwrap_or(u64::MAX)
    }

    fn read(&self, range: Range<u64>) -> io::Result<Box<dyn Read + Send>> {
        let is_at_start = range.start == 0;
        let start = || self.start.lock().unwrap_or_else(PoisonError::into_inner).take();
        let body = match is_at_start.then(start).flatten() {
            Some(start) => start,
            None => {
                // To the end, whatever was said about where that is.
                let end = if range.end == self.length() { u64::MAX } else { range.end };
                let range = range.start..end;
                self.s3.open(&self.object, range, &self.stop).map_err(io::Error::other)?
            }
        };
        let body = Counted::new(body, &self.bytes_read);
        Ok(match range.end == self.length() {
            true => Box::new(body),
            false => Box::new(body.take(range.end.saturating_sub(range.start))),
        })
    }
}
