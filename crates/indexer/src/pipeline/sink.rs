//! The end of the line: takes what batches became, in order, and knows what of it is safe.

use std::collections::VecDeque;
use std::io::Write;

use anyhow::Context;
use ingest::{Checkpoint, Mark, Position, Rejected};

use super::batch::Enriched;
use crate::journal::{Entry, Journal};
use crate::rejects::Rejects;
use crate::report::Report;
use crate::stop::Stop;
use crate::store::{Address, Delivery, Learned, StoreError, Writer, Written};

/// Where documents go.
pub(crate) enum Output<'w> {
    /// Into a store, which is opened when there is something to write: a run that finds nothing to
    /// read leaves no trace.
    Store(&'w mut StoreOutput),
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
    pub(crate) stop: Stop,
    /// Whether it is written to again after the run, and stays open.
    pub(crate) stays_open: bool,
    /// What an earlier writer found out.
    pub(crate) learned: Option<Learned>,
}

impl StoreOutput {
    /// Makes sure that there is a store to write to.
    pub(super) fn open(&mut self) -> Result<&mut Writer, StoreError> {
        let writer = match self.writer.take() {
            Some(writer) => writer,
            None => {
                let writer = Writer::open(&self.address, self.recreate, &self.stop)?;
                if let Some(learned) = &self.learned {
                    writer.learn(learned);
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

    fn finish(&mut self, written: &mut Written) -> Result<(), StoreError> {
        match &mut self.writer {
            Some(writer) if self.stays_open => writer.flush(written),
            _ => self.writer.take().map_or(Ok(()), |writer| writer.finish(written)),
        }
    }

    /// How many deliveries were settled, of those that it was given since it was opened.
    fn settled(&self) -> u64 {
        self.writer.as_ref().map_or(0, Writer::settled)
    }

    fn taken(&self) -> u64 {
        self.writer.as_ref().map_or(0, Writer::taken)
    }
}

/// What a run came to.
#[derive(Default)]
pub(crate) struct Ended {
    pub(crate) report: Report,
    /// Why it stopped before its end.
    pub(crate) failure: Option<StoreError>,
    /// Why sources could not be read, or not to their end.
    pub(crate) failed_sources: Vec<anyhow::Error>,
    /// Whether something was left unread because the run was stopped.
    pub(crate) is_stopped: bool,
    /// Records that were read and are neither stored nor rejected.
    pub(crate) left: u64,
    /// Up to where the source is safe, if that was asked for.
    pub(crate) checkpoint: Checkpoint,
}

/// Takes what batches became.
pub(super) struct Sink<'r> {
    pub(super) output: Output<'r>,
    pub(super) rejects: &'r mut Rejects,
    pub(super) ended: Ended,
    /// Whether what was read and not taken by a store that failed is still where it was read.
    pub(super) can_be_read_again: bool,
    /// If it is to be known up to where a source is safe.
    track: Option<Track>,
    pub(super) journal: Option<&'r mut Journal>,
    /// Sources that were read to their end, and how many deliveries had been made by then.
    read: VecDeque<(u64, Entry)>,
}

/// Up to where a source is safe, while it is being written.
#[derive(Default)]
pub(super) struct Track {
    /// The ends of batches, and how many deliveries had been made by then.
    positions: VecDeque<(u64, Position)>,
    marks: VecDeque<Mark>,
    safe: Position,
    /// How many deliveries had been made at that position.
    safe_deliveries: u64,
    /// Rejects that are written when so many deliveries are safe: those after the checkpoint will be found
    /// again.
    held: Vec<(u64, Rejected)>,
}

impl Track {
    pub(super) fn from(checkpoint: Checkpoint) -> Track {
        let safe = checkpoint.position;
        Track { marks: checkpoint.into_mark().into_iter().collect(), safe, ..Track::default() }
    }

    fn settled(&mut self, settled: u64) {
        while let Some(&(taken, position)) = self.positions.front()
            && taken <= settled
        {
            (self.safe, self.safe_deliveries) = (position, taken);
            self.positions.pop_front();
        }
        Checkpoint::forget(self.safe, &mut self.marks);
    }

    /// Writes the rejects that are safe.
    fn release(&mut self, rejects: &mut Rejects) -> anyhow::Result<()> {
        let safe = self.safe_deliveries;
        for (_, rejected) in self.held.extract_if(.., |(deliveries, _)| *deliveries <= safe) {
            rejects.write(&rejected)?;
        }
        Ok(())
    }
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
        }
    }

    /// Whether whoever runs this is told what is wrong, and tells it.
    pub(super) fn is_tracked(&self) -> bool {
        self.track.is_some()
    }

    /// Whether what would be taken now would not be safe before the run is cut off, and is read again.
    pub(super) fn is_too_late(&self) -> bool {
        let Output::Store(store) = &self.output else { return false };
        self.is_tracked() && store.writer.as_ref().is_some_and(Writer::is_too_late)
    }

    /// Takes note that all of a source was taken.
    pub(super) fn read_to_its_end(&mut self, entry: Entry) -> anyhow::Result<()> {
        if let Output::Store(store) = &self.output {
            self.read.push_back((store.taken(), entry));
        }
        self.write_down()
    }

    /// Writes down the sources that are safe.
    fn write_down(&mut self) -> anyhow::Result<()> {
        let (Output::Store(store), Some(journal)) = (&self.output, &mut self.journal) else {
            return Ok(());
        };
        // A store that was closed in peace has taken all.
        let settled = store.writer.as_ref().map_or(u64::MAX, Writer::settled);
        while let Some((taken, entry)) = self.read.front()
            && *taken <= settled
            && self.ended.failure.is_none()
        {
            // Its rejects before its name.
            self.rejects.finish()?;
            journal.add(entry)?;
            self.read.pop_front();
        }
        Ok(())
    }

    /// Takes what a batch became.
    ///
    /// # Errors
    ///
    /// If the output or the rejects cannot be written, and nothing would be saved by going on.
    pub(super) fn take(&mut self, mut enriched: Enriched) -> anyhow::Result<()> {
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
                // What a store that could not be opened was given is nowhere.
                if let (Some(track), Some(_)) = (&mut self.track, &store.writer) {
                    track.positions.push_back((store.taken(), enriched.end));
                    track.marks.extend(enriched.marks);
                    let rejected = enriched.rejected.into_iter();
                    track.held.extend(rejected.map(|rejected| (store.taken(), rejected)));
                    track.settled(store.settled());
                }
                self.settle(written, done)?;
                self.write_down()?;
            }
            Output::Lines(out) => {
                out.write_all(&enriched.lines).context("cannot write to stdout")?;
                self.ended.report.created += n_documents;
            }
            Output::Nowhere => self.ended.report.created += n_documents,
        }
        Ok(())
    }

    /// Writes what is still to be written.
    pub(super) fn finish(mut self) -> anyhow::Result<Ended> {
        match &mut self.output {
            Output::Store(store) => {
                let mut written = Written::default();
                let done = store.finish(&mut written);
                if let Some(track) = &mut self.track {
                    track.settled(store.settled());
                    let marks = std::mem::take(&mut track.marks);
                    self.ended.checkpoint = Checkpoint::new(track.safe, marks);
                }
                if done.is_err() || self.ended.failure.is_some() {
                    // Whoever needs it again opens it anew.
                    let writer = store.writer.take();
                    store.learned = writer.and_then(|writer| writer.learned());
                }
                self.settle(written, done)?;
                if let Some(track) = &self.track {
                    let held = track.held.len() as u64;
                    self.ended.report.rejected -= held;
                    self.ended.left += held;
                }
                self.write_down()?;
            }
            Output::Lines(out) => out.flush().context("cannot write to stdout")?,
            Output::Nowhere => {}
        }
        Ok(self.ended)
    }

    /// Takes note of what was written, and of what was not.
    fn settle(&mut self, written: Written, done: Result<(), StoreError>) -> anyhow::Result<()> {
        self.ended.report.add_written(&written);
        if let Err(error) = done {
            // Nothing has been taken, and the sources can be read again: then there is nothing to save.
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
