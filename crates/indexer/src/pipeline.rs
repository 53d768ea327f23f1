//! Through which every record flows: read -> split -> parse -> enrich -> write.
//!
//! A thread for each source in reach reads and splits; a pool parses and enriches batches side by side;
//! the calling thread writes the results in the order of the sources and of their records, so that the
//! same run always gives the same store. Every arrow is a channel of bounded length: whoever is ahead
//! waits.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Context;
use bytes::Bytes;
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use ingest::{Batch, Checkpoint, Options, Position, Timestamp};

use crate::failure;
use crate::journal::{Entry, Journal};
use crate::progress::Progress;
use crate::rejects::Rejects;
use crate::source::{Input, Source};
use crate::stop::Stop;
use crate::store::Address;

mod batch;
mod sink;

use batch::{Enriched, SourceInfo, enrich_batch};
pub(crate) use sink::{Ended, Output, StoreOutput};
use sink::{Sink, Track};

/// How many batches of a source may be under way.
const BATCHES_AHEAD: usize = 4;
/// How many, if what is under way when the run is stopped has to be read again.
const BATCHES_AHEAD_IN_HASTE: usize = 1;

/// A batch for the pool, and where to send what it becomes.
struct Job {
    batch: Batch,
    source: Arc<SourceInfo>,
    as_lines: bool,
    reply: Sender<Enriched>,
}

/// What a source's thread sends: its batches under way, in order, and at last why there are no more.
enum Sent {
    Batch(Receiver<Enriched>),
    Stopped,
    Failed(anyhow::Error),
}

/// A run, before it begins.
pub(crate) struct Run<'r> {
    /// How records are understood.
    pub(crate) options: Arc<Options>,
    /// Where documents go.
    pub(crate) output: Output<'r>,
    /// Where the rest goes.
    pub(crate) rejects: &'r mut Rejects,
    /// When it is set, what is under way is finished and the rest left.
    pub(crate) stop: Stop,
    /// How many sources are read side by side.
    pub(crate) readers: usize,
    /// Where sources that were read to their end are written down.
    pub(crate) journal: Option<&'r mut Journal>,
}

/// A source that is being read.
struct Open {
    name: String,
    /// As it is written down when it was read to its end; not, if that fails.
    entry: Option<Entry>,
    sent: Receiver<Sent>,
}

impl<'r> Run<'r> {
    /// Reads `sources`. One that fails is logged and counted, and the others go on.
    ///
    /// # Errors
    ///
    /// If the output or the rejects cannot be written.
    pub(crate) fn over(self, sources: Vec<anyhow::Result<Source>>) -> anyhow::Result<Ended> {
        let can_be_read_again = !sources.iter().flatten().any(Source::is_pipe);
        self.read(sources, can_be_read_again, None)
    }

    /// Reads one source that can be read again, from a checkpoint on, and tells up to where it is safe.
    ///
    /// # Errors
    ///
    /// If the output or the rejects cannot be written.
    pub(crate) fn over_from(self, source: Source, from: Checkpoint) -> anyhow::Result<Ended> {
        self.read(vec![Ok(source)], true, Some(Track::from(from)))
    }

