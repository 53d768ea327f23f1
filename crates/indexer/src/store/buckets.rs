//! Reads the results of aggregations, which Tantivy returns in the same form as Elasticsearch.

use enrich::Label;
use serde_json::Value as Json;

use super::{HourCount, LabelCounts};

/// The buckets of an aggregation.
pub(super) fn buckets<'j>(answer: &'j Json, name: &str) -> impl Iterator<Item = &'j Json> {
    answer[name]["buckets"].as_array().into_iter().flatten()
}

/// The value that a bucket is for.
pub(super) fn key(bucket: &Json) -> String {
    bucket["key"].as_str().unwrap_or_default().to_owned()
}

/// How many documents are in a bucket.
pub(super) fn count(bucket: &Json) -> u64 {
    bucket["doc_count"].as_u64().unwrap_or(0)
}

/// The value of an aggregation that yields one number; `None` if no document had a value for it.
pub(super) fn number(answer: &Json, name: &str) -> Option<f64> {
    answer[name]["value"].as_f64()
}

/// Reads the aggregation `labels` of an answer or a bucket.
pub(super) fn labels(answer: &Json) -> LabelCounts {
    let mut labels = LabelCounts::default();
    for bucket in buckets(answer, "labels") {
        if let Some(label) = Label::ALL.into_iter().find(|label| bucket["key"] == label.as_str()) {
            *labels.of(label) = count(bucket);
        }
    }
    labels
}

/// Reads the aggregation `weekdays`, which has `hours` nested in it.
pub(super) fn peak_hours(answer: &Json) -> Vec<HourCount> {
    let key = |bucket: &Json| bucket["key"].as_f64().unwrap_or(0.0) as u8;
    let mut counts: Vec<HourCount> = buckets(answer, "weekdays")
        .flat_map(|day| {
            buckets(day, "hours").map(move |hour| HourCount {
                weekday: key(day),
                hour: key(hour),
                count: count(hour),
            })
        })
        .collect();
    counts.sort_unstable_by_key(|hour| (hour.weekday, hour.hour));
    counts
}
