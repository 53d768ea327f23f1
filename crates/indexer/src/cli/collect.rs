//! The options of `indexer collect`.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use ingest::BoundingBox;

use super::listen::{ListenArgs, parse_listen_at};
use super::store::{LoadArgs, StoreArgs};
use super::values::{parse_bytes, parse_duration};
use super::variable;
use crate::aws::s3::S3Uri;
use crate::config::{
    BearerToken, CollectConfig, CollectSource, Conditions, DestinationConfig, NewFirehose,
    ReportFormat, Roll,
};
use crate::store::Load;

mod sources;

use sources::{BlueskyArgs, ReplayArgs, SearchArgs, StreamArgs};

#[derive(Debug, Args)]
pub(super) struct CollectArgs {
    #[command(subcommand)]
    source: SourceArgs,
}

#[derive(Debug, Subcommand)]
enum SourceArgs {
    /// Posts of Bluesky as they are published: free, without an account or a key
    ///
    /// Bluesky publishes every public post in a stream that is called Jetstream. This command follows it, keeps the posts
    /// that the filters let through, and after an interruption resumes where it stopped, as far as the servers look back
    /// (36 hours). To see what people write about cloud marketplaces right now:
    ///
    /// indexer collect bluesky --keyword 'aws marketplace' --keyword azure --serve
    ///
    /// It runs until Ctrl-C. Without filters there are about forty posts a second. Posts have neither locations nor counts
    /// of likes, and their authors are known only by an identifier, such as did:plc:z72i7hdynmk6r22z27h6tvur (a DID).
    Bluesky(Common<BlueskyArgs>),
    /// Posts of the last seven days from X's search; each one costs money
    ///
    /// The default queries are those for the three cloud marketplaces. A run asks only for posts that are newer than those
    /// of the run before, so that running it every day costs only what is new.
    #[command(after_help = X_TOKEN)]
    Search(Common<SearchArgs>),
    /// Posts that match rules, as they are published, from X's filtered stream; each one costs money
    #[command(after_help = X_TOKEN)]
    Stream(Common<StreamArgs>),
    /// What `backfill` reads, passed on as if it came in now: for demonstrations, load tests and migrations
    Replay(Common<ReplayArgs>),
}

const X_TOKEN: &str = "\
The token comes from the environment, never from the command line:
  X_BEARER_TOKEN        the app's bearer token, or the ARN of the secret that holds it
  X_BEARER_TOKEN_FILE   or a file that holds it";

/// The environment variables that a function reads for the options of `collect search`, by the option's id.
pub(super) const SEARCH_VARIABLES: [(&str, &str); 9] = [
    ("api_url", "INDEXER_COLLECT_API_URL"),
    ("to", "INDEXER_COLLECT_TO"),
    ("query", "INDEXER_COLLECT_QUERY"),
    ("limit", "INDEXER_COLLECT_LIMIT"),
    ("max_posts", "INDEXER_COLLECT_MAX_POSTS"),
    ("max_cost", "INDEXER_COLLECT_MAX_COST"),
    ("with_authors", "INDEXER_COLLECT_WITH_AUTHORS"),
    ("state", "INDEXER_COLLECT_STATE"),
    ("spool", "INDEXER_COLLECT_SPOOL"),
];

/// The options of a source, and those that all sources have.
#[derive(Debug, Args)]
struct Common<S: Args> {
    #[command(flatten)]
    source: S,
    #[command(flatten)]
    filter: FilterArgs,
    #[command(flatten)]
    to: ToArgs,
    #[command(flatten)]
    store: StoreArgs,
    /// Delete posts from the store that were deleted on their network, and replace those that were changed. Posts of
    /// accounts that are deleted as a whole stay
    #[arg(long)]
    follow_deletes: bool,
    /// Show the dashboard of the store while it fills
    #[arg(help_heading = "Dashboard", long)]
    serve: bool,
    #[command(flatten)]
    listen: ListenArgs,
    #[command(flatten)]
    load: LoadArgs,
}

#[derive(Debug, Args)]
struct FilterArgs {
    /// Only posts whose text contains this whole word or phrase, in any case (aws is not in laws); can be repeated, and one match is enough
    #[arg(help_heading = "Filters", long, value_name = "TEXT", value_parser = parse_keyword)]
    keyword: Vec<String>,
    /// Only posts in this language: en, pt-BR, German; can be repeated, and one match is enough
    #[arg(help_heading = "Filters", long, value_name = "LANG", value_delimiter = ',', value_parser = parse_language)]
    lang: Vec<String>,
    /// Only posts of this account: on X its handle or id, on Bluesky its DID alone; can be repeated, and one match is enough
    #[arg(help_heading = "Filters", long, value_name = "ACCOUNT", value_delimiter = ',')]
    account: Vec<String>,
    /// Only posts with a location; those of Bluesky have none
    #[arg(help_heading = "Filters", long)]
    has_geo: bool,
    /// Only posts located in this box, in degrees; west may be greater than east: 170,-50,-170,-10
    #[arg(help_heading = "Filters", long, value_name = "W,S,E,N", value_parser = super::values::parse_box, allow_hyphen_values = true)]
    bbox: Option<BoundingBox>,
    /// Only posts about this cloud marketplace: AWS, Azure, GCP; can be repeated, and one match is enough
    #[arg(help_heading = "Filters", long, value_name = "NAME", value_delimiter = ',')]
    marketplace: Vec<String>,
}

