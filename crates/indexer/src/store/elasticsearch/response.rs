//! A cluster's answer to a request, and what a bad answer means.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use elasticsearch::http::headers::HeaderMap;
use serde::Deserialize;
use serde_json::Value as Json;

use crate::foreign::beginning;

/// A whole answer, good or bad.
pub(super) struct Response {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// Why a request failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestError {
    /// No answer, or not all of it.
    Lost {
        /// What happened.
        what: String,
        /// Whether a certificate is at fault.
        certificate: bool,
    },
    /// An answer with an error status.
    Status {
        /// The HTTP status of the answer.
        status: u16,
        /// The reason that the answer gives.
        reason: String,
        /// How long the server asks to wait before the next attempt.
        retry_after: Option<Duration>,
        /// Whether it says that an index is read-only.
        blocked: bool,
    },
    /// The answer to a bulk request in which the cluster puts some documents off.
    Items {
        /// The reason that the answer gives for them.
        reason: String,
    },
    /// An answer that cannot come from Elasticsearch.
    Garbled {
        /// What it looks like.
        what: String,
    },
}

impl fmt::Display for RequestError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            RequestError::Lost { what, .. } => f.write_str(what),
            RequestError::Status { status, reason, .. } => {
                write!(f, "it answered {status}: {reason}")
            }
            RequestError::Items { reason } => write!(f, "some documents were put off: {reason}"),
            RequestError::Garbled { what } => {
                write!(f, "its answer does not look like Elasticsearch's: {what}")
            }
        }
    }
}

impl RequestError {
    pub(super) fn interrupted() -> RequestError {
        RequestError::Lost { what: "interrupted".to_owned(), certificate: false }
    }

    pub(super) fn hint(&self) -> &'static str {
        match self {
            RequestError::Lost { certificate: true, .. } => {
                "name the certificate of the authority that signed the server's: --ca-file FILE (Elasticsearch creates config/certs/http_ca.crt); the server's certificate must be valid for the host in --store"
            }
            RequestError::Lost { .. } => {
                "check that it is running, the address (host, port, http or https), and HTTP_PROXY and HTTPS_PROXY if they are set"
            }
            RequestError::Status { status: 429, .. } => "it is overloaded: try again later",
            _ => "check the address, and any proxy in front of it",
        }
    }

    /// Whether the same request may succeed later.
    pub(super) fn is_passing(&self) -> bool {
        match self {
            RequestError::Lost { certificate, .. } => !certificate,
            RequestError::Status { status, blocked, .. } => is_passing(*status) && !blocked,
            RequestError::Items { .. } | RequestError::Garbled { .. } => true,
        }
    }

    /// How long the server asks to wait before the next attempt.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            RequestError::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

/// Whether a request that failed with this status may succeed later.
pub(super) fn is_passing(status: u16) -> bool {
    status == 408 || status == 429 || status >= 500
}

impl Response {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub(super) fn json(&self) -> Option<Json> {
        serde_json::from_slice(&self.body).ok()
    }

    /// The answer itself if its status is a success, or else the failure that it means.
    pub(super) fn ok(self) -> Result<Response, RequestError> {
        match self.status {
            200..300 => Ok(self),
            _ => Err(self.failure()),
        }
    }

    pub(super) fn failure(&self) -> RequestError {
        // Dates are ignored: what sends this header in front of Elasticsearch (nginx, AWS) gives it in seconds.
        let retry_after = self.header("retry-after").and_then(|value| value.trim().parse().ok());
        RequestError::Status {
            status: self.status,
            reason: self.reason(),
            retry_after: retry_after.map(Duration::from_secs),
            blocked: self.json().is_some_and(|json| is_block(&json["error"])),
        }
    }

    /// Why the request failed: the type and reason that Elasticsearch gives, or else the beginning of the answer.
    fn reason(&self) -> String {
        let json = self.json().unwrap_or_default();
        match &json["error"] {
            Json::Null => self.beginning(),
            error => reason(error),
        }
    }

    /// How it begins, on one line.
    pub(super) fn beginning(&self) -> String {
        let text = String::from_utf8_lossy(&self.body[..self.body.len().min(600)]);
        beginning(&text, 160)
    }
}

/// Describes an error of Elasticsearch, followed by its causes.
pub(super) fn reason(error: &Json) -> String {
    #[derive(Deserialize, Default)]
    #[serde(default)]
    struct Cause {
        r#type: String,
        reason: Option<String>,
        caused_by: Option<Box<Cause>>,
    }
    if let Some(text) = error.as_str() {
        return text.to_owned();
    }
    let mut cause = Cause::deserialize(error).ok();
    let mut words = String::new();
    while let Some(Cause { r#type, reason, caused_by }) = cause {
        if !words.is_empty() {
            words.push_str("; ");
        }
        words.push_str(&r#type);
        if let Some(reason) = reason {
            words.push_str(": ");
            words.push_str(&reason);
        }
        cause = caused_by.map(|cause| *cause);
    }
    if words.is_empty() { error.to_string() } else { words }
}

/// Whether an error says that an index may not be written to. A cluster that is starting reports the same type of error
/// (503), which does not count.
pub(super) fn is_block(error: &Json) -> bool {
    let reason = error["reason"].as_str().unwrap_or_default();
    error["type"] == "cluster_block_exception" && !reason.contains("SERVICE_UNAVAILABLE")
}
