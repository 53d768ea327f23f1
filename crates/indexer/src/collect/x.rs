//! X's API v2, whose posts cost money: <https://docs.x.com/x-api>.

use std::fmt;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{Client, Response};
use serde::Deserialize;
use serde_json::Value;

use super::ladder::{Clock, Trouble};
use crate::config::XConfig;
use crate::failure::{Context, Failure, Hint, Result};
use crate::foreign::{beginning, innermost};

pub(super) mod budget;
mod gap;
mod page;
pub(super) mod rules;
pub(super) mod search;
pub(super) mod stream;

/// The fields of posts that are asked for, which cost nothing more.
const TWEET_FIELDS: &str = "attachments,author_id,conversation_id,created_at,edit_history_tweet_ids,entities,geo,in_reply_to_user_id,lang,note_tweet,possibly_sensitive,public_metrics,referenced_tweets,reply_settings,source,withheld";
const PLACE_FIELDS: &str = "country,country_code,full_name,geo,id,name,place_type";
const USER_FIELDS: &str =
    "created_at,description,id,location,name,public_metrics,username,verified";

/// The API, with the token that it is asked with.
pub(super) struct Api {
    client: Client,
    base: String,
    /// For messages of the server that repeat it.
    token: String,
    has_authors: bool,
    pub(super) clock: Clock,
}

/// Why a request got no answer that can be used.
#[derive(Debug)]
pub(super) enum ApiError {
    /// No answer, or one that broke off.
    Lost(String),
    /// Too many requests, until a time in milliseconds since 1970.
    RateLimit(Option<i64>),
    /// An error of the server, which may pass.
    Server(u16, String),
    /// It will not be answered.
    Refused(u16, String),
}

impl ApiError {
    /// What to wait for. `None` if waiting does not help.
    pub(super) fn trouble(&self) -> Option<Trouble> {
        match self {
            ApiError::Lost(_) => Some(Trouble::Network),
            ApiError::RateLimit(reset) => Some(Trouble::RateLimit(*reset)),
            ApiError::Server(..) => Some(Trouble::Http),
            ApiError::Refused(..) => None,
        }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ApiError::Lost(why) => f.write_str(why),
            ApiError::RateLimit(_) => f.write_str("429: too many requests"),
            ApiError::Server(status, why) | ApiError::Refused(status, why) => {
                write!(f, "{status}: {why}")
            }
        }
    }
}

impl std::error::Error for ApiError {}

impl Hint for ApiError {
    fn hint(&self) -> Option<std::borrow::Cow<'static, str>> {
        let hint = match self {
            ApiError::Lost(_) => "check the connection, and --api-url if it was given",
            ApiError::Server(..) => "see https://docs.x.com/status, and run it again later",
            ApiError::RateLimit(_) => "wait for a quarter of an hour",
            ApiError::Refused(401, _) => {
                "check the bearer token in X_BEARER_TOKEN: https://console.x.com"
            }
            ApiError::Refused(402, _) => "buy credits for the app: https://console.x.com",
            ApiError::Refused(403, _) => {
                "the app may not do this: check its access and its spending limit at https://console.x.com"
            }
            ApiError::Refused(429, _) => {
                "the limit that was set for the app's spending is reached: https://console.x.com"
            }
            ApiError::Refused(300..=399 | 404, _) => "check --api-url: that is not X's API",
            ApiError::Refused(..) => {
                "check the query: https://docs.x.com/x-api/posts/search/integrate/operators"
            }
        };
        Some(hint.into())
    }
}

/// A problem, in either of the forms in which X describes one.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Problem {
    title: Option<String>,
    detail: Option<String>,
    #[serde(rename = "type")]
    kind: Option<String>,
    message: Option<String>,
    /// The rule that it is about, and what is wrong with it.
    value: Option<String>,
    details: Vec<String>,
    pub(super) errors: Vec<Problem>,
}

impl Problem {
    /// What it says; `None` if that is nothing.
    fn story(&self) -> Option<String> {
        let own = self.detail.as_ref().or(self.message.as_ref()).or(self.title.as_ref());
        let about = self.value.as_ref().map(|value| format!("`{value}`"));
        let inner = self.errors.iter().filter_map(Problem::story);
        let all: Vec<String> = (own.cloned().into_iter().chain(self.details.clone()))
            .chain(about)
            .chain(inner)
            .collect();
        (!all.is_empty()).then(|| all.join("; "))
    }

    /// Whether it or one within it has this title.
    pub(super) fn is(&self, title: &str) -> bool {
        self.title.as_deref() == Some(title) || self.errors.iter().any(|inner| inner.is(title))
    }
}

/// What an answer says about the limit on requests.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Limit {
    /// How many more requests are allowed.
    pub(super) remaining: Option<u64>,
    /// Until when, in milliseconds since 1970.
    pub(super) reset: Option<i64>,
}

impl Limit {
    fn of(headers: &HeaderMap) -> Limit {
        let number = |name: &str| headers.get(name)?.to_str().ok()?.trim().parse::<i64>().ok();
        Limit {
            remaining: number("x-rate-limit-remaining").and_then(|n| n.try_into().ok()),
            reset: number("x-rate-limit-reset").map(|seconds| seconds.saturating_mul(1000)),
        }
    }
}

