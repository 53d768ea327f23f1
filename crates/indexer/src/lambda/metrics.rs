//! Reports what was done with each object in one line of JSON. It is a log line for people and machines and also, in
//! CloudWatch's embedded metric format, a set of metrics, so that no API has to be called to send them.
//!
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>

use std::io::{self, Write};

use ingest::Timestamp;
use serde_json::json;

use super::fault::{Fault, Outcome};
use crate::clock;
use crate::pipeline::Ended;

/// Writes a line of metrics for each object.
pub(super) struct Metrics {
    /// The function's name, which is the dimension of all metrics.
    pub(super) function: String,
    /// The request id of the current invocation.
    pub(super) request_id: String,
}

impl Metrics {
    /// Writes the line for an object that was written at `modified`: what was read of it, starting at the record
    /// `started_at`, and the `fault` if that is not all of it.
    pub(super) fn emit(
        &self,
        object: &str,
        ended: &Ended,
        started_at: u64,
        modified: Option<Timestamp>,
        fault: Option<&Fault>,
    ) {
        let outcome = fault.map_or(Outcome::Done, Fault::outcome);
        let now = clock::now();
        let report = &ended.report;
        let is_done = outcome == Outcome::Done;
        let object_to_index =
            modified.filter(|_| is_done).map(|time| (now - time.as_millis()).max(0));
        let created_at = report.mean_created_at();
        let tweet_to_object =
            modified.zip(created_at).map(|(time, created)| (time.as_millis() - created).max(0));
        let mut metrics = vec![
            ("read", "Count"),
            ("created", "Count"),
            ("updated", "Count"),
            ("notices", "Count"),
            ("rejected", "Count"),
            ("retried", "Count"),
            ("bytes", "Bytes"),
            ("ms", "Milliseconds"),
            ("failed", "Count"),
        ];
        metrics.extend(object_to_index.map(|_| ("object_to_index_ms", "Milliseconds")));
        metrics.extend(tweet_to_object.map(|_| ("tweet_to_object_ms", "Milliseconds")));
        let metrics: Vec<_> =
            metrics.into_iter().map(|(name, unit)| json!({ "Name": name, "Unit": unit })).collect();
        let line = json!({
            "_aws": {
                "Timestamp": now,
                "CloudWatchMetrics": [{
                    "Namespace": "TweetIndexer",
                    "Dimensions": [["function"]],
                    "Metrics": metrics,
                }],
            },
            "level": if outcome == Outcome::Done { "INFO" } else { "WARN" },
            "message": format!("{} {object}", outcome.as_str()),
            "function": self.function,
            "request_id": self.request_id,
            "object": object,
            "outcome": outcome.as_str(),
            "from_record": started_at,
            "to_record": ended.checkpoint.position.records,
            "left": ended.left,
            "reason": fault.map(|fault| &fault.message),
            "failed": u8::from(outcome == Outcome::Failed),
            "read": report.read,
            "created": report.created,
            "updated": report.updated,
            "notices": report.notices,
            "rejected": report.rejected,
            "retried": report.retried,
            "bytes": report.bytes,
            "ms": (report.seconds * 1000.0).round(),
            "object_to_index_ms": object_to_index,
            "tweet_to_object_ms": tweet_to_object,
        });
        // If the log cannot be written, nothing can be done about it.
        let _ = writeln!(io::stdout().lock(), "{line}");
    }
}
