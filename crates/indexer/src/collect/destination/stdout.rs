//! Standard output.

use std::io::{self, Write};

use super::super::meter::Meter;
use super::super::spool::Chunk;
use crate::failure::{Context, Result};

/// Standard output.
pub(crate) struct Stdout;

impl Stdout {
    pub(super) fn take(&mut self, chunk: &Chunk, meter: &Meter) -> Result<()> {
        io::stdout().lock().write_all(&chunk.lines).context("cannot write to stdout")?;
        meter.sent.inc_by(chunk.records);
        Ok(())
    }
}

/// Makes sure that everything was written.
pub(super) fn flush() -> Result<()> {
    io::stdout().lock().flush().context("cannot write to stdout")
}
