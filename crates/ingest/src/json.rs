//! A JSON object to the tweets in it, whichever of the known shapes it has.

use serde_json::value::RawValue;

use crate::read::read_again;
use crate::text::{decode, mend_lone_surrogates};
use crate::{Item, Options, Rejected, Stage};

mod flat;
mod lenient;
mod schema;
mod tweet;

use flat::Flat;
use schema::{Lists, Record};
use tweet::Includes;

/// Reads one JSON object and hands what it holds to `sink`.
pub(crate) fn read(raw: &[u8], line: u64, options: &Options, sink: &mut dyn FnMut(Item<'_>)) {
    let text = decode(raw);
    if schema::is_surely_document(&text) {
        return sink(Item::Document { line, json: &text, source: None });
    }
    let reason = match serde_json::from_str::<Record<'_>>(&text) {
        Ok(record) => return dispatch(&text, record, line, options, sink),
        Err(error) => error,
    };
    // Rare, so they may cost a second look: texts cut in the middle of an emoji, and keys that come
    // twice (of which the last counts, as in most readers).
    let mended =
        mend_lone_surrogates(text.as_bytes()).and_then(|json| String::from_utf8(json).ok());
    let whole = mended.as_deref().unwrap_or(&text);
    let mended =
        serde_json::from_str::<serde_json::Value>(whole).ok().map(|value| value.to_string());
    match mended.as_deref().map(|mended| (mended, serde_json::from_str::<Record<'_>>(mended))) {
        Some((mended, Ok(record))) => dispatch(mended, record, line, options, sink),
        _ => reject(raw, line, None, format!("the JSON cannot be read: {reason}"), sink),
    }
}

fn reject(raw: &[u8], line: u64, id: Option<&str>, reason: String, sink: &mut dyn FnMut(Item<'_>)) {
    let mut rejected = Rejected::new(line, Stage::Parse, reason, raw);
    rejected.id = id.map(str::to_owned);
    sink(Item::Rejected(rejected));
}

fn dispatch(
    json: &str,
    record: Record<'_>,
    line: u64,
    options: &Options,
    sink: &mut dyn FnMut(Item<'_>),
) {
    if let Some(kind) = record.notice() {
        return sink(Item::Notice { line, kind });
    }
    if record.is_document() {
        return sink(Item::Document { line, json, source: None });
    }
    if record.is_envelope() {
        return read_envelope(json, record, line, options, sink);
    }
    if record.is_reject() {
        return match serde_json::from_str::<Rejected>(json) {
            Ok(rejected) => read_again(rejected, options, sink),
            Err(error) => {
                reject(json.as_bytes(), line, None, format!("this is no reject: {error}"), sink)
            }
        };
    }
    let (id, outcome) = if let Some(archived) = record.tweet.0.as_deref() {
        (archived.id(), tweet::read(archived, &Includes::default(), options))
    } else if let Some(note) = record.archived_note.0.as_deref() {
        (note.id.0.clone(), tweet::read_archived_note(note, options))
    } else if record.is_tweet() {
        (record.id(), tweet::read(&record, &Includes::default(), options))
    } else {
        match flat::read(json, options) {
            Flat::Row(outcome) => (record.id(), outcome.map(|tweet| *tweet)),
            Flat::Nested(records) => {
                return records.iter().for_each(|json| read(json.as_bytes(), line, options, sink));
            }
        }
    };
    match outcome {
        Ok(tweet) => sink(Item::Tweet { line, tweet, source: None }),
        Err(reason) => reject(json.as_bytes(), line, id.as_deref(), reason, sink),
    }
}

/// Reads the tweets of a v2 page or stream line, or of a dump of its lists.
fn read_envelope(
    json: &str,
    record: Record<'_>,
    line: u64,
    options: &Options,
    sink: &mut dyn FnMut(Item<'_>),
) {
    let lists = match record.includes.0 {
        Some(lists) => *lists,
        None => Lists { tweets: Default::default(), users: record.users, places: record.places },
    };
    let includes = Includes::new(&lists);
    let rules = record.matching_rules.0.unwrap_or_default();
    let tweets = record.data.0.or(record.tweets.0).unwrap_or_default();
    if tweets.is_empty() {
        return sink(Item::Notice { line, kind: "empty page" });
    }
    let mut texts: Option<Vec<&str>> = None;
    for (i, tweet) in tweets.iter().enumerate() {
        match tweet::read(tweet, &includes, options) {
            Ok(mut tweet) => {
                tweet.rule_tags = rules.iter().filter_map(|rule| rule.tag.0.clone()).collect();
                sink(Item::Tweet { line, tweet, source: None });
            }
            Err(reason) => {
                let texts = texts.get_or_insert_with(|| texts_of_page(json));
                let raw = texts.get(i).unwrap_or(&json).as_bytes();
                reject(raw, line, tweet.id().as_deref(), reason, sink);
            }
        }
    }
}

/// The JSON of each tweet of a page, so that a reject does not hold its neighbors.
fn texts_of_page(json: &str) -> Vec<&str> {
    #[derive(serde::Deserialize)]
    struct Page<'p> {
        #[serde(borrow, alias = "tweets")]
        data: &'p RawValue,
    }
    let Ok(page) = serde_json::from_str::<Page<'_>>(json) else { return Vec::new() };
    let items: Vec<&RawValue> =
        serde_json::from_str(page.data.get()).unwrap_or_else(|_| vec![page.data]);
    items.into_iter().map(RawValue::get).filter(|item| item.starts_with('{')).collect()
}
