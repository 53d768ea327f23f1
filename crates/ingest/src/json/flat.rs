//! Objects that are not records of an API: table rows written as JSON, and objects that hold many records under keys of
//! their own ("tables").
//!
//! Both are read directly from the text. Trees of values would take twenty times the memory of the text, and that again
//! for each level of nesting.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::lenient::Text;
use crate::field::{Use, fold, uses};
use crate::record::{self, Record};
use crate::{DayOrder, Field, Options, Tweet};

/// What an object of unknown shape holds.
pub(super) enum Flat<'j> {
    /// A table row: a tweet, or the reason why the row is not one.
    Row(Result<Box<Tweet<'j>>, String>),
    /// A table of other records, to be read with [`each_record`].
    Table,
}

/// How deep the values of a row may lie: `user.public_metrics.followers_count`.
const MAX_PATH: usize = 6;
/// A row has fewer values that are used than this.
const MAX_VALUES: usize = 256;

/// Reads an object by the names that the columns of tables have, or finds out that it is a table of records.
pub(super) fn read<'j>(json: &'j str, options: &Options) -> Flat<'j> {
    let object: Object = match serde_json::from_str(json) {
        Ok(object) => object,
        Err(error) => return Flat::Row(Err(format!("the JSON cannot be read: {error}"))),
    };
    if object.is_table && object.holds_tweets {
        return Flat::Table;
    }
    let mut row = Row { values: Vec::new(), day_order: None };
    if let Err(error) = row.add(json, &options.columns) {
        return Flat::Row(Err(format!("the JSON cannot be read: {error}")));
    }
    row.values.sort_by_key(|value| (value.field, value.rank));
    if row.value(Field::Text, 0).is_none() {
        let keys = object.first_keys.join(", ");
        return Flat::Row(Err(format!("no tweet is known by these keys: {keys}")));
    }
    let day_order = options.day_order.or(row.day_order);
    Flat::Row(record::read(&row, day_order, options).map(Box::new))
}

/// The values of an object that have a known name or path, sorted by field and rank.
struct Row<'j> {
    values: Vec<Value<'j>>,
    /// What the object itself says of its dates.
    day_order: Option<DayOrder>,
}

struct Value<'j> {
    field: Field,
    rank: u16,
    is_vague: bool,
    text: Cow<'j, str>,
}

impl<'j> Record<'j> for Row<'j> {
    fn has(&self, field: Field) -> bool {
        self.value(field, 0).is_some()
    }

    fn value(&self, field: Field, nth: usize) -> Option<(Cow<'j, str>, bool)> {
        let first = self.values.partition_point(|value| value.field < field);
        let value = self.values.get(first + nth).filter(|value| value.field == field)?;
        Some((value.text.clone(), value.is_vague))
    }
}

impl<'j> Row<'j> {
    /// Adds the values of an object.
    fn add(&mut self, json: &'j str, named: &[(Field, String)]) -> serde_json::Result<()> {
        let mut failed = None;
        walk(json, &mut Path::default(), named, &mut |path, uses, json| {
            if path == record::TABLE_ROW {
                self.day_order = DayOrder::from_name(json.trim_matches('"'));
            }
            for found in uses {
                match text_of(json) {
                    Ok(Some(text)) if self.values.len() < MAX_VALUES => {
                        let Use { field, rank, is_vague } = *found;
                        // Of the same name, the last one counts.
                        self.values.retain(|known| (known.field, known.rank) != (field, rank));
                        self.values.push(Value { field, rank, is_vague, text });
                    }
                    Ok(_) => {}
                    Err(error) => drop(failed.get_or_insert(error)),
                }
            }
        })?;
        failed.map_or(Ok(()), Err)
    }
}

/// Calls `visit` with the path to each value of an object, and the fields that it holds.
pub(super) fn each_path(
    json: &str,
    named: &[(Field, String)],
    visit: &mut dyn FnMut(&str, Vec<Field>),
) {
    // An object that cannot be read has no keys to show.
    let _ = walk(json, &mut Path::default(), named, &mut |path, uses, _| {
        visit(path, uses.iter().map(|found| found.field).collect());
    });
}

