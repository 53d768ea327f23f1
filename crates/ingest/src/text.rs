//! Decodes text: HTML entities, the encoding of bytes, and broken surrogate pairs in JSON.

use std::borrow::Cow;

use memchr::{memchr, memmem};

mod html;
mod repair;

pub(crate) use html::text_of_html;
pub(crate) use repair::repair;

/// The entities that Twitter writes.
const OF_TWITTER: &[(&str, char)] = &[("&amp;", '&'), ("&lt;", '<'), ("&gt;", '>')];
/// Those that scrapers and the search API of 2011 write as well.
const OF_HTML: &[(&str, char)] = &[
    ("&amp;", '&'),
    ("&lt;", '<'),
    ("&gt;", '>'),
    ("&quot;", '"'),
    ("&#39;", '\''),
    ("&#x27;", '\''),
    ("&apos;", '\''),
    ("&nbsp;", ' '),
];

/// Decodes the three HTML entities that Twitter writes, once: `&amp;lt;` becomes `&lt;`.
pub fn unescape_entities(text: Cow<'_, str>) -> Cow<'_, str> {
    unescape(text, OF_TWITTER)
}

/// Decodes the HTML entities that occur in texts of other sources, once.
pub(crate) fn unescape_html(text: Cow<'_, str>) -> Cow<'_, str> {
    unescape(text, OF_HTML)
}

fn unescape<'t>(text: Cow<'t, str>, entities: &[(&str, char)]) -> Cow<'t, str> {
    let Some(first) = memchr(b'&', text.as_bytes()) else { return text };
    let mut rest = &text[first..];
    let mut decoded = String::new();
    while let Some(at) = memchr(b'&', rest.as_bytes()) {
        let (before, from) = rest.split_at(at);
        let entity = entities.iter().find(|(entity, _)| from.starts_with(entity));
        let (length, character) = entity.map_or((1, '&'), |(entity, c)| (entity.len(), *c));
        if decoded.is_empty() {
            decoded.reserve(text.len());
            decoded.push_str(&text[..first]);
        }
        decoded.push_str(before);
        decoded.push(character);
        rest = &from[length..];
    }
    decoded.push_str(rest);
    Cow::Owned(decoded)
}

/// Decodes the bytes of one record.
///
/// Old exports are Windows-1252, Java writes emoji as CESU-8, and a stray bad byte occurs in UTF-8 files. A record that
/// holds any character of several bytes is UTF-8 with a bad byte (which becomes U+FFFD); one that holds none but still is
/// no UTF-8 is Windows-1252.
pub(crate) fn decode(bytes: &[u8]) -> Cow<'_, str> {
    decode_as(bytes, bytes)
}

/// Decodes a part of a record. The encoding is told from all of it, since a part may be too short to tell.
pub(crate) fn decode_as<'p>(part: &'p [u8], record: &[u8]) -> Cow<'p, str> {
    if let Ok(text) = std::str::from_utf8(part) {
        return Cow::Borrowed(text);
    }
    if let Some(utf8) = repair::cesu8(part) {
        return Cow::Owned(String::from_utf8_lossy(&utf8).into_owned());
    }
    match is_windows_1252(record) {
        true => encoding_rs::WINDOWS_1252.decode(part).0,
        false => String::from_utf8_lossy(part),
    }
}

/// Whether bytes that are no UTF-8 are to be read as Windows-1252.
pub(crate) fn is_windows_1252(bytes: &[u8]) -> bool {
    bytes.utf8_chunks().all(|chunk| chunk.valid().is_ascii())
}

/// Replaces escaped surrogates without their other half, such as a lone `\uD83D` (from a text cut in the middle of an
/// emoji), with `\uFFFD`, which JSON parsers accept. Returns `None` if there are none.
pub(crate) fn mend_lone_surrogates(json: &[u8]) -> Option<Vec<u8>> {
    let mut mended: Option<Vec<u8>> = None;
    let mut at = 0;
    while let Some(found) = memmem::find(&json[at..], b"\\u") {
        let start = at + found;
        let backslashes = json[..start].iter().rev().take_while(|&&b| b == b'\\').count();
        // An odd number of backslashes before this one means that it is itself escaped: `\\u` is not an escape.
        let unit = utf16_unit(&json[start..]).filter(|_| backslashes % 2 == 0);
        at = start + 2;
        match unit {
            Some(0xD800..=0xDBFF)
                if matches!(utf16_unit(&json[start + 6..]), Some(0xDC00..=0xDFFF)) =>
            {
                at = start + 12;
            }
            Some(0xD800..=0xDFFF) => {
                mended.get_or_insert_with(|| json.to_vec())[start + 2..start + 6]
                    .copy_from_slice(b"FFFD");
                at = start + 6;
            }
            _ => {}
        }
    }
    mended
}

fn utf16_unit(json: &[u8]) -> Option<u16> {
    let hex = json.strip_prefix(b"\\u")?.get(..4)?;
    u16::from_str_radix(std::str::from_utf8(hex).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entities_are_decoded_once() {
        for (text, expected) in [
            ("Q&amp;A &lt;3 &gt;", "Q&A <3 >"),
            ("&amp;amp; &amp;lt;3", "&amp; &lt;3"),
            ("R&D & more &quot;", "R&D & more &quot;"),
            ("&", "&"),
            ("", ""),
        ] {
            assert_eq!(unescape_entities(text.into()), expected);
        }
        assert_eq!(unescape_html("it&#39;s &amp;quot; &quot;".into()), "it's &quot; \"");
    }

    #[test]
    fn bytes_that_are_no_utf8_are_windows_1252_unless_their_neighbors_are_utf8() {
        assert_eq!(decode(b"caf\xE9 \x80 5"), "café € 5");
        assert_eq!(decode(b"caf\xC3\xA9 \xFF!"), "café \u{FFFD}!");
    }

    #[test]
    fn half_an_emoji_does_not_cost_the_tweet() {
        let mend = |json: &str| {
            mend_lone_surrogates(json.as_bytes()).map(|b| String::from_utf8(b).unwrap())
        };
        assert_eq!(mend(r#""a\ud83d""#).as_deref(), Some(r#""a\uFFFD""#));
        assert_eq!(mend(r#""\ude02\ud83d\ude02""#).as_deref(), Some(r#""\uFFFD\ud83d\ude02""#));
        assert_eq!(mend(r#""\ud83d\ude02 \\ud83d \u00e9""#), None);
    }
}
