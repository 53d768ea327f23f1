//! The first request: finds out whether this is a cluster that indexer supports, and which one.

use elasticsearch::http::Method;
use serde_json::Value as Json;

use super::ClusterError;
use super::backoff::{Backoff, Patience};
use super::connection::{Connection, Request};
use super::response::{RequestError, Response, is_passing};

impl Connection {
    /// Asks the server what it is. Returns its name and version, such as `Elasticsearch 9.5.3`.
    pub(super) async fn greet(&self, patience: &Patience) -> Result<String, ClusterError> {
        let mut waits = Backoff::new(patience, &self.url, self.n_nodes);
        let mut other_nodes = self.n_nodes - 1;
        let answer = loop {
            match self.send_until(&Request::new(Method::Get, "/"), patience).await {
                Ok(answer) if !is_passing(answer.status) || patience.is_none() => break answer,
                // It is starting, or busy.
                Ok(answer) => waits.wait(&answer.failure()).await?,
                Err(RequestError::Lost { .. }) if other_nodes > 0 => other_nodes -= 1,
                Err(failure) if self.waits_for_start && failure.is_passing() => {
                    waits.wait(&failure).await?;
                }
                // Not retried: an address at which nothing listens is most likely mistyped.
                Err(failure) => {
                    return Err(ClusterError::Unreachable { url: self.url.clone(), failure });
                }
            }
        };
        self.recognize(answer, patience).await
    }

    async fn recognize(
        &self,
        answer: Response,
        patience: &Patience,
    ) -> Result<String, ClusterError> {
        let is_elasticsearch = answer.header("x-elastic-product") == Some("Elasticsearch");
        let json = answer.json().unwrap_or_default();
        match answer.status {
            200..300 if json["version"]["number"].is_string() => {
                self.supported(&json["version"], is_elasticsearch)
            }
            // A proxy replaced the page with the version, but the header shows what the server is.
            200..300 if is_elasticsearch => Ok("Elasticsearch".to_owned()),
            401 => Err(self.refused("connect", answer.failure())),
            // The key may not read the version here, or this distribution does not show it: ask the node instead.
            403..=405 if is_elasticsearch => {
                let mut request = Request::new(Method::Get, "_nodes/_local");
                request.query = &[("filter_path", "nodes.*.version")];
                let answer = self.ask(request, patience).await?;
                let json = answer.json().unwrap_or_default();
                let node = json["nodes"].as_object().and_then(|nodes| nodes.values().next());
                match node.map(|node| serde_json::json!({ "number": node["version"] })) {
                    Some(version) => self.supported(&version, true),
                    None => Ok("Elasticsearch".to_owned()),
                }
            }
            // The key may not read this page, but may still have the permissions that are needed later.
            403 if json["error"]["type"] == "security_exception" => {
                Ok("Elasticsearch or OpenSearch".to_owned())
            }
            403 if json["error"].is_object() || json["Message"].is_string() => {
                Err(self.refused("connect", answer.failure()))
            }
            // 407: a proxy requires authentication.
            status if is_passing(status) || status == 407 => {
                Err(ClusterError::Unreachable { url: self.url.clone(), failure: answer.failure() })
            }
            status => Err(ClusterError::NotElasticsearch {
                url: self.url.clone(),
                answer: format!("it answered {status}: {}", answer.beginning()),
            }),
        }
    }

    fn supported(&self, version: &Json, has_header: bool) -> Result<String, ClusterError> {
        let number = version["number"].as_str().unwrap_or_default();
        let name = match version["distribution"].as_str() {
            Some("opensearch") => "OpenSearch",
            // Other products serve this page too, but without the header. Elasticsearch 6 and early 7 lack it as well,
            // and are then refused for their version.
            _ if has_header || number.starts_with(['6', '7']) => "Elasticsearch",
            _ => {
                return Err(ClusterError::NotElasticsearch {
                    url: self.url.clone(),
                    answer: format!("it says that it is version {number} of another product"),
                });
            }
        };
        let server = format!("{name} {number}");
        let major: u32 = number.split('.').next().and_then(|n| n.parse().ok()).unwrap_or(0);
        let oldest = if name == "OpenSearch" { 2 } else { 8 };
        match major >= oldest {
            true => Ok(server),
            false => Err(ClusterError::Version { url: self.url.clone(), server }),
        }
    }
}
