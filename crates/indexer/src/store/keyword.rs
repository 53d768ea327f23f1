//! The fields of exact values, and what a document has in them.

use enrich::{Document, GeoSource, kind_name};

macro_rules! keywords {
    ($($(#[$doc:meta])* $variant:ident $name:literal $case:ident => |$document:ident| $values:expr;)*) => {
        /// A field of exact values, by which documents are filtered and counted.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Keyword {
            $($(#[$doc])* $variant,)*
        }

        impl Keyword {
            /// All of them.
            pub const ALL: &[Keyword] = &[$(Keyword::$variant),*];

            /// The field's name in documents.
            pub fn name(self) -> &'static str {
                match self { $(Keyword::$variant => $name,)* }
            }

            /// Whether capitals do not matter; then answers have the value in lower case.
            pub fn folds_case(self) -> bool {
                match self { $(Keyword::$variant => keywords!(@$case),)* }
            }

            /// The values that a document has.
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
    /// The tweet's id.
    Id "id" exact => |d| vec![d.id.as_str()];
    /// Its language.
    Lang "lang" exact => |d| one(&d.lang);
    /// Its author's id.
    UserId "user.id" exact => |d| one(&d.user.id);
    /// Its author's handle.
    ScreenName "user.screen_name" folded => |d| one(&d.user.screen_name);
    /// Its author's name.
    UserName "user.name" exact => |d| one(&d.user.name);
    /// Without `#`.
    Hashtags "hashtags" folded => |d| many(&d.hashtags);
    /// Without `@`.
    Mentions "mentions" folded => |d| many(&d.mentions);
    /// Without `$`.
    Cashtags "cashtags" folded => |d| many(&d.cashtags);
    /// Links.
    Urls "urls" exact => |d| many(&d.urls);
    /// Hosts of links.
    Domains "domains" folded => |d| many(&d.domains);
    /// Emoticons and emoji.
    Emoticons "emoticons" exact => |d| many(&d.emoticons);
    /// Cloud marketplaces.
    Marketplace "marketplace" exact => |d| many(&d.marketplace);
    /// `exact` or `place`.
    GeoSource "geo_source" exact => |d| d.geo_source.map(GeoSource::as_str).into_iter().collect();
    /// Name of the place.
    PlaceName "place.name" exact => |d| one(&d.place.name);
    /// Country of the place.
    Country "place.country" exact => |d| one(&d.place.country);
    /// ISO 3166-1 alpha-2 code of the country.
    CountryCode "place.country_code" exact => |d| one(&d.place.country_code);
    /// `positive`, `negative`, `neutral` or `mixed`.
    Label "sentiment.label" exact => |d| vec![d.sentiment.label.as_str()];
    /// `emoticon` or `lexicon`.
    Method "sentiment.method" exact => |d| vec![d.sentiment.method.as_str()];
    /// `tweet`, `retweet`, `quote` or `reply`.
    Kind "kind" exact => |d| vec![kind_name(d.kind)];
    /// The tweet it answers.
    InReplyTo "in_reply_to" exact => |d| one(&d.in_reply_to);
    /// The tweet it repeats.
    RetweetOf "retweet_of" exact => |d| one(&d.retweet_of);
    /// The tweet it quotes.
    QuoteOf "quote_of" exact => |d| one(&d.quote_of);
    /// The file or object it came from.
    Source "source" exact => |d| vec![d.source.as_str()];
}

impl Keyword {
    /// The field of that name, or of its last part where that is clear (`country_code`, `label`).
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
