//! Turns the records of a batch into tweets, notices and rejects. A record that is a reject of an earlier run is read
//! again, whatever the format of its original source.

use std::borrow::Cow;
use std::sync::Arc;

use crate::item::Found;
use crate::{Batch, Item, Options, Rejected, Stage, batches};

impl Batch {
    /// Reads all records and hands what is in them to `sink`, in order. Each record gives at least one item, and a
    /// page gives one for each of its tweets.
    pub fn read(&self, sink: impl FnMut(Item<'_>)) {
        self.read_from(&mut 0, sink);
    }

    /// Reads the records starting with the one at index `next`. `next` always is the index of the record being read,
    /// so that a caller that catches a panic, whether in `sink` or in this crate, can reject that record and continue
    /// after it.
    pub fn read_from(&self, next: &mut usize, mut sink: impl FnMut(Item<'_>)) {
        let mut reader = self.format.reader(&self.options);
        while let Some(record) = self.records.get(*next) {
            match record.fault {
                None => {
                    let raw = &self.bytes[record.start..record.end];
                    reader.read(raw, record.line, &mut |found| match found {
                        Found::Item(item) => sink(item),
                        Found::Reject(reject) => read_again(*reject, &self.options, &mut sink),
                    });
                }
                Some(fault) => sink(Item::Rejected(self.reject(*next, Stage::Read, fault))),
            }
            *next += 1;
        }
    }
}

/// Reads the record that an earlier run rejected again: `raw` holds it as it stood in its original source.
fn read_again(rejected: Rejected, options: &Arc<Options>, sink: &mut dyn FnMut(Item<'_>)) {
    let again = |reason: String| {
        let mut again = rejected.clone();
        again.reason = reason;
        Item::Rejected(again)
    };
    // What is left of it might parse, but would be another record.
    if rejected.raw_cut_from.is_some() {
        return sink(again(
            "only the beginning of this record was kept; hint: read its source again".to_owned(),
        ));
    }
    let text = match &rejected.header {
        // A row means nothing without the header of its file.
        Some(header) => Cow::Owned(format!("{header}\n{}\n", rejected.raw)),
        None => Cow::Borrowed(&rejected.raw),
    };
    let batches = match batches::open(text.as_bytes(), options) {
        Ok(batches) => batches,
        Err(error) => return sink(again(error.to_string())),
    };
    let source = Some(rejected.source.as_str());
    let line = rejected.line;
    let mut is_empty = true;
    for batch in batches {
        let batch = match batch {
            Ok(batch) => batch,
            Err(error) => return sink(again(error.to_string())),
        };
        batch.read(|item| {
            is_empty = false;
            match item {
                Item::Rejected(inner) => sink(again(inner.reason)),
                Item::Tweet { tweet, .. } => sink(Item::Tweet { line, tweet, source }),
                Item::Document { json, .. } => sink(Item::Document { line, json, source }),
                Item::Notice { kind, .. } => sink(Item::Notice { line, kind }),
            }
        });
    }
    if is_empty {
        sink(again("the rejects file holds nothing of this record".to_owned()));
    }
}
