//! The keys that are read from v1.1 and v2 records, and from the objects that wrap them, in one set of types.
//!
//! The two versions share so many keys that to find out the version first would mean parsing twice. Where a key means
//! different things in them (`geo`), its value shows which one is meant.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::lenient::{Coordinates, List, Number, Object, Present, Text, pass_over};
use super::note::ArchivedNote;

mod parts;

pub(super) use parts::{
    Entities, Lists, LongText, Mention, Place, PublicMetrics, Rule, Tag, Url, User,
};

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Record<'a> {
    // A tweet of either version.
    #[serde(borrow)]
    pub(super) id: Text<'a>,
    #[serde(borrow)]
    pub(super) id_str: Text<'a>,
    #[serde(borrow)]
    pub(super) text: Text<'a>,
    #[serde(borrow)]
    pub(super) full_text: Text<'a>,
    #[serde(borrow)]
    pub(super) created_at: Text<'a>,
    #[serde(borrow)]
    pub(super) lang: Text<'a>,
    #[serde(borrow)]
    pub(super) entities: Object<Entities<'a>>,
    #[serde(borrow)]
    pub(super) geo: Object<Place<'a>>,
    /// Of an event of X's Activity API, which has the place of a tweet: `post.delete`.
    #[serde(borrow)]
    pub(super) event_type: Text<'a>,
    // v1.1
    #[serde(borrow)]
    pub(super) timestamp_ms: Text<'a>,
    #[serde(borrow)]
    pub(super) extended_tweet: Object<LongText<'a>>,
    #[serde(borrow)]
    pub(super) user: Object<User<'a>>,
    pub(super) coordinates: Coordinates,
    #[serde(borrow)]
    pub(super) place: Object<Place<'a>>,
    #[serde(borrow)]
    pub(super) retweeted_status: Object<Record<'a>>,
    #[serde(borrow)]
    pub(super) quoted_status: Object<Record<'a>>,
    #[serde(borrow)]
    pub(super) quoted_status_id_str: Text<'a>,
    #[serde(borrow)]
    pub(super) quoted_status_id: Text<'a>,
    #[serde(borrow)]
    pub(super) in_reply_to_status_id_str: Text<'a>,
    #[serde(borrow)]
    pub(super) in_reply_to_status_id: Text<'a>,
    pub(super) in_reply_to_user_id: Present,
    pub(super) is_quote_status: Present,
    pub(super) truncated: Option<Present>,
    pub(super) retweet_count: Number,
    pub(super) favorite_count: Number,
    pub(super) reply_count: Number,
    pub(super) quote_count: Number,
    // v2
    #[serde(borrow)]
    pub(super) author_id: Text<'a>,
    #[serde(borrow)]
    pub(super) note_tweet: Object<LongText<'a>>,
    pub(super) edit_history_tweet_ids: Present,
    pub(super) conversation_id: Present,
    pub(super) public_metrics: Object<PublicMetrics>,
    #[serde(borrow)]
    pub(super) referenced_tweets: List<Record<'a>>,
    // v2, flattened by twarc: the tweet contains the objects that its ids refer to.
    #[serde(borrow)]
    pub(super) author: Object<User<'a>>,
    #[serde(borrow, rename = "type")]
    pub(super) type_: Text<'a>,
    // v2 pages and stream lines, and dumps that keep the lists of a page.
    #[serde(borrow)]
    pub(super) data: Tweets<'a>,
    #[serde(borrow)]
    pub(super) includes: Object<Lists<'a>>,
    #[serde(borrow)]
    pub(super) tweets: Tweets<'a>,
    #[serde(borrow)]
    pub(super) users: List<User<'a>>,
    #[serde(borrow)]
    pub(super) places: List<Place<'a>>,
    #[serde(borrow)]
    pub(super) matching_rules: List<Rule<'a>>,
    pub(super) meta: Object<Anything>,
    pub(super) errors: List<Anything>,
    pub(super) error: Present,
    // A Twitter archive.
    #[serde(borrow)]
    pub(super) tweet: Object<Record<'a>>,
    #[serde(borrow, rename = "noteTweet")]
    pub(super) archived_note: Object<ArchivedNote<'a>>,
    // Messages of streams that are not tweets: see `Record::notice`.
    pub(super) delete: Object<Anything>,
    pub(super) limit: Object<Anything>,
    pub(super) scrub_geo: Object<Anything>,
    pub(super) status_withheld: Object<Anything>,
    pub(super) user_withheld: Object<Anything>,
    pub(super) disconnect: Object<Anything>,
    pub(super) warning: Object<Anything>,
    pub(super) friends: List<Anything>,
    pub(super) action: Present,
    pub(super) connection_issue: Present,
    pub(super) direct_message: Object<Anything>,
    // A message of Bluesky's Jetstream: see `bluesky.rs`.
    pub(super) did: Present,
    pub(super) payload: Object<Anything>,
    // A line of a rejects file.
    pub(super) stage: Present,
    pub(super) reason: Present,
    pub(super) raw: Present,
    // A document, as `indexer enrich` writes it.
    #[serde(rename = "@timestamp")]
    pub(super) at_timestamp: Present,
    pub(super) sentiment: Object<Anything>,
    // Keys of other tools' tweets, which are read by the names of their keys.
    #[serde(rename = "createdAt")]
    pub(super) created_at_camel: Present,
    #[serde(rename = "postedTime")]
    pub(super) posted_time: Present,
    pub(super) from_user: Present,
    pub(super) screen_name: Present,
    pub(super) screenname: Present,
    pub(super) username: Present,
    pub(super) name: Present,
    pub(super) author_username: Present,
    #[serde(rename = "author.username")]
    pub(super) author_username_flat: Present,
    pub(super) tweet_id: Present,
    pub(super) date: Present,
    pub(super) likes: Present,
    pub(super) like_count: Present,
    #[serde(rename = "public_metrics.like_count")]
    pub(super) like_count_flat: Present,
    pub(super) lat: Present,
    pub(super) latitude: Present,
    pub(super) legacy: Present,
    /// See [`TABLE_ROW`](crate::record::TABLE_ROW).
    pub(super) table_row: Present,
    // The names of the text in table rows. An object with one of them is not a notice, whatever its other keys are.
    pub(super) content: Present,
    pub(super) tweet_text: Present,
    pub(super) body: Present,
    pub(super) message: Present,
    #[serde(rename = "rawContent")]
    pub(super) raw_content: Present,
}

