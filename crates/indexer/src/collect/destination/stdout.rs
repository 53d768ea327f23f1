//! Standard output.

use std::io::{self, Write};

use super::super::spool::Chunk;
use crate::failure::{Context, Result};

/// Standard output.
pub(crate) struct Stdout;

impl Stdout {
    pub(super) fn take(&mut self, chunk: &Chunk) -> Result<()> {
        io::stdout().lock().write_all(&chunk.lines).context("cannot write to stdout")
    }
}

/// Makes sure that everything was written.
pub(super) fn flush() -> Result<()> {
    io::stdout().lock().flush().context("cannot write to stdout")
}
