//! One request to a cluster: sent, answered or lost, and what a bad answer means.

use std::time::Duration;

use bytes::Bytes;
use elasticsearch::cert::{Certificate, CertificateValidation};
use elasticsearch::http::headers::{
    ACCEPT, CONTENT_ENCODING, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, USER_AGENT,
};
use elasticsearch::http::transport::{MultiNodeConnectionPool, Transport, TransportBuilder};
use elasticsearch::http::{Method, Url};
use serde_json::Value as Json;

use super::ClusterError;
use super::backoff::{Backoff, Patience};
use super::identity::Identity;
use super::response::{RequestError, Response, is_passing};
use super::settings::Cluster;
use crate::aws;
use crate::aws::sign::{Unsigned, signature};
use crate::failure::Failure;
use crate::foreign::innermost;

/// A cluster that requests can be sent to.
pub(super) struct Connection {
    transport: Transport,
    /// Its nodes, as they are named in messages.
    pub(super) url: String,
    identity: Identity,
    /// Whether to keep trying even before the cluster has answered for the first time.
    pub(super) waits_for_start: bool,
    timeout: Duration,
    pub(super) n_nodes: usize,
    signer: Option<Signer>,
}

/// Signs requests for AWS.
struct Signer {
    /// The cluster's only node: the signature covers its host name.
    node: Url,
}

impl Signer {
    /// Adds the headers with the signature.
    async fn sign(
        &self,
        request: &Request<'_>,
        headers: &mut HeaderMap,
    ) -> crate::failure::Result<()> {
        let url = self.node.join(request.path.trim_start_matches('/'));
        let mut url = url.map_err(|error| Failure::new(error.to_string()))?;
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
        // Neither conversion can fail: what the signer returns are valid headers.
        for (name, value) in signature(&unsigned).await? {
            let header = HeaderName::from_bytes(name.as_bytes()).ok();
            if let Some((name, value)) = header.zip(HeaderValue::from_str(&value).ok()) {
                headers.insert(name, value);
            }
        }
        Ok(())
    }
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
/// The content type for bulk requests that all versions of both servers accept; each major version also has one of its
/// own.
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
            let error = |source: Failure| ClusterError::File {
                what: "certificates",
                path: path.clone(),
                source,
            };
            let pem = std::fs::read(path).map_err(|source| error(source.into()))?;
            let certificate = Certificate::from_pem(&pem)
                .map_err(|source| error(Failure::new(innermost(&source))))?;
            builder = builder.cert_validation(CertificateValidation::Full(certificate));
        }
        let signer = match (&cluster.identity, &cluster.nodes[..]) {
            (Identity::Aws, [node]) => {
                let mut node = node.clone();
                // With a slash at its end, paths are appended to the node's path instead of replacing it.
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
    pub(super) async fn send(&self, request: &Request<'_>) -> Result<Response, RequestError> {
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
            // Without usable AWS credentials, the server would answer 401.
            let (reason, retry_after) = (error.story(), None);
            return Err(RequestError::Status { status: 401, reason, retry_after, blocked: false });
        }
        let (query, body, timeout) = (Some(query), request.body.clone(), Some(self.timeout));
        let sent = self.transport.send(method, path, headers, query, body, timeout).await;
        let response = sent.map_err(|error| lost(&error))?;
        let (status, headers) = (response.status_code().as_u16(), response.headers().clone());
        let mut body = response.bytes().await.map_err(|error| lost(&error))?;
        if status >= 400 {
            body = self.identity.redact(&String::from_utf8_lossy(&body)).into();
        }
        Ok(Response { status, headers, body })
    }

    /// Sends a request once, and stops waiting for the answer when the run is cut off.
    pub(super) async fn send_until(
        &self,
        request: &Request<'_>,
        patience: &Patience,
    ) -> Result<Response, RequestError> {
        tokio::select! {
            answer = self.send(request) => answer,
            () = patience.cut_off() => Err(RequestError::interrupted()),
        }
    }

    /// Sends a request until its answer is final, that is, until it does not fail for a temporary reason.
    pub(super) async fn ask(
        &self,
        request: Request<'_>,
        patience: &Patience,
    ) -> Result<Response, ClusterError> {
        let mut backoff = Backoff::new(patience, &self.url, self.n_nodes);
        let mut other_nodes = self.n_nodes - 1;
        loop {
            let failure = match self.send_until(&request, patience).await {
                Ok(answer) if !is_passing(answer.status) => return Ok(answer),
                Ok(answer) => answer.failure(),
                Err(RequestError::Lost { .. }) if other_nodes > 0 => {
                    other_nodes -= 1;
                    continue;
                }
                Err(failure) => failure,
            };
            if !failure.is_passing() || patience.is_none() {
                return Err(ClusterError::Unreachable { url: self.url.clone(), failure });
            }
            backoff.wait(&failure).await?;
        }
    }

    /// Converts a failed attempt to `action` into the error that the run ends with.
    pub(super) fn refused(&self, action: &str, failure: RequestError) -> ClusterError {
        let url = self.url.clone();
        match failure {
            RequestError::Status { status: 401, reason, .. } => {
                ClusterError::Unauthorized { url, credentials: self.identity.in_words(), reason }
            }
            RequestError::Status { reason, blocked: true, .. } => {
                ClusterError::ReadOnly { url, reason }
            }
            RequestError::Status { status: 403, reason, .. } => {
                ClusterError::Forbidden { url, action: action.to_owned(), reason }
            }
            failure if failure.is_passing() => ClusterError::Unreachable { url, failure },
            failure => ClusterError::Refused { url, action: action.to_owned(), failure },
        }
    }
}

const OUR_NAME: &str = concat!("tweet-indexer/", env!("CARGO_PKG_VERSION"));

fn lost(error: &elasticsearch::Error) -> RequestError {
    let mut what = innermost(error);
    let certificate = what.contains("certificate");
    if error.is_timeout() {
        what = "no answer in time".to_owned();
    }
    RequestError::Lost { what, certificate }
}
