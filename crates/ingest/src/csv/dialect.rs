//! How the cells of a table are delimited and quoted, and how a row is taken apart accordingly.

use memchr::{memchr, memchr_iter, memchr2};

/// How cells are delimited and quoted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dialect {
    pub(super) delimiter: u8,
    pub(super) quoting: Quoting,
}

/// What quotes and backslashes mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Quoting {
    /// A cell that begins with a quote ends with one, and a quote in it is written twice (RFC 4180).
    #[default]
    Doubled,
    /// A quote in a quoted cell is written `\"`: Spark, PHP, MySQL with quotes.
    Escaped,
    /// Blanks before a quote do not belong to the cell: `a, "b, c"`.
    Spaced,
    /// Quotes are text.
    Text,
    /// Quotes are text, and a backslash before a line break or a delimiter makes it a part of the cell: MySQL.
    Backslashes,
}

impl Quoting {
    pub(super) const ALL: [Quoting; 5] =
        [Quoting::Doubled, Quoting::Escaped, Quoting::Spaced, Quoting::Text, Quoting::Backslashes];

    /// Whether cells can be quoted.
    pub(super) fn has_quotes(self) -> bool {
        matches!(self, Quoting::Doubled | Quoting::Escaped | Quoting::Spaced)
    }

    /// What it is called for people.
    pub(super) fn describe(self) -> &'static str {
        match self {
            Quoting::Doubled => "doubled quotes",
            Quoting::Escaped => "quotes escaped by backslashes",
            Quoting::Spaced => "blanks before quotes",
            Quoting::Text => "no quoting",
            Quoting::Backslashes => "no quoting, backslashes",
        }
    }
}

/// The cells of a row, unquoted, one after the other in a buffer that is used again for each row.
#[derive(Debug, Default)]
pub(super) struct Cells {
    pub(super) bytes: Vec<u8>,
    /// Where each of them ends.
    pub(super) ends: Vec<usize>,
    /// Whether a quote stands where none may be: in a quoted cell, neither doubled nor before a delimiter.
    pub(super) is_irregular: bool,
}

impl Cells {
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn get(&self, index: usize) -> Option<&[u8]> {
        let end = *self.ends.get(index)?;
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        Some(&self.bytes[start..end])
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        self.ends.clear();
        self.is_irregular = false;
    }

    pub(super) fn end_cell(&mut self) {
        self.ends.push(self.bytes.len());
    }

    /// Takes a row apart, which is without its line end.
    pub(super) fn split(&mut self, row: &[u8], dialect: Dialect) {
        self.clear();
        let Dialect { delimiter, quoting } = dialect;
        let mut at = 0;
        loop {
            let start = match quoting {
                Quoting::Spaced => {
                    let blanks = row[at..].iter().take_while(|b| **b == b' ').count();
                    at + if row.get(at + blanks) == Some(&b'"') { blanks } else { 0 }
                }
                _ => at,
            };
            at = match row.get(start) {
                Some(b'"') if quoting.has_quotes() => self.quoted(row, start + 1, dialect),
                _ if quoting == Quoting::Backslashes => self.escaped(row, start, delimiter),
                _ => {
                    let length = memchr(delimiter, &row[start..]).unwrap_or(row.len() - start);
                    let cell = &row[start..start + length];
                    // What is left of a text that began on another line.
                    self.is_irregular |= quoting.has_quotes()
                        && cell.ends_with(b"\"")
                        && memchr_iter(b'"', cell).count() % 2 == 1;
                    self.bytes.extend_from_slice(cell);
                    start + length
                }
            };
            self.end_cell();
            if at >= row.len() {
                return;
            }
            // Past the delimiter.
            at += 1;
        }
    }

