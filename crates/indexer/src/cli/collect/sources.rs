//! The options of each source of `indexer collect`.

use std::fs;
use std::path::PathBuf;

use clap::builder::PossibleValue;
use clap::{ArgGroup, Args, ValueEnum};
use ingest::Timestamp;

use crate::cli::reading::{ColumnArgs, ObjectArgs};
use crate::cli::values::{parse_duration, parse_time};
use crate::clock;
use crate::config::{
    BearerToken, BlueskyConfig, Jetstream, Limits, Pace, Prices, Query, ReplayConfig, XConfig,
    XSearchConfig, XStreamConfig,
};

#[derive(Debug, Args)]
pub(super) struct BlueskyArgs {
    /// The server; of several, the next one is used when one fails [default: jetstream.us-east.bsky.network and
    /// jetstream.us-west.bsky.network; with --jetstream v1 jetstream1 and jetstream2 of both regions]
    #[arg(long, value_name = "HOST", value_delimiter = ',', value_parser = parse_host)]
    host: Vec<String>,
    /// The version of the protocol
    #[arg(long, value_enum, default_value_t)]
    jetstream: Jetstream,
    /// Where to begin if nothing was collected before: a time, or how long ago, at most 36 hours [default: now]
    #[arg(long, value_name = "TIME", value_parser = parse_since)]
    since: Option<Timestamp>,
    /// Do not ask the server to compress what it sends
    #[arg(long)]
    no_compression: bool,
}

fn parse_host(text: &str) -> Result<String, String> {
    let bare = text.strip_prefix("wss://").or_else(|| text.strip_prefix("ws://")).unwrap_or(text);
    match bare.trim_end_matches('/') {
        bare if bare.is_empty() || bare.contains(['/', '?', '#', ' ', '@']) => Err(
            "write it as jetstream.us-east.bsky.network, or ws://127.0.0.1:6008, without a path"
                .to_owned(),
        ),
        _ => Ok(text.to_owned()),
    }
}

fn parse_since(text: &str) -> Result<Timestamp, String> {
    let ago = |ago: std::time::Duration| {
        let millis = i64::try_from(ago.as_millis()).unwrap_or(i64::MAX);
        Timestamp::from_millis(clock::now().saturating_sub(millis).max(0))
    };
    let forms = |_| "write it as 2h, 2026-11-27 or 2026-11-27T18:00:00Z".to_owned();
    let time = parse_time(text).or_else(|_| parse_duration(text).map(ago).map_err(forms))?;
    match time.as_millis() > clock::now() {
        true => Err("that is in the future".to_owned()),
        false => Ok(time),
    }
}

impl ValueEnum for Jetstream {
    fn value_variants<'a>() -> &'a [Self] {
        &[Jetstream::V2, Jetstream::V1]
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(match self {
            Jetstream::V2 => PossibleValue::new("v2").help("The current one"),
            Jetstream::V1 => {
                PossibleValue::new("v1").help("The older one, for servers that have no other")
            }
        })
    }
}

impl BlueskyArgs {
    pub(super) fn config(self) -> BlueskyConfig {
        let BlueskyArgs { host, jetstream, since, no_compression } = self;
        let defaults: &[&str] = match jetstream {
            Jetstream::V2 => &["jetstream.us-east.bsky.network", "jetstream.us-west.bsky.network"],
            Jetstream::V1 => &[
                "jetstream1.us-east.bsky.network",
                "jetstream2.us-east.bsky.network",
                "jetstream1.us-west.bsky.network",
                "jetstream2.us-west.bsky.network",
            ],
        };
        let hosts = match host.is_empty() {
            true => defaults.iter().map(|host| (*host).to_owned()).collect(),
            false => host,
        };
        BlueskyConfig { hosts, version: jetstream, since, is_compressed: !no_compression }
    }
}

