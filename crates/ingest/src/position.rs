//! How far a source has been read, and how to continue from there.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::Mark;

/// A position between two records of a source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// How many decompressed bytes come before it.
    pub offset: u64,
    /// How many lines come before it.
    pub line: u64,
    /// How many records come before it.
    pub records: u64,
    /// The member of an archive that all of this is counted in.
    #[serde(default, skip_serializing_if = "MemberPlace::is_first")]
    pub place: MemberPlace,
}

impl Position {
    /// Whether anything comes before it.
    pub fn is_begun(&self) -> bool {
        self.offset > 0 || !self.place.is_first()
    }
}

/// Where a member stands in an archive.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberPlace {
    /// How many members come before it, those of archives in the archive included.
    pub leaf: u64,
    /// Where to begin to look for it, in a tar archive that is not compressed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tar: Option<TarPlace>,
}

impl MemberPlace {
    fn is_first(&self) -> bool {
        *self == MemberPlace::default()
    }
}

/// Where an entry of a tar archive begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TarPlace {
    /// How many bytes of the archive come before it.
    pub offset: u64,
    /// How many members come before it.
    pub leaf: u64,
}

/// A position from which a source can be read again later: see [`Batches::resume`](crate::Batches::resume).
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Checkpoint {
    /// How far the source was read.
    pub position: Position,
    /// A mark at or before that position; `None` if the source is not compressed, or if decompressing has to start at
    /// its beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) mark: Option<Mark>,
}

impl Checkpoint {
    /// A checkpoint at `position`, with the last of `marks` that lies before it.
    pub fn new(position: Position, mut marks: VecDeque<Mark>) -> Checkpoint {
        Checkpoint::forget(position, &mut marks);
        let is_before =
            |mark: &Mark| mark.bytes_out <= position.offset && position.place.is_first();
        let mark = marks.pop_front().filter(is_before);
        Checkpoint { position, mark }
    }

    /// Drops the marks that no checkpoint at `position` or later needs.
    pub fn forget(position: Position, marks: &mut VecDeque<Mark>) {
        while marks.get(1).is_some_and(|next| next.bytes_out <= position.offset) {
            marks.pop_front();
        }
    }

    /// The mark at which decompressing can be resumed, if the checkpoint has one.
    pub fn into_mark(self) -> Option<Mark> {
        self.mark
    }
}
