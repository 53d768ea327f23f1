//! The document that a tweet becomes, field by field as the index has them.

use std::borrow::Cow;
use std::collections::BTreeMap;

use hashbrown::HashSet;
use ingest::{Kind, Network, Timestamp, Tweet};
use serde::{Deserialize, Serialize};

use crate::entities::{domain, find};
use crate::geo::{GeoSource, Location, locate};
use crate::marketplace::marketplaces;
use crate::original::original;
use crate::sentiment::{Sentiment, judge};

/// A tweet as it is indexed. What is not known is absent, so that it never erases what an earlier
/// delivery knew.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// When it was created.
    #[serde(rename = "@timestamp")]
    pub timestamp: Timestamp,
    /// The hour of the day it was created in, 0 to 23, UTC.
    #[serde(default)]
    pub hour: u8,
    /// The day of the week it was created on, UTC: from 1, Monday, to 7, Sunday (ISO 8601).
    #[serde(default)]
    pub weekday: u8,
    /// Its id, and the document's `_id`.
    pub id: String,
    /// The network that it was published on.
    #[serde(default)]
    pub network: Network,
    /// The address at which people can read the original; absent if the id does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Its full text, HTML entities decoded.
    pub text: String,
    /// The BCP 47 tag of its language, as given; absent if unknown.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lang: Option<String>,
    /// The account that wrote the tweet.
    #[serde(default, skip_serializing_if = "Author::is_empty")]
    pub user: Author,
    /// Hashtags without `#`, spelled as in the tweet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hashtags: Vec<String>,
    /// Handles without `@`, as written.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mentions: Vec<String>,
    /// Cashtags (stock symbols) without `$`, spelled as in the tweet.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cashtags: Vec<String>,
    /// Links, expanded where the source expands them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub urls: Vec<String>,
    /// The hosts of the links, without `www.`, sorted. `t.co` links add none, because they hide where they lead.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub domains: Vec<String>,
    /// Emoticons and emoji in the text, without skin tones and variation selectors.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub emoticons: Vec<String>,
    /// Cloud marketplaces that it is about, sorted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub marketplace: Vec<String>,
    /// Its exact position, or else the center of the place it is tagged with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<Location>,
    /// Which of the two `location` is; absent if there is no location.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub geo_source: Option<GeoSource>,
    /// The place it is tagged with.
    #[serde(default, skip_serializing_if = "Place::is_empty")]
    pub place: Place,
    /// The sentiment of the text.
    pub sentiment: Sentiment,
    /// How often it was retweeted, when the source was written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retweets: Option<u64>,
    /// How many accounts liked it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub likes: Option<u64>,
    /// How many replies it had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replies: Option<u64>,
    /// How often it was quoted in other tweets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quotes: Option<u64>,
    /// The sum of those four, to sort by; absent if none is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub engagement: Option<u64>,
    /// `tweet`, `retweet`, `quote` or `reply`.
    #[serde(with = "kind")]
    pub kind: Kind,
    /// The id of the tweet that it replies to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub in_reply_to: Option<String>,
    /// The id of the original, if it is a retweet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retweet_of: Option<String>,
    /// The id of the tweet that it quotes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quote_of: Option<String>,
    /// The file or object it came from.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub source: String,
    /// When the source was written. It is not the time of the run, so that a rerun changes nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub received_at: Option<Timestamp>,
    /// How many seconds after the tweet the source was written; `None` if that is unknown, or if it was written before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lag_seconds: Option<u64>,
    /// For each field whose value is older than the newest delivery (because that one does not state the field), when
    /// the value was received (`null` if that is unknown). Without these times, it could not be decided whether a third
    /// delivery is newer or older than the value. All other values were received at `received_at`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub as_of: BTreeMap<String, Option<Timestamp>>,
}

/// The author of a tweet.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Author {
    /// Numeric id, as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The account's handle, without `@`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub screen_name: Option<String>,
    /// The name that is shown beside the handle.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// How many followers the account had.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub followers: Option<u64>,
}

impl Author {
    fn is_empty(&self) -> bool {
        *self == Author::default()
    }
}

