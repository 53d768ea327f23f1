//! Which column of a table without a header holds what, by what its cells look like. Only a table in which tweets can be
//! told for sure is taken for one: it must have ids, or links to tweets.

use super::columns::Column;
use crate::value::status_in_link;
use crate::{Field, Timestamp};

/// From about here on, ids hold their time. Before, tweets were numbered one after the other. 5 November 2010, in milliseconds
/// since 1970.
const NUMBERED_UNTIL_MS: i64 = 1_288_915_200_000;

/// The share of cells that must look alike.
const MOST: f64 = 0.9;

/// The columns of a table that begins with these rows. `None` if it does not show.
pub(super) fn infer(rows: &[&[String]]) -> Option<Vec<Column>> {
    let n_columns = rows.iter().map(|row| row.len()).max()?;
    let cells = |at: usize| {
        let cells = rows.iter().filter_map(move |row| row.get(at));
        cells.map(String::as_str).filter(|cell| !cell.is_empty() && *cell != "\\N")
    };
    let are = |at: usize, is: &dyn Fn(&str) -> bool| {
        let (n, total) = (cells(at).filter(|cell| is(cell)).count(), cells(at).count());
        total > 0 && n as f64 >= MOST * total as f64
    };
    let columns = || 0..n_columns;
    let is_date = |cell: &str| cell.len() > 5 && Timestamp::parse(cell).is_some();
    let is_new_id = |cell: &str| cell.len() >= 15 && Timestamp::from_id(cell).is_some();
    let is_link = |cell: &str| status_in_link(cell).is_some();
    let link = columns().find(|at| are(*at, &is_link));
    let id = columns().find(|at| are(*at, &is_new_id));
    let is_number = |cell: &str| cell.bytes().all(|b| b.is_ascii_digit());
    let date = columns().find(|at| are(*at, &is_date) && !are(*at, &is_number));
    let is_old = |cell: &str| {
        Timestamp::parse(cell).is_some_and(|time| time.as_millis() < NUMBERED_UNTIL_MS)
    };
    let is_old_id = |cell: &str| (7..=11).contains(&cell.len()) && is_number(cell);
    let old_id = || {
        let date = date.filter(|at| are(*at, &is_old))?;
        columns().find(|at| *at != date && are(*at, &is_old_id))
    };
    let id = id.or_else(old_id);
    // Two columns, a date and a text, are how many a first script writes tweets.
    id.or(link).or(date.filter(|_| n_columns == 2))?;
    let taken = [link, id, date];
    let length = |at: usize| {
        let total: usize = cells(at).map(|cell| cell.chars().count()).sum();
        total / cells(at).count().max(1)
    };
    let is_prose = |cell: &str| cell.contains(' ');
    let has_blanks = |at: usize| {
        let n = cells(at).filter(|cell| is_prose(cell)).count();
        n * 2 >= cells(at).count() && n > 0
    };
    // What is the same in most rows is about the author.
    let is_varied = |at: &usize| {
        let mut distinct: Vec<&str> = cells(*at).collect();
        let n_cells = distinct.len();
        distinct.sort_unstable();
        distinct.dedup();
        n_cells < 5 || distinct.len() * 2 >= n_cells
    };
    let others = columns().filter(|at| !taken.contains(&Some(*at)) && is_varied(at));
    let text = match others.clone().filter(|at| has_blanks(*at)).max_by_key(|at| length(*at)) {
        Some(text) => text,
        // Very short texts: only if there is nothing else that they could be.
        None => others.clone().next().filter(|_| others.clone().count() == 1)?,
    };
    let column =
        |field, at: Option<usize>| at.map(|at| Column { field, at, rank: 0, is_vague: false });
    let all = [
        column(Field::Id, id),
        column(Field::Permalink, link),
        column(Field::CreatedAt, date),
        column(Field::Text, Some(text)),
    ];
    Some(all.into_iter().flatten().collect())
}
