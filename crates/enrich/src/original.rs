//! Where the original of a document can be read.

use ingest::{Network, Timestamp};

use crate::Document;

/// The address at which people can read the original.
pub fn original(document: &Document) -> Option<String> {
    match document.network {
        Network::Twitter => {
            is_tweet_id(document).then(|| format!("https://x.com/i/status/{}", document.id))
        }
        // The uri of a post leads to it.
        Network::Mastodon => document.id.starts_with("https://").then(|| document.id.to_string()),
        Network::Bluesky => {
            let (did, path) = document.id.strip_prefix("at://")?.split_once('/')?;
            let key = path.strip_prefix("app.bsky.feed.post/")?;
            Some(format!("https://bsky.app/profile/{did}/post/{key}"))
        }
    }
}

/// When Twitter's ids began to contain the time of the tweet: 4 November 2010, in milliseconds since 1970.
const SNOWFLAKES_SINCE_MS: i64 = 1_288_834_974_657;

/// Whether the id is one of Twitter's. Row numbers and ids of other networks are numbers too, but the time that one
/// would get from such a number is not the document's.
fn is_tweet_id(document: &Document) -> bool {
    let id = &document.id;
    let is_number = !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit());
    match Timestamp::from_id(id) {
        Some(time) => time == document.timestamp,
        None => is_number && document.timestamp.as_millis() < SNOWFLAKES_SINCE_MS,
    }
}
