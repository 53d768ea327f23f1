//! What a user may say about a source, whatever its format.

use crate::{Field, Timestamp};

/// What a user may say about a source that it does not say itself.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Options {
    /// The columns of a CSV file that hold a field, by name or by number from 1. They come before the names that are
    /// known without being told.
    pub columns: Vec<(Field, String)>,
    /// The creation time of tweets that have neither a date nor a time in their id.
    pub timestamp: Option<Timestamp>,
    /// The marketplace of tweets that are assigned to none by their record or by a stream rule.
    pub marketplace: Option<String>,
}
