//! Takes the results of batches in order, passes them to the output, and counts what was done.

use std::collections::VecDeque;
use std::io::Write;
use std::time::{Duration, Instant};

use ingest::{Checkpoint, Position};

use super::batch::Enriched;
use super::track::Track;
use crate::failure::{Context, Failure, Result};
use crate::journal::{Entry, Journal};
use crate::rejects::Rejects;
use crate::report::Report;
use crate::stop::Stop;
use crate::store::{Address, ClusterExperience, Delivery, StoreError, Writer, Written};

/// Where the documents of a run go.
pub(crate) enum Output<'w> {
    /// Into a store. It is opened when there is something to write, so that a run that finds nothing to read leaves no
    /// trace.
    Store(&'w mut StoreOutput),
    /// They are written as NDJSON.
    Lines(&'w mut dyn Write),
    /// Nowhere: they are only counted.
    Nowhere,
}

/// A store to write to.
pub(crate) struct StoreOutput {
    pub(crate) address: Address,
    /// Whether its content is dropped first.
    pub(crate) recreate: bool,
    pub(crate) writer: Option<Writer>,
    pub(crate) stop: Stop,
    /// Whether it stays open after the run, for the next one.
    pub(crate) stays_open: bool,
    /// What an earlier writer has learned about the cluster.
    pub(crate) experience: Option<ClusterExperience>,
}

impl StoreOutput {
    /// Opens the store, unless it is open already.
    pub(super) fn open(&mut self) -> Result<&mut Writer, StoreError> {
        let writer = match self.writer.take() {
            Some(writer) => writer,
            None => {
                let writer = Writer::open(&self.address, self.recreate, &self.stop)?;
                if let (Some(experience), Writer::Elasticsearch(cluster)) =
                    (&self.experience, &writer)
                {
                    cluster.learn(experience);
                }
                writer
            }
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

    /// Deletes documents. What was written before must have been flushed.
    pub(crate) fn delete(&mut self, ids: &[String]) -> Result<(), StoreError> {
        self.open()?.delete(ids)
    }

    fn finish(&mut self, written: &mut Written) -> Result<(), StoreError> {
        match &mut self.writer {
            Some(writer) if self.stays_open => writer.flush(written),
            _ => self.writer.take().map_or(Ok(()), |writer| writer.finish(written)),
        }
    }

    /// How many deliveries, counted from the first one since the store was opened, are settled without a gap.
    fn settled(&self) -> u64 {
        self.writer.as_ref().map_or(0, Writer::settled)
    }

    /// How many deliveries were made since the store was opened.
    fn taken(&self) -> u64 {
        self.writer.as_ref().map_or(0, Writer::taken)
    }
}

/// How a run ended.
#[derive(Default)]
pub(crate) struct Ended {
    pub(crate) report: Report,
    /// Why the store failed, if it did.
    pub(crate) failure: Option<StoreError>,
    /// Why sources could not be read, or not to their end.
    pub(crate) failed_sources: Vec<Failure>,
    /// Whether something was not read because the run was stopped.
    pub(crate) is_stopped: bool,
    /// How many records were read and are neither stored nor rejected.
    pub(crate) left: u64,
    /// The position up to which the source is safe. Meaningless if the run did not keep track of it.
    pub(crate) checkpoint: Checkpoint,
}

/// Takes the results of batches, and passes them to the output, the rejects and the journal.
pub(super) struct Sink<'r> {
    pub(super) output: Output<'r>,
    pub(super) rejects: &'r mut Rejects,
    pub(super) ended: Ended,
    /// Whether all sources so far can be read again.
    pub(super) can_be_read_again: bool,
    /// Up to where the source is safe, for a run with a deadline.
    track: Option<Track>,
    pub(super) journal: Option<&'r mut Journal>,
    /// Sources that were read to their end but are not noted yet, each with how many deliveries had been made by then.
    read: VecDeque<(u64, Entry)>,
    /// The source that the results come from, for the journal.
    pub(super) reading: Option<Entry>,
    progress: Progress,
}

/// How often the journal notes how far a source was read.
const NOTE_INTERVAL: Duration = Duration::from_millis(500);

/// Up to where a source is safe, for the journal.
#[derive(Default)]
struct Progress {
    source: Option<Entry>,
    track: Track,
    /// The position that was noted last, and when.
    noted: Option<(Position, Instant)>,
}

impl<'r> Sink<'r> {
    pub(super) fn new(
        output: Output<'r>,
        rejects: &'r mut Rejects,
        track: Option<Track>,
    ) -> Sink<'r> {
        Sink {
            output,
            rejects,
            ended: Ended::default(),
            can_be_read_again: true,
            track,
            journal: None,
            read: VecDeque::new(),
            reading: None,
            progress: Progress::default(),
        }
    }

    /// Whether the run keeps track of what is safe, as it does in Lambda. In that case its caller reports failed
    /// sources.
    pub(super) fn is_tracked(&self) -> bool {
        self.track.is_some()
    }

    /// Whether it is too late to take more: it would not be safe before the run is cut off. Only for runs that keep
    /// track of what is safe, as they can leave the rest to a later run.
    pub(super) fn is_too_late(&self) -> bool {
        match &self.output {
            Output::Store(StoreOutput { writer: Some(Writer::Elasticsearch(cluster)), .. }) => {
                self.is_tracked() && cluster.is_too_late()
            }
            _ => false,
        }
    }

    /// Takes note of a source that could not be read, or not to its end.
    pub(super) fn source_failed(&mut self, failure: Failure) {
        self.ended.report.failed_sources += 1;
        if !self.is_tracked() {
            failure.log();
        }
        self.ended.failed_sources.push(failure);
    }

    /// Takes note that a source was read to its end.
    pub(super) fn read_to_its_end(&mut self, entry: Entry) -> Result<()> {
        if let Output::Store(store) = &self.output {
            self.read.push_back((store.taken(), entry));
        }
        self.note_sources()
    }

    /// Notes the sources of which everything is safe.
    fn note_sources(&mut self) -> Result<()> {
        let (Output::Store(store), Some(journal)) = (&self.output, &mut self.journal) else {
            return Ok(());
        };
        // A store that was closed without an error has taken everything.
        let settled = store.writer.as_ref().map_or(u64::MAX, Writer::settled);
        while let Some((taken, entry)) = self.read.front()
            && *taken <= settled
            && self.ended.failure.is_none()
        {
            // The rejects of a source have to be written before the source is recorded as done.
            self.rejects.finish()?;
            journal.add(entry)?;
            self.read.pop_front();
        }
        Ok(())
    }

    /// Notes how far the source was read that is being read, unless that was done less than `interval` ago.
    fn note_progress(&mut self, interval: Duration) -> Result<()> {
        let Some(journal) = &mut self.journal else { return Ok(()) };
        let Progress { source: Some(source), track, noted } = &mut self.progress else {
            return Ok(());
        };
        let is_new = noted.is_none_or(|(at, _)| at != track.safe);
        let is_due = noted.is_none_or(|(_, when)| when.elapsed() >= interval);
        // The sources before it come first.
        let is_first = self.read.is_empty() && self.ended.failure.is_none();
        if !is_new || !is_due || !is_first || !track.safe.is_begun() {
            return Ok(());
        }
        self.rejects.finish()?;
        let mark = track.marks.front().cloned();
        journal.begin(source, Checkpoint::new(track.safe, mark.into_iter().collect()))?;
        *noted = Some((track.safe, Instant::now()));
        Ok(())
    }

    /// Takes the result of a batch.
    ///
    /// # Errors
    ///
    /// If the output or the rejects cannot be written, and continuing would save nothing.
    pub(super) fn take(&mut self, mut enriched: Enriched) -> Result<()> {
        if self.track.is_none() {
            for rejected in &enriched.rejected {
                self.rejects.write(rejected)?;
            }
        }
        let deliveries = std::mem::take(&mut enriched.deliveries);
        let n_documents = enriched.report.read - enriched.report.notices - enriched.report.rejected;
        self.ended.report.add(enriched.report);
        match &mut self.output {
            Output::Store(store) => {
                let mut written = Written::default();
                let done = store.write(deliveries, &mut written);
                // A store that could not be opened has taken nothing.
                if self.journal.is_some() && store.writer.is_some() {
                    let Progress { source, track, noted } = &mut self.progress;
                    if *source != self.reading {
                        source.clone_from(&self.reading);
                        (*track, *noted) = (Track::default(), None);
                    }
                    track.positions.push_back((store.taken(), enriched.end));
                    track.marks.extend(std::mem::take(&mut enriched.marks));
                    track.settled(store.settled());
                }
                if let (Some(track), Some(_)) = (&mut self.track, &store.writer) {
                    track.positions.push_back((store.taken(), enriched.end));
                    track.marks.extend(enriched.marks);
                    let rejected = enriched.rejected.into_iter();
                    track.held.extend(rejected.map(|rejected| (store.taken(), rejected)));
                    track.settled(store.settled());
                }
                self.settle(written, done)?;
                self.note_sources()?;
                self.note_progress(NOTE_INTERVAL)?;
            }
            Output::Lines(out) => {
                out.write_all(&enriched.lines).context("cannot write to stdout")?;
                self.ended.report.created += n_documents;
            }
            Output::Nowhere => self.ended.report.created += n_documents,
        }
        Ok(())
    }

    /// Writes everything that is still buffered, and returns how the run ended.
    pub(super) fn finish(mut self) -> Result<Ended> {
        match &mut self.output {
            Output::Store(store) => {
                let mut written = Written::default();
                let done = store.finish(&mut written);
                // A store that was closed without an error has taken everything.
                if done.is_ok() && self.ended.failure.is_none() {
                    self.progress.track.settled(u64::MAX);
                }
                if let Some(track) = &mut self.track {
                    track.settled(store.settled());
                    let marks = std::mem::take(&mut track.marks);
                    self.ended.checkpoint = Checkpoint::new(track.safe, marks);
                }
                if done.is_err() || self.ended.failure.is_some() {
                    // After a failure the store is closed. The next run that needs it will open it again.
                    if let Some(Writer::Elasticsearch(cluster)) = store.writer.take() {
                        store.experience = Some(cluster.experience());
                    }
                }
                self.settle(written, done)?;
                if let Some(track) = &self.track {
                    // These rejects were counted but not written: they will be found again from the checkpoint on.
                    let held = track.held.len() as u64;
                    self.ended.report.rejected -= held;
                    self.ended.left += held;
                }
                self.note_sources()?;
                self.note_progress(Duration::ZERO)?;
            }
            Output::Lines(out) => out.flush().context("cannot write to stdout")?,
            Output::Nowhere => {}
        }
        Ok(self.ended)
    }

    /// Counts what was written, and rejects what was not.
    fn settle(&mut self, written: Written, done: Result<(), StoreError>) -> Result<()> {
        self.ended.report.add_written(&written);
        if let Err(error) = done {
            // If nothing was taken and all sources can be read again, a rerun does it all.
            let took_nothing = self.ended.report.created + self.ended.report.updated == 0;
            let nothing_to_save = took_nothing && self.can_be_read_again && self.track.is_none();
            if !error.rejects_the_rest() || nothing_to_save {
                return Err(error.into());
            }
            self.ended.failure.get_or_insert(error);
        }
        if let Some(track) = &mut self.track {
            self.ended.left += written.left_records;
            let rejected = written.rejected.into_iter();
            // A rejected document is a delivery too, so it counts with those before it.
            track.held.extend(rejected.map(|(before, rejected)| (before + 1, rejected)));
            return track.release(self.rejects);
        }
        self.ended.report.rejected += written.left_records;
        for rejected in written.rejected.iter().map(|(_, rejected)| rejected).chain(&written.left) {
            self.rejects.write(rejected)?;
        }
        Ok(())
    }
}
