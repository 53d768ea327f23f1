//! The records of a batch to tweets, notices and rejects.

use std::borrow::Cow;
use std::hash::Hasher;
use std::sync::Arc;

use siphasher::sip128::{Hasher128, SipHasher24};

use crate::columns::Field;
use crate::sniff::Format;
use crate::split::Record;
use crate::{Batch, Rejected, Stage, Timestamp, Tweet, csv, json};

/// What a user may say about a source.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Options {
    /// Which column, by name or by number from 1, holds which field.
    pub columns: Vec<(Field, String)>,
    /// When tweets were created whose records do not say so.
    pub timestamp: Option<Timestamp>,
    /// The marketplace of tweets whose records name none.
    pub marketplace: Option<String>,
}

/// What a record turned out to be.
#[derive(Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "items are passed on one by one and never stored")]
pub enum Item<'a> {
    /// A tweet, and the line its record starts on.
    Tweet {
        /// From 1, in the decompressed source.
        line: u64,
        /// The tweet.
        tweet: Tweet<'a>,
        /// Where it came from first, if it is a reject that was read again.
        source: Option<&'a str>,
    },
    /// What a tweet became in an earlier run: a document, which is not to be enriched again.
    Document {
        /// From 1, in the decompressed source.
        line: u64,
        /// Its JSON.
        json: &'a str,
        /// Where it came from first, if it is a reject that was read again.
        source: Option<&'a str>,
    },
    /// Something that a stream says of itself: a deletion, a limit, an empty page.
    Notice {
        /// From 1, in the decompressed source.
        line: u64,
        /// The notice's name, as the stream calls it.
        kind: &'static str,
    },
    /// A record that could not be read.
    Rejected(Rejected),
}

impl Batch {
    /// Reads every record and hands what it holds to `sink`, in order. Each record gives at least one
    /// item, and a page gives one for each of its tweets.
    pub fn read(&self, mut sink: impl FnMut(Item<'_>)) {
        let mut rows = match &*self.format {
            Format::Csv(columns) => Some(csv::Rows::new(columns)),
            Format::Json => None,
        };
        for record in &self.records {
            let Record { start, end, line, fault } = *record;
            let raw = &self.bytes[start..end];
            match (&mut rows, fault) {
                (Some(rows), None) => rows.read(raw, line, &self.options, &mut sink),
                (None, None) => json::read(raw, line, &self.options, &mut sink),
                (rows, Some(fault)) => {
                    let mut rejected = Rejected::new(line, Stage::Read, fault, raw);
                    rejected.header = rows.as_ref().and_then(|rows| rows.header());
                    sink(Item::Rejected(rejected));
                }
            }
        }
    }
}

/// What a record says of its identity, before it is judged.
pub(crate) struct Claims<'a, 'c> {
    pub(crate) id: Option<Cow<'a, str>>,
    pub(crate) created_at: Option<Cow<'a, str>>,
    pub(crate) text: Cow<'a, str>,
    pub(crate) author: Option<&'c str>,
}

/// The longest `_id` that Elasticsearch takes, in bytes.
pub const MAX_ID_BYTES: usize = 512;

/// Makes a tweet of what a record claims, or says why it is none.
pub(crate) fn identify<'a>(claims: Claims<'a, '_>, options: &Options) -> Result<Tweet<'a>, String> {
    let Claims { id, created_at, text, author } = claims;
    let id = id.map(bare_id).filter(|id| is_usable_id(id));
    let given = created_at.as_deref().map(str::trim).filter(|time| !time.is_empty());
    let time = id
        .as_deref()
        .and_then(Timestamp::from_id)
        .or_else(|| given.and_then(Timestamp::parse))
        .or(options.timestamp);
    let Some(time) = time else {
        return Err(match given {
            Some(given) => format!(
                "its time `{given}` cannot be read; hint: write it as 2022-12-10T18:08:00Z, or give --timestamp T"
            ),
            None => {
                "no timestamp: its id holds none and it has no date; hint: --timestamp T".to_owned()
            }
        });
    };
    let id = match id {
        Some(id) if id.len() > MAX_ID_BYTES => {
            return Err("its id is longer than 512 bytes".to_owned());
        }
        Some(id) => id,
        None => Cow::Owned(content_hash(&text, given, author)),
    };
    let mut tweet = Tweet::new(id, time, text);
    tweet.assumed_marketplace = options.marketplace.clone().map(Cow::Owned);
    Ok(tweet)
}

/// An id without what keeps spreadsheets from rounding it: `'160…` and `="160…"`.
fn bare_id(id: Cow<'_, str>) -> Cow<'_, str> {
    let is_wrapping = |c: char| c.is_whitespace() || matches!(c, '\'' | '"' | '=');
    match id {
        Cow::Borrowed(id) => Cow::Borrowed(id.trim_matches(is_wrapping)),
        Cow::Owned(id) => Cow::Owned(id.trim_matches(is_wrapping).to_owned()),
    }
}

/// Ids that spreadsheets rounded (`1.60165E+18`), and the zeros of scrapes, are no ids.
fn is_usable_id(id: &str) -> bool {
    let is_rounded = id.bytes().all(|b| b.is_ascii_digit() || b"+-.,eE".contains(&b))
        && !id.bytes().all(|b| b.is_ascii_digit());
    !id.is_empty() && id != "0" && !is_rounded
}

/// The id of a tweet that came without one: the same for the same content, so that a rerun meets
/// the same document. The scheme must never change, or every such tweet would be indexed twice.
fn content_hash(text: &str, created_at: Option<&str>, author: Option<&str>) -> String {
    let mut hasher = SipHasher24::new();
    for part in [text, created_at.unwrap_or_default(), author.unwrap_or_default()] {
        hasher.write(part.as_bytes());
        hasher.write_u8(0xFF);
    }
    let hash = hasher.finish128();
    format!("{:016x}{:016x}", hash.h1, hash.h2)
}

/// Reads a reject again: its `raw` is a record as it stood in its source.
pub(crate) fn read_again(rejected: Rejected, options: &Options, sink: &mut dyn FnMut(Item<'_>)) {
    let again = |reason: String| {
        let mut again = rejected.clone();
        again.reason = reason;
        Item::Rejected(again)
    };
    if rejected.raw_cut_from.is_some() {
        return sink(again("only its beginning was kept; hint: read its source again".to_owned()));
    }
    let text = match &rejected.header {
        Some(header) => Cow::Owned(format!("{header}\n{}\n", rejected.raw)),
        None => Cow::Borrowed(&rejected.raw),
    };
    let options = Arc::new(options.clone());
    let batches = match crate::open(text.as_bytes(), &options) {
        Ok(batches) => batches,
        Err(error) => return sink(again(error.to_string())),
    };
    for batch in batches.filter_map(Result::ok) {
        batch.read(|item| match item {
            Item::Rejected(inner) => sink(again(inner.reason)),
            Item::Tweet { tweet, .. } => {
                sink(Item::Tweet { line: rejected.line, tweet, source: Some(&rejected.source) })
            }
            Item::Document { json, .. } => {
                sink(Item::Document { line: rejected.line, json, source: Some(&rejected.source) })
            }
            Item::Notice { kind, .. } => sink(Item::Notice { line: rejected.line, kind }),
        });
    }
}
