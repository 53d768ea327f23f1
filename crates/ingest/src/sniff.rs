//! Detects the format of a source from its first bytes, never from its name.

use crate::beginning::{Beginning, Sniffed};
use crate::{Error, Options, csv, json};

/// The formats in the order in which they are tried. The first one that recognizes a source is used; if none does, the
/// first error is reported.
const FORMATS: [Recognize; 3] = [
    json::recognize,
    csv::recognize,
    // Text before the first object, such as a log line, is rejected as a junk record and not taken for a CSV header.
    json::recognize_after_junk,
];

/// Recognizes a source by how it begins. `Ok(None)` means that it has another format. Since any text could be CSV, CSV
/// returns an error instead, which says what is missing.
type Recognize = fn(&Beginning<'_>, &Options) -> Result<Option<Sniffed>, Error>;

/// Tells the format of a source that begins with `start`.
pub(crate) fn sniff(start: &[u8], options: &Options) -> Result<Sniffed, Error> {
    let beginning = Beginning::new(start);
    if beginning.body().is_empty() {
        return Err(Error::Empty);
    }
    if is_binary(beginning.body()) {
        return Err(Error::Binary);
    }
    let mut complaint = None;
    for (at, recognize) in FORMATS.into_iter().enumerate() {
        match recognize(&beginning, options) {
            // It is JSON, but without the keys that were named. The number of a key must not become that of a column.
            Err(error) if at == 0 => return Err(error),
            Ok(Some(sniffed)) => return Ok(sniffed),
            Ok(None) => {}
            Err(error) => complaint = complaint.or(Some(error)),
        }
    }
    Err(complaint.unwrap_or(Error::Binary))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(start: &str, expected: &str) {
        let told = match sniff(start.as_bytes(), &Options::default()) {
            Ok(Sniffed { format, skip }) => {
                let debug = format!("{format:?}").to_uppercase();
                format!("{} from {skip}", if debug.starts_with("JSON") { "JSON" } else { "CSV" })
            }
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
