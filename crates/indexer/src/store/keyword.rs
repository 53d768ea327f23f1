//! The fields that hold exact values, and the values that a document has in each of them.

use enrich::{Document, GeoSource, kind_name};

macro_rules! keywords {
    ($($(#[$doc:meta])* $variant:ident $name:literal $case:ident => |$document:ident| $values:expr;)*) => {
        /// A field of exact values, by which documents are filtered and counted.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Keyword {
            $($(#[$doc])* $variant,)*
        }

        impl Keyword {
            /// Every field, in the order of the mapping.
            pub const ALL: &[Keyword] = &[$(Keyword::$variant),*];

            /// The field's name in documents.
            pub fn name(self) -> &'static str {
                match self { $(Keyword::$variant => $name,)* }
            }

            /// Whether the field ignores case. If so, answers give its values in lower case.
            pub fn folds_case(self) -> bool {
                match self { $(Keyword::$variant => keywords!(@$case),)* }
            }

            /// The values that a document has in this field.
            pub(crate) fn values(self, document: &Document) -> Vec<&str> {
                match self { $(Keyword::$variant => { let $document = document; $values })* }
            }
        }
    };
    (@exact) => { false };
    (@folded) => { true };
}

fn one(value: &Option<String>) -> Vec<&str> {
    value.iter().map(String::as_str).collect()
}

fn many(values: &[String]) -> Vec<&str> {
    values.iter().map(String::as_str).collect()
}

keywords! {
    /// The tweet's id, which is also the document's.
    Id "id" exact => |d| vec![d.id.as_str()];
    /// The network that it was published on: `twitter` or `bluesky`.
    Network "network" exact => |d| vec![d.network.as_str()];
    /// The language of the text, as a BCP 47 tag.
    Lang "lang" exact => |d| one(&d.lang);
    /// The numeric id of the account that wrote the tweet.
    UserId "user.id" exact => |d| one(&d.user.id);
    /// The handle of the account that wrote the tweet, without `@`.
    ScreenName "user.screen_name" folded => |d| one(&d.user.screen_name);
    /// The display name of the account that wrote the tweet.
    UserName "user.name" exact => |d| one(&d.user.name);
    /// The hashtags of the tweet, without `#`.
    Hashtags "hashtags" folded => |d| many(&d.hashtags);
    /// The handles that the tweet mentions, without `@`.
    Mentions "mentions" folded => |d| many(&d.mentions);
    /// The stock symbols of the tweet, without `$`.
    Cashtags "cashtags" folded => |d| many(&d.cashtags);
    /// The links of the tweet, expanded if the source says what they stand for.
    Urls "urls" exact => |d| many(&d.urls);
    /// The hosts that the links lead to, without `www.`.
    Domains "domains" folded => |d| many(&d.domains);
    /// The emoticons and emoji of the text that say something about its mood.
    Emoticons "emoticons" exact => |d| many(&d.emoticons);
    /// The cloud marketplaces that the tweet belongs to: `AWS`, `Azure`, `GCP` or others that the source names.
    Marketplace "marketplace" exact => |d| many(&d.marketplace);
    /// Where the position comes from: `exact` coordinates, or the middle of a `place`.
    GeoSource "geo_source" exact => |d| d.geo_source.map(GeoSource::as_str).into_iter().collect();
    /// The full name of the place that the tweet is tagged with.
    PlaceName "place.name" exact => |d| one(&d.place.name);
    /// Country of the place.
    Country "place.country" exact => |d| one(&d.place.country);
    /// ISO 3166-1 alpha-2 code of the country.
    CountryCode "place.country_code" exact => |d| one(&d.place.country_code);
    /// Its sentiment: `positive`, `negative`, `neutral` or `mixed`.
    Label "sentiment.label" exact => |d| vec![d.sentiment.label.as_str()];
    /// What the sentiment label is based on: `emoticon` or `lexicon`.
    Method "sentiment.method" exact => |d| vec![d.sentiment.method.as_str()];
    /// What kind of tweet it is: `tweet`, `retweet`, `quote` or `reply`.
    Kind "kind" exact => |d| vec![kind_name(d.kind)];
    /// The id of the tweet that it replies to.
    InReplyTo "in_reply_to" exact => |d| one(&d.in_reply_to);
    /// The id of the tweet that it retweets.
    RetweetOf "retweet_of" exact => |d| one(&d.retweet_of);
    /// The id of the tweet that it quotes.
    QuoteOf "quote_of" exact => |d| one(&d.quote_of);
    /// The file or object it came from.
    Source "source" exact => |d| vec![d.source.as_str()];
}

impl Keyword {
    /// The field with this name in documents, or with this short name in a query (`user`, `country`, `label`).
    pub fn from_name(name: &str) -> Option<Keyword> {
        let alias = match name {
            "from" | "user" | "screen_name" => Some(Keyword::ScreenName),
            "sentiment" | "label" => Some(Keyword::Label),
            "country" => Some(Keyword::CountryCode),
            "place" => Some(Keyword::PlaceName),
            "domain" => Some(Keyword::Domains),
            "url" => Some(Keyword::Urls),
            "hashtag" => Some(Keyword::Hashtags),
            "mention" => Some(Keyword::Mentions),
            "language" => Some(Keyword::Lang),
            _ => None,
        };
        alias.or_else(|| Keyword::ALL.iter().copied().find(|keyword| keyword.name() == name))
    }
}
