//! The rows of a table as JSON objects.

use serde_json::{Map, Value};

use super::columns::Columns;
use super::read::Rows;
use crate::field::{fold, uses};
use crate::format::Rewrite;
use crate::python::object_in;
use crate::record::TABLE_ROW;
use crate::{DayOrder, Field, Options, Timestamp};

/// Makes objects of rows. Columns of known meaning have names that mean the same wherever the object is read; the others
/// are in an object of their own, so that none is taken for something else.
pub(super) fn rewriter<'f>(columns: &'f Columns, options: &'f Options) -> Box<Rewrite<'f>> {
    let mut rows = Rows::new(columns, options);
    let mut names = columns.header.clone().unwrap_or_default();
    for at in 1..names.len() {
        // Two columns of one name are told apart by their numbers.
        if names[..at].contains(&names[at]) {
            names[at] = format!("{} ({})", names[at], at + 1);
        }
    }
    // A column keeps its name if that says what it holds.
    let key = |at: usize| -> Option<String> {
        let fields: Vec<Field> = columns.fields_at(at).collect();
        let first = fields.first()?;
        let name = names.get(at).filter(|name| {
            let known = uses(&fold(name)).iter().map(|found| found.field);
            known.eq(fields.iter().copied())
        });
        Some(name.cloned().unwrap_or_else(|| first.name().to_owned()))
    };
    let keys: Vec<Option<String>> = (0..columns.n_columns).map(key).collect();
    Box::new(move |raw, sink| {
        let Ok(cells) = rows.cells(raw) else { return sink(&reject(columns, raw)) };
        if rows.is_header(raw) {
            return;
        }
        let mut object = Map::from_iter([(TABLE_ROW.to_owned(), Value::Bool(true))]);
        let mut others = Map::new();
        for (at, cell) in cells.into_iter().enumerate().filter(|(_, cell)| !cell.is_empty()) {
            if let Some(name) = names.get(at).filter(|_| columns.objects.contains(&at))
                && let Some(inner) = object_in(&cell)
                && let Ok(inner) = serde_json::from_str::<Value>(&inner)
            {
                object.insert(name.clone(), inner);
                continue;
            }
            match keys.get(at) {
                Some(Some(key)) => {
                    let is_date = columns.fields_at(at).any(|field| field == Field::CreatedAt);
                    if let Some(order) =
                        columns.day_order.filter(|_| is_date && is_mistakable(&cell))
                    {
                        object.insert(TABLE_ROW.to_owned(), order.name().into());
                    }
                    object.insert(key.clone(), Value::String(cell));
                }
                _ => {
                    let number = || (at + 1).to_string();
                    let name = names.get(at).cloned().unwrap_or_else(number);
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

/// Whether a date can be read only if it is known which of two numbers is the day.
fn is_mistakable(cell: &str) -> bool {
    let in_order = Timestamp::parse_in_order(cell, Some(DayOrder::DayFirst));
    Timestamp::parse(cell).is_none() && in_order.is_some()
}

/// What a row that is not whole is passed on as: it is rejected where it is read.
fn reject(columns: &Columns, raw: &[u8]) -> Vec<u8> {
    let reason = "its quotes or cells do not fit the columns";
    let mut rejected = crate::Rejected::new(1, crate::Stage::Parse, reason, raw);
    rejected.header.clone_from(&columns.header_text);
    serde_json::to_vec(&rejected).unwrap_or_default()
}
