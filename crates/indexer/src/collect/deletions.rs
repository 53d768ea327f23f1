//! Which posts a source says were written, changed or deleted.

use serde::Deserialize;

/// What a line says of a post.
#[derive(Debug, PartialEq)]
pub(super) struct Change {
    pub(super) id: String,
    /// Where the line begins.
    pub(super) line_start: usize,
    pub(super) what: What,
}

/// What happened to a post.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Created,
    /// The line has a new version of it.
    Updated,
    Deleted,
}

/// A line, as far as it tells.
#[derive(Deserialize)]
struct Line<'l> {
    #[serde(borrow)]
    did: Option<&'l str>,
    #[serde(borrow)]
    commit: Option<Commit<'l>>,
    /// Of Jetstream's version 2.
    #[serde(borrow)]
    payload: Option<Commit<'l>>,
    #[serde(borrow)]
    delete: Option<Delete<'l>>,
}

#[derive(Deserialize)]
struct Commit<'l> {
    #[serde(borrow)]
    did: Option<&'l str>,
    #[serde(borrow)]
    operation: Option<&'l str>,
    #[serde(borrow)]
    collection: Option<&'l str>,
    #[serde(borrow)]
    rkey: Option<&'l str>,
}

/// A deleted tweet, in streams of API v1.1.
#[derive(Deserialize)]
struct Delete<'l> {
    #[serde(borrow)]
    status: Option<Status<'l>>,
}

#[derive(Deserialize)]
struct Status<'l> {
    #[serde(borrow)]
    id_str: Option<&'l str>,
}

/// Finds what lines say of posts, in order.
pub(super) fn changes(lines: &[u8]) -> Vec<Change> {
    let mut found = Vec::new();
    let mut line_start = 0;
    for line in lines.split_inclusive(|byte| *byte == b'\n') {
        let change = serde_json::from_slice::<Line<'_>>(line).ok().and_then(|line| line.change());
        found.extend(change.map(|(id, what)| Change { id, line_start, what }));
        line_start += line.len();
    }
    found
}

impl Line<'_> {
    fn change(&self) -> Option<(String, What)> {
        if let Some(Delete { status: Some(Status { id_str: Some(id) }) }) = self.delete {
            return Some((id.to_owned(), What::Deleted));
        }
        let commit = self.commit.as_ref().or(self.payload.as_ref())?;
        let did = self.did.or(commit.did)?;
        let (collection, rkey) = (commit.collection?, commit.rkey?);
        let change = match commit.operation? {
            "create" => What::Created,
            "update" => What::Updated,
            "delete" => What::Deleted,
            _ => return None,
        };
        let is_post = collection == "app.bsky.feed.post";
        is_post.then(|| (format!("at://{did}/{collection}/{rkey}"), change))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deletions_and_changes_are_found_in_every_network_s_words() {
        let lines = concat!(
            r#"{"did":"did:plc:a","time_us":1,"kind":"commit","commit":{"operation":"create","collection":"app.bsky.feed.post","rkey":"1","record":{"text":"delete"}}}"#,
            "\n",
            r#"{"did":"did:plc:a","time_us":1,"kind":"commit","commit":{"operation":"delete","collection":"app.bsky.feed.post","rkey":"1"}}"#,
            "\n",
            r#"{"did":"did:plc:a","time_us":1,"kind":"commit","commit":{"operation":"delete","collection":"app.bsky.feed.like","rkey":"1"}}"#,
            "\n",
            r#"{"$type":"message","payload":{"$type":"x#commit","did":"did:plc:b","operation":"update","collection":"app.bsky.feed.post","rkey":"2","record":{}}}"#,
            "\n",
            r#"{"delete":{"status":{"id":3,"id_str":"3"}}}"#,
            "\n",
        );
        let found = changes(lines.as_bytes());
        let said: Vec<_> = found.iter().map(|one| (&*one.id, one.what)).collect();
        assert_eq!(
            said,
            [
                ("at://did:plc:a/app.bsky.feed.post/1", What::Created),
                ("at://did:plc:a/app.bsky.feed.post/1", What::Deleted),
                ("at://did:plc:b/app.bsky.feed.post/2", What::Updated),
                ("3", What::Deleted)
            ]
        );
        assert!(lines[found[2].line_start..].starts_with("{\"$type\""));
    }
}
