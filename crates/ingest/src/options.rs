//! What a user may say about a source, whatever its format.

use std::sync::Arc;

use crate::{Archive, DayOrder, Field, Timestamp};

/// What the user can specify about a source because the source itself does not say it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Options {
    /// The columns of a CSV file that hold certain fields, by name or by number from 1. They take precedence over
    /// columns that are recognized by their names.
    pub columns: Vec<(Field, String)>,
    /// The sheet of a workbook to read; `None` for those that hold tweets.
    pub sheet: Option<String>,
    /// What other files of the same Twitter archive say of what is read.
    pub archive: Option<Arc<Archive>>,
    /// The creation time of tweets that have neither a date nor a time in their id.
    pub timestamp: Option<Timestamp>,
    /// Which of two numbers of a date is the day, where that does not show.
    pub day_order: Option<DayOrder>,
    /// The latest time that a tweet in a table can have. A later one was misread.
    pub latest: Option<Timestamp>,
    /// The marketplace of tweets that are assigned to none by their record or by a stream rule.
    pub marketplace: Option<String>,
}
