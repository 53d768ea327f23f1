//! What each command is told to do, however it was said.
//!
//! `cli` makes these of the command line and the environment, before anything runs. Whatever is asked for here is
//! understood and complete; only secrets are looked up when they are needed, since that may take a network.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ingest::{Options, Timestamp};

use crate::aws::s3::S3Uri;
use crate::logging::Logging;
use crate::source::ObjectFilter;
use crate::store::{Filter, IndexBy, Sort};

mod store;
mod token;

pub(crate) use store::{Secrets, StoreConfig};
pub(crate) use token::Token;

/// A call of the program.
pub(crate) struct Invocation {
    pub(crate) command: Command,
    pub(crate) logging: Logging,
    /// Variables that look like settings of ours and are not, at least not of this command.
    pub(crate) unknown_variables: Vec<String>,
}

/// What the program is to do.
pub(crate) enum Command {
    Backfill(BackfillConfig),
    Enrich(ReadingConfig),
    Score(ScoreConfig),
    Search(SearchConfig),
    Serve(ServeConfig),
    Setup(SetupConfig),
    Lambda(Box<LambdaConfig>),
    Sample(SampleConfig),
}

/// Which sources are read, and how.
pub(crate) struct ReadingConfig {
    /// Files, folders, globs, `s3://bucket/prefix`, or `-` for standard input.
    pub(crate) sources: Vec<String>,
    pub(crate) objects: ObjectFilter,
    pub(crate) options: Arc<Options>,
    /// How many sources are read side by side.
    pub(crate) readers: usize,
    /// The file for the records that could not be indexed, if it is not to be a new one.
    pub(crate) rejects: Option<PathBuf>,
    pub(crate) report: ReportFormat,
}

/// How the final report is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum ReportFormat {
    /// For people.
    #[default]
    Human,
    /// One JSON object.
    Json,
}

/// `indexer backfill`.
pub(crate) struct BackfillConfig {
    pub(crate) reading: ReadingConfig,
    pub(crate) store: StoreConfig,
    /// Whether the store is emptied first, and whether that is confirmed.
    pub(crate) recreate: bool,
    pub(crate) is_confirmed: bool,
    /// Whether sources are skipped that an earlier run has read to their end.
    pub(crate) resume: bool,
    /// Whether everything is read and enriched, but nothing written.
    pub(crate) dry_run: bool,
    /// The dashboard, if it is to be shown meanwhile.
    pub(crate) serve: Option<ListenConfig>,
}

/// `indexer score`.
pub(crate) struct ScoreConfig {
    /// The file of texts, or `-` for standard input.
    pub(crate) file: String,
    /// Whether texts are scored by VADER alone, as they stand.
    pub(crate) raw: bool,
}

/// `indexer search`.
pub(crate) struct SearchConfig {
    pub(crate) store: StoreConfig,
    pub(crate) filter: Filter,
    pub(crate) sort: Sort,
    pub(crate) limit: usize,
    /// Whether whole documents are written, as NDJSON.
    pub(crate) json: bool,
}

/// Where the dashboard is served, and to whom.
pub(crate) struct ListenConfig {
    pub(crate) address: SocketAddr,
    /// What only those have who may see it.
    pub(crate) token: Option<Token>,
    /// Whether everybody may see it who can reach the address.
    pub(crate) is_public: bool,
}

/// `indexer serve`.
pub(crate) struct ServeConfig {
    pub(crate) store: StoreConfig,
    pub(crate) listen: ListenConfig,
    /// Whether it runs as a Lambda, behind a function URL or an API Gateway.
    pub(crate) is_function: bool,
}

/// `indexer setup`.
pub(crate) struct SetupConfig {
    /// What is to be shown instead.
    pub(crate) print: Option<Print>,
    pub(crate) dry_run: bool,
    pub(crate) kibana: Option<KibanaConfig>,
    pub(crate) index_by: Option<IndexBy>,
    pub(crate) store: StoreConfig,
}

/// What can be shown of what would be installed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Print {
    /// The index template.
    Template,
    /// The file that Kibana imports.
    Dashboards,
}

/// Where dashboards are imported. Addresses are checked when they are used, so that no message repeats a secret in them.
pub(crate) struct KibanaConfig {
    pub(crate) url: String,
    pub(crate) space: Option<String>,
    /// Whether objects that are there already are replaced.
    pub(crate) overwrite: bool,
    /// How long to wait for a Kibana that is not ready.
    pub(crate) wait: Duration,
    /// The address at which people reach it, if that is another one.
    pub(crate) public_url: Option<String>,
}

/// `indexer lambda`.
pub(crate) struct LambdaConfig {
    pub(crate) store: StoreConfig,
    pub(crate) options: Arc<Options>,
    /// Where rejects and checkpoints go.
    pub(crate) rejects: Option<S3Uri>,
    /// What triggers the function.
    pub(crate) input: Option<S3Uri>,
    /// How long before the function's timeout it stops; none for a tenth of the time that it has.
    pub(crate) deadline_margin: Option<Duration>,
    pub(crate) function_name: String,
    /// A variable that Lambda's runtime sets, if one is not set: then this is not a Lambda.
    pub(crate) missing: Option<&'static str>,
}

impl LambdaConfig {
    /// How long before its timeout an invocation stops that has `left` until then.
    pub(crate) fn margin(&self, left: Duration) -> Duration {
        let tenth = (left / 10).clamp(Duration::from_secs(1), Duration::from_secs(10));
        self.deadline_margin.unwrap_or(tenth).min(left)
    }
}

/// `indexer sample`.
pub(crate) struct SampleConfig {
    /// How many records.
    pub(crate) count: u64,
    /// The seed of the random numbers.
    pub(crate) seed: u64,
    pub(crate) format: SampleFormat,
    /// When the four weeks end from which the tweets are.
    pub(crate) until: Timestamp,
}

/// The formats of sample tweets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SampleFormat {
    /// The export of a query for the cloud marketplaces: index, User (which is the tweet's id), Tweet, Cloud.
    #[default]
    Csv,
    /// API v1.1 tweets, one a line, as a stream with its notices.
    Ndjson,
    /// The same tweets as Firehose puts them into an object: `{…}{…}`.
    Firehose,
    /// API v2 filtered-stream lines with includes and matching rules.
    V2,
}
