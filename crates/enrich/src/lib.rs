//! Turns a tweet into the document we index: readable text, sentiment, place, topics.
//!
//! Everything here is a pure function, without a clock, network, file or log. So enriching cannot fail, and a tweet
//! that is delivered again gives the same document, under the same id, instead of a second one.
//!
//! ```
//! use enrich::{Label, Origin, enrich};
//! use ingest::{Timestamp, Tweet};
//!
//! let created_at = Timestamp::from_id("1601645088790257667").unwrap();
//! let tweet = Tweet::new("1601645088790257667", created_at, "I love the AWS Marketplace");
//! let document = enrich(tweet, Origin::default());
//! assert_eq!(document.sentiment.label, Label::Positive);
//! assert_eq!(document.marketplace, ["AWS"]);
//! ```
//!
//! Start reading at [`enrich`]; every group of fields is computed in a module of its own.

// In reading order.
mod document;
mod original;
mod merge;
mod sentiment;
mod emoticon;
pub mod vader;
mod entities;
mod marketplace;
mod geo;

pub use crate::document::{Author, Document, Origin, Place, enrich, kind_name};
pub use crate::geo::{GeoSource, Location};
pub use crate::marketplace::canonical as canonical_marketplace;
pub use crate::original::original;
pub use crate::sentiment::{Label, Method, Sentiment, judge, label_of};
