//! What a frame of a Jetstream says of itself. What is in a post is read later, by `ingest`.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

use ingest::Timestamp;
use serde::Deserialize;

/// What a frame is.
pub(super) enum Read {
    Event(Event),
    /// The server says something about the connection.
    Info(String),
    /// The server ends the connection.
    Error(String),
    Unknown,
}

/// An event.
pub(super) struct Event {
    /// Its number on the server.
    pub(super) seq: Option<u64>,
    /// When the server saw it, in microseconds since 1970.
    pub(super) time_us: Option<i64>,
    /// Whether it concerns a post.
    pub(super) is_post: bool,
    /// A hash of what it is about: the same for the same event from any server.
    pub(super) key: u64,
}

#[derive(Deserialize)]
struct Frame<'f> {
    #[serde(borrow, rename = "$type")]
    type_: Option<&'f str>,
    payload: Option<Payload>,
    error: Option<String>,
    message: Option<String>,
    // Of version 1.
    did: Option<String>,
    time_us: Option<i64>,
    kind: Option<String>,
    commit: Option<Commit>,
}

/// A message of version 2.
#[derive(Deserialize)]
struct Payload {
    #[serde(rename = "$type")]
    type_: String,
    seq: Option<u64>,
    time: Option<String>,
    #[serde(rename = "witnessedAt")]
    witnessed_at: Option<String>,
    did: Option<String>,
    name: Option<String>,
    message: Option<String>,
    operation: Option<String>,
    collection: Option<String>,
    rkey: Option<String>,
    rev: Option<String>,
}

#[derive(Deserialize, Default, Hash)]
#[serde(default)]
struct Commit {
    operation: Option<String>,
    collection: Option<String>,
    rkey: Option<String>,
    rev: Option<String>,
}

/// Reads a frame.
pub(super) fn read(frame: &[u8]) -> Read {
    let Ok(read) = serde_json::from_slice::<Frame<'_>>(frame) else { return Read::Unknown };
    match (read.type_, read.payload, read.kind) {
        (Some("error"), _, _) => Read::Error(said(read.error, read.message)),
        (Some("message"), Some(payload), _) => {
            if payload.type_.ends_with("#info") {
                return Read::Info(said(payload.name, payload.message));
            }
            let Payload { type_, seq, time, witnessed_at, did, .. } = payload;
            let Payload { operation, collection, rkey, rev, .. } = payload;
            let commit = Commit { operation, collection, rkey, rev };
            let time = witnessed_at.or(time);
            Read::Event(Event {
                seq,
                time_us: time.as_deref().and_then(microseconds),
                is_post: type_.ends_with("#commit") && commit.is_post(),
                key: hash(&did, &commit),
            })
        }
        (_, _, Some(kind)) => {
            let commit = read.commit.unwrap_or_default();
            Read::Event(Event {
                seq: None,
                time_us: read.time_us,
                is_post: kind == "commit" && commit.is_post(),
                key: hash(&read.did, &commit),
            })
        }
        _ => Read::Unknown,
    }
}

impl Commit {
    fn is_post(&self) -> bool {
        self.collection.as_deref() == Some(super::POSTS)
    }
}

fn said(name: Option<String>, message: Option<String>) -> String {
    [name, message].into_iter().flatten().collect::<Vec<_>>().join(": ")
}

fn hash(did: &Option<String>, commit: &Commit) -> u64 {
    BuildHasherDefault::<DefaultHasher>::default().hash_one((did, commit))
}

/// The microseconds since 1970 of `2024-09-09T19:46:02.329308Z`.
fn microseconds(time: &str) -> Option<i64> {
    time.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_microsecond)
}

/// A time in microseconds since 1970, as people read it.
pub(super) fn readable(time_us: i64) -> String {
    Timestamp::from_millis(time_us / 1000).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_versions_say_the_same_of_the_same_event() {
        let v1 = br#"{"did":"did:plc:a","time_us":1725911162329308,"kind":"commit","commit":{"rev":"r","operation":"create","collection":"app.bsky.feed.post","rkey":"k","record":{"text":"x"},"cid":"c"}}"#;
        let v2 = br#"{"$type":"message","payload":{"$type":"network.bsky.jetstream.subscribeEvents#commit","seq":12345,"did":"did:plc:a","time":"2024-09-09T19:46:02.329308Z","rev":"r","operation":"create","collection":"app.bsky.feed.post","rkey":"k","record":{"text":"x"}}}"#;
        let (Read::Event(v1), Read::Event(v2)) = (read(v1), read(v2)) else { panic!("no events") };
        assert_eq!((v1.seq, v1.time_us, v1.is_post), (None, Some(1_725_911_162_329_308), true));
        assert_eq!((v2.seq, v2.time_us, v2.is_post), (Some(12345), v1.time_us, true));
        assert_eq!(v1.key, v2.key);
        for (frame, expected) in [
            (
                r#"{"$type":"error","error":"ConsumerTooSlow","message":"too slow"}"#,
                "ConsumerTooSlow: too slow",
            ),
            (
                r#"{"$type":"message","payload":{"$type":"network.bsky.jetstream.subscribeEvents#info","name":"OutdatedCursor","message":"from 7"}}"#,
                "OutdatedCursor: from 7",
            ),
        ] {
            let (Read::Error(said) | Read::Info(said)) = read(frame.as_bytes()) else {
                panic!("{frame}")
            };
            assert_eq!(said, expected);
        }
    }
}
