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
use super::search::{SEARCH, ask_patiently, is_recent};
use super::{Api, ApiError};
use crate::config::Query;

/// Search finds nothing of the last thirty seconds.
const NOT_YET_FOUND: Duration = Duration::from_secs(40);

/// The gaps that are not filled yet, oldest first.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Gaps {
    gaps: VecDeque<Gap>,
    /// The end of the last gap that was filled, in milliseconds since 1970.
    filled_until: Option<i64>,
    /// The page that is asked for.
    #[serde(skip)]
    asked: Option<JoinHandle<Result<String, ApiError>>>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Gap {
    /// The newest post before it.
    since_id: String,
    /// Its beginning, in milliseconds since 1970, if that is later than that post.
    #[serde(default)]
    start: Option<i64>,
    /// Its end, in milliseconds since 1970.
    end: i64,
    /// How many rules were searched for to their end.
    rules: usize,
    /// The next page of the rule after those.
    next_token: Option<String>,
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
        Gaps { gaps: self.gaps.clone(), filled_until: self.filled_until, asked: None }
    }
}

impl Gaps {
    /// Notes that everything may be missing from a post on, up to the present.
    pub(super) fn add(&mut self, since_id: String, now: i64) {
        let end = now + 1_000;
        // What was searched for is newer than the newest post that the stream itself has brought.
        let newest = Timestamp::from_id(&since_id).map(Timestamp::as_millis);
        let mut start =
            self.filled_until.filter(|filled| newest.is_none_or(|newest| newest < *filled));
        if let Some(last) = self.gaps.back_mut().filter(|last| last.since_id == since_id) {
            if last.rules == 0 && last.next_token.is_none() && self.asked.is_none() {
                last.end = end;
                return;
            }
            // Nothing has come since, and what came before is being asked for.
            start = Some(last.end);
        }
        self.gaps.push_back(Gap { since_id, start, end, rules: 0, next_token: None });
    }

    /// The next page of the oldest gap. Waits for ever if there is none, or if none may be paid for. Asking goes on while
    /// this is not polled.
    pub(super) async fn next_page(
        &mut self,
        api: &Arc<Api>,
        rules: &[Query],
        is_allowed: bool,
    ) -> Missed {
        loop {
            let Some(gap) = self.gaps.front_mut() else { return std::future::pending().await };
            let Some(rule) = rules.get(gap.rules) else {
                self.filled_until = self.filled_until.max(Some(gap.end));
                self.gaps.pop_front();
                continue;
            };
            let asked = match &mut self.asked {
                Some(asked) => asked,
                None if !is_allowed => return std::future::pending().await,
                None => {
                    let found_from = gap.end + NOT_YET_FOUND.as_millis() as i64;
                    let wait = found_from.saturating_sub(api.clock.now()).max(0);
                    api.clock.sleep(Duration::from_millis(wait as u64)).await;
                    self.asked.insert(ask(api, rule, gap))
                }
            };
            let answer = asked.await;
            self.asked = None;
            // If the task has panicked, that was logged.
            let json =
                answer.unwrap_or_else(|_| Err(ApiError::Lost("an internal error".to_owned())));
            let read = json.and_then(|json| match serde_json::from_str::<Page>(&json) {
                Ok(page) => Ok((json, page)),
                Err(error) => Err(ApiError::Lost(error.to_string())),
            });
            match read {
                Ok((json, page)) => {
                    let users = page.users();
                    gap.next_token = page.meta.next_token;
                    gap.rules += usize::from(gap.next_token.is_none());
                    return Missed { rule: rule.name.clone(), json, users };
                }
                Err(error) => {
                    let name = &rule.name;
                    tracing::warn!("a gap cannot be filled with posts for `{name}`: {error}");
                    (gap.rules, gap.next_token) = (gap.rules + 1, None);
                }
            }
        }
    }
}

fn ask(api: &Arc<Api>, rule: &Query, gap: &Gap) -> JoinHandle<Result<String, ApiError>> {
    let (api, query, gap) = (Arc::clone(api), rule.text.clone(), gap.clone());
    tokio::spawn(async move {
        let time = |millis| Timestamp::from_millis(millis).to_string();
        let mut parameters = api.fields();
        parameters.push(("query", query));
        if let Some(start) = gap.start {
            parameters.push(("start_time", time(start)));
        } else if is_recent(&gap.since_id, api.clock.now(), "the stream") {
            parameters.push(("since_id", gap.since_id));
        }
        parameters.push(("end_time", time(gap.end)));
        parameters.push(("max_results", "100".to_owned()));
        parameters.extend(gap.next_token.map(|token| ("next_token", token)));
        match ask_patiently(&api, SEARCH, &parameters, None).await {
            Some(answer) => answer.map(|(json, _)| json),
            None => Err(ApiError::Lost("interrupted".to_owned())),
        }
    })
}
