//! X's filtered stream: posts that match rules, as they are written.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use ingest::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::intake::{Intake, Lines};
use super::super::ladder::{Ladder, Trouble, seconds, until_cut_off, until_stopped};
use super::super::state::mark;
use super::budget::Budget;
use super::gap::{Gaps, Missed};
use super::page;
use super::{Api, ApiError, Problem, rules};
use crate::config::XStreamConfig;
use crate::failure::{Context, Failure, Result};

const STREAM: &str = "/2/tweets/search/stream";
/// X sends an empty line at least this often.
const KEEP_ALIVE: Duration = Duration::from_secs(20);
/// How long lines are gathered before they are put into the spool.
const GATHER: Duration = Duration::from_millis(500);
const GATHER_BYTES: usize = 128 * 1024;
/// The fewest posts that a page of a search can hold, and the most.
const FEWEST: u64 = 10;
const MOST: u64 = 100;
/// How long a connection must last to be made again at once. One that ends sooner, again and again, would soon use up the
/// fifty connections that X allows in a quarter of an hour.
const LASTING: Duration = Duration::from_secs(1);
/// A line that goes on for longer is none.
const MAX_LINE: usize = 8 * 1024 * 1024;

/// Where a stream goes on.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Mark {
    /// The newest post that has come.
    #[serde(default)]
    newest_id: Option<String>,
    /// When the stream was first connected, in milliseconds since 1970.
    #[serde(default)]
    since: Option<i64>,
    /// What was missed and has not been searched for to its end.
    #[serde(default)]
    gaps: Gaps,
    /// The tags of the rules that were made.
    #[serde(default)]
    tags: Vec<String>,
}

/// What a line of the stream says.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Line {
    data: Option<Post>,
    includes: Value,
    errors: Vec<Problem>,
    title: Option<String>,
    detail: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Post {
    id: Value,
    text: Option<serde::de::IgnoredAny>,
}

/// Follows the stream until the run is stopped or the budget is spent.
///
/// # Errors
///
/// If X refuses the token or a rule.
pub(in super::super) fn run(
    config: XStreamConfig,
    from: Value,
    intake: &mut Intake,
    api: &Arc<Api>,
) -> Result<()> {
    let runtime = crate::runtime::runtime()?;
    let mark: Mark = mark(from)?;
    let budget = Budget::new(config.x.limits, config.x.prices, config.x.has_authors);
    let mut stream = Stream {
        api,
        intake,
        budget,
        mark,
        config,
        ladder: Ladder::default(),
        lines: Lines::default(),
        connected_at: None,
        is_heard: false,
    };
    let mut has_rules = false;
    let mut is_first = true;
    loop {
        let stop = stream.intake.stop.clone();
        let attempt = async {
            if !has_rules {
                if let Some(ended) = stream.keep_rules().await? {
                    return Ok(ended);
                }
                has_rules = true;
            }
            stream.connect(is_first).await
        };
        let ended = runtime.block_on(until_stopped(attempt, &stop));
        // What has come before the end is kept, however it ended.
        if !stream.flush()? {
            return Ok(());
        }
        let (trouble, why) = match ended {
            None => return stream.take_last_page(runtime),
            Some(Ok(Ended::Failed(failure))) => return Err(failure),
            Some(Ok(Ended::Spent)) => {
                tracing::warn!("--max-posts or --max-cost is reached: the stream is closed");
                return Ok(());
            }
            Some(Ok(Ended::Full)) => return Ok(()),
            Some(Ok(Ended::Broken(trouble, why))) => (trouble, why),
            Some(Err(error)) => match error.trouble() {
                Some(trouble) => (trouble, error.to_string()),
                None => return Err(error).context("cannot open X's filtered stream"),
            },
        };
        is_first = false;
        if stream.has_lasted() {
            stream.ladder.works();
        } else if stream.is_heard {
            stream.ladder.is_answered();
        }
        let wait = stream.ladder.wait(trouble, api.clock.now());
        tracing::info!("the stream: {why}; reconnecting in {}", seconds(wait));
        if runtime.block_on(until_stopped(api.clock.sleep(wait), &stop)).is_none() {
            return Ok(());
        }
        stream.intake.meter.reconnects.inc();
    }
}

/// What came next: a part of the stream, or a page of what was missed.
enum Next {
    Chunk(Option<reqwest::Result<bytes::Bytes>>),
    Page(Missed),
}

/// How a connection ended.
enum Ended {
    Broken(Trouble, String),
    /// The budget is spent.
    Spent,
    /// The run was stopped while the spool was full.
    Full,
    /// The spool cannot be written.
    Failed(Failure),
}

