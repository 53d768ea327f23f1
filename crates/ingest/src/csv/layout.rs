//! How a table is laid out: its dialect, where its header stands, and in which order its dates have day and month.

use std::ops::Range;

use memchr::{memchr, memmem};

use super::columns::{Columns, match_header};
use super::dialect::{Cells, Dialect, Quoting};
use super::infer::infer;
use super::split::{Joins, Splitter};
use crate::beginning::SNIFF_BYTES;
use crate::field::fold;
use crate::format::{Rest, Split, Start, Stretch};
use crate::python::looks_like_object;
use crate::text::decode;
use crate::time::{DayOrder, order_of};
use crate::{Error, Field, Options, Timestamp};

const DELIMITERS: [u8; 4] = [b',', b';', b'\t', b'|'];
/// Among so many rows the header is looked for: reports have lines about themselves before it.
const MAX_PREAMBLE: usize = 30;
/// How many rows are looked at.
const SAMPLE_ROWS: usize = 200;

/// The first rows of a table.
#[derive(Default)]
struct Sample {
    rows: Vec<Row>,
    /// How many stretches of bytes are no whole row.
    n_faults: usize,
}

/// A row, with its place in the bytes.
struct Row {
    cells: Vec<String>,
    start: usize,
    end: usize,
    is_irregular: bool,
}

impl Row {
    fn of(cells: &Cells, Range { start, end }: Range<usize>) -> Row {
        let texts = (0..cells.len()).filter_map(|at| cells.get(at));
        let texts = texts.map(|cell| decode(cell).trim().to_owned()).collect();
        Row { cells: texts, start, end, is_irregular: cells.is_irregular }
    }
}

impl Sample {
    fn take(start: &[u8], dialect: Dialect) -> Sample {
        let mut splitter = Splitter::new(dialect, false, Start::Middle);
        // If the sample is not the whole source, its last row may be cut.
        let rest = if start.len() < SNIFF_BYTES - 1024 { Rest::Ended } else { Rest::ToCome };
        let (mut sample, mut at, mut cells) = (Sample::default(), 0, Cells::default());
        while sample.rows.len() < SAMPLE_ROWS && at < start.len() {
            match splitter.next(&start[at..], rest) {
                Stretch::Record { end, fault: None } => {
                    let (from, to) = (at, at + end);
                    cells.split(&start[from..to], dialect);
                    sample.rows.push(Row::of(&cells, from..to));
                    at = to;
                }
                Stretch::Record { end, fault: Some(_) } => {
                    sample.n_faults += 1;
                    at += end.max(1);
                }
                Stretch::Separators { end } => at += end,
                Stretch::Unfinished => break,
            }
        }
        // One long row may fill all of the sample.
        if sample.rows.is_empty() {
            cells.split(start, dialect);
            // It may be cut in the middle of a quoted cell, which says nothing of its quotes.
            sample.rows.push(Row { is_irregular: false, ..Row::of(&cells, 0..start.len()) });
        }
        sample
    }

    /// The row that is the header, and how many fields it names: the first with a column for the text and another one, or the
    /// first of all if it names the text alone.
    fn header(&self) -> Option<(usize, usize)> {
        let fields = |row: &Row| {
            let fields = match_header(&row.cells);
            let has_text = fields.iter().any(|column| column.field == Field::Text);
            has_text.then_some(fields.len())
        };
        let first = self.rows.first().and_then(fields);
        let rows = self.rows.iter().take(MAX_PREAMBLE).enumerate();
        let named = rows.filter_map(|(at, row)| Some((at, fields(row)?))).find(|(_, n)| *n > 1);
        named.or(first.map(|n| (0, n)))
    }

    /// How many rows from `from` on do not have `n_columns` cells, or quotes where none may be.
    fn n_odd(&self, from: usize, n_columns: usize) -> usize {
        let is_odd = |row: &&Row| row.is_irregular || row.cells.len() != n_columns;
        self.rows.iter().skip(from).filter(is_odd).count() + self.n_faults
    }
}

