//! X's filtered stream: posts that match rules, as they are written.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::intake::{Intake, Lines};
use super::super::ladder::{Ladder, Trouble};
use super::budget::Budget;
use super::search::{SEARCH, ask_patiently, is_recent, seconds, until_stopped};
use super::{Api, ApiError, Problem, rules};
use crate::config::{Query, XStreamConfig};
use crate::failure::{Context, Result};

const STREAM: &str = "/2/tweets/search/stream";
/// X sends an empty line at least this often.
const KEEP_ALIVE: Duration = Duration::from_secs(20);
/// How long lines are gathered before they are put into the spool.
const GATHER: Duration = Duration::from_millis(500);
const GATHER_BYTES: usize = 128 * 1024;
/// A line that goes on for longer is none.
const MAX_LINE: usize = 8 * 1024 * 1024;

/// Where a stream goes on.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Mark {
    /// The newest post that has come.
    #[serde(default)]
    newest_id: Option<String>,
    /// The newest post before a gap that has not been filled yet.
    #[serde(default)]
    gap_from: Option<String>,
    /// The tags of the rules that were made.
    #[serde(default)]
    tags: Vec<String>,
}

/// What a line of the stream says.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Line {
    data: Option<Post>,
    includes: Includes,
    errors: Vec<Problem>,
    title: Option<String>,
    detail: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Post {
    id: Option<String>,
    text: Option<serde::de::IgnoredAny>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Includes {
    users: Vec<serde::de::IgnoredAny>,
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
    let mark: Mark = serde_json::from_value(from).unwrap_or_default();
    let budget = Budget::new(config.x.limits, config.x.prices, config.x.has_authors);
    let mut stream = Stream {
        api,
        intake,
        budget,
        mark,
        config,
        ladder: Ladder::default(),
        lines: Lines::default(),
    };
    let mut has_rules = false;
    let mut is_first = true;
    loop {
        let stop = stream.intake.stop.clone();
        let attempt = async {
            if !has_rules {
                stream.keep_rules().await?;
                has_rules = true;
            }
            stream.connect(is_first).await
        };
        let ended = runtime.block_on(async { until_stopped(attempt, &stop).await });
        // What has come before the end is kept, however it ended.
        if !stream.flush()? {
            return Ok(());
        }
        let (trouble, why) = match ended {
            None => return Ok(()),
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
    Page(Option<(Query, String)>),
}

/// How a connection ended.
enum Ended {
    Broken(Trouble, String),
    /// The budget is spent.
    Spent,
    /// The run was stopped while the spool was full.
    Full,
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
}

impl Stream<'_> {
    async fn keep_rules(&mut self) -> Result<(), ApiError> {
        let XStreamConfig { rules: wanted, replace_rules, .. } = &self.config;
        let changes =
            rules::keep_in_step(self.api, wanted, &self.mark.tags, *replace_rules).await?;
        self.mark.tags = wanted.iter().map(|rule| rule.name.clone()).collect();
        let rules::Changes { added, deleted, others } = changes;
        tracing::info!("{} rules: {added} added, {deleted} deleted", wanted.len());
        if !others.is_empty() {
            tracing::warn!(
                hint = "delete them with --replace-rules",
                "the app has {} rules that are not in the file, whose posts come and cost too: {}",
                others.len(),
                others.join(", ")
            );
        }
        Ok(())
    }

    /// Connects, and reads until the connection ends.
    async fn connect(&mut self, is_first: bool) -> Result<Ended, ApiError> {
        let mut parameters = self.api.fields();
        if let Some(minutes) = self.config.backfill_minutes.filter(|_| !is_first) {
            parameters.push(("backfill_minutes", minutes.to_string()));
        }
        let keep_alive = self.api.clock.real(KEEP_ALIVE);
        let opened = tokio::time::timeout(keep_alive, self.api.open(STREAM, &parameters)).await;
        let answer =
            opened.map_err(|_| ApiError::Lost("no answer in 20 s".to_owned())).flatten()?;
        tracing::info!("connected to the stream");
        let mut filling = self.start_filling();
        let mut body = answer.bytes_stream();
        let mut buffer: Vec<u8> = Vec::new();
        let mut gathered_since: Option<Instant> = None;
        let mut heard = Instant::now();
        loop {
            let wait = match gathered_since {
                Some(since) => GATHER.saturating_sub(since.elapsed()),
                None => keep_alive.saturating_sub(heard.elapsed()),
            };
            let page = async {
                match &mut filling {
                    Some(filling) => filling.pages.recv().await,
                    None => std::future::pending().await,
                }
            };
            let next = async {
                tokio::select! {
                    chunk = body.next() => Next::Chunk(chunk),
                    page = page => Next::Page(page),
                }
            };
            let chunk = match tokio::time::timeout(wait, next).await {
                Ok(Next::Page(Some((rule, json)))) => {
                    self.take_page(&rule, &json);
                    if self.budget.next(1) == 0 {
                        return Ok(Ended::Spent);
                    }
                    gathered_since.get_or_insert_with(Instant::now);
                    continue;
                }
                Ok(Next::Page(None)) => {
                    if let Some(mut filling) = filling.take()
                        && let Ok(Err(error)) = (&mut filling.task).await
                    {
                        tracing::warn!(
                            "the gap before this connection could not be filled: {error}"
                        );
                    }
                    self.mark.gap_from = None;
                    continue;
                }
                Ok(Next::Chunk(chunk)) => chunk,
                Err(_) if gathered_since.is_some() => {
                    gathered_since = None;
                    match self.flush() {
                        Ok(true) => continue,
                        Ok(false) => return Ok(Ended::Full),
                        Err(failure) => return Err(ApiError::Refused(0, failure.story())),
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
                None => return Ok(Ended::Broken(Trouble::Closed, "X closed it".to_owned())),
            };
            heard = Instant::now();
            // A connection works once something has come over it.
            self.ladder.works();
            buffer.extend_from_slice(&chunk);
            let mut from = 0;
            while let Some(end) = memchr::memchr(b'\n', &buffer[from..]).map(|at| from + at) {
                let line = buffer[from..end].trim_ascii().to_vec();
                from = end + 1;
                if let Some(ended) = self.line(&line) {
                    return Ok(ended);
                }
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
                match self.flush() {
                    Ok(true) => {}
                    Ok(false) => return Ok(Ended::Full),
                    Err(failure) => return Err(ApiError::Refused(0, failure.story())),
                }
            }
        }
    }

    /// Takes a line. Returns how the connection ends, if it does with this line.
    fn line(&mut self, line: &[u8]) -> Option<Ended> {
        if line.is_empty() {
            return None;
        }
        let Ok(read) = serde_json::from_slice::<Line>(line) else {
            // Whoever indexes it rejects it.
            self.lines.push(line);
            return None;
        };
        let Line { data, includes, errors, title, detail } = read;
        if let Some(post) = data {
            // A deleted post is not charged for.
            let posts = u64::from(post.text.is_some());
            self.budget.spend(posts, includes.users.len() as u64, &self.intake.meter);
            if let Some(id) = post.id.filter(|_| posts == 1) {
                let time = ingest::Timestamp::from_id(&id);
                self.intake.meter.happened(time.map_or(0, ingest::Timestamp::as_millis));
                let is_newer = |known: &String| (known.len(), known) < (id.len(), &id);
                if self.mark.newest_id.as_ref().is_none_or(is_newer) {
                    self.mark.newest_id = Some(id);
                }
            }
            self.lines.push(line);
            return (self.budget.next(1) == 0).then_some(Ended::Spent);
        }
        let said = Problem { ..serde_json::from_slice(line).unwrap_or_default() };
        if errors.is_empty() && title.is_none() && detail.is_none() {
            // A message of a kind that is not known here.
            self.lines.push(line);
            return None;
        }
        // Too many connections: another process has the same token. It is no error of the network.
        let trouble = match said.is("ConnectionException") {
            true => Trouble::RateLimit(None),
            false => Trouble::Closed,
        };
        Some(Ended::Broken(trouble, format!("X disconnects: {}", said.story())))
    }

    /// Puts what was gathered into the spool. Returns false if the run was stopped before there was room.
    fn flush(&mut self) -> Result<bool> {
        let lines = std::mem::take(&mut self.lines);
        if lines.records == 0 {
            return Ok(true);
        }
        let mark = serde_json::to_value(&self.mark)?;
        self.intake.take(lines, mark)
    }

    /// Starts to search for what was posted before this connection and after the newest post that has come, if that was
    /// asked for. Posts that come twice are the same document.
    fn start_filling(&mut self) -> Option<Filling> {
        let since = self.mark.gap_from.take().or_else(|| self.mark.newest_id.clone());
        let since = since.filter(|id| {
            self.config.fill_gaps && is_recent(id, self.api.clock.now(), "the stream")
        })?;
        self.mark.gap_from = Some(since.clone());
        let (sender, pages) = tokio::sync::mpsc::channel(1);
        let task = fill(Arc::clone(self.api), self.config.rules.clone(), since, sender);
        Some(Filling { pages, task: tokio::spawn(task) })
    }

    /// Takes a page of what was missed.
    fn take_page(&mut self, rule: &Query, json: &str) {
        let before = self.lines.records;
        ingest::page_lines(json, Some(&rule.name), &mut |line| self.lines.push(line));
        let found: Value = serde_json::from_str(json).unwrap_or_default();
        let users = found["includes"]["users"].as_array().map_or(0, Vec::len);
        let posts = self.lines.records - before;
        self.budget.spend(posts, users as u64, &self.intake.meter);
        tracing::info!("filled the gap with {posts} posts for `{}`", rule.name);
    }
}

/// A search for what a gap has swallowed. It ends with the connection, and begins anew with the next.
struct Filling {
    pages: tokio::sync::mpsc::Receiver<(Query, String)>,
    task: tokio::task::JoinHandle<Result<(), ApiError>>,
}

impl Drop for Filling {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Searches for the posts after `since` that match each rule, up to the present.
async fn fill(
    api: Arc<Api>,
    rules: Vec<Query>,
    since: String,
    pages: tokio::sync::mpsc::Sender<(Query, String)>,
) -> Result<(), ApiError> {
    let end = ingest::Timestamp::from_millis(api.clock.now() + 1_000).to_string();
    // Search finds nothing of the last thirty seconds.
    api.clock.sleep(Duration::from_secs(40)).await;
    for rule in rules {
        let mut token: Option<String> = None;
        loop {
            let mut parameters = api.fields();
            parameters.push(("query", rule.text.clone()));
            parameters.push(("since_id", since.clone()));
            parameters.push(("end_time", end.clone()));
            parameters.push(("max_results", "100".to_owned()));
            parameters.extend(token.take().map(|token| ("next_token", token)));
            let (json, _) = ask_patiently(&api, SEARCH, &parameters, &rule.name).await?;
            let found: Value = serde_json::from_str(&json).unwrap_or_default();
            if pages.send((rule.clone(), json)).await.is_err() {
                return Ok(());
            }
            match found["meta"]["next_token"].as_str() {
                Some(next) => token = Some(next.to_owned()),
                None => break,
            }
        }
    }
    Ok(())
}
