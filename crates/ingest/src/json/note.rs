//! The entries of a Twitter archive's `note-tweet.js`: posts of more than 280 characters.

use serde::Deserialize;

use super::lenient::{List, Object, Text};
use super::schema::{Mention, Tag, Url};

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct ArchivedNote<'a> {
    #[serde(borrow, rename = "noteTweetId")]
    pub(super) id: Text<'a>,
    #[serde(borrow, rename = "createdAt")]
    pub(super) created_at: Text<'a>,
    #[serde(borrow)]
    pub(super) core: Object<NoteCore<'a>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct NoteCore<'a> {
    #[serde(borrow)]
    pub(super) text: Text<'a>,
    #[serde(borrow)]
    pub(super) urls: List<Url<'a>>,
    #[serde(borrow)]
    pub(super) mentions: List<Mention<'a>>,
    #[serde(borrow)]
    pub(super) hashtags: List<Tag<'a>>,
    #[serde(borrow)]
    pub(super) cashtags: List<Tag<'a>>,
}
