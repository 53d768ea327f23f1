//! The tweet that a record becomes, whatever the format of its source.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::{Field, Timestamp};

/// One tweet, with what its source says about it. Text is borrowed from the source's bytes where possible.
#[derive(Debug, Clone, PartialEq)]
pub struct Tweet<'a> {
    /// The id as given, digit for digit; for a record that has none, a stable hash of its content.
    pub id: Cow<'a, str>,
    /// Where it was published.
    pub network: Network,
    /// When it was created: read off the id where that is a snowflake, else as the record says.
    pub created_at: Timestamp,
    /// The full text, HTML entities decoded once; of a retweet, the original's text.
    pub text: Cow<'a, str>,
    /// BCP 47 language tag as given; `None` if unknown.
    pub lang: Option<Cow<'a, str>>,
    /// The account that wrote the tweet.
    pub user: User<'a>,
    /// Hashtags, mentions, cashtags and links where the source lists them.
    pub entities: Entities<'a>,
    /// The exact position that it was written at, as given: it may be out of range.
    pub coordinates: Option<Point>,
    /// The place it is tagged with.
    pub place: Option<Place<'a>>,
    /// Marketplaces that the record itself names (a CSV column), as given.
    pub marketplaces: Vec<Cow<'a, str>>,
    /// The marketplace to assign if neither its record nor a rule names one: see
    /// [`Options::marketplace`](crate::Options::marketplace).
    pub assumed_marketplace: Option<Cow<'a, str>>,
    /// Tags of the filtered-stream rules that it matched.
    pub rule_tags: Vec<Cow<'a, str>>,
    /// How often it was retweeted, liked, answered and quoted, where the record says.
    pub counts: Counts,
    /// What sort of tweet it is.
    pub kind: Kind,
    /// The id of the tweet that it replies to.
    pub in_reply_to: Option<Cow<'a, str>>,
    /// The id of the original, if it is a retweet.
    pub retweet_of: Option<Cow<'a, str>>,
    /// The id of the tweet that it quotes.
    pub quote_of: Option<Cow<'a, str>>,
    /// The values of its record that could not be read, one a field at most.
    pub unread: Vec<Unread>,
    /// How its id compares to its date.
    pub id_check: IdCheck,
}

/// How the id of a tweet compares to the date of its record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum IdCheck {
    /// There is nothing to compare.
    #[default]
    Unchecked,
    /// The time in the id is that date.
    Agrees,
    /// The time in the id is another day.
    Disagrees,
    /// It is far too small for a tweet of that date.
    RowNumber,
}

/// A value of a record that is there and cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unread {
    /// The field that it is the value of.
    pub field: Field,
    /// The value, cut to eighty characters.
    pub value: String,
}

impl Unread {
    pub(crate) fn new(field: Field, value: &str) -> Unread {
        Unread { field, value: value.chars().take(80).collect() }
    }
}

impl<'a> Tweet<'a> {
    /// A tweet of which nothing but its id, time and text is known.
    pub fn new(
        id: impl Into<Cow<'a, str>>,
        created_at: Timestamp,
        text: impl Into<Cow<'a, str>>,
    ) -> Tweet<'a> {
        Tweet {
            id: id.into(),
            network: Network::Twitter,
            created_at,
            text: text.into(),
            lang: None,
            user: User::default(),
            entities: Entities::default(),
            coordinates: None,
            place: None,
            marketplaces: Vec::new(),
            assumed_marketplace: None,
            rule_tags: Vec::new(),
            counts: Counts::default(),
            kind: Kind::Tweet,
            in_reply_to: None,
            retweet_of: None,
            quote_of: None,
            unread: Vec::new(),
            id_check: IdCheck::Unchecked,
        }
    }
}

/// A social network.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Network {
    /// X, formerly Twitter.
    #[default]
    Twitter,
    /// Bluesky. Its posts are known by at-uris: `at://did:plc:…/app.bsky.feed.post/…`.
    Bluesky,
    /// Mastodon and what speaks ActivityPub. Its posts are known by their uris.
    Mastodon,
}

impl Network {
    /// Its name in documents.
    pub fn as_str(self) -> &'static str {
        match self {
            Network::Twitter => "twitter",
            Network::Bluesky => "bluesky",
            Network::Mastodon => "mastodon",
        }
    }
}

/// The author of a tweet.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct User<'a> {
    /// Numeric id, as text.
    pub id: Option<Cow<'a, str>>,
    /// The account's handle, without `@`.
    pub screen_name: Option<Cow<'a, str>>,
    /// The name that is shown beside the handle.
    pub name: Option<Cow<'a, str>>,
    /// How many followers the account had when the source was written.
    pub followers: Option<u64>,
}

/// The parts of the text that the source lists. `None` means that the source has no such list, so that they have to be
/// searched for in the text; an empty list means that there are none.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Entities<'a> {
    /// Hashtags without `#`; `None` if the source does not list them.
    pub hashtags: Option<Vec<Cow<'a, str>>>,
    /// Handles without `@`; `None` if the source does not list them.
    pub mentions: Option<Vec<Cow<'a, str>>>,
    /// Stock symbols without `$`; `None` if the source does not list them.
    pub cashtags: Option<Vec<Cow<'a, str>>>,
    /// Links, expanded where the source expands them; links to the tweet's own media left out.
    pub urls: Option<Vec<Cow<'a, str>>>,
}

/// A position in degrees, WGS 84.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// -90 (south) to 90.
    pub lat: f64,
    /// -180 (west) to 180.
    pub lon: f64,
}

/// A place that a tweet is tagged with.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Place<'a> {
    /// Full name ("Lisbon, Portugal"), else the short one.
    pub name: Option<Cow<'a, str>>,
    /// Country, in the language of the delivery.
    pub country: Option<Cow<'a, str>>,
    /// The country's two-letter code (ISO 3166-1 alpha-2).
    pub country_code: Option<Cow<'a, str>>,
    /// The smallest box, in degrees, that contains the place.
    pub bounding_box: Option<BoundingBox>,
}

/// A box in degrees; `west > east` means that it crosses the antimeridian.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct BoundingBox {
    /// Longitude of the western edge.
    pub west: f64,
    /// Latitude of the southern edge.
    pub south: f64,
    /// Longitude of the eastern edge.
    pub east: f64,
    /// Latitude of the northern edge.
    pub north: f64,
}

/// Public metrics; `None` where the record does not say.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// How often it was retweeted.
    pub retweets: Option<u64>,
    /// How many accounts liked it (API v1.1: `favorite_count`).
    pub likes: Option<u64>,
    /// How many replies it has.
    pub replies: Option<u64>,
    /// How often it was quoted in other tweets.
    pub quotes: Option<u64>,
}

/// What sort of tweet it is. One that quotes and answers at once is a quote.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Kind {
    /// An ordinary tweet: none of the others.
    #[default]
    Tweet,
    /// A tweet shared again without a comment.
    Retweet,
    /// A tweet that shares another one and comments on it.
    Quote,
    /// An answer to another tweet.
    Reply,
}
