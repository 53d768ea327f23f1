//! What can be asked of every store, and what the answers look like.

use enrich::{Document, GeoSource, Label, kind_name};
pub use ingest::BoundingBox;
use ingest::Timestamp;

use super::TextQuery;

/// Which documents are asked about; everything given must hold.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Filter {
    /// What the user typed.
    pub text: TextQuery,
    /// Created at or after.
    pub from: Option<Timestamp>,
    /// Created before.
    pub to: Option<Timestamp>,
    /// The field has one of the values.
    pub terms: Vec<(Keyword, Vec<String>)>,
    /// Located within, edges included.
    pub bounding_box: Option<BoundingBox>,
}

/// The order of search results. Of equals, the higher id comes first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Sort {
    /// The latest first.
    #[default]
    Newest,
    /// The earliest first.
    Oldest,
    /// The most retweets, likes, replies and quotes together first.
    Engaged,
    /// The highest compound first.
    MostPositive,
    /// The lowest compound first.
    MostNegative,
}

/// A page of search results.
#[derive(Debug, Clone, PartialEq)]
pub struct Hits {
    /// How many documents match.
    pub total: u64,
    /// Those asked for, in order.
    pub documents: Vec<Document>,
}

/// How often a value occurs.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct TermCount {
    /// The value.
    pub term: String,
    /// How many documents have it.
    pub count: u64,
}

/// Documents by label.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
#[expect(missing_docs, reason = "the labels themselves")]
pub struct LabelCounts {
    pub positive: u64,
    pub negative: u64,
    pub neutral: u64,
    pub mixed: u64,
}

impl LabelCounts {
    /// The count of one label.
    pub fn of(&mut self, label: Label) -> &mut u64 {
        match label {
            Label::Positive => &mut self.positive,
            Label::Negative => &mut self.negative,
            Label::Neutral => &mut self.neutral,
            Label::Mixed => &mut self.mixed,
        }
    }
}

/// How documents feel.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize)]
pub struct SentimentSummary {
    /// How many there are.
    pub count: u64,
    /// The mean of their compounds; none if there are none.
    pub mean: Option<f64>,
    /// By label.
    pub labels: LabelCounts,
}

/// How documents feel that share a value.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct TermSentiment {
    /// The value.
    pub term: String,
    /// How they feel.
    #[serde(flatten)]
    pub sentiment: SentimentSummary,
}

/// The width of a timeline's buckets, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Interval {
    Minute,
    Hour,
    Day,
    /// From Monday on.
    Week,
}

impl Interval {
    /// Its length in milliseconds.
    pub fn as_millis(self) -> i64 {
        match self {
            Interval::Minute => 60_000,
            Interval::Hour => 3_600_000,
            Interval::Day => 86_400_000,
            Interval::Week => 7 * 86_400_000,
        }
    }

    /// How far its buckets are moved against the Unix epoch, a Thursday, in milliseconds.
    pub fn offset_millis(self) -> i64 {
        if self == Interval::Week { 4 * 86_400_000 } else { 0 }
    }
}

/// Documents of an interval.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct TimelineBucket {
    /// When it begins.
    pub start: Timestamp,
    /// How many there are.
    pub count: u64,
    /// By label.
    pub labels: LabelCounts,
}

/// A map cell that holds documents.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Cell {
    /// The web mercator tile, `zoom/x/y`.
    pub tile: String,
    /// How many documents are in it.
    pub count: u64,
    /// The mean of their compounds.
    pub mean: f64,
    /// The mean of their latitudes.
    pub lat: f64,
    /// The mean of their longitudes.
    pub lon: f64,
}

/// The zooms that map cells are kept for.
pub const ZOOMS: [u8; 6] = [2, 4, 6, 8, 10, 12];

/// The web mercator tile (`zoom/x/y`) that a position lies in, as Elasticsearch's `geotile_grid` has it:
/// latitudes beyond the projection's edge (85.05°) fall into the outermost tiles.
pub fn tile(lat: f64, lon: f64, zoom: u8) -> String {
    let tiles = f64::from(1_u32 << zoom);
    let last = tiles - 1.0;
    let x = ((lon + 180.0) / 360.0 * tiles).floor().clamp(0.0, last);
    let sin = lat.to_radians().sin();
    let y = (0.5 - ((1.0 + sin) / (1.0 - sin)).ln() / (4.0 * std::f64::consts::PI)) * tiles;
    let y = y.floor().clamp(0.0, last);
    format!("{zoom}/{x}/{y}")
}

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tiles_are_those_of_web_mercator() {
        for (lat, lon, zoom, expected) in [
            (0.0, 0.0, 2, "2/2/2"),
            (52.52, 13.405, 10, "10/550/335"),
            (90.0, 180.0, 4, "4/15/0"),
            (-90.0, -180.0, 4, "4/0/15"),
        ] {
            assert_eq!(tile(lat, lon, zoom), expected);
        }
    }
}
