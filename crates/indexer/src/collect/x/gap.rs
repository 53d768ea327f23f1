//! What a stream has missed between two connections, searched for page by page.
//!
//! How far that has come is part of the stream's mark, so that no page is paid for again after a cut or a restart.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use ingest::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::task::JoinHandle;

use super::page::Page;
use super::search::{LOOK_BACK_MS, SEARCH, ask_patiently};
use super::{Api, ApiError};
use crate::config::Query;

/// Search finds nothing of the last thirty seconds.
const NOT_YET_FOUND: Duration = Duration::from_secs(40);
/// How much older than the newest post one may be that has not come yet: X delivers out of order, within some seconds.
const DISORDER_MS: i64 = 30_000;
/// For how long reconnections that follow each other count as one gap, in milliseconds.
const GROWS_FOR_MS: i64 = 60_000;
/// How long to wait after a failure that may pass, and after a refusal that somebody has to lift, in milliseconds.
const AGAIN_MS: (i64, i64) = (60_000, 15 * 60_000);

/// The gaps that are not filled yet, oldest first.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Gaps {
    gaps: VecDeque<Gap>,
    /// The end of the last gap that was filled, in milliseconds since 1970.
    filled_until: Option<i64>,
    /// The page that is asked for, and the rule that it is for.
    #[serde(skip)]
    asked: Option<(Query, JoinHandle<Result<String, ApiError>>)>,
    /// When to ask again after a failure, in milliseconds since 1970.
    #[serde(skip)]
    again_at: i64,
}

/// A stretch of time, in milliseconds since 1970, of which posts may be missing.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Gap {
    start: i64,
    end: i64,
    /// When it was first noted.
    noted: i64,
    /// The texts of the rules that were searched for to their end.
    #[serde(default)]
    done: Vec<String>,
    /// The text of the rule that is being searched for, and its next page.
    #[serde(default)]
    page: Option<(String, String)>,
}

/// A page of posts that were missed.
pub(super) struct Missed {
    /// The rule that they match.
    pub(super) rule: String,
    pub(super) json: String,
    /// How many profiles of users it holds.
    pub(super) users: u64,
}

impl Clone for Gaps {
    fn clone(&self) -> Gaps {
        Gaps { gaps: self.gaps.clone(), filled_until: self.filled_until, asked: None, again_at: 0 }
    }
}

impl Gaps {
    /// Notes that everything may be missing from the time of the newest post on, up to the present.
    pub(super) fn add(&mut self, newest: i64, now: i64) {
        let end = now + 1_000;
        // What was searched for is newer than the newest post that the stream itself has brought.
        let start = (newest - DISORDER_MS).max(self.filled_until.unwrap_or(0));
        let is_asked = self.asked.is_some() && self.gaps.len() == 1;
        let last_end = match self.gaps.back_mut() {
            // Not for ever: a gap that grows with each reconnection would never be searched.
            Some(last) if last.is_untouched() && !is_asked && now - last.noted < GROWS_FOR_MS => {
                last.end = end;
                return;
            }
            last => last.map_or(0, |last| last.end),
        };
        let start = start.max(last_end);
        self.gaps.push_back(Gap { start, end, noted: now, done: Vec::new(), page: None });
    }

    /// The next page of the oldest gap, of at most `size` posts. Waits for ever if there is none, or if `size` is 0. Asking
    /// goes on while this is not polled.
    pub(super) async fn next_page(&mut self, api: &Arc<Api>, rules: &[Query], size: u64) -> Missed {
        loop {
            let Some(gap) = self.gaps.front_mut() else { return std::future::pending().await };
            if self.asked.is_none() {
                let Some(rule) = gap.next_rule(rules) else {
                    self.filled_until = self.filled_until.max(Some(gap.end));
                    self.gaps.pop_front();
                    continue;
                };
                if size == 0 {
                    return std::future::pending().await;
                }
                let found_from = gap.end + NOT_YET_FOUND.as_millis() as i64;
                let wait = found_from.max(self.again_at).saturating_sub(api.clock.now()).max(0);
                api.clock.sleep(Duration::from_millis(wait as u64)).await;
                gap.forget_what_is_too_old(api.clock.now());
                self.asked = Some((rule.clone(), ask(api, rule, gap, size)));
            }
            let page = self.answer(api).await;
            if let Some(page) = page {
                return page;
            }
        }
    }

