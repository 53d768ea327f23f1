//! Reads the values of fields as exports and spreadsheets spell them. `None` means that the text is no such value.

use std::borrow::Cow;

use crate::Kind;
use crate::python::looks_like_object;

mod place;

pub(crate) use place::{Order, bounding_box, degrees, point};

/// Whether a cell holds what pandas, R, databases and spreadsheets write for a missing value.
pub(crate) fn is_missing(cell: &str) -> bool {
    const MISSING: [&str; 16] = [
        "nan",
        "none",
        "null",
        "na",
        "n/a",
        "<na>",
        "[]",
        "{}",
        "()",
        "\\n",
        "(null)",
        "undefined",
        "absent",
        "nil",
        "#n/a",
        "nat",
    ];
    let cell = cell.trim();
    // Most values begin like none of these.
    let Some(first) = cell.bytes().next() else { return true };
    if !matches!(
        first.to_ascii_lowercase(),
        b'n' | b'u' | b'a' | b'[' | b'{' | b'(' | b'<' | b'\\' | b'#'
    ) {
        return false;
    }
    let is_empty_list = || {
        let inner = cell.strip_prefix('[').and_then(|cell| cell.strip_suffix(']'));
        inner.is_some_and(|inner| inner.split(',').all(|item| matches!(item.trim(), "" | "null")))
    };
    // `NA NA`, as R writes a pair of missing numbers.
    let is_na = || cell.len() < 40 && cell.split_whitespace().all(|word| word == "NA");
    is_empty_list()
        || is_na()
        || cell.len() <= 9
            && (cell.is_empty() || MISSING.iter().any(|missing| missing.eq_ignore_ascii_case(cell)))
}

/// Removes what keeps spreadsheets from changing a cell: `="160…"`, `'160…` and `=@ann`.
pub(crate) fn unguard(cell: &str) -> &str {
    let cell = cell.trim();
    let quoted = cell.strip_prefix("=\"").and_then(|cell| cell.strip_suffix('"'));
    if let Some(inner) = quoted {
        return inner.trim();
    }
    match cell.as_bytes() {
        [b'=' | b'\'', b'@' | b'=' | b'+' | b'-', ..] => &cell[1..],
        _ => cell,
    }
}

/// A count: `12`, `12.0` (as pandas writes it), `1,204`, `1.204`, `1.2K`.
pub(crate) fn count(text: &str) -> Option<u64> {
    let text = unguard(text);
    if let Ok(number) = text.parse() {
        return Some(number);
    }
    let (number, unit) = match text.as_bytes().last()? {
        b'k' | b'K' => (&text[..text.len() - 1], 1e3),
        b'm' | b'M' => (&text[..text.len() - 1], 1e6),
        b'b' | b'B' => (&text[..text.len() - 1], 1e9),
        _ => {
            let text = text.find('.').map_or(text, |point| {
                // `12.0`, `1,204.00`
                let decimals = &text[point + 1..];
                if decimals.bytes().all(|b| b == b'0') { &text[..point] } else { text }
            });
            return without_separators(text).or_else(|| whole(text.parse().ok()?));
        }
    };
    let number = number.trim();
    if let Some(number) = without_separators(number).filter(|_| number.contains(',')) {
        return number.checked_mul(unit as u64);
    }
    let number: f64 = number.replace(',', ".").parse().ok()?;
    whole((number * unit).round())
}

fn whole(number: f64) -> Option<u64> {
    // Beyond 2^53, a float has lost digits.
    (number >= 0.0 && number.fract() == 0.0 && number < 9e15).then_some(number as u64)
}

/// The number in digits that are grouped by threes: `1,204`, `1.204.001`, `1 204`.
fn without_separators(text: &str) -> Option<u64> {
    let is_separator = |c: char| matches!(c, ',' | '.' | ' ' | '\'' | '’' | '\u{A0}' | '\u{202F}');
    let mut groups = text.split(is_separator);
    let first = groups.next()?;
    let is_number = |digits: &str| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    let mut digits = first.to_owned();
    for group in groups {
        if group.len() != 3 || !is_number(group) || first.len() > 3 {
            return None;
        }
        digits.push_str(group);
    }
    if is_number(first) { digits.parse().ok() } else { None }
}

