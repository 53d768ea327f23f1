//! X's recent search: the posts of the last seven days that match a query, newest first, page by page.
//!
//! How far each query has come is the mark of its source: a run that was killed asks for the page after the last one that
//! it has kept, and the next run asks only for posts that are newer than the newest of the last.

use std::collections::BTreeMap;

use ingest::{Timestamp, page_lines};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::super::intake::{Intake, Lines};
use super::super::ladder::{Ladder, Trouble, seconds, until_cut_off, until_stopped};
use super::super::state::mark;
use super::budget::Budget;
use super::page::{Page, not_a_page};
use super::{Api, ApiError, Limit};
use crate::config::{Query, XSearchConfig};
use crate::failure::{Context, Failure, Result};
use crate::stop::Stop;

pub(super) const SEARCH: &str = "/2/tweets/search/recent";
const COUNTS: &str = "/2/tweets/counts/recent";
/// The fewest and the most posts of a page.
const PAGE: (u64, u64) = (10, 100);
/// Older posts are not found, and an id that is older is refused.
pub(super) const LOOK_BACK_MS: i64 = 7 * 24 * 3_600_000;
/// After so many failures in a row, the run ends; the next one goes on where it stopped.
const MAX_FAILURES: u32 = 8;

/// How far all queries have come, by their text.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Mark {
    #[serde(default)]
    queries: BTreeMap<String, Progress>,
}

/// How far a query has come.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Progress {
    /// The newest post of the last pass that was read to its end. The next pass asks for newer ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    since_id: Option<String>,
    /// The pass that was begun and has not reached its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pass: Option<Pass>,
}

/// Reading the pages of a query from the newest post down to the newest one of the pass before.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Pass {
    newest_id: Option<String>,
    next_token: String,
}

/// How many posts are read at most to have the newest `limit`: the last page holds ten at least.
pub(in super::super) fn read_for(limit: u64) -> u64 {
    match limit % PAGE.1 {
        0 => limit,
        rest => limit - rest + rest.max(PAGE.0),
    }
}

/// Searches for all queries.
///
/// # Errors
///
/// If X refuses a query or the token, or cannot be reached.
pub(in super::super) fn run(
    config: XSearchConfig,
    from: Value,
    intake: &mut Intake,
    api: &Api,
) -> Result<()> {
    let XSearchConfig { queries, limit, estimate: _, x } = config;
    for (at, query) in queries.iter().enumerate() {
        // How far it has come is kept by its text.
        if queries[..at].iter().any(|other| other.text == query.text) {
            let (name, text) = (&query.name, &query.text);
            return Err(Failure::new(format!(
                "the query `{text}` is given twice, the second time as `{name}`"
            )));
        }
    }
    let budget = Budget::new(x.limits, x.prices, x.has_authors);
    let (each, number) = (budget.allowance(u64::MAX) / queries.len() as u64, queries.len());
    if each < PAGE.0 {
        let failure = Failure::new(format!(
            "--max-posts or --max-cost allows {each} posts for each of {number} queries, and X delivers at least {} at a time",
            PAGE.0
        ));
        return Err(failure.with_hint("raise it, or search for fewer queries with --query"));
    }
    let mark = mark(from)?;
    let mut search = Search { api, intake, budget, mark, n_partial: 0 };
    let mut is_all = true;
    for (at, query) in queries.iter().enumerate() {
        // Each gets its share of what is left, so that a busy query does not starve the others.
        let left = search.budget.allowance(u64::MAX);
        let share = if left == u64::MAX { left } else { left / (queries.len() - at) as u64 };
        is_all &= search.query(query, limit, share)?;
        if search.intake.stop.is_set() {
            return Ok(());
        }
    }
    if !is_all {
        tracing::warn!(
            "--max-posts or --max-cost is reached, and there is more; the next run continues there"
        );
    }
    if search.n_partial > 0 {
        tracing::info!(
            "X could not return {} referenced objects, such as deleted posts",
            search.n_partial
        );
    }
    Ok(())
}

/// A run over several queries.
struct Search<'s> {
    api: &'s Api,
    intake: &'s mut Intake,
    budget: Budget,
    mark: Mark,
    /// How many partial errors there were.
    n_partial: u64,
}