impl Columns {
    /// Works out the layout of a table that begins with `start`. Returns it, and how many bytes come before its header, or
    /// before its first row if it has none.
    pub(super) fn detect(start: &[u8], options: &Options) -> Result<(Columns, usize), Error> {
        let newline = if memchr(b'\n', start).is_none() && memchr(b'\r', start).is_some() {
            b'\r'
        } else {
            b'\n'
        };
        let (said, skipped) = said_delimiter(start);
        let table = &start[skipped..];
        let delimiters: Vec<u8> = said.map_or(DELIMITERS.to_vec(), |delimiter| vec![delimiter]);
        let (delimiter, sample) = delimiters
            .into_iter()
            .map(|delimiter| {
                (delimiter, Sample::take(table, Dialect { delimiter, quoting: Quoting::Doubled }))
            })
            // `max_by_key` returns the last of several maxima. The order is reversed so that the comma wins a tie.
            .rev()
            .max_by_key(|(_, sample)| {
                let named = sample.header().map_or(0, |(_, fields)| fields);
                let columns = sample.rows.first().map_or(0, |row| row.cells.len());
                (named, columns)
            })
            .unwrap_or_default();
        let (quoting, sample) = best_quoting(table, delimiter, sample);
        let dialect = Dialect { delimiter, quoting };
        Columns::of(&sample, dialect, newline, options, table)
            .map(|(columns, start)| (columns, skipped + start))
    }

    fn of(
        sample: &Sample,
        dialect: Dialect,
        newline: u8,
        options: &Options,
        table: &[u8],
    ) -> Result<(Columns, usize), Error> {
        // Kept verbatim, with any line breaks in quoted cells, so that rejected rows can be read again with it.
        let header_text = |row: &Row| decode(&table[row.start..row.end]).into_owned();
        let names_one = |row: &Row| {
            let is_named = |name: &str| row.cells.iter().any(|cell| fold(cell) == fold(name));
            // Without a header, a number is a number.
            let mut names =
                options.columns.iter().filter(|(_, name)| name.parse::<usize>().is_err());
            names.any(|(_, name)| is_named(name))
        };
        let rows = &sample.rows;
        let header_at = sample.header().map(|(at, _)| at);
        let header_at = header_at.or_else(|| rows.iter().take(MAX_PREAMBLE).position(names_one));
        // A row that names other things is the header too, and not a tweet.
        let names_any = |row: &Row| !match_header(&row.cells).is_empty();
        let header_at = header_at.or_else(|| rows.first().filter(|row| names_any(row)).map(|_| 0));
        let first = header_at.unwrap_or(0);
        let Some(row) = rows.get(first) else { return Err(Error::Empty) };
        // R writes the names of rows into a column without a name.
        let has_row_names =
            header_at.is_some() && has_row_names(&rows[first + 1..], row.cells.len());
        let names: Vec<String> = match has_row_names {
            true => std::iter::once(String::new()).chain(row.cells.iter().cloned()).collect(),
            false => row.cells.clone(),
        };
        let body: Vec<&[String]> =
            rows[first + usize::from(header_at.is_some())..].iter().map(|r| &*r.cells).collect();
        let fields = match header_at {
            Some(_) => match_header(&names),
            None if options.columns.is_empty() => infer(&body).unwrap_or_default(),
            None => Vec::new(),
        };
        let n_columns = match header_at {
            Some(_) => names.len(),
            None => most_common(body.iter().map(|row| row.len())),
        };
        let shown = || excerpt(&row.cells, dialect.delimiter);
        let mut columns = Columns {
            dialect,
            newline,
            header: header_at.map(|_| names.clone()),
            header_text: header_at.map(|_| header_text(row)),
            n_columns,
            fields,
            objects: Vec::new(),
            day_order: None,
            joins: None,
        };
        if columns.header.is_some() {
            let is_object = |at: &usize| {
                body.iter().any(|row| row.get(*at).is_some_and(|cell| looks_like_object(cell)))
            };
            columns.objects = (0..n_columns).filter(is_object).collect();
        }
        columns.apply(options, &names, shown)?;
        columns.promote_ids_named_user(&body);
        if columns.first(Field::Text).is_none() {
            let is_id = |row: &&[String]| row.len() == 1 && Timestamp::from_id(&row[0]).is_some();
            if header_at.is_none() && !body.is_empty() && body.iter().all(is_id) {
                return Err(Error::IdsOnly);
            }
            return Err(Error::NoTextColumn { header: shown() });
        }
        columns.day_order = options.day_order.or_else(|| columns.order_of_dates(&body));
        columns.joins = columns.joins(&body);
        Ok((columns, row.start))
    }

