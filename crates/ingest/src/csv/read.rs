//! Turns a row of a table into a tweet.

use std::borrow::Cow;

use memchr::{memchr, memmem};

use super::columns::{Column, Columns};
use super::dialect::{Cells, Quoting};
use super::mend::mend;
use crate::field::{Use, fold};
use crate::item::{Found, Sink};
use crate::json::values_under;
use crate::python::object_in;
use crate::record::{self, Record};
use crate::text::decode_as;
use crate::{Field, Item, Options, Rejected, Stage, format};

const CUT_AT_A_DELIMITER: &str =
    "its text seems to go on in the next column: it holds a delimiter, and is not quoted";

/// Whether a line in a row, behind its first, begins like a row: with the id of a tweet.
fn holds_a_row(raw: &[u8], delimiter: u8) -> bool {
    let mut rest = raw;
    while let Some(at) = memchr(b'\n', rest) {
        rest = &rest[at + 1..];
        let line = rest.strip_prefix(b"\"").unwrap_or(rest);
        let n_digits = line.iter().take_while(|b| b.is_ascii_digit()).count();
        let after = line[n_digits..].strip_prefix(b"\"").unwrap_or(&line[n_digits..]);
        if (15..=20).contains(&n_digits) && after.first() == Some(&delimiter) {
            return true;
        }
    }
    false
}

/// Reads the rows of a batch, with one buffer for all of them.
pub(super) struct Rows<'c> {
    columns: &'c Columns,
    options: &'c Options,
    cells: Cells,
    /// The columns that hold something, sorted by field and rank.
    fields: Vec<Column>,
    /// The values in the objects of the row.
    inner: Vec<(Use, String)>,
    /// Where those of each field begin among them, and behind the last field their number.
    starts: [usize; Field::COUNT + 1],
}

impl<'c> Rows<'c> {
    pub(super) fn new(columns: &'c Columns, options: &'c Options) -> Rows<'c> {
        let mut fields = columns.fields.clone();
        fields.sort_by_key(|column| (column.field, column.rank));
        let starts = std::array::from_fn(|field| {
            fields.partition_point(|column| (column.field as usize) < field)
        });
        Rows { columns, options, cells: Cells::default(), fields, inner: Vec::new(), starts }
    }

    /// Takes a row apart. The error says why it is not whole.
    fn split(&mut self, raw: &[u8]) -> Result<(), String> {
        let Columns { dialect, n_columns, .. } = *self.columns;
        self.cells.split(raw, dialect);
        let n_cells = self.cells.len();
        let has_more = n_cells > n_columns
            && (n_columns..n_cells)
                .any(|at| self.cells.get(at).is_some_and(|c| !c.trim_ascii().is_empty()));
        // Where a row may go on behind a line end, or may have gone on there, it is not known whether its text is whole.
        let is_open = memchr(b'\n', raw).is_some()
            || self.columns.first(Field::Text) == n_columns.checked_sub(1);
        let is_quoted = self.cells.is_irregular || memchr(b'"', raw).is_some();
        if (self.cells.is_irregular || has_more)
            && !(is_open && is_quoted)
            && mend(raw, dialect, n_columns, &mut self.cells)
        {
            return match self.looks_cut_at_a_delimiter(raw, true) {
                true => Err(CUT_AT_A_DELIMITER.to_owned()),
                false => Ok(()),
            };
        }
        Err(match (self.cells.is_irregular, has_more) {
            (true, _) => {
                "its quotes can be understood in more than one way, so that its text might be cut"
                    .to_owned()
            }
            (_, true) => format!("it has {n_cells} cells, and there are {n_columns} columns"),
            _ if self.looks_cut() => {
                format!(
                    "it has {n_cells} cells of {n_columns}, and looks cut by a line break in its text"
                )
            }
            _ if self.looks_cut_at_a_delimiter(raw, false) => CUT_AT_A_DELIMITER.to_owned(),
            _ if holds_a_row(raw, dialect.delimiter) => {
                "a quoted cell of it holds what looks like the next row".to_owned()
            }
            (false, false) => return Ok(()),
        })
    }

    /// Whether the text seems to go on in the next column: that begins with a blank, as what follows a comma does, and not as
    /// the values of a column do. What is quoted is whole, unless its quotes are odd.
    fn looks_cut_at_a_delimiter(&self, raw: &[u8], is_mended: bool) -> bool {
        let Columns { dialect, .. } = *self.columns;
        let Some(text) = self.columns.first(Field::Text) else { return false };
        let Some(next) = self.cells.get(text + 1) else { return false };
        let begins_with_one_blank =
            next.starts_with(b" ") && next.get(1).is_some_and(|b| !b.is_ascii_whitespace());
        if !begins_with_one_blank || dialect.quoting == Quoting::Spaced {
            return false;
        }
        // The text as it stands in the row, whatever is around it.
        let text = self.cells.get(text).unwrap_or_default();
        let tail = &text[text.len() - text.len().min(24)..];
        let cut = [tail, &[dialect.delimiter], &next[..next.len().min(24)]].concat();
        is_mended || !tail.is_empty() && memmem::find(raw, &cut).is_some()
    }

    /// The cells of a row, unquoted. The error says why it is not whole.
    pub(super) fn cells(&mut self, raw: &[u8]) -> Result<Vec<String>, String> {
        self.split(raw)?;
        let cells = (0..self.cells.len()).filter_map(|at| self.cells.get(at));
        Ok(cells.map(|cell| decode_as(cell, raw).into_owned()).collect())
    }

    /// Takes the values out of the objects that stand in cells.
    fn look_into_objects(&mut self, raw: &[u8]) {
        self.inner.clear();
        let Some(header) = &self.columns.header else { return };
        for at in &self.columns.objects {
            let (Some(name), Some(cell)) = (header.get(*at), self.cells.get(*at)) else { continue };
            let cell = decode_as(cell, raw);
            if let Some(json) = object_in(&cell) {
                values_under(&fold(name), &json, &mut |found, text| self.inner.push((found, text)));
            }
        }
        self.inner.sort_by_key(|(found, _)| (found.field, found.rank));
    }

    /// Whether a row is the header once more, as in files that were put one behind the other.
    pub(super) fn is_header(&self, raw: &[u8]) -> bool {
        let Some(header) = &self.columns.header else { return false };
        header.len() == self.cells.len()
            && header.iter().enumerate().all(|(at, name)| {
                self.cells.get(at).is_some_and(|cell| {
                    let cell = decode_as(cell, raw);
                    cell.trim().trim_start_matches('\u{FEFF}')
                        == name.trim_start_matches('\u{FEFF}')
                })
            })
    }

    /// Whether a row that has fewer cells than there are columns looks as if a line break had cut it, or as if it were what
    /// follows such a line break: its last cell is the text, or its id is none.
    fn looks_cut(&self) -> bool {
        let n_cells = self.cells.len();
        if n_cells >= self.columns.n_columns {
            return false;
        }
        let text = self.columns.first(Field::Text);
        let id = self.columns.first(Field::Id).and_then(|at| self.cells.get(at));
        let is_no_id = |cell: &[u8]| cell.trim_ascii().is_empty() || cell.contains(&b' ');
        text.is_some_and(|at| at + 1 >= n_cells) || id.is_some_and(is_no_id)
    }
}

