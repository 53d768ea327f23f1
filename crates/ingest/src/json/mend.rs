//! Repairs JSON that most parsers accept and ours rejects.

use super::schema::Record;
use crate::text::mend_lone_surrogates;

/// The longest object with a duplicate key that is read, in bytes. It has to be parsed a second time, into a tree of
/// values, which takes up to twenty times the memory of its text. Longer ones are rejected.
const MAX_MENDED_BYTES: usize = 1024 * 1024;

/// Repairs what most JSON parsers accept and ours rejects: texts that were cut in the middle of an emoji, raw control
/// characters and escapes that JSON does not have, `NaN`, and duplicate keys, of which the last one wins. Returns `None` if
/// that is not possible.
pub(super) fn mend(json: &str) -> Option<String> {
    let mended =
        mend_lone_surrogates(json.as_bytes()).and_then(|json| String::from_utf8(json).ok());
    let is_read = |json: &str| serde_json::from_str::<Record<'_>>(json).is_ok();
    if mended.as_deref().is_some_and(is_read) {
        return mended;
    }
    let json = mended.as_deref().unwrap_or(json);
    let tidied = tidy(json);
    if tidied.as_deref().is_some_and(is_read) {
        return tidied;
    }
    let json = tidied.as_deref().unwrap_or(json);
    if json.len() > MAX_MENDED_BYTES {
        return None;
    }
    serde_json::from_str::<serde_json::Value>(json).ok().map(|value| value.to_string())
}

/// Escapes raw control characters, replaces escapes that JSON does not have (`\'`, `\x41`), and writes `null` for `NaN` and
/// the like. `None` if there is nothing of that.
pub(super) fn tidy(json: &str) -> Option<String> {
    let mut tidied = String::with_capacity(json.len() + 16);
    let (mut rest, mut in_string, mut is_changed) = (json, false, false);
    while let Some(first) = rest.chars().next() {
        let mut length = first.len_utf8();
        match first {
            '"' => {
                in_string = !in_string;
                tidied.push(first);
            }
            '\\' if in_string => {
                let after = &rest[1..];
                let next = after.chars().next()?;
                length += next.len_utf8();
                match next {
                    '"' | '\\' | '/' | 'b' | 'f' | 'n' | 'r' | 't' | 'u' => {
                        tidied.push_str(&rest[..length])
                    }
                    'x' if after
                        .get(1..3)
                        .is_some_and(|hex| hex.bytes().all(|b| b.is_ascii_hexdigit())) =>
                    {
                        tidied.push_str("\\u00");
                        tidied.push_str(&after[1..3]);
                        length += 2;
                        is_changed = true;
                    }
                    '\'' => {
                        tidied.push(next);
                        is_changed = true;
                    }
                    _ => {
                        tidied.push_str("\\\\");
                        tidied.push(next);
                        is_changed = true;
                    }
                }
            }
            '\0'..='\u{1F}' if in_string => {
                tidied.push_str(&format!("\\u{:04x}", u32::from(first)));
                is_changed = true;
            }
            _ if in_string => tidied.push(first),
            _ => {
                let no_numbers = ["NaN", "-Infinity", "Infinity", "undefined"];
                let found = no_numbers.into_iter().find(|word| rest.starts_with(word));
                match found {
                    Some(word) => {
                        tidied.push_str("null");
                        length = word.len();
                        is_changed = true;
                    }
                    None => tidied.push(first),
                }
            }
        }
        rest = &rest[length..];
    }
    is_changed.then_some(tidied)
}
