//! The options that say which store, and how to talk to it if it is a cluster.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;

use crate::store::{
    Address, Cluster, ClusterError, Gzip, Identity, IndexBy, Load, parse_cloud_id, parse_nodes,
    parse_proxy,
};

/// What `--help` says of secrets, which are no options.
pub(super) const SECRETS: &str = "\
Secrets of Elasticsearch come from the environment, never from the command line:
  ELASTICSEARCH_API_KEY                            the key, as `encoded` or as id:api_key
  ELASTICSEARCH_USERNAME, ELASTICSEARCH_PASSWORD   or a user (by default elastic)
  ELASTICSEARCH_API_KEY_FILE, ELASTICSEARCH_PASSWORD_FILE   or a file that holds them
Each may be the ARN of a secret in AWS Secrets Manager or Systems Manager Parameter Store.";

/// Which store.
#[derive(Debug, Args)]
pub struct StoreArg {
    /// The store: a folder, or the addresses of Elasticsearch or OpenSearch nodes:
    /// http://localhost:9200,http://other:9200
    #[arg(
        long,
        value_name = "FOLDER|URL",
        hide_env_values = true,
        default_value = "./tweets-index",
        env = "INDEXER_STORE"
    )]
    pub store: String,
    /// How to talk to a cluster.
    #[command(flatten)]
    pub cluster: ClusterArgs,
}

/// How to talk to a cluster.
#[derive(Debug, Args)]
pub struct ClusterArgs {
    /// The deployment in Elastic Cloud, instead of --store
    #[arg(
        help_heading = "Elasticsearch",
        long,
        value_name = "NAME:BASE64",
        env = "ELASTICSEARCH_CLOUD_ID"
    )]
    pub cloud_id: Option<String>,
    /// PEM certificates of authorities to trust besides the well-known ones
    #[arg(
        help_heading = "Elasticsearch",
        long,
        value_name = "FILE",
        env = "ELASTICSEARCH_CA_FILE"
    )]
    pub ca_file: Option<PathBuf>,
    /// Accept any certificate: whoever is between can read and change everything
    #[arg(help_heading = "Elasticsearch", long, env = "ELASTICSEARCH_INSECURE")]
    pub insecure: bool,
    /// Sign requests with the AWS credentials, as Amazon OpenSearch Service takes them
    #[arg(
        help_heading = "Elasticsearch",
        long,
        value_enum,
        value_name = "SERVICE",
        env = "ELASTICSEARCH_AWS_SIGV4"
    )]
    pub aws_sigv4: bool,
    /// Send requests through this proxy [default: what HTTP_PROXY, HTTPS_PROXY and NO_PROXY say]
    #[arg(
        help_heading = "Elasticsearch",
        long,
        value_name = "URL",
        env = "ELASTICSEARCH_PROXY",
        hide_env_values = true
    )]
    pub proxy: Option<String>,
    /// How long one request may take: 90s, 2m
    #[arg(
        help_heading = "Elasticsearch",
        long,
        value_name = "TIME",
        default_value = "90s",
        value_parser = parse_duration,
        env = "ELASTICSEARCH_REQUEST_TIMEOUT"
    )]
    pub request_timeout: Duration,
}

/// How documents are sent to a cluster.
#[derive(Debug, Args)]
pub struct LoadArgs {
    /// Which indices are made.
    #[command(flatten)]
    pub index_by: IndexByArg,
    /// The most bytes of documents in a bulk request [default: 8388608; in Lambda 1048576]
    #[arg(help_heading = "Elasticsearch", long, value_name = "N", env = "INDEXER_BULK_BYTES")]
    pub bulk_bytes: Option<usize>,
    /// The most documents in a bulk request [default: 5000]
    #[arg(help_heading = "Elasticsearch", long, value_name = "N", env = "INDEXER_BULK_DOCUMENTS")]
    pub bulk_documents: Option<usize>,
    /// The most bulk requests at a time; fewer while the cluster is overloaded [default: 4; in Lambda 2]
    #[arg(help_heading = "Elasticsearch", long, value_name = "N", env = "INDEXER_BULK_REQUESTS")]
    pub bulk_requests: Option<usize>,
    /// Whether bodies are compressed
    #[arg(help_heading = "Elasticsearch", long, value_enum, default_value_t, env = "INDEXER_GZIP")]
    pub gzip: Gzip,
    /// For how long to go on trying when the cluster takes nothing: 30s, 5m [default: 5m; in Lambda 1m]
    #[arg(help_heading = "Elasticsearch", long, value_name = "TIME", value_parser = parse_duration, env = "INDEXER_RETRY_FOR")]
    pub retry_for: Option<Duration>,
}

/// Which indices are made.
#[derive(Debug, Args)]
pub struct IndexByArg {
    /// How much of the tweets' time an index holds [default: what the cluster has, else year]
    #[arg(
        help_heading = "Elasticsearch",
        long,
        value_enum,
        value_name = "TIME",
        env = "INDEXER_INDEX_BY"
    )]
    pub index_by: Option<IndexBy>,
}

impl LoadArgs {
    /// As the store takes it; `defaults` are for what is not said.
    pub fn load(&self, defaults: Load) -> Load {
        Load {
            index_by: self.index_by.index_by,
            bulk_bytes: self.bulk_bytes.unwrap_or(defaults.bulk_bytes),
            bulk_documents: self.bulk_documents.unwrap_or(defaults.bulk_documents),
            bulk_requests: self.bulk_requests.unwrap_or(defaults.bulk_requests),
            gzip: self.gzip,
            retry_for: self.retry_for.unwrap_or(defaults.retry_for),
            waits_for_start: defaults.waits_for_start,
        }
    }
}

impl StoreArg {
    /// What it names.
    ///
    /// # Errors
    ///
    /// If it is an address that cannot be understood, or a secret cannot be read.
    pub fn address(&self, load: Load) -> Result<Address, ClusterError> {
        let nodes = match &self.cluster.cloud_id {
            Some(cloud_id) => vec![parse_cloud_id(cloud_id)?],
            None if self.store.contains("://") => parse_nodes(&self.store)?,
            None if is_host_and_port(&self.store) => parse_nodes(&self.store)?,
            None => return Ok(Address::Folder(PathBuf::from(&self.store))),
        };
        if self.cluster.insecure {
            tracing::warn!("--insecure: the cluster's certificate is not verified");
        }
        let identity = match self.cluster.aws_sigv4 {
            true => Identity::Aws,
            false => Identity::from_settings(environment)?,
        };
        identity.warn_in_the_open(&nodes);
        Ok(Address::Cluster(Box::new(Cluster {
            nodes,
            identity,
            ca_file: self.cluster.ca_file.clone(),
            insecure: self.cluster.insecure,
            proxy: self.cluster.proxy.as_deref().map(parse_proxy).transpose()?,
            request_timeout: self.cluster.request_timeout,
            load,
        })))
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "secrets have no option, so clap cannot read them; `--help` names them"
)]
fn environment(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// Whether somebody has left out the `http://`: no folder has such a name by intent.
fn is_host_and_port(store: &str) -> bool {
    let port = store.rsplit_once(':').map(|(_, port)| port);
    port.is_some_and(|port| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()))
        && !Path::new(store).exists()
}

pub(super) fn parse_duration(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<u64>().ok().map(Duration::from_secs);
    let spelled = || text.parse::<jiff::SignedDuration>().ok()?.try_into().ok();
    seconds.or_else(spelled).ok_or_else(|| "write it as 30s, 5m or 1h".to_owned())
}