    /// The page that is under way, if there is one.
    pub(super) async fn last_page(&mut self, api: &Arc<Api>) -> Option<Missed> {
        match self.asked {
            Some(_) => self.answer(api).await,
            None => None,
        }
    }

    /// Waits for the page that was asked for. `None` if it has not come, and is to be asked for again.
    async fn answer(&mut self, api: &Arc<Api>) -> Option<Missed> {
        let (_, asked) = self.asked.as_mut()?;
        let answer = asked.await;
        let (rule, _) = self.asked.take()?;
        let gap = self.gaps.front_mut()?;
        // If the task has panicked, that was logged.
        let json = answer.unwrap_or_else(|_| Err(ApiError::Lost("an internal error".to_owned())));
        let read = json.and_then(|json| match serde_json::from_str::<Page>(&json) {
            Ok(page) if page.is_whole() => Ok((json, page)),
            _ => Err(ApiError::Lost("a page cannot be read".to_owned())),
        });
        let name = &rule.name;
        let error = match read {
            Ok((json, page)) => {
                let users = page.users();
                gap.page = page.meta.next_token.map(|token| (rule.text.clone(), token));
                if gap.page.is_none() {
                    gap.done.push(rule.text);
                }
                return Some(Missed { rule: rule.name, json, users });
            }
            Err(error) => error,
        };
        let wait = match error {
            ApiError::Refused(401 | 402 | 403 | 429, _) => AGAIN_MS.1,
            // A token that X no longer takes: the rule begins again.
            ApiError::Refused(..) if gap.page.take().is_some() => 0,
            ApiError::Refused(..) => {
                tracing::warn!(
                    "posts for `{name}` that were missed cannot be searched for: {error}"
                );
                gap.done.push(rule.text);
                return None;
            }
            _ => AGAIN_MS.0,
        };
        self.again_at = api.clock.now() + wait;
        tracing::warn!(
            "posts for `{name}` that were missed are searched for again in {} s: {error}",
            wait / 1000
        );
        None
    }
}

impl Gap {
    /// Whether nothing of it was searched for yet.
    fn is_untouched(&self) -> bool {
        self.done.is_empty() && self.page.is_none()
    }

    /// The rule to search for next; `None` if the gap is filled.
    fn next_rule<'r>(&mut self, rules: &'r [Query]) -> Option<&'r Query> {
        let begun = self.page.as_ref().and_then(|(text, _)| rules.iter().find(|r| r.text == *text));
        if begun.is_none() {
            self.page = None;
        }
        begun.or_else(|| rules.iter().find(|rule| !self.done.contains(&rule.text)))
    }

    /// X refuses to search for what is older than a week.
    fn forget_what_is_too_old(&mut self, now: i64) {
        let oldest = now - LOOK_BACK_MS + 5 * 60_000;
        if self.start < oldest {
            tracing::warn!(
                "X only looks back seven days: posts between {} and {} are missed",
                Timestamp::from_millis(self.start),
                Timestamp::from_millis(oldest.min(self.end))
            );
            (self.start, self.end) = (oldest, self.end.max(oldest + 1_000));
        }
    }
}

fn ask(api: &Arc<Api>, rule: &Query, gap: &Gap, size: u64) -> JoinHandle<Result<String, ApiError>> {
    let (api, query, gap) = (Arc::clone(api), rule.text.clone(), gap.clone());
    tokio::spawn(async move {
        // X takes whole seconds.
        let time = |millis: i64| {
            Timestamp::from_millis(millis / 1000 * 1000).to_string().replace(".000Z", "Z")
        };
        let mut parameters = api.fields();
        parameters.push(("query", query));
        parameters.push(("start_time", time(gap.start)));
        parameters.push(("end_time", time(gap.end)));
        parameters.push(("max_results", size.to_string()));
        parameters.extend(gap.page.map(|(_, token)| ("next_token", token)));
        match ask_patiently(&api, SEARCH, &parameters, None).await {
            Some(answer) => answer.map(|(json, _)| json),
            None => Err(ApiError::Lost("interrupted".to_owned())),
        }
    })
}
