//! One request to a cluster: sent, answered or lost, and what a bad answer means.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use elasticsearch::cert::{Certificate, CertificateValidation};
use elasticsearch::http::headers::{
    ACCEPT, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT,
};
use elasticsearch::http::transport::{MultiNodeConnectionPool, Transport, TransportBuilder};
use elasticsearch::http::{Method, Url};
use serde::Deserialize;
use serde_json::Value as Json;

use super::ClusterError;
use super::backoff::{Backoff, Patience};
use super::identity::Identity;
use super::settings::Cluster;
use crate::aws;
use crate::aws::sign::{Unsigned, signature};
use crate::failure::{beginning, innermost};

/// A cluster that requests can be sent to.
pub(super) struct Connection {
    transport: Transport,
    /// Its nodes, as they are named in messages.
    pub(super) url: String,
    identity: Identity,
    /// Whether it is waited for also before it has ever answered.
    pub(super) waits_for_start: bool,
    timeout: Duration,
    pub(super) n_nodes: usize,
    signer: Option<Signer>,
}

/// Signs requests for AWS.
struct Signer {
    /// The one node there is: its name is signed too.
    node: Url,
}

impl Signer {
    /// Adds what says who sends the request.
    async fn sign(&self, request: &Request<'_>, headers: &mut HeaderMap) -> anyhow::Result<()> {
        let mut url = self.node.join(request.path.trim_start_matches('/'))?;
        if !request.query.is_empty() {
            url.query_pairs_mut().extend_pairs(request.query);
        }
        let region = aws::config().await.region().map_or("us-east-1", |region| region.as_ref());
        let unsigned = Unsigned {
            service: "es",
            region,
            method: match request.method {
                Method::Get => "GET",
                Method::Put => "PUT",
                Method::Post => "POST",
                Method::Delete => "DELETE",
                Method::Head => "HEAD",
            },
            url: url.as_str(),
            headers: &[],
            body: request.body.as_deref().unwrap_or_default(),
        };
        for (name, value) in signature(&unsigned).await? {
            headers
                .insert(HeaderName::from_bytes(name.as_bytes())?, HeaderValue::from_str(&value)?);
        }
        Ok(())
    }
}

/// A whole answer, good or bad.
pub(super) struct Answer {
    pub(super) status: u16,
    headers: HeaderMap,
    pub(super) body: Bytes,
}

/// What became of a request that did not do what it should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// No answer, or not all of it.
    Lost {
        /// What happened.
        what: String,
        /// Whether a certificate is at fault.
        certificate: bool,
    },
    /// An answer that says no.
    Status {
        /// The HTTP status.
        status: u16,
        /// What it says.
        reason: String,
        /// When to come back.
        retry_after: Option<Duration>,
        /// Whether it says that an index is read-only.
        blocked: bool,
    },
    /// An answer that puts some documents off.
    Items {
        /// Why.
        reason: String,
    },
    /// An answer that is none of Elasticsearch's.
    Garbled {
        /// What it looks like.
        what: String,
    },
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Lost { what, .. } => f.write_str(what),
            Failure::Status { status, reason, .. } => write!(f, "it answered {status}: {reason}"),
            Failure::Items { reason } => write!(f, "documents are put off: {reason}"),
            Failure::Garbled { what } => write!(f, "its answer is not Elasticsearch's: {what}"),
        }
    }
}

impl Failure {
    pub(super) fn interrupted() -> Failure {
        Failure::Lost { what: "interrupted".to_owned(), certificate: false }
    }

    pub(super) fn hint(&self) -> &'static str {
        match self {
            Failure::Lost { certificate: true, .. } => {
                "name the authority that signed it: --ca-file FILE (Elasticsearch makes one: config/certs/http_ca.crt); the certificate must name the host that --store names"
            }
            Failure::Lost { .. } => {
                "check that it is running, and the address: host, port, http or https; and HTTP_PROXY, HTTPS_PROXY if they are set"
            }
            Failure::Status { status: 429, .. } => "it is overloaded: try again later",
            _ => "check the address, and the proxies before it",
        }
    }

    /// Whether the same request may succeed later.
    pub(super) fn is_transient(&self) -> bool {
        match self {
            Failure::Lost { certificate, .. } => !certificate,
            Failure::Status { status, blocked, .. } => is_transient(*status) && !blocked,
            Failure::Items { .. } | Failure::Garbled { .. } => true,
        }
    }

    /// How long the server asks to be left alone.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        match self {
            Failure::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

