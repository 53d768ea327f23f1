//! Where tweets come from: files, folders, globs, pipes, objects in S3. Finds and opens them, and nothing else.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::UNIX_EPOCH;

use ingest::{Batches, Checkpoint, Error, Input, Options, Timestamp};

use crate::failure::{Failure, Result};
use crate::stop::Stop;

mod file;
mod folder;
mod glob;
mod listing;
mod object;
mod pipe;
mod spool;
mod together;

use file::FileOrigin;
pub(crate) use folder::{PROGRESS_FILE, RESUME_FILE};
pub(crate) use listing::{Listed, Listing, ObjectFilter};
pub(crate) use object::{CHECKPOINT_EXTENSION, ObjectSource};
use pipe::Pipe;
use spool::TempFiles;

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

/// A file that a source holds: itself, or one in an archive.
pub(crate) struct Member<'m> {
    /// Its name in documents and messages.
    pub(crate) name: String,
    /// Its records, or why it cannot be read.
    pub(crate) batches: std::result::Result<Batches<'m>, Error>,
    /// When the source was written, if that is known.
    pub(crate) written_at: Option<Timestamp>,
}

/// Takes the members of a source, until it breaks.
pub(crate) type Visit<'v> = dyn FnMut(Member<'_>) -> ControlFlow<()> + 'v;

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

    /// Opens the source, and hands what it holds to `visit`, one member after the other. The number of bytes that are read
    /// from it is added to `bytes_read`. With `from`, reading goes on there.
    ///
    /// # Errors
    ///
    /// If the source cannot be read, or not to its end. What is wrong with a member of an archive is passed to `visit`.
    pub(crate) fn read(
        &self,
        options: &Arc<Options>,
        bytes_read: &Arc<AtomicU64>,
        stop: &Stop,
        from: Option<&Checkpoint>,
        visit: &mut Visit<'_>,
    ) -> Result<()> {
        let name = self.name();
        let mut options = Arc::clone(options);
        let (input, written_at, from) = match self {
            Source::File(path) => {
                options = together::options_for(path, &options);
                let file = File::open(path).map_err(|error| {
                    let hint = match error.kind() {
                        io::ErrorKind::PermissionDenied => "check the file's permissions",
                        _ => "check the name",
                    };
                    Failure::from(error).with_hint(hint)
                })?;
                let written_at = written_at(&file.metadata()?);
                let input = match together::page_of(path) {
                    Some(page) => Input::Stream(Box::new(Counted::new(page?, bytes_read))),
                    None => Input::Origin(Arc::new(FileOrigin::new(file, Arc::clone(bytes_read))?)),
                };
                (input, written_at, from)
            }
            Source::Stream(path) => {
                let pipe = Pipe::start(path.clone(), stop.clone());
                (Input::Stream(Box::new(Counted::new(pipe, bytes_read))), None, None)
            }
            Source::Object(source) => {
                let from = source.from.as_ref().or(from);
                let is_resumed = from.is_some_and(|from| from.position.is_begun());
                let (origin, written_at) = source.open(bytes_read, stop, is_resumed)?;
                (Input::Origin(Arc::new(origin)), written_at, from)
            }
        };
        let spool = TempFiles { source: &name };
        ingest::unpack(input, &options, &spool, from, &mut |member| {
            let name = match member.path {
                Some(path) => format!("{name}/{path}"),
                None => name.clone(),
            };
            visit(Member { name, batches: member.batches, written_at })
        })?;
        Ok(())
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
