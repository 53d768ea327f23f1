//! Documents and numbers as the API shows them: numbers are rounded, and tweets have only the fields that concern their
//! readers.

use enrich::{Document, original};
use serde_json::{Map, Value as Json};

use crate::store::{Cell, PlaceCount};

/// The most cells of a map that are shown; they are the fullest ones.
const MAX_CELLS: usize = 5_000;

/// Rounds a number to four decimals. The last digits of a mean depend on the order in which it was summed, and mean
/// nothing to a reader.
pub(super) fn rounded(number: f64) -> f64 {
    // Adding 0 turns `-0` into `0`.
    (number * 10_000.0).round() / 10_000.0 + 0.0
}

/// Places, with their means rounded.
pub(super) fn places(places: Vec<PlaceCount>) -> Vec<PlaceCount> {
    let place = |place: PlaceCount| PlaceCount {
        mean: rounded(place.mean),
        lat: place.lat.map(rounded),
        lon: place.lon.map(rounded),
        ..place
    };
    places.into_iter().map(place).collect()
}

/// The fullest cells of the map, with their means rounded.
pub(super) fn cells(cells: Vec<Cell>) -> Vec<Cell> {
    let cell = |cell: Cell| Cell {
        mean: rounded(cell.mean),
        lat: rounded(cell.lat),
        lon: rounded(cell.lon),
        ..cell
    };
    cells.into_iter().take(MAX_CELLS).map(cell).collect()
}

/// Tweets as the API shows them, each with a link to the original if its id tells where that is.
pub(super) fn tweets(documents: Vec<Document>) -> Vec<Json> {
    documents.iter().map(tweet).collect()
}

fn tweet(document: &Document) -> Json {
    let Ok(Json::Object(mut tweet)) = serde_json::to_value(document) else {
        return Json::Object(Map::new());
    };
    // These fields say how the tweet was read rather than something about it, or follow from its time.
    for name in ["source", "received_at", "as_of", "lag_seconds", "hour", "weekday"] {
        tweet.remove(name);
    }
    if let Some(time) = tweet.remove("@timestamp") {
        tweet.insert("created_at".to_owned(), time);
    }
    // Documents in a cluster may have been written before there was such a field.
    if let Some(url) = original(document) {
        tweet.insert("url".to_owned(), url.into());
    }
    Json::Object(tweet)
}