impl Api {
    /// Prepares to ask the API.
    ///
    /// # Errors
    ///
    /// If there is no usable token.
    pub(super) fn new(config: &XConfig, clock: Clock) -> Result<Api> {
        let token = config.token.resolve()?;
        if token.contains(['"', '\'']) || token.contains(char::is_whitespace) || token.is_empty() {
            let failure = Failure::new(match token.is_empty() {
                true => "the bearer token is empty",
                false => "the bearer token has quotes or blanks in it",
            });
            return Err(
                failure.with_hint("copy the token alone, without blanks, quotes or `Bearer`")
            );
        }
        let unusable = || {
            let failure = Failure::new("the bearer token has characters that no token has");
            failure.with_hint("copy the token alone, without blanks or quotes")
        };
        let mut authorization =
            HeaderValue::try_from(format!("Bearer {token}")).map_err(|_| unusable())?;
        authorization.set_sensitive(true);
        let client = Client::builder()
            .default_headers([(AUTHORIZATION, authorization)].into_iter().collect())
            .user_agent(concat!("tweet-indexer/", env!("CARGO_PKG_VERSION")))
            .connect_timeout(Duration::from_secs(10))
            // Never to another host, which would get the token.
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| Failure::new(innermost(&error)))
            .context("cannot prepare requests to X")?;
        let base = config.api_url.trim_end_matches('/').to_owned();
        let is_here = |url: &url::Url| {
            url.host_str().is_some_and(|host| matches!(host, "localhost" | "127.0.0.1" | "[::1]"))
        };
        let is_safe = |url: &url::Url| match url.scheme() {
            "https" => true,
            "http" => is_here(url),
            _ => false,
        };
        if !base.parse::<url::Url>().is_ok_and(|url| is_safe(&url)) {
            let failure = Failure::new(format!(
                "`{base}` is no address to which the token may be sent encrypted"
            ));
            return Err(failure.with_hint("the address must begin with https://: --api-url"));
        }
        Ok(Api { client, base, token, has_authors: config.has_authors, clock })
    }

    /// The parameters that say what is asked for of each post.
    fn fields(&self) -> Vec<(&'static str, String)> {
        let mut fields = vec![
            ("tweet.fields", TWEET_FIELDS.to_owned()),
            ("place.fields", PLACE_FIELDS.to_owned()),
        ];
        match self.has_authors {
            true => {
                fields.push(("expansions", "author_id,geo.place_id".to_owned()));
                fields.push(("user.fields", USER_FIELDS.to_owned()));
            }
            false => fields.push(("expansions", "geo.place_id".to_owned())),
        }
        fields
    }

    /// Opens a response whose body is still to be read.
    pub(super) async fn open(
        &self,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<Response, ApiError> {
        let request = self.client.get(format!("{}{path}", self.base)).query(query);
        self.send(request).await
    }

    /// Gets a whole answer, and what it says about the limit.
    pub(super) async fn get(
        &self,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<(String, Limit), ApiError> {
        let request = self.client.get(format!("{}{path}", self.base)).query(query);
        let answer = self.send(request.timeout(Duration::from_secs(60))).await?;
        let limit = Limit::of(answer.headers());
        Ok((answer.text().await.map_err(lost)?, limit))
    }

    /// Posts JSON, and returns the answer.
    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<String, ApiError> {
        let request = self.client.post(format!("{}{path}", self.base)).json(body);
        let answer = self.send(request.timeout(Duration::from_secs(60))).await?;
        answer.text().await.map_err(lost)
    }

    /// A text of the server, without the token if it repeats that, as it is or decoded.
    pub(super) fn redacted(&self, text: &str) -> String {
        let decoded = percent_encoding::percent_decode_str(&self.token).decode_utf8_lossy();
        text.replace(&self.token, "…").replace(&*decoded, "…")
    }

    /// What a problem says, on one line and without the token.
    pub(super) fn said(&self, problem: &Problem) -> String {
        beginning(&self.redacted(&problem.story().unwrap_or_default()), 300)
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Response, ApiError> {
        let answer = request.send().await.map_err(lost)?;
        let status = answer.status().as_u16();
        tracing::debug!("{} {status}", answer.url().path());
        if answer.status().is_success() {
            return Ok(answer);
        }
        let limit = Limit::of(answer.headers());
        let body = answer.text().await.unwrap_or_default();
        let problem: Problem = serde_json::from_str(&body).unwrap_or_default();
        let why = match problem.story() {
            Some(_) => self.said(&problem),
            None => beginning(&self.redacted(&body), 200),
        };
        // A limit on spending is not lifted by waiting.
        let is_capped = |kind: &str| kind.ends_with("/usage-capped");
        let is_capped = problem.is("UsageCapExceeded")
            || problem.is("SpendCapReached")
            || problem.kind.as_deref().is_some_and(is_capped);
        Err(match status {
            429 if !is_capped => ApiError::RateLimit(limit.reset),
            408 | 500.. => ApiError::Server(status, why),
            _ => ApiError::Refused(status, why),
        })
    }
}

/// An error of the client, without the address, which holds the whole query.
fn lost(error: reqwest::Error) -> ApiError {
    let is_timeout = error.is_timeout();
    let why = innermost(&error.without_url());
    ApiError::Lost(if is_timeout { "no answer in time".to_owned() } else { why })
}
