//! Kibana, as far as it is set up: is it there, and what became of the objects that it was given.

use std::collections::HashMap;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use reqwest::multipart::{Form, Part};
use reqwest::{Certificate, Client, RequestBuilder, Response, StatusCode};
use serde::Deserialize;
use serde_json::Value as Json;
use url::Url;

use super::objects::Object;
use crate::failure::with_hint;
use crate::store::{Cluster, Identity, is_local};

/// The earliest version that our objects are written for.
const EARLIEST: (u32, u32) = (8, 12);

/// A Kibana that requests can be sent to.
pub(super) struct Kibana {
    client: Client,
    /// With the space's path.
    url: String,
    identity: Identity,
}

/// What an import did.
#[derive(Default)]
pub(super) struct Imported {
    /// How many objects are there now that were not, or were replaced.
    pub(super) n_imported: usize,
    /// How many were there already and were left as they were.
    pub(super) n_kept: usize,
    /// What could not be imported, each with the reason.
    pub(super) failed: Vec<String>,
    /// Under which id an object is found, where that is another one: an id is of one space only.
    pub(super) other_ids: HashMap<String, String>,
}

impl Kibana {
    /// Makes what is needed to send requests; none is sent yet. Who we are, and which certificates are
    /// trusted, is as for the cluster that it belongs to.
    pub(super) fn new(url: &Url, space: Option<&str>, cluster: &Cluster) -> anyhow::Result<Kibana> {
        if cluster.identity == Identity::Aws {
            let error =
                anyhow!("the dashboards are Kibana's: OpenSearch Dashboards cannot import them");
            return Err(with_hint(error, "leave --kibana out"));
        }
        if url.scheme() == "http" && !is_local(url) && cluster.identity != Identity::Anonymous {
            tracing::warn!("secrets are sent to {url} without encryption: use https");
        }
        let mut client = Client::builder().timeout(cluster.request_timeout);
        if cluster.insecure {
            client = client.danger_accept_invalid_certs(true);
        }
        if let Some(file) = &cluster.ca_file {
            let certificates = certificates(file);
            for certificate in certificates
                .with_context(|| format!("cannot use certificates in `{}`", file.display()))?
            {
                client = client.add_root_certificate(certificate);
            }
        }
        if let Some(proxy) = &cluster.proxy {
            client = client.proxy(reqwest::Proxy::all(proxy.clone())?);
        }
        let mut url = url.as_str().trim_end_matches('/').to_owned();
        if let Some(space) = space {
            url = format!("{url}/s/{space}");
        }
        let client = client.build().context("cannot make a client for Kibana")?;
        Ok(Kibana { client, url, identity: cluster.identity.clone() })
    }

