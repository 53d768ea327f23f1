//! Where tweets come from: files, folders, globs, standard input, S3. Finds and opens them, nothing else.

use std::collections::HashSet;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, UNIX_EPOCH};

use anyhow::{Context, bail};
use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};
use ingest::{Batches, Checkpoint, Options, Timestamp};

use crate::aws::s3::{Location, Object, S3};
use crate::cli::Objects;
use crate::failure::with_hint;
use crate::stop::Stop;

/// Something to read tweets from.
#[derive(Debug, Clone)]
pub(crate) enum Source {
    /// A file.
    File(PathBuf),
    /// Standard input.
    Stdin,
    /// An object in S3.
    Object(Box<ObjectSource>),
}

/// An object in S3, and where to go on in it.
#[derive(Debug, Clone)]
pub(crate) struct ObjectSource {
    pub(crate) s3: S3,
    pub(crate) object: Object,
    pub(crate) from: Option<Checkpoint>,
    /// What turned out when it was opened: its entity tag, and when it was written.
    pub(crate) seen: Arc<OnceLock<Object>>,
}

/// A source that is open.
pub(crate) struct Input {
    pub(crate) batches: Batches<'static>,
    /// When it was written.
    pub(crate) written_at: Option<Timestamp>,
}

impl Source {
    /// Its name in documents and messages.
    pub(crate) fn name(&self) -> String {
        match self {
            Source::File(path) => path.display().to_string(),
            Source::Stdin => "-".to_owned(),
            Source::Object(source) => source.object.location.to_string(),
        }
    }

    /// Whether what it says is nowhere else.
    pub(crate) fn is_pipe(&self) -> bool {
        matches!(self, Source::Stdin)
    }

    /// How many bytes there are to read, if that is known.
    pub(crate) fn length(&self) -> Option<u64> {
        match self {
            Source::File(path) => {
                path.metadata().ok().filter(|meta| meta.is_file()).map(|meta| meta.len())
            }
            Source::Stdin => None,
            Source::Object(source) => source.object.size,
        }
    }

    /// Which content it has, as far as that can be told without reading it.
    pub(crate) fn version(&self) -> Option<String> {
        let (length, modified) = match self {
            Source::File(path) => {
                let meta = path.metadata().ok().filter(Metadata::is_file)?;
                (meta.len(), written_at(&meta)?)
            }
            Source::Stdin => return None,
            Source::Object(source) => (source.object.size?, source.object.modified?),
        };
        Some(format!("{length} bytes, {modified}"))
    }