struct Stream<'s> {
    api: &'s Arc<Api>,
    intake: &'s mut Intake,
    budget: Budget,
    mark: Mark,
    config: XStreamConfig,
    ladder: Ladder,
    /// What has come and is not in the spool yet.
    lines: Lines,
    /// When this connection was made.
    connected_at: Option<Instant>,
    /// Whether something has come over it, be it a keep-alive.
    is_heard: bool,
}

impl Stream<'_> {
    /// Makes the app's rules those that are wanted. Returns how the run ends, if it does.
    async fn keep_rules(&mut self) -> Result<Option<Ended>, ApiError> {
        let wanted = self.config.rules.clone();
        let names: Vec<String> = wanted.iter().map(|rule| rule.name.clone()).collect();
        let before = self.mark.tags.clone();
        // Noted first: a rule that was made here must not be taken for somebody else's, whenever the run is killed.
        self.mark.tags.extend(names.clone());
        self.mark.tags.sort_unstable();
        self.mark.tags.dedup();
        if let Err(ended) = self.note() {
            return Ok(Some(ended));
        }
        let changes =
            rules::keep_in_step(self.api, &wanted, &before, self.config.replace_rules).await?;
        self.mark.tags = names;
        if let Err(ended) = self.note() {
            return Ok(Some(ended));
        }
        let rules::Changes { added, deleted, others } = changes;
        tracing::info!("{} rules: {added} added, {deleted} deleted", wanted.len());
        if !others.is_empty() {
            tracing::warn!(
                hint = "delete them with --replace-rules",
                "the app has rules that are not in the file; their posts are delivered and charged too: {}",
                others.join(", ")
            );
        }
        Ok(None)
    }

    /// Puts what was gathered into the spool, and in any case how far this has come. The error is how the run ends.
    fn note(&mut self) -> Result<(), Ended> {
        match self.intake.take(std::mem::take(&mut self.lines), &self.mark) {
            Ok(true) => Ok(()),
            Ok(false) => Err(Ended::Full),
            Err(failure) => Err(Ended::Failed(failure)),
        }
    }

    /// Takes the page of missed posts that is under way when the run is stopped, since X charges for it.
    fn take_last_page(&mut self, runtime: &tokio::runtime::Runtime) -> Result<()> {
        let stop = self.intake.stop.clone();
        let page = until_cut_off(self.mark.gaps.last_page(self.api), &stop);
        if let Some(Some(page)) = runtime.block_on(page) {
            self.take_page(&page);
            self.intake.take(std::mem::take(&mut self.lines), &self.mark)?;
        }
        Ok(())
    }

    /// Connects, and reads until the connection ends.
    async fn connect(&mut self, is_first: bool) -> Result<Ended, ApiError> {
        self.is_heard = false;
        let mut parameters = self.api.fields();
        if let Some(minutes) = self.config.backfill_minutes.filter(|_| !is_first) {
            parameters.push(("backfill_minutes", minutes.to_string()));
        }
        let keep_alive = self.api.clock.real(KEEP_ALIVE);
        let opened = tokio::time::timeout(keep_alive, self.api.open(STREAM, &parameters)).await;
        let answer =
            opened.map_err(|_| ApiError::Lost("no answer in 20 s".to_owned())).flatten()?;
        tracing::info!("connected to the stream");
        self.connected_at = Some(Instant::now());
        let now = self.api.clock.now();
        let newest = self.mark.newest_id.as_deref().and_then(Timestamp::from_id);
        let complete_until = newest.map(Timestamp::as_millis).or(self.mark.since);
        match complete_until {
            Some(until) if self.config.fill_gaps => self.mark.gaps.add(until, now),
            _ => {}
        }
        self.mark.since.get_or_insert(now);
        let mut body = answer.bytes_stream();
        let mut buffer: Vec<u8> = Vec::new();
        let mut gathered_since: Option<Instant> = None;
        let mut heard = Instant::now();
        loop {
            let wait = match gathered_since {
                Some(since) => GATHER.saturating_sub(since.elapsed()),
                None => keep_alive.saturating_sub(heard.elapsed()),
            };
            let size = self.budget.allowance(MOST);
            let size = if size < FEWEST { 0 } else { size };
            let page = self.mark.gaps.next_page(self.api, &self.config.rules, size);
            let next = async {
                tokio::select! {
                    chunk = body.next() => Next::Chunk(chunk),
                    page = page => Next::Page(page),
                }
            };
            let chunk = match tokio::time::timeout(wait, next).await {
                Ok(Next::Page(page)) => {
                    self.take_page(&page);
                    if self.budget.allowance(1) == 0 {
                        return Ok(Ended::Spent);
                    }
                    // Also if the page was empty.
                    match self.note() {
                        Ok(()) => continue,
                        Err(ended) => return Ok(ended),
                    }
                }
                Ok(Next::Chunk(chunk)) => chunk,
                Err(_) if gathered_since.is_some() => {
                    gathered_since = None;
                    match self.note() {
                        Ok(()) => continue,
                        Err(ended) => return Ok(ended),
                    }
                }
                Err(_) => {
                    let why = "nothing came for 20 s, not even a keep-alive".to_owned();
                    return Ok(Ended::Broken(Trouble::Network, why));
                }
            };
            let chunk = match chunk {
                Some(Ok(chunk)) => chunk,
                Some(Err(error)) => {
                    let why = crate::foreign::innermost(&error.without_url());
                    return Ok(Ended::Broken(Trouble::Network, format!("it broke off: {why}")));
                }
                None => return Ok(Ended::Broken(self.closed(), "X closed it".to_owned())),
            };
            heard = Instant::now();
            buffer.extend_from_slice(&chunk);
            let (mut from, mut ended) = (0, None);
            // What has come is charged for, also if it is more than was asked for.
            while let Some(end) = memchr::memchr(b'\n', &buffer[from..]).map(|at| from + at) {
                ended = ended.or(self.line(buffer[from..end].trim_ascii()));
                from = end + 1;
            }
            if let Some(ended) = ended {
                return Ok(ended);
            }
            buffer.drain(..from);
            if buffer.len() > MAX_LINE {
                let why = "a line goes on for more than 8 MiB".to_owned();
                return Ok(Ended::Broken(Trouble::Network, why));
            }
            if self.lines.records > 0 {
                gathered_since.get_or_insert_with(Instant::now);
            }
            if self.lines.bytes.len() >= GATHER_BYTES {
                gathered_since = None;
                if let Err(ended) = self.note() {
                    return Ok(ended);
                }
            }
        }
    }

    /// Takes a line. Returns how the connection ends, if it does with this line.
    fn line(&mut self, line: &[u8]) -> Option<Ended> {
        if line.is_empty() {
            self.is_heard = true;
            return None;
        }
        let Ok(read) = serde_json::from_slice::<Line>(line) else {
            self.lines.push_unreadable("x-stream", line);
            return None;
        };
        let Line { data, includes, errors, title, detail } = read;
        if let Some(post) = data {
            self.is_heard = true;
            // A deleted post is not charged for.
            let posts = u64::from(post.text.is_some());
            self.budget.spend(posts, page::users(&includes), &self.intake.meter);
            if let Some(id) = page::id(&post.id).filter(|_| posts == 1) {
                let time = Timestamp::from_id(&id);
                self.intake.meter.happened(time.map_or(0, Timestamp::as_millis));
                let is_newer = |known: &String| (known.len(), known) < (id.len(), &id);
                if self.mark.newest_id.as_ref().is_none_or(is_newer) {
                    self.mark.newest_id = Some(id);
                }
            }
            self.lines.push(line);
            return (self.budget.allowance(1) == 0).then_some(Ended::Spent);
        }
        let said: Problem = serde_json::from_slice(line).unwrap_or_default();
        if errors.is_empty() && title.is_none() && detail.is_none() {
            // A message of a kind that is not known here.
            self.lines.push(line);
            return None;
        }
        // Too many connections: another process has the same token. It is no error of the network.
        let trouble = match said.is("ConnectionException") {
            true => Trouble::RateLimit(None),
            false => self.closed(),
        };
        Some(Ended::Broken(trouble, format!("X disconnects: {}", self.api.said(&said))))
    }

    /// Puts what was gathered into the spool. Returns false if the run was stopped before there was room.
    fn flush(&mut self) -> Result<bool> {
        self.intake.flush(&mut self.lines, &self.mark)
    }

    /// Whether the connection has delivered something, for a while.
    fn has_lasted(&self) -> bool {
        let long_enough = self.api.clock.real(LASTING);
        self.is_heard && self.connected_at.is_some_and(|at| at.elapsed() >= long_enough)
    }

    /// What it means that X has ended the connection: one that never worked is not made again at once.
    fn closed(&self) -> Trouble {
        if self.has_lasted() { Trouble::Closed } else { Trouble::Network }
    }

    /// Takes a page of what was missed. Posts that come twice are the same document.
    fn take_page(&mut self, page: &Missed) {
        let before = self.lines.records;
        ingest::page_lines(&page.json, Some(&page.rule), &mut |line| self.lines.push(line));
        let posts = self.lines.records - before;
        self.budget.spend(posts, page.users, &self.intake.meter);
        tracing::info!("filled a gap with {posts} posts for `{}`", page.rule);
    }
}
