//! Finds where the rows of a CSV file end.
//!
//! A quote opens a quoted field only if it is the first character of the field, as in RFC 4180. If a quote is never
//! closed, or is closed lines later in the middle of another row's text, only the line that it stands on is rejected.

use memchr::{memchr, memchr_iter, memchr2, memchr3};

use super::dialect::{Dialect, Quoting};
use crate::format::{BROKEN_OFF, Rest, Split, Start, Stretch};

/// A row longer than this is taken for a quote that was never closed; the longest post is 25,000
/// characters.
const MAX_ROW_BYTES: usize = 1024 * 1024;
const TOO_LONG: &str = "this line is longer than 1 MiB";
/// A row that line breaks have cut is not longer than this.
const MAX_JOINED_BYTES: usize = 64 * 1024;
const UNCLOSED: &str = "a quote opened on this line is not closed where a field can end";

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    FieldStart,
    Unquoted,
    Quoted,
    /// After a quote in a quoted field: its end, or the first half of an escaped quote.
    QuoteInQuoted,
}

pub(super) struct Splitter {
    dialect: Dialect,
    header_pending: bool,
    state: State,
    /// How far the current row has been looked at.
    at: usize,
    /// Where the quote stands that opened the current field.
    quote_at: usize,
    /// How many of the next bytes were searched in vain for the end of an earlier quote. The end of a quote that is
    /// opened in them is searched for on its own line only; otherwise a file of such quotes would take quadratic time.
    hopeless: usize,
    /// Whether what follows, up to the end of the line, belongs to a row that was given up.
    in_rest_of_line: bool,
    joins: Option<Joins>,
}

/// How rows are known that a line break in their text has cut, since the text is not quoted. The text is in the first or in the
/// last column.
#[derive(Debug, Clone, Copy)]
pub(super) struct Joins {
    pub(super) n_columns: usize,
    pub(super) is_text_last: bool,
    /// Whether rows begin with a number, such as an id. Lines that do not begin with one go on with the row before them.
    pub(super) begin_with_number: bool,
}

impl Splitter {
    /// A splitter for a table that has a header if `has_header` says so.
    pub(super) fn new(dialect: Dialect, has_header: bool, start: Start) -> Splitter {
        Splitter {
            dialect,
            header_pending: has_header && start == Start::Beginning,
            state: State::FieldStart,
            at: 0,
            quote_at: 0,
            hopeless: 0,
            in_rest_of_line: false,
            joins: None,
        }
    }

    /// A splitter that puts rows together again which line breaks have cut.
    pub(super) fn joining(self, joins: Option<Joins>) -> Splitter {
        Splitter { joins: joins.filter(|joins| joins.n_columns > 2), ..self }
    }

    fn row(&mut self, end: usize, fault: Option<&'static str>) -> Stretch {
        self.at = 0;
        self.hopeless = self.hopeless.saturating_sub(end);
        self.state = State::FieldStart;
        match std::mem::take(&mut self.header_pending) {
            true if fault.is_none() => Stretch::Separators { end },
            _ => Stretch::Record { end, fault },
        }
    }

    /// Gives up the first line of `bytes`, because a quote in it is not closed. The next row starts after that line.
    fn first_line(&mut self, bytes: &[u8], fault: &'static str) -> Stretch {
        let end = memchr2(b'\n', b'\r', bytes);
        self.in_rest_of_line = end.is_none();
        self.row(end.unwrap_or(bytes.len()), Some(fault))
    }

    /// Whether the row that ends at `end` goes on behind the line end. `None` if that does not show yet.
    fn goes_on(&self, bytes: &[u8], end: usize, rest: Rest) -> Option<bool> {
        let Some(Joins { n_columns, is_text_last, begin_with_number }) = self.joins else {
            return Some(false);
        };
        let delimiter = self.dialect.delimiter;
        let n_delimiters = |bytes: &[u8]| memchr_iter(delimiter, bytes).count();
        let is_whole = n_delimiters(&bytes[..end]) >= n_columns - 1;
        if !is_text_last {
            return Some(!is_whole && end < MAX_JOINED_BYTES);
        }
        if !is_whole || end >= MAX_JOINED_BYTES {
            return Some(false);
        }
        let blank = bytes[end..].iter().take_while(|&&b| is_newline(b)).count();
        let next = &bytes[end + blank..];
        let line = match memchr2(b'\n', b'\r', next) {
            Some(length) => &next[..length],
            None if rest == Rest::ToCome && next.len() < MAX_JOINED_BYTES => return None,
            None => next,
        };
        let first = line.split(|b| *b == delimiter).next().unwrap_or_default();
        let first = first.trim_ascii().trim_ascii_start();
        let begins_row = match begin_with_number {
            true => {
                first.iter().any(u8::is_ascii_digit)
                    && first.iter().all(|b| {
                        b.is_ascii_digit()
                            || matches!(b, b'"' | b'\'' | b'=' | b'.' | b'E' | b'e' | b'+')
                    })
            }
            false => n_delimiters(line) > 0,
        };
        Some(!line.is_empty() && !begins_row && n_delimiters(line) < n_columns - 1)
    }
}

