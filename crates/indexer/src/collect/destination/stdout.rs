//! Standard output.

use std::io::{self, Write};

use super::super::meter::Meter;
use super::super::spool::{Chunk, Position};
use crate::failure::{Context, Result};

/// Standard output.
#[derive(Default)]
pub(crate) struct Stdout {
    taken: Position,
    unsettled: u64,
}

impl Stdout {
    pub(super) fn take(&mut self, chunk: &Chunk, end: Position) -> Result<()> {
        io::stdout().lock().write_all(&chunk.lines).context("cannot write to stdout")?;
        self.unsettled += chunk.records;
        self.taken = end;
        Ok(())
    }

    pub(super) fn settle(&mut self, meter: &Meter) -> Result<Position> {
        io::stdout().lock().flush().context("cannot write to stdout")?;
        meter.sent.inc_by(std::mem::take(&mut self.unsettled));
        Ok(self.taken)
    }
}
