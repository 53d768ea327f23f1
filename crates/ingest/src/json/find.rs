//! Finds records that lie deep in an answer of an API.

use memchr::memmem;
use serde_json::{Map, Value};

use super::mend::mend;

/// How deep answers are nested; those for a timeline are a dozen deep.
const MAX_DEPTH: usize = 32;
/// The longest answer that is searched, in bytes. It is parsed into a tree of values, which takes up to twenty times the
/// memory of its text.
pub(super) const MAX_BYTES: usize = 8 * 1024 * 1024;

/// Whether a text occurs in an object, wherever that may be. It costs little beside reading the object, so it tells which
/// forms need not be tried.
pub(super) fn occurs(text: &str, json: &str) -> bool {
    memmem::find(json.as_bytes(), text.as_bytes()).is_some()
}

/// All records in an object, however deep, as `record` finds and writes them. Nothing is searched inside of a record. `None`
/// if there is none.
pub(super) fn find_all(
    json: &str,
    record: &dyn Fn(&Map<String, Value>) -> Option<Value>,
) -> Option<Vec<String>> {
    if json.len() > MAX_BYTES {
        return None;
    }
    let read = |json: &str| serde_json::from_str::<Value>(json).ok();
    let value = read(json).or_else(|| read(&mend(json)?))?;
    let mut found = Vec::new();
    find(&value, 0, record, &mut found);
    (!found.is_empty()).then_some(found)
}

fn find(
    value: &Value,
    depth: usize,
    record: &dyn Fn(&Map<String, Value>) -> Option<Value>,
    found: &mut Vec<String>,
) {
    if depth > MAX_DEPTH {
        return;
    }
    let inside: &mut dyn Iterator<Item = &Value> = match value {
        Value::Object(map) => match record(map) {
            Some(record) => return found.push(record.to_string()),
            None => &mut map.values(),
        },
        Value::Array(items) => &mut items.iter(),
        _ => return,
    };
    inside.for_each(|inner| find(inner, depth + 1, record, found));
}
