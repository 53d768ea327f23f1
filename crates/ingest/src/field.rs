//! The fields of a tweet, and the names that exports give them (`data/fields.txt`).

use std::borrow::Cow;
use std::sync::LazyLock;

use hashbrown::HashMap;

/// A field of a tweet that a column of a table or a key of an object can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "most names are the fields of `Tweet`")]
pub enum Field {
    Id,
    /// A link to the tweet.
    Permalink,
    Text,
    /// The whole text of the tweet that this one is a retweet of.
    OriginalText,
    CreatedAt,
    /// The time of day, if `CreatedAt` is a date alone.
    TimeOfDay,
    /// The offset from UTC of both.
    UtcOffset,
    Lang,
    Marketplace,
    Lat,
    Lon,
    /// A pair of numbers.
    LatLon,
    /// A pair of numbers, in the order of GeoJSON.
    LonLat,
    Place,
    Country,
    CountryCode,
    /// The corners of the place.
    PlaceBox,
    UserId,
    ScreenName,
    UserName,
    Followers,
    Retweets,
    Likes,
    Replies,
    Quotes,
    /// The links in the text, expanded: a list in JSON.
    Urls,
    InReplyTo,
    RetweetOf,
    QuoteOf,
    /// The id of another tweet; `Kind` says how this one refers to it.
    RefersTo,
    /// The tweets that this one refers to, each with how: a list of objects.
    References,
    /// The id of the first tweet of the conversation.
    Conversation,
    /// Whom it answers.
    AnsweredUsers,
    Kind,
    IsRetweet,
    IsQuote,
    IsReply,
}

/// The fields with the names that `--column` and the table have for them.
const NAMES: &[(Field, &str)] = &[
    (Field::Id, "id"),
    (Field::Permalink, "permalink"),
    (Field::Text, "text"),
    (Field::OriginalText, "original_text"),
    (Field::CreatedAt, "created_at"),
    (Field::TimeOfDay, "time_of_day"),
    (Field::UtcOffset, "utc_offset"),
    (Field::Lang, "lang"),
    (Field::Marketplace, "marketplace"),
    (Field::Lat, "lat"),
    (Field::Lon, "lon"),
    (Field::LatLon, "lat_lon"),
    (Field::LonLat, "lon_lat"),
    (Field::Place, "place"),
    (Field::Country, "country"),
    (Field::CountryCode, "country_code"),
    (Field::PlaceBox, "place_box"),
    (Field::UserId, "user_id"),
    (Field::ScreenName, "screen_name"),
    (Field::UserName, "user_name"),
    (Field::Followers, "followers"),
    (Field::Retweets, "retweets"),
    (Field::Likes, "likes"),
    (Field::Replies, "replies"),
    (Field::Quotes, "quotes"),
    (Field::Urls, "urls"),
    (Field::InReplyTo, "in_reply_to"),
    (Field::RetweetOf, "retweet_of"),
    (Field::QuoteOf, "quote_of"),
    (Field::RefersTo, "refers_to"),
    (Field::References, "references"),
    (Field::Conversation, "conversation"),
    (Field::AnsweredUsers, "answered_users"),
    (Field::Kind, "kind"),
    (Field::IsRetweet, "is_retweet"),
    (Field::IsQuote, "is_quote"),
    (Field::IsReply, "is_reply"),
];

impl Field {
    /// How many there are.
    pub(crate) const COUNT: usize = NAMES.len();

    /// The name that `--column` takes.
    pub fn name(self) -> &'static str {
        NAMES.iter().find(|(field, _)| *field == self).map_or("", |(_, name)| name)
    }

    /// The field that `--column` calls by this name, or that exports do.
    pub fn from_name(name: &str) -> Option<Field> {
        let folded = fold(name);
        Field::named(&folded).or_else(|| Some(uses(&folded).first()?.field))
    }

    fn named(name: &str) -> Option<Field> {
        NAMES.iter().find(|(_, known)| *known == name).map(|(field, _)| *field)
    }

    /// All names that `--column` takes.
    pub fn all_names() -> impl Iterator<Item = &'static str> {
        NAMES.iter().map(|(_, name)| *name)
    }
}

/// What a name of a column or a key is used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Use {
    pub(crate) field: Field,
    /// The position of the name among those of the field. The lower, the better.
    pub(crate) rank: u16,
    /// Whether the name has other meanings too, so that a value that cannot be read is not one of the field.
    pub(crate) is_vague: bool,
}