    /// How rows are put together again that line breaks have cut.
    fn joins(&self, body: &[&[String]]) -> Option<Joins> {
        let text = self.first(Field::Text)?;
        let is_text_last = text + 1 == self.n_columns;
        let begins_with_number = |row: &&&[String]| {
            row.len() == self.n_columns
                && row[0].trim_matches(['"', '\'', '=']).bytes().all(|b| b.is_ascii_digit())
        };
        let n_whole = body.iter().filter(|row| row.len() == self.n_columns).count();
        let begin_with_number =
            n_whole > 0 && body.iter().filter(begins_with_number).count() == n_whole;
        (is_text_last || text == 0).then_some(Joins {
            n_columns: self.n_columns,
            is_text_last,
            begin_with_number,
        })
    }

    /// The order of day and month that the dates of the sample show: by a day that can be no month, or by the time in the
    /// id of the same row.
    fn order_of_dates(&self, body: &[&[String]]) -> Option<DayOrder> {
        let (mut day_first, mut month_first) = (0_usize, 0_usize);
        for row in body {
            for date in self.columns_of(Field::CreatedAt).filter_map(|at| row.get(at)) {
                let by_id = || {
                    let ids = self.columns_of(Field::Id).filter_map(|at| row.get(at));
                    let time = ids.filter_map(|id| Timestamp::from_id(id)).next()?;
                    let agrees = |order| {
                        let date = Timestamp::parse_in_order(date, Some(order))?;
                        let apart = (date.as_millis() - time.as_millis()).abs();
                        Some(apart < 2 * 24 * 3_600_000)
                    };
                    match (agrees(DayOrder::DayFirst)?, agrees(DayOrder::MonthFirst)?) {
                        (true, false) => Some(DayOrder::DayFirst),
                        (false, true) => Some(DayOrder::MonthFirst),
                        _ => None,
                    }
                };
                match order_of(date).or_else(by_id) {
                    Some(DayOrder::DayFirst) => day_first += 1,
                    Some(DayOrder::MonthFirst) => month_first += 1,
                    None => {}
                }
            }
        }
        match (day_first, month_first) {
            (0, 0) => None,
            (_, 0) => Some(DayOrder::DayFirst),
            (0, _) => Some(DayOrder::MonthFirst),
            // Both occur, so that nothing is sure.
            _ => None,
        }
    }
}

/// The delimiter that Excel's `sep=;` names on the first line, and the length of that line.
fn said_delimiter(start: &[u8]) -> (Option<u8>, usize) {
    let line = start.split(|b| matches!(b, b'\n' | b'\r')).next().unwrap_or_default();
    let bare = line.strip_prefix(b"\"").and_then(|l| l.strip_suffix(b"\"")).unwrap_or(line);
    let is_said = bare.len() == 5 && bare[..4].eq_ignore_ascii_case(b"sep=");
    let rest = &start[line.len()..];
    let line_end = rest.iter().take_while(|b| matches!(b, b'\n' | b'\r')).count();
    match is_said {
        true => (Some(bare[4]), line.len() + line_end),
        false => (None, 0),
    }
}