/// Calls `visit` with each value of an object that has a known name, if the object itself lies under `name`.
pub(crate) fn values_under(name: &str, json: &str, visit: &mut dyn FnMut(Use, String)) {
    let mut path = Path { folded: name.to_owned(), written: name.to_owned(), depth: 1 };
    // What cannot be read of an object in a cell is not used, as the rest of the cell is.
    let _ = walk(json, &mut path, &[], &mut |_, uses, json| {
        for found in uses {
            if let Ok(Some(text)) = text_of(json) {
                visit(*found, text.into_owned());
            }
        }
    });
}

/// The path to a value, folded, and as it is written.
#[derive(Default)]
struct Path {
    folded: String,
    written: String,
    depth: usize,
}

/// Calls `visit` with each value of an object that is no object itself: the path to it, what it is used for, and its JSON.
fn walk<'j>(
    json: &'j str,
    path: &mut Path,
    named: &[(Field, String)],
    visit: &mut dyn FnMut(&str, &[Use], &'j str),
) -> serde_json::Result<()> {
    let mut failed = None;
    each_entry(json, &mut |key, value| {
        let (folded, written) = (path.folded.len(), path.written.len());
        if folded > 0 {
            path.folded.push('_');
        }
        if written > 0 {
            path.written.push('.');
        }
        path.folded.push_str(&fold(key));
        path.written.push_str(key);
        if value.starts_with('{') && path.depth < MAX_PATH {
            // A feature of GeoJSON has its properties in an object of their own.
            let is_properties = path.depth == 0 && path.folded == "properties";
            let mut inner = Path {
                folded: if is_properties {
                    String::new()
                } else {
                    std::mem::take(&mut path.folded)
                },
                written: std::mem::take(&mut path.written),
                depth: path.depth + 1,
            };
            if let Err(error) = walk(value, &mut inner, named, visit) {
                failed.get_or_insert(error);
            }
            if !is_properties {
                path.folded = inner.folded;
            }
            path.written = inner.written;
        } else {
            visit(&path.written, &uses_of(&path.folded, named), value);
        }
        path.folded.truncate(folded);
        path.written.truncate(written);
    })?;
    failed.map_or(Ok(()), Err)
}

/// What a folded path is used for, with what the user says.
fn uses_of<'u>(path: &str, named: &[(Field, String)]) -> Cow<'u, [Use]> {
    let known = uses(path);
    if named.is_empty() {
        return Cow::Borrowed(known);
    }
    let by_user = named.iter().filter(|(_, name)| fold(name) == path);
    let by_user = by_user.map(|(field, _)| Use { field: *field, rank: 0, is_vague: false });
    let is_free = |found: &&Use| named.iter().all(|(field, _)| *field != found.field);
    Cow::Owned(by_user.chain(known.iter().filter(is_free).copied()).collect())
}

/// The text of a value: a string, a number, yes or no, or the JSON of a list. `None` if there is nothing in it.
fn text_of(json: &str) -> serde_json::Result<Option<Cow<'_, str>>> {
    Ok(match json.as_bytes()[0] {
        b'"' => serde_json::from_str::<Text<'_>>(json)?.0.filter(|text| !text.is_empty()),
        b'-' | b'0'..=b'9' => Some(match json.bytes().all(|b| b.is_ascii_digit()) {
            true => Cow::Borrowed(json),
            false => Cow::Owned(serde_json::from_str::<serde_json::Number>(json)?.to_string()),
        }),
        b'[' if json.len() > 2 => Some(Cow::Borrowed(json)),
        b't' | b'f' => Some(Cow::Borrowed(json)),
        _ => None,
    })
}

/// Calls `visit` with each key of an object and the text of its value.
pub(super) fn each_entry<'j>(
    json: &'j str,
    visit: &mut dyn FnMut(&str, &'j str),
) -> serde_json::Result<()> {
    struct Entries<'v, 'j>(&'v mut dyn FnMut(&str, &'j str));
    impl<'de> Visitor<'de> for Entries<'_, 'de> {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
            while let Some(key) = map.next_key::<Text<'de>>()? {
                let value = map.next_value::<&'de RawValue>()?.get();
                (self.0)(&key.0.unwrap_or_default(), value);
            }
            Ok(())
        }
    }
    serde_json::Deserializer::from_str(json).deserialize_map(Entries(visit))
}

/// Calls `visit` with the text of each record of a table: the objects under its keys, and those in lists under them.
pub(super) fn each_record(json: &str, visit: &mut dyn FnMut(&str)) {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    // This cannot fail: the object has been parsed before.
    let _ = deserializer.deserialize_map(EachRecord(visit));
}