/// What precedes the name of a field in exports that have columns of the tweet and of its author.
const PREFIXES: [&str; 3] = ["tweet_", "status_", "post_"];

/// The table in `data/fields.txt`.
struct Names {
    /// By folded name. A name may be used for two fields.
    folded: HashMap<String, Vec<Use>>,
    /// By folded name without `_`, for spellings such as `RetweetCount`; only those that mean one field.
    squeezed: HashMap<String, Vec<Use>>,
}

static TABLE: LazyLock<Names> = LazyLock::new(|| {
    let mut folded: HashMap<String, Vec<Use>> = HashMap::new();
    let table = include_str!("../data/fields.txt");
    let lines = table.lines().filter(|line| !line.starts_with('#'));
    let mut lines: Vec<(&str, &str)> =
        lines.filter_map(|line| line.split_once(char::is_whitespace)).collect();
    lines.retain(|(field, _)| Field::named(field).is_some());
    for (rank, (field, rest)) in lines.iter().enumerate() {
        let (Some(name), Some(field)) = (rest.split_whitespace().next(), Field::named(field))
        else {
            continue;
        };
        let (plain, is_vague) = name.strip_suffix('?').map_or((name, false), |name| (name, true));
        let found = Use { field, rank: rank as u16, is_vague };
        folded.entry(fold(plain).into_owned()).or_default().push(found);
    }
    let given: Vec<(String, Vec<Use>)> =
        folded.iter().map(|(name, uses)| (name.clone(), uses.clone())).collect();
    for (name, uses) in given {
        for prefix in PREFIXES {
            let worse = uses.iter().map(|found| Use { rank: found.rank + 1_000, ..*found });
            folded.entry(format!("{prefix}{name}")).or_insert_with(|| worse.collect());
        }
    }
    let mut squeezed: HashMap<String, Vec<Use>> = HashMap::new();
    for (name, uses) in &folded {
        squeezed.entry(name.replace('_', "")).or_default().extend(uses);
    }
    squeezed.retain(|_, uses| {
        uses.sort_by_key(|found| found.rank);
        let field = uses[0].field;
        let is_clear = uses.iter().all(|found| found.field == field);
        uses.truncate(1);
        is_clear
    });
    Names { folded, squeezed }
});

/// What a [folded](fold) name is used for.
pub(crate) fn uses(folded: &str) -> &'static [Use] {
    if let Some(uses) = TABLE.folded.get(folded) {
        return uses;
    }
    let squeezed = match folded.contains('_') {
        true => TABLE.squeezed.get(&folded.replace('_', "")),
        false => TABLE.squeezed.get(folded),
    };
    squeezed.map_or(&[], Vec::as_slice)
}

/// Normalizes a name, so that spellings that differ in case, separators or outer white space become equal.
pub(crate) fn fold(name: &str) -> Cow<'_, str> {
    let name = name.trim().trim_start_matches('\u{FEFF}');
    let is_folded = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
    if name.bytes().all(is_folded) {
        return Cow::Borrowed(name);
    }
    Cow::Owned(name.to_lowercase().replace([' ', '.', '-', '/'], "_"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_known_in_other_spellings() {
        for (name, expected) in [
            ("RetweetCount", Some(Field::Retweets)),
            ("Retweet-Count", Some(Field::Retweets)),
            ("tweet.favourite_count", Some(Field::Likes)),
            ("author.followersCount", Some(Field::Followers)),
            ("status_created_at", Some(Field::CreatedAt)),
            ("user_name", Some(Field::UserName)),
            ("UserName", Some(Field::ScreenName)),
            ("tweet_count", None),
            ("user_created_at", None),
        ] {
            let found = uses(&fold(name)).first().map(|found| found.field);
            assert_eq!(found, expected, "{name}");
        }
    }

    #[test]
    fn each_line_of_the_table_names_a_field_and_each_field_has_a_name() {
        let table = include_str!("../data/fields.txt");
        let lines = table.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        let mut seen = Vec::new();
        for line in lines {
            let mut words = line.split_whitespace();
            let field: Field = words.next().and_then(Field::named).expect(line);
            let name = fold(words.next().expect(line).trim_end_matches('?')).into_owned();
            assert!(!seen.contains(&(field, name.clone())), "{line}");
            seen.push((field, name));
        }
        assert!(NAMES.iter().all(|(field, _)| seen.iter().any(|(known, _)| known == field)));
    }
}