    /// Takes a quoted cell from behind its first quote. Returns where its delimiter stands, or the end of the row.
    fn quoted(
        &mut self,
        row: &[u8],
        from: usize,
        Dialect { delimiter, quoting }: Dialect,
    ) -> usize {
        let escape = if quoting == Quoting::Escaped { b'\\' } else { b'"' };
        let mut at = from;
        loop {
            let Some(length) = memchr2(b'"', escape, &row[at..]) else {
                // Never closed.
                self.bytes.extend_from_slice(&row[at..]);
                self.is_irregular = true;
                return row.len();
            };
            self.bytes.extend_from_slice(&row[at..at + length]);
            at += length + 1;
            if row[at - 1] == b'\\' {
                self.bytes.extend(unescaped(row.get(at).copied()));
                at = (at + 1).min(row.len());
                continue;
            }
            if row.get(at) == Some(&b'"') {
                self.bytes.push(b'"');
                at += 1;
                continue;
            }
            let blanks = row[at..].iter().take_while(|b| **b == b' ').count();
            match row.get(at + blanks) {
                None => return row.len(),
                Some(byte) if *byte == delimiter => return at + blanks,
                // A quote in the text.
                Some(_) => {
                    self.is_irregular = true;
                    self.bytes.push(b'"');
                }
            }
        }
    }

    fn escaped(&mut self, row: &[u8], from: usize, delimiter: u8) -> usize {
        let mut at = from;
        while let Some(&byte) = row.get(at) {
            match byte {
                // `\N` is how MySQL writes a missing value.
                b'\\' if row.get(at + 1) != Some(&b'N') => {
                    self.bytes.extend(unescaped(row.get(at + 1).copied()));
                    at += 2;
                }
                _ if byte == delimiter => return at,
                _ => {
                    self.bytes.push(byte);
                    at += 1;
                }
            }
        }
        row.len()
    }
}

/// What a backslash and the byte behind it stand for.
fn unescaped(byte: Option<u8>) -> impl Iterator<Item = u8> {
    let (first, second) = match byte {
        Some(b'n') => (Some(b'\n'), None),
        Some(b't') => (Some(b'\t'), None),
        Some(b'r') => (Some(b'\r'), None),
        Some(byte @ (b'"' | b'\\' | b'\'' | b'\n' | b'\r' | b'\t' | b',' | b';' | b'|')) => {
            (Some(byte), None)
        }
        // No escape that is known, such as in `C:\dir`.
        other => (Some(b'\\'), other),
    };
    first.into_iter().chain(second)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(row: &str, delimiter: u8, quoting: Quoting, expected: &[&str], is_irregular: bool) {
        let mut cells = Cells::default();
        cells.split(row.as_bytes(), Dialect { delimiter, quoting });
        let got: Vec<&str> =
            (0..cells.len()).map(|i| std::str::from_utf8(cells.get(i).unwrap()).unwrap()).collect();
        assert_eq!((got.as_slice(), cells.is_irregular), (expected, is_irregular), "{row}");
    }

    #[test]
    fn a_row_is_taken_apart_as_its_dialect_says() {
        use Quoting::{Backslashes, Doubled, Escaped, Spaced, Text};
        check("a,,\"b,\"\"c\"\"\"", b',', Doubled, &["a", "", "b,\"c\""], false);
        check("a,b,", b',', Doubled, &["a", "b", ""], false);
        check("", b',', Doubled, &[""], false);
        check("5\" screen,\"a\" ,b", b',', Doubled, &["5\" screen", "a", "b"], false);
        check("1,\"a \"b\" c\",2", b',', Doubled, &["1", "a \"b\" c", "2"], true);
        check("1,\"a, b", b',', Doubled, &["1", "a, b"], true);
        check(r#"1,"a \"b\", c:\d \\",2"#, b',', Escaped, &["1", r#"a "b", c:\d \"#, "2"], false);
        check("1, \"a, b\", c", b',', Spaced, &["1", "a, b", " c"], false);
        check("1\t\"a\"\t\"b", b'\t', Text, &["1", "\"a\"", "\"b"], false);
        check("1\t\\N\ta\\\tb\\\nc\\\\", b'\t', Backslashes, &["1", "\\N", "a\tb\nc\\"], false);
    }
}
