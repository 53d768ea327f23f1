//! Objects that are no API records: rows of a table as JSON, and tables of tweets by some key.

use std::borrow::Cow;

use serde_json::{Map, Value};

use crate::csv::tweet_of_cells;
use crate::{Field, Options, Tweet};

/// What an object of unknown shape holds.
pub(super) enum Flat {
    /// One row, which is a tweet or says why not.
    Row(Result<Box<Tweet<'static>>, String>),
    /// Other records, as JSON texts.
    Nested(Vec<String>),
}

/// Reads an object by the names that CSV columns go by, or gives the records in it.
pub(super) fn read(json: &str, options: &Options) -> Flat {
    let object: Map<String, Value> = match serde_json::from_str(json) {
        Ok(object) => object,
        Err(error) => return Flat::Row(Err(format!("the JSON cannot be read: {error}"))),
    };
    let is_table =
        !object.is_empty() && object.values().all(|value| value.is_object() || value.is_array());
    if is_table {
        let records = object.values().flat_map(|value| match value {
            Value::Array(items) => items.iter().filter(|item| item.is_object()).collect(),
            record => vec![record],
        });
        let records: Vec<&Value> = records.collect();
        if records.iter().any(|record| looks_like_tweet(record)) {
            return Flat::Nested(records.into_iter().map(Value::to_string).collect());
        }
    }
    // Each field by the best of its names that says something.
    let mut cells: Vec<(Field, usize, String)> = Vec::new();
    for (name, value) in &object {
        let text = match value {
            Value::String(text) if !text.is_empty() => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => continue,
        };
        let Some((field, rank)) = Field::ranked(name) else { continue };
        match cells.iter_mut().find(|(known, ..)| *known == field) {
            Some(known) if known.1 > rank => *known = (field, rank, text),
            Some(_) => {}
            None => cells.push((field, rank, text)),
        }
    }
    let cell = |wanted: Field| {
        let found = cells.iter().find(|(field, ..)| *field == wanted);
        found.map(|(_, _, text)| Cow::Owned(text.clone()))
    };
    if cell(Field::Text).is_none() {
        let keys: Vec<&str> = object.keys().take(8).map(String::as_str).collect();
        return Flat::Row(Err(format!("no tweet is known by these keys: {}", keys.join(", "))));
    }
    Flat::Row(tweet_of_cells(cell, options).map(Box::new))
}

fn looks_like_tweet(value: &Value) -> bool {
    ["id", "id_str", "text", "full_text", "tweet"].iter().any(|key| value.get(key).is_some())
}