/// What has to be known of an object to tell a row from a table.
struct Object {
    /// Whether all its values are objects or lists.
    is_table: bool,
    /// Whether one of the objects in it looks like a tweet.
    holds_tweets: bool,
    /// The first eight keys, for error messages.
    first_keys: Vec<String>,
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObjectVisitor;
        impl<'de> Visitor<'de> for ObjectVisitor {
            type Value = Object;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let mut object =
                    Object { is_table: false, holds_tweets: false, first_keys: Vec::new() };
                let (mut n_values, mut n_containers) = (0_usize, 0_usize);
                while let Some(key) = map.next_key::<Text<'de>>()? {
                    let key = key.0.unwrap_or_default();
                    let value = map.next_value::<&'de RawValue>()?.get();
                    if n_values < 8 {
                        object.first_keys.push(key.to_string());
                    }
                    n_values += 1;
                    if value.starts_with(['{', '[']) {
                        n_containers += 1;
                        // This matters only for tables, which hold nothing but objects and lists. So there is no need
                        // to check once another value has been seen.
                        if n_containers == n_values && !object.holds_tweets {
                            object.holds_tweets = holds_tweet(value);
                        }
                    }
                }
                object.is_table = n_values > 0 && n_containers == n_values;
                Ok(object)
            }
        }
        deserializer.deserialize_map(ObjectVisitor)
    }
}

/// Whether this is an object that looks like a tweet, or a list that contains one.
fn holds_tweet(json: &str) -> bool {
    let mut is_found = false;
    let mut look = |record: &str| {
        is_found = is_found || serde_json::from_str::<LooksLikeTweet>(record).is_ok_and(|it| it.0)
    };
    if json.starts_with('{') {
        look(json);
    } else {
        let mut deserializer = serde_json::Deserializer::from_str(json);
        let _ = deserializer.deserialize_seq(EachObject(&mut look));
    }
    is_found
}

/// Whether an object has a key that tweets have, with a value that is no container.
struct LooksLikeTweet(bool);

impl<'de> Deserialize<'de> for LooksLikeTweet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = LooksLikeTweet;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<LooksLikeTweet, A::Error> {
                let mut does = false;
                while let Some(key) = map.next_key::<Text<'de>>()? {
                    let key = key.0.unwrap_or_default();
                    if !does && matches!(&*key, "id" | "id_str" | "text" | "full_text" | "tweet") {
                        let value = map.next_value::<&'de RawValue>()?.get();
                        // A file of an archive has the whole tweet under `tweet`.
                        does = !value.starts_with(['{', '[']) || key == "tweet";
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                Ok(LooksLikeTweet(does))
            }
        }
        deserializer.deserialize_map(KeyVisitor)
    }
}

/// Visits the records of a table.
struct EachRecord<'v>(&'v mut dyn FnMut(&str));

impl<'de> Visitor<'de> for EachRecord<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<Text<'de>>()? {
            // What an answer says of itself is no record.
            if matches!(key.0.as_deref(), Some("search_metadata" | "requestParameters")) {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let value = map.next_value::<&'de RawValue>()?.get();
            if value.starts_with('{') {
                (self.0)(value);
            } else {
                let mut deserializer = serde_json::Deserializer::from_str(value);
                deserializer.deserialize_seq(EachObject(&mut *self.0)).map_err(A::Error::custom)?;
            }
        }
        Ok(())
    }
}

/// Calls `visit` with the text of each item of a list.
pub(super) fn each_item<'j>(
    json: &'j str,
    visit: &mut dyn FnMut(&'j str),
) -> serde_json::Result<()> {
    struct Items<'v, 'j>(&'v mut dyn FnMut(&'j str));
    impl<'de> Visitor<'de> for Items<'_, 'de> {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
            while let Some(item) = list.next_element::<&'de RawValue>()? {
                (self.0)(item.get());
            }
            Ok(())
        }
    }
    serde_json::Deserializer::from_str(json).deserialize_seq(Items(visit))
}

/// Visits the objects of a list.
struct EachObject<'v>(&'v mut dyn FnMut(&str));

impl<'de> Visitor<'de> for EachObject<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while let Some(value) = list.next_element::<&'de RawValue>()? {
            if value.get().starts_with('{') {
                (self.0)(value.get());
            }
        }
        Ok(())
    }
}
