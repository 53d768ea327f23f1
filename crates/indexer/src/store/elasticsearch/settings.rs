//! The user's settings for a cluster: its address, the credentials, and how fast to send documents.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use elasticsearch::http::Url;
use elasticsearch::http::transport::CloudId;

use super::ClusterError;
use super::identity::{Identity, is_local};

/// A cluster, and how to talk to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// Its nodes; requests go to each in turn.
    pub nodes: Vec<Url>,
    /// The credentials that requests are sent with.
    pub identity: Identity,
    /// PEM certificates of authorities to trust besides the well-known ones.
    pub ca_file: Option<PathBuf>,
    /// Whether the server's certificate is accepted without verification.
    pub insecure: bool,
    /// The proxy that requests go through; if `None`, `HTTP_PROXY` and `HTTPS_PROXY` apply.
    pub proxy: Option<Url>,
    /// How long one request may take.
    pub request_timeout: Duration,
    /// How documents are sent.
    pub load: Load,
}

impl Cluster {
    /// A cluster that asks for no credentials, with the usual settings.
    pub fn anonymous(nodes: Vec<Url>) -> Cluster {
        Cluster {
            nodes,
            identity: Identity::Anonymous,
            ca_file: None,
            insecure: false,
            proxy: None,
            request_timeout: Duration::from_secs(90),
            load: Load::default(),
        }
    }

    /// Whether bodies are compressed.
    pub(super) fn gzip(&self) -> bool {
        match self.load.gzip {
            Gzip::Auto => self.proxy.is_some() || !self.nodes.iter().all(is_local),
            Gzip::Always => true,
            Gzip::Never => false,
        }
    }
}

impl fmt::Display for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nodes = self.nodes.iter().map(|url| url.as_str().trim_end_matches('/'));
        f.write_str(&nodes.collect::<Vec<_>>().join(","))
    }
}

/// How documents are sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Load {
    /// The period of time that each index covers; if `None`, that of the cluster's existing indices or template, or
    /// else a year.
    pub index_by: Option<IndexBy>,
    /// The most bytes of documents in a bulk request, before compression.
    pub bulk_bytes: usize,
    /// The most documents in a bulk request.
    pub bulk_documents: usize,
    /// The most bulk requests in flight at a time.
    pub bulk_requests: usize,
    /// Whether bodies are compressed.
    pub gzip: Gzip,
    /// How long to keep trying while the cluster accepts nothing.
    pub retry_for: Duration,
    /// Whether `retry_for` also applies before the cluster has answered for the first time. Somebody at a terminal
    /// should hear of a mistyped address at once, but a Lambda function may run while the cluster is being restarted.
    pub waits_for_start: bool,
}

impl Load {
    /// Settings that suit even the smallest Lambda function, with 128 MB of memory and a fourteenth of a core.
    pub(crate) fn in_lambda() -> Load {
        Load {
            bulk_bytes: 1024 * 1024,
            bulk_requests: 2,
            // The time that a function spends waiting is billed; the time that Lambda waits before it retries is not.
            retry_for: Duration::from_secs(60),
            waits_for_start: true,
            ..Load::default()
        }
    }
}

impl Default for Load {
    fn default() -> Load {
        Load {
            index_by: None,
            // Small nodes of Amazon OpenSearch Service accept no more than 10 MiB.
            bulk_bytes: 8 * 1024 * 1024,
            bulk_documents: 5_000,
            bulk_requests: 4,
            gzip: Gzip::Auto,
            retry_for: Duration::from_secs(300),
            waits_for_start: false,
        }
    }
}

/// Whether bodies are compressed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Gzip {
    /// Compress unless all nodes are on this machine and no proxy is used: there it would cost more than it saves.
    #[default]
    Auto,
    /// Compress requests to any cluster.
    Always,
    /// Compress no requests.
    Never,
}

/// The period of time that each index covers, in UTC.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum IndexBy {
    /// An index for each year: `tweets-2022`.
    #[default]
    Year,
    /// An index for each month: `tweets-2022.12`.
    Month,
    /// An index for each day: `tweets-2022.12.10`.
    Day,
}

impl IndexBy {
    /// The name of the period in the template's `_meta`.
    pub fn as_str(self) -> &'static str {
        match self {
            IndexBy::Year => "year",
            IndexBy::Month => "month",
            IndexBy::Day => "day",
        }
    }

    /// The name of the index for a tweet that was created at this time.
    pub fn index(self, created_at: ingest::Timestamp) -> String {
        let time = created_at.to_string();
        let date = time.split('T').next().unwrap_or_default();
        let length = date.len()
            - match self {
                IndexBy::Year => "-12-10".len(),
                IndexBy::Month => "-10".len(),
                IndexBy::Day => 0,
            };
        let (year, rest) = date[..length].split_at(date.len() - "-12-10".len());
        format!("tweets-{year}{}", rest.replace('-', "."))
    }
}

