//! What a JSON object is: one decision, by which it is read and by which it is described.

use std::borrow::Cow;

use super::bluesky::{self, Message};
use super::fediverse;
use super::find;
use super::flat::{self, Flat};
use super::graphql;
use super::mend::mend;
use super::schema::{self, Record};
use super::wrap::{self, Wrapped};
use crate::record::TABLE_ROW;
use crate::text::decode;
use crate::{DescribedColumn, Description, Options, Tweet};

/// What a JSON object is.
pub(super) enum Shape<'j> {
    /// A tweet of the API v1.1 or v2.
    Tweet,
    /// An entry of a Twitter archive: a tweet, or a long one.
    ArchivedTweet,
    ArchivedNote,
    /// Tweets in the form of the API v2, with what they share.
    Page,
    /// A document that an earlier run made of a tweet.
    Document,
    /// What an earlier run rejected.
    Reject,
    /// A message of a stream, an API or a tool about itself.
    Notice(&'static str),
    /// A message of Bluesky's Jetstream.
    Message(Message<'j>),
    /// A post of another network, and its id.
    Post(&'static str, Option<Cow<'j, str>>, Result<Box<Tweet<'j>>, String>),
    /// Records lie in it.
    Wrapper(&'static str, Vec<Cow<'j, str>>),
    /// Records lie under keys of its own.
    Table,
    /// A record that is read by the names of its keys.
    Row(Result<Box<Tweet<'j>>, String>),
    /// An answer of an API that is too long to be searched.
    TooLong,
}

pub(super) const V1: &str = "tweets of the API v1.1";
pub(super) const V2: &str = "tweets of the API v2";
pub(super) const ARCHIVE: &str = "entries of a Twitter archive";
pub(super) const ROWS: &str = "rows with keys of their own";
const DOCUMENTS: &str = "documents of indexer";
const BLUESKY: &str = "posts of Bluesky's API";
const GRAPHQL: &str = "answers to X's web page (GraphQL)";
const WRAPPED: &str = "wrapped records";

impl<'j> Shape<'j> {
    /// Finds out what an object is. `record` is what was read of it.
    pub(super) fn of(json: &'j str, record: &Record<'j>, options: &Options) -> Shape<'j> {
        if record.is_bluesky()
            && let Some(message) = bluesky::read(json, options)
        {
            return Shape::Message(message);
        }
        // Notices, documents and rejects come before tweets, since they share keys with them.
        if let Some(kind) = record.notice() {
            return Shape::Notice(kind);
        }
        // Others have documents with a sentiment too.
        if record.is_document() && find::occurs("\"label\"", json) && find::occurs("\"kind\"", json)
        {
            return Shape::Document;
        }
        let is_wrapped_tweet = record.tweet.0.as_deref().is_some_and(|tweet| tweet.legacy.0);
        // The page of an API that has no tweets in their usual place.
        let is_odd_page = record.is_envelope() && record.has_other_data();
        if (is_odd_page || record.legacy.0 || is_wrapped_tweet)
            && graphql::may_hold_tweets(json)
            && let Some(tweets) = graphql::tweets(json)
        {
            return Shape::Wrapper(GRAPHQL, tweets.into_iter().map(Cow::Owned).collect());
        }
        match () {
            () if is_odd_page && graphql::is_answer(json) => Shape::Notice("empty page"),
            () if record.is_envelope() => Shape::Page,
            () if record.is_reject() => Shape::Reject,
            () if record.tweet.0.is_some() => Shape::ArchivedTweet,
            () if record.archived_note.0.is_some() => Shape::ArchivedNote,
            () if record.is_tweet() => Shape::Tweet,
            () if record.table_row.0 => Shape::of_keys(json, options),
            () => Shape::of_other(json, record, options),
        }
    }

    /// What is not one of Twitter's own shapes: posts of other networks, and what tools have made of tweets or wrapped
    /// around them.
    fn of_other(json: &'j str, record: &Record<'j>, options: &Options) -> Shape<'j> {
        match fediverse::read(json, options) {
            Some(fediverse::Found::Post(id, tweet)) => {
                return Shape::Post("posts of Mastodon", id, tweet);
            }
            Some(fediverse::Found::Notice(kind)) => return Shape::Notice(kind),
            None => {}
        }
        let may_hold_views = bluesky::may_hold_views(json);
        if may_hold_views {
            if bluesky::is_repost(json) {
                return Shape::Notice("repost");
            }
            if let Some(outcome) = bluesky::read_record(json, options) {
                return Shape::Post(BLUESKY, None, outcome.map(Box::new));
            } else if let Some(message) = bluesky::read_view(json, options) {
                return match message {
                    Message::Post(uri, tweet) => Shape::Post(BLUESKY, Some(uri.into()), tweet),
                    Message::Notice(kind) => Shape::Notice(kind),
                };
            } else if let Some(posts) = bluesky::views(json) {
                return Shape::Wrapper(BLUESKY, posts.into_iter().map(Cow::Owned).collect());
            }
        }
        let may_hold_tweets = graphql::may_hold_tweets(json);
        if may_hold_tweets && let Some(tweets) = graphql::tweets(json) {
            return Shape::Wrapper(GRAPHQL, tweets.into_iter().map(Cow::Owned).collect());
        }
        if (may_hold_tweets || may_hold_views) && json.len() > find::MAX_BYTES {
            return Shape::TooLong;
        }
        // What has a text and an id of its own is not wrapped, whatever else it has.
        let has_text = record.text.0.is_some() || record.full_text.0.is_some();
        let is_own = has_text && record.id().is_some();
        match if is_own { None } else { wrap::unwrap(json) } {
            Some(Wrapped::Records(records)) => Shape::Wrapper(WRAPPED, records),
            Some(Wrapped::Notice(kind)) => Shape::Notice(kind),
            None => match Shape::of_keys(json, options) {
                Shape::Row(Err(reason)) => match wrap::table_by_columns(json) {
                    Some(rows) => {
                        Shape::Wrapper(WRAPPED, rows.into_iter().map(Cow::Owned).collect())
                    }
                    None => Shape::Row(Err(reason)),
                },
                shape => shape,
            },
        }
    }

    fn of_keys(json: &'j str, options: &Options) -> Shape<'j> {
        match flat::read(json, options) {
            Flat::Row(outcome) => Shape::Row(outcome),
            Flat::Table => Shape::Table,
        }
    }

    /// What it is called for people.
    fn name(&self, record: &Record<'_>, options: &Options) -> &'static str {
        match self {
            Shape::Tweet if record.user.0.is_some() => V1,
            Shape::Tweet => V2,
            Shape::ArchivedTweet | Shape::ArchivedNote => ARCHIVE,
            Shape::Page if record.meta.0.is_some() => "pages of the API v2",
            Shape::Page if record.has_other_data() => WRAPPED,
            Shape::Page => "stream lines or pages of the API v2",
            Shape::Document => DOCUMENTS,
            Shape::Reject => "rejects of indexer",
            Shape::Notice(_) => "notices",
            Shape::Message(_) => "messages of Bluesky's Jetstream",
            Shape::Wrapper(WRAPPED, records) => {
                match records.first().map(|first| name(first, options)) {
                    Some(V1) => "wrapped tweets of the API v1.1",
                    Some(_) | None => WRAPPED,
                }
            }
            Shape::Post(name, ..) | Shape::Wrapper(name, _) => name,
            Shape::Table => "tables of records",
            Shape::Row(_) => ROWS,
            Shape::TooLong => "answers of an API that are too long to be searched",
        }
    }
}

/// Describes a source by its first objects.
pub(super) fn describe(records: &mut dyn Iterator<Item = &[u8]>, options: &Options) -> Description {
    let mut description = Description::of("JSON");
    let mut shapes: Vec<(&'static str, usize)> = Vec::new();
    let mut columns = Vec::new();
    for raw in records {
        let text = decode(raw);
        let shape = name(&text, options);
        match shapes.iter_mut().find(|(known, _)| *known == shape) {
            Some((_, count)) => *count += 1,
            None => shapes.push((shape, 1)),
        }
        if shape == ROWS && columns.is_empty() {
            columns = keys(&text, options);
        }
    }
    shapes.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let list: Vec<String> = match &shapes[..] {
        [(only, _)] => vec![(*only).to_owned()],
        several => several.iter().map(|(shape, count)| format!("{shape} ({count})")).collect(),
    };
    description.add("shape", list.join(", "));
    description.columns = columns;
    description
}

/// What an object is called for people.
pub(super) fn name(json: &str, options: &Options) -> &'static str {
    if schema::is_surely_document(json) {
        return DOCUMENTS;
    }
    if json.starts_with('"') {
        return "objects in texts";
    }
    let plain = wrap::without_extended_types(json);
    let json = plain.as_deref().unwrap_or(json);
    let named = |json: &str| {
        let record = serde_json::from_str::<Record<'_>>(json).ok()?;
        Some(Shape::of(json, &record, options).name(&record, options))
    };
    let unreadable = "JSON that cannot be read";
    named(json).or_else(|| named(&mend(json)?)).unwrap_or(unreadable)
}

/// The keys of a row, with the fields that they hold.
fn keys(json: &str, options: &Options) -> Vec<DescribedColumn> {
    let plain = wrap::without_extended_types(json);
    let mut columns = Vec::new();
    flat::each_path(plain.as_deref().unwrap_or(json), &options.columns, &mut |path, fields| {
        if path != TABLE_ROW {
            columns.push(DescribedColumn::new(path.to_owned(), fields));
        }
    });
    columns
}
