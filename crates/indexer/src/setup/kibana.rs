//! A client of Kibana for the setup: it waits until Kibana is ready, and imports saved objects.

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

use reqwest::multipart::{Form, Part};
use reqwest::{Certificate, Client, Proxy, RequestBuilder, StatusCode, redirect};
use serde::Deserialize;
use serde_json::Value as Json;
use url::Url;

use super::objects::SavedObject;
use crate::failure::{Context, Failure, Hint, Result};
use crate::foreign::{beginning, innermost};
use crate::store::{Cluster, Identity};

/// The earliest version of Kibana that can import the objects: major and minor.
const EARLIEST: (u32, u32) = (8, 12);
/// How long one request for the status may take. [`Kibana::wait`] sends others until its own time is over.
const STATUS_TIMEOUT: Duration = Duration::from_secs(10);
const CERTIFICATE_HINT: &str = "trust the authority that signed it with --ca-file FILE; the certificate must be for the host that --kibana names";
const ADDRESS_HINT: &str =
    "check that it is running, and the address: host, port, http or https, and its base path";

/// A Kibana that requests can be sent to.
pub(super) struct Kibana {
    client: Client,
    /// Kibana's address with the path of the space, without a trailing slash.
    url: String,
    identity: Identity,
    timeout: Duration,
}

/// What an import did.
#[derive(Default)]
pub(super) struct Imported {
    /// How many objects were added or replaced.
    pub(super) n_imported: usize,
    /// How many were there already and were left as they were.
    pub(super) n_kept: usize,
    /// What could not be imported, each with the reason.
    pub(super) failed: Vec<String>,
    /// The ids under which objects are found, by the ids that they were sent with, if these differ: an id that is
    /// taken in another space cannot be used again.
    pub(super) other_ids: HashMap<String, String>,
}

impl Hint for reqwest::Error {}

/// Why there is no complete response.
#[derive(Debug, thiserror::Error)]
enum Lost {
    /// The server's certificate is not trusted. Trying again does not help.
    #[error("{0}")]
    Certificate(String),
    #[error("{0}")]
    Other(String),
}

struct Response {
    status: StatusCode,
    /// Where a redirect leads to.
    location: Option<String>,
    text: String,
}

enum Status {
    /// With its version, if it reports one.
    Ready(Option<String>),
    /// With the reason.
    NotReady(String),
}

impl Kibana {
    /// Prepares a client; no request is sent yet. Credentials, trusted certificates, proxy and timeout are those of the
    /// cluster that Kibana belongs to.
    pub(super) fn new(url: &Url, space: Option<&str>, cluster: &Cluster) -> Result<Kibana> {
        if cluster.identity == Identity::Aws {
            return Err(Failure::new(
                "the dashboards are for Kibana: OpenSearch Dashboards cannot import them",
            )
            .with_hint("leave out --kibana"));
        }
        cluster.identity.warn_in_the_open(std::slice::from_ref(url));
        // A redirect is reported and not followed: it leads to a login page, or to an address that is not Kibana's.
        let mut client = Client::builder().redirect(redirect::Policy::none());
        if cluster.insecure {
            client = client.danger_accept_invalid_certs(true);
        }
        if let Some(file) = &cluster.ca_file {
            let read = || format!("cannot use certificates in `{}`", file.display());
            for certificate in certificates(file).with_context(read)? {
                client = client.add_root_certificate(certificate);
            }
        }
        if let Some(proxy) = &cluster.proxy {
            let used = || format!("cannot use the proxy {proxy}");
            client = client.proxy(Proxy::all(proxy.clone()).with_context(used)?);
        }
        let mut url = url.as_str().trim_end_matches('/').to_owned();
        if let Some(space) = space {
            url = format!("{url}/s/{space}");
        }
        let client = client.build().context("cannot make a client for Kibana")?;
        Ok(Kibana {
            client,
            url,
            identity: cluster.identity.clone(),
            timeout: cluster.request_timeout,
        })
    }

