//! Why a whole source could not be read, or not to its end.

use std::io;

/// Why a source could not be read, or not to its end. The records before the error have been read all the same.
///
/// A record that cannot be read is not an error: it becomes a [`Rejected`](crate::Rejected).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is not one byte, or nothing but white space.
    #[error("it is empty")]
    Empty,
    /// It is of a known kind that is not supported.
    #[error("it is {what}, not CSV or JSON")]
    Unsupported {
        /// The kind of source, to be put after "it is": `a zip archive`.
        what: &'static str,
        /// What to do about it.
        hint: &'static str,
    },
    /// It is not text, and not of a kind that is known.
    #[error("it is a binary file, not CSV or JSON")]
    Binary,
    /// Its first row names no column that could hold the text.
    #[error("no column holds the tweet's text; the first row is `{header}`")]
    NoTextColumn {
        /// The first row, cut to a readable length.
        header: String,
    },
    /// It is a list of ids, without texts.
    #[error("it holds the ids of tweets alone, and not their texts")]
    IdsOnly,
    /// `--column` names a column that is not there.
    #[error("there is no column or key `{name}` for the field `{field}`; there are `{header}`")]
    NoSuchColumn {
        /// The name or number that was asked for.
        name: String,
        /// The field it was meant for.
        field: &'static str,
        /// The first row, cut to a readable length.
        header: String,
    },
    /// `--column` is given for tweets that are not read by the names of their keys.
    #[error("its records are {shape}, for which no column can be named")]
    NoColumns {
        /// What the records are: `tweets of the API v1.1`.
        shape: &'static str,
    },
    /// It is a file of a Twitter archive that holds something else.
    #[error("it holds `{kind}` of a Twitter archive, and not tweets")]
    OtherOfArchive {
        /// What it holds: `direct_messages`.
        kind: String,
    },
    /// It is a workbook without the sheet that is asked for.
    #[error("it has no sheet `{name}`; there are {names}")]
    NoSuchSheet {
        /// The sheet that was asked for.
        name: String,
        /// Those that there are.
        names: String,
    },
    /// What it is compressed with or packed in ends too early or is damaged.
    #[error("its {what} data is cut off or damaged")]
    Damaged {
        /// The compression or the kind of archive.
        what: &'static str,
        /// What is wrong.
        source: io::Error,
    },
    /// The source could not be read to its end.
    #[error("reading failed")]
    Io(#[from] io::Error),
}

impl Error {
    /// Whether the source is as it should be, and merely holds no tweets: it is empty, or another part of a Twitter archive.
    pub fn is_nothing(&self) -> bool {
        matches!(self, Error::Empty | Error::OtherOfArchive { .. })
    }

    /// An error of reading through a decompressor or an archive of that kind.
    pub(crate) fn of(error: io::Error, what: &'static str) -> Error {
        match error.kind() {
            // File systems and networks do not report these kinds.
            io::ErrorKind::UnexpectedEof
            | io::ErrorKind::InvalidInput
            | io::ErrorKind::InvalidData => Error::Damaged { what, source: error },
            _ => Error::Io(error),
        }
    }

    /// What the user can do about it, as one line.
    pub fn hint(&self) -> &'static str {
        match self {
            Error::Empty => "check what wrote it; an empty file holds no tweets",
            Error::Unsupported { hint, .. } => hint,
            Error::Binary => "give CSV, JSON, Parquet or Excel files, or archives of them",
            Error::NoTextColumn { .. } => {
                "give its name: --column text=NAME (or its number, from 1, if there is no header)"
            }
            Error::IdsOnly => {
                "fetch the tweets first (\"hydrate\" them), with twarc or Hydrator for example, and give the result"
            }
            Error::NoSuchColumn { .. } => {
                "use one of these names, or, for a table, the number of a column, counted from 1"
            }
            Error::NoColumns { .. } => "leave out --column for this source",
            Error::OtherOfArchive { .. } => "give tweets.js, or the folder or zip of the archive",
            Error::NoSuchSheet { .. } => "use one of these names, or leave out --sheet",
            Error::Damaged { .. } => "fetch the file again; everything before the damage was read",
            Error::Io(_) => {
                "check the disk or the connection, then run again: a rerun creates no duplicates"
            }
        }
    }
}
