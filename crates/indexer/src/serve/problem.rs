//! Error responses, as problem details (RFC 9457).

use axum::body::Body;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{Response, StatusCode};
use axum::response::IntoResponse;
use serde::Serialize;

/// Why a request could not be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) status: StatusCode,
    /// What is wrong, for whoever sent the request.
    pub(super) detail: String,
    /// The query parameter that is at fault, if it is one.
    pub(super) parameter: Option<String>,
}

impl Problem {
    /// A parameter that cannot be understood.
    pub(super) fn parameter(name: &str, detail: impl Into<String>) -> Problem {
        Problem {
            status: StatusCode::BAD_REQUEST,
            detail: detail.into(),
            parameter: Some(name.to_owned()),
        }
    }

    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Problem {
        Problem { status, detail: detail.into(), parameter: None }
    }

    /// Something has panicked. What happened is in the log.
    pub(super) fn internal() -> Problem {
        let detail = "an internal error; the server's log says what happened";
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, detail)
    }

    /// More requests have come than can be answered in time.
    pub(super) fn overloaded() -> Problem {
        let detail = "too much is being asked at once; try again in a second";
        Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response<Body> {
        #[derive(Serialize)]
        struct Details<'p> {
            title: &'static str,
            status: u16,
            detail: &'p str,
            #[serde(skip_serializing_if = "Option::is_none")]
            parameter: Option<&'p str>,
        }
        let details = Details {
            title: self.status.canonical_reason().unwrap_or("Error"),
            status: self.status.as_u16(),
            detail: &self.detail,
            parameter: self.parameter.as_deref(),
        };
        // Serializing strings and a number does not fail.
        let body = serde_json::to_vec(&details).unwrap_or_default();
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        match self.status {
            StatusCode::SERVICE_UNAVAILABLE => {
                headers.insert(RETRY_AFTER, HeaderValue::from_static("1"));
            }
            StatusCode::UNAUTHORIZED => {
                headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
            }
            _ => {}
        }
        response
    }
}