/// The place that a tweet is tagged with.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Place {
    /// Full name where given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Country, in the language of the delivery.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// The country's two-letter code (ISO 3166-1 alpha-2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country_code: Option<String>,
}

impl Place {
    fn is_empty(&self) -> bool {
        *self == Place::default()
    }
}

/// Where a tweet was read from, which its document records.
#[derive(Debug, Clone, Copy, Default)]
pub struct Origin<'s> {
    /// The file or object.
    pub source: &'s str,
    /// When the file or object was written; `None` if unknown.
    pub received_at: Option<Timestamp>,
}

/// Makes the document of a tweet. The same tweet from the same origin always gives the same document.
pub fn enrich(tweet: Tweet<'_>, origin: Origin<'_>) -> Document {
    let marketplace = marketplaces(&tweet);
    let located = locate(&tweet);
    let mut emoticons: Vec<String> = Vec::new();
    let sentiment = judge(&tweet.text, |emoticon| {
        // A list, not a set: a text has few of them, and their order is kept.
        if !emoticons.iter().any(|known| known == emoticon) {
            emoticons.push(emoticon.to_owned());
        }
    });
    let entities = tweet.entities;
    let is_complete = entities.hashtags.is_some()
        && entities.mentions.is_some()
        && entities.cashtags.is_some()
        && entities.urls.is_some();
    // Most sources list all four. The text is searched only if a list is missing.
    let found = if is_complete { Default::default() } else { find(&tweet.text) };
    let urls = listed(entities.urls, &found.urls, false);
    let mut domains: Vec<String> = urls.iter().filter_map(|url| domain(url)).collect();
    domains.sort_unstable();
    domains.dedup();
    let owned = |text: Option<Cow<'_, str>>| text.map(Cow::into_owned);
    let place = tweet.place.unwrap_or_default();
    let mut document = Document {
        timestamp: tweet.created_at,
        // These two, `url`, `engagement` and `lag_seconds` follow from other fields: see `derive`.
        hour: 0,
        weekday: 0,
        id: tweet.id.into_owned(),
        network: tweet.network,
        url: None,
        lang: owned(tweet.lang),
        user: Author {
            id: owned(tweet.user.id),
            screen_name: owned(tweet.user.screen_name),
            name: owned(tweet.user.name),
            followers: tweet.user.followers,
        },
        hashtags: listed(entities.hashtags, &found.hashtags, true),
        mentions: listed(entities.mentions, &found.mentions, true),
        cashtags: listed(entities.cashtags, &found.cashtags, true),
        urls,
        domains,
        emoticons,
        marketplace,
        location: located.map(|(at, _)| at),
        geo_source: located.map(|(_, source)| source),
        place: Place {
            name: owned(place.name),
            country: owned(place.country),
            country_code: owned(place.country_code),
        },
        sentiment,
        retweets: tweet.counts.retweets,
        likes: tweet.counts.likes,
        replies: tweet.counts.replies,
        quotes: tweet.counts.quotes,
        engagement: None,
        kind: tweet.kind,
        in_reply_to: owned(tweet.in_reply_to),
        retweet_of: owned(tweet.retweet_of),
        quote_of: owned(tweet.quote_of),
        source: origin.source.to_owned(),
        received_at: origin.received_at,
        lag_seconds: None,
        as_of: BTreeMap::new(),
        text: tweet.text.into_owned(),
    };
    document.derive();
    document
}

/// The items that the source lists, or else those found in the text, without duplicates. With `folds`, items that
/// differ only in the case of ASCII letters are duplicates too.
fn listed(given: Option<Vec<Cow<'_, str>>>, found: &[&str], folds: bool) -> Vec<String> {
    let given = given.unwrap_or_else(|| found.iter().map(|item| Cow::Borrowed(*item)).collect());
    let same = |a: &str, b: &str| if folds { a.eq_ignore_ascii_case(b) } else { a == b };
    let mut list: Vec<String> = Vec::with_capacity(given.len());
    // For the few that a tweet has, comparing beats hashing.
    let mut many: HashSet<String> = HashSet::new();
    for item in given {
        let is_new = match list.len() {
            0..FEW => !list.iter().any(|known| same(known, &item)),
            _ => {
                let key =
                    |item: &str| if folds { item.to_ascii_lowercase() } else { item.to_owned() };
                if many.is_empty() {
                    many.extend(list.iter().map(|known| key(known)));
                }
                many.insert(key(&item))
            }
        };
        if is_new {
            list.push(item.into_owned());
        }
    }
    list
}

