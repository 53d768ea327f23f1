//! Which column of a CSV file holds what: by known names, as `--column` says, and by what the cells look like.

use csv_core::{ReadRecordResult, ReaderBuilder};
use memchr::memchr;

use crate::beginning::SNIFF_BYTES;
use crate::field::{NAMES, fold};
use crate::text::decode;
use crate::{Error, Field, Options, Timestamp};

/// How a CSV file is laid out.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Columns {
    pub(super) delimiter: u8,
    /// `\r` in files as old Macs wrote them, else `\n`.
    pub(super) newline: u8,
    /// The header row as it stands there; `None` if the first row is a tweet already.
    pub(super) header: Option<String>,
    fields: Vec<(Field, usize)>,
}

impl Columns {
    /// The column of `field`, from 0.
    pub(super) fn index(&self, field: Field) -> Option<usize> {
        self.fields.iter().find(|(f, _)| *f == field).map(|(_, index)| *index)
    }

    /// The field that the column at `index` holds.
    pub(super) fn field(&self, index: usize) -> Option<Field> {
        self.fields.iter().find(|(_, i)| *i == index).map(|(field, _)| *field)
    }

    /// Works out the layout of a file that begins with `start`.
    pub(super) fn detect(start: &[u8], options: &Options) -> Result<Columns, Error> {
        let newline = if memchr(b'\n', start).is_none() && memchr(b'\r', start).is_some() {
            b'\r'
        } else {
            b'\n'
        };
        let (delimiter, Sample { rows, header_bytes }, fields) = b",;\t|"
            .iter()
            .map(|&delimiter| {
                let sample = sample(start, delimiter);
                let fields = match_header(sample.rows.first().map_or(&[], Vec::as_slice));
                (delimiter, sample, fields)
            })
            // `max_by_key` returns the last of several maxima. The order is reversed so that the comma wins a tie.
            .rev()
            .max_by_key(|(_, Sample { rows, .. }, fields)| {
                (fields.len(), rows.first().map_or(0, Vec::len))
            })
            .unwrap_or_default();
        let first = rows.first().cloned().unwrap_or_default();
        let shown = || excerpt(&first, delimiter);

        let mut columns = Columns { delimiter, newline, header: None, fields };
        let mut named = false;
        for (field, name) in &options.columns {
            let by_name = first.iter().position(|cell| fold(cell) == fold(name));
            named |= by_name.is_some();
            let by_number = || {
                name.parse().ok().filter(|n| (1..=first.len()).contains(n)).map(|n: usize| n - 1)
            };
            let index = by_name.or_else(by_number).ok_or_else(|| Error::NoSuchColumn {
                name: name.clone(),
                field: field.name(),
                header: shown(),
            })?;
            columns.fields.retain(|(f, i)| f != field && *i != index);
            columns.fields.push((*field, index));
        }
        let is_header = named || !match_header(&first).is_empty();
        if is_header {
            // Kept verbatim, with any line breaks in quoted cells, so that rejected rows can be read again with it.
            columns.header = Some(decode(&start[..header_bytes]).into_owned());
        }
        columns.promote_ids_named_user(&rows[usize::from(is_header).min(rows.len())..]);
        if columns.index(Field::Text).is_none() {
            return Err(Error::NoTextColumn { header: shown() });
        }
        Ok(columns)
    }

    /// In a file without an id column, a column that is named like a user but holds only tweet ids is taken for the
    /// id. There are real exports like that: one came from a query for `AWS Marketplace`.
    fn promote_ids_named_user(&mut self, rows: &[Vec<String>]) {
        if self.index(Field::Id).is_some() {
            return;
        }
        for user in [Field::ScreenName, Field::UserId, Field::UserName] {
            let Some(index) = self.index(user) else { continue };
            let mut cells = rows
                .iter()
                .filter_map(|row| row.get(index))
                .filter(|cell| !cell.is_empty())
                .peekable();
            // Accounts created since 2016 have ids of the same form, so a column that is named for user ids keeps
            // its meaning.
            let proper = user == Field::UserId;
            if !proper
                && cells.peek().is_some()
                && cells.all(|cell| Timestamp::from_id(cell).is_some())
            {
                self.fields.retain(|(f, _)| *f != user);
                self.fields.push((Field::Id, index));
                return;
            }
        }
    }
}

/// The columns with known names. If two have names of the same field, the one with the better name holds it.
fn match_header(cells: &[String]) -> Vec<(Field, usize)> {
    let folded: Vec<String> = cells.iter().map(|cell| fold(cell)).collect();
    let mut fields = Vec::new();
    for (field, names) in NAMES {
        let column = names.iter().find_map(|name| folded.iter().position(|cell| cell == name));
        if let Some(index) = column {
            fields.push((*field, index));
        }
    }
    fields
}

/// The first rows of a file.
#[derive(Default)]
struct Sample {
    /// Whole rows, unquoted; at most a hundred.
    rows: Vec<Vec<String>>,
    /// The length of the first one, without its line end.
    header_bytes: usize,
}

