//! The aggregations that answer questions: how each is asked for, and how its buckets are read.

use ingest::Timestamp;
use serde_json::{Value as Json, json};

use crate::store::buckets::{buckets, count, key, labels, number};
use crate::store::{
    Cell, Interval, Keyword, PlaceCount, SentimentSummary, TimelineBucket, kept_zoom,
};

pub(super) fn over_time(interval: Interval) -> Json {
    json!({ "date_histogram": {
        "field": "@timestamp",
        "fixed_interval": format!("{}ms", interval.as_millis()),
        "offset": format!("{}ms", interval.offset_millis()),
    } })
}

/// What is counted within each interval.
pub(super) fn in_time() -> Json {
    json!({ "labels": by_label() })
}

pub(super) fn timeline_bucket(bucket: &Json) -> TimelineBucket {
    TimelineBucket {
        start: Timestamp::from_millis(bucket["key"]["by"].as_i64().unwrap_or(0)),
        count: count(bucket),
        labels: labels(bucket),
    }
}

/// What is counted within each place.
pub(super) fn in_place() -> Json {
    let order = json!([{ "_count": "desc" }, { "_key": "asc" }]);
    json!({
        "mean": mean(),
        "centre": { "geo_centroid": { "field": "location" } },
        "countries": { "terms": { "field": Keyword::Country.name(), "size": 1, "order": order } },
    })
}

pub(super) fn place(bucket: &Json) -> PlaceCount {
    PlaceCount {
        name: key(bucket),
        country: buckets(bucket, "countries").next().map(key),
        count: count(bucket),
        mean: number(bucket, "mean").unwrap_or(0.0),
        lat: bucket["centre"]["location"]["lat"].as_f64(),
        lon: bucket["centre"]["location"]["lon"].as_f64(),
    }
}

pub(super) fn in_tiles(zoom: u8) -> Json {
    json!({ "geotile_grid": { "field": "location", "precision": kept_zoom(zoom) } })
}

/// What is counted within each tile.
pub(super) fn in_tile() -> Json {
    json!({ "mean": mean(), "centre": { "geo_centroid": { "field": "location" } } })
}

pub(super) fn cell(bucket: &Json) -> Cell {
    let at = |axis: &str| bucket["centre"]["location"][axis].as_f64().unwrap_or(0.0);
    Cell {
        tile: bucket["key"]["by"].as_str().unwrap_or_default().to_owned(),
        count: count(bucket),
        mean: number(bucket, "mean").unwrap_or(0.0),
        lat: at("lat"),
        lon: at("lon"),
    }
}

fn mean() -> Json {
    json!({ "avg": { "field": "sentiment.compound" } })
}

fn by_label() -> Json {
    json!({ "terms": { "field": Keyword::Label.name() } })
}

pub(super) fn feelings() -> Json {
    json!({ "mean": mean(), "labels": by_label() })
}

pub(super) fn summary(answer: &Json, count: u64) -> SentimentSummary {
    SentimentSummary { count, mean: number(answer, "mean"), labels: labels(answer) }
}