/// The options of both ways to ask X.
#[derive(Debug, Args)]
pub(super) struct XArgs {
    /// Read at most this many posts, ten or more for each query; the next run continues where this one stops
    #[arg(help_heading = "Cost", long, value_name = "N", value_parser = parse_max_posts)]
    max_posts: Option<u64>,
    /// Spend at most this many dollars
    #[arg(help_heading = "Cost", long, value_name = "DOLLARS", value_parser = parse_dollars)]
    max_cost: Option<f64>,
    /// Ask for the profiles of the authors too, which cost twice as much as the posts
    #[arg(help_heading = "Cost", long)]
    with_authors: bool,
    /// Price per post in dollars, if X has changed it since 26 November 2026
    #[arg(help_heading = "Cost", long, value_name = "DOLLARS", default_value_t = Prices::default().post, value_parser = parse_dollars)]
    price_per_post: f64,
    /// Price per profile of an author in dollars
    #[arg(help_heading = "Cost", long, value_name = "DOLLARS", default_value_t = Prices::default().user, value_parser = parse_dollars)]
    price_per_user: f64,
    /// The address of the API
    #[arg(long, value_name = "URL", default_value = "https://api.x.com")]
    api_url: String,
}

fn parse_max_posts(text: &str) -> Result<u64, String> {
    let number = text.parse().ok().filter(|number| *number >= 10);
    number.ok_or_else(|| "write a number of at least 10: X delivers no fewer at a time".to_owned())
}

fn parse_dollars(text: &str) -> Result<f64, String> {
    let amount = text.trim_start_matches('$').parse::<f64>().ok();
    amount
        .filter(|amount| amount.is_finite() && *amount >= 0.0)
        .ok_or_else(|| "write it in dollars: 5 or 0.50".to_owned())
}

impl XArgs {
    fn config(self, token: BearerToken) -> XConfig {
        XConfig {
            token,
            api_url: self.api_url,
            has_authors: self.with_authors,
            limits: Limits { max_posts: self.max_posts, max_cost: self.max_cost },
            prices: Prices {
                post: self.price_per_post,
                user: self.price_per_user,
                ..Prices::default()
            },
        }
    }
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("budget").args(["max_posts", "max_cost", "estimate"]).required(true).multiple(true))]
pub(super) struct SearchArgs {
    /// What to search for, in X's query language, under a name that becomes the marketplace of its posts [default: AWS,
    /// GCP and Azure: '"… Marketplace" -is:retweet']
    #[arg(long, value_name = "NAME=QUERY", value_parser = parse_query)]
    query: Vec<Query>,
    /// Read only the newest N posts of each query; X delivers at least ten at a time
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    limit: Option<u64>,
    /// Print what the search would cost, without reading posts
    #[arg(help_heading = "Cost", long)]
    estimate: bool,
    #[command(flatten)]
    x: XArgs,
}

fn parse_query(text: &str) -> Result<Query, String> {
    let (name, query) =
        text.split_once('=').ok_or("write it as NAME=QUERY, such as AWS='\"AWS Marketplace\"'")?;
    match (name.trim(), query.trim()) {
        ("", _) | (_, "") => Err("neither the name nor the query may be empty".to_owned()),
        (name, query) => Ok(Query { name: name.to_owned(), text: query.to_owned() }),
    }
}

