//! The routes of the server, and what applies to all requests: access, security headers and metrics.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION, SET_COOKIE,
    WWW_AUTHENTICATE,
};
use axum::http::{Method, Response, StatusCode, Uri};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use bytes::Bytes;
use futures_util::FutureExt;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use serde_json::json;
use url::form_urlencoded;

use super::access::{Access, Admission};
use super::assets::{ASSETS, LOGIN, OPENAPI, PAGE};
use super::cache::Cache;
use super::call::Call;
use super::endpoints::ENDPOINTS;
use super::metrics::{self, Metrics};
use super::problem::Problem;
use crate::clock::now;

/// What all requests share.
pub(super) struct Server {
    pub(super) cache: Arc<Cache>,
    pub(super) access: Access,
    pub(super) metrics: Arc<Metrics>,
}

/// How long a client may take to send the login form.
const LONGEST_LOGIN: Duration = Duration::from_secs(10);

/// The router with all paths of the server.
pub(super) fn router(server: Arc<Server>) -> Router {
    let mut router = Router::new()
        .route("/", get(async |headers: HeaderMap| PAGE.response(&headers)))
        .route("/assets/{*path}", get(asset))
        .route("/metrics", get(metrics))
        .route("/api/metrics", get(metrics))
        .route("/api/health", get(health))
        .route("/api/openapi.json", get(async |headers: HeaderMap| OPENAPI.response(&headers)));
    // Without a token there is nothing to log in with.
    if server.access.has_token() {
        router = router.route("/login", post(log_in));
    }
    for (name, read) in ENDPOINTS {
        let answer =
            async move |State(server): State<Arc<Server>>, uri: Uri, headers: HeaderMap| {
                let call = Call::parse(read, uri.query().unwrap_or_default(), now())?;
                let content = server.cache.get(call).await?;
                Ok::<_, Problem>(content.response(&headers))
            };
        router = router.route(&format!("/api/{name}"), get(answer));
    }
    router
        .fallback(async || Problem::new(StatusCode::NOT_FOUND, "there is nothing at this path"))
        .method_not_allowed_fallback(async || {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "this can only be read: GET or HEAD")
        })
        .layer(from_fn_with_state(Arc::clone(&server), around))
        .with_state(server)
}

async fn asset(uri: Uri, headers: HeaderMap) -> Response<Body> {
    let path = uri.path().trim_start_matches("/assets/");
    match ASSETS.iter().find(|(name, _)| *name == path) {
        Some((_, content)) => content.response(&headers),
        None => Problem::new(StatusCode::NOT_FOUND, "there is no such file").into_response(),
    }
}

/// Says that the program is running. It does not check whether the store can be read.
async fn health() -> Response<Body> {
    let body = json!({ "status": "ok", "version": env!("CARGO_PKG_VERSION") });
    whole("application/json", body.to_string())
}

async fn metrics(State(server): State<Arc<Server>>) -> Response<Body> {
    whole(metrics::CONTENT_TYPE, server.metrics.text())
}

async fn log_in(State(server): State<Arc<Server>>, request: Request) -> Response<Body> {
    let headers = request.headers().clone();
    let read = axum::body::to_bytes(request.into_body(), 4_096);
    let Ok(Ok(body)) = tokio::time::timeout(LONGEST_LOGIN, read).await else {
        return Problem::new(StatusCode::BAD_REQUEST, "the login form could not be read")
            .into_response();
    };
    // `login_page` encoded the query, so that nothing in it could become markup.
    let back = percent_decode_str(&field(&body, "back")).decode_utf8_lossy().into_owned();
    match server.access.log_in(&field(&body, "token"), &headers) {
        Some(cookie) => {
            let mut response = whole("text/plain", String::new());
            *response.status_mut() = StatusCode::SEE_OTHER;
            // Always redirect to the dashboard's page, and never elsewhere, with the query that was asked for.
            let back = back.trim_start_matches('?');
            let page = HeaderValue::try_from(format!("/?{back}"));
            let page = page.unwrap_or_else(|_| HeaderValue::from_static("/"));
            response.headers_mut().insert(LOCATION, page);
            if let Ok(cookie) = HeaderValue::try_from(cookie) {
                response.headers_mut().insert(SET_COOKIE, cookie);
            }
            response
        }
        None => login_page("This is not the token.", &back),
    }
}

fn field(form: &Bytes, wanted: &str) -> String {
    let mut pairs = form_urlencoded::parse(form);
    pairs.find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned()).unwrap_or_default()
}

/// Asks for the token; `back` is the query of the page that was wanted.
fn login_page(message: &str, back: &str) -> Response<Body> {
    let back = utf8_percent_encode(back, NON_ALPHANUMERIC).to_string();
    let page = LOGIN.replace("{message}", message).replace("{back}", &back);
    let mut response = whole("text/html; charset=utf-8", page);
    *response.status_mut() = StatusCode::UNAUTHORIZED;
    response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    response
}

/// A response that is made for one request, and that clients must not keep.
fn whole(content_type: &'static str, body: String) -> Response<Body> {
    let mut response = Response::new(Body::from(body));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Whether a request needs no token, since its answer has nothing from the store in it.
fn is_open(method: &Method, path: &str) -> bool {
    path.starts_with("/assets/")
        || path == "/api/health"
        || (path == "/login" && method == Method::POST)
}

/// The security headers of all responses: browsers load and run only what this server sends, and other sites cannot
/// show the page in a frame.
const HEADERS: [(&str, &str); 7] = [
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
         form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    ),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=()"),
];

/// Checks whether a request may be answered, has it answered, and counts it.
async fn around(State(server): State<Arc<Server>>, request: Request, next: Next) -> Response<Body> {
    let started = Instant::now();
    let path = request.uri().path();
    let endpoint = name(path);
    let next = |request| survive(next.run(request));
    let mut response = match server.access.judge(request.headers()) {
        Admission::Unknown if is_open(request.method(), path) => next(request).await,
        Admission::Welcome => next(request).await,
        // People get a form; everything else is called by programs.
        Admission::Unknown if path == "/" => {
            login_page("", request.uri().query().unwrap_or_default())
        }
        Admission::Unknown => {
            let detail = "send the token (Authorization: Bearer TOKEN), or log in at /";
            Problem::new(StatusCode::UNAUTHORIZED, detail).into_response()
        }
        Admission::Misdirected => {
            let detail = "this server answers only to localhost; start it with --token or --public to open it to others";
            Problem::new(StatusCode::MISDIRECTED_REQUEST, detail).into_response()
        }
    };
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    server.metrics.answered(endpoint, response.status().as_u16(), started.elapsed());
    response
}

/// The response to a request, or an internal error (500) if its handler panics.
async fn survive(answer: impl Future<Output = Response<Body>>) -> Response<Body> {
    let answer = AssertUnwindSafe(answer).catch_unwind().await;
    answer.unwrap_or_else(|_| Problem::internal().into_response())
}

/// The name under which requests to a path are counted in the metrics.
fn name(path: &str) -> &'static str {
    let endpoint = path.strip_prefix("/api/").unwrap_or_default();
    match path {
        "/" => "page",
        "/login" => "login",
        "/metrics" => "metrics",
        _ if path.starts_with("/assets/") => "assets",
        _ => ENDPOINTS
            .into_iter()
            .map(|(name, _)| name)
            .chain(["health", "metrics", "openapi.json"])
            .find(|name| *name == endpoint)
            .unwrap_or("other"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_that_panics_is_answered() {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let response = runtime.block_on(survive(async { panic!("as a bug would") }));
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    }
}
