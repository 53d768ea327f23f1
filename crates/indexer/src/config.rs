//! The configuration of each command, independent of where the settings came from.
//!
//! `cli` builds these types from the command line and the environment before anything runs. They are complete, but
//! addresses are checked and secrets are looked up only when they are used: a secret may have to be fetched over the
//! network.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ingest::{Options, Timestamp};

use crate::aws::s3::S3Uri;
use crate::logging::Logging;
use crate::source::ObjectFilter;
use crate::store::{Filter, IndexBy, Sort};

mod bearer;
mod collect;
mod store;
mod token;

pub(crate) use bearer::BearerToken;
pub(crate) use collect::{
    BlueskyConfig, CollectConfig, CollectSource, Conditions, DestinationConfig, Jetstream, Limits,
    NewFirehose, Pace, Prices, Query, ReplayConfig, Roll, XConfig, XSearchConfig, XStreamConfig,
};
pub(crate) use store::{Secrets, StoreConfig};
pub(crate) use token::Token;

/// One call of the program: the command to run, and how to log.
pub(crate) struct Invocation {
    pub(crate) command: Command,
    pub(crate) logging: Logging,
    /// Environment variables that begin with `INDEXER_` but are not settings of this command.
    pub(crate) unknown_variables: Vec<String>,
}

/// What the program is to do.
pub(crate) enum Command {
    Backfill(BackfillConfig),
    Collect(Box<CollectConfig>),
    /// The same as a Lambda function, at each event.
    CollectAsFunction(Box<CollectConfig>),
    Enrich(ReadingConfig),
    Inspect(InspectConfig),
    Score(ScoreConfig),
    Search(SearchConfig),
    Serve(ServeConfig),
    Setup(SetupConfig),
    Lambda(Box<LambdaConfig>),
    Sample(SampleConfig),
}

/// Which sources are shown, and how.
pub(crate) struct InspectConfig {
    pub(crate) sources: Vec<String>,
    pub(crate) objects: ObjectFilter,
    pub(crate) options: Arc<Options>,
    pub(crate) as_json: bool,
}

/// Which sources are read, and how.
pub(crate) struct ReadingConfig {
    /// Files, folders, globs, `s3://bucket/prefix`, or `-` for standard input.
    pub(crate) sources: Vec<String>,
    pub(crate) objects: ObjectFilter,
    pub(crate) options: Arc<Options>,
    /// How many sources are read side by side.
    pub(crate) readers: usize,
    /// The file for records that could not be indexed. `None` for a new file beside the store, or for standard error
    /// in `enrich`.
    pub(crate) rejects: Option<PathBuf>,
    pub(crate) report: ReportFormat,
}

/// How the final report is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum ReportFormat {
    /// A table for people to read.
    #[default]
    Human,
    /// One JSON object for programs to read.
    Json,
}

/// What `indexer backfill` is told to do.
pub(crate) struct BackfillConfig {
    pub(crate) reading: ReadingConfig,
    pub(crate) store: StoreConfig,
    /// Whether the store is emptied first.
    pub(crate) recreate: bool,
    /// Whether the store may be emptied without asking.
    pub(crate) is_confirmed: bool,
    /// Whether sources are skipped that an earlier run has read to their end.
    pub(crate) resume: bool,
    /// Whether everything is read and enriched, but nothing written.
    pub(crate) dry_run: bool,
    /// Where to serve the dashboard during the run and after it. `None` if it is not served.
    pub(crate) serve: Option<ListenConfig>,
}

/// What `indexer score` is told to do.
pub(crate) struct ScoreConfig {
    /// The file of texts, or `-` for standard input.
    pub(crate) file: String,
    /// Whether texts are scored by VADER alone, as they stand.
    pub(crate) raw: bool,
}

/// What `indexer search` is told to look for.
pub(crate) struct SearchConfig {
    pub(crate) store: StoreConfig,
    pub(crate) filter: Filter,
    pub(crate) sort: Sort,
    pub(crate) limit: usize,
    /// Whether whole documents are written, as NDJSON.
    pub(crate) json: bool,
}