/// The quoting in which the fewest rows are odd. Quotes as RFC 4180 has them win a tie.
fn best_quoting(table: &[u8], delimiter: u8, sample: Sample) -> (Quoting, Sample) {
    let n_odd = |sample: &Sample| match sample.header() {
        Some((at, _)) => sample.n_odd(at + 1, sample.rows[at].cells.len()),
        None => sample.n_odd(0, most_common(sample.rows.iter().map(|row| row.cells.len()))),
    };
    let head = &table[..table.len().min(SNIFF_BYTES)];
    // How databases write a missing value, in files in which backslashes have a meaning.
    let has_nulls = sample.rows.iter().any(|row| row.cells.iter().any(|cell| cell == "\\N"));
    if has_nulls && delimiter == b'\t' {
        let quoting = Quoting::Backslashes;
        let other = Sample::take(table, Dialect { delimiter, quoting });
        if n_odd(&other) <= n_odd(&sample) {
            return (quoting, other);
        }
    }
    if n_odd(&sample) == 0 || memchr(b'"', head).is_none() && memchr(b'\\', head).is_none() {
        return (Quoting::Doubled, sample);
    }
    // One text with a quote in it does not make those a part of texts that most rows have around a cell.
    let has_quoted_cell = |line: &&[u8]| {
        let mut cells = line.split(|b| *b == delimiter).map(<[u8]>::trim_ascii);
        cells.any(|cell| cell.len() > 2 && cell.starts_with(b"\"") && cell.ends_with(b"\""))
    };
    let lines = || head.split(|b| *b == b'\n').skip(1).filter(|line| !line.is_empty());
    let is_mostly_quoted = lines().filter(has_quoted_cell).count() * 2 > lines().count();
    let named = |sample: &Sample| sample.header().map_or(0, |(_, n)| n);
    let least_named = named(&sample);
    let escapes = |byte: u8| memmem::find(head, &[b'\\', byte]).is_some();
    let others = Quoting::ALL.into_iter().skip(1).filter(|quoting| match quoting {
        // A quote that is not closed does not make quotes a part of texts; where tabs delimit cells, they often are.
        Quoting::Text => delimiter == b'\t' && !is_mostly_quoted,
        Quoting::Backslashes => escapes(b'N') || escapes(b'\n') || escapes(delimiter),
        Quoting::Escaped => escapes(b'"'),
        Quoting::Doubled | Quoting::Spaced => true,
    });
    let mut best = (Quoting::Doubled, sample);
    for quoting in others {
        let other = Sample::take(table, Dialect { delimiter, quoting });
        if named(&other) >= least_named && n_odd(&other) < n_odd(&best.1) {
            best = (quoting, other);
        }
    }
    best
}

/// Whether all rows have one cell more than the header, and begin with a number.
fn has_row_names(body: &[Row], n_names: usize) -> bool {
    let is_named = |row: &Row| {
        let name = row.cells.first().map_or("", String::as_str);
        row.cells.len() == n_names + 1
            && (1..8).contains(&name.len())
            && name.bytes().all(|b| b.is_ascii_digit())
    };
    !body.is_empty() && body.iter().all(is_named)
}

fn most_common(numbers: impl Iterator<Item = usize>) -> usize {
    let mut numbers: Vec<usize> = numbers.collect();
    numbers.sort_unstable();
    let runs = numbers.chunk_by(|a, b| a == b);
    runs.max_by_key(|run| run.len()).map_or(0, |run| run[0])
}

fn excerpt(cells: &[String], delimiter: u8) -> String {
    let row = cells.join(&char::from(delimiter).to_string()).replace(['\n', '\r'], " ");
    match row.char_indices().nth(100) {
        Some((cut, _)) => format!("{}…", &row[..cut]),
        None => row,
    }
}
