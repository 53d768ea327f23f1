//! The command line: what there is to say, and where each command goes.

use std::path::PathBuf;
use std::process::ExitCode;
use std::str::FromStr;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use ingest::{Field, Timestamp};

use crate::aws::s3::Location;
use crate::clock::now;
use crate::sample::Format;
use crate::setup::Print;
use crate::{backfill, failure, lambda, logging, sample, score, search, serve, setup};

mod kibana;
mod listen;
mod look;
mod store;

pub use kibana::ToKibana;
pub use listen::ListenArgs;
pub use look::{LabelArg, Search, SortArg};
pub use store::{ClusterArgs, IndexByArg, LoadArgs, StoreArg};
use store::{SECRETS, parse_duration};

/// Turn tweets into searchable, mapped, sentiment-scored documents
#[derive(Debug, Parser)]
#[command(name = "indexer", version, arg_required_else_help = true, max_term_width = 100)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
    /// How log lines on stderr are written
    #[arg(long, global = true, value_enum, default_value_t, env = "INDEXER_LOG_FORMAT")]
    pub log_format: LogFormat,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// What `indexer` can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Index files, folders, globs, objects in S3 or standard input (-) into the store
    ///
    /// CSV and JSON in all their dialects, plain or gzip, told apart by content. Running it again
    /// changes nothing: a tweet that is there already is merged with what the source says of it now.
    ///
    /// Exits with 0 if everything was indexed, 1 if some records were rejected (they are in the rejects
    /// file, with the reason), 2 if a source or the store could not be used, 130 after Ctrl-C.
    #[command(after_help = SECRETS)]
    Backfill(Backfill),
    /// Write the documents as NDJSON to stdout; no store is needed
    Enrich(Enrich),
    /// Score texts: one a line, plain or as a JSON string, to NDJSON
    Score(Score),
    /// Look into the store; '' finds everything
    ///
    /// QUERY is words that must all be in the text, "phrases", #hashtags, @users (as authors or
    /// mentioned), field:value (lang:en, from:jack, country:PT, domain:aws.amazon.com), and any of these
    /// with - before it to exclude it.
    #[command(after_help = SECRETS)]
    Search(Search),
    /// Show the store in a browser: a dashboard, and the JSON API behind it
    ///
    /// Read-only, and on this machine alone unless --listen says otherwise. The API is described at
    /// /api/openapi.json; Prometheus reads /metrics. Beside a `backfill` into the same store, new tweets appear as they
    /// are indexed; `backfill --serve` is both in one.
    #[command(after_help = SECRETS)]
    Serve(Serve),
    /// Install the index template into Elasticsearch, and the dashboards into Kibana
    ///
    /// The template is brought up to date if it is there; `backfill` puts it by itself where it may. With --kibana
    /// the dashboards are imported too, opened on the time that there are tweets of: those that are there already
    /// stay as they are, unless --overwrite. Exits with 1 if an index is there that does not fit, or an object
    /// was not imported.
    #[command(after_help = SECRETS)]
    Setup(Setup),
    /// Answer AWS Lambda's events: index what lands in S3, queues and streams
    ///
    /// What the program does without a command where AWS_LAMBDA_RUNTIME_API is set, so that it is its own
    /// `bootstrap`. Takes S3 notifications (by themselves, or through SNS, SQS or EventBridge), Kinesis
    /// records, and rejects in SQS.
    #[command(after_help = SECRETS)]
    Lambda(Lambda),
    /// Write synthetic tweets to stdout: the same seed gives the same bytes
    Sample(Sample),
}

/// How sources are read.
#[derive(Debug, Args)]
pub struct Reading {
    /// Files, folders (with all that is in them), globs, s3://bucket/prefix, or - for standard input
    #[arg(required = true, value_name = "SOURCE")]
    pub sources: Vec<String>,
    /// How their records are understood.
    #[command(flatten)]
    pub records: Records,
    /// Which objects of S3 are read.
    #[command(flatten)]
    pub objects: Objects,
    /// How many sources are read side by side
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = at_least_one, env = "INDEXER_READERS")]
    pub readers: usize,
    /// Where to write the records that could not be indexed [default: a new rejects-TIME.ndjson beside
    /// the store; stderr for `enrich`]
    #[arg(long, value_name = "FILE", env = "INDEXER_REJECTS")]
    pub rejects: Option<PathBuf>,
    /// How the final report is written
    #[arg(long, value_enum, default_value_t, env = "INDEXER_REPORT")]
    pub report: ReportFormat,
}

