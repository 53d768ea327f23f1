//! Every record flows through here: read -> split -> parse -> enrich -> write.
//!
//! Each source that is being read has a thread that splits it into batches. A pool of threads parses and enriches
//! batches in parallel. The calling thread writes the results in the order of the sources and of their records, so
//! that the same run always gives the same store. The threads are connected by bounded channels, so that a stage that
//! is ahead waits for the next one.

use std::collections::VecDeque;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, bounded};
use ingest::{Batch, Checkpoint, Options};

use crate::failure::{Failure, Result};
use crate::journal::{Entry, Journal};
use crate::progress::Progress;
use crate::rejects::Rejects;
use crate::source::{Listed, Listing, Member, Source};
use crate::stop::Stop;
use crate::store::Address;

mod batch;
mod records;
mod sink;
mod track;

use batch::{Enriched, SourceInfo, enrich_batch};
pub(crate) use records::InMemory;
use sink::Sink;
pub(crate) use sink::{Ended, Output, StoreOutput};
use track::Track;

/// How many batches of a source may be queued for writing.
const BATCHES_AHEAD: usize = 4;
/// The same for a run with a deadline: batches that have not been written by then have to be read again.
const BATCHES_AHEAD_OF_DEADLINE: usize = 1;

/// How long to wait for a batch, or for a source to be found, before looking whether the run was stopped.
const WAIT: Duration = Duration::from_millis(50);

/// A batch for the pool, and where to send what it becomes.
struct Job {
    batch: Batch,
    source: Arc<SourceInfo>,
    as_lines: bool,
    reply: Sender<Enriched>,
}

/// What the thread that reads a source sends: the results of its batches, in order, and then the reason why there are
/// no more. If the channel is closed without a reason, the thread has panicked.
enum Sent {
    Batch(Receiver<Enriched>),
    /// A member of an archive cannot be read, or not to its end. There may be others.
    MemberFailed(Failure),
    End,
    Stopped,
    Failed(Failure),
}

/// A run, before it begins.
pub(crate) struct Run<'r> {
    /// How records are understood.
    pub(crate) options: Arc<Options>,
    /// Where the documents of the run go.
    pub(crate) output: Output<'r>,
    /// Where records that could not be indexed go.
    pub(crate) rejects: &'r mut Rejects,
    /// Stops the run: once it is set, the batches that have been read are finished, and nothing more is read.
    pub(crate) stop: Stop,
    /// How many sources are read side by side.
    pub(crate) readers: usize,
    /// Records which sources were read to their end, for `--resume`. `None` if that was not asked for.
    pub(crate) journal: Option<&'r mut Journal>,
}

/// A source that is being read.
struct Open {
    source: String,
    /// The source's entry in the journal, added once it was read to its end. `None` without a journal, or if the
    /// source has no version by which it can be recognized, such as a pipe.
    entry: Option<Entry>,
    sent: Receiver<Sent>,
}

impl<'r> Run<'r> {
    /// Reads all sources of a listing. One that fails is logged and counted, and the others are read.
    ///
    /// # Errors
    ///
    /// If the output or the rejects cannot be written.
    pub(crate) fn over(self, sources: Listing) -> Result<Ended> {
        self.read(sources, None)
    }

    /// Reads one source, starting at a checkpoint. The checkpoint that is returned says up to where all of the source
    /// is safe, that is, in the store or in the rejects.
    ///
    /// # Errors
    ///
    /// If the output or the rejects cannot be written.
    pub(crate) fn over_from(self, source: Source, from: Checkpoint) -> Result<Ended> {
        self.read(Listing::of(source), Some(Track::from(from)))
    }