impl format::Read for Rows<'_> {
    fn read(&mut self, raw: &[u8], line: u64, sink: &mut Sink<'_>) {
        let split = self.split(raw);
        if split.is_ok() && self.is_header(raw) {
            return sink(Found::Item(Item::Notice { line, kind: "header" }));
        }
        self.look_into_objects(raw);
        let row = Row {
            inner: &self.inner,
            cells: &self.cells,
            fields: &self.fields,
            starts: &self.starts,
            raw,
        };
        let outcome = split.and_then(|()| record::read(&row, self.columns.day_order, self.options));
        let item = match outcome {
            Ok(tweet) => Item::Tweet { line, tweet, source: None },
            Err(reason) => {
                let mut rejected = Rejected::new(line, Stage::Parse, reason, raw);
                rejected.id =
                    self.columns.first(Field::Id).and_then(|at| row.get(at)).map(Cow::into_owned);
                rejected.header.clone_from(&self.columns.header_text);
                Item::Rejected(rejected)
            }
        };
        sink(Found::Item(item));
    }
}

struct Row<'r> {
    inner: &'r [(Use, String)],
    cells: &'r Cells,
    fields: &'r [Column],
    starts: &'r [usize; Field::COUNT + 1],
    raw: &'r [u8],
}

impl<'r> Row<'r> {
    /// A cell's text, which may be empty.
    fn get(&self, at: usize) -> Option<Cow<'r, str>> {
        Some(decode_as(self.cells.get(at)?, self.raw))
    }
}

impl<'r> Record<'r> for Row<'r> {
    #[inline]
    fn has(&self, field: Field) -> bool {
        self.starts[field as usize] < self.starts[field as usize + 1]
            || self.inner.iter().any(|(found, _)| found.field == field)
    }

    fn value(&self, field: Field, nth: usize) -> Option<(Cow<'r, str>, bool)> {
        let at = self.starts[field as usize] + nth;
        let end = self.starts[field as usize + 1];
        if at >= end {
            let mut inner = self.inner.iter().filter(|(found, _)| found.field == field);
            let (found, text) = inner.nth(at - end)?;
            return Some((Cow::Borrowed(text), found.is_vague));
        }
        let column = self.fields.get(at)?;
        // A row may be shorter than the header.
        Some((self.get(column.at).unwrap_or_default(), column.is_vague))
    }
}
