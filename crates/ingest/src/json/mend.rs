//! Repairs JSON that most parsers accept and ours rejects.

use super::schema::Record;
use crate::text::mend_lone_surrogates;

/// The longest object with a duplicate key that is read, in bytes. It has to be parsed a second time, into a tree of
/// values, which takes up to twenty times the memory of its text. Longer ones are rejected.
const MAX_MENDED_BYTES: usize = 1024 * 1024;

/// Repairs what most JSON parsers accept and ours rejects: texts that were cut in the middle of an emoji, and duplicate
/// keys, of which the last one wins. Returns `None` if that is not possible.
pub(super) fn mend(json: &str) -> Option<String> {
    let mended =
        mend_lone_surrogates(json.as_bytes()).and_then(|json| String::from_utf8(json).ok());
    if mended.as_deref().is_some_and(|json| serde_json::from_str::<Record<'_>>(json).is_ok()) {
        return mended;
    }
    let json = mended.as_deref().unwrap_or(json);
    if json.len() > MAX_MENDED_BYTES {
        return None;
    }
    serde_json::from_str::<serde_json::Value>(json).ok().map(|value| value.to_string())
}