impl SearchArgs {
    pub(super) fn config(self, token: BearerToken) -> XSearchConfig {
        let SearchArgs { query, limit, estimate, x } = self;
        let marketplace = |name: &str| Query {
            name: name.to_owned(),
            text: format!("\"{name} Marketplace\" -is:retweet"),
        };
        let queries = match query.is_empty() {
            true => ["AWS", "GCP", "Azure"].map(marketplace).to_vec(),
            false => query,
        };
        XSearchConfig { queries, limit, estimate, x: x.config(token) }
    }
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("budget").args(["max_posts", "max_cost"]).required(true).multiple(true))]
pub(super) struct StreamArgs {
    /// A file with one rule per line: NAME=RULE, in X's query language; lines that begin with # are comments. The app's
    /// rules are updated to match
    #[arg(long, value_name = "FILE", value_parser = parse_rules)]
    rules: Rules,
    /// Delete rules of the app that are not in the file and were not made by this command
    #[arg(long)]
    replace_rules: bool,
    /// After a reconnection, search for what was missed. Posts that come twice are paid for twice
    #[arg(long)]
    fill_gaps: bool,
    /// Ask X to deliver the last minutes again after a reconnection; for Enterprise access alone
    #[arg(long, value_name = "1..5", value_parser = clap::value_parser!(u8).range(1..=5))]
    backfill_minutes: Option<u8>,
    #[command(flatten)]
    x: XArgs,
}

/// The rules of a file.
#[derive(Debug, Clone)]
struct Rules(Vec<Query>);

fn parse_rules(path: &str) -> Result<Rules, String> {
    let text = fs::read_to_string(PathBuf::from(path)).map_err(|error| {
        format!("cannot read it ({error}); it should have lines such as AWS=\"AWS Marketplace\" -is:retweet")
    })?;
    let mut rules: Vec<Query> = Vec::new();
    for (number, line) in text.trim_start_matches('\u{FEFF}').lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let rule = parse_query(line).map_err(|why| format!("line {}: {why}", number + 1))?;
        if rules.iter().any(|known| known.name == rule.name) {
            return Err(format!(
                "line {}: there are two rules with the name {}",
                number + 1,
                rule.name
            ));
        }
        if let Some(known) = rules.iter().find(|known| known.text == rule.text) {
            let (number, known) = (number + 1, &known.name);
            return Err(format!(
                "line {number}: {known} has the same rule, and X takes it only once"
            ));
        }
        rules.push(rule);
    }
    match rules.is_empty() {
        true => Err("there is no rule in it".to_owned()),
        false => Ok(Rules(rules)),
    }
}

impl StreamArgs {
    pub(super) fn config(self, token: BearerToken) -> XStreamConfig {
        let StreamArgs { rules: Rules(rules), replace_rules, fill_gaps, backfill_minutes, x } =
            self;
        XStreamConfig { rules, replace_rules, fill_gaps, backfill_minutes, x: x.config(token) }
    }
}

#[derive(Debug, Args)]
pub(super) struct ReplayArgs {
    /// Files, folders (with all that is in them), globs, s3://bucket/prefix, or - for standard input
    #[arg(required = true, value_name = "SOURCE")]
    sources: Vec<String>,
    /// Pass on so many records a second [default: as fast as possible]
    #[arg(long, value_name = "N", value_parser = parse_positive, conflicts_with = "speed")]
    rate: Option<f64>,
    /// Pass records on in the rhythm in which they were created, this many times faster: 1, 60, 0.5. They must be in the
    /// order of time: one that is older than the first comes at once
    #[arg(long, value_name = "FACTOR", value_parser = parse_positive)]
    speed: Option<f64>,
    /// Resume where the last replay of the same sources was interrupted
    #[arg(long)]
    resume: bool,
    #[command(flatten)]
    columns: ColumnArgs,
    #[command(flatten)]
    objects: ObjectArgs,
}

pub(super) fn parse_positive(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite() && *number > 0.0);
    number.ok_or_else(|| "write a number above 0".to_owned())
}

impl ReplayArgs {
    pub(super) fn config(self) -> ReplayConfig {
        let ReplayArgs { sources, rate, speed, resume, columns, objects } = self;
        let pace = match (rate, speed) {
            (Some(rate), _) => Pace::PerSecond(rate),
            (None, Some(factor)) => Pace::Original(factor),
            (None, None) => Pace::AsFastAsPossible,
        };
        ReplayConfig {
            sources,
            objects: objects.filter(),
            options: columns.options(),
            pace,
            resume,
        }
    }
}
