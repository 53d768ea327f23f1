//! What a collection did, in numbers.

use std::io::{self, Write};

use serde::Serialize;

use super::meter::{Meter, dollars};
use crate::config::ReportFormat;
use crate::failure::{Context, Result};
use crate::report::Report;

/// What a collection did. `received + left = filtered + rejected + sent + dropped + waiting`, unless what was under way was
/// dropped.
#[derive(Debug, Serialize)]
pub(super) struct Outcome {
    received: u64,
    /// What an earlier run had left in the spool.
    left: u64,
    filtered: u64,
    duplicates: u64,
    sent: u64,
    dropped: u64,
    rejected: u64,
    retried: u64,
    reconnects: u64,
    pub(super) waiting: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    x_posts: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    x_users: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    x_cost_dollars: Option<f64>,
    seconds: f64,
    pub(super) failed_sources: u64,
    /// What the store has done with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    store: Option<Report>,
}

impl Outcome {
    pub(super) fn new(
        meter: &Meter,
        (left, waiting): (u64, u64),
        failed_sources: u64,
        store: Option<Report>,
        seconds: f64,
    ) -> Outcome {
        let is_paid = meter.posts.get() > 0;
        Outcome {
            received: meter.received.get(),
            left,
            filtered: meter.filtered.get(),
            duplicates: meter.duplicates.get(),
            sent: meter.sent.get(),
            dropped: meter.dropped.get(),
            rejected: meter.rejected.get(),
            retried: meter.retried.get(),
            reconnects: meter.reconnects.get(),
            waiting,
            x_posts: is_paid.then(|| meter.posts.get()),
            x_users: is_paid.then(|| meter.users.get()),
            x_cost_dollars: is_paid.then(|| (meter.cost.get() * 1e6).round() / 1e6),
            seconds,
            failed_sources,
            store,
        }
    }

    /// Whether there are records that were not passed on or not indexed.
    pub(super) fn has_rejects(&self) -> bool {
        self.rejected > 0 || self.store.as_ref().is_some_and(|report| report.rejected > 0)
    }

    /// Writes it to standard output, or to standard error if the records themselves went there.
    pub(super) fn print(&self, format: ReportFormat, is_data_on_stdout: bool) -> Result<()> {
        let text = match format {
            ReportFormat::Json => serde_json::to_string(self)? + "\n",
            ReportFormat::Human => self.human(),
        };
        let written = match is_data_on_stdout {
            true => io::stderr().lock().write_all(text.as_bytes()),
            false => io::stdout().lock().write_all(text.as_bytes()),
        };
        written.context("cannot write the report")
    }

    fn human(&self) -> String {
        let mut text = String::new();
        for (name, number) in [
            ("received", self.received),
            ("left before", self.left),
            ("filtered", self.filtered),
            ("duplicates", self.duplicates),
            ("rejected", self.rejected),
            ("sent", self.sent),
            ("dropped", self.dropped),
            ("waiting", self.waiting),
            ("retried", self.retried),
            ("reconnects", self.reconnects),
        ] {
            text += &format!("{name:<13}{number:>12}\n");
        }
        if let (Some(posts), Some(cost)) = (self.x_posts, self.x_cost_dollars) {
            text +=
                &format!("{:<13}{posts:>12}\n{:<13}{:>12}\n", "paid posts", "cost", dollars(cost));
        }
        if self.failed_sources > 0 {
            text += &format!("{:<13}{:>12}\n", "failed sources", self.failed_sources);
        }
        match &self.store {
            Some(report) => text += &format!("\nin the store\n{report}"),
            None => text += &format!("{:<13}{:>12.2}\n", "seconds", self.seconds),
        }
        text
    }
}
