//! The fields of a tweet that tables have, and the names that exports give them.

/// A field of a tweet that a column of a table can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names are the fields of `Tweet`")]
pub enum Field {
    Id,
    Text,
    CreatedAt,
    Lang,
    Marketplace,
    Lat,
    Lon,
    UserId,
    ScreenName,
    UserName,
    Followers,
    PlaceName,
    Country,
    CountryCode,
    Retweets,
    Likes,
    Replies,
    Quotes,
    InReplyTo,
    RetweetOf,
    QuoteOf,
}

/// The names that exports give to each field, best first. The first one is also what `--column` calls it. Names are
/// compared without case, and blanks, dots, dashes and slashes count as `_`.
pub(crate) const NAMES: &[(Field, &[&str])] = &[
    (
        Field::Id,
        &[
            "id",
            "tweet_id",
            "id_str",
            "tweetid",
            "status_id",
            "statusid",
            "post_id",
            "tweet_id_str",
        ],
    ),
    (
        Field::Text,
        &[
            "text",
            "tweet",
            "full_text",
            "content",
            "tweet_text",
            "tweettext",
            "body",
            "message",
            "raw_content",
            "rawcontent",
            "tweet_content",
            "status_text",
            "original_text",
        ],
    ),
    (
        Field::CreatedAt,
        &[
            "created_at",
            "date",
            "datetime",
            "timestamp",
            "time",
            "createdat",
            "created",
            "tweet_created",
            "tweet_date",
            "posted_at",
            "published_at",
            "tweet_created_at",
            "date_time",
        ],
    ),
    (Field::Lang, &["lang", "language", "tweet_lang", "tweet_language"]),
    (Field::Marketplace, &["marketplace", "cloud"]),
    (Field::Lat, &["lat", "latitude", "geo_lat", "y"]),
    (Field::Lon, &["lon", "lng", "long", "longitude", "geo_lon", "geo_lng", "x"]),
    (Field::UserId, &["user_id", "author_id", "userid", "user_id_str", "from_user_id", "authorid"]),
    (
        Field::ScreenName,
        &[
            "screen_name",
            "user",
            "username",
            "user_screen_name",
            "handle",
            "author",
            "from_user",
            "user_username",
            "author_username",
            "screenname",
            "user_handle",
        ],
    ),
    (
        Field::UserName,
        &["user_name", "name", "display_name", "author_name", "displayname", "user_display_name"],
    ),
    (
        Field::Followers,
        &[
            "followers",
            "followers_count",
            "user_followers",
            "user_followers_count",
            "author_followers",
        ],
    ),
    (Field::PlaceName, &["place", "place_name", "place_full_name", "full_name"]),
    (Field::Country, &["country", "place_country"]),
    (Field::CountryCode, &["country_code", "place_country_code"]),
    (
        Field::Retweets,
        &[
            "retweets",
            "retweet_count",
            "retweets_count",
            "retweetcount",
            "nretweets",
            "public_metrics_retweet_count",
        ],
    ),
    (
        Field::Likes,
        &[
            "likes",
            "favorite_count",
            "like_count",
            "favorites",
            "favourites",
            "likes_count",
            "likecount",
            "nlikes",
            "favourite_count",
            "favorites_count",
            "public_metrics_like_count",
        ],
    ),
    (
        Field::Replies,
        &[
            "replies",
            "reply_count",
            "replies_count",
            "replycount",
            "nreplies",
            "public_metrics_reply_count",
        ],
    ),
    (
        Field::Quotes,
        &["quotes", "quote_count", "quotes_count", "quotecount", "public_metrics_quote_count"],
    ),
    (
        Field::InReplyTo,
        &[
            "in_reply_to",
            "in_reply_to_status_id",
            "in_reply_to_status_id_str",
            "in_reply_to_tweet_id",
        ],
    ),
    (Field::RetweetOf, &["retweet_of", "retweeted_status_id", "retweet_id"]),
    (Field::QuoteOf, &["quote_of", "quoted_status_id", "quoted_tweet_id"]),
];

impl Field {
    /// The name that `--column` takes.
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(field, _)| *field == self).map_or("", |(_, names)| names[0])
    }

    /// The field that has this name or alias, and the rank of that name among the field's names (0 is the best).
    pub(crate) fn ranked(name: &str) -> Option<(Field, usize)> {
        let folded = fold(name);
        NAMES.iter().find_map(|(field, names)| {
            Some((*field, names.iter().position(|known| *known == folded)?))
        })
    }

    /// The field that has this name or alias.
    pub fn from_name(name: &str) -> Option<Field> {
        Field::ranked(name).map(|(field, _)| field)
    }

    /// All names that `--column` takes.
    pub fn all_names() -> impl Iterator<Item = &'static str> {
        NAMES.iter().map(|(_, names)| names[0])
    }
}

/// Normalizes a column name, so that spellings that differ in case, separators or outer white space become equal.
pub(crate) fn fold(name: &str) -> String {
    let name = name.trim().trim_start_matches('\u{FEFF}').to_lowercase();
    name.replace([' ', '.', '-', '/'], "_")
}
