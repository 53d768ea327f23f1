//! Takes a row apart whose quotes do not fit the rules, if there is only one way to do so.

use memchr::memchr_iter;

use super::dialect::{Cells, Dialect};

/// Rows with more delimiters are not tried, nor are those with which it would take more steps, since their number grows
/// with the square of that of the delimiters.
const MAX_PIECES: usize = 400;
const MAX_STEPS: usize = 1_000_000;

/// Takes a row with `n_columns` cells apart in which quotes stand inside of quoted cells: `1,"he said "hi", twice",2`. A
/// cell is either a stretch between two delimiters, or several such stretches of which the first begins with a quote and
/// the last ends with one. Returns false if there is no such way to get that many cells, or more than one.
pub(super) fn mend(row: &[u8], dialect: Dialect, n_columns: usize, cells: &mut Cells) -> bool {
    let delimiters = memchr_iter(dialect.delimiter, row);
    let starts: Vec<usize> =
        std::iter::once(0).chain(delimiters.map(|at| at + 1)).take(MAX_PIECES + 1).collect();
    let n_pieces = starts.len();
    let n_steps = n_columns.saturating_mul(n_pieces * n_pieces);
    if n_pieces > MAX_PIECES || n_steps > MAX_STEPS || !(1..=n_pieces).contains(&n_columns) {
        return false;
    }
    let piece = |first: usize, last: usize| {
        let end = starts.get(last + 1).map_or(row.len(), |next| next - 1);
        row[starts[first]..end].trim_ascii()
    };
    let opens: Vec<bool> = (0..n_pieces).map(|at| piece(at, at).starts_with(b"\"")).collect();
    let closes: Vec<bool> = (0..n_pieces).map(|at| piece(at, at).ends_with(b"\"")).collect();
    let is_cell = |first: usize, last: usize| match first == last {
        true => opens[first] == closes[first] && piece(first, first) != b"\"",
        false => opens[first] && closes[last],
    };
    // How many ways there are to make the first n cells of the first m pieces, and where the last of them begins.
    let mut ways = vec![vec![(0_u8, 0_usize); n_pieces + 1]; n_columns + 1];
    ways[0][0].0 = 1;
    for n in 1..=n_columns {
        for end in n..=n_pieces {
            for start in n - 1..end {
                let before = ways[n - 1][start].0;
                if before > 0 && is_cell(start, end - 1) {
                    let (count, _) = ways[n][end];
                    ways[n][end] = (count.saturating_add(before).min(2), start);
                }
            }
        }
    }
    if ways[n_columns][n_pieces].0 != 1 {
        return false;
    }
    let mut bounds = Vec::with_capacity(n_columns);
    let mut end = n_pieces;
    for n in (1..=n_columns).rev() {
        let start = ways[n][end].1;
        bounds.push((start, end - 1));
        end = start;
    }
    cells.clear();
    for (first, last) in bounds.into_iter().rev() {
        let whole = piece(first, last);
        let inner = whole.strip_prefix(b"\"").and_then(|inner| inner.strip_suffix(b"\""));
        let mut rest = inner.unwrap_or(whole);
        while let Some((&byte, after)) = rest.split_first() {
            cells.bytes.push(byte);
            let is_doubled = byte == b'"' && after.first() == Some(&b'"') && inner.is_some();
            rest = if is_doubled { &after[1..] } else { after };
        }
        cells.end_cell();
    }
    true
}

#[cfg(test)]
mod tests {
    use super::super::dialect::Quoting;
    use super::*;

    #[test]
    fn a_row_is_mended_if_there_is_only_one_way() {
        let dialect = Dialect { delimiter: b',', quoting: Quoting::Doubled };
        for (row, n_columns, expected) in [
            (r#"1,"he said "hi", twice",2"#, 3, Some(["1", "he said \"hi\", twice", "2"])),
            (r#"1,"say ""a"" and "b"",2"#, 3, Some(["1", "say \"a\" and \"b\"", "2"])),
            (r#"1,""Quoted", all of it",2"#, 3, Some(["1", "\"Quoted\", all of it", "2"])),
            // Where does the first end?
            (r#""a","b","c"d","e""#, 3, None),
            (r#"1,"never closed, 2,3"#, 3, None),
        ] {
            let mut cells = Cells::default();
            let got = mend(row.as_bytes(), dialect, n_columns, &mut cells).then(|| {
                (0..cells.len())
                    .map(|at| String::from_utf8_lossy(cells.get(at).unwrap()).into_owned())
                    .collect::<Vec<_>>()
            });
            assert_eq!(got, expected.map(|cells| cells.map(str::to_owned).to_vec()), "{row}");
        }
    }
}