/// What `--store` names: a folder, or else the nodes of a cluster.
///
/// # Errors
///
/// If it is an address that cannot be understood, or has a password in it.
pub fn place_of(store: &str) -> Result<Result<PathBuf, Vec<Url>>, ClusterError> {
    match store.contains("://") || is_host_and_port(store) {
        true => parse_nodes(store).map(Err),
        false => Ok(Ok(PathBuf::from(store))),
    }
}

/// Whether this looks like an address without its `http://`, such as `localhost:9200`. Hardly any folder has such a
/// name, and if one exists, it is taken as a folder.
fn is_host_and_port(store: &str) -> bool {
    let port = store.rsplit_once(':').map(|(_, port)| port);
    port.is_some_and(|port| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()))
        && !Path::new(store).exists()
}

/// Reads the addresses of nodes, separated by commas.
fn parse_nodes(addresses: &str) -> Result<Vec<Url>, ClusterError> {
    if addresses.contains('@') {
        // Checked before the addresses are split, because a password may contain a comma.
        return Err(ClusterError::Address {
            address: without_secrets(addresses),
            why: "other users of this machine can see a password on the command line".to_owned(),
            hint: "set ELASTICSEARCH_USERNAME and ELASTICSEARCH_PASSWORD (or ELASTICSEARCH_API_KEY), and leave them out of the address",
        });
    }
    addresses.split(',').map(str::trim).filter(|address| !address.is_empty()).map(node).collect()
}

fn node(address: &str) -> Result<Url, ClusterError> {
    let error = |why: &str, hint| ClusterError::Address {
        address: without_secrets(address),
        why: why.to_owned(),
        hint,
    };
    let form = "write it as http://localhost:9200, or name a folder";
    let url = Url::parse(address).map_err(|parse| error(&parse.to_string(), form))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(error("only http:// and https:// are supported", form));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(error("it must not contain `?` or `#`", form));
    }
    Ok(url)
}

/// Reads the address of a proxy.
///
/// # Errors
///
/// If it is not a valid address, or has a password in it.
pub fn parse_proxy(address: &str) -> Result<Url, ClusterError> {
    match address.contains('@') {
        true => Err(ClusterError::Address {
            address: without_secrets(address),
            why: "other users of this machine can see a password on the command line".to_owned(),
            hint: "set HTTP_PROXY or HTTPS_PROXY to it instead, which may contain a password",
        }),
        false => node(address),
    }
}

/// The node that an Elastic Cloud id names.
///
/// # Errors
///
/// If it is not a valid Cloud ID.
pub fn parse_cloud_id(cloud_id: &str) -> Result<Url, ClusterError> {
    CloudId::parse(cloud_id).map(|cloud| cloud.url).map_err(|error| ClusterError::Address {
        address: cloud_id.to_owned(),
        why: error.to_string(),
        hint: "copy the Cloud ID from the deployment's page: name:base64",
    })
}

/// An address without the user and the password that may stand in it.
fn without_secrets(address: &str) -> String {
    match address.rsplit_once('@') {
        Some((before, host)) => {
            let scheme = before.split_once("://").map_or("", |(scheme, _)| scheme);
            format!("{scheme}://…@{host}")
        }
        None => address.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_refused_in_an_address_and_never_repeated() {
        for address in
            ["http://elastic:hunter2@es:9200", "http://e:,hunter2@es", "ftp://a:hunter2@b"]
        {
            let error = parse_nodes(address).unwrap_err().to_string();
            assert!(!error.contains("hunter2"), "{error}");
        }
        let nodes = parse_nodes("http://a:9200, https://b/es").unwrap();
        assert_eq!(nodes.len(), 2);
    }

    #[test]
    fn indices_are_named_after_the_time_of_their_tweets() {
        let time = ingest::Timestamp::parse("2022-02-01T23:59:59Z").unwrap();
        for (index_by, name) in [
            (IndexBy::Year, "tweets-2022"),
            (IndexBy::Month, "tweets-2022.02"),
            (IndexBy::Day, "tweets-2022.02.01"),
        ] {
            assert_eq!(index_by.index(time), name);
        }
    }
}