impl Search<'_> {
    /// Reads the pages of a query: first what is left of the last pass, then what is new. Returns false if its share of the
    /// budget is spent.
    fn query(&mut self, query: &Query, limit: Option<u64>, share: u64) -> Result<bool> {
        let mut taken = 0;
        let was_left = self.progress(query).pass.is_some();
        if was_left {
            tracing::info!("`{}`: continuing where the last run stopped", query.name);
        }
        if !self.pass(query, (limit, share), &mut taken)? {
            return Ok(false);
        }
        match was_left && !self.intake.stop.is_set() {
            true => self.pass(query, (limit, share), &mut taken),
            false => Ok(true),
        }
    }

    fn progress(&mut self, query: &Query) -> &mut Progress {
        self.mark.queries.entry(query.text.clone()).or_default()
    }

    /// Reads the pages of one pass.
    fn pass(
        &mut self,
        query: &Query,
        (limit, share): (Option<u64>, u64),
        taken: &mut u64,
    ) -> Result<bool> {
        let now = self.api.clock.now();
        let progress = self.progress(query);
        let since_id = progress.since_id.clone();
        let mut pass = progress.pass.clone();
        let mut since_id = since_id.filter(|id| is_recent(id, now, &query.name));
        let mut is_repeated = false;
        loop {
            let left = limit.map_or(PAGE.1, |limit| limit.saturating_sub(*taken).min(PAGE.1));
            if left == 0 {
                tracing::info!("`{}`: --limit is reached; older posts are left out", query.name);
                self.end_pass(query, pass.and_then(|pass| pass.newest_id))?;
                return Ok(true);
            }
            let most = left.max(PAGE.0).min(share.saturating_sub(*taken));
            let size = self.budget.allowance(most);
            if size < PAGE.0 {
                tracing::info!("`{}`: its share of --max-posts or --max-cost is spent", query.name);
                return Ok(false);
            }
            let mut parameters = self.api.fields();
            parameters.push(("query", query.text.clone()));
            parameters.push(("max_results", size.to_string()));
            parameters.extend(since_id.clone().map(|id| ("since_id", id)));
            let token = pass.as_ref().map(|pass| ("next_token", pass.next_token.clone()));
            parameters.extend(token);
            let (json, rate_limit) = match ask(self.api, &self.intake.stop, SEARCH, &parameters)? {
                None => return Ok(true),
                Some(Ok(answer)) => answer,
                // It may have been about something else, which passes.
                Some(Err(ApiError::Refused(400, _))) if pass.is_some() && !is_repeated => {
                    is_repeated = true;
                    continue;
                }
                Some(Err(ApiError::Refused(400, why))) if pass.is_some() => {
                    tracing::warn!(
                        "`{}`: X no longer accepts the page token of the last run ({why}); its pages are read again",
                        query.name
                    );
                    (pass, is_repeated) = (None, false);
                    continue;
                }
                // The clock here is behind that of X.
                Some(Err(ApiError::Refused(400, why)))
                    if since_id.is_some() && why.contains("since_id") =>
                {
                    tracing::warn!(
                        "`{}`: the last search is too long ago for X ({why}); all posts of the last seven days are searched",
                        query.name
                    );
                    since_id = None;
                    continue;
                }
                Some(Err(error)) => {
                    return Err(error)
                        .with_context(|| format!("cannot search X for `{}`", query.name));
                }
            };
            is_repeated = false;
            let page: Page = serde_json::from_str(&json).map_err(|error| {
                let why = self.api.redacted(&error.to_string());
                Failure::new(format!("X's answer to `{}` is not a page: {why}", query.name))
            })?;
            self.n_partial += page.partial_errors();
            let mut lines = Lines::default();
            page_lines(&json, Some(&query.name), &mut |line| lines.push(line));
            if lines.records == 0 && page.meta.result_count.is_some_and(|said| said > 0) {
                let what = format!(
                    "X's answer to `{}` says that it holds posts, and none can be found",
                    query.name
                );
                return Err(Failure::new(what));
            }
            let is_same_page = pass
                .as_ref()
                .is_some_and(|pass| Some(&pass.next_token) == page.meta.next_token.as_ref());
            if is_same_page {
                let what = format!("X's answer to `{}` leads to itself again", query.name);
                return Err(Failure::new(what));
            }
            self.budget.spend(lines.records, page.users(), &self.intake.meter);
            *taken += lines.records;
            // The first page has it, unless X leaves it empty.
            let known = pass.as_ref().and_then(|pass| pass.newest_id.clone()).or(since_id.clone());
            let newest_id = [known, page.newest_id()]
                .into_iter()
                .flatten()
                .max_by(|a, b| (a.len(), a).cmp(&(b.len(), b)));
            let newest = newest_id.as_deref().and_then(Timestamp::from_id);
            self.intake.meter.happened(newest.map_or(0, Timestamp::as_millis));
            tracing::debug!("`{}`: a page of posts", query.name);
            pass = page
                .meta
                .next_token
                .map(|next_token| Pass { newest_id: newest_id.clone(), next_token });
            let progress = self.progress(query);
            progress.pass.clone_from(&pass);
            if pass.is_none() {
                progress.since_id = newest_id.or(progress.since_id.take());
            }
            if !self.hand_over(lines)? || pass.is_none() {
                return Ok(true);
            }
            // Waiting costs less than being refused.
            if let Limit { remaining: Some(0), reset: Some(reset) } = rate_limit {
                let wait =
                    Ladder::default().wait(Trouble::RateLimit(Some(reset)), self.api.clock.now());
                tracing::info!("X allows the next request in {}", seconds(wait));
                let runtime = crate::runtime::runtime()?;
                runtime.block_on(until_stopped(self.api.clock.sleep(wait), &self.intake.stop));
            }
            if self.intake.stop.is_set() {
                return Ok(true);
            }
        }
    }

    fn end_pass(&mut self, query: &Query, newest_id: Option<String>) -> Result<()> {
        let progress = self.progress(query);
        progress.since_id = newest_id.or(progress.since_id.take());
        progress.pass = None;
        self.hand_over(Lines::default()).map(drop)
    }

    /// Puts posts that are paid for into the spool, together with the mark behind them.
    fn hand_over(&mut self, lines: Lines) -> Result<bool> {
        self.intake.take(lines, &self.mark)
    }
}

