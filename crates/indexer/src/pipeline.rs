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
use ingest::{Batch, Item, Options, Rejected, Timestamp};

use crate::failure;
use crate::progress::Progress;
use crate::rejects::Rejects;
use crate::report::Report;
use crate::source::Source;
use crate::store::{Address, Writer, Written};

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
}

impl StoreOutput {
    fn write(&mut self, documents: Vec<Document>) -> anyhow::Result<Written> {
        if documents.is_empty() {
            return Ok(Written::default());
        }
        let writer = match self.writer.take() {
            Some(writer) => writer,
            None => Writer::open(&self.address, self.recreate)?,
        };
        Ok(self.writer.insert(writer).write(documents)?)
    }

    fn finish(self) -> anyhow::Result<Written> {
        Ok(self.writer.map(Writer::finish).transpose()?.unwrap_or_default())
    }
}

/// What a batch became.
#[derive(Default)]
struct Enriched {
    documents: Vec<Document>,
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
    name: String,
    written_at: Option<Timestamp>,
}

/// What a source's thread sends: its batches under way, in order, and at last why there are no more.
enum Sent {
    Batch(Receiver<Enriched>),
    Failed(anyhow::Error),
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
) -> anyhow::Result<Report> {
    let started = Instant::now();
    let bytes_read = Arc::new(AtomicU64::new(0));
    let total = sources.iter().flatten().map(Source::length).sum::<Option<u64>>();
    let mut progress = Progress::start(total);
    let mut report = Report::default();
    let jobs = start_pool();
    let as_lines = matches!(output, Output::Lines(_));

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
                    report.failed_sources += 1;
                    failure::log(&error);
                }
            }
        }
        let Some((name, sent)) = open.front() else { break };
        // Waits in steps, so that a pipe that says nothing can be interrupted.
        match sent.recv_timeout(Duration::from_millis(100)) {
            Ok(Sent::Batch(enriched)) => {
                let enriched = enriched.recv().context("a thread that enriches has died")?;
                write(enriched, &mut output, rejects, &mut report)?;
                progress.at(bytes_read.load(Ordering::Relaxed), report.read);
            }
            Ok(Sent::Failed(error)) => {
                report.failed_sources += 1;
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
    if let Output::Store(store) = output {
        report.add_written(store.finish()?);
    } else if let Output::Lines(out) = output {
        out.flush().context("cannot write to stdout")?;
    }
    progress.finish();
    report.bytes = bytes_read.load(Ordering::Relaxed);
    report.seconds = started.elapsed().as_secs_f64();
    Ok(report)
}

fn write(
    mut enriched: Enriched,
    output: &mut Output<'_>,
    rejects: &mut Rejects,
    report: &mut Report,
) -> anyhow::Result<()> {
    for rejected in &enriched.rejected {
        rejects.write(rejected)?;
    }
    match output {
        Output::Store(store) => {
            report.add_written(store.write(std::mem::take(&mut enriched.documents))?)
        }
        Output::Lines(out) => {
            out.write_all(&enriched.lines).context("cannot write to stdout")?;
            report.created +=
                enriched.report.read - enriched.report.notices - enriched.report.rejected;
        }
        Output::Nowhere => report.created += enriched.documents.len() as u64,
    }
    report.add(enriched.report);
    Ok(())
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

fn enrich_batch(job: &Job) -> Enriched {
    let origin = Origin { source: &job.source.name, received_at: job.source.written_at };
    let mut enriched = Enriched::default();
    job.batch.read(|item| match item {
        Item::Tweet { tweet, source, .. } => {
            // What was rejected once keeps the name of the source that it came from first.
            let origin = source.map_or(origin, |source| Origin { source, received_at: None });
            let document = enrich(tweet, origin);
            enriched.report.add_document(&document);
            if !job.as_lines {
                enriched.documents.push(document);
            } else if serde_json::to_writer(&mut enriched.lines, &document).is_ok() {
                enriched.lines.push(b'\n');
            }
        }
        Item::Notice { .. } => {
            enriched.report.read += 1;
            enriched.report.notices += 1;
        }
        Item::Rejected(mut rejected) => {
            enriched.report.read += 1;
            enriched.report.rejected += 1;
            if rejected.source.is_empty() {
                rejected.source.clone_from(&job.source.name);
            }
            enriched.rejected.push(rejected);
        }
    });
    enriched
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
            let info = Arc::new(SourceInfo { name: source.name(), written_at: opened.written_at });
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