/// Whether that status may be another one later.
pub(super) fn is_transient(status: u16) -> bool {
    status == 408 || status == 429 || status >= 500
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    pub(super) fn json(&self) -> Option<Json> {
        serde_json::from_slice(&self.body).ok()
    }

    /// The answer, if it says yes.
    pub(super) fn ok(self) -> Result<Answer, Failure> {
        match self.status {
            200..300 => Ok(self),
            _ => Err(self.failure()),
        }
    }

    pub(super) fn failure(&self) -> Failure {
        // Only the form in seconds is sent by what stands before Elasticsearch (nginx, AWS).
        let retry_after = self.header("retry-after").and_then(|value| value.trim().parse().ok());
        Failure::Status {
            status: self.status,
            reason: self.reason(),
            retry_after: retry_after.map(Duration::from_secs),
            blocked: self.json().is_some_and(|json| is_block(&json["error"])),
        }
    }

    /// What a bad answer says: Elasticsearch's type and reason, else how it begins.
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

/// What an error of Elasticsearch says, with what caused it.
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

/// What a request says.
pub(super) struct Request<'r> {
    pub(super) method: Method,
    pub(super) path: &'r str,
    pub(super) query: &'r [(&'r str, &'r str)],
    pub(super) body: Option<Bytes>,
    pub(super) content_type: &'static str,
    pub(super) gzip: bool,
}

pub(super) const JSON: &str = "application/json";
/// The type that all versions of both servers take; each major version has one of its own besides.
pub(super) const NDJSON: &str = "application/x-ndjson";

