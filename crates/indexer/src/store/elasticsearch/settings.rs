//! What the user says of a cluster: where it is, who we are, and how fast to go.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use elasticsearch::auth::Credentials;
use elasticsearch::http::Url;
use elasticsearch::http::headers::HeaderValue;
use elasticsearch::http::transport::CloudId;
use url::Host;

use super::ClusterError;
use crate::aws::secrets;

/// A cluster, and how to talk to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// Its nodes; requests go to each in turn.
    pub nodes: Vec<Url>,
    /// Who we are.
    pub identity: Identity,
    /// PEM certificates of authorities to trust besides the well-known ones.
    pub ca_file: Option<PathBuf>,
    /// Whether any certificate is accepted.
    pub insecure: bool,
    /// What requests go through; without it, what `HTTP_PROXY` and `HTTPS_PROXY` say.
    pub proxy: Option<Url>,
    /// How long one request may take.
    pub request_timeout: Duration,
    /// How documents are sent.
    pub load: Load,
}

impl Cluster {
    /// Whether bodies are compressed.
    pub(super) fn gzip(&self) -> bool {
        let is_here = |url: &Url| match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        };
        match self.load.gzip {
            Gzip::Auto => self.proxy.is_some() || !self.nodes.iter().all(is_here),
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
    /// How much of the tweets' time an index holds; without it, what the cluster has, else a year.
    pub index_by: Option<IndexBy>,
    /// The most bytes of documents in a bulk request, before compression.
    pub bulk_bytes: usize,
    /// The most documents in a bulk request.
    pub bulk_documents: usize,
    /// The most bulk requests at a time.
    pub bulk_requests: usize,
    /// Whether bodies are compressed.
    pub gzip: Gzip,
    /// For how long to go on trying when nothing is taken.
    pub retry_for: Duration,
}

impl Default for Load {
    fn default() -> Load {
        Load {
            index_by: None,
            // Small nodes of Amazon OpenSearch Service take 10 MiB.
            bulk_bytes: 8 * 1024 * 1024,
            bulk_documents: 5_000,
            bulk_requests: 4,
            gzip: Gzip::Auto,
            retry_for: Duration::from_secs(300),
        }
    }
}

/// Whether bodies are compressed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Gzip {
    /// Unless all nodes are on this machine, where it would cost more than it saves.
    #[default]
    Auto,
    /// In any case.
    Always,
    /// In no case.
    Never,
}

/// How much of the tweets' time an index holds, in UTC.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum IndexBy {
    /// `tweets-2022`.
    #[default]
    Year,
    /// `tweets-2022.12`.
    Month,
    /// `tweets-2022.12.10`.
    Day,
}

impl IndexBy {
    /// As the template's `_meta` has it.
    pub fn as_str(self) -> &'static str {
        match self {
            IndexBy::Year => "year",
            IndexBy::Month => "month",
            IndexBy::Day => "day",
        }
    }

    /// The index of a tweet of that time.
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

/// Who we are, to the cluster.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Identity {
    /// Nobody in particular.
    #[default]
    Anonymous,
    /// An API key: `id:api_key`, or that in base64 (`encoded`).
    ApiKey(String),
    /// A user.
    Basic {
        /// Its name.
        username: String,
        /// Its password.
        password: String,
    },
    /// The AWS credentials of this process, by which each request is signed (Signature Version 4).
    Aws(AwsService),
}

/// Which of Amazon's services a cluster is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum AwsService {
    /// Amazon OpenSearch Service.
    Es,
    /// Amazon OpenSearch Serverless.
    Aoss,
}

impl AwsService {
    /// Its name in signatures.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            AwsService::Es => "es",
            AwsService::Aoss => "aoss",
        }
    }
}

// By hand, so that no secret is ever printed.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.in_words())
    }
}

pub(super) const NO_CREDENTIALS: &str = "requests without credentials";

