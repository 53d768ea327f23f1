//! What tools wrap around records: Elasticsearch's hits, the messages of log shippers, queues and event buses, exports of
//! databases. Each is known by a key or two.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use memchr::memchr_iter;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::find::{MAX_BYTES, occurs};
use super::flat::{each_entry, each_item};
use crate::field::{Field, fold, uses};
use crate::kpl;

/// What is in a wrapper.
pub(super) enum Wrapped<'j> {
    /// Records, to be read one after the other.
    Records(Vec<Cow<'j, str>>),
    /// Nothing but a message of the tool: its kind.
    Notice(&'static str),
}

/// Keys under which a record lies as an object.
const OBJECTS: [&str; 14] = [
    "_source", "doc", "detail", "payload", "after", "json", "kinesis", "Sns", "dynamodb",
    "NewImage", "Item", "message", "status", "value",
];
/// Keys under which a record lies as text, or as bytes in Base64.
const TEXTS: [&str; 12] = [
    "message",
    "Message",
    "MessageBody",
    "body",
    "Body",
    "event",
    "log",
    "value",
    "payload",
    "data",
    "Data",
    "rawData",
];
/// Keys under which records lie in a list, if they are not all that there is.
pub(super) const LISTS: [&str; 22] = [
    "hits",
    "rows",
    "Records",
    "features",
    "Items",
    "messages",
    "orderedItems",
    "results",
    "records",
    "docs",
    "responses",
    "logEvents",
    "Messages",
    "receivedMessages",
    "tweet_create_events",
    "replies",
    "tweets",
    "posts",
    "feed",
    "timeline",
    "events",
    "statuses",
];

/// Unwraps an object. `None` if it is no wrapper that is known.
pub(super) fn unwrap(json: &str) -> Option<Wrapped<'_>> {
    let mut entries: Vec<(String, &str)> = Vec::new();
    let mut n_keys = 0;
    let is_known = |key: &str| {
        OBJECTS.contains(&key)
            || TEXTS.contains(&key)
            || LISTS.contains(&key)
            || ACTIONS.contains(&key)
            || matches!(key, "_id" | "messageType" | "screen_name" | "last_seq")
    };
    each_entry(json, &mut |key, value| {
        n_keys += 1;
        if is_known(key) && entries.len() < 16 {
            entries.push((key.to_owned(), value));
        }
    })
    .ok()?;
    let get = |wanted: &str| entries.iter().find(|(key, _)| key == wanted).map(|(_, value)| *value);
    // The line before a document in the body of a bulk request.
    if n_keys == 1
        && let Some((key, value)) = entries.first()
        && ACTIONS.contains(&&**key)
        && (value.contains("\"_index\"") || value.contains("\"_id\"") || *value == "{}")
    {
        return Some(Wrapped::Notice("bulk action"));
    }
    if get("messageType") == Some("\"CONTROL_MESSAGE\"") {
        return Some(Wrapped::Notice("control message"));
    }
    let mut lists =
        LISTS.iter().filter_map(|key| get(key)).filter(|value| value.starts_with(['{', '[']));
    if let Some(list) = lists.next() {
        // `hits` are in `hits` once more.
        let mut records = Vec::new();
        if list.starts_with('{') {
            // Kafka's have one for each partition of a topic.
            let mut partitions = Vec::new();
            each_entry(list, &mut |_, value| partitions.push(value)).ok()?;
            if !partitions.iter().all(|value| value.starts_with('[')) {
                return Some(Wrapped::Records(vec![Cow::Borrowed(list)]));
            }
            for partition in partitions {
                each_item(partition, &mut |item| records.push(item)).ok()?;
            }
        } else {
            each_item(list, &mut |item| records.push(item)).ok()?;
        }
        return Some(match records.is_empty() {
            true => Wrapped::Notice("empty page"),
            // Those of DynamoDB have types.
            false if get("Items") == Some(list) => {
                let plain = |item| untyped(item).map_or(Cow::Borrowed(item), Cow::Owned);
                Wrapped::Records(records.into_iter().map(plain).collect())
            }
            // What is no record is one that cannot be read.
            false => {
                let record = |item| record_of(item).unwrap_or(Cow::Borrowed(item));
                Wrapped::Records(records.into_iter().map(record).collect())
            }
        });
    }
    for (key, value) in OBJECTS.iter().filter_map(|key| Some((*key, get(key)?))) {
        if value.starts_with('{') {
            let record = match (key, get("_id")) {
                ("NewImage" | "Item", _) => Cow::Owned(untyped(value)?),
                // The id of a document may stand outside alone.
                ("_source", Some(id)) if !has_id(value) => Cow::Owned(with("_id", id, value)),
                // An account, with its last tweet in it.
                ("status", _) if get("screen_name").is_some() => {
                    Cow::Owned(with("user", &without("status", json)?, value))
                }
                _ => Cow::Borrowed(value),
            };
            return Some(Wrapped::Records(vec![record]));
        }
    }
    let texts = TEXTS.iter().filter_map(|key| get(key)).filter(|value| value.starts_with('"'));
    texts.filter_map(record_of).next().map(|record| Wrapped::Records(vec![record]))
}

