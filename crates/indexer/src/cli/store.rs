//! The options that say which store, and how a cluster is reached.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::values::parse_duration;
use super::variable;
use crate::config::{Secrets, StoreConfig};
use crate::store::{Gzip, IndexBy, Load};

/// What `--help` says of secrets, which have no option.
pub(super) const SECRETS: &str = "\
Secrets of Elasticsearch come from the environment, never from the command line:
  ELASTICSEARCH_API_KEY                            the key, as `encoded` or as id:api_key
  ELASTICSEARCH_USERNAME, ELASTICSEARCH_PASSWORD   or a user (by default elastic)
  ELASTICSEARCH_API_KEY_FILE, ELASTICSEARCH_PASSWORD_FILE   or a file that holds them
Each may be the ARN of a secret in AWS Secrets Manager or Systems Manager Parameter Store.";

#[derive(Debug, Args)]
pub(super) struct StoreArgs {
    /// The store: a folder, or the addresses of Elasticsearch or OpenSearch nodes:
    /// http://localhost:9200,http://other:9200
    #[arg(
        long,
        value_name = "FOLDER|URL",
        hide_env_values = true,
        default_value = "./tweets-index",
        env = "INDEXER_STORE"
    )]
    store: String,
    #[command(flatten)]
    cluster: ClusterArgs,
}

#[derive(Debug, Args)]
struct ClusterArgs {
    /// The deployment in Elastic Cloud, instead of --store
    #[arg(
        help_heading = "Elasticsearch",
        long,
        value_name = "NAME:BASE64",
        env = "ELASTICSEARCH_CLOUD_ID"
    )]
    cloud_id: Option<String>,
    /// PEM file with certificates of authorities to trust besides the well-known ones
    #[arg(
        help_heading = "Elasticsearch",
        long,
        value_name = "FILE",
        env = "ELASTICSEARCH_CA_FILE"
    )]
    ca_file: Option<PathBuf>,
    /// Accept any certificate. Anyone between this program and the cluster can then read and change everything
    #[arg(help_heading = "Elasticsearch", long, env = "ELASTICSEARCH_INSECURE")]
    insecure: bool,
    /// Sign requests with the AWS credentials, as Amazon OpenSearch Service accepts them
    #[arg(help_heading = "Elasticsearch", long, env = "ELASTICSEARCH_AWS_SIGV4")]
    aws_sigv4: bool,
    /// Send requests through this proxy [default: as HTTP_PROXY, HTTPS_PROXY and NO_PROXY say]
    #[arg(
        help_heading = "Elasticsearch",
        long,
        value_name = "URL",
        env = "ELASTICSEARCH_PROXY",
        hide_env_values = true
    )]
    proxy: Option<String>,
    /// How long one request may take: 90s, 2m
    #[arg(
        help_heading = "Elasticsearch",
        long,
        value_name = "TIME",
        default_value = "90s",
        value_parser = parse_duration,
        env = "ELASTICSEARCH_REQUEST_TIMEOUT"
    )]
    request_timeout: Duration,
}

#[derive(Debug, Args)]
pub(super) struct LoadArgs {
    #[command(flatten)]
    index_by: IndexByArgs,
    /// The maximum number of bytes of documents in a bulk request [default: 8388608; in Lambda 1048576]
    #[arg(help_heading = "Elasticsearch", long, value_name = "N", env = "INDEXER_BULK_BYTES")]
    bulk_bytes: Option<usize>,
    /// The maximum number of documents in a bulk request [default: 5000]
    #[arg(help_heading = "Elasticsearch", long, value_name = "N", env = "INDEXER_BULK_DOCUMENTS")]
    bulk_documents: Option<usize>,
    /// The maximum number of bulk requests at a time; fewer are sent while the cluster is overloaded [default: 4; in
    /// Lambda 2]
    #[arg(help_heading = "Elasticsearch", long, value_name = "N", env = "INDEXER_BULK_REQUESTS")]
    bulk_requests: Option<usize>,
    /// Whether request bodies are compressed
    #[arg(help_heading = "Elasticsearch", long, value_enum, default_value_t, env = "INDEXER_GZIP")]
    gzip: Gzip,
    /// How long to keep trying while the cluster accepts nothing: 30s, 5m [default: 5m; in Lambda 1m]
    #[arg(help_heading = "Elasticsearch", long, value_name = "TIME", value_parser = parse_duration, env = "INDEXER_RETRY_FOR")]
    retry_for: Option<Duration>,
}

#[derive(Debug, Args)]
pub(super) struct IndexByArgs {
    /// The period of time that one index holds [default: that of the cluster's indices or template, otherwise year]
    #[arg(
        help_heading = "Elasticsearch",
        long,
        value_enum,
        value_name = "TIME",
        env = "INDEXER_INDEX_BY"
    )]
    pub(super) index_by: Option<IndexBy>,
}

impl LoadArgs {
    /// The settings in the form that the store uses. Options that were not given are taken from `defaults`.
    pub(super) fn load(&self, defaults: Load) -> Load {
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

impl StoreArgs {
    pub(super) fn config(self, load: Load) -> StoreConfig {
        let ClusterArgs { cloud_id, ca_file, insecure, aws_sigv4, proxy, request_timeout } =
            self.cluster;
        StoreConfig {
            place: self.store,
            cloud_id,
            ca_file,
            insecure,
            aws_sigv4,
            proxy,
            request_timeout,
            load,
            secrets: Secrets::read(variable),
        }
    }
}
