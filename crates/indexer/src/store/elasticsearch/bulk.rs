//! A bulk request: what is sent for each document, and what its answer means.
//!
//! A document is first sent with `create`. If its id exists already, the stored document is read (by an empty `update`,
//! a `noop` whose answer contains the document), merged with the new one by [`Document::merge`], and, if that changes
//! anything, replaced, provided that nobody else has changed it in the meantime (`if_seq_no`). So all stores merge with
//! the same code, a rerun writes nothing, and `_bulk` is the only API that is needed.

use std::borrow::Cow;
use std::io::Write;
use std::ops::Range;
use std::sync::Arc;

use enrich::Document;
use flate2::Compression;
use flate2::write::GzEncoder;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;
use serde_json::value::RawValue;

use super::response::{RequestError, is_block, is_passing, reason};

/// The documents of a bulk request, serialized once.
#[derive(Default)]
pub(super) struct Bulk {
    /// Their JSON, one after the other.
    json: Vec<u8>,
    pub(super) entries: Vec<Entry>,
    /// How many documents had been taken in before its first one.
    pub(super) first: u64,
}

/// A document in a bulk request, and where it was read.
pub(super) struct Entry {
    pub(super) id: String,
    pub(super) index: Arc<str>,
    pub(super) source: Arc<str>,
    pub(super) line: u64,
    /// How many records were merged into it.
    pub(super) records: u64,
    /// How many documents had been taken in before it.
    pub(super) delivery: u64,
    range: Range<usize>,
}

impl Bulk {
    /// How many bytes its documents have.
    pub(super) fn bytes(&self) -> usize {
        self.json.len()
    }

    /// Adds a document to the request.
    pub(super) fn push(
        &mut self,
        document: &Document,
        index: Arc<str>,
        source: Arc<str>,
        line: u64,
        delivery: u64,
    ) {
        let range = self.write(document);
        let id = document.id.clone();
        self.entries.push(Entry { id, index, source, line, records: 1, delivery, range });
    }

    /// Merges a document into the one that is at `entry` with the same id.
    pub(super) fn merge(&mut self, entry: usize, later: Document) {
        let merged = match serde_json::from_slice::<Document>(self.json(entry)) {
            Ok(mut merged) => {
                merged.merge(later);
                merged
            }
            // Does not happen: this JSON was written from a document a moment ago.
            Err(_) => later,
        };
        self.entries[entry].records += 1;
        self.entries[entry].range = self.write(&merged);
    }

    fn write(&mut self, document: &Document) -> Range<usize> {
        let start = self.json.len();
        // Does not fail: a document consists of text and numbers, and is written to memory.
        let _ = serde_json::to_writer(&mut self.json, document);
        start..self.json.len()
    }

    /// A document's JSON.
    pub(super) fn json(&self, entry: usize) -> &[u8] {
        &self.json[self.entries[entry].range.clone()]
    }
}

/// What is to be done with a document of a bulk request.
pub(super) struct Operation {
    /// The document's place in the request.
    pub(super) entry: usize,
    pub(super) action: Action,
    /// Whether it had to be sent again.
    pub(super) was_retried: bool,
    /// How often another client changed the document first.
    pub(super) conflicts: u32,
}

/// What is asked of the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Action {
    /// To store the document, unless its id exists already.
    Create,
    /// To return the stored document.
    Read,
    /// To store the merged document, provided that the stored one is still the one that was read.
    Replace { json: Vec<u8>, seq_no: u64, primary_term: u64 },
}

/// The body of a request, compressed or not.
pub(super) fn body(bulk: &Bulk, operations: &[Operation], gzip: bool) -> std::io::Result<Vec<u8>> {
    if gzip {
        // The fastest level: stronger compression would rarely save as much time on the network as it costs.
        let mut out = GzEncoder::new(Vec::new(), Compression::fast());
        write_body(bulk, operations, &mut out)?;
        out.finish()
    } else {
        let mut out = Vec::with_capacity(bulk.bytes() + operations.len() * 80);
        write_body(bulk, operations, &mut out)?;
        Ok(out)
    }
}

