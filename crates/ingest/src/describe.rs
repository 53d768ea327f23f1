//! What a source is taken for, for people who want to check it.

use serde::Serialize;

use crate::{Batch, Field};

/// What a source is taken for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Description {
    /// The format: `CSV`, `JSON`.
    pub format: String,
    /// What was found out about it, in the order in which it is shown: `delimiter`, `quoting`, `shape`.
    #[serde(serialize_with = "as_map")]
    pub details: Vec<Detail>,
    /// Its columns or keys, in their order; empty if the format has neither, or if they are those of an API.
    pub columns: Vec<DescribedColumn>,
}

/// A finding about a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detail {
    /// What it is about.
    pub name: &'static str,
    /// What was found.
    pub value: String,
}

/// A column of a table, or a key of an object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DescribedColumn {
    /// Its name; its number from 1 if there is no header; for a key, the path to it.
    pub name: String,
    /// The fields that it holds; empty if it is not used.
    pub fields: Vec<&'static str>,
}

fn as_map<S: serde::Serializer>(details: &[Detail], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(details.iter().map(|detail| (detail.name, &detail.value)))
}

impl DescribedColumn {
    pub(crate) fn new(name: String, fields: impl IntoIterator<Item = Field>) -> DescribedColumn {
        DescribedColumn { name, fields: fields.into_iter().map(Field::name).collect() }
    }
}

impl Description {
    pub(crate) fn of(format: &str) -> Description {
        Description { format: format.to_owned(), ..Description::default() }
    }

    pub(crate) fn add(&mut self, name: &'static str, value: impl Into<String>) {
        self.details.push(Detail { name, value: value.into() });
    }
}

impl Batch {
    /// What the source is taken for, as far as the records of this batch show it.
    pub(crate) fn describe(&self) -> Description {
        let records = self.records.iter().filter(|record| record.fault.is_none());
        let raw = records.map(|record| &self.bytes[record.start..record.end]);
        self.format.describe(&mut raw.take(100), &self.options)
    }
}