/// Whether the text is certainly a document as `indexer enrich` writes it. This avoids parsing the document as a
/// tweet first.
pub(super) fn is_surely_document(json: &str) -> bool {
    json.starts_with(r#"{"@timestamp":""#)
        && memchr::memmem::find(json.as_bytes(), br#""sentiment":{"label":""#).is_some()
}

/// One tweet, as a stream line has it, or the texts of the tweets of a page. A parsed tweet takes a kilobyte, however
/// little is in it, so those of a page are parsed one by one.
#[derive(Default)]
pub(super) enum Tweets<'a> {
    #[default]
    None,
    One(Box<Record<'a>>),
    Many(Vec<&'a str>),
}

impl Tweets<'_> {
    pub(super) fn is_some(&self) -> bool {
        !matches!(self, Tweets::None)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Tweets<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TweetsVisitor<'a>(PhantomData<&'a ()>);
        impl<'de: 'a, 'a> Visitor<'de> for TweetsVisitor<'a> {
            type Value = Tweets<'a>;
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Tweets<'a>, A::Error> {
                Record::deserialize(MapAccessDeserializer::new(map))
                    .map(|tweet| Tweets::One(Box::new(tweet)))
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Tweets<'a>, A::Error> {
                let mut texts = Vec::new();
                while let Some(item) = seq.next_element::<&'de RawValue>()? {
                    // The rows of a table whose names stand apart are lists.
                    texts.extend(Some(item.get()).filter(|text| !text.starts_with('[')));
                }
                Ok(Tweets::Many(texts))
            }
            pass_over!(null bool unsigned signed float string);
        }
        deserializer.deserialize_any(TweetsVisitor(PhantomData))
    }
}

/// An object whose contents do not matter, only that it is an object.
#[derive(Deserialize, Default)]
pub(super) struct Anything {}

