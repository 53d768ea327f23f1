//! What a source is, told from how it begins, never from its name.

use crate::columns::Columns;
use crate::{Error, Options};

/// How far into a source its format is looked for, in bytes.
pub(crate) const SNIFF_BYTES: usize = 64 * 1024;

/// A format that we read.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Format {
    /// Rows with delimiters.
    Csv(Columns),
    /// JSON values, in whatever way they are strung together.
    Json,
}

/// A format, and how many bytes of preamble stand before its first record.
#[derive(Debug, PartialEq)]
pub(crate) struct Sniffed {
    pub(crate) format: Format,
    pub(crate) skip: usize,
}

/// Tells the format of a source that begins with `start`.
pub(crate) fn sniff(start: &[u8], options: &Options) -> Result<Sniffed, Error> {
    let bom = if start.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 };
    let text = &start[bom..];
    let blank = text.iter().take_while(|b| b.is_ascii_whitespace()).count();
    let body = &text[blank..];
    if body.is_empty() {
        return Err(Error::Empty);
    }
    if is_binary(body) {
        return Err(Error::Binary);
    }
    if matches!(body[0], b'{' | b'[') {
        return Ok(Sniffed { format: Format::Json, skip: bom });
    }
    if let Some(assignment) = javascript_assignment(body) {
        return Ok(Sniffed { format: Format::Json, skip: bom + blank + assignment });
    }
    // A tab at the start of a line is an empty first cell.
    let blank_lines = text.iter().take_while(|b| matches!(b, b'\n' | b'\r')).count();
    match Columns::detect(&text[blank_lines..], options) {
        Ok(columns) => Ok(Sniffed { format: Format::Csv(columns), skip: bom + blank_lines }),
        // A log line or two before the first object are junk records, not a CSV header.
        Err(_) if has_json_line(body) => Ok(Sniffed { format: Format::Json, skip: bom }),
        Err(error) => Err(error),
    }
}

fn is_binary(body: &[u8]) -> bool {
    let head = &body[..body.len().min(8 * 1024)];
    let control = head
        .iter()
        .filter(|&&b| b < 0x20 && !matches!(b, b'\t' | b'\n' | b'\r' | 0x0C | 0x1B | 0x1E));
    // A stray NUL or two is damage, not a sign of another kind of file.
    let n_control = control.count();
    n_control * 10 > head.len() || n_control > 32 && n_control * 50 > head.len()
}

/// The length of `window.YTD.tweets.part0 = `, with which the files of a Twitter archive begin.
fn javascript_assignment(body: &[u8]) -> Option<usize> {
    let name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'$' | b' ');
    let equals = body.iter().take(200).position(|&b| b == b'=')?;
    let after = &body[equals + 1..];
    let blank = after.iter().take_while(|b| b.is_ascii_whitespace()).count();
    (body[..equals].iter().all(|&b| name(b)) && matches!(after.get(blank), Some(b'[' | b'{')))
        .then_some(equals + 1)
}

fn has_json_line(body: &[u8]) -> bool {
    body.split(|&b| matches!(b, b'\n' | b'\r'))
        .any(|line| line.starts_with(b"{\"") && line.trim_ascii_end().ends_with(b"}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(start: &str, expected: &str) {
        let told = match sniff(start.as_bytes(), &Options::default()) {
            Ok(Sniffed { format: Format::Json, skip }) => format!("JSON from {skip}"),
            Ok(Sniffed { format: Format::Csv(_), skip }) => format!("CSV from {skip}"),
            Err(error) => error.to_string(),
        };
        assert_eq!(told, expected, "{start:?}");
    }

    #[test]
    fn a_source_is_told_by_how_it_begins() {
        check("{\"id\":1}", "JSON from 0");
        check("\u{FEFF}\n [", "JSON from 3");
        check("window.YTD.tweets.part0 = [ {", "JSON from 25");
        check("Connected to the stream\n{\"id\":1}\n", "JSON from 0");
        check("\n\nid,text\n1,a\n", "CSV from 2");
        check("text\nhello\n", "CSV from 0");
        check(" \n\r\n", "it is empty");
        check("ab\0cd", "it is a binary file, not CSV or JSON");
        check(
            "Dear diary,\ntoday",
            "no column holds the tweet's text; the first row is `Dear diary,`",
        );
    }
}