    /// Reads sources that are in memory, and tells how many of them are safe: the `records` of the
    /// checkpoint.
    ///
    /// # Errors
    ///
    /// If the output or the rejects cannot be written.
    pub(crate) fn over_small(self, sources: Vec<Small>) -> anyhow::Result<Ended> {
        let Run { options, output, rejects, stop, .. } = self;
        let started = Instant::now();
        let track = Some(Track::default());
        let mut sink = Sink::new(output, rejects, track);
        if let Output::Store(store) = &mut sink.output {
            store.open()?;
        }
        for (done, source) in sources.into_iter().enumerate() {
            if stop.is_set() || sink.ended.failure.is_some() || sink.is_too_late() {
                sink.ended.is_stopped = true;
                break;
            }
            sink.ended.report.bytes += source.bytes.len() as u64;
            let info = SourceInfo { name: source.name, written_at: source.written_at };
            let position = |records| Position { records, ..Position::default() };
            let mut last = Enriched::default();
            match ingest::open(&*source.bytes, &options) {
                Ok(batches) => {
                    for batch in batches {
                        match batch {
                            Ok(batch) => {
                                let mut enriched = enrich_batch(batch, &info, false);
                                enriched.end = position(done as u64);
                                enriched.marks.clear();
                                sink.take(enriched)?;
                            }
                            Err(error) => last.reject(unreadable(&info, &source.bytes, &error)),
                        }
                    }
                }
                Err(error) => last.reject(unreadable(&info, &source.bytes, &error)),
            }
            last.end = position(done as u64 + 1);
            sink.take(last)?;
        }
        let mut ended = sink.finish()?;
        ended.report.seconds = started.elapsed().as_secs_f64();
        Ok(ended)
    }

