//! Records that did not become a tweet, kept so that none is lost.

use serde::{Deserialize, Serialize};

use crate::text::decode;

/// How much of a record is kept in its reject, in bytes.
pub const MAX_RAW_BYTES: usize = 64 * 1024;

/// The step at which a record was rejected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// The bytes could not be split off as a whole record: they are broken, cut off, too long, or no record at all.
    Read,
    /// No tweet could be made of the record.
    Parse,
    /// The store refused it.
    Index,
}

/// A record that was not indexed, as one line of the rejects file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rejected {
    /// The file or object it comes from.
    pub source: String,
    /// The line it starts on, from 1, in the decompressed source.
    pub line: u64,
    /// The tweet's id, if it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Where it was given up.
    pub stage: Stage,
    /// Why it was rejected, worded for the user.
    pub reason: String,
    /// The header of its CSV file, without which the row could not be read again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub header: Option<String>,
    /// The record itself, at most [`MAX_RAW_BYTES`].
    pub raw: String,
    /// How long the record was, if `raw` was cut.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub raw_cut_from: Option<usize>,
}

impl Rejected {
    /// A reject of `raw`, which is cut if it is too long. `source` is left empty for the caller to fill in.
    pub fn new(line: u64, stage: Stage, reason: impl Into<String>, raw: &[u8]) -> Rejected {
        let mut kept = &raw[..raw.len().min(MAX_RAW_BYTES)];
        if kept.len() < raw.len()
            && let Err(error) = std::str::from_utf8(kept)
            && error.error_len().is_none()
        {
            // The cut has split a character in two.
            kept = &kept[..error.valid_up_to()];
        }
        // As the record was read, so that reading the reject finds the same text.
        let text = decode(kept);
        Rejected {
            source: String::new(),
            line,
            id: None,
            stage,
            reason: reason.into(),
            header: None,
            raw: text.into_owned(),
            raw_cut_from: (kept.len() < raw.len()).then_some(raw.len()),
        }
    }
}
