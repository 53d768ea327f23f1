//! Answers as they are shown: numbers to the digits that mean something, and of a tweet what concerns its
//! readers.

use enrich::Document;
use serde::Serialize;
use serde_json::{Map, Value as Json, json};

use crate::store::{Answer, Cell, Filter, Interval, LabelCounts, Place, TermSentiment};

/// Means are of thousands of tweets: sums in another order differ in the last digits of a float.
fn rounded(number: f64) -> f64 {
    // No `-0`.
    (number * 10_000.0).round() / 10_000.0 + 0.0
}

/// The headline.
pub(super) fn summary(
    sentiment: Answer,
    countries: Answer,
    located: Answer,
    bounds: Answer,
) -> Json {
    let sentiment = sentiment.sentiment();
    let bounds = bounds.bounds();
    json!({
        "count": sentiment.count,
        "mean": sentiment.mean.map(rounded),
        "labels": sentiment.labels,
        "located": located.terms().iter().map(|source| source.count).sum::<u64>(),
        "countries": countries.terms(),
        "from": bounds.map(|bounds| bounds.from),
        "to": bounds.map(|bounds| bounds.to),
    })
}

#[derive(Serialize)]
struct Feeling {
    term: String,
    count: u64,
    mean: Option<f64>,
    labels: LabelCounts,
}

/// How tweets feel about each marketplace, and how many there are in all.
pub(super) fn marketplaces(count: Answer, answer: Answer) -> Json {
    let feeling = |TermSentiment { term, sentiment }| Feeling {
        term,
        count: sentiment.count,
        mean: sentiment.mean.map(rounded),
        labels: sentiment.labels,
    };
    let all: Vec<Feeling> = answer.sentiment_by().into_iter().map(feeling).collect();
    json!({ "count": count.count(), "marketplaces": all })
}

/// Counts over time.
pub(super) fn timeline(interval: Interval, answer: Answer) -> Json {
    let name = match interval {
        Interval::Minute => "minute",
        Interval::Hour => "hour",
        Interval::Day => "day",
        Interval::Week => "week",
    };
    json!({ "interval": name, "buckets": answer.timeline() })
}

/// Places and where they are.
pub(super) fn places(answer: Answer) -> Vec<Place> {
    let place = |place: Place| Place {
        mean: rounded(place.mean),
        lat: place.lat.map(rounded),
        lon: place.lon.map(rounded),
        ..place
    };
    answer.places().into_iter().map(place).collect()
}

/// More cells than these are not told, but the fullest.
const MOST_CELLS: usize = 5_000;

/// Cells of the map.
pub(super) fn cells(answer: Answer) -> Vec<Cell> {
    let cell = |cell: Cell| Cell {
        mean: rounded(cell.mean),
        lat: rounded(cell.lat),
        lon: rounded(cell.lon),
        ..cell
    };
    answer.cells().into_iter().take(MOST_CELLS).map(cell).collect()
}

/// The most important tweets of a time.
pub(super) fn top(filter: &Filter, answer: Answer) -> Json {
    json!({ "from": filter.from, "to": filter.to, "tweets": tweets(answer.hits().documents) })
}

/// Tweets, each with a link to the original.
pub(super) fn tweets(documents: Vec<Document>) -> Vec<Json> {
    documents.iter().map(tweet).collect()
}

fn tweet(document: &Document) -> Json {
    let Ok(Json::Object(mut tweet)) = serde_json::to_value(document) else {
        return Json::Object(Map::new());
    };
    // Where it was read from says more of this machine than of the tweet.
    for name in ["source", "received_at", "as_of", "lag_seconds", "hour", "weekday"] {
        tweet.remove(name);
    }
    if let Some(time) = tweet.remove("@timestamp") {
        tweet.insert("created_at".to_owned(), time);
    }
    // Ids that we made of the text lead nowhere.
    if document.id.bytes().all(|b| b.is_ascii_digit()) {
        let url = format!("https://x.com/i/status/{}", document.id);
        tweet.insert("url".to_owned(), url.into());
    }
    Json::Object(tweet)
}
