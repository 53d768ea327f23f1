//! What a source is taken for, for people who want to check it.

use serde::Serialize;

use crate::overlooked::overlooked;
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
    /// The field that it seems to hold by its name, if it is not used and no other column holds that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resembles: Option<&'static str>,
}

fn as_map<S: serde::Serializer>(details: &[Detail], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_map(details.iter().map(|detail| (detail.name, &detail.value)))
}

impl DescribedColumn {
    pub(crate) fn new(name: String, fields: impl IntoIterator<Item = Field>) -> DescribedColumn {
        let fields = fields.into_iter().map(Field::name).collect();
        DescribedColumn { name, fields, resembles: None }
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
        let mut description = self.format.describe(&mut raw.take(100), &self.options);
        for (name, field) in overlooked(&description.columns) {
            let column = description.columns.iter_mut().find(|column| column.name == name);
            if let Some(column) = column {
                column.resembles = Some(field.name());
            }
        }
        description
    }

    /// The columns or keys that seem to hold a field by their names, and are not used, though nothing else holds it. Empty
    /// for all but the first batch of a source.
    pub fn overlooked(&self) -> Vec<(String, Field)> {
        let first = self.records.iter().find(|record| record.fault.is_none());
        let Some(first) = first.filter(|_| self.is_first) else { return Vec::new() };
        let first = &self.bytes[first.start..first.end];
        overlooked(&self.format.describe(&mut [first].into_iter(), &self.options).columns)
    }
}