#[derive(Debug, Args)]
struct ToArgs {
    /// Where the records go: firehose:NAME, kinesis:NAME, s3://bucket/prefix/, a file, - for standard output, or store
    ///
    /// `store` enriches and indexes the records at once, into the store that --store names. All others get the records as
    /// they were received, one JSON object per line, for the Lambda function or `backfill` to index; rows of tables become
    /// objects, and what cannot be read becomes a reject, with its reason. A file is appended to.
    #[arg(long, value_name = "DESTINATION", default_value = "store", value_parser = parse_to)]
    to: To,
    /// Create the Firehose or Kinesis stream if it does not exist
    #[arg(help_heading = "Destination", long)]
    create: bool,
    /// The bucket that a new Firehose stream writes to, below twitter/raw-data/
    #[arg(help_heading = "Destination", long, value_name = "BUCKET", requires = "create")]
    create_bucket: Option<String>,
    /// The role that a new Firehose stream writes with
    #[arg(help_heading = "Destination", long, value_name = "ARN", requires = "create")]
    create_role: Option<String>,
    /// How many shards a new Kinesis stream has [default: as many as it needs, on demand]
    #[arg(help_heading = "Destination", long, value_name = "N", requires = "create")]
    create_shards: Option<u32>,
    /// Begin a new file or object once this one has at least so many bytes, before compression: 64MiB [default: 5MiB for
    /// objects, no limit for files]. A complete file is renamed: posts.ndjson to posts-20261127T100000000Z.ndjson
    #[arg(help_heading = "Destination", long, value_name = "SIZE", value_parser = parse_bytes)]
    roll_size: Option<u64>,
    /// Begin a new file or object once this one is this old: 5m [default: 5m for objects, no limit for files]
    #[arg(help_heading = "Destination", long, value_name = "TIME", value_parser = parse_duration)]
    roll_every: Option<Duration>,
    /// The folder that keeps what was not delivered yet, and where the source resumes
    ///
    /// By default it is below ./collect, one for each source and destination: a run with other filters continues there. To
    /// run two at once, give each a folder of its own.
    #[arg(help_heading = "Destination", long, value_name = "FOLDER")]
    spool: Option<PathBuf>,
    /// How much may be kept in that folder while the destination is unreachable. After that, the source is paused
    #[arg(help_heading = "Destination", long, value_name = "SIZE", default_value = "1GiB", value_parser = parse_spool_size)]
    spool_size: u64,
    /// Drop the oldest records instead of waiting when the folder is full; they are counted
    #[arg(help_heading = "Destination", long)]
    drop_oldest: bool,
    /// Keep where the source resumes in this object instead of in the folder: s3://bucket/collect.json
    #[arg(help_heading = "Destination", long, value_name = "S3-URI")]
    state: Option<S3Uri>,
    /// Where to write records that cannot be passed on or indexed [default: a new rejects-TIME.ndjson]
    #[arg(long, value_name = "FILE")]
    rejects: Option<PathBuf>,
    /// Stop receiving after this long, and deliver what has been received: 30s, 5m, 1h, 2d [default: until the source ends,
    /// or Ctrl-C]
    #[arg(long = "for", value_name = "TIME", value_parser = parse_duration)]
    duration: Option<Duration>,
    /// Serve metrics for Prometheus at /metrics: an address, a port, or both
    #[arg(long, value_name = "ADDRESS:PORT", value_parser = parse_metrics)]
    metrics: Option<SocketAddr>,
    /// How the final report is written
    #[arg(long, value_enum, default_value_t)]
    report: ReportFormat,
    /// How many times faster than the real one the clock runs by which the source waits; for tests
    #[arg(long, hide = true, default_value_t = 1.0, value_parser = sources::parse_positive)]
    clock_rate: f64,
}

/// A destination, before the options beside it are looked at.
#[derive(Debug, Clone)]
enum To {
    Firehose(String),
    Kinesis(String),
    Objects(S3Uri),
    File(PathBuf),
    Stdout,
    Store,
}

/// In the form in which texts are compared: in lower case, with single blanks.
fn parse_keyword(text: &str) -> Result<String, String> {
    let words: Vec<String> = text.split_whitespace().map(str::to_lowercase).collect();
    match words.is_empty() {
        true => Err("write a word or phrase".to_owned()),
        false => Ok(words.join(" ")),
    }
}

/// Any language that documents can have, by its tag or its name.
fn parse_language(text: &str) -> Result<String, String> {
    let tag = ingest::language_tag(text.to_owned().into());
    tag.map(Cow::into_owned).ok_or_else(|| "write a language tag: en, de, pt-BR".to_owned())
}

