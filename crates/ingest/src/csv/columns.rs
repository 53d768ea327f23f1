//! Which column of a table holds what: by known names, as `--column` says, and by what the cells look like.

use super::dialect::Dialect;
use super::split::Joins;
use crate::field::{fold, uses};
use crate::time::DayOrder;
use crate::{Error, Field, Options, Timestamp};

/// How a table is laid out.
#[derive(Debug, Clone)]
pub(super) struct Columns {
    pub(super) dialect: Dialect,
    /// `\r` in files as old Macs wrote them, else `\n`.
    pub(super) newline: u8,
    /// The names of the columns; `None` if the first row is a tweet already.
    pub(super) header: Option<Vec<String>>,
    /// The header row as it stands there.
    pub(super) header_text: Option<String>,
    /// How many cells a row has.
    pub(super) n_columns: usize,
    /// The columns that hold something, best name first.
    pub(super) fields: Vec<Column>,
    /// The columns in whose cells there are objects, in JSON or in Python's notation.
    pub(super) objects: Vec<usize>,
    /// Which of two numbers of a date is the day, if that shows.
    pub(super) day_order: Option<DayOrder>,
    /// How rows are put together again that line breaks have cut, if their text is in the first or the last column.
    pub(super) joins: Option<Joins>,
}

/// A column that holds a field. A field may be held by several, and a column may hold two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) field: Field,
    /// From 0.
    pub(super) at: usize,
    /// The lower, the better.
    pub(super) rank: u16,
    /// Whether its name may mean something else.
    pub(super) is_vague: bool,
}

impl Columns {
    /// The columns of a field, best name first.
    pub(super) fn columns_of(&self, field: Field) -> impl Iterator<Item = usize> {
        self.fields.iter().filter(move |column| column.field == field).map(|column| column.at)
    }

    /// The best column of a field.
    pub(super) fn first(&self, field: Field) -> Option<usize> {
        self.columns_of(field).next()
    }

    /// The fields that the column at `index` holds.
    pub(super) fn fields_at(&self, index: usize) -> impl Iterator<Item = Field> {
        self.fields.iter().filter(move |column| column.at == index).map(|column| column.field)
    }

    /// Gives fields to columns as the user says. `first` is the header, or the first row.
    pub(super) fn apply(
        &mut self,
        options: &Options,
        first: &[String],
        shown: impl Fn() -> String,
    ) -> Result<(), Error> {
        for (field, name) in &options.columns {
            let header = self.header.as_deref().unwrap_or_default();
            let by_name = header.iter().position(|cell| fold(cell) == fold(name));
            let by_number = || {
                name.parse().ok().filter(|n| (1..=first.len()).contains(n)).map(|n: usize| n - 1)
            };
            let at = by_name.or_else(by_number).ok_or_else(|| Error::NoSuchColumn {
                name: name.clone(),
                field: field.name(),
                header: shown(),
            })?;
            self.fields.retain(|column| column.field != *field && column.at != at);
            self.fields.push(Column { field: *field, at, rank: 0, is_vague: false });
        }
        Ok(())
    }

    /// In a file without an id column, a column that is named like a user but holds only tweet ids is taken for the
    /// id. There are real exports like that: one came from a query for `AWS Marketplace`.
    pub(super) fn promote_ids_named_user(&mut self, rows: &[&[String]]) {
        if self.first(Field::Id).is_some() {
            return;
        }
        // Accounts created since 2016 have ids of the same form, so a column that is named for user ids keeps its
        // meaning.
        for user in [Field::ScreenName, Field::UserName] {
            let Some(at) = self.first(user) else { continue };
            let cells = rows.iter().filter_map(|row| row.get(at));
            let mut cells = cells.filter(|cell| !cell.is_empty()).peekable();
            if cells.peek().is_some() && cells.all(|cell| Timestamp::from_id(cell).is_some()) {
                self.fields.retain(|column| column.at != at);
                self.fields.push(Column { field: Field::Id, at, rank: 0, is_vague: false });
                return;
            }
        }
    }
}

/// The columns with known names, best first.
pub(super) fn match_header(cells: &[String]) -> Vec<Column> {
    let mut columns = Vec::new();
    for (at, cell) in cells.iter().enumerate() {
        let uses = uses(&fold(cell)).iter();
        columns.extend(uses.map(|found| Column {
            field: found.field,
            at,
            rank: found.rank,
            is_vague: found.is_vague,
        }));
    }
    columns.sort_by_key(|column| column.rank);
    columns
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
        let columns = Columns::detect(start.as_bytes(), &options).unwrap().0;
        for (field, index) in expected {
            assert_eq!(columns.first(*field), Some(*index), "{field:?} in {start:?}");
        }
        let mut fields: Vec<Field> = columns.fields.iter().map(|column| column.field).collect();
        fields.sort_unstable();
        fields.dedup();
        assert_eq!(fields.len(), expected.len(), "{:?}", columns.fields);
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
            let columns = Columns::detect(start.as_bytes(), &Options::default()).unwrap().0;
            assert_eq!(columns.header_text.as_deref(), Some(header));
        }
    }

    #[test]
    fn a_first_row_without_a_known_name_is_a_tweet_already() {
        let options = Options { columns: vec![(Field::Text, "2".into())], ..Options::default() };
        assert_eq!(Columns::detect(b"1,hello\n2,bye\n", &options).unwrap().0.header, None);
    }
}
