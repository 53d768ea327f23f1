//! Up to where a source is safe in the store or in the rejects, while it is still being read.

use std::collections::VecDeque;

use ingest::{Checkpoint, Mark, Position, Rejected};

use crate::failure::Result;
use crate::rejects::Rejects;

/// Up to where a source is safe. The store settles deliveries out of order, so this follows the longest stretch from the
/// beginning of which all are settled.
#[derive(Default)]
pub(super) struct Track {
    /// The ends of the batches that are not safe yet, each with how many deliveries had been made by then.
    pub(super) positions: VecDeque<(u64, Position)>,
    pub(super) marks: VecDeque<Mark>,
    pub(super) safe: Position,
    /// How many deliveries had been made by then.
    safe_deliveries: u64,
    /// Rejects, each with how many deliveries have to be safe before it is written. Those after the checkpoint will be
    /// found again when reading continues there.
    pub(super) held: Vec<(u64, Rejected)>,
}

impl Track {
    pub(super) fn from(checkpoint: Checkpoint) -> Track {
        let safe = checkpoint.position;
        Track { marks: checkpoint.into_mark().into_iter().collect(), safe, ..Track::default() }
    }

    /// Takes note of how many deliveries are settled, from the first one on.
    pub(super) fn settled(&mut self, settled: u64) {
        while let Some(&(taken, position)) = self.positions.front()
            && taken <= settled
        {
            (self.safe, self.safe_deliveries) = (position, taken);
            self.positions.pop_front();
        }
        Checkpoint::forget(self.safe, &mut self.marks);
    }

    /// Writes the rejects that lie before what is safe.
    pub(super) fn release(&mut self, rejects: &mut Rejects) -> Result<()> {
        let safe = self.safe_deliveries;
        for (_, rejected) in self.held.extract_if(.., |(deliveries, _)| *deliveries <= safe) {
            rejects.write(&rejected)?;
        }
        Ok(())
    }
}