    /// Kibana's address, with the path of the space.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Waits until Kibana can be used. Returns its version, if it reports one.
    pub(super) async fn wait(&self, longest: Duration) -> Result<Option<String>> {
        let started = Instant::now();
        let mut was_told = false;
        loop {
            // Even at the very end, a status needs a moment to arrive.
            let left = longest.saturating_sub(started.elapsed()).max(Duration::from_secs(1));
            let why = match self.status(left.min(STATUS_TIMEOUT)).await? {
                Status::Ready(version) => return Ok(version),
                Status::NotReady(why) => why,
            };
            if started.elapsed() >= longest {
                let failure = Failure::new(format!("Kibana at {} is not ready: {why}", self.url));
                return Err(failure.with_hint(ADDRESS_HINT));
            }
            if !std::mem::replace(&mut was_told, true) {
                let (url, seconds) = (&self.url, longest.as_secs());
                tracing::info!(
                    "Kibana at {url} is not ready: {why}; waiting for up to {seconds} s"
                );
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    async fn status(&self, timeout: Duration) -> Result<Status> {
        let request = self.client.get(format!("{}/api/status", self.url)).timeout(timeout);
        let answer = match self.send(request).await {
            Ok(answer) => answer,
            Err(Lost::Other(why)) => return Ok(Status::NotReady(why)),
            Err(lost) => {
                let failure = Failure::new(format!("cannot reach Kibana at {}: {lost}", self.url));
                return Err(failure.with_hint(CERTIFICATE_HINT));
            }
        };
        self.check(&answer, "read its status")?;
        let json: Json = serde_json::from_str(&answer.text).unwrap_or_default();
        let overall = &json["status"]["overall"];
        let version = json["version"]["number"].as_str();
        // OpenSearch Dashboards, and Kibana before 8, report a `state` and no `level`.
        if let (Some(version), true) =
            (version, overall["level"].is_string() || overall["state"].is_string())
        {
            self.check_version(version)?;
        }
        let status = answer.status.as_u16();
        match overall["level"].as_str() {
            Some("available" | "degraded") => Ok(Status::Ready(version.map(str::to_owned))),
            Some(level) => Ok(Status::NotReady(format!("it says that it is {level}"))),
            None if answer.status.is_server_error() || status == 429 => {
                Ok(Status::NotReady(format!("it answered {status}: {}", self.said(&answer.text))))
            }
            None => {
                let said = self.said(&answer.text);
                let failure = Failure::new(format!(
                    "what answers at {} is not Kibana: {status}: {said}",
                    self.url
                ));
                let hint = "name Kibana's own address, with its base path, and not the cluster's: --kibana http://localhost:5601";
                Err(failure.with_hint(hint))
            }
        }
    }

    fn check_version(&self, version: &str) -> Result<()> {
        let mut numbers = version.split('.').map(|number| number.parse().unwrap_or(0));
        let number = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        if number >= EARLIEST {
            return Ok(());
        }
        let (url, (major, minor)) = (&self.url, EARLIEST);
        let failure = Failure::new(format!(
            "the dashboards need Kibana {major}.{minor}, and {url} is {version}"
        ));
        Err(failure.with_hint("upgrade Kibana; OpenSearch Dashboards cannot import them"))
    }

    /// Imports objects. Those that are there already are replaced if `overwrite` is set, or else left as they are.
    pub(super) async fn import(
        &self,
        objects: &[SavedObject],
        overwrite: bool,
    ) -> Result<Imported> {
        let lines: String = objects.iter().map(|object| format!("{object}\n")).collect();
        let file = Part::bytes(lines.into_bytes()).file_name("tweets.ndjson");
        let url = format!("{}/api/saved_objects/_import?overwrite={overwrite}", self.url);
        // Kibana refuses requests that change something and do not have this header.
        let request = self.client.post(url).timeout(self.timeout).header("kbn-xsrf", "true");
        let answer = self.send(request.multipart(Form::new().part("file", file))).await;
        let answer = answer.map_err(|lost| {
            let hint = match lost {
                Lost::Certificate(_) => CERTIFICATE_HINT,
                Lost::Other(_) => {
                    "run it again: what was imported is there already, and the rest is added"
                }
            };
            Failure::new(format!("cannot import into Kibana at {}: {lost}", self.url))
                .with_hint(hint)
        })?;
        self.check(&answer, "import saved objects")?;
        let hint = match answer.status {
            status if status.is_success() => return self.imported(objects.len(), &answer.text),
            StatusCode::NOT_FOUND => {
                "check the space: it must exist already, and be named by its identifier, the ID in /s/ID"
            }
            StatusCode::PAYLOAD_TOO_LARGE => {
                "let the proxy in front of Kibana accept bodies of 1 MB"
            }
            _ => {
                "see Kibana's log; the same objects can be imported by hand: indexer setup --print dashboards"
            }
        };
        let (status, said) = (answer.status.as_u16(), self.said(&answer.text));
        let failure =
            Failure::new(format!("Kibana at {} did not import: {status}: {said}", self.url));
        Err(failure.with_hint(hint))
    }

    /// Reads an answer. That it came with 200 does not say that all is well.
    fn imported(&self, n_sent: usize, text: &str) -> Result<Imported> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct ImportResponse {
            success_count: usize,
            #[serde(default)]
            success_results: Vec<Success>,
            #[serde(default)]
            errors: Vec<Refused>,
        }
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Success {
            id: String,
            destination_id: Option<String>,
        }
        #[derive(Deserialize)]
        struct Refused {
            r#type: String,
            id: String,
            error: Json,
        }
        let what = || format!("Kibana at {} did not answer as it does to an import", self.url);
        let odd = || {
            let failure = Failure::new(format!("{}: {}", what(), self.said(text)));
            failure.with_hint("check whether a proxy or a login page stands in between")
        };
        let answer: ImportResponse = serde_json::from_str(text).map_err(|_| odd())?;
        if answer.success_count + answer.errors.len() < n_sent {
            return Err(odd());
        }
        let mut imported = Imported { n_imported: answer.success_count, ..Imported::default() };
        for Success { id, destination_id } in answer.success_results {
            imported.other_ids.extend(destination_id.map(|other| (id, other)));
        }
        for Refused { r#type, id, error } in answer.errors {
            if error["type"] == "conflict" {
                let other = error["destinationId"].as_str().map(str::to_owned);
                imported.other_ids.extend(other.map(|other| (id, other)));
                imported.n_kept += 1;
                continue;
            }
            let kind = error["type"].as_str().unwrap_or("unknown");
            let why = match (&error["message"], &error["references"]) {
                (Json::String(message), _) => message.clone(),
                (_, Json::Null) => kind.to_owned(),
                (_, references) => format!("{kind}: {references}"),
            };
            imported.failed.push(format!("{type} {id}: {}", self.said(&why)));
        }
        Ok(imported)
    }

    /// Sends a request, once, and reads the answer to its end.
    async fn send(&self, request: RequestBuilder) -> Result<Response, Lost> {
        let request = match self.identity.authorization() {
            Some(authorization) => request.header("authorization", authorization),
            None => request,
        };
        let response = request.send().await.map_err(|error| self.lost(&error))?;
        let status = response.status();
        let location = response.headers().get("location");
        let location = location.and_then(|value| value.to_str().ok()).map(str::to_owned);
        let text = response.text().await.map_err(|error| self.lost(&error))?;
        Ok(Response { status, location, text })
    }

    fn lost(&self, error: &reqwest::Error) -> Lost {
        if error.is_timeout() {
            return Lost::Other("no answer in time".to_owned());
        }
        let what = self.identity.redact(&innermost(error));
        match what.contains("certificate") {
            true => Lost::Certificate(what),
            false => Lost::Other(what),
        }
    }

    /// Makes sure that a response is Kibana's own, and that it permits the `action`, which completes "does not allow us
    /// to …".
    fn check(&self, response: &Response, action: &str) -> Result<()> {
        let (url, said) = (&self.url, self.said(&response.text));
        let (failure, hint) = match response.status {
            StatusCode::UNAUTHORIZED => (
                Failure::new(format!(
                    "Kibana at {url} does not accept {}: {said}",
                    self.identity.in_words()
                )),
                "set ELASTICSEARCH_API_KEY, or ELASTICSEARCH_USERNAME and ELASTICSEARCH_PASSWORD",
            ),
            StatusCode::FORBIDDEN => (
                Failure::new(format!("Kibana at {url} does not allow us to {action}: {said}")),
                "give its role the Kibana privileges All for Dashboard, Discover, Maps, Visualize Library and Saved Objects Management in that space",
            ),
            status if status.is_redirection() => {
                let location = self.said(response.location.as_deref().unwrap_or("nowhere"));
                (
                    Failure::new(format!("what answers at {url} redirects to {location}")),
                    "name Kibana's own address, with https and its base path; indexer cannot get past a login page in front of it",
                )
            }
            _ => return Ok(()),
        };
        Err(failure.with_hint(hint))
    }

    /// The message of a response or, if it has none, the beginning of its text: on one line, and without secrets that
    /// it repeats.
    fn said(&self, text: &str) -> String {
        let json: Json = serde_json::from_str(text).unwrap_or_default();
        beginning(&self.identity.redact(json["message"].as_str().unwrap_or(text)), 200)
    }
}

fn certificates(file: &Path) -> Result<Vec<Certificate>> {
    Ok(Certificate::from_pem_bundle(&std::fs::read(file)?)?)
}
