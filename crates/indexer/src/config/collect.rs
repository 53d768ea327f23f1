//! What is collected, and where it goes.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use ingest::{BoundingBox, Options, Timestamp};

use super::{BearerToken, ListenConfig, ReportFormat, StoreConfig};
use crate::aws::s3::S3Uri;
use crate::source::ObjectFilter;

/// One collection.
#[derive(Clone)]
pub(crate) struct CollectConfig {
    pub(crate) source: CollectSource,
    /// Which records are wanted.
    pub(crate) conditions: Conditions,
    pub(crate) to: DestinationConfig,
    pub(crate) roll: Roll,
    pub(crate) store: StoreConfig,
    /// Whether deletions and changes are carried out in the store.
    pub(crate) follow_deletes: bool,
    /// Whether the stream that is the destination is made if it is not there.
    pub(crate) creates: bool,
    /// The folder with the spool and the state; `None` for one that is named after the source and the destination.
    pub(crate) spool: Option<PathBuf>,
    /// Where the state is kept instead of in that folder.
    pub(crate) state: Option<S3Uri>,
    /// How many bytes the spool may hold.
    pub(crate) spool_bytes: u64,
    /// Whether the oldest records are dropped where the spool is full.
    pub(crate) drop_oldest: bool,
    /// When to end; `None` to go on.
    pub(crate) duration: Option<Duration>,
    /// Where metrics are served.
    pub(crate) metrics: Option<SocketAddr>,
    /// Where the dashboard of the store is served, if that was asked for.
    pub(crate) serve: Option<ListenConfig>,
    pub(crate) rejects: Option<PathBuf>,
    pub(crate) report: ReportFormat,
    /// How fast the clock runs by which the source waits; only tests let it run faster.
    pub(crate) clock_rate: f64,
}

/// Where records come from.
#[derive(Clone)]
pub(crate) enum CollectSource {
    Search(XSearchConfig),
    Stream(XStreamConfig),
    Bluesky(BlueskyConfig),
    Replay(ReplayConfig),
}

impl CollectSource {
    /// Its name, in documents and in the names of objects and folders.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            CollectSource::Search(_) => "x-search",
            CollectSource::Stream(_) => "x-stream",
            CollectSource::Bluesky(_) => "bluesky",
            CollectSource::Replay(_) => "replay",
        }
    }

    /// How its records are understood.
    pub(crate) fn options(&self) -> Arc<Options> {
        match self {
            CollectSource::Replay(replay) => Arc::clone(&replay.options),
            _ => Arc::default(),
        }
    }

    /// The settings of X, if it comes from there.
    pub(crate) fn x(&self) -> Option<&XConfig> {
        match self {
            CollectSource::Search(search) => Some(&search.x),
            CollectSource::Stream(stream) => Some(&stream.x),
            CollectSource::Bluesky(_) | CollectSource::Replay(_) => None,
        }
    }
}

/// A query with a name, by which its posts are tagged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Query {
    pub(crate) name: String,
    pub(crate) text: String,
}

/// How X is asked, and what that may cost.
#[derive(Clone)]
pub(crate) struct XConfig {
    pub(crate) token: BearerToken,
    pub(crate) api_url: String,
    /// Whether the authors' profiles are asked for, which cost extra.
    pub(crate) has_authors: bool,
    pub(crate) limits: Limits,
    pub(crate) prices: Prices,
}

/// What may be spent.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Limits {
    /// How many posts may be read.
    pub(crate) max_posts: Option<u64>,
    /// How many dollars may be spent.
    pub(crate) max_cost: Option<f64>,
}

/// What X charges, in dollars.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Prices {
    /// For a post.
    pub(crate) post: f64,
    /// For the profile of a user.
    pub(crate) user: f64,
    /// For a request that counts posts.
    pub(crate) count: f64,
}

impl Prices {
    /// When these prices were looked up.
    pub(crate) const AS_OF: &str = "26 November 2026";
}

