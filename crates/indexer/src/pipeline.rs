//! Through which every record flows: read -> split -> parse -> enrich -> write.
//!
//! A thread for each source in reach reads and splits; a pool parses and enriches batches side by side;
//! the calling thread writes the results in the order of the sources and of their records, so that the
//! same run always gives the same store. Every arrow is a channel of bounded length: whoever is ahead
//! waits.

use std::collections::VecDeque;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use enrich::{Document, Origin, enrich};
use ingest::{Batch, Item, MAX_ID_BYTES, Options, Rejected, Stage, Timestamp};

use crate::failure;
use crate::progress::Progress;
use crate::rejects::Rejects;
use crate::report::Report;
use crate::source::Source;
use crate::store::{Address, Delivery, StoreError, Writer, Written};

/// How many sources are read side by side.
const SOURCES_AHEAD: usize = 4;
/// How many batches of a source may be under way.
const BATCHES_AHEAD: usize = 4;
/// How long a source that says nothing is waited for after Ctrl-C.
const LAST_WORDS: Duration = Duration::from_secs(2);

/// Where documents go.
pub(crate) enum Output<'w> {
    /// Into a store, which is opened when there is something to write: a run that finds nothing to
    /// read leaves no trace.
    Store(Box<StoreOutput>),
    /// Out as NDJSON.
    Lines(&'w mut dyn Write),
    /// Nowhere; they are only counted.
    Nowhere,
}

/// A store to write to.
pub(crate) struct StoreOutput {
    pub(crate) address: Address,
    /// Whether what is in it is dropped first.
    pub(crate) recreate: bool,
    pub(crate) writer: Option<Writer>,
    /// Set by Ctrl-C.
    pub(crate) stop: Arc<AtomicBool>,
}

impl StoreOutput {
    /// Makes sure that there is a store to write to.
    fn open(&mut self) -> Result<&mut Writer, StoreError> {
        let writer = match self.writer.take() {
            Some(writer) => writer,
            None => Writer::open(&self.address, self.recreate, &self.stop)?,
        };
        Ok(self.writer.insert(writer))
    }

    fn write(
        &mut self,
        deliveries: Vec<Delivery>,
        written: &mut Written,
    ) -> Result<(), StoreError> {
        match deliveries.is_empty() {
            true => Ok(()),
            false => self.open()?.write(deliveries, written),
        }
    }

    fn finish(self, written: &mut Written) -> Result<(), StoreError> {
        self.writer.map_or(Ok(()), |writer| writer.finish(written))
    }
}

/// What a batch became.
#[derive(Default)]
struct Enriched {
    deliveries: Vec<Delivery>,
    lines: Vec<u8>,
    rejected: Vec<Rejected>,
    report: Report,
}

/// A batch for the pool, and where to send what it becomes.
struct Job {
    batch: Batch,
    source: Arc<SourceInfo>,
    as_lines: bool,
    reply: Sender<Enriched>,
}

struct SourceInfo {
    name: Arc<str>,
    written_at: Option<Timestamp>,
}

/// What a source's thread sends: its batches under way, in order, and at last why there are no more.
enum Sent {
    Batch(Receiver<Enriched>),
    Failed(anyhow::Error),
}

/// What a run came to.
pub(crate) struct Ended {
    pub(crate) report: Report,
    /// Why it stopped before its end; what had been read and was not taken is in the rejects.
    pub(crate) failure: Option<StoreError>,
}