    /// Where it is, with the space's path.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Waits until Kibana can be used. Tells its version, unless it keeps that to itself.
    pub(super) async fn wait(&self, longest: Duration) -> anyhow::Result<Option<String>> {
        let started = Instant::now();
        let mut was_told = false;
        loop {
            let why = match self.status().await? {
                Status::Ready(version) => return Ok(version),
                Status::NotReady(why) => why,
            };
            if started.elapsed() >= longest {
                let error = anyhow!("Kibana at {} is not ready: {why}", self.url);
                return Err(with_hint(
                    error,
                    "check that it is running, and the address: host, port, http or https",
                ));
            }
            if !std::mem::replace(&mut was_told, true) {
                let seconds = longest.as_secs();
                tracing::info!(
                    "Kibana at {} is not ready: {why}; waiting for up to {seconds} s",
                    self.url
                );
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }

    async fn status(&self) -> anyhow::Result<Status> {
        let response = match self.send(self.client.get(format!("{}/api/status", self.url))).await {
            Ok(response) => response,
            Err(why) => return Ok(Status::NotReady(why)),
        };
        let (status, text) = (response.status(), response.text().await.unwrap_or_default());
        self.check_rights(status, &text, "tell its status")?;
        let json: Json = serde_json::from_str(&text).unwrap_or_default();
        let overall = &json["status"]["overall"];
        // OpenSearch Dashboards, and Kibana before 8, have states.
        let level = overall["level"].as_str().or(overall["state"].as_str());
        match level {
            Some("available" | "degraded") => {
                let version = json["version"]["number"].as_str().map(str::to_owned);
                if let Some(version) = &version {
                    self.check_version(version)?;
                }
                Ok(Status::Ready(version))
            }
            Some("green" | "yellow") => {
                let version = json["version"]["number"].as_str().unwrap_or("of an unknown version");
                self.check_version(version)?;
                bail!("{} is not Kibana: it tells its status in colors", self.url);
            }
            Some(level) => Ok(Status::NotReady(format!("it says that it is {level}"))),
            None if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => Ok(
                Status::NotReady(format!("it answered {}: {}", status.as_u16(), beginning(&text))),
            ),
            None => {
                let said = beginning(&text);
                let error = anyhow!(
                    "what answers at {} is not Kibana: {}: {said}",
                    self.url,
                    status.as_u16()
                );
                Err(with_hint(
                    error,
                    "name Kibana's own address, not the cluster's: --kibana http://localhost:5601",
                ))
            }
        }
    }

    fn check_version(&self, version: &str) -> anyhow::Result<()> {
        let mut numbers = version.split('.').map(|number| number.parse().unwrap_or(0));
        let number = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
        if number >= EARLIEST {
            return Ok(());
        }
        let error = anyhow!(
            "the dashboards are for Kibana {}.{} and later, and {} is {version}",
            EARLIEST.0,
            EARLIEST.1,
            self.url
        );
        Err(with_hint(error, "upgrade Kibana; OpenSearch Dashboards cannot import them"))
    }

    /// Imports objects. Those that are there already are replaced or left as they are.
    pub(super) async fn import(
        &self,
        objects: &[Object],
        overwrite: bool,
    ) -> anyhow::Result<Imported> {
        let lines: String = objects.iter().map(|object| format!("{object}\n")).collect();
        let part = Part::bytes(lines.into_bytes())
            .file_name("tweets.ndjson")
            .mime_str("application/x-ndjson")?;
        let url = format!("{}/api/saved_objects/_import?overwrite={overwrite}", self.url);
        let request = self
            .client
            .post(url)
            .header("kbn-xsrf", "true")
            .multipart(Form::new().part("file", part));
        let answer = self.send(request).await;
        let response =
            answer.map_err(|why| anyhow!("cannot import into Kibana at {}: {why}", self.url))?;
        let (status, text) = (response.status(), response.text().await.unwrap_or_default());
        self.check_rights(status, &text, "import saved objects")?;
        let hint = match status {
            _ if status.is_success() => return self.imported(&text),
            StatusCode::NOT_FOUND => {
                "check the space: it must be there already, and is named by its identifier (as in /s/NAME)"
            }
            StatusCode::PAYLOAD_TOO_LARGE => "let the proxy before Kibana take bodies of 1 MB",
            _ => {
                "see Kibana's log; the same objects can be imported by hand: indexer setup --print dashboards"
            }
        };
        let error = anyhow!(
            "Kibana at {} did not import: {}: {}",
            self.url,
            status.as_u16(),
            beginning(&text)
        );
        Err(with_hint(error, hint))
    }

    /// Reads an answer. That it came with 200 does not say that all is well.
    fn imported(&self, text: &str) -> anyhow::Result<Imported> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Answer {
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
        let answer: Answer = serde_json::from_str(text).with_context(|| {
            format!("cannot read what Kibana at {} answered: {}", self.url, beginning(text))
        })?;
        let mut imported = Imported { n_imported: answer.success_count, ..Imported::default() };
        for Success { id, destination_id } in answer.success_results {
            imported.other_ids.extend(destination_id.map(|other| (id, other)));
        }
        for Refused { r#type, id, error } in answer.errors {
            match error["type"].as_str().unwrap_or("unknown") {
                "conflict" => {
                    let other = error["destinationId"].as_str().map(str::to_owned);
                    imported.other_ids.extend(other.map(|other| (id, other)));
                    imported.n_kept += 1;
                }
                kind => {
                    let why = error["message"].as_str().map(str::to_owned);
                    let why = why.unwrap_or_else(|| match &error["references"] {
                        Json::Null => kind.to_owned(),
                        references => format!("{kind}: {references}"),
                    });
                    imported.failed.push(format!("{type} {id}: {why}"));
                }
            }
        }
        Ok(imported)
    }

    /// Sends a request, once. What is lost on the way comes back in words.
    async fn send(&self, request: RequestBuilder) -> Result<Response, String> {
        let request = match self.identity.authorization() {
            Some(authorization) => request.header("authorization", authorization),
            None => request,
        };
        request.send().await.map_err(|error| {
            // The innermost cause says what happened; the outer ones, that a request failed.
            let mut cause: &dyn std::error::Error = &error;
            while let Some(inner) = cause.source() {
                cause = inner;
            }
            self.identity.redact(&cause.to_string())
        })
    }

    fn check_rights(&self, status: StatusCode, text: &str, action: &str) -> anyhow::Result<()> {
        let said = self.identity.redact(&beginning(text));
        match status {
            StatusCode::UNAUTHORIZED => Err(with_hint(
                anyhow!(
                    "Kibana at {} does not accept {}: {said}",
                    self.url,
                    self.identity.in_words()
                ),
                "set ELASTICSEARCH_API_KEY, or ELASTICSEARCH_USERNAME and ELASTICSEARCH_PASSWORD",
            )),
            StatusCode::FORBIDDEN => Err(with_hint(
                anyhow!("Kibana at {} does not allow to {action}: {said}", self.url),
                "give its role the Kibana privileges All for Dashboard, Discover, Maps, Visualize Library and Saved Objects Management in that space",
            )),
            _ => Ok(()),
        }
    }
}

enum Status {
    /// With its version, if it tells that.
    Ready(Option<String>),
    /// And why not.
    NotReady(String),
}

fn certificates(file: &Path) -> anyhow::Result<Vec<Certificate>> {
    Ok(Certificate::from_pem_bundle(&std::fs::read(file)?)?)
}

/// What an answer says, or how it begins, on one line.
fn beginning(text: &str) -> String {
    let json: Json = serde_json::from_str(text).unwrap_or_default();
    let text = json["message"].as_str().unwrap_or(text);
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(200) {
        _ if line.is_empty() => "nothing".to_owned(),
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}
