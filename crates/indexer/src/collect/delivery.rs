//! Takes records out of the spool, and gives them to the destination.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::destination::Destination;
use super::meter::Meter;
use super::spool::{Position, Spool, Taken};
use super::state::{ALIVE_EVERY_MS, Keeper, State};
use crate::clock;
use crate::failure::{Context, Failure, Result};
use crate::progress::Progress;
use crate::stop::Stop;

/// How often it is noted what was delivered.
const SAVE_EVERY: Duration = Duration::from_millis(200);
/// The same, if that is an object in S3, where each note costs a request.
const SAVE_OBJECT_EVERY: Duration = Duration::from_secs(2);

/// A delivery, until the spool is closed and empty.
pub(super) struct Delivery<'d> {
    spool: &'d Spool,
    keeper: &'d Keeper,
    state: State,
    meter: &'d Meter,
    stop: &'d Stop,
    destination: Destination,
    /// The end of what an earlier run has left whose marks are older than what is known elsewhere.
    outdated: Position,
    /// The marks of chunks that were taken and are not noted as delivered.
    marks: Vec<(Position, Value)>,
    taken: Position,
    noted: Position,
    noted_at: Instant,
    /// Whether the last note could not be written, and is to be written again.
    is_unsaved: bool,
}

/// Stops a source however the delivery ends.
struct StopAtEnd<'s>(&'s Stop);

impl Drop for StopAtEnd<'_> {
    fn drop(&mut self) {
        self.0.set();
    }
}

impl<'d> Delivery<'d> {
    pub(super) fn new(
        spool: &'d Spool,
        (keeper, state): (&'d Keeper, State),
        outdated: Position,
        meter: &'d Meter,
        stop: &'d Stop,
        destination: Destination,
    ) -> Delivery<'d> {
        let (marks, nothing) = (Vec::new(), Position::default());
        let noted_at = Instant::now();
        Delivery {
            spool,
            keeper,
            state,
            meter,
            stop,
            destination,
            outdated,
            marks,
            taken: nothing,
            noted: nothing,
            noted_at,
            is_unsaved: false,
        }
    }

    /// Delivers until the spool is closed and empty, or the run is cut off. Returns the destination, the state, and why the
    /// destination has failed if it has.
    pub(super) fn run(mut self, source_stop: &Stop) -> (Destination, State, Option<Failure>) {
        let _stop = StopAtEnd(source_stop);
        let mut progress = Progress::start_counting();
        let delivered = self.deliver(&mut progress);
        progress.finish();
        let failure =
            delivered.err().map(|failure| failure.context("cannot deliver what was collected"));
        (self.destination, self.state, failure)
    }

    fn deliver(&mut self, progress: &mut Progress) -> Result<()> {
        loop {
            let taken = self.spool.take(Duration::from_millis(100))?;
            let is_closed = taken == Taken::Closed;
            if let Taken::Chunk(chunk, end) = taken {
                self.taken = end;
                self.marks.push((end, chunk.mark.clone()));
                self.destination.take(chunk, end, self.meter, self.stop)?;
            }
            let is_end = is_closed || self.stop.is_cut_off();
            let accepted = self.destination.settle(is_end, self.meter, self.stop);
            let is_over = is_end || accepted.is_err();
            self.note(*accepted.as_ref().unwrap_or(&self.noted), is_over)?;
            accepted?;
            progress.tell(|| self.meter.line());
            if is_end {
                return Ok(());
            }
        }
    }

    /// Notes up to where everything is delivered, once in a while.
    fn note(&mut self, accepted: Position, is_over: bool) -> Result<()> {
        let since = self.noted_at.elapsed();
        let every = if self.keeper.is_shared() { SAVE_OBJECT_EVERY } else { SAVE_EVERY };
        let is_due = is_over || since >= every;
        let shows_life = self.keeper.is_shared() && since.as_millis() as i64 >= ALIVE_EVERY_MS;
        if !is_due || accepted <= self.noted && !self.is_unsaved && !shows_life {
            return Ok(());
        }
        let behind = self.marks.partition_point(|(end, _)| *end <= accepted);
        if let Some((end, mark)) = self.marks.drain(..behind).next_back() {
            self.noted = accepted;
            self.state.note(Some(mark).filter(|_| end > self.outdated), accepted);
        }
        self.state.is_alive(clock::now());
        self.noted_at = Instant::now();
        let saved = self.keeper.save(&self.state);
        if let (Err(failure), false) = (&saved, self.is_unsaved) {
            // What is delivered is delivered. The mark is still in the spool.
            tracing::warn!("{}", failure.story());
        }
        self.is_unsaved = saved.is_err();
        let deleted = self.spool.delivered(self.noted, saved.is_ok());
        deleted.context("cannot delete what was delivered from the spool")?;
        self.meter.holds(self.spool);
        Ok(())
    }
}
