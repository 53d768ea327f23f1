//! Which posts a source says were deleted or changed.

use serde::Deserialize;

/// A post that is to be deleted from the store.
#[derive(Debug, PartialEq)]
pub(super) struct Deleted {
    pub(super) id: String,
    /// Where the line that says so begins.
    pub(super) line_start: usize,
    /// Whether that line has a new version of it.
    pub(super) is_replaced: bool,
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

/// Finds the deletions and changes in lines, in order.
pub(super) fn deleted(lines: &[u8]) -> Vec<Deleted> {
    let mut found = Vec::new();
    let mut line_start = 0;
    for line in lines.split_inclusive(|byte| *byte == b'\n') {
        match serde_json::from_slice::<Line<'_>>(line).ok().and_then(|line| line.change()) {
            Some((id, Change::Deleted)) => {
                found.push(Deleted { id, line_start, is_replaced: false });
            }
            Some((id, Change::Updated)) => {
                found.push(Deleted { id, line_start, is_replaced: true })
            }
            // A post of the same name, written anew.
            Some((id, Change::Created)) => {
                found.retain(|deleted: &Deleted| deleted.id != id || deleted.is_replaced);
            }
            None => {}
        }
        line_start += line.len();
    }
    found
}

/// What happened to a post.
enum Change {
    Created,
    Updated,
    Deleted,
}

impl Line<'_> {
    fn change(&self) -> Option<(String, Change)> {
        if let Some(Delete { status: Some(Status { id_str: Some(id) }) }) = self.delete {
            return Some((id.to_owned(), Change::Deleted));
        }
        let commit = self.commit.as_ref().or(self.payload.as_ref())?;
        let did = self.did.or(commit.did)?;
        let (collection, rkey) = (commit.collection?, commit.rkey?);
        let change = match commit.operation? {
            "create" => Change::Created,
            "update" => Change::Updated,
            "delete" => Change::Deleted,
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
        let found = deleted(lines.as_bytes());
        let ids: Vec<_> = found.iter().map(|one| (&*one.id, one.is_replaced)).collect();
        assert_eq!(
            ids,
            [
                ("at://did:plc:a/app.bsky.feed.post/1", false),
                ("at://did:plc:b/app.bsky.feed.post/2", true),
                ("3", false)
            ]
        );
        assert!(lines[found[1].line_start..].starts_with("{\"$type\""));
    }
}