impl<'r> Request<'r> {
    pub(super) fn new(method: Method, path: &'r str) -> Request<'r> {
        Request { method, path, query: &[], body: None, content_type: JSON, gzip: false }
    }

    pub(super) fn json(method: Method, path: &'r str, body: &Json) -> Request<'r> {
        Request { body: Some(body.to_string().into()), ..Request::new(method, path) }
    }
}

impl Connection {
    /// Makes what is needed to send requests; none is sent yet.
    pub(super) fn new(cluster: &Cluster) -> Result<Connection, ClusterError> {
        let url = cluster.to_string();
        let pool = MultiNodeConnectionPool::round_robin(cluster.nodes.clone(), None);
        let mut builder = TransportBuilder::new(pool).enable_meta_header(false);
        if let Some(credentials) = cluster.identity.credentials()? {
            builder = builder.auth(credentials);
        }
        if let Some(proxy) = &cluster.proxy {
            builder = builder.proxy(proxy.clone(), None, None);
        }
        if cluster.insecure {
            builder = builder.cert_validation(CertificateValidation::None);
        } else if let Some(path) = &cluster.ca_file {
            let error = |source: anyhow::Error| ClusterError::File {
                what: "certificates",
                path: path.clone(),
                source,
            };
            let pem = std::fs::read(path).map_err(|source| error(source.into()))?;
            let certificate = Certificate::from_pem(&pem).map_err(|source| error(source.into()))?;
            builder = builder.cert_validation(CertificateValidation::Full(certificate));
        }
        let signer = match (&cluster.identity, &cluster.nodes[..]) {
            (Identity::Aws, [node]) => {
                let mut node = node.clone();
                // So that paths are joined to it and not put in its place.
                let path = format!("{}/", node.path().trim_end_matches('/'));
                node.set_path(&path);
                Some(Signer { node })
            }
            (Identity::Aws, _) => {
                return Err(ClusterError::Address {
                    address: url,
                    why: "requests to several nodes cannot be signed".to_owned(),
                    hint: "name the domain's one endpoint: https://search-….es.amazonaws.com",
                });
            }
            _ => None,
        };
        let transport = builder.build().map_err(|error| ClusterError::Address {
            address: url.clone(),
            why: error.to_string(),
            hint: "check the addresses, the proxy and the certificates",
        })?;
        Ok(Connection {
            transport,
            url,
            identity: cluster.identity.clone(),
            waits_for_start: cluster.load.waits_for_start,
            timeout: cluster.request_timeout,
            n_nodes: cluster.nodes.len(),
            signer,
        })
    }

    /// Sends a request, once.
    pub(super) async fn send(&self, request: &Request<'_>) -> Result<Answer, Failure> {
        let Request { method, path, query, .. } = *request;
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(request.content_type));
        headers.insert(ACCEPT, HeaderValue::from_static(JSON));
        headers.insert(USER_AGENT, HeaderValue::from_static(OUR_NAME));
        if request.gzip {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        }
        if let Some(signer) = &self.signer
            && let Err(error) = signer.sign(request, &mut headers).await
        {
            let (reason, retry_after) = (format!("{error:#}"), None);
            return Err(Failure::Status { status: 401, reason, retry_after, blocked: false });
        }
        let (query, body, timeout) = (Some(query), request.body.clone(), Some(self.timeout));
        let sent = self.transport.send(method, path, headers, query, body, timeout).await;
        let response = sent.map_err(|error| lost(&error))?;
        let (status, headers) = (response.status_code().as_u16(), response.headers().clone());
        let mut body = response.bytes().await.map_err(|error| lost(&error))?;
        if status >= 400 {
            body = self.identity.redact(&String::from_utf8_lossy(&body)).into();
        }
        Ok(Answer { status, headers, body })
    }

    /// Sends a request, once, and does not wait longer than the run lasts.
    pub(super) async fn send_until(
        &self,
        request: &Request<'_>,
        patience: &Patience,
    ) -> Result<Answer, Failure> {
        tokio::select! {
            answer = self.send(request) => answer,
            () = patience.cut_off() => Err(Failure::interrupted()),
        }
    }

    /// Sends a request until there is an answer that will not be another one later.
    pub(super) async fn ask(
        &self,
        request: Request<'_>,
        patience: &Patience,
    ) -> Result<Answer, ClusterError> {
        let mut backoff = Backoff::new(patience);
        let mut other_nodes = self.n_nodes - 1;
        loop {
            let failure = match self.send_until(&request, patience).await {
                Ok(answer) if !is_transient(answer.status) => return Ok(answer),
                Ok(answer) => answer.failure(),
                Err(Failure::Lost { .. }) if other_nodes > 0 => {
                    other_nodes -= 1;
                    continue;
                }
                Err(failure) => failure,
            };
            if !failure.is_transient() || patience.is_none() {
                return Err(ClusterError::Unreachable { url: self.url.clone(), failure });
            }
            backoff.wait(&failure, self).await?;
        }
    }

    /// What a bad answer to `action` means for the run.
    pub(super) fn refused(&self, action: &str, failure: Failure) -> ClusterError {
        let url = self.url.clone();
        match failure {
            Failure::Status { status: 401, reason, .. } => {
                ClusterError::Unauthorized { url, credentials: self.identity.in_words(), reason }
            }
            Failure::Status { reason, blocked: true, .. } => ClusterError::ReadOnly { url, reason },
            Failure::Status { status: 403, reason, .. } => {
                ClusterError::Forbidden { url, action: action.to_owned(), reason }
            }
            failure if failure.is_transient() => ClusterError::Unreachable { url, failure },
            failure => ClusterError::Refused { url, action: action.to_owned(), failure },
        }
    }
}

const OUR_NAME: &str = concat!("tweet-indexer/", env!("CARGO_PKG_VERSION"));

/// Whether an error says that an index may not be written, and not that the cluster is starting (503).
pub(super) fn is_block(error: &Json) -> bool {
    let reason = error["reason"].as_str().unwrap_or_default();
    error["type"] == "cluster_block_exception" && !reason.contains("SERVICE_UNAVAILABLE")
}

fn lost(error: &elasticsearch::Error) -> Failure {
    let mut what = innermost(error);
    let certificate = what.contains("certificate");
    if error.is_timeout() {
        what = "no answer in time".to_owned();
    }
    Failure::Lost { what, certificate }
}