fn sample(start: &[u8], delimiter: u8) -> Sample {
    let mut reader = ReaderBuilder::new().delimiter(delimiter).build();
    let (mut out, mut ends) = (vec![0; start.len() + 1], vec![0; 4096]);
    let is_whole = start.len() < SNIFF_BYTES - 1024;
    let (mut sample, mut rest) = (Sample::default(), start);
    while sample.rows.len() < 100 {
        let (mut result, read, mut n_out, mut n_ends) =
            reader.read_record(rest, &mut out, &mut ends);
        rest = &rest[read..];
        if result == ReadRecordResult::InputEmpty && (sample.rows.is_empty() || is_whole) {
            // The last row has no line end. If the sample is not the whole source, it may be cut.
            let (end, _, more_out, more_ends) =
                reader.read_record(&[], &mut out[n_out..], &mut ends[n_ends..]);
            result = end;
            n_out += more_out;
            n_ends += more_ends;
        }
        if result != ReadRecordResult::Record {
            break;
        }
        if sample.rows.is_empty() {
            let header = &start[..start.len() - rest.len()];
            let is_line_end = |b: &u8| matches!(b, b'\n' | b'\r');
            let line_end = header.iter().rev().take_while(|b| is_line_end(b)).count();
            sample.header_bytes = header.len() - line_end;
        }
        let mut from = 0;
        let row = ends[..n_ends]
            .iter()
            .map(|&end| decode(&out[std::mem::replace(&mut from, end)..end]).trim().to_owned());
        sample.rows.push(row.collect());
        debug_assert!(n_out <= out.len());
    }
    sample
}

fn excerpt(cells: &[String], delimiter: u8) -> String {
    let row = cells.join(&char::from(delimiter).to_string()).replace(['\n', '\r'], " ");
    match row.char_indices().nth(100) {
        Some((cut, _)) => format!("{}…", &row[..cut]),
        None => row,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(start: &str, columns: &[(Field, &str)], expected: &[(Field, usize)]) {
        let options = Options {
            columns: columns.iter().map(|(field, name)| (*field, (*name).to_owned())).collect(),
            ..Options::default()
        };
        let columns = Columns::detect(start.as_bytes(), &options).unwrap();
        for (field, index) in expected {
            assert_eq!(columns.index(*field), Some(*index), "{field:?} in {start:?}");
        }
        assert_eq!(columns.fields.len(), expected.len(), "{:?}", columns.fields);
    }

    #[test]
    fn columns_are_known_by_the_names_that_exports_use() {
        use Field::*;
        check("ID,Created_At,Text\n", &[], &[(Id, 0), (CreatedAt, 1), (Text, 2)]);
        check("tweet id;Full Text;Language\n", &[], &[(Id, 0), (Text, 1), (Lang, 2)]);
        check("lat\tlng\tcontent\n", &[], &[(Lat, 0), (Lon, 1), (Text, 2)]);
        check("text|user.screen_name\n", &[], &[(Text, 0), (ScreenName, 1)]);
    }

    #[test]
    fn the_better_name_wins_where_two_columns_fit() {
        check("tweet,id,text\n", &[], &[(Field::Id, 1), (Field::Text, 2)]);
    }

    #[test]
    fn a_user_column_of_tweet_ids_is_the_id() {
        use Field::*;
        let csv = ",User,Tweet,Cloud\n0,1601645088790257667,a,AWS\n1,1601594891175354371,b,AWS\n";
        check(csv, &[], &[(Id, 1), (Text, 2), (Marketplace, 3)]);
        check("User,Tweet\n1601645088790257667,a\njack,b\n", &[], &[(ScreenName, 0), (Text, 1)]);
        check(
            "id,user,text\n1,1601645088790257667,b\n",
            &[],
            &[(Id, 0), (ScreenName, 1), (Text, 2)],
        );
    }

    #[test]
    fn column_overrides_by_name_and_by_number() {
        use Field::*;
        check("what,text\nhello,b\n", &[(Text, "what")], &[(Text, 0)]);
        check(
            "0,1467810369,some day,NO_QUERY,me,hello\n",
            &[(Id, "2"), (Text, "6")],
            &[(Id, 1), (Text, 5)],
        );
    }

    #[test]
    fn a_header_is_kept_whole_with_its_quoted_line_breaks() {
        for (start, header) in [
            ("id,\"the\ntext\",text\r\n1,a,b\n", "id,\"the\ntext\",text"),
            ("id,text\n\n1,a\n", "id,text"),
            ("id,text", "id,text"),
        ] {
            let columns = Columns::detect(start.as_bytes(), &Options::default()).unwrap();
            assert_eq!(columns.header.as_deref(), Some(header));
        }
    }

    #[test]
    fn a_first_row_without_a_known_name_is_a_tweet_already() {
        let options = Options { columns: vec![(Field::Text, "2".into())], ..Options::default() };
        assert_eq!(Columns::detect(b"1,hello\n2,bye\n", &options).unwrap().header, None);
    }
}
