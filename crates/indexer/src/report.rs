//! What a run did, in numbers.

use std::collections::BTreeMap;
use std::fmt;

use enrich::Document;
use serde::Serialize;

use crate::store::{LabelCounts, Written};

/// What a run did. `read = created + updated + notices + rejected`, unless an error cut the run short.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Report {
    /// How many records were found in the sources.
    pub read: u64,
    /// Tweets that were not in the store before.
    pub created: u64,
    /// Tweets that were there already, from this run or an earlier one.
    pub updated: u64,
    /// Messages of streams and APIs about themselves: deletions, limits, empty pages.
    pub notices: u64,
    /// Records that could not be indexed; the rejects file has them.
    pub rejected: u64,
    /// Documents that had to be sent again.
    pub retried: u64,
    /// Bytes read, before decompression.
    pub bytes: u64,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// Tweets read, by sentiment label.
    pub sentiment: LabelCounts,
    /// Tweets read, by marketplace. A tweet about several marketplaces counts for each of them.
    pub marketplaces: BTreeMap<String, u64>,
    /// Sources that could not be read, or not to their end.
    pub failed_sources: u64,
    /// The sum of the tweets' creation times, in milliseconds since 1970, and their number.
    #[serde(skip)]
    created_at: (i128, u64),
}

impl Report {
    /// Counts a document that was read.
    pub(crate) fn add_document(&mut self, document: &Document) {
        self.read += 1;
        self.created_at.0 += i128::from(document.timestamp.as_millis());
        self.created_at.1 += 1;
        *self.sentiment.of(document.sentiment.label) += 1;
        for marketplace in &document.marketplace {
            match self.marketplaces.get_mut(marketplace) {
                Some(count) => *count += 1,
                None => {
                    self.marketplaces.insert(marketplace.clone(), 1);
                }
            }
        }
    }

    /// Adds the counts of one part of the run to the totals.
    pub(crate) fn add(&mut self, part: Report) {
        self.read += part.read;
        self.created += part.created;
        self.updated += part.updated;
        self.notices += part.notices;
        self.rejected += part.rejected;
        self.retried += part.retried;
        self.bytes += part.bytes;
        self.sentiment.positive += part.sentiment.positive;
        self.sentiment.negative += part.sentiment.negative;
        self.sentiment.neutral += part.sentiment.neutral;
        self.sentiment.mixed += part.sentiment.mixed;
        for (marketplace, count) in part.marketplaces {
            *self.marketplaces.entry(marketplace).or_default() += count;
        }
        self.failed_sources += part.failed_sources;
        self.created_at.0 += part.created_at.0;
        self.created_at.1 += part.created_at.1;
    }

    /// The mean creation time of its tweets, in milliseconds since 1970.
    pub(crate) fn mean_created_at(&self) -> Option<i64> {
        let (sum, n) = self.created_at;
        i64::try_from(sum.checked_div(i128::from(n))?).ok()
    }

    /// Adds what was written.
    pub(crate) fn add_written(&mut self, written: &Written) {
        self.created += written.created;
        self.updated += written.updated;
        self.retried += written.retried;
        self.rejected += written.rejected_records;
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LabelCounts { positive, negative, neutral, mixed } = self.sentiment;
        for (name, number) in [
            ("read", self.read),
            ("created", self.created),
            ("updated", self.updated),
            ("notices", self.notices),
            ("rejected", self.rejected),
            ("retried", self.retried),
            ("bytes", self.bytes),
        ] {
            writeln!(f, "{name:<13}{number:>12}")?;
        }
        writeln!(f, "{:<13}{:>12.2}", "seconds", self.seconds)?;
        writeln!(
            f,
            "{:<13} positive {positive}, negative {negative}, neutral {neutral}, mixed {mixed}",
            "sentiment"
        )?;
        if !self.marketplaces.is_empty() {
            let list: Vec<String> =
                self.marketplaces.iter().map(|(name, count)| format!("{name} {count}")).collect();
            writeln!(f, "{:<13} {}", "marketplaces", list.join(", "))?;
        }
        if self.failed_sources > 0 {
            writeln!(f, "{:<13}{:>12}", "failed sources", self.failed_sources)?;
        }
        Ok(())
    }
}
