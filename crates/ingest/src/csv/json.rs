//! The rows of a table as JSON objects.

use serde_json::{Map, Value};

use super::columns::Columns;
use super::read::Rows;
use crate::Options;

/// A row as an object. Columns of known meaning have the names that `--column` takes, so that the object means the same
/// wherever it is read; the others are in an object of their own, so that none is taken for something else.
pub(super) fn object(columns: &Columns, raw: &[u8]) -> Vec<u8> {
    let options = Options::default();
    let cells = Rows::new(columns, &options).cells(raw);
    let names = match &columns.header {
        Some(header) => Rows::new(columns, &options).cells(header.as_bytes()),
        None => Vec::new(),
    };
    let (mut object, mut others) = (Map::new(), Map::new());
    for (index, cell) in cells.into_iter().enumerate().filter(|(_, cell)| !cell.is_empty()) {
        match columns.field(index) {
            Some(field) => drop(object.insert(field.name().to_owned(), Value::String(cell))),
            None => {
                let name = names.get(index).cloned().unwrap_or_else(|| (index + 1).to_string());
                others.insert(name, Value::String(cell));
            }
        }
    }
    if !others.is_empty() {
        object.insert("columns".to_owned(), Value::Object(others));
    }
    serde_json::to_vec(&object).unwrap_or_else(|_| raw.to_vec())
}