impl Split for Splitter {
    fn next(&mut self, bytes: &[u8], rest: Rest) -> Stretch {
        if self.in_rest_of_line {
            let end = memchr2(b'\n', b'\r', bytes);
            self.in_rest_of_line = end.is_none();
            match end {
                Some(0) => {}
                None if bytes.is_empty() => return Stretch::Unfinished,
                end => return Stretch::Separators { end: end.unwrap_or(bytes.len()) },
            }
        }
        if self.at == 0 {
            let blank = bytes.iter().take_while(|&&b| is_newline(b)).count();
            if blank > 0 {
                return Stretch::Separators { end: blank };
            }
        }
        let Dialect { delimiter, quoting } = self.dialect;
        while let Some(&byte) = bytes.get(self.at) {
            match self.state {
                State::FieldStart if quoting == Quoting::Spaced && byte == b' ' => self.at += 1,
                State::FieldStart if byte == b'"' && quoting.has_quotes() => {
                    self.quote_at = self.at;
                    self.at += 1;
                    self.state = State::Quoted;
                }
                State::FieldStart => self.state = State::Unquoted,
                State::Unquoted => match memchr3(delimiter, b'\n', b'\r', &bytes[self.at..]) {
                    Some(length) => {
                        self.at += length;
                        if quoting == Quoting::Backslashes && self.is_escaped(bytes) {
                            self.at += 1;
                            continue;
                        }
                        if is_newline(bytes[self.at]) {
                            match self.goes_on(bytes, self.at, rest) {
                                Some(false) => return self.row(self.at, None),
                                Some(true) => {}
                                None => return Stretch::Unfinished,
                            }
                        }
                        self.at += 1;
                        self.state = State::FieldStart;
                    }
                    None => self.at = bytes.len(),
                },
                State::Quoted if self.hopeless > self.at && ends_line_first(&bytes[self.at..]) => {
                    return self.first_line(bytes, UNCLOSED);
                }
                State::Quoted if quoting == Quoting::Escaped => {
                    match memchr2(b'"', b'\\', &bytes[self.at..]) {
                        Some(length) if bytes[self.at + length] == b'"' => {
                            self.at += length + 1;
                            self.state = State::QuoteInQuoted;
                        }
                        // What follows the backslash may not be there yet.
                        Some(length) if self.at + length + 1 < bytes.len() => self.at += length + 2,
                        Some(_) | None if rest != Rest::ToCome => self.at = bytes.len(),
                        Some(length) => {
                            self.at += length;
                            return Stretch::Unfinished;
                        }
                        None => self.at = bytes.len(),
                    }
                }
                State::Quoted => match memchr(b'"', &bytes[self.at..]) {
                    Some(length) => {
                        self.at += length + 1;
                        self.state = State::QuoteInQuoted;
                    }
                    None => self.at = bytes.len(),
                },
                State::QuoteInQuoted if byte == b'"' => {
                    self.at += 1;
                    self.state = State::Quoted;
                }
                State::QuoteInQuoted if is_newline(byte) => return self.row(self.at, None),
                State::QuoteInQuoted => {
                    // Text after a closing quote is tolerated if both quotes are on one line. Otherwise the second
                    // quote is in the text of another row, and the first one was never closed.
                    let ends_field = byte == delimiter || byte == b' ';
                    if !ends_field
                        && memchr2(b'\n', b'\r', &bytes[self.quote_at..self.at]).is_some()
                    {
                        return self.first_line(bytes, UNCLOSED);
                    }
                    self.state = State::Unquoted;
                }
            }
            if self.at > MAX_ROW_BYTES {
                self.hopeless = self.at;
                let fault = if self.state == State::Quoted { UNCLOSED } else { TOO_LONG };
                return self.first_line(bytes, fault);
            }
        }
        match rest {
            _ if self.at == 0 => Stretch::Unfinished,
            Rest::ToCome => Stretch::Unfinished,
            Rest::Ended if self.state == State::Quoted => {
                self.hopeless = bytes.len();
                self.first_line(bytes, UNCLOSED)
            }
            Rest::Ended => self.row(bytes.len(), None),
            Rest::BrokeOff => self.row(bytes.len(), Some(BROKEN_OFF)),
        }
    }
}

impl Splitter {
    /// Whether a backslash stands before the byte that is looked at, and none before that takes its meaning.
    fn is_escaped(&self, bytes: &[u8]) -> bool {
        let before = bytes[..self.at].iter().rev().take_while(|b| **b == b'\\').count();
        before % 2 == 1
    }
}

/// Whether the line ends before the next quote.
fn ends_line_first(bytes: &[u8]) -> bool {
    memchr3(b'"', b'\n', b'\r', bytes).is_some_and(|at| bytes[at] != b'"')
}

fn is_newline(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}
