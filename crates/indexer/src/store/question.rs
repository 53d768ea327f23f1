//! What can be asked of every store, and what the answers look like.

use enrich::{Document, Label};
pub use ingest::BoundingBox;
use ingest::Timestamp;
use serde::Serialize;

use super::{Keyword, TextQuery};

/// Which documents a question is about: those that meet all of the given conditions.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Filter {
    /// The parsed search text; an empty one matches everything.
    pub text: TextQuery,
    /// Created at this time or after it.
    pub from: Option<Timestamp>,
    /// Created before this time.
    pub to: Option<Timestamp>,
    /// For each of these fields, the document has one of the values listed.
    pub terms: Vec<(Keyword, Vec<String>)>,
    /// Located within this box, edges included. Documents without a location never match.
    pub bounding_box: Option<BoundingBox>,
    /// Created on this day of the week, UTC: from 1, Monday, to 7, Sunday.
    pub weekday: Option<u8>,
    /// Created in this hour of the day, UTC: 0 to 23.
    pub hour: Option<u8>,
}

impl Filter {
    /// The same filter without its conditions on `field`.
    pub fn without(&self, field: Keyword) -> Filter {
        let mut filter = self.clone();
        filter.terms.retain(|(other, _)| *other != field);
        filter
    }
}

/// What is asked of the documents that match a filter.
#[derive(Debug, Clone, PartialEq)]
pub enum Question {
    /// How many there are.
    Count,
    /// A page of the documents: at most `limit`, after skipping the first `offset`.
    Search {
        /// The order in which they are counted off.
        sort: Sort,
        /// Only those that come after this one in that order.
        after: Option<After>,
        /// How many documents to skip at the beginning.
        offset: usize,
        /// The most documents to return.
        limit: usize,
    },
    /// The most frequent values of a field, with exact counts; values with equal counts are sorted by name.
    Top {
        /// The field whose values are counted.
        field: Keyword,
        /// The most values to return.
        n: usize,
    },
    /// Their sentiment, for each of the most frequent values of a field.
    SentimentBy {
        /// The field whose values are counted.
        field: Keyword,
        /// The most values to return.
        n: usize,
    },
    /// Their sentiment, all taken together.
    Sentiment,
    /// Counts by time and label; intervals without documents are left out.
    Timeline {
        /// How wide the buckets are.
        interval: Interval,
    },
    /// Counts by weekday and hour of the day, UTC; hours without documents are left out.
    PeakHours,
    /// The most frequent places, and where they are.
    Places {
        /// The most places to return.
        n: usize,
    },
    /// The map cells that hold documents, fullest first, at the lowest zoom level in [`ZOOMS`] that is not below `zoom`
    /// (or the highest level, if `zoom` is beyond it).
    Map {
        /// The zoom level that the map is shown at, 0 to 22.
        zoom: u8,
    },
    /// About how many different values a field has: a HyperLogLog++ estimate, exact up to a few
    /// hundred and usually within 4 % above that.
    Distinct {
        /// The field whose values are counted.
        field: Keyword,
    },
    /// When the first and the last of them were created.
    Bounds,
}

/// A question about the documents that match a filter.
#[derive(Debug, Clone, PartialEq)]
pub struct Ask {
    /// Which documents it is about.
    pub filter: Filter,
    /// What is asked about them.
    pub question: Question,
}

/// The answer to a [`Question`].
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "each is named after what it holds")]
pub enum Answer {
    Count(u64),
    Hits(Hits),
    Terms(Vec<TermCount>),
    SentimentBy(Vec<TermSentiment>),
    Sentiment(SentimentSummary),
    Timeline(Vec<TimelineBucket>),
    PeakHours(Vec<HourCount>),
    Places(Vec<PlaceCount>),
    Cells(Vec<Cell>),
    Bounds(Option<Bounds>),
}

macro_rules! answers {
    ($($name:ident $variant:ident $type:ty)*) => {
        impl Answer {
            $(
                /// Returns the content of an answer of this kind.
                ///
                /// # Panics
                ///
                /// If this is the answer to another kind of question.
                pub fn $name(self) -> $type {
                    match self {
                        Answer::$variant(answer) => answer,
                        other => unreachable!("{other:?} answers another question"),
                    }
                }
            )*
        }
    };
}

answers! {
    count Count u64
    hits Hits Hits
    terms Terms Vec<TermCount>
    sentiment_by SentimentBy Vec<TermSentiment>
    sentiment Sentiment SentimentSummary
    timeline Timeline Vec<TimelineBucket>
    peak_hours PeakHours Vec<HourCount>
    places Places Vec<PlaceCount>
    cells Cells Vec<Cell>
    bounds Bounds Option<Bounds>
}

