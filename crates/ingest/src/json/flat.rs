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
use crate::cells::tweet_of_cells;
use crate::{Field, Options, Tweet};

/// What an object of unknown shape holds.
pub(super) enum Flat<'j> {
    /// A table row: a tweet, or the reason why the row is not one.
    Row(Result<Box<Tweet<'j>>, String>),
    /// A table of other records, to be read with [`each_record`].
    Table,
}

/// Reads an object by the names that the columns of tables have, or finds out that it is a table of records.
pub(super) fn read<'j>(json: &'j str, options: &Options) -> Flat<'j> {
    let object: Object<'_> = match serde_json::from_str(json) {
        Ok(object) => object,
        Err(error) => return Flat::Row(Err(format!("the JSON cannot be read: {error}"))),
    };
    if object.is_table && object.holds_tweets {
        return Flat::Table;
    }
    let cell = |wanted: Field| {
        let found = object.cells.iter().find(|(field, ..)| *field == wanted);
        found.map(|(_, _, text)| text.clone())
    };
    if cell(Field::Text).is_none() {
        let keys = object.first_keys.join(", ");
        return Flat::Row(Err(format!("no tweet is known by these keys: {keys}")));
    }
    Flat::Row(tweet_of_cells(cell, options).map(Box::new))
}

/// Calls `visit` with the text of each record of a table: the objects under its keys, and those in lists under them.
pub(super) fn each_record(json: &str, visit: &mut dyn FnMut(&str)) {
    let mut deserializer = serde_json::Deserializer::from_str(json);
    // This cannot fail: the object has been parsed before.
    let _ = deserializer.deserialize_map(EachRecord(visit));
}

/// What has to be known of an object to tell a row from a table, and to read a row.
struct Object<'j> {
    /// Whether all its values are objects or lists.
    is_table: bool,
    /// Whether one of the objects in it looks like a tweet.
    holds_tweets: bool,
    /// The values of fields that we know, each under the best of its names, with that name's rank.
    cells: Vec<(Field, usize, Cow<'j, str>)>,
    /// The first eight keys, for error messages.
    first_keys: Vec<String>,
}

impl<'de: 'j, 'j> Deserialize<'de> for Object<'j> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObjectVisitor;
        impl<'de> Visitor<'de> for ObjectVisitor {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object<'de>, A::Error> {
                let (cells, first_keys) = (Vec::new(), Vec::new());
                let mut object = Object { is_table: false, holds_tweets: false, cells, first_keys };
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
                    } else if let Some((field, rank)) = Field::ranked(&key) {
                        object.add(field, rank, value).map_err(A::Error::custom)?;
                    }
                }
                object.is_table = n_values > 0 && n_containers == n_values;
                Ok(object)
            }
        }
        deserializer.deserialize_map(ObjectVisitor)
    }
}

impl<'j> Object<'j> {
    /// Keeps the value of a field, unless one is known under a better name. Of the same name, the last one counts.
    fn add(&mut self, field: Field, rank: usize, value: &'j str) -> serde_json::Result<()> {
        let text = match value.as_bytes()[0] {
            b'"' => match serde_json::from_str::<Text<'j>>(value)?.0 {
                Some(text) if !text.is_empty() => text,
                _ => return Ok(()),
            },
            b'-' | b'0'..=b'9' => match value.bytes().all(|b| b.is_ascii_digit()) {
                true => Cow::Borrowed(value),
                false => Cow::Owned(serde_json::from_str::<serde_json::Number>(value)?.to_string()),
            },
            _ => return Ok(()),
        };
        match self.cells.iter_mut().find(|(known, ..)| *known == field) {
            Some(known) if known.1 >= rank => *known = (field, rank, text),
            Some(_) => {}
            None => self.cells.push((field, rank, text)),
        }
        Ok(())
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
        while map.next_key::<IgnoredAny>()?.is_some() {
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