impl Identity {
    /// What is sent, without saying it.
    pub(super) fn in_words(&self) -> &'static str {
        match self {
            Identity::Anonymous => NO_CREDENTIALS,
            Identity::ApiKey(_) => "the API key",
            Identity::Basic { .. } => "the username and password",
            Identity::Aws(_) => "the AWS credentials",
        }
    }

    /// As the client takes it.
    pub(super) fn credentials(&self) -> Result<Option<Credentials>, ClusterError> {
        match self {
            Identity::Anonymous | Identity::Aws(_) => Ok(None),
            Identity::ApiKey(key) => {
                // The client would panic on what no header can hold.
                if HeaderValue::from_str(key).is_err() || key.is_empty() {
                    return Err(ClusterError::Secret { variable: "ELASTICSEARCH_API_KEY" });
                }
                Ok(Some(match key.split_once(':') {
                    Some((id, key)) => Credentials::ApiKey(id.to_owned(), key.to_owned()),
                    None => Credentials::EncodedApiKey(key.clone()),
                }))
            }
            Identity::Basic { username, password } => {
                Ok(Some(Credentials::Basic(username.clone(), password.clone())))
            }
        }
    }

    /// Whoever the settings name: a key before a user, a value before a file. A value may be the ARN of
    /// a secret.
    ///
    /// # Errors
    ///
    /// If a file or a secret cannot be read, or a user has no password.
    pub fn from_settings(
        setting: impl Fn(&str) -> Option<String>,
    ) -> Result<Identity, ClusterError> {
        let secret = |name: &'static str, what: &'static str, keys: &[&str]| match setting(name) {
            Some(value) if secrets::is_reference(&value) => {
                let secret = secrets::read(&value, keys);
                secret
                    .map(Some)
                    .map_err(|source| ClusterError::Reference { variable: name, source })
            }
            Some(value) => Ok(Some(value)),
            None => match setting(&format!("{name}_FILE")) {
                Some(path) => read_secret(Path::new(&path), what).map(Some),
                None => Ok(None),
            },
        };
        if let Some(key) =
            secret("ELASTICSEARCH_API_KEY", "the API key", &["api_key", "encoded", "apiKey"])?
        {
            return Ok(Identity::ApiKey(key));
        }
        match secret("ELASTICSEARCH_PASSWORD", "the password", &["password"])? {
            Some(password) => {
                let username = secret("ELASTICSEARCH_USERNAME", "the user", &["username"])?;
                let username = username.unwrap_or_else(|| "elastic".to_owned());
                Ok(Identity::Basic { username, password })
            }
            None if setting("ELASTICSEARCH_USERNAME").is_some() => Err(ClusterError::Password),
            None => Ok(Identity::Anonymous),
        }
    }
}

fn read_secret(path: &Path, what: &'static str) -> Result<String, ClusterError> {
    match std::fs::read_to_string(path) {
        // Editors end files with a line break, and no secret does.
        Ok(secret) => Ok(secret.trim_end_matches(['\r', '\n']).to_owned()),
        Err(error) => Err(ClusterError::File { what, path: path.to_owned(), source: error.into() }),
    }
}

/// Reads the addresses of nodes, separated by commas.
///
/// # Errors
///
/// If one is none, or has a password in it.
pub fn parse_nodes(addresses: &str) -> Result<Vec<Url>, ClusterError> {
    if addresses.contains('@') {
        // Before it is taken apart: a password may have a comma in it.
        return Err(ClusterError::Address {
            address: without_secrets(addresses),
            why: "other users of this machine see what is on a command line".to_owned(),
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
        return Err(error("only http:// and https:// are known", form));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(error("it has a `?` or a `#`", form));
    }
    Ok(url)
}

/// Reads the address of a proxy.
///
/// # Errors
///
/// If it is none, or has a password in it.
pub fn parse_proxy(address: &str) -> Result<Url, ClusterError> {
    match address.contains('@') {
        true => Err(ClusterError::Address {
            address: without_secrets(address),
            why: "other users of this machine see what is on a command line".to_owned(),
            hint: "set HTTP_PROXY or HTTPS_PROXY to it, where a password may stand",
        }),
        false => node(address),
    }
}

/// The node that an Elastic Cloud id names.
///
/// # Errors
///
/// If it is none.
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
    fn no_secret_is_printed() {
        let key = Identity::ApiKey("hunter2".into());
        let user = Identity::Basic { username: "elastic".into(), password: "hunter2".into() };
        assert!(!format!("{key:?} {user:?}").contains("hunter2"));
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