/// The order of search results. Documents that are equal in it are sorted by id, highest first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Sort {
    /// The one created latest comes first.
    #[default]
    Newest,
    /// The one created earliest comes first.
    Oldest,
    /// The highest sum of retweets, likes, replies and quotes first.
    Engaged,
    /// The highest compound first.
    MostPositive,
    /// The lowest compound first.
    MostNegative,
}

impl Sort {
    /// The value that a document is sorted by: milliseconds since the Unix epoch, the sum of its retweets, likes,
    /// replies and quotes, or its compound sentiment score as it is indexed.
    pub fn key(self, document: &Document) -> f64 {
        match self {
            Sort::Newest | Sort::Oldest => document.timestamp.as_millis() as f64,
            Sort::Engaged => document.engagement.unwrap_or(0) as f64,
            // Elasticsearch indexes the score as a 32-bit `float`, so it is rounded to one here as well.
            Sort::MostPositive | Sort::MostNegative => {
                f64::from(document.sentiment.compound as f32)
            }
        }
    }

    /// Whether documents with higher keys come first.
    pub fn is_descending(self) -> bool {
        !matches!(self, Sort::Oldest | Sort::MostNegative)
    }
}

/// A position in the order of search results, given by the document there.
#[derive(Debug, Clone, PartialEq)]
pub struct After {
    /// The [key](Sort::key) of the document there.
    pub key: f64,
    /// The id of that document, which decides between documents with equal keys.
    pub id: String,
}

/// A page of search results.
#[derive(Debug, Clone, PartialEq)]
pub struct Hits {
    /// How many documents match.
    pub total: u64,
    /// The documents of this page, in the order asked for.
    pub documents: Vec<Document>,
}

/// How often a value occurs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TermCount {
    /// A value of the field, in lower case if the field ignores case.
    pub term: String,
    /// How many documents have it.
    pub count: u64,
}

/// How many documents have each sentiment label.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
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

/// The sentiment of some documents, taken together.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct SentimentSummary {
    /// How many there are.
    pub count: u64,
    /// The mean of their compound scores; `None` if there are no documents.
    pub mean: Option<f64>,
    /// How many of them have each sentiment label.
    pub labels: LabelCounts,
}

/// The sentiment of the documents that share a value of a field.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TermSentiment {
    /// A value of the field, in lower case if the field ignores case.
    pub term: String,
    /// The sentiment of the documents that have this value.
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
    /// Weeks that start on Monday (ISO 8601).
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

    /// How far its buckets are shifted from the Unix epoch, in milliseconds: the epoch is a Thursday, but weeks begin
    /// on Monday.
    pub fn offset_millis(self) -> i64 {
        if self == Interval::Week { 4 * 86_400_000 } else { 0 }
    }
}

/// Documents of an interval.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TimelineBucket {
    /// The time at which the interval begins.
    pub start: Timestamp,
    /// How many there are.
    pub count: u64,
    /// How many of them have each sentiment label.
    pub labels: LabelCounts,
}

/// How many documents were created in an hour of the week, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct HourCount {
    /// From 1, Monday, to 7, Sunday.
    pub weekday: u8,
    /// The hour of the day, from 0 to 23.
    pub hour: u8,
    /// How many tweets were created in this hour.
    pub count: u64,
}

/// A place that tweets are tagged with.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlaceCount {
    /// The full name of the place, such as `Lisbon, Portugal`.
    pub name: String,
    /// The country that most of its documents name; `None` if none of them names one.
    pub country: Option<String>,
    /// How many documents there are.
    pub count: u64,
    /// The mean of their compounds.
    pub mean: f64,
    /// The mean of their latitudes; `None` if none of the documents has a location.
    pub lat: Option<f64>,
    /// The mean of their longitudes.
    pub lon: Option<f64>,
}

/// When the first and the last of some documents were created.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Bounds {
    /// When the first of them was created.
    pub from: Timestamp,
    /// When the last of them was created.
    pub to: Timestamp,
}

/// A map cell that holds documents.
#[derive(Debug, Clone, PartialEq, Serialize)]
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

/// The zoom level of the cells that answer a request for `zoom`: the lowest in [`ZOOMS`] that is not below it, or else
/// the highest.
pub(super) fn kept_zoom(zoom: u8) -> u8 {
    ZOOMS.into_iter().find(|kept| *kept >= zoom).unwrap_or(ZOOMS[ZOOMS.len() - 1])
}

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