    fn read(
        self,
        sources: Vec<anyhow::Result<Source>>,
        can_be_read_again: bool,
        track: Option<Track>,
    ) -> anyhow::Result<Ended> {
        let Run { options, output, rejects, stop, readers, journal } = self;
        let started = Instant::now();
        let bytes_read = Arc::new(AtomicU64::new(0));
        let total = sources.iter().flatten().map(Source::length).sum::<Option<u64>>();
        let mut progress = Progress::start(total);
        let jobs = start_pool();
        let as_lines = matches!(output, Output::Lines(_));
        let mut sink = Sink::new(output, rejects, track);
        (sink.can_be_read_again, sink.journal) = (can_be_read_again, journal);
        if let Output::Store(store) = &mut sink.output
            && let Address::Cluster(_) = store.address
            && sources.iter().any(Result::is_ok)
        {
            // Before anything is read: what is the matter with a cluster is most often its address.
            store.open()?;
        }

        let ahead = if sink.is_tracked() { BATCHES_AHEAD_IN_HASTE } else { BATCHES_AHEAD };
        // Reading ends when the run is stopped, and when the store has failed.
        let halt = stop.child();
        let reading = Reading { options, jobs, as_lines, bytes_read, halt: halt.clone(), ahead };
        let mut waiting: VecDeque<_> = sources.into();
        let mut open: VecDeque<Open> = VecDeque::new();
        let mut silent_since = None;
        loop {
            while !halt.is_set()
                && open.len() < readers
                && let Some(source) = waiting.pop_front()
            {
                match source {
                    Ok(source) => {
                        let entry = sink.journal.as_ref().and_then(|kept| kept.entry(&source));
                        let name = source.name();
                        open.push_back(Open { name, entry, sent: reading.start(source) });
                    }
                    Err(error) => sink.failed(error),
                }
            }
            let Some(Open { name, entry, sent }) = open.front_mut() else { break };
            // Waits in steps, so that a pipe that says nothing can be interrupted.
            match sent.recv_timeout(Duration::from_millis(50)) {
                Ok(Sent::Batch(_)) if sink.is_too_late() => {
                    halt.set();
                    sink.ended.is_stopped = true;
                    break;
                }
                Ok(Sent::Batch(enriched)) => {
                    let enriched = enriched.recv().context("a thread that enriches has died")?;
                    sink.take(enriched)?;
                    if sink.ended.failure.is_some() {
                        // Only what was read already is still to be rejected.
                        halt.set();
                    }
                    let read = sink.ended.report.read;
                    progress.at(reading.bytes_read.load(Ordering::Relaxed), read);
                }
                Ok(Sent::Stopped) => {
                    sink.ended.is_stopped = true;
                    *entry = None;
                }
                Ok(Sent::Failed(_)) if sink.ended.failure.is_some() => *entry = None,
                Ok(Sent::Failed(error)) => {
                    *entry = None;
                    let error = error.context(format!("cannot read `{name}`"));
                    sink.failed(error);
                }
                Err(RecvTimeoutError::Disconnected) => {
                    if let Some(entry) = entry.take() {
                        sink.read_to_its_end(entry)?;
                    }
                    open.pop_front();
                }
                Err(RecvTimeoutError::Timeout) if halt.is_set() => {
                    let silence = silent_since.get_or_insert_with(Instant::now).elapsed();
                    if silence > halt.last_words() {
                        sink.ended.is_stopped = true;
                        break;
                    }
                    continue;
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
            silent_since = None;
        }
        sink.ended.is_stopped |= !waiting.is_empty();
        let mut ended = sink.finish()?;
        progress.finish();
        ended.report.bytes = reading.bytes_read.load(Ordering::Relaxed);
        ended.report.seconds = started.elapsed().as_secs_f64();
        Ok(ended)
    }
}

/// A source that is in memory.
pub(crate) struct Small {
    pub(crate) name: Arc<str>,
    pub(crate) bytes: Bytes,
    pub(crate) written_at: Option<Timestamp>,
}

/// A whole source that cannot be read, as a reject.
fn unreadable(info: &SourceInfo, bytes: &[u8], error: &ingest::Error) -> ingest::Rejected {
    let mut rejected = ingest::Rejected::new(1, ingest::Stage::Read, error.to_string(), bytes);
    rejected.source = info.name.to_string();
    rejected
}

impl Sink<'_> {
    fn failed(&mut self, error: anyhow::Error) {
        self.ended.report.failed_sources += 1;
        if !self.is_tracked() {
            failure::log(&error);
        }
        self.ended.failed_sources.push(error);
    }
}

/// Starts the threads that enrich; they end when the returned sender and all its clones are gone.
fn start_pool() -> Sender<Job> {
    let n_threads = thread::available_parallelism().map_or(1, |n| n.get());
    let (jobs, queue) = bounded::<Job>(n_threads);
    for _ in 0..n_threads {
        let queue = queue.clone();
        thread::spawn(move || {
            for Job { batch, source, as_lines, reply } in queue {
                // Nobody waits for the answer of a run that was cut short.
                let _ = reply.send(enrich_batch(batch, &source, as_lines));
            }
        });
    }
    jobs
}

/// What the threads that read sources share.
struct Reading {
    options: Arc<Options>,
    jobs: Sender<Job>,
    as_lines: bool,
    bytes_read: Arc<AtomicU64>,
    halt: Stop,
    ahead: usize,
}

impl Reading {
    /// Starts the thread that reads a source and splits it into batches for the pool.
    fn start(&self, source: Source) -> Receiver<Sent> {
        let (sender, sent) = bounded(self.ahead);
        let (options, jobs) = (Arc::clone(&self.options), self.jobs.clone());
        let (bytes_read, halt) = (Arc::clone(&self.bytes_read), self.halt.clone());
        let as_lines = self.as_lines;
        // Not joined: after Ctrl-C it may wait for a pipe that never says anything again.
        thread::spawn(move || {
            let read = || -> anyhow::Result<()> {
                let Input { mut batches, written_at } =
                    source.open(&options, &bytes_read, &halt)?;
                if !source.is_pipe() {
                    batches.read_again();
                }
                let info = Arc::new(SourceInfo { name: source.name().into(), written_at });
                for batch in batches {
                    let batch = batch?;
                    let (reply, enriched) = bounded(1);
                    let job = Job { batch, source: Arc::clone(&info), as_lines, reply };
                    if jobs.send(job).is_err() || sender.send(Sent::Batch(enriched)).is_err() {
                        break;
                    }
                    // The rest of a file stays where it is; what a pipe has said is nowhere else.
                    if halt.is_set() && !source.is_pipe() {
                        let _ = sender.send(Sent::Stopped);
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
}