fn parse_to(text: &str) -> Result<To, String> {
    let forms = "write it as firehose:NAME, kinesis:NAME, s3://bucket/prefix/, a file, -, or store";
    // A slip must not become a file that nobody looks for.
    let file = || format!("{forms}; for a file of that name, ./{text}");
    let name = |name: &str| match name.is_empty() || name.contains(['/', ':']) {
        true => Err(forms.to_owned()),
        false => Ok(name.to_owned()),
    };
    Ok(match text {
        "-" => To::Stdout,
        "store" => To::Store,
        "" => return Err(forms.to_owned()),
        _ if text.starts_with("s3://") => To::Objects(text.parse()?),
        _ => match text.split_once(':') {
            Some(("firehose", stream)) => To::Firehose(name(stream)?),
            Some(("kinesis", stream)) => To::Kinesis(name(stream)?),
            Some(("http" | "https", _)) => {
                return Err(format!("a cluster is a store: --to store --store {text}"));
            }
            Some((word, _)) if word.bytes().all(|b| b.is_ascii_alphanumeric()) => {
                return Err(file());
            }
            _ if !text.contains(['.', '/', '\\']) => return Err(file()),
            _ if text.ends_with('/') => {
                return Err(format!("name a file in it: {text}posts.ndjson"));
            }
            _ if text.ends_with(".gz") => {
                return Err("files are not compressed: write to a file without .gz, or pipe it: --to - | gzip".to_owned());
            }
            _ => To::File(text.into()),
        },
    })
}

fn parse_spool_size(text: &str) -> Result<u64, String> {
    const LEAST: u64 = 1024 * 1024;
    parse_bytes(text).and_then(|bytes| match bytes >= LEAST {
        true => Ok(bytes),
        false => Err("write at least 1MiB".to_owned()),
    })
}

fn parse_metrics(text: &str) -> Result<SocketAddr, String> {
    parse_listen_at(text, 9184)
}

impl CollectArgs {
    pub(super) fn config(self) -> CollectConfig {
        let token = || BearerToken::read(variable);
        match self.source {
            SourceArgs::Bluesky(args) => {
                args.config(|source| CollectSource::Bluesky(source.config()))
            }
            SourceArgs::Search(args) => {
                args.config(|source| CollectSource::Search(source.config(token())))
            }
            SourceArgs::Stream(args) => {
                args.config(|source| CollectSource::Stream(source.config(token())))
            }
            SourceArgs::Replay(args) => {
                args.config(|source| CollectSource::Replay(source.config()))
            }
        }
    }
}

impl<S: Args> Common<S> {
    fn config(self, source: impl FnOnce(S) -> CollectSource) -> CollectConfig {
        let Common { source: args, filter, to, store, follow_deletes, serve, listen, load } = self;
        let FilterArgs { keyword, lang, account, has_geo, bbox, marketplace } = filter;
        let source = source(args);
        let is_replay = matches!(source, CollectSource::Replay(_));
        let conditions = Conditions {
            keywords: keyword,
            languages: lang,
            accounts: account.iter().map(|name| name.trim_start_matches('@').to_owned()).collect(),
            has_geo,
            bounding_box: bbox,
            marketplaces: marketplace
                .iter()
                .map(|name| enrich::canonical_marketplace(name).unwrap_or(name).to_owned())
                .collect(),
            deletions: follow_deletes,
        };
        // A replay passes on all there is, unless it is filtered.
        let deletions = conditions.deletions || is_replay && conditions.is_empty();
        let conditions = Conditions { deletions, ..conditions };
        // A collection waits for a cluster that is away, since its spool does.
        let load =
            load.load(Load { retry_for: Duration::from_secs(365 * 24 * 3600), ..Load::default() });
        let new_firehose = || {
            let (bucket, role) = (to.create_bucket.clone()?, to.create_role.clone()?);
            Some(NewFirehose { bucket, role })
        };
        CollectConfig {
            source,
            conditions,
            to: match to.to {
                To::Firehose(stream) => {
                    DestinationConfig::Firehose { stream, create: new_firehose() }
                }
                To::Kinesis(stream) => DestinationConfig::Kinesis {
                    stream,
                    create: to.create.then(|| to.create_shards.unwrap_or(0)),
                },
                To::Objects(prefix) => DestinationConfig::Objects(prefix),
                To::File(path) => DestinationConfig::File(path),
                To::Stdout => DestinationConfig::Stdout,
                To::Store => DestinationConfig::Store,
            },
            roll: Roll { bytes: to.roll_size, age: to.roll_every },
            store: store.config(load),
            follow_deletes,
            creates: to.create,
            spool: to.spool,
            state: to.state,
            spool_bytes: to.spool_size,
            drop_oldest: to.drop_oldest,
            duration: to.duration,
            metrics: to.metrics,
            serve: serve.then(|| listen.config()),
            rejects: to.rejects,
            report: to.report,
            clock_rate: to.clock_rate,
        }
    }
}