/// Reads `sources` into `output`. A source that fails is logged and counted, and the others go on;
/// when `stop` is set, what is under way is finished and the rest left.
///
/// # Errors
///
/// If the output or the rejects cannot be written.
pub(crate) fn run(
    sources: Vec<anyhow::Result<Source>>,
    options: &Arc<Options>,
    mut output: Output<'_>,
    rejects: &mut Rejects,
    stop: &Arc<AtomicBool>,
) -> anyhow::Result<Ended> {
    let started = Instant::now();
    let bytes_read = Arc::new(AtomicU64::new(0));
    let total = sources.iter().flatten().map(Source::length).sum::<Option<u64>>();
    let has_pipe = sources.iter().flatten().any(|source| *source == Source::Stdin);
    let mut progress = Progress::start(total);
    let mut ended = Ended { report: Report::default(), failure: None };
    let jobs = start_pool();
    let as_lines = matches!(output, Output::Lines(_));
    if let Output::Store(store) = &mut output
        && let Address::Cluster(_) = store.address
        && sources.iter().any(Result::is_ok)
    {
        // Before anything is read: what is the matter with a cluster is most often its address.
        store.open()?;
    }

    let mut waiting: VecDeque<_> = sources.into();
    let mut open: VecDeque<(String, Receiver<Sent>)> = VecDeque::new();
    let mut silent_since = None;
    loop {
        while !stop.load(Ordering::Relaxed)
            && open.len() < SOURCES_AHEAD
            && let Some(source) = waiting.pop_front()
        {
            match source {
                Ok(source) => {
                    let sent = start_source(&source, options, &jobs, as_lines, &bytes_read, stop);
                    open.push_back((source.name(), sent));
                }
                Err(error) => {
                    ended.report.failed_sources += 1;
                    failure::log(&error);
                }
            }
        }
        let Some((name, sent)) = open.front() else { break };
        // Waits in steps, so that a pipe that says nothing can be interrupted.
        match sent.recv_timeout(Duration::from_millis(100)) {
            Ok(Sent::Batch(enriched)) => {
                let enriched = enriched.recv().context("a thread that enriches has died")?;
                ended.write(enriched, &mut output, rejects, has_pipe)?;
                if ended.failure.is_some() {
                    // Only what was read already is still to be rejected.
                    stop.store(true, Ordering::Relaxed);
                }
                progress.at(bytes_read.load(Ordering::Relaxed), ended.report.read);
            }
            Ok(Sent::Failed(_)) if ended.failure.is_some() => {}
            Ok(Sent::Failed(error)) => {
                ended.report.failed_sources += 1;
                failure::log(&error.context(format!("cannot read `{name}`")));
            }
            Err(RecvTimeoutError::Disconnected) => {
                open.pop_front();
            }
            Err(RecvTimeoutError::Timeout) if stop.load(Ordering::Relaxed) => {
                if silent_since.get_or_insert_with(Instant::now).elapsed() > LAST_WORDS {
                    break;
                }
                continue;
            }
            Err(RecvTimeoutError::Timeout) => {}
        }
        silent_since = None;
    }
    match output {
        Output::Store(store) => {
            let mut written = Written::default();
            let done = store.finish(&mut written);
            ended.settle(written, done, rejects, has_pipe)?;
        }
        Output::Lines(out) => out.flush().context("cannot write to stdout")?,
        Output::Nowhere => {}
    }
    progress.finish();
    ended.report.bytes = bytes_read.load(Ordering::Relaxed);
    ended.report.seconds = started.elapsed().as_secs_f64();
    Ok(ended)
}

impl Ended {
    fn write(
        &mut self,
        mut enriched: Enriched,
        output: &mut Output<'_>,
        rejects: &mut Rejects,
        has_pipe: bool,
    ) -> anyhow::Result<()> {
        for rejected in &enriched.rejected {
            rejects.write(rejected)?;
        }
        let deliveries = std::mem::take(&mut enriched.deliveries);
        let n_documents = enriched.report.read - enriched.report.notices - enriched.report.rejected;
        self.report.add(enriched.report);
        match output {
            Output::Store(store) => {
                let mut written = Written::default();
                let done = store.write(deliveries, &mut written);
                self.settle(written, done, rejects, has_pipe)?;
            }
            Output::Lines(out) => {
                out.write_all(&enriched.lines).context("cannot write to stdout")?;
                self.report.created += n_documents;
            }
            Output::Nowhere => self.report.created += n_documents,
        }
        Ok(())
    }

    /// Takes note of what was written, and of what was not.
    ///
    /// # Errors
    ///
    /// If the store is of no use any more, and nothing would be saved by going on.
    fn settle(
        &mut self,
        written: Written,
        done: Result<(), StoreError>,
        rejects: &mut Rejects,
        has_pipe: bool,
    ) -> anyhow::Result<()> {
        self.report.add_written(&written);
        if let Err(error) = done {
            // Nothing has been taken, and files can be read again: then there is nothing to save.
            let took_nothing = self.report.created + self.report.updated == 0;
            if !error.rejects_the_rest() || took_nothing && !has_pipe {
                return Err(error.into());
            }
            self.failure.get_or_insert(error);
        }
        for rejected in &written.rejected {
            rejects.write(rejected)?;
        }
        Ok(())
    }
}