impl<'a> Record<'a> {
    /// `id_str` before `id`: files that passed through JavaScript have a rounded `id`.
    pub(super) fn id(&self) -> Option<Cow<'a, str>> {
        let given = |id: &Text<'a>| id.0.clone().filter(|id| !id.is_empty() && id != "0");
        given(&self.id_str).or_else(|| given(&self.id))
    }

    /// Whether it has a text and a key that only the API's tweets have. Otherwise it may be a row of a table.
    pub(super) fn is_tweet(&self) -> bool {
        let has_text = self.text.0.is_some()
            || self.full_text.0.is_some()
            || self.extended_tweet.0.is_some()
            || self.note_tweet.0.is_some()
            || self.retweeted_status.0.is_some();
        has_text && self.has_marks() && !self.is_foreign()
    }

    /// Whether it has a key that only the API's tweets have.
    pub(super) fn has_marks(&self) -> bool {
        self.id_str.0.is_some()
            || self.user.0.is_some()
            || self.author.0.is_some()
            || self.author_id.0.is_some()
            || self.entities.0.is_some()
            || self.extended_tweet.0.is_some()
            || self.note_tweet.0.is_some()
            || self.retweeted_status.0.is_some()
            || self.public_metrics.0.is_some()
            || self.referenced_tweets.0.is_some()
            || self.edit_history_tweet_ids.0
            || self.conversation_id.0
            || self.truncated.is_some()
            || self.timestamp_ms.0.is_some()
            || self.geo.0.is_some()
    }

    /// Whether it has keys that the API's tweets do not have.
    pub(super) fn is_foreign(&self) -> bool {
        self.table_row.0
            || self.created_at_camel.0
            || self.posted_time.0
            || self.from_user.0
            || self.screen_name.0
            || self.screenname.0
            || self.username.0
            || self.name.0
            || self.author_username.0
            || self.author_username_flat.0
            || self.tweet_id.0
            || self.date.0
            || self.likes.0
            || self.like_count.0
            || self.like_count_flat.0
            || self.lat.0
            || self.latitude.0
            || self.legacy.0
    }

    /// Whether it wraps tweets as the v2 API does.
    pub(super) fn is_envelope(&self) -> bool {
        (self.data.is_some() || self.tweets.is_some()) && !self.is_tweet() && !self.table_row.0
    }

    /// Whether what it wraps is an object that is no tweet of the API itself.
    pub(super) fn has_other_data(&self) -> bool {
        let is_other = |tweets: &Tweets<'_>| match tweets {
            Tweets::One(tweet) => tweet.id().is_none(),
            Tweets::Many(_) | Tweets::None => false,
        };
        is_other(&self.data) || is_other(&self.tweets)
    }

    /// Whether it may be a message of Bluesky's Jetstream.
    pub(super) fn is_bluesky(&self) -> bool {
        self.did.0 || self.payload.0.is_some()
    }

    /// Whether it is a document that an earlier run made of a tweet.
    pub(super) fn is_document(&self) -> bool {
        self.at_timestamp.0 && self.sentiment.0.is_some() && self.text.0.is_some()
    }

    pub(super) fn is_reject(&self) -> bool {
        self.stage.0 && self.reason.0 && self.raw.0
    }

    /// If it is a notice, the kind of notice.
    ///
    /// v1.1: developer.x.com, "Streaming message types". v2: `errors`, connection problems and
    /// compliance lines come instead of `data`; a page may be empty.
    pub(super) fn notice(&self) -> Option<&'static str> {
        let has_text = self.text.0.is_some()
            || self.full_text.0.is_some()
            || self.content.0
            || self.tweet_text.0
            || self.body.0
            || self.message.0
            || self.raw_content.0
            || self.table_row.0;
        if has_text || self.is_envelope() || self.is_tweet() || self.is_reject() {
            return None;
        }
        [
            (self.delete.0.is_some(), "delete"),
            (self.limit.0.is_some(), "limit"),
            (self.scrub_geo.0.is_some(), "scrub_geo"),
            (self.status_withheld.0.is_some(), "status_withheld"),
            (self.user_withheld.0.is_some(), "user_withheld"),
            (self.disconnect.0.is_some(), "disconnect"),
            (self.warning.0.is_some(), "warning"),
            (self.friends.0.is_some(), "friends"),
            (self.connection_issue.0, "connection_issue"),
            (self.errors.0.is_some(), "errors"),
            (self.error.0, "error"),
            (self.direct_message.0.is_some(), "direct_message"),
            (self.action.0 && self.id.0.is_some(), "compliance"),
            (self.meta.0.is_some() || self.includes.0.is_some(), "empty page"),
        ]
        .into_iter()
        .find_map(|(is, name)| is.then_some(name))
    }
}
