//! CSV and TSV in the dialects that exports use.
//!
//! [`columns`] finds out which column holds what, [`split`] where rows end, and [`read`] makes tweets of rows.

use crate::beginning::{Beginning, Sniffed};
use crate::format::{self, Format, Start};
use crate::{Error, Options};

mod columns;
mod json;
mod read;
mod split;

use columns::Columns;
use read::Rows;
use split::Splitter;

/// Recognizes a table by its column for the text, which has a known name or is given by the user.
pub(crate) fn recognize(
    beginning: &Beginning<'_>,
    options: &Options,
) -> Result<Option<Sniffed>, Error> {
    // Of the white space before the header only line breaks are skipped: a tab is an empty first cell.
    let text = beginning.text();
    let blank_lines = text.iter().take_while(|b| matches!(b, b'\n' | b'\r')).count();
    let table = &text[blank_lines..];
    Ok(Some(beginning.is(Columns::detect(table, options)?, table)))
}

impl Format for Columns {
    fn newline(&self) -> u8 {
        self.newline
    }

    fn splitter(&self, start: Start) -> Box<dyn format::Split> {
        Box::new(Splitter::new(self, start))
    }

    fn reader<'f>(&'f self, options: &'f Options) -> Box<dyn format::Read + 'f> {
        Box::new(Rows::new(self, options))
    }

    fn rewriter<'f>(&'f self, options: &'f Options) -> Box<format::Rewrite<'f>> {
        json::rewriter(self, options)
    }

    fn header(&self) -> Option<String> {
        self.header.clone()
    }
}