/// Where the dashboard is served, and to whom.
#[derive(Clone)]
pub(crate) struct ListenConfig {
    pub(crate) address: SocketAddr,
    /// The token that is required to see the dashboard. `None` if no token was given.
    pub(crate) token: Option<Token>,
    /// Whether everyone who can reach the address may see the dashboard without a token.
    pub(crate) is_public: bool,
}

/// What `indexer serve` is told to show, and to whom.
pub(crate) struct ServeConfig {
    pub(crate) store: StoreConfig,
    pub(crate) listen: ListenConfig,
    /// Whether it runs as a Lambda, behind a function URL or an API Gateway.
    pub(crate) is_function: bool,
}

/// What `indexer setup` is told to install or to print.
pub(crate) struct SetupConfig {
    /// What to print instead of installing anything. `None` to install.
    pub(crate) print: Option<Print>,
    pub(crate) dry_run: bool,
    pub(crate) kibana: Option<KibanaConfig>,
    pub(crate) index_by: Option<IndexBy>,
    pub(crate) store: StoreConfig,
}

/// What `indexer setup --print` can print.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Print {
    /// The index template that Elasticsearch is given.
    Template,
    /// The file that Kibana imports.
    Dashboards,
}

/// The Kibana that dashboards are imported into. Its addresses are plain text and are checked only when they are
/// used: a command-line error would repeat the value, and with it any password in it.
pub(crate) struct KibanaConfig {
    pub(crate) url: String,
    pub(crate) space: Option<String>,
    /// Whether objects that are there already are replaced.
    pub(crate) overwrite: bool,
    /// How long to wait for a Kibana that is not ready.
    pub(crate) wait: Duration,
    /// The address at which people reach Kibana, if it differs from `url`. It is used in the links that are printed.
    pub(crate) public_url: Option<String>,
}

/// The settings of the Lambda function that indexes.
pub(crate) struct LambdaConfig {
    pub(crate) store: StoreConfig,
    pub(crate) options: Arc<Options>,
    /// Where rejects and checkpoints go.
    pub(crate) rejects: Option<S3Uri>,
    /// The prefix of the objects that trigger the function. It is only used to check that `rejects` lies outside of
    /// it.
    pub(crate) input: Option<S3Uri>,
    /// How long before the function's timeout it stops. `None` for the default, see [`LambdaConfig::margin`].
    pub(crate) deadline_margin: Option<Duration>,
    /// The name of the Lambda function, which is the dimension of its metrics.
    pub(crate) function_name: String,
    /// A variable that Lambda's runtime sets but that is missing, which means that the program does not run in
    /// Lambda.
    pub(crate) missing: Option<&'static str>,
}

impl LambdaConfig {
    /// How long before its timeout an invocation stops, if `left` is the time until the timeout. By default a tenth
    /// of `left`, but at least 1 s and at most 10 s.
    pub(crate) fn margin(&self, left: Duration) -> Duration {
        let tenth = (left / 10).clamp(Duration::from_secs(1), Duration::from_secs(10));
        self.deadline_margin.unwrap_or(tenth).min(left)
    }
}

/// Which sample tweets `indexer sample` is to write.
pub(crate) struct SampleConfig {
    /// How many records are written.
    pub(crate) count: u64,
    /// The seed of the random numbers.
    pub(crate) seed: u64,
    pub(crate) format: SampleFormat,
    /// The end of the four weeks that the tweets cover.
    pub(crate) until: Timestamp,
}

/// The formats of sample tweets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SampleFormat {
    /// The export of a query for the cloud marketplaces: index, User (which is the tweet's id), Tweet, Cloud.
    #[default]
    Csv,
    /// API v1.1 tweets, one per line, as a stream sends them, with its notices.
    Ndjson,
    /// The same tweets as Firehose puts them into an object: `{…}{…}`.
    Firehose,
    /// API v2 filtered-stream lines with includes and matching rules.
    V2,
}