    /// Opens it and tells its format; what is read is added to `bytes_read`.
    pub(crate) fn open(
        &self,
        options: &Arc<Options>,
        bytes_read: &Arc<AtomicU64>,
        stop: &Stop,
    ) -> anyhow::Result<Input> {
        let (reader, written_at): (Box<dyn Read + Send>, _) = match self {
            Source::File(path) => {
                let file = File::open(path).map_err(|error| {
                    let hint = match error.kind() {
                        io::ErrorKind::PermissionDenied => "check the file's permissions",
                        _ => "check the name",
                    };
                    with_hint(error, hint)
                })?;
                let written_at = written_at(&file.metadata()?);
                (Box::new(file), written_at)
            }
            Source::Stdin => (Box::new(Pipe::start(stop.clone())), None),
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

/// How much of an object is read to tell its format, when reading goes on further down, in bytes: little is
/// enough if it is compressed, else the rest.
const HEAD: u64 = 20 * 1024;
const REST_OF_HEAD: u64 = 84 * 1024;

impl ObjectSource {
    fn open(
        &self,
        options: &Arc<Options>,
        bytes_read: &Arc<AtomicU64>,
        stop: &Stop,
    ) -> anyhow::Result<Input> {
        let ObjectSource { s3, object, from, seen } = self;
        let checkpoint = from.as_ref().filter(|from| from.position.offset > 0);
        let start = s3.open(object, 0..checkpoint.map_or(u64::MAX, |_| HEAD), stop)?;
        let (written_at, object) = (start.modified(), start.object());
        seen.get_or_init(|| object.clone());
        let Some(checkpoint) = checkpoint else {
            let batches = ingest::open(Counted::new(start, bytes_read), options)?;
            return Ok(Input { batches, written_at });
        };
        let rest = Later::new({
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

/// Standard input, read by a thread of its own, so that Ctrl-C is noticed while a pipe says nothing: then
/// it breaks off, and what it had said is still worked on.
struct Pipe {
    chunks: Receiver<io::Result<Vec<u8>>>,
    chunk: io::Cursor<Vec<u8>>,
    stop: Stop,
    /// How many chunks were taken after Ctrl-C.
    last_chunks: usize,
}

impl Pipe {
    fn start(stop: Stop) -> Pipe {
        let (sender, chunks) = bounded(4);
        thread::spawn(move || {
            let mut stdin = io::stdin().lock();
            loop {
                let mut chunk = vec![0; 64 * 1024];
                let read = stdin.read(&mut chunk).map(|length| {
                    chunk.truncate(length);
                    chunk
                });
                let is_last = !matches!(&read, Ok(chunk) if !chunk.is_empty());
                if sender.send(read).is_err() || is_last {
                    return;
                }
            }
        });
        Pipe { chunks, chunk: io::Cursor::default(), stop, last_chunks: 0 }
    }
}

/// How many chunks of what was said before Ctrl-C may still be on their way.
const LAST_CHUNKS: usize = 8;

impl Read for Pipe {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.chunk.position() == self.chunk.get_ref().len() as u64 {
            let is_stopping = self.stop.is_set();
            self.last_chunks += usize::from(is_stopping);
            let wait = Duration::from_millis(if is_stopping { 0 } else { 100 });
            match self.chunks.recv_timeout(wait) {
                _ if self.last_chunks > LAST_CHUNKS => return Err(io::Error::other("interrupted")),
                Ok(chunk) if matches!(&chunk, Ok(chunk) if chunk.is_empty()) => return Ok(0),
                Ok(chunk) => self.chunk = io::Cursor::new(chunk?),
                Err(RecvTimeoutError::Timeout) if is_stopping => {
                    return Err(io::Error::other("interrupted"));
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(0),
            }
        }
        self.chunk.read(buf)
    }
}

/// A reader that is opened when it is first read.
enum Later<F, R> {
    Closed(Option<F>),
    Open(R),
}

impl<F: FnOnce() -> io::Result<R>, R> Later<F, R> {
    fn new(open: F) -> Later<F, R> {
        Later::Closed(Some(open))
    }
}

impl<F: FnOnce() -> io::Result<R>, R: Read> Read for Later<F, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            match self {
                Later::Open(reader) => return reader.read(buf),
                Later::Closed(open) => match open.take() {
                    Some(open) => *self = Later::Open(open()?),
                    None => return Ok(0),
                },
            }
        }
    }
}

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

/// What the command line's sources stand for; each is found by itself, so that one that is not there
/// does not stop the others.
pub(crate) fn expand(arguments: &[String], objects: &Objects) -> Vec<anyhow::Result<Source>> {
    let mut sources = Vec::new();
    for argument in arguments {
        let mut found = Vec::new();
        match expand_one(argument, objects, &mut found) {
            Ok(()) => sources.extend(found.into_iter().map(Ok)),
            Err(error) => sources.push(Err(error)),
        }
    }
    sources
}

fn expand_one(argument: &str, objects: &Objects, found: &mut Vec<Source>) -> anyhow::Result<()> {
    if argument == "-" {
        found.push(Source::Stdin);
        return Ok(());
    }
    if argument.starts_with("s3://") {
        return list(argument, objects, found);
    }
    if argument.contains("://") {
        let error = anyhow::anyhow!("cannot read `{argument}`: its scheme is not known");
        return Err(with_hint(error, "name files, folders, s3://bucket/prefix, or - for a pipe"));
    }
    let path = Path::new(argument);
    match path.metadata() {
        Ok(meta) if meta.is_dir() => {
            walk(path, found).with_context(|| format!("cannot read the folder `{argument}`"))?;
            if found.is_empty() {
                let error = anyhow::anyhow!("the folder `{argument}` holds no files");
                return Err(with_hint(error, "name the files, or a folder that holds them"));
            }
            Ok(())
        }
        Ok(_) => {
            found.push(Source::File(path.to_owned()));
            Ok(())
        }
        Err(error) => expand_glob(argument, error, found),
    }
}

/// How the names of what the function keeps beside its rejects end: those are no tweets.
pub(crate) const CHECKPOINT_EXTENSION: &str = ".checkpoint";

/// The objects below a prefix that are asked for.
fn list(argument: &str, wanted: &Objects, found: &mut Vec<Source>) -> anyhow::Result<()> {
    let unreadable = || format!("cannot list `{argument}`");
    let prefix: Location = argument.parse().map_err(anyhow::Error::msg).with_context(unreadable)?;
    let s3 = S3::new()?;
    let listed = s3.list(&prefix, wanted.start_after.as_deref()).with_context(unreadable)?;
    let n_listed = listed.len();
    let is_wanted = |object: &Object| {
        let after = |from| object.modified.is_none_or(|time| time >= from);
        let before = |to| object.modified.is_none_or(|time| time < to);
        // Consoles make empty objects for folders; beside rejects, the function keeps where it was.
        object.size != Some(0)
            && !object.location.key.ends_with(CHECKPOINT_EXTENSION)
            && wanted.modified_from.is_none_or(after)
            && wanted.modified_to.is_none_or(before)
    };
    found.extend(listed.into_iter().filter(is_wanted).map(|object| {
        let (s3, seen) = (s3.clone(), Arc::default());
        Source::Object(Box::new(ObjectSource { s3, object, from: None, seen }))
    }));
    if found.is_empty() {
        let error = match n_listed {
            0 => anyhow::anyhow!("no object begins with `{argument}`"),
            n => anyhow::anyhow!("of {n} objects that begin with `{argument}`, none is to be read"),
        };
        return Err(with_hint(
            error,
            "check the bucket and the prefix, and --start-after, --modified-from and --modified-to: aws s3 ls",
        ));
    }
    Ok(())
}

/// A name that is no file may be a pattern that the shell did not expand.
fn expand_glob(argument: &str, error: io::Error, found: &mut Vec<Source>) -> anyhow::Result<()> {
    let unreadable = || format!("cannot read `{argument}`");
    if !argument.contains(['*', '?', '[']) {
        let hint = match error.kind() {
            io::ErrorKind::PermissionDenied => "check the permissions of the file and its folders",
            _ => "check the name; relative names start from the current folder",
        };
        return Err(with_hint(anyhow::Error::new(error).context(unreadable()), hint));
    }
    let paths = glob::glob(argument).with_context(unreadable)?;
    // By links, a pattern may come to the same file on many ways.
    let mut seen = HashSet::new();
    for path in paths {
        let path = path.with_context(unreadable)?;
        if path.is_dir() {
            walk(&path, found).with_context(unreadable)?;
        } else if path.canonicalize().is_ok_and(|canonical| seen.insert(canonical)) {
            found.push(Source::File(path));
        }
    }
    if found.is_empty() {
        let error = anyhow::anyhow!("no file matches `{argument}`");
        return Err(with_hint(error, "check the pattern; ** stands for folders however deep"));
    }
    Ok(())
}

/// All files below a folder, in the order of their names; not hidden ones, not a store, not the rejects of
/// earlier runs (which are read when they are named), and not what links to folders lead to.
fn walk(folder: &Path, found: &mut Vec<Source>) -> anyhow::Result<()> {
    let is_store = folder.join("meta.json").is_file() && folder.join(".managed.json").is_file();
    if is_store {
        return Ok(());
    }
    let mut paths = Vec::new();
    for entry in folder.read_dir()? {
        paths.push(entry?.path());
    }
    paths.sort_unstable();
    for path in paths {
        let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
        let is_rejects = name.starts_with("rejects-") && name.ends_with(".ndjson");
        if name.starts_with('.') || is_rejects {
            continue;
        }
        // Neither a pipe that nobody fills nor a link that leads back up.
        let is_link = path.symlink_metadata().is_ok_and(|meta| meta.is_symlink());
        if path.is_dir() && !is_link {
            walk(&path, found)?;
        } else if path.is_file() {
            found.push(Source::File(path));
        }
    }
    if found.len() > 1_000_000 {
        bail!("there are more than a million files");
    }
    Ok(())
}