fn has_id(json: &str) -> bool {
    ["\"id\"", "\"id_str\"", "\"tweet_id\"", "\"_id\""].iter().any(|key| occurs(key, json))
}

/// An object with one more key.
fn with(key: &str, value: &str, object: &str) -> String {
    let rest = object[1..].trim_start();
    let comma = if rest.starts_with('}') { "" } else { "," };
    format!("{{\"{key}\":{value}{comma}{rest}")
}

/// An object without one of its keys.
fn without(unwanted: &str, object: &str) -> Option<String> {
    let mut entries = Vec::new();
    let mut add = |key: &str, value: &str| {
        if key != unwanted {
            entries.push(format!("{}:{value}", Value::String(key.to_owned())));
        }
    };
    each_entry(object, &mut add).ok()?;
    Some(format!("{{{}}}", entries.join(",")))
}

/// The rows of a table whose names stand apart from its values (`{"columns": […], "data": [[…]]}`, pandas), as objects. `None`
/// if it is none.
pub(super) fn split_table(json: &str) -> Option<Vec<String>> {
    #[derive(serde::Deserialize)]
    struct Table<'t> {
        columns: Vec<String>,
        #[serde(borrow)]
        data: Vec<Vec<&'t RawValue>>,
    }
    let Table { columns, data } = serde_json::from_str(json).ok()?;
    let row = |values: Vec<&RawValue>| {
        let entries = columns
            .iter()
            .zip(values)
            .map(|(name, value)| format!("{}:{}", Value::String(name.clone()), value.get()));
        format!("{{{}}}", entries.collect::<Vec<_>>().join(","))
    };
    (!data.is_empty()).then(|| data.into_iter().map(row).collect())
}

/// The rows of a table that is written column by column (`{"id": {"0": 1}, "text": {"0": "a"}}`, the way that pandas writes
/// one unless told otherwise), as objects. `None` if it is none.
pub(super) fn table_by_columns(json: &str) -> Option<Vec<String>> {
    if json.len() > MAX_BYTES {
        return None;
    }
    let mut columns: Vec<(String, Vec<(String, &str)>)> = Vec::new();
    let mut is_table = true;
    each_entry(json, &mut |name, column| {
        let mut cells = Vec::new();
        is_table = is_table
            && column.starts_with('{')
            && each_entry(column, &mut |row, cell| cells.push((row.to_owned(), cell))).is_ok();
        columns.push((name.to_owned(), cells));
    })
    .ok()?;
    let (_, rows) = columns.first()?;
    let is_like_first = |cells: &[(String, &str)]| {
        cells.len() == rows.len() && cells.iter().zip(rows).all(|(cell, row)| cell.0 == row.0)
    };
    let has_text = columns.iter().any(|(name, _)| holds_text(name));
    if !is_table || rows.is_empty() || !has_text || !columns.iter().all(|(_, c)| is_like_first(c)) {
        return None;
    }
    let row = |at: usize| {
        let entries = columns
            .iter()
            .map(|(name, cells)| format!("{}:{}", Value::String(name.clone()), cells[at].1));
        format!("{{{}}}", entries.collect::<Vec<_>>().join(","))
    };
    Some((0..rows.len()).map(row).collect())
}