/// Starts the threads that enrich; they end when the returned sender and all its clones are gone.
fn start_pool() -> Sender<Job> {
    let n_threads = thread::available_parallelism().map_or(1, |n| n.get());
    let (jobs, queue) = bounded::<Job>(n_threads);
    for _ in 0..n_threads {
        let queue = queue.clone();
        thread::spawn(move || {
            for job in queue {
                // Nobody waits for the answer of a run that was cut short.
                let _ = job.reply.send(enrich_batch(&job));
            }
        });
    }
    jobs
}

impl Enriched {
    fn add(&mut self, document: Document, source: Arc<str>, line: u64, as_lines: bool) {
        self.report.add_document(&document);
        if !as_lines {
            self.deliveries.push(Delivery { document, source, line });
        } else if serde_json::to_writer(&mut self.lines, &document).is_ok() {
            self.lines.push(b'\n');
        }
    }

    fn reject(&mut self, rejected: Rejected) {
        self.report.read += 1;
        self.report.rejected += 1;
        self.rejected.push(rejected);
    }
}

impl Job {
    /// The source to name: where a reject came from first, else this one.
    fn name(&self, first: Option<&str>) -> Arc<str> {
        first.map_or_else(|| Arc::clone(&self.source.name), Arc::from)
    }
}

fn enrich_batch(job: &Job) -> Enriched {
    let origin = Origin { source: &job.source.name, received_at: job.source.written_at };
    let mut enriched = Enriched::default();
    job.batch.read(|item| match item {
        Item::Tweet { line, tweet, source } => {
            let name = job.name(source);
            // What was rejected once keeps the name of the source that it came from first.
            let origin = source.map_or(origin, |source| Origin { source, received_at: None });
            enriched.add(enrich(tweet, origin), name, line, job.as_lines);
        }
        Item::Document { line, json, source } => {
            let source = job.name(source);
            match parse_document(json) {
                Ok(document) => enriched.add(document, source, line, job.as_lines),
                Err(reason) => {
                    let mut rejected = Rejected::new(line, Stage::Parse, reason, json.as_bytes());
                    rejected.source = source.to_string();
                    enriched.reject(rejected);
                }
            }
        }
        Item::Notice { .. } => {
            enriched.report.read += 1;
            enriched.report.notices += 1;
        }
        Item::Rejected(mut rejected) => {
            if rejected.source.is_empty() {
                rejected.source = job.source.name.to_string();
            }
            enriched.reject(rejected);
        }
    });
    enriched
}

/// Reads what a tweet became in an earlier run.
fn parse_document(json: &str) -> Result<Document, String> {
    let document: Document = serde_json::from_str(json)
        .map_err(|error| format!("it looks like a document of indexer, but: {error}"))?;
    match document.id.len() {
        0 => Err("its id is empty".to_owned()),
        1..=MAX_ID_BYTES => Ok(document),
        _ => Err("its id is longer than 512 bytes".to_owned()),
    }
}

/// Starts the thread that reads a source and splits it into batches for the pool.
fn start_source(
    source: &Source,
    options: &Arc<Options>,
    jobs: &Sender<Job>,
    as_lines: bool,
    bytes_read: &Arc<AtomicU64>,
    stop: &Arc<AtomicBool>,
) -> Receiver<Sent> {
    let (sender, sent) = bounded(BATCHES_AHEAD);
    let (source, options, jobs) = (source.clone(), Arc::clone(options), jobs.clone());
    let (bytes_read, stop) = (Arc::clone(bytes_read), Arc::clone(stop));
    // Not joined: after Ctrl-C it may wait for a pipe that never says anything again.
    thread::spawn(move || {
        let read = || -> anyhow::Result<()> {
            let opened = source.open(bytes_read, &stop)?;
            let info =
                Arc::new(SourceInfo { name: source.name().into(), written_at: opened.written_at });
            for batch in ingest::open(opened.reader, &options)? {
                let batch = batch?;
                let (reply, enriched) = bounded(1);
                let job = Job { batch, source: Arc::clone(&info), as_lines, reply };
                if jobs.send(job).is_err() || sender.send(Sent::Batch(enriched)).is_err() {
                    break;
                }
                // The rest of a file stays where it is; what a pipe has said is nowhere else.
                if stop.load(Ordering::Relaxed) && source != Source::Stdin {
                    break;
                }
            }
            Ok(())
        };
        if let Err(error) = read() {
            let _ = sender.send(Sent::Failed(error));
        }
    });
    sent
}
