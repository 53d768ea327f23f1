//! Standard output, which belongs to data and to the report.

use std::io;

use crate::failure::{Context, Result};

/// What becomes of an error in writing something to be looked at, as in `indexer search '' | head`: that the reader has
/// seen enough is not one. Output that is meant to be kept must not end like this.
pub(crate) fn shown(written: io::Result<()>) -> Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.context("cannot write to stdout"),
    }
}
