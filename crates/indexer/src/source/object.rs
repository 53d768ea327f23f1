//! Objects in S3 as sources, read from their start or from a checkpoint on.

use std::io::{self, Read};
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, OnceLock};

use ingest::{Checkpoint, Options};

use super::{Counted, Input};
use crate::aws::s3::{S3, S3Object};
use crate::failure::Result;
use crate::stop::Stop;

/// The suffix of the keys of the Lambda's checkpoints, which it keeps beside its rejects. They hold no tweets, so a
/// listing of a bucket skips them.
pub(crate) const CHECKPOINT_EXTENSION: &str = ".checkpoint";

/// When reading continues in the middle of an object, its format is detected from its head, which ends at one of
/// these byte offsets. The first is enough for a compressed object. The part between the two is only requested if
/// more is needed, as for an object that is not compressed.
const HEAD: u64 = 20 * 1024;
const REST_OF_HEAD: u64 = 84 * 1024;

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
    pub(super) fn open(
        &self,
        options: &Arc<Options>,
        bytes_read: &Arc<AtomicU64>,
        stop: &Stop,
    ) -> Result<Input> {
        let ObjectSource { s3, object, from, seen } = self;
        let checkpoint = from.as_ref().filter(|from| from.position.offset > 0);
        // The format is detected from the beginning, also if reading goes on in the middle.
        let start = s3.open(object, 0..checkpoint.map_or(u64::MAX, |_| HEAD), stop)?;
        let (written_at, object) = (start.modified(), start.object());
        seen.get_or_init(|| object.clone());
        let Some(checkpoint) = checkpoint else {
            let batches = ingest::open(Counted::new(start, bytes_read), options)?;
            return Ok(Input { batches, written_at });
        };
        let rest = Lazy::new({
            let (s3, object, stop) = (s3.clone(), object.clone(), stop.clone());
            move || s3.open(&object, HEAD..REST_OF_HEAD, &stop).map_err(io::Error::other)
        });
        let mut batches = ingest::open(Counted::new(start.chain(rest), bytes_read), options)?;
        batches.resume(checkpoint, |at| {
            let body = s3.open(&object, at..u64::MAX, stop).map_err(io::Error::other)?;
            Ok(Counted::new(body, bytes_read))
        })?;
        Ok(Input { batches, written_at })
    }
}

/// A reader that is opened when it is first read.
enum Lazy<F, R> {
    Closed(Option<F>),
    Open(R),
}

impl<F: FnOnce() -> io::Result<R>, R> Lazy<F, R> {
    fn new(open: F) -> Lazy<F, R> {
        Lazy::Closed(Some(open))
    }
}

impl<F: FnOnce() -> io::Result<R>, R: Read> Read for Lazy<F, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            match self {
                Lazy::Open(reader) => return reader.read(buf),
                Lazy::Closed(open) => match open.take() {
                    Some(open) => *self = Lazy::Open(open()?),
                    None => return Ok(0),
                },
            }
        }
    }
}
