//! The rows of a table as JSON objects.

use serde_json::{Map, Value};

use super::columns::Columns;
use super::read::Rows;
use crate::Options;
use crate::format::Rewrite;

/// Makes objects of rows. Columns of known meaning have the names that `--column` takes, so that an object means the same
/// wherever it is read; the others are in an object of their own, so that none is taken for something else.
pub(super) fn rewriter<'f>(columns: &'f Columns, options: &'f Options) -> Box<Rewrite<'f>> {
    let mut rows = Rows::new(columns, options);
    let header = columns.header.as_ref();
    let mut names = header.map(|header| rows.cells(header.as_bytes())).unwrap_or_default();
    for at in 1..names.len() {
        // Two columns of one name are told apart by their numbers.
        if names[..at].contains(&names[at]) {
            names[at] = format!("{} ({})", names[at], at + 1);
        }
    }
    Box::new(move |raw, sink| {
        let (mut object, mut others) = (Map::new(), Map::new());
        let cells = rows.cells(raw).into_iter().enumerate();
        for (index, cell) in cells.filter(|(_, cell)| !cell.is_empty()) {
            match columns.field(index) {
                Some(field) => drop(object.insert(field.name().to_owned(), Value::String(cell))),
                None => {
                    let number = || (index + 1).to_string();
                    let name = names.get(index).cloned().unwrap_or_else(number);
                    others.insert(name, Value::String(cell));
                }
            }
        }
        if !others.is_empty() {
            object.insert("columns".to_owned(), Value::Object(others));
        }
        sink(&serde_json::to_vec(&object).unwrap_or_else(|_| raw.to_vec()));
    })
}
