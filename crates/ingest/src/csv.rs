//! CSV and TSV in the dialects that exports use.
//!
//! [`layout`] finds out how a table is laid out, [`columns`] which column holds what, and [`infer`] the same where there is
//! no header. [`split`] finds where rows end, [`dialect`] takes them apart, and [`read`] makes tweets of them.

use memchr::memchr_iter;

use crate::beginning::{Beginning, Sniffed};
use crate::format::{self, Format, Start};
use crate::{DayOrder, DescribedColumn, Description, Detail, Error, Options};

mod columns;
mod dialect;
mod infer;
mod json;
mod layout;
mod mend;
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
    let (columns, preamble) = Columns::detect(table, options)?;
    Ok(Some(beginning.is(columns, &table[preamble..])))
}

impl Format for Columns {
    fn newline(&self) -> u8 {
        self.newline
    }

    fn splitter(&self, start: Start) -> Box<dyn format::Split> {
        let splitter = Splitter::new(self.dialect, self.header.is_some(), start);
        Box::new(splitter.joining(self.joins))
    }

    fn reader<'f>(&'f self, options: &'f Options) -> Box<dyn format::Read + 'f> {
        Box::new(Rows::new(self, options))
    }

    fn rewriter<'f>(&'f self, options: &'f Options) -> Box<format::Rewrite<'f>> {
        json::rewriter(self, options)
    }

    fn describe(&self, records: &mut dyn Iterator<Item = &[u8]>, _: &Options) -> Description {
        let mut description = Description::of("CSV");
        let delimiter = match self.dialect.delimiter {
            b'\t' => "tab".to_owned(),
            other => char::from(other).to_string(),
        };
        description.add("delimiter", delimiter);
        description.add("quoting", self.dialect.quoting.describe());
        description.add("header", if self.header.is_some() { "yes" } else { "no" });
        let order = self.day_order.map(|order| match order {
            DayOrder::DayFirst => "the day comes first",
            DayOrder::MonthFirst => "the month comes first",
        });
        description
            .details
            .extend(order.map(|order| Detail { name: "dates", value: order.to_owned() }));
        let width = records.map(|row| memchr_iter(self.dialect.delimiter, row).count() + 1).max();
        let n_columns = if self.header.is_some() {
            self.n_columns
        } else {
            width.unwrap_or(0).min(self.n_columns)
        };
        description.columns = (0..n_columns)
            .map(|at| {
                let name = self.header.as_ref().and_then(|header| header.get(at));
                let name = name.cloned().unwrap_or_else(|| (at + 1).to_string());
                DescribedColumn::new(name, self.fields_at(at))
            })
            .collect();
        description
    }

    fn header(&self) -> Option<String> {
        self.header_text.clone()
    }
}