impl Default for Prices {
    /// The prices of X's pay-per-use plan on [`Prices::AS_OF`]: <https://docs.x.com/x-api/getting-started/pricing>.
    fn default() -> Prices {
        Prices { post: 0.005, user: 0.010, count: 0.005 }
    }
}

#[derive(Clone)]
pub(crate) struct XSearchConfig {
    pub(crate) queries: Vec<Query>,
    /// How many posts are read for each query; older ones are left out.
    pub(crate) limit: Option<u64>,
    /// Whether only the cost is asked for.
    pub(crate) estimate: bool,
    pub(crate) x: XConfig,
}

#[derive(Clone)]
pub(crate) struct XStreamConfig {
    pub(crate) rules: Vec<Query>,
    /// Whether rules that somebody else has made are deleted.
    pub(crate) replace_rules: bool,
    /// Whether what was missed between two connections is searched for.
    pub(crate) fill_gaps: bool,
    /// How many minutes X is asked to deliver again after a reconnection.
    pub(crate) backfill_minutes: Option<u8>,
    pub(crate) x: XConfig,
}

/// The versions of Jetstream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Jetstream {
    V1,
    #[default]
    V2,
}

#[derive(Clone)]
pub(crate) struct BlueskyConfig {
    /// The servers, which take turns.
    pub(crate) hosts: Vec<String>,
    pub(crate) version: Jetstream,
    /// Where to begin, if nothing was collected before; `None` for the present.
    pub(crate) since: Option<Timestamp>,
    /// Whether servers are asked to compress.
    pub(crate) is_compressed: bool,
}

#[derive(Clone)]
pub(crate) struct ReplayConfig {
    pub(crate) sources: Vec<String>,
    pub(crate) objects: ObjectFilter,
    pub(crate) options: Arc<Options>,
    pub(crate) pace: Pace,
    /// Whether to go on where an earlier run was interrupted.
    pub(crate) resume: bool,
}

/// How fast records are passed on.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Pace {
    AsFastAsPossible,
    /// So many records a second.
    PerSecond(f64),
    /// As they were created, so many times faster.
    Original(f64),
}

/// Where records go.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum DestinationConfig {
    Firehose {
        stream: String,
        /// How the stream is made if it is not there; `None` not to make it.
        create: Option<NewFirehose>,
    },
    Kinesis {
        stream: String,
        /// With how many shards the stream is made if it is not there, 0 for on demand; `None` not to make it.
        create: Option<u32>,
    },
    Objects(S3Uri),
    File(PathBuf),
    Stdout,
    Store,
}

/// A Firehose stream that is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NewFirehose {
    /// The bucket that it writes to.
    pub(crate) bucket: String,
    /// The ARN of the role that it writes with.
    pub(crate) role: String,
}

/// When a file or an object is complete, and another one begun.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Roll {
    /// Once it holds so many bytes, before compression.
    pub(crate) bytes: Option<u64>,
    /// Once it is so old.
    pub(crate) age: Option<Duration>,
}

/// The conditions that a tweet must meet, all of them.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Conditions {
    /// Words or phrases, one of which must be in the text, whatever their case.
    pub(crate) keywords: Vec<String>,
    /// Languages, as BCP 47 tags, one of which must be the tweet's.
    pub(crate) languages: Vec<String>,
    /// Accounts, by handle or id, one of which must have written it.
    pub(crate) accounts: Vec<String>,
    /// Whether it must have a location.
    pub(crate) has_geo: bool,
    /// The box that its location must lie in.
    pub(crate) bounding_box: Option<BoundingBox>,
    /// Marketplaces, to one of which it must belong.
    pub(crate) marketplaces: Vec<String>,
    /// Whether messages about deleted posts are wanted.
    pub(crate) deletions: bool,
}

impl Conditions {
    /// Whether all posts meet them.
    pub(crate) fn is_empty(&self) -> bool {
        let all = Conditions { deletions: self.deletions, ..Conditions::default() };
        *self == all
    }
}