/// An id, without what exports put around it: `'160…`, `x160…` (R), `tweet_id:160…`, `tag:search.twitter.com,2005:160…`.
/// A link to a tweet stands for the tweet's id. `None` if a spreadsheet has rounded it, or if it can be no id at all.
pub(crate) fn id(text: Cow<'_, str>) -> Option<Cow<'_, str>> {
    if matches!(text.as_bytes(), [b'1'..=b'9', rest @ ..] if rest.iter().all(u8::is_ascii_digit)) {
        return Some(text);
    }
    let pick = |text: &str| -> Option<std::ops::Range<usize>> {
        let is_wrapping = |c: char| c.is_whitespace() || matches!(c, '\'' | '"' | '\u{FEFF}');
        let bare = text.trim_matches(is_wrapping);
        let bare = bare.strip_prefix('=').unwrap_or(bare).trim_matches(is_wrapping);
        let start = bare.as_ptr().addr() - text.as_ptr().addr();
        let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let whole = start..start + bare.len();
        if is_digits(bare) {
            return (!bare.trim_start_matches('0').is_empty()).then_some(whole);
        }
        // As pandas writes whole numbers beside missing ones. Longer ones have lost digits.
        let number = bare.strip_suffix(".0").filter(|number| is_digits(number));
        if let Some(number) = number.filter(|number| (1..=15).contains(&number.len())) {
            let is_zero = number.trim_start_matches('0').is_empty();
            return (!is_zero).then_some(start..start + number.len());
        }
        if let Some(digits) = status_in_link(bare) {
            return Some(start + digits.start..start + digits.end);
        }
        let after = bare.strip_prefix('x').or_else(|| Some(bare.rsplit_once(':')?.1));
        if let Some(digits) = after.filter(|after| is_digits(after) && !bare.starts_with("at:")) {
            return Some(whole.end - digits.len()..whole.end);
        }
        let is_number = bare.bytes().all(|b| b.is_ascii_digit() || b"+-.,eE".contains(&b));
        let is_word = bare.len() < 8 && bare.bytes().all(|b| b.is_ascii_alphabetic());
        let is_prose =
            bare.contains(char::is_whitespace) || bare.starts_with(['{', '[']) || is_word;
        (!bare.is_empty() && !is_number && !is_prose).then_some(whole)
    };
    let range = pick(&text)?;
    Some(match text {
        Cow::Borrowed(text) => Cow::Borrowed(&text[range]),
        Cow::Owned(text) => Cow::Owned(text[range].to_owned()),
    })
}

/// Where the id stands in a link to a tweet: behind `/status/` or `/statuses/`.
pub(crate) fn status_in_link(link: &str) -> Option<std::ops::Range<usize>> {
    let at = link.find("/status")?;
    let start = at + link[at + 1..].find('/')? + 2;
    let rest = link[at + 1..start].trim_end_matches('/');
    let length = link[start..].bytes().take_while(u8::is_ascii_digit).count();
    (matches!(rest, "status" | "statuses") && length > 0).then_some(start..start + length)
}

/// The handle in a link to a tweet or an account: `https://twitter.com/ann/status/160…`.
pub(crate) fn handle_in_link(link: &str) -> Option<&str> {
    let path = link.strip_prefix("https://").or_else(|| link.strip_prefix("http://"))?;
    let (host, path) = path.split_once('/')?;
    let host = host.trim_start_matches("www.").trim_start_matches("mobile.");
    let handle = path.split(['/', '?', '#']).next()?;
    let is_handle = (1..=15).contains(&handle.len())
        && handle.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    // `/i/web/status/…` and `/statuses/…` name nobody.
    (matches!(host, "twitter.com" | "x.com") && is_handle && !matches!(handle, "i" | "statuses"))
        .then_some(handle)
}

/// An account's handle, without `@`.
pub(crate) fn handle(text: Cow<'_, str>) -> Option<Cow<'_, str>> {
    let bare = unguard(&text);
    let bare = handle_in_link(bare).unwrap_or(bare).trim_start_matches('@');
    let is_other = bare.starts_with(['[', '<', '(']) || bare.contains(char::is_whitespace);
    if bare.is_empty() || is_other || looks_like_object(bare) {
        return None;
    }
    if bare.len() == text.len() {
        return Some(text);
    }
    Some(Cow::Owned(bare.to_owned()))
}

/// Yes or no. What is neither (the id of somebody who is answered, say) means yes.
pub(crate) fn flag(text: &str) -> bool {
    // Also as spreadsheets in other languages write it.
    const NO: [&str; 20] = [
        "no", "false", "f", "n", "0", "0.0", "off", "-", "falsch", "faux", "falso", "nein", "non",
        "não", "nao", "onwaar", "fałsz", "ложь", "нет", "yanlış",
    ];
    let text = unguard(text).to_lowercase();
    !NO.contains(&text.as_str())
}

/// What sort of tweet it is, in the words of exports: `RETWEET`, `replied_to`, `Quote Tweet`, `share`.
pub(crate) fn kind(text: &str) -> Option<Kind> {
    let text = unguard(text).to_ascii_lowercase();
    let is_of = |words: &[&str]| words.iter().any(|word| text.contains(word));
    match () {
        () if text == "rt" || text == "share" || is_of(&["retweet", "repost"]) => {
            Some(Kind::Retweet)
        }
        () if is_of(&["quote"]) => Some(Kind::Quote),
        () if is_of(&["repl", "comment", "answer"]) => Some(Kind::Reply),
        () if is_of(&["tweet", "original", "post", "status", "mention"]) => Some(Kind::Tweet),
        () => None,
    }
}

/// The tweets in a list such as `[{'type': 'quoted', 'id': '160…'}]`, in JSON, as Python writes it, or as tweepy shows it
/// (`[<ReferencedTweet id=160… type=quoted]`). `None` if there are none.
pub(crate) fn references<'r>(text: &str) -> Option<Vec<(Kind, Cow<'r, str>)>> {
    let reference = |object: &str| {
        let kind = match () {
            () if object.contains("retweeted") => Kind::Retweet,
            () if object.contains("quoted") => Kind::Quote,
            () if object.contains("replied_to") => Kind::Reply,
            () => return None,
        };
        let mut numbers = object.split(|c: char| !c.is_ascii_digit());
        let id = numbers.find(|digits| digits.len() > 4)?;
        Some((kind, Cow::Owned(id.to_owned())))
    };
    let found: Vec<_> = text.split(['}', '<']).filter_map(reference).collect();
    (!found.is_empty()).then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_as_people_and_programs_write_them() {
        for (text, expected) in [
            ("0", Some(0)),
            ("12.0", Some(12)),
            ("1,012", Some(1012)),
            ("1.204", Some(1204)),
            ("1.204.001", Some(1_204_001)),
            ("1 204", Some(1204)),
            ("1,204.0", Some(1204)),
            ("1.2K", Some(1200)),
            ("1,2k", Some(1200)),
            ("15K", Some(15_000)),
            ("2.5M", Some(2_500_000)),
            ("1.5e3", Some(1500)),
            ("=\"7\"", Some(7)),
            ("-1", None),
            ("1.5", None),
            ("12,34", None),
            ("9.7436e+17", None),
            ("many", None),
            ("K", None),
        ] {
            assert_eq!(count(text), expected, "{text}");
        }
    }

    #[test]
    fn ids_are_freed_of_what_exports_put_around_them() {
        for (text, expected) in [
            ("974370000000000001", Some("974370000000000001")),
            ("'974370000000000001", Some("974370000000000001")),
            ("=\"974370000000000001\"", Some("974370000000000001")),
            ("\"974370000000000001\"", Some("974370000000000001")),
            ("x974370000000000001", Some("974370000000000001")),
            ("tweet_id:974370000000000001", Some("974370000000000001")),
            ("tag:search.twitter.com,2005:974370000000000001", Some("974370000000000001")),
            ("https://x.com/a/status/974370000000000001?s=20", Some("974370000000000001")),
            ("http://twitter.com/a/statuses/974370000000000001", Some("974370000000000001")),
            ("at://did:plc:a/app.bsky.feed.post/3l", Some("at://did:plc:a/app.bsky.feed.post/3l")),
            ("5c1a7b", Some("5c1a7b")),
            ("9.7437e+17", None),
            ("974370000000000001.0", None),
            ("4242.0", Some("4242")),
            ("0", None),
            ("{'id': 1}", None),
        ] {
            assert_eq!(id(text.into()).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn references_are_read_in_every_notation() {
        let expected: Option<Vec<(Kind, Cow<'_, str>)>> = Some(vec![
            (Kind::Reply, "974370000000000001".into()),
            (Kind::Quote, "974370000000000002".into()),
        ]);
        for text in [
            r#"[{"type":"replied_to","id":"974370000000000001"},{"type":"quoted","id":"974370000000000002"}]"#,
            "[{'id': 974370000000000001, 'type': 'replied_to'}, {'id': 974370000000000002, 'type': 'quoted'}]",
            "[<ReferencedTweet id=974370000000000001 type=replied_to, <ReferencedTweet id=974370000000000002 type=quoted]",
        ] {
            assert_eq!(references(text), expected, "{text}");
        }
        assert_eq!(references("[]"), None);
    }

    #[test]
    fn handles_are_bare() {
        for (text, expected) in [
            ("ann_example", Some("ann_example")),
            ("@ann_example", Some("ann_example")),
            ("=@ann_example", Some("ann_example")),
            ("https://twitter.com/ann_example", Some("ann_example")),
            ("{'username': 'ann'}", None),
            ("Ann Müller (@annm)", None),
        ] {
            assert_eq!(handle(text.into()).as_deref(), expected, "{text}");
        }
    }
}
