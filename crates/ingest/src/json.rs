//! A JSON object to the tweets in it, whichever of the known shapes it has.

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
    let reason = match serde_json::from_str::<Record<'_>>(&text) {
        Ok(record) => return dispatch(&text, record, line, options, sink),
        Err(error) => error,
    };
    // Rare, so it may cost a second look: texts cut in the middle of an emoji.
    let mended =
        mend_lone_surrogates(text.as_bytes()).and_then(|json| String::from_utf8(json).ok());
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
        Ok(tweet) => sink(Item::Tweet { line, tweet }),
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
    for tweet in &tweets {
        match tweet::read(tweet, &includes, options) {
            Ok(mut tweet) => {
                tweet.rule_tags = rules.iter().filter_map(|rule| rule.tag.0.clone()).collect();
                sink(Item::Tweet { line, tweet });
            }
            Err(reason) => reject(json.as_bytes(), line, tweet.id().as_deref(), reason, sink),
        }
    }
}
