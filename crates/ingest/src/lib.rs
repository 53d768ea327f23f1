//! Reads tweets as people have them: bytes in, tweets out.
//!
//! CSV in its dialects, and JSON however it is strung together: v1.1 tweets and stream notices, v2
//! pages, stream lines and flattened lines, archives; plain or gzip; told apart by content.
//!
//! This crate opens no file and no socket: it takes anything that implements [`std::io::Read`]. Nothing
//! is lost on the way: each record comes out as an [`Item`], which is a tweet, a notice or a reject.
//!
//! ```
//! use std::sync::Arc;
//! use ingest::{Item, Options};
//!
//! let csv = "id,text\n1601645088790257667,Q&amp;A about AWS\n";
//! let mut texts = Vec::new();
//! for batch in ingest::open(csv.as_bytes(), &Arc::new(Options::default()))? {
//!     batch?.read(|item| match item {
//!         Item::Tweet { tweet, .. } => texts.push(tweet.text.into_owned()),
//!         Item::Document { .. } | Item::Notice { .. } => {}
//!         Item::Rejected(rejected) => panic!("{}", rejected.reason),
//!     });
//! }
//! assert_eq!(texts, ["Q&A about AWS"]);
//! # Ok::<(), ingest::Error>(())
//! ```
//!
//! Start reading at [`open`], which splits a stream into batches of records, then at
//! [`Batch::read`], which reads the tweets of a batch, on whichever thread has time.

// In reading order.
mod decode;
mod gzip;
mod sniff;
mod columns;
mod split;
mod read;
mod csv;
mod json;
mod tweet;
mod time;
mod text;
mod reject;
mod error;

pub use crate::columns::Field;
pub use crate::error::Error;
pub use crate::gzip::Mark;
pub use crate::read::{Item, MAX_ID_BYTES, Options};
pub use crate::reject::{MAX_RAW_BYTES, Rejected, Stage};
pub use crate::split::{Batch, Batches, Checkpoint, Position, open};
pub use crate::text::unescape_entities;
pub use crate::time::Timestamp;
pub use crate::tweet::{BoundingBox, Counts, Entities, Kind, Place, Point, Tweet, User};
