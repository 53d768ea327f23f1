//! Keeps track of the position up to which a source is safe, that is, in the store or in the rejects, while it is
//! still being read.

use std::collections::VecDeque;

use ingest::{Checkpoint, Mark, Position, Rejected};

use crate::failure::Result;
use crate::rejects::Rejects;

/// The position up to which a source is safe. The store settles deliveries out of order, so only those before the
/// first one that is not settled count.
#[derive(Default)]
pub(super) struct Track {
    /// The ends of the batches that are not safe yet, each with the number of deliveries made up to there.
    pub(super) positions: VecDeque<(u64, Position)>,
    /// The places from which gzip data can be decompressed again, except those that no checkpoint needs any more.
    pub(super) marks: VecDeque<Mark>,
    /// The position up to which everything is safe.
    pub(super) safe: Position,
    /// The number of deliveries made up to `safe`.
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

    /// Advances `safe`, given that the first `settled` deliveries are settled.
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
