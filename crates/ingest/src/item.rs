//! What a record turned out to be.

use crate::{Rejected, Tweet};

/// What a record turned out to be.
#[derive(Debug, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "items are passed on one by one and never stored")]
pub enum Item<'a> {
    /// A tweet.
    Tweet {
        /// The line on which its record starts, from 1, in the decompressed source.
        line: u64,
        /// The tweet that the record holds.
        tweet: Tweet<'a>,
        /// The original source, if the record is a reject that is being read again.
        source: Option<&'a str>,
    },
    /// A document that an earlier run made of a tweet. It is not enriched a second time.
    Document {
        /// The line on which its record starts, from 1, in the decompressed source.
        line: u64,
        /// The document as JSON.
        json: &'a str,
        /// The original source, if the record is a reject that is being read again.
        source: Option<&'a str>,
    },
    /// A message of a stream or an API about itself, such as a deletion, a limit or an empty page.
    Notice {
        /// The line on which it starts, from 1, in the decompressed source.
        line: u64,
        /// The kind of message, such as `delete`, `limit` or `empty page`: the API's name for it where there is one.
        kind: &'static str,
    },
    /// A record that could not be read.
    Rejected(Rejected),
}

/// What a format finds in a record: an item, or a reject of an earlier run, whose `raw` may be of any format.
#[expect(clippy::large_enum_variant, reason = "passed on one by one, like items")]
pub(crate) enum Found<'a> {
    Item(Item<'a>),
    Reject(Box<Rejected>),
}

/// Takes what is found in records, in order.
pub(crate) type Sink<'s> = dyn FnMut(Found<'_>) + 's;
