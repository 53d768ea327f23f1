//! Where tweets come from: files, folders, globs, pipes, objects in S3. Finds and opens them, and nothing else.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::UNIX_EPOCH;

use ingest::{Batches, Options, Timestamp};

use crate::failure::{Failure, Result};
use crate::stop::Stop;

mod folder;
mod glob;
mod listing;
mod object;
mod pipe;

pub(crate) use folder::RESUME_FILE;
pub(crate) use listing::{Listed, Listing, ObjectFilter};
pub(crate) use object::{CHECKPOINT_EXTENSION, ObjectSource};
use pipe::Pipe;

/// Something to read tweets from.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    /// A regular file, which can be read again.
    File(PathBuf),
    /// Standard input, or what has a path but is not a regular file: a named pipe, `<(…)`, a device.
    Stream(Option<PathBuf>),
    /// An object in S3.
    Object(Box<ObjectSource>),
}

/// A source that is open.
pub(crate) struct Input {
    pub(crate) batches: Batches<'static>,
    /// When the source was written, if that is known.
    pub(crate) written_at: Option<Timestamp>,
}

impl Source {
    /// The source that has this path.
    pub(crate) fn at(path: PathBuf, meta: &Metadata) -> Source {
        match meta.is_file() {
            true => Source::File(path),
            false => Source::Stream(Some(path)),
        }
    }

    /// Its name in documents and messages.
    pub(crate) fn name(&self) -> String {
        match self {
            Source::File(path) | Source::Stream(Some(path)) => path.display().to_string(),
            Source::Stream(None) => "-".to_owned(),
            Source::Object(source) => source.object.uri.to_string(),
        }
    }

    /// Whether it can be read a second time. A pipe cannot.
    pub(crate) fn can_be_read_again(&self) -> bool {
        !matches!(self, Source::Stream(_))
    }

    /// How many bytes there are to read, if that is known.
    pub(crate) fn length(&self) -> Option<u64> {
        match self {
            Source::File(path) => path.metadata().ok().map(|meta| meta.len()),
            Source::Stream(_) => None,
            Source::Object(source) => source.object.size,
        }
    }

    /// Identifies the current content of the source by its length and its modification time, without reading it.
    /// `None` for a stream, or if either of them is not known.
    pub(crate) fn version(&self) -> Option<String> {
        let (length, modified) = match self {
            Source::File(path) => {
                let meta = path.metadata().ok()?;
                (meta.len(), written_at(&meta)?)
            }
            Source::Stream(_) => return None,
            Source::Object(source) => (source.object.size?, source.object.modified?),
        };
        Some(format!("{length} bytes, {modified}"))
    }

    /// Opens the source and detects its format. The number of bytes that are read from it is added to `bytes_read`.
    pub(crate) fn open(
        &self,
        options: &Arc<Options>,
        bytes_read: &Arc<AtomicU64>,
        stop: &Stop,
    ) -> Result<Input> {
        let (reader, written_at): (Box<dyn Read + Send>, _) = match self {
            Source::File(path) => {
                let file = File::open(path).map_err(|error| {
                    let hint = match error.kind() {
                        io::ErrorKind::PermissionDenied => "check the file's permissions",
                        _ => "check the name",
                    };
                    Failure::from(error).with_hint(hint)
                })?;
                let written_at = written_at(&file.metadata()?);
                (Box::new(file), written_at)
            }
            Source::Stream(path) => (Box::new(Pipe::start(path.clone(), stop.clone())), None),
            Source::Object(source) => return source.open(options, bytes_read, stop),
        };
        let batches = ingest::open(Counted::new(reader, bytes_read), options)?;
        Ok(Input { batches, written_at })
    }
}

fn written_at(meta: &Metadata) -> Option<Timestamp> {
    let since_epoch = meta.modified().ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(Timestamp::from_millis(since_epoch.as_millis() as i64))
}

/// Counts the bytes that are read.
struct Counted<R> {
    reader: R,
    bytes_read: Arc<AtomicU64>,
}

impl<R> Counted<R> {
    fn new(reader: R, bytes_read: &Arc<AtomicU64>) -> Counted<R> {
        Counted { reader, bytes_read: Arc::clone(bytes_read) }
    }
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let length = self.reader.read(buf)?;
        self.bytes_read.fetch_add(length as u64, Ordering::Relaxed);
        Ok(length)
    }
}
