//! The command line: which options there are, and what they mean.
//!
//! This module turns options into the `Config` of a command, so that commands do not depend on where a setting came
//! from. Options that stay the same from call to call (the store, credentials, limits) can also be set with an
//! environment variable, and so can all settings of a Lambda function, which has no command line. Options that
//! concern a single call (`--dry-run`, filters) have no variable.

use std::ffi::OsString;
use std::io;

use clap::error::ErrorKind;
use clap::{ArgAction, CommandFactory, FromArgMatches, Parser, Subcommand};
use tracing::Level;

use crate::config::{Command, Invocation};
use crate::logging::{LogFormat, Logging};

mod backfill;
mod collect;
mod inspect;
mod lambda;
mod listen;
mod reading;
mod sample;
mod score;
mod search;
mod setup;
mod store;
mod values;

/// Turn tweets into searchable, mapped, sentiment-scored documents
#[derive(Debug, Parser)]
#[command(name = "indexer", version, arg_required_else_help = true, max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: CommandArgs,
    /// Log more: -v shows what is done with each source and request, -vv shows everything
    #[arg(short, long, global = true, action = ArgAction::Count)]
    verbose: u8,
    /// Log errors only, and show no progress
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,
    /// How log lines are written to standard error
    #[arg(long, global = true, value_enum, default_value_t, env = "INDEXER_LOG_FORMAT")]
    log_format: LogFormat,
}

#[derive(Debug, Subcommand)]
enum CommandArgs {
    /// Index files, folders, globs, objects in S3 or standard input (-) into the store
    ///
    /// Reads CSV and JSON in all their dialects, plain or gzipped, and recognizes the format by the content. Running
    /// it again changes nothing: a tweet that is already in the store is merged with what the source says about it.
    ///
    /// Exits with 0 if everything was indexed, 1 if some records were rejected (they are in the rejects file, with the
    /// reason), 2 if a source or the store could not be used, 130 after Ctrl-C.
    #[command(after_help = store::SECRETS)]
    Backfill(backfill::BackfillArgs),
    /// Collect tweets and posts as they are published: from Bluesky, from X, or again from files
    ///
    /// Records go into the store, or to Firehose, Kinesis, S3, a file or a pipe. Whatever the destination has not accepted
    /// yet is kept on disk, so that nothing is lost when it is unreachable or when this program is killed: run the same
    /// command again.
    ///
    /// Exits with 0 if the source has ended, or what --for, --max-posts or --max-cost allow was collected, 1 if some records were rejected, 2 if a source or the destination could not
    /// be used, 130 after Ctrl-C.
    Collect(Box<collect::CollectArgs>),
    /// Write the documents as NDJSON to standard output; no store is needed
    Enrich(backfill::EnrichArgs),
    /// Show what files are taken for, and what their first tweets would become
    ///
    /// Prints the format, the encoding, what each column or key is used for, the first three tweets as they would be
    /// indexed, and why records would be rejected. Only the beginning of each source is read.
    ///
    /// Exits with 2 if a source could not be read.
    Inspect(inspect::InspectArgs),
    /// Score texts: reads one a line, plain or as a JSON string, and writes NDJSON
    Score(score::ScoreArgs),
    /// Search the store; '' finds everything
    ///
    /// QUERY is made of words that must all be in the text, "phrases", #hashtags, @users (as authors or mentioned) and
    /// field:value (lang:en, from:jack, country:PT, domain:aws.amazon.com). A - before any of these excludes it.
    #[command(after_help = store::SECRETS)]
    Search(search::SearchArgs),
    /// Show the store in a browser: a dashboard, and the JSON API behind it
    ///
    /// Read-only, and only for this machine unless --listen says otherwise. The API is described at /api/openapi.json;
    /// Prometheus can read /metrics. While a `backfill` fills the same store, new tweets appear as they are indexed;
    /// `backfill --serve` does both in one process.
    #[command(after_help = store::SECRETS)]
    Serve(listen::ServeArgs),
    /// Install the index template into Elasticsearch, and the dashboards into Kibana
    ///
    /// An existing index template is brought up to date; `backfill` also installs it if its credentials allow that.
    /// With --kibana the dashboards are imported too, and open on the period that the tweets in the store cover.
    /// Existing dashboards are left alone, unless --overwrite is given. Exits with 1 if an existing index does not
    /// fit the template, or if an object was not imported.
    #[command(after_help = store::SECRETS)]
    Setup(setup::SetupArgs),
    /// Answer the events of AWS Lambda: index what arrives in S3, queues and streams
    ///
    /// This is the default command if AWS_LAMBDA_RUNTIME_API is set, so the program can serve as the function's
    /// `bootstrap`. It accepts S3 notifications (directly, or through SNS, SQS or EventBridge), Kinesis records, and
    /// rejects in SQS.
    #[command(after_help = store::SECRETS)]
    Lambda(lambda::LambdaArgs),
    /// Write synthetic tweets to standard output: the same seed gives the same bytes
    Sample(sample::SampleArgs),
}