fn write_body(bulk: &Bulk, operations: &[Operation], out: &mut impl Write) -> std::io::Result<()> {
    #[derive(Serialize)]
    struct Target<'t> {
        _index: &'t str,
        _id: &'t str,
        #[serde(skip_serializing_if = "Option::is_none")]
        _source: Option<bool>,
        #[serde(skip_serializing_if = "Option::is_none")]
        if_seq_no: Option<u64>,
        #[serde(skip_serializing_if = "Option::is_none")]
        if_primary_term: Option<u64>,
    }
    #[derive(Serialize)]
    #[serde(rename_all = "lowercase")]
    enum Line<'t> {
        Create(Target<'t>),
        Update(Target<'t>),
        Index(Target<'t>),
    }
    for Operation { entry, action, .. } in operations {
        let Entry { id, index, .. } = &bulk.entries[*entry];
        let mut target = Target {
            _index: index,
            _id: id,
            _source: None,
            if_seq_no: None,
            if_primary_term: None,
        };
        let (line, document) = match action {
            Action::Create => (Line::Create(target), bulk.json(*entry)),
            Action::Read => {
                // An update that changes nothing is the one operation of `_bulk` that returns a document.
                target._source = Some(true);
                (Line::Update(target), br#"{"doc":{}}"#.as_slice())
            }
            Action::Replace { json, seq_no, primary_term } => {
                (target.if_seq_no, target.if_primary_term) = (Some(*seq_no), Some(*primary_term));
                (Line::Index(target), json.as_slice())
            }
        };
        serde_json::to_writer(&mut *out, &line)?;
        out.write_all(b"\n")?;
        out.write_all(document)?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

/// The parts of an answer that are used. The server leaves out the rest.
pub(super) const FILTER_PATH: &str = "items.*.status,items.*.result,items.*.error,\
     items.*._seq_no,items.*._primary_term,items.*.get._source";

/// What became of one operation.
#[derive(Debug, PartialEq)]
pub(super) enum Verdict {
    /// The id was not there, and is now.
    Created,
    /// The id was there, and the stored document contains everything that ours does.
    Known,
    /// The document needs this operation next.
    Next(Action),
    /// The id exists, or the document has changed since it was read: read it (again).
    Conflict,
    /// The cluster is busy: send the same operation again later.
    Later(String),
    /// The cluster will never accept this document.
    Refused(String),
    /// The cluster accepts no documents at all, at least in this index.
    Stopped(RequestError),
}

/// Judges the items of an answer one by one; `None` if it is not an answer to `operations`.
pub(super) fn judge(bulk: &Bulk, operations: &[Operation], answer: &[u8]) -> Option<Vec<Verdict>> {
    let answer: BulkAnswer<'_> = serde_json::from_slice(answer).ok()?;
    if answer.items.len() != operations.len() {
        return None;
    }
    let items = answer.items.into_iter().zip(operations);
    Some(items.map(|(item, operation)| verdict(bulk, operation, item.result)).collect())
}

#[derive(Deserialize)]
struct BulkAnswer<'a> {
    #[serde(borrow)]
    items: Vec<Item<'a>>,
}

#[derive(Deserialize)]
struct Item<'a> {
    #[serde(borrow, alias = "create", alias = "update", alias = "index")]
    result: ItemResult<'a>,
}

#[derive(Deserialize)]
struct ItemResult<'a> {
    status: u16,
    #[serde(borrow)]
    result: Option<Cow<'a, str>>,
    #[serde(borrow)]
    error: Option<&'a RawValue>,
    #[serde(rename = "_seq_no")]
    seq_no: Option<u64>,
    #[serde(rename = "_primary_term")]
    primary_term: Option<u64>,
    #[serde(borrow)]
    get: Option<Got<'a>>,
}

#[derive(Deserialize)]
struct Got<'a> {
    #[serde(borrow, rename = "_source")]
    source: &'a RawValue,
}

fn verdict(bulk: &Bulk, operation: &Operation, result: ItemResult<'_>) -> Verdict {
    let status = result.status;
    match (status, &operation.action) {
        // A `noop` is the only sign that an ingest pipeline has dropped the document.
        (200..300, Action::Create | Action::Replace { .. })
            if result.result.as_deref() == Some("noop") =>
        {
            Verdict::Refused("an ingest pipeline of the cluster drops it".to_owned())
        }
        (200..300, Action::Create) => Verdict::Created,
        (200..300, Action::Replace { .. }) => Verdict::Known,
        (200..300, Action::Read) => merged(bulk, operation.entry, result),
        // The id exists already, or another client has changed the document.
        (409, _) => Verdict::Conflict,
        _ => {
            let error = result.error.and_then(|raw| serde_json::from_str(raw.get()).ok());
            let error: Json = error.unwrap_or_default();
            let reason = reason(&error);
            match status {
                404 if error["type"] == "document_missing_exception" => {
                    Verdict::Next(Action::Create)
                }
                _ if matches!(status, 401 | 403) || is_block(&error) => {
                    let blocked = is_block(&error);
                    Verdict::Stopped(RequestError::Status {
                        status,
                        reason,
                        retry_after: None,
                        blocked,
                    })
                }
                _ if is_passing(status) => Verdict::Later(format!("{status} {reason}")),
                _ => Verdict::Refused(format!("{status} {reason}")),
            }
        }
    }
}

fn merged(bulk: &Bulk, entry: usize, result: ItemResult<'_>) -> Verdict {
    let (Some(got), Some(seq_no), Some(primary_term)) =
        (result.get, result.seq_no, result.primary_term)
    else {
        return Verdict::Refused(
            "the server did not return the document that it has under this id".to_owned(),
        );
    };
    let (ours, there) = (bulk.json(entry), got.source.get());
    // In a rerun, the server returns the very bytes that were sent the first time.
    if ours == there.as_bytes() {
        return Verdict::Known;
    }
    let merge = || -> serde_json::Result<Option<Vec<u8>>> {
        let before: Document = serde_json::from_str(there)?;
        let mut after = before.clone();
        after.merge(serde_json::from_slice(ours)?);
        if after == before {
            return Ok(None);
        }
        // Other programs may have added their own fields, which are kept.
        let mut whole: Json = serde_json::from_str(there)?;
        overlay(&mut whole, &serde_json::to_value(&before)?, serde_json::to_value(&after)?);
        serde_json::to_vec(&whole).map(Some)
    };
    match merge() {
        Ok(None) => Verdict::Known,
        Ok(Some(json)) => Verdict::Next(Action::Replace { json, seq_no, primary_term }),
        Err(error) => Verdict::Refused(format!(
            "the document under this id was not written by indexer: {error}"
        )),
    }
}

/// Replaces the fields of `before` in `whole` with those of `after`, and keeps all its other fields.
fn overlay(whole: &mut Json, before: &Json, after: Json) {
    match (whole, after) {
        (Json::Object(whole), Json::Object(after)) => {
            let is_gone = |name: &str| before.get(name).is_some() && !after.contains_key(name);
            whole.retain(|name, _| !is_gone(name));
            for (name, value) in after {
                let before = before.get(&name).unwrap_or(&Json::Null);
                overlay(whole.entry(name).or_insert(Json::Null), before, value);
            }
        }
        (whole, after) => *whole = after,
    }
}

#[cfg(test)]
mod tests;