/// Asks for an answer until there is one. `None` if the run was stopped. A request that is under way then may still be
/// answered, since X charges for the answer.
fn ask(
    api: &Api,
    stop: &Stop,
    path: &str,
    parameters: &[(&str, String)],
) -> Result<Option<Result<(String, Limit), ApiError>>> {
    let asked = until_cut_off(ask_patiently(api, path, parameters, Some(stop)), stop);
    Ok(crate::runtime::runtime()?.block_on(asked).flatten())
}

/// Asks for an answer until there is one, or waiting does not help. `None` if the run was stopped while waiting.
pub(super) async fn ask_patiently(
    api: &Api,
    path: &str,
    parameters: &[(&str, String)],
    stop: Option<&Stop>,
) -> Option<Result<(String, Limit), ApiError>> {
    let mut ladder = Ladder::default();
    loop {
        let error = match api.get(path, parameters).await {
            Ok((json, limit)) => match not_a_page(api, &json) {
                None => return Some(Ok((json, limit))),
                Some(why) => ApiError::Server(200, why),
            },
            Err(error) => error,
        };
        let trouble = error.trouble().filter(|_| ladder.failures() < MAX_FAILURES);
        let Some(trouble) = trouble else { return Some(Err(error)) };
        let wait = ladder.wait(trouble, api.clock.now());
        tracing::info!("X: {error}; asking again in {}", seconds(wait));
        match stop {
            Some(stop) => until_stopped(api.clock.sleep(wait), stop).await?,
            None => api.clock.sleep(wait).await,
        }
    }
}

/// Whether posts since this one can be asked for. If not, all of the last week are.
pub(super) fn is_recent(id: &str, now: i64, name: &str) -> bool {
    let Some(time) = Timestamp::from_id(id) else { return true };
    // Some minutes less, since the request takes time.
    let is_recent = time.as_millis() > now - LOOK_BACK_MS + 5 * 60_000;
    if !is_recent {
        tracing::warn!(
            "`{name}`: the last search ended at {time}, and X only looks back seven days: what was posted in between is missed"
        );
    }
    is_recent
}

/// What the searches would cost, by X's own counts, before a post is paid for.
///
/// # Errors
///
/// As for [`run`].
pub(in super::super) fn estimate(
    config: &XSearchConfig,
    from: Value,
    api: &Api,
    stop: &Stop,
) -> Result<Vec<(Query, u64)>> {
    let mark: Mark = mark(from)?;
    let mut counts = Vec::new();
    for query in &config.queries {
        let since_id = mark.queries.get(&query.text).and_then(|progress| progress.since_id.clone());
        let since_id = since_id.filter(|id| is_recent(id, api.clock.now(), &query.name));
        let mut parameters = vec![("query", query.text.clone()), ("granularity", "day".to_owned())];
        parameters.extend(since_id.map(|id| ("since_id", id)));
        let answer = ask(api, stop, COUNTS, &parameters)?;
        let (json, _) = answer
            .ok_or_else(|| Failure::new("interrupted"))?
            .with_context(|| format!("cannot count posts for `{}`", query.name))?;
        let answer: Value = serde_json::from_str(&json)?;
        let total = answer["meta"]["total_tweet_count"].as_u64().ok_or_else(|| {
            Failure::new(format!("X's answer does not say how many posts match `{}`", query.name))
        })?;
        counts.push((query.clone(), total));
    }
    Ok(counts)
}
