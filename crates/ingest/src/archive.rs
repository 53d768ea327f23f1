//! What the files of a Twitter archive say of each other: whose tweets they are, and the whole texts of long ones, which stand
//! in a file of their own.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::io::Read;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::text::unescape_entities;
use crate::{Item, Options, Timestamp, Tweet, batches};

/// How much of a file about others is read, in bytes.
const MAX_BYTES: u64 = 64 * 1024 * 1024;
/// So many characters at the beginning of a text, and the second in which it was written, tell which tweet a note belongs to.
const PREFIX_CHARS: usize = 40;

/// A file of a Twitter archive that others are read with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ArchivePart {
    /// `account.js`: whose archive it is.
    Account,
    /// `note-tweet.js`: the texts of long tweets.
    Notes,
    /// `tweets.js`, `tweets-part1.js`, `deleted-tweets.js`: tweets, long ones cut.
    Tweets,
}

impl ArchivePart {
    /// What the file with this name is.
    pub fn of(name: &str) -> Option<ArchivePart> {
        let stem = name.strip_suffix(".js")?;
        let stem = match stem.rsplit_once("-part") {
            Some((stem, number)) if number.bytes().all(|b| b.is_ascii_digit()) => stem,
            _ => stem,
        };
        match stem {
            "account" => Some(ArchivePart::Account),
            "note-tweet" => Some(ArchivePart::Notes),
            "tweets" | "tweet" | "deleted-tweets" | "deleted-tweet" | "community-tweet"
            | "community-tweets" => Some(ArchivePart::Tweets),
            _ => None,
        }
    }
}

/// The second in which a tweet was written, and how its text begins.
type Key = (i64, String);

/// What the files of a Twitter archive say of each other.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Archive {
    account: Option<Account>,
    /// The entries of `note-tweet.js`, as JSON.
    notes: HashMap<Key, String>,
    /// The tweets that are read elsewhere.
    tweets: HashSet<Key>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Account {
    account_id: Option<String>,
    username: Option<String>,
    account_display_name: Option<String>,
}

impl Archive {
    /// Whether nothing is known.
    pub fn is_empty(&self) -> bool {
        *self == Archive::default()
    }

    /// Takes in what a file says of others. One that cannot be read says nothing; reading it for itself will report that.
    pub fn add(&mut self, part: ArchivePart, reader: impl Read) {
        match part {
            ArchivePart::Account => self.add_account(&text_of(reader)),
            ArchivePart::Notes => self.add_notes(&text_of(reader)),
            ArchivePart::Tweets => self.add_tweets(reader),
        }
    }

    fn add_account(&mut self, json: &str) {
        #[derive(Deserialize)]
        struct Entry {
            account: Account,
        }
        let entries = serde_json::from_str::<Vec<Entry>>(json).unwrap_or_default();
        self.account = entries.into_iter().next().map(|entry| entry.account);
    }

    fn add_notes(&mut self, json: &str) {
        #[derive(Deserialize)]
        struct Entry<'e> {
            #[serde(borrow, rename = "noteTweet")]
            note: Note<'e>,
        }
        #[derive(Deserialize)]
        struct Note<'e> {
            #[serde(borrow, rename = "createdAt")]
            created_at: Cow<'e, str>,
            #[serde(borrow)]
            core: Core<'e>,
        }
        #[derive(Deserialize)]
        struct Core<'e> {
            #[serde(borrow)]
            text: Cow<'e, str>,
        }
        for entry in serde_json::from_str::<Vec<&RawValue>>(json).unwrap_or_default() {
            let Ok(Entry { note }) = serde_json::from_str(entry.get()) else { continue };
            if let Some(time) = Timestamp::parse(&note.created_at) {
                let key = key(time, &unescape_entities(note.core.text));
                self.notes.insert(key, entry.get().to_owned());
            }
        }
    }

    fn add_tweets(&mut self, reader: impl Read) {
        let Ok(batches) = batches::open(reader, &Arc::new(Options::default())) else { return };
        for batch in batches.flatten() {
            batch.read(|item| {
                if let Item::Tweet { tweet, .. } = item {
                    self.tweets.insert(key(tweet.created_at, &tweet.text));
                }
            });
        }
    }

    /// The whole text of a tweet, as the entry of `note-tweet.js`.
    pub(crate) fn note_of(&self, tweet: &Tweet<'_>) -> Option<&str> {
        if self.notes.is_empty() {
            return None;
        }
        self.notes.get(&key(tweet.created_at, &tweet.text)).map(String::as_str)
    }

    /// Whether a note belongs to a tweet that is read elsewhere. Its id is older than the tweet's, so that its date counts.
    pub(crate) fn has_tweet_of(&self, note: &Tweet<'_>, created_at: Option<&str>) -> bool {
        let time = created_at.and_then(Timestamp::parse).unwrap_or(note.created_at);
        self.tweets.contains(&key(time, &note.text))
    }

    /// Says whose a tweet is, if that is not known.
    pub(crate) fn add_author<'a>(&'a self, tweet: &mut Tweet<'a>) {
        let Some(account) = &self.account else { return };
        let user = &mut tweet.user;
        if user.id.is_none() && user.screen_name.is_none() {
            user.id = account.account_id.as_deref().map(Cow::Borrowed);
            user.screen_name = account.username.as_deref().map(Cow::Borrowed);
            user.name = account.account_display_name.as_deref().map(Cow::Borrowed);
        }
    }
}

fn key(time: Timestamp, text: &str) -> Key {
    (time.as_millis().div_euclid(1_000), text.chars().take(PREFIX_CHARS).collect())
}

/// What is assigned in a file: `window.YTD.account.part0 = […]`.
fn text_of(reader: impl Read) -> String {
    let mut text = String::new();
    // What cannot be read says nothing.
    let _ = reader.take(MAX_BYTES).read_to_string(&mut text);
    text.find('=').map_or_else(String::new, |at| text.split_off(at + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_known_by_their_names() {
        for (name, expected) in [
            ("tweets.js", Some(ArchivePart::Tweets)),
            ("tweets-part12.js", Some(ArchivePart::Tweets)),
            ("deleted-tweets.js", Some(ArchivePart::Tweets)),
            ("note-tweet.js", Some(ArchivePart::Notes)),
            ("account.js", Some(ArchivePart::Account)),
            ("tweet-headers.js", None),
            ("direct-messages.js", None),
            ("tweets.json", None),
        ] {
            assert_eq!(ArchivePart::of(name), expected, "{name}");
        }
    }
}