/// Whether a key of that name holds the text of tweets.
fn holds_text(name: &str) -> bool {
    uses(&fold(name)).iter().any(|found| found.field == Field::Text)
}

/// What a bulk request does with the document on the next line.
const ACTIONS: [&str; 4] = ["index", "create", "update", "delete"];

/// The record that a value is: an object, or a text that holds one, perhaps in Base64.
fn record_of(value: &str) -> Option<Cow<'_, str>> {
    if value.starts_with('{') {
        return Some(Cow::Borrowed(value));
    }
    let text: String = serde_json::from_str(value).ok()?;
    // A text may begin like that: `[VIDEO] …`.
    let is_object = |text: &str| {
        text.trim_start().starts_with(['{', '['])
            && serde_json::from_str::<IgnoredAny>(text).is_ok()
    };
    if is_object(&text) {
        return Some(Cow::Owned(text));
    }
    let bytes = STANDARD.decode(text.trim()).ok()?;
    if let Some(records) = kpl::records(&bytes) {
        let list = records.join(&b',');
        return String::from_utf8(list).ok().map(|list| Cow::Owned(format!("[{list}]")));
    }
    String::from_utf8(bytes).ok().filter(|text| is_object(text)).map(Cow::Owned)
}

/// An item of DynamoDB, without the types around its values: `{"id": {"S": "1"}}`.
fn untyped(json: &str) -> Option<String> {
    if json.len() > MAX_BYTES {
        return None;
    }
    let value: Value = serde_json::from_str(json).ok()?;
    Some(plain(value).to_string())
}

fn plain(value: Value) -> Value {
    let Value::Object(map) = value else { return value };
    if map.len() == 1
        && let Some((kind, inner)) = map.iter().next()
    {
        match (kind.as_str(), inner) {
            ("S" | "N" | "BOOL", inner) if !inner.is_object() => return inner.clone(),
            ("NULL", _) => return Value::Null,
            ("M", inner @ Value::Object(_)) => return members(inner.clone()),
            ("L" | "SS" | "NS", Value::Array(items)) => {
                return items.iter().cloned().map(plain).collect();
            }
            _ => {}
        }
    }
    members(Value::Object(map))
}

fn members(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let plain = map.into_iter().map(|(key, value)| (key, plain(value)));
            Value::Object(plain.collect::<Map<_, _>>())
        }
        other => other,
    }
}

/// A record of MongoDB's extended JSON, without the types around its values: `{"$numberLong": "1"}`. `None` if it has none.
pub(super) fn without_extended_types(json: &str) -> Option<String> {
    let types = ["\"$number", "\"$date\"", "\"$oid\""];
    let bytes = json.as_bytes();
    memchr_iter(b'$', bytes).find(|at| *at > 0 && bytes[at - 1] == b'"')?;
    if !types.iter().any(|kind| occurs(kind, json)) {
        return None;
    }
    if json.len() > MAX_BYTES {
        return None;
    }
    let value: Value = serde_json::from_str(json).ok()?;
    Some(simple(value).to_string())
}

fn simple(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(simple).collect(),
        Value::Object(map) if map.len() == 1 => {
            let (key, inner) = map.into_iter().next().unwrap_or_default();
            match key.as_str() {
                "$oid" | "$date" => simple(inner),
                "$numberLong" | "$numberInt" | "$numberDouble" | "$numberDecimal" => {
                    let number = inner.as_str().and_then(|text| serde_json::from_str(text).ok());
                    number.filter(Value::is_number).unwrap_or(inner)
                }
                _ => Value::Object(Map::from_iter([(key, simple(inner))])),
            }
        }
        Value::Object(map) => {
            Value::Object(map.into_iter().map(|(key, value)| (key, simple(value))).collect())
        }
        other => other,
    }
}
