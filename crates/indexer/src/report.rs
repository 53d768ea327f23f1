//! What a run did, in numbers.

use std::collections::BTreeMap;
use std::fmt;

use enrich::Document;
use ingest::{Batch, IdCheck, Tweet, Unread};
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
    /// Values that were there and could not be read, by the field that they are values of.
    pub unread: BTreeMap<&'static str, u64>,
    /// Sources that could not be read, or not to their end.
    pub failed_sources: u64,
    /// One such value of each field.
    #[serde(skip)]
    examples: BTreeMap<&'static str, String>,
    /// The columns that are not used, though by their names they hold a field: their names, and the field's.
    #[serde(skip)]
    overlooked: BTreeMap<String, &'static str>,
    /// How the ids of tweets compare to their dates.
    #[serde(skip)]
    ids: Ids,
    /// The sum of the tweets' creation times, in milliseconds since 1970, and their number.
    #[serde(skip)]
    created_at: (i128, u64),
}

/// How many columns that are not used are named.
const MAX_OVERLOOKED: usize = 10;

/// How the ids of tweets compare to their dates, where a record has both.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
struct Ids {
    agreeing: u64,
    disagreeing: u64,
    row_numbers: u64,
}

impl Report {
    /// Counts what a tweet says about how its record was read.
    pub(crate) fn add_tweet(&mut self, tweet: &Tweet<'_>) {
        for Unread { field, value } in &tweet.unread {
            *self.unread.entry(field.name()).or_default() += 1;
            self.examples.entry(field.name()).or_insert_with(|| value.clone());
        }
        match tweet.id_check {
            IdCheck::Unchecked => {}
            IdCheck::Agrees => self.ids.agreeing += 1,
            IdCheck::Disagrees => self.ids.disagreeing += 1,
            IdCheck::RowNumber => self.ids.row_numbers += 1,
        }
    }

    /// Notes the columns of a batch that are not used, though by their names they hold a field.
    pub(crate) fn add_overlooked(&mut self, batch: &Batch) {
        let overlooked = batch.overlooked();
        self.overlooked.extend(overlooked.into_iter().map(|(name, field)| (name, field.name())));
    }

    /// Says what the user should look at: values that could not be read, and ids that seem to be something else.
    pub(crate) fn warn(&self) {
        for (field, count) in &self.unread {
            let example = self.examples.get(field).map_or("", String::as_str);
            let values = if *count == 1 { "value" } else { "values" };
            tracing::warn!(
                hint = "see how the source is read: indexer inspect SOURCE",
                "{count} {values} of {field} could not be read, such as `{example}`"
            );
        }
        for (column, field) in self.overlooked.iter().take(MAX_OVERLOOKED) {
            tracing::warn!(
                hint = format!("if it does, name it: --column '{field}={column}'"),
                "`{column}` is not used; by its name, it may hold {field}"
            );
        }
        let Ids { agreeing, disagreeing, row_numbers } = self.ids;
        let hint = "if another column holds the ids of tweets, name it: --column id=NAME";
        if row_numbers * 10 > row_numbers + agreeing {
            tracing::warn!(
                hint,
                "{row_numbers} ids look like the numbers of rows, and not like those of tweets"
            );
        }
        if disagreeing * 10 > disagreeing + agreeing {
            tracing::warn!(
                hint,
                "{disagreeing} ids of {} do not agree with their dates, so that the dates count",
                disagreeing + agreeing
            );
        }
    }

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
        for (field, count) in part.unread {
            *self.unread.entry(field).or_default() += count;
        }
        for (field, example) in part.examples {
            self.examples.entry(field).or_insert(example);
        }
        if self.overlooked.len() < MAX_OVERLOOKED {
            self.overlooked.extend(part.overlooked);
        }
        self.ids.agreeing += part.ids.agreeing;
        self.ids.disagreeing += part.ids.disagreeing;
        self.ids.row_numbers += part.ids.row_numbers;
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
        if !self.unread.is_empty() {
            let list: Vec<String> =
                self.unread.iter().map(|(field, count)| format!("{field} {count}")).collect();
            writeln!(f, "{:<13} {}", "unread", list.join(", "))?;
        }
        if self.failed_sources > 0 {
            writeln!(f, "{:<13}{:>12}", "failed sources", self.failed_sources)?;
        }
        Ok(())
    }
}