    fn read(self, mut sources: Listing, track: Option<Track>) -> Result<Ended> {
        let Run { options, output, rejects, stop, readers, journal } = self;
        let started = Instant::now();
        let bytes_read = Arc::new(AtomicU64::new(0));
        let is_new = |source: &Source| !journal.as_ref().is_some_and(|journal| journal.has(source));
        let mut progress = Progress::start(sources.total_bytes(is_new));
        let has_work = sources.first_page().flatten().any(is_new);
        let as_lines = matches!(output, Output::Lines(_));
        let mut sink = Sink::new(output, rejects, track);
        sink.journal = journal;
        if let Output::Store(store) = &mut sink.output
            && let Address::Cluster(_) = store.address
            && has_work
        {
            // Open a cluster before anything is read, so that a mistyped address, the most common mistake, shows at
            // once.
            store.open()?;
        }

        let ahead = if sink.is_tracked() { BATCHES_AHEAD_OF_DEADLINE } else { BATCHES_AHEAD };
        // Reading ends when the run is stopped, and when the store has failed.
        let halt = stop.child();
        let reading = Reading {
            options,
            jobs: start_pool(),
            as_lines,
            bytes_read,
            halt: halt.clone(),
            ahead,
        };
        let mut open: VecDeque<Open> = VecDeque::new();
        let mut silent_since = None;
        let (mut n_listed, mut n_skipped) = (0_u64, 0_u64);
        let mut is_listed = false;
        loop {
            while !halt.is_set() && open.len() < readers && !is_listed {
                // While a source is being read, the next one need not be there yet.
                let wait = if open.is_empty() { WAIT } else { Duration::ZERO };
                let source = match sources.next(wait) {
                    Listed::Source(Ok(source)) => source,
                    Listed::Source(Err(failure)) => {
                        sink.source_failed(failure);
                        continue;
                    }
                    Listed::Pending if open.is_empty() => continue,
                    Listed::Pending => break,
                    Listed::End => {
                        is_listed = true;
                        break;
                    }
                };
                n_listed += 1;
                if sink.journal.as_ref().is_some_and(|journal| journal.has(&source)) {
                    n_skipped += 1;
                    continue;
                }
                if let Err(failure) = sink.rejects.check_source(&source) {
                    // The source is the rejects file of this run itself, created in a folder before that was listed.
                    tracing::warn!("skipped `{}`: {}", source.name(), failure.story());
                    continue;
                }
                sink.can_be_read_again &= source.can_be_read_again();
                let entry = sink.journal.as_ref().and_then(|journal| journal.entry(&source));
                let name = source.name();
                let from = sink.journal.as_ref().and_then(|journal| journal.checkpoint(&source));
                match &from {
                    Some(_) => tracing::info!("going on in `{name}` where an earlier run stopped"),
                    None => tracing::debug!("reading `{name}`"),
                }
                open.push_back(Open { source: name, entry, sent: reading.start(source, from) });
            }
            let Some(Open { source, entry, sent }) = open.front_mut() else { break };
            // Waits in steps, so that a pipe that is silent can be interrupted.
            let sent = match sent.recv_timeout(WAIT) {
                Ok(sent) => sent,
                Err(RecvTimeoutError::Timeout) => {
                    if halt.is_set() {
                        let silence = silent_since.get_or_insert_with(Instant::now).elapsed();
                        if silence > halt.grace_for_reading() {
                            sink.ended.is_stopped = true;
                            break;
                        }
                    }
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => Sent::Failed(internal_error()),
            };
            silent_since = None;
            match sent {
                // What is taken now would not be safe before the deadline. The next invocation reads it again.
                Sent::Batch(_) if sink.is_too_late() => {
                    halt.set();
                    sink.ended.is_stopped = true;
                    break;
                }
                Sent::Batch(enriched) => {
                    sink.reading.clone_from(entry);
                    sink.take(enriched.recv().map_err(|_| internal_error())?)?;
                    if sink.ended.failure.is_some() {
                        // Read nothing more. Batches that have been read are still taken, so that their records are
                        // rejected and not lost.
                        halt.set();
                    }
                    let read = sink.ended.report.read;
                    progress.at(reading.bytes_read.load(Ordering::Relaxed), read);
                    continue;
                }
                Sent::End => {
                    tracing::debug!("read `{source}` to its end");
                    if let Some(entry) = entry.take() {
                        sink.read_to_its_end(entry)?;
                    }
                }
                Sent::Stopped => sink.ended.is_stopped = true,
                // The failure of the store is reported; an error of a source no longer matters then.
                Sent::Failed(_) | Sent::MemberFailed(_) if sink.ended.failure.is_some() => {}
                Sent::MemberFailed(failure) => {
                    // It is read again by a later run.
                    *entry = None;
                    sink.source_failed(failure);
                    continue;
                }
                Sent::Failed(failure) => {
                    let failure = failure.context(format!("cannot read `{source}`"));
                    sink.source_failed(failure);
                }
            }
            open.pop_front();
        }
        let is_all_read = is_listed || matches!(sources.next(Duration::ZERO), Listed::End);
        sink.ended.is_stopped |= !is_all_read;
        if n_skipped > 0 {
            tracing::info!("{n_skipped} of {n_listed} sources were read before and were skipped");
        }
        let mut ended = sink.finish()?;
        progress.finish();
        ended.report.bytes = reading.bytes_read.load(Ordering::Relaxed);
        ended.report.seconds = started.elapsed().as_secs_f64();
        Ok(ended)
    }
}

/// The failure that is reported for a thread that has panicked. The panic itself has been logged already.
fn internal_error() -> Failure {
    Failure::new("an internal error, which was logged before this")
}

/// Starts the threads that enrich. They end when the returned sender and all its clones are gone.
fn start_pool() -> Sender<Job> {
    let n_threads = thread::available_parallelism().map_or(1, |n| n.get());
    let (jobs, queue) = bounded::<Job>(n_threads);
    for _ in 0..n_threads {
        let queue = queue.clone();
        thread::spawn(move || {
            for Job { batch, source, as_lines, reply } in queue {
                // Panics within a record are caught in `enrich_batch`. This catches any others, so that the thread
                // survives.
                let enriched =
                    catch_unwind(AssertUnwindSafe(|| enrich_batch(batch, &source, as_lines)));
                if let Ok(enriched) = enriched {
                    // Nobody waits for it any more if the run was cut short.
                    let _ = reply.send(enriched);
                }
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
    /// How many batches of each source may be queued for writing.
    ahead: usize,
}

impl Reading {
    /// Starts the thread that reads a source and splits it into batches for the pool.
    fn start(&self, source: Source, from: Option<Checkpoint>) -> Receiver<Sent> {
        let (sender, sent) = bounded(self.ahead);
        let (options, jobs) = (Arc::clone(&self.options), self.jobs.clone());
        let (bytes_read, halt) = (Arc::clone(&self.bytes_read), self.halt.clone());
        let as_lines = self.as_lines;
        // Not joined: after Ctrl-C it may be waiting for a pipe that stays silent for ever.
        thread::spawn(move || {
            let read = || -> Result<Sent> {
                let mut is_stopped = false;
                source.read(&options, &bytes_read, &halt, from.as_ref(), &mut |member| {
                    let is_cut_short = pass_on(member, &source, as_lines, &jobs, &sender, &halt);
                    is_stopped |= is_cut_short;
                    if is_cut_short { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
                })?;
                Ok(if is_stopped { Sent::Stopped } else { Sent::End })
            };
            // If the receiver is gone, nobody needs the reason.
            let _ = sender.send(read().unwrap_or_else(Sent::Failed));
        });
        sent
    }
}

/// Passes the records of a member on to the pool. Returns whether this was cut short.
fn pass_on(
    member: Member<'_>,
    source: &Source,
    as_lines: bool,
    jobs: &Sender<Job>,
    sender: &Sender<Sent>,
    halt: &Stop,
) -> bool {
    let Member { name, batches, written_at } = member;
    let failed = |error: ingest::Error| {
        let failure = Failure::from(error).context(format!("cannot read `{name}`"));
        sender.send(Sent::MemberFailed(failure)).is_err()
    };
    let mut batches = match batches {
        Ok(batches) => batches,
        // An hour without tweets is none to worry about, nor are the other files of an archive. A pipe through which nothing
        // comes is one whose other end has failed.
        Err(error) if error.is_nothing() && source.can_be_read_again() => {
            tracing::info!("passed over `{name}`: {error}");
            return false;
        }
        Err(error) => return failed(error),
    };
    if source.can_be_read_again() {
        batches.read_again();
    }
    let info = Arc::new(SourceInfo { name: name.as_str().into(), written_at });
    for batch in batches {
        let batch = match batch {
            Ok(batch) => batch,
            Err(error) => return failed(error),
        };
        let (reply, enriched) = bounded(1);
        let job = Job { batch, source: Arc::clone(&info), as_lines, reply };
        if jobs.send(job).is_err() || sender.send(Sent::Batch(enriched)).is_err() {
            return true;
        }
        // The rest of a file can be read by another run. What has come through a pipe would be lost, so
        // it is taken until the pipe ends or reports that it was interrupted.
        if halt.is_set() && source.can_be_read_again() {
            return true;
        }
    }
    false
}
