//! The options that say what is read, and how.

use std::path::PathBuf;
use std::str::FromStr;
use std::sync::Arc;

use clap::Args;
use ingest::{DayOrder, Field, Options, Timestamp};

use super::values::{at_least_one, parse_day_order, parse_time};
use crate::clock;
use crate::config::{ReadingConfig, ReportFormat};
use crate::source::ObjectFilter;

#[derive(Debug, Args)]
pub(super) struct ReadingArgs {
    /// Files, folders (with all that is in them), globs, s3://bucket/prefix, or - for standard input
    #[arg(required = true, value_name = "SOURCE")]
    sources: Vec<String>,
    #[command(flatten)]
    records: RecordArgs,
    #[command(flatten)]
    objects: ObjectArgs,
    /// How many sources are read side by side
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = at_least_one, env = "INDEXER_READERS")]
    readers: usize,
    /// Where to write the records that could not be indexed [default: a new rejects-TIME.ndjson beside the store;
    /// standard error for `enrich`]
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
    /// How the final report is written
    #[arg(long, value_enum, default_value_t)]
    report: ReportFormat,
}

#[derive(Debug, Args)]
pub(super) struct ObjectArgs {
    /// Only objects whose keys sort after this one; the keys that Firehose writes sort by time
    #[arg(help_heading = "S3", long, value_name = "KEY")]
    start_after: Option<String>,
    /// Only objects that were written at this time or later
    #[arg(help_heading = "S3", long, value_name = "TIME", value_parser = parse_time)]
    modified_from: Option<Timestamp>,
    /// Only objects that were written before this time
    #[arg(help_heading = "S3", long, value_name = "TIME", value_parser = parse_time)]
    modified_to: Option<Timestamp>,
}

/// The options that say what the columns of tables are.
#[derive(Debug, Args)]
pub(super) struct ColumnArgs {
    /// The column of a table or the key of a JSON object that holds a field, by name, or by number from 1: text=body
    ///
    /// Fields are: id, permalink, text, original_text, created_at, time_of_day, utc_offset, lang, marketplace, lat, lon,
    /// lat_lon, lon_lat, place, country, country_code, place_box, user_id, screen_name, user_name, followers, retweets,
    /// likes, replies, quotes, urls, in_reply_to, retweet_of, quote_of, refers_to, references, conversation, answered_users,
    /// kind, is_retweet, is_quote, is_reply.
    #[arg(long = "column", value_name = "FIELD=NAME", value_delimiter = ',')]
    columns: Vec<Column>,
    /// Whether 3/4/2022 is the third of April (day-first) or the fourth of March (month-first), in tables that do not show
    /// it
    #[arg(long, value_name = "ORDER", value_parser = parse_day_order)]
    dates: Option<DayOrder>,
    /// The sheet of a workbook to read [default: those that hold tweets]
    #[arg(long, value_name = "NAME")]
    sheet: Option<String>,
}

#[derive(Debug, Args)]
pub(super) struct RecordArgs {
    #[command(flatten)]
    columns: ColumnArgs,
    /// The marketplace of tweets whose records name none
    #[arg(long, value_name = "NAME")]
    marketplace: Option<String>,
    /// The creation time of tweets that have neither a date nor a time in their id
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    timestamp: Option<Timestamp>,
}

/// The environment variables that `indexer lambda` reads for the options of [`RecordArgs`], by the option's id.
pub(super) const RECORD_VARIABLES: [(&str, &str); 5] = [
    ("columns", "INDEXER_COLUMN"),
    ("dates", "INDEXER_DATES"),
    ("marketplace", "INDEXER_MARKETPLACE"),
    ("sheet", "INDEXER_SHEET"),
    ("timestamp", "INDEXER_TIMESTAMP"),
];

/// `FIELD=NAME`.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Column {
    field: Field,
    /// The name or number of its column.
    name: String,
}

impl FromStr for Column {
    type Err = String;

    fn from_str(text: &str) -> Result<Column, String> {
        let (field, name) =
            text.split_once('=').ok_or("write it as FIELD=NAME, such as text=body")?;
        let field = Field::from_name(field).ok_or_else(|| {
            format!(
                "there is no field `{field}`; there are {}",
                Field::all_names().collect::<Vec<_>>().join(", ")
            )
        })?;
        Ok(Column { field, name: name.to_owned() })
    }
}

impl ReadingArgs {
    pub(super) fn config(self) -> ReadingConfig {
        ReadingConfig {
            sources: self.sources,
            objects: self.objects.filter(),
            options: self.records.options(),
            readers: self.readers,
            rejects: self.rejects,
            report: self.report,
        }
    }
}

impl ObjectArgs {
    pub(super) fn filter(self) -> ObjectFilter {
        let ObjectArgs { start_after, modified_from, modified_to } = self;
        ObjectFilter { start_after, modified_from, modified_to }
    }
}

impl ColumnArgs {
    fn read(self) -> Options {
        let columns = self.columns.into_iter().map(|column| (column.field, column.name)).collect();
        // A table that says more was misread: tweets are of this year, or, where a clock is wrong, of the next.
        let year =
            Timestamp::from_millis(clock::now()).to_string()[..4].parse::<u16>().unwrap_or(9997);
        let latest = Timestamp::parse(&format!("{}-01-01", year + 2));
        let (day_order, sheet) = (self.dates, self.sheet);
        Options { columns, day_order, sheet, latest, ..Options::default() }
    }

    pub(super) fn options(self) -> Arc<Options> {
        Arc::new(self.read())
    }
}

impl RecordArgs {
    pub(super) fn options(self) -> Arc<Options> {
        Arc::new(Options {
            timestamp: self.timestamp,
            marketplace: self.marketplace,
            ..self.columns.read()
        })
    }
}