/// Lists that are shorter than this are searched item by item; longer ones are hashed.
const FEW: usize = 32;

impl Document {
    /// Computes the fields that depend on others: `url`, `hour`, `weekday`, `engagement` and `lag_seconds`.
    pub fn derive(&mut self) {
        self.url = original(self);
        self.hour = self.timestamp.hour();
        self.weekday = self.timestamp.weekday();
        let counts = [self.retweets, self.likes, self.replies, self.quotes];
        self.engagement = counts.into_iter().flatten().reduce(u64::saturating_add);
        let created = self.timestamp.as_millis();
        let lag = self.received_at.map(|received| received.as_millis() - created);
        self.lag_seconds = lag.and_then(|millis| u64::try_from(millis).ok()).map(|ms| ms / 1000);
    }
}

/// The names of kinds in documents. They are here because `Kind` belongs to `ingest`, which knows nothing of documents.
mod kind {
    use ingest::Kind;
    use serde::{Deserialize, Deserializer, Serializer};

    const NAMES: [(Kind, &str); 4] = [
        (Kind::Tweet, "tweet"),
        (Kind::Retweet, "retweet"),
        (Kind::Quote, "quote"),
        (Kind::Reply, "reply"),
    ];

    pub(super) fn serialize<S: Serializer>(kind: &Kind, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(super::kind_name(*kind))
    }

    pub(super) fn name(kind: Kind) -> &'static str {
        NAMES.iter().find(|(k, _)| *k == kind).map_or("tweet", |(_, name)| name)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Kind, D::Error> {
        let name = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Ok(NAMES.iter().find(|(_, n)| *n == name).map_or(Kind::Tweet, |(kind, _)| *kind))
    }
}

/// The name that documents have for a kind, such as `retweet`.
pub fn kind_name(kind: Kind) -> &'static str {
    kind::name(kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(
        marketplace: &[&'static str],
        lang: Option<&'static str>,
        likes: Option<u64>,
    ) -> Document {
        let mut tweet =
            Tweet::new("1601645088790257667", Timestamp::from_millis(0), "I love #AWS 👍🏽");
        tweet.marketplaces = marketplace.iter().map(|&name| name.into()).collect();
        tweet.lang = lang.map(Cow::from);
        tweet.counts.likes = likes;
        enrich(tweet, Origin::default())
    }

    #[test]
    fn a_later_delivery_adds_and_refreshes_but_never_erases() {
        let mut merged = document(&["AWS"], Some("en"), Some(1));
        merged.merge(document(&["Azure"], None, Some(2)));
        assert_eq!(merged, document(&["AWS", "Azure"], Some("en"), Some(2)));
    }

    #[test]
    fn the_same_delivery_again_changes_nothing() {
        let once = document(&["GCP"], Some("en"), Some(1));
        let mut twice = once.clone();
        twice.merge(once.clone());
        assert_eq!(twice, once);
    }

    #[test]
    fn a_document_is_what_the_index_holds() {
        let json = serde_json::to_value(document(&["AWS"], None, Some(3))).unwrap();
        let expected = serde_json::json!({
            "@timestamp": "1970-01-01T00:00:00.000Z",
            "hour": 0,
            "weekday": 4,
            "id": "1601645088790257667",
            "network": "twitter",
            "text": "I love #AWS 👍🏽",
            "hashtags": ["AWS"],
            "emoticons": ["👍"],
            "marketplace": ["AWS"],
            "sentiment": {
                "label": "positive", "method": "emoticon",
                "compound": 0.6369, "positive": 0.512, "neutral": 0.488, "negative": 0.0,
            },
            "likes": 3,
            "engagement": 3,
            "kind": "tweet",
        });
        assert_eq!(json, expected);
        assert_eq!(
            serde_json::from_value::<Document>(json).unwrap(),
            document(&["AWS"], None, Some(3))
        );
    }
}