/// Which objects below s3://bucket/prefix are read.
#[derive(Debug, Args)]
pub struct Objects {
    /// Only objects whose keys come after this one; keys of Firehose are in the order of time
    #[arg(help_heading = "S3", long, value_name = "KEY", env = "INDEXER_START_AFTER")]
    pub start_after: Option<String>,
    /// Only objects that were written at this time or later
    #[arg(help_heading = "S3", long, value_name = "TIME", value_parser = parse_time, env = "INDEXER_MODIFIED_FROM")]
    pub modified_from: Option<Timestamp>,
    /// Only objects that were written before this time
    #[arg(help_heading = "S3", long, value_name = "TIME", value_parser = parse_time, env = "INDEXER_MODIFIED_TO")]
    pub modified_to: Option<Timestamp>,
}

/// How records are understood.
#[derive(Debug, Args)]
pub struct Records {
    /// The CSV column, by name or by number from 1, that holds a field: text=body
    #[arg(
        long = "column",
        value_name = "FIELD=NAME",
        env = "INDEXER_COLUMN",
        value_delimiter = ','
    )]
    pub columns: Vec<Column>,
    /// The marketplace of tweets whose records name none
    #[arg(long, value_name = "NAME", env = "INDEXER_MARKETPLACE")]
    pub marketplace: Option<String>,
    /// When tweets were created that do not say so themselves
    #[arg(long, value_name = "TIME", value_parser = parse_time, env = "INDEXER_TIMESTAMP")]
    pub timestamp: Option<Timestamp>,
}

/// How the final report is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// For people.
    #[default]
    Human,
    /// One JSON object.
    Json,
}

/// `FIELD=NAME`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// The field.
    pub field: Field,
    /// Its column's name or number.
    pub name: String,
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

/// `indexer backfill`.
#[derive(Debug, Args)]
pub struct Backfill {
    /// How sources are read.
    #[command(flatten)]
    pub reading: Reading,
    /// Which store.
    #[command(flatten)]
    pub store: StoreArg,
    // No variable for these two: one that was left set must not empty a store.
    /// Empty the store before the first tweet is written; asks on a terminal, and needs --yes otherwise
    #[arg(long)]
    pub recreate: bool,
    /// Do not ask before emptying the store
    #[arg(long, requires = "recreate")]
    pub yes: bool,
    /// Leave out the files and objects that an earlier run with --resume has read to their end
    ///
    /// They are written down in indexer-resume.ndjson beside the store, with their sizes and times.
    #[arg(long, env = "INDEXER_RESUME", conflicts_with = "dry_run")]
    pub resume: bool,
    /// Read and enrich everything, but write nothing except rejects
    #[arg(long, env = "INDEXER_DRY_RUN")]
    pub dry_run: bool,
    /// Show the dashboard while the store fills, and after that until Ctrl-C
    #[arg(help_heading = "Dashboard", long, conflicts_with = "dry_run", env = "INDEXER_SERVE")]
    pub serve: bool,
    /// Where the dashboard is.
    #[command(flatten)]
    pub listen: ListenArgs,
    /// How documents are sent to a cluster.
    #[command(flatten)]
    pub load: LoadArgs,
}

/// `indexer enrich`.
#[derive(Debug, Args)]
pub struct Enrich {
    /// How sources are read.
    #[command(flatten)]
    pub reading: Reading,
}

/// `indexer score`.
#[derive(Debug, Args)]
pub struct Score {
    /// The file of texts, or - for standard input
    #[arg(default_value = "-", value_name = "FILE")]
    pub file: String,
    /// Plain VADER 3.3.2: the text as it stands, no emoticons first
    #[arg(long, env = "INDEXER_RAW")]
    pub raw: bool,
}

/// `indexer serve`.
#[derive(Debug, Args)]
pub struct Serve {
    /// Which store.
    #[command(flatten)]
    pub store: StoreArg,
    /// Where the dashboard is.
    #[command(flatten)]
    pub listen: ListenArgs,
}

/// `indexer setup`.
#[derive(Debug, Args)]
pub struct Setup {
    /// Write the index template to stdout and do nothing; or the file with the dashboards that Kibana imports
    #[arg(
        long,
        value_enum,
        value_name = "WHAT",
        num_args = 0..=1,
        default_missing_value = "template",
        env = "INDEXER_PRINT"
    )]
    pub print: Option<Print>,
    /// Only show what would be done
    #[arg(long, env = "INDEXER_DRY_RUN")]
    pub dry_run: bool,
    /// Where the dashboards go.
    #[command(flatten)]
    pub kibana: ToKibana,
    /// Which indices are made.
    #[command(flatten)]
    pub index_by: IndexByArg,
    /// Which store.
    #[command(flatten)]
    pub store: StoreArg,
}

