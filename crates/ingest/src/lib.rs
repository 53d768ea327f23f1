//! Reads tweets from files as people export and archive them: bytes go in, tweets come out.
//!
//! It reads CSV in its dialects and JSON in any arrangement: v1.1 tweets and stream notices, v2 pages, stream lines and
//! flattened lines, Twitter archives; plain or gzip. Formats are told apart by content.
//!
//! This crate opens no file and no socket: it takes anything that implements [`std::io::Read`]. Nothing is lost on the
//! way: each record comes out as an [`Item`], which is a tweet, a notice or a reject.
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
//! [`Batch::read`], which reads the tweets of a batch and can be called on any thread.

// In reading order.
mod batches;
mod decode;
mod gzip;
mod codec;
mod kpl;
mod origin;
mod unpack;
mod archive;
mod position;
mod sniff;
mod beginning;
mod format;
mod batch;
mod read;
mod forward;
mod item;
mod describe;
mod csv;
mod json;
mod field;
mod overlooked;
mod python;
mod record;
mod value;
mod identity;
mod language;
mod time;
mod text;
mod tweet;
mod options;
mod reject;
mod error;

pub use crate::archive::{Archive, ArchivePart};
pub use crate::batch::Batch;
pub use crate::batches::{Batches, open};
pub use crate::describe::{DescribedColumn, Description, Detail};
pub use crate::error::Error;
pub use crate::field::Field;
pub use crate::gzip::Mark;
pub use crate::identity::MAX_ID_BYTES;
pub use crate::item::Item;
pub use crate::json::page_lines;
pub use crate::language::language_tag;
pub use crate::options::Options;
pub use crate::origin::{HEAD_BYTES, Origin, Spool};
pub use crate::position::{Checkpoint, MemberPlace, Position, TarPlace};
pub use crate::reject::{MAX_RAW_BYTES, Rejected, Stage};
pub use crate::text::unescape_entities;
pub use crate::time::{DayOrder, Timestamp};
pub use crate::tweet::{
    BoundingBox, Counts, Entities, IdCheck, Kind, Network, Place, Point, Tweet, Unread, User,
};
pub use crate::unpack::{Input, Member, is_passed_over, unpack};
