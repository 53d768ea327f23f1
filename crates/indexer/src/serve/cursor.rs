//! Cursors: where a page of tweets ended, as text that a client sends back to get the next page. A cursor is the sort
//! key of the page's last tweet, `~`, and its id.

use enrich::Document;

use crate::store::{After, Sort};

/// The place after `last`, the last tweet of a page.
pub(super) fn write(sort: Sort, last: &Document) -> String {
    format!("{}~{}", sort.key(last), last.id)
}

/// The place that a cursor stands for; `None` if the text is not a cursor.
pub(super) fn read(cursor: &str, sort: Sort) -> Option<After> {
    let (key, id) = cursor.split_once('~')?;
    let is_number = key.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'-' | b'.'));
    let key: f64 = key.parse().ok().filter(|_| is_number)?;
    // Engagement is never below zero. No sort key, be it a time in milliseconds or a count, reaches 1e15.
    let key = if sort == Sort::Engaged { key.max(0.0) } else { key };
    (key.abs() < 1e15 && !id.is_empty()).then(|| After { key, id: id.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use enrich::{Origin, enrich};
    use ingest::{Timestamp, Tweet};

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        let tweet = Tweet::new("1601645088790257667", Timestamp::from_millis(0), "I hate it");
        let document = enrich(tweet, Origin::default());
        for sort in [Sort::Newest, Sort::Engaged, Sort::MostNegative] {
            let after = After { key: sort.key(&document), id: document.id.clone() };
            assert_eq!(read(&write(sort, &document), sort), Some(after));
        }
        for wrong in ["", "x", "~", "1~", "~1", "NaN~1", "inf~1", "1e9~1", "9999999999999999~1"] {
            assert_eq!(read(wrong, Sort::Newest), None, "{wrong}");
        }
    }
}