/// `indexer lambda`.
#[derive(Debug, Args)]
pub struct Lambda {
    /// Which store: a cluster.
    #[command(flatten)]
    pub store: StoreArg,
    /// How records are understood.
    #[command(flatten)]
    pub records: Records,
    /// Where to write what could not be indexed, and where long objects were stopped; without it, one such
    /// record fails its object
    #[arg(long, value_name = "s3://BUCKET/PREFIX/", env = "REJECTS_URL")]
    pub rejects_url: Option<Location>,
    /// What triggers the function, to make sure that its rejects do not
    #[arg(long, value_name = "s3://BUCKET/PREFIX/", env = "INPUT_URL")]
    pub input_url: Option<Location>,
    /// How long before the function's timeout to stop and keep where: 5s [default: a tenth of what is left when
    /// the event comes, from 1s to 10s]
    #[arg(long, value_name = "TIME", value_parser = parse_duration, env = "INDEXER_DEADLINE_MARGIN")]
    pub deadline_margin: Option<Duration>,
    /// The dimension of the metrics
    #[arg(long, hide = true, default_value = "indexer", env = "AWS_LAMBDA_FUNCTION_NAME")]
    pub function_name: String,
    /// How documents are sent to a cluster.
    #[command(flatten)]
    pub load: LoadArgs,
}

impl Lambda {
    /// What the runtime needs and nobody has set, so that this is no Lambda.
    pub(crate) fn missing() -> Option<&'static str> {
        let needed = [
            "AWS_LAMBDA_RUNTIME_API",
            "AWS_LAMBDA_FUNCTION_NAME",
            "AWS_LAMBDA_FUNCTION_VERSION",
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
        ];
        needed.into_iter().find(|name| std::env::var_os(name).is_none())
    }

    /// How long before the timeout to stop, of an event that has `left` until then.
    pub(crate) fn margin(&self, left: Duration) -> Duration {
        let tenth = (left / 10).clamp(Duration::from_secs(1), Duration::from_secs(10));
        self.deadline_margin.unwrap_or(tenth).min(left)
    }
}

/// `indexer sample`.
#[derive(Debug, Args)]
pub struct Sample {
    /// How many records
    #[arg(long, value_name = "N", default_value_t = 1000, env = "INDEXER_COUNT")]
    pub count: u64,
    /// Where the random numbers begin
    #[arg(long, value_name = "S", default_value_t = 1, env = "INDEXER_SEED")]
    pub seed: u64,
    /// What to write them as
    #[arg(long, value_enum, default_value_t, env = "INDEXER_FORMAT")]
    pub format: Format,
    /// When their four weeks end: a time, or now, which gives other bytes each time
    #[arg(
        long,
        value_name = "TIME",
        value_parser = parse_time_or_now,
        default_value = "2026-03-02",
        env = "INDEXER_UNTIL"
    )]
    pub until: Timestamp,
}

fn parse_time_or_now(text: &str) -> Result<Timestamp, String> {
    let time = match text {
        "now" => Timestamp::from_millis(now()),
        _ => parse_time(text)?,
    };
    // Ids hold the time since November 2010 in 41 bits.
    let can_be_in_ids = "2010-12-03".."2080";
    match can_be_in_ids.contains(&time.to_string().as_str()) {
        true => Ok(time),
        false => Err("tweets' ids hold times from 2010-12-03 to 2079".to_owned()),
    }
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|n| *n > 0).ok_or_else(|| "write a number from 1 on".to_owned())
}

fn parse_time(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text)
        .ok_or_else(|| "write it as 2022-12-10 or 2022-12-10T18:00:00Z".to_owned())
}

impl Cli {
    /// Reads the command line. Where Lambda starts the program, it gives no command: the function's handler says
    /// which it is.
    pub fn read() -> Cli {
        let handler = std::env::var_os("_HANDLER").unwrap_or_default();
        match is_function() && std::env::args_os().len() == 1 {
            true if handler == "serve" => Cli::parse_from(["indexer", "serve"]),
            true => Cli::parse_from(["indexer", "lambda"]),
            false => Cli::parse(),
        }
    }
}

/// Whether Lambda's runtime has started the program.
pub(crate) fn is_function() -> bool {
    std::env::var_os("AWS_LAMBDA_RUNTIME_API").is_some()
}

/// Does what the command line says and tells the exit code.
pub fn main(cli: Cli) -> ExitCode {
    let log_format = match cli.command {
        // Nobody reads a function's log but through CloudWatch.
        Command::Lambda(_) => LogFormat::Json,
        Command::Serve(_) if is_function() => LogFormat::Json,
        _ => cli.log_format,
    };
    logging::start(log_format);
    let done = match cli.command {
        Command::Backfill(args) => backfill::backfill(args),
        Command::Enrich(args) => backfill::enrich(args),
        Command::Score(args) => score::run(&args),
        Command::Search(args) => search::run(&args),
        Command::Serve(args) => serve::run(&args),
        Command::Setup(args) => setup::run(&args),
        Command::Lambda(args) => lambda::run(args),
        Command::Sample(args) => sample::run(&args),
    };
    done.unwrap_or_else(|error| failure::exit_code(&error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
