//! Turns a row of a CSV file into a tweet.

use std::borrow::Cow;

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};

use super::columns::Columns;
use crate::cells::tweet_of_cells;
use crate::format;
use crate::item::{Found, Sink};
use crate::text::is_windows_1252;
use crate::{Field, Item, Options, Rejected, Stage};

/// Reads the rows of a batch, with one buffer for all of them.
pub(super) struct Rows<'c> {
    columns: &'c Columns,
    options: &'c Options,
    reader: Reader,
    unquoted: Vec<u8>,
    ends: Vec<usize>,
}

impl<'c> Rows<'c> {
    pub(super) fn new(columns: &'c Columns, options: &'c Options) -> Rows<'c> {
        let reader = ReaderBuilder::new().delimiter(columns.delimiter).build();
        Rows { columns, options, reader, unquoted: Vec::new(), ends: vec![0; 64] }
    }

    /// The cells of a row, unquoted.
    pub(super) fn cells(&mut self, raw: &[u8]) -> Vec<String> {
        let n_cells = self.split(raw);
        let row = Row { cells: &self.unquoted, ends: &self.ends[..n_cells], raw };
        (0..n_cells).map(|i| row.get(i).unwrap_or_default().into_owned()).collect()
    }

    /// Unquotes the cells of a row. Returns how many there are.
    fn split(&mut self, raw: &[u8]) -> usize {
        self.reader.reset();
        self.unquoted.resize(raw.len() + 1, 0);
        let (mut input, mut n_out, mut n_ends) = (raw, 0, 0);
        loop {
            let (result, read, out, ends) = self.reader.read_record(
                input,
                &mut self.unquoted[n_out..],
                &mut self.ends[n_ends..],
            );
            input = &input[read..];
            n_out += out;
            n_ends += ends;
            match result {
                ReadRecordResult::OutputEndsFull => self.ends.resize(self.ends.len() * 2, 0),
                ReadRecordResult::OutputFull => self.unquoted.resize(self.unquoted.len() * 2, 0),
                ReadRecordResult::InputEmpty => {}
                ReadRecordResult::Record | ReadRecordResult::End => return n_ends,
            }
        }
    }
}

impl format::Read for Rows<'_> {
    fn read(&mut self, raw: &[u8], line: u64, sink: &mut Sink<'_>) {
        let n_cells = self.split(raw);
        let row = Row { cells: &self.unquoted, ends: &self.ends[..n_cells], raw };
        let item = match tweet_of_cells(|field| row.get(self.columns.index(field)?), self.options) {
            Ok(tweet) => Item::Tweet { line, tweet, source: None },
            Err(reason) => {
                let mut rejected = Rejected::new(line, Stage::Parse, reason, raw);
                rejected.id =
                    self.columns.index(Field::Id).and_then(|i| row.get(i)).map(Cow::into_owned);
                rejected.header.clone_from(&self.columns.header);
                Item::Rejected(rejected)
            }
        };
        sink(Found::Item(item));
    }
}

struct Row<'r> {
    cells: &'r [u8],
    ends: &'r [usize],
    raw: &'r [u8],
}

impl<'r> Row<'r> {
    fn bytes(&self, index: usize) -> Option<&'r [u8]> {
        let end = *self.ends.get(index)?;
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        Some(&self.cells[start..end])
    }

    /// A cell's text, which may be empty.
    fn get(&self, index: usize) -> Option<Cow<'r, str>> {
        let bytes = self.bytes(index)?;
        Some(match std::str::from_utf8(bytes) {
            Ok(text) => Cow::Borrowed(text),
            // The encoding is told from the whole row: one cell may be too short to tell.
            Err(_) if is_windows_1252(self.raw) => encoding_rs::WINDOWS_1252.decode(bytes).0,
            Err(_) => String::from_utf8_lossy(bytes),
        })
    }
}