/// Reads the command line and the environment.
///
/// Ends the process if they cannot be understood, or if help was asked for.
pub(crate) fn read() -> Invocation {
    let is_function = variable("AWS_LAMBDA_RUNTIME_API").is_some();
    // Lambda starts the program without a command; the function's handler setting says which one is meant.
    let handler = variable("_HANDLER").unwrap_or_default();
    let cli = match is_function && std::env::args_os().len() == 1 {
        true if handler == "collect" => parse(COLLECT_FUNCTION.map(OsString::from)),
        true if handler == "serve" => parse(["indexer", "serve"].map(OsString::from)),
        true => parse(["indexer", "lambda"].map(OsString::from)),
        false => parse(std::env::args_os()),
    };
    let Cli { command, verbose, quiet, log_format } = cli;
    let is_read_by_cloudwatch = match command {
        CommandArgs::Lambda(_) => true,
        CommandArgs::Serve(_) | CommandArgs::Collect(_) => is_function,
        _ => false,
    };
    let level = match verbose {
        _ if quiet => Level::ERROR,
        0 => Level::INFO,
        1 => Level::DEBUG,
        _ => Level::TRACE,
    };
    let format = if is_read_by_cloudwatch { LogFormat::Json } else { log_format };
    let unknown_variables = unknown_variables(matches!(command, CommandArgs::Lambda(_)));
    let command = match command {
        CommandArgs::Backfill(args) => Command::Backfill(args.config()),
        CommandArgs::Collect(args) if is_function => {
            Command::CollectAsFunction(Box::new(args.config()))
        }
        CommandArgs::Collect(args) => Command::Collect(Box::new(args.config())),
        CommandArgs::Enrich(args) => Command::Enrich(args.config()),
        CommandArgs::Inspect(args) => Command::Inspect(args.config()),
        CommandArgs::Score(args) => Command::Score(args.config()),
        CommandArgs::Search(args) => Command::Search(args.config()),
        CommandArgs::Serve(args) => Command::Serve(args.config(is_function)),
        CommandArgs::Setup(args) => Command::Setup(args.config()),
        CommandArgs::Lambda(args) => Command::Lambda(Box::new(args.config())),
        CommandArgs::Sample(args) => Command::Sample(args.config()),
    };
    Invocation { command, logging: Logging { level, format }, unknown_variables }
}

fn parse(arguments: impl IntoIterator<Item = OsString>) -> Cli {
    let matches = command().try_get_matches_from(arguments);
    matches.and_then(|matches| Cli::from_arg_matches(&matches)).unwrap_or_else(|unparsed| {
        // clap returns help and the version as errors too. Its `exit` ignores that they could not be written.
        if let Err(error) = unparsed.print()
            && !unparsed.use_stderr()
            && error.kind() != io::ErrorKind::BrokenPipe
        {
            let message = format!("cannot write to stdout: {error}\n");
            clap::Error::raw(ErrorKind::Io, message).exit();
        }
        std::process::exit(unparsed.exit_code())
    })
}

/// What a function whose handler is `collect` does.
const COLLECT_FUNCTION: [&str; 3] = ["indexer", "collect", "search"];

/// The command line. Some options have no environment variable in other commands, since they concern a single call;
/// for `lambda` they get one here.
fn command() -> clap::Command {
    let with = |command: clap::Command, variables: &[(&'static str, &'static str)]| {
        variables
            .iter()
            .fold(command, |command, &(id, variable)| command.mut_arg(id, |arg| arg.env(variable)))
    };
    let cli =
        Cli::command().mut_subcommand("lambda", |lambda| with(lambda, &reading::RECORD_VARIABLES));
    match variable("AWS_LAMBDA_RUNTIME_API").is_some() {
        true => cli.mut_subcommand("collect", |collect| {
            collect.mut_subcommand("search", |search| {
                // A variable holds all queries.
                with(search, &collect::SEARCH_VARIABLES)
                    .mut_arg("query", |query| query.value_delimiter('|'))
            })
        }),
        false => cli,
    }
}

/// The value of a variable of the environment.
#[expect(clippy::disallowed_methods, reason = "the one place that asks, besides clap")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The environment variables that begin with `INDEXER_` but that no option reads: mistyped ones, and those of earlier
/// versions. Variables that only `lambda` reads are unknown to all other commands.
fn unknown_variables(is_lambda: bool) -> Vec<String> {
    let command = command();
    let commands = command.get_subcommands().filter(|sub| is_lambda || sub.get_name() != "lambda");
    let known: Vec<_> = std::iter::once(&command)
        .chain(commands)
        .flat_map(clap::Command::get_arguments)
        .filter_map(|arg| arg.get_env().map(|name| name.to_string_lossy()))
        .collect();
    let set = std::env::vars_os().map(|(name, _)| name.to_string_lossy().into_owned());
    set.filter(|name| name.starts_with("INDEXER_") && !known.iter().any(|known| known == name))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        command().debug_assert();
    }

    #[test]
    fn options_of_one_call_have_no_variable() {
        for command in command().get_subcommands().filter(|sub| sub.get_name() != "lambda") {
            for arg in command.get_arguments().filter(|arg| arg.get_env().is_some()) {
                let id = arg.get_id().as_str();
                let asked_for_once = [
                    "dry_run",
                    "limit",
                    "sort",
                    "from",
                    "to",
                    "json",
                    "marketplace",
                    "sentiment",
                    "bbox",
                    "columns",
                    "timestamp",
                    "resume",
                    "serve",
                    "print",
                    "count",
                    "seed",
                    "until",
                    "raw",
                    "rejects",
                    "report",
                    "start_after",
                    "modified_from",
                    "modified_to",
                    "format",
                ];
                assert!(!asked_for_once.contains(&id), "{} --{id}", command.get_name());
            }
        }
    }
}
