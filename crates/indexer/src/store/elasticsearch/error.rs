//! What can go wrong with a cluster, divided by what the user can do about it.

use std::borrow::Cow;
use std::path::PathBuf;
use std::time::Duration;

use super::response::RequestError;
use crate::failure::{COULD_NOT_RUN, Failure, Hint, INTERRUPTED};

/// Why a cluster could not be used.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// The address of a node or proxy, or a setting that goes with it, cannot be used.
    #[error("cannot use the address `{address}`: {why}")]
    Address {
        /// As given, without secrets.
        address: String,
        /// What is wrong with it.
        why: String,
        /// What the user can do about it.
        hint: &'static str,
    },
    /// A file that should contain a certificate or a secret cannot be used.
    #[error("cannot use {what} in `{path}`")]
    File {
        /// What should be in it.
        what: &'static str,
        /// The path of the file that cannot be used.
        path: PathBuf,
        /// Why it cannot be used.
        source: Failure,
    },
    /// A secret has characters that no header can have.
    #[error("{variable} is empty or contains characters that an API key cannot have")]
    Secret {
        /// Where it came from.
        variable: &'static str,
    },
    /// A setting names a secret that cannot be read.
    #[error("cannot use the secret that {variable} names")]
    Reference {
        /// The environment variable that names the secret.
        variable: &'static str,
        /// Why it cannot be used.
        source: Failure,
    },
    /// A user is named, and no password.
    #[error("ELASTICSEARCH_USERNAME is set, but ELASTICSEARCH_PASSWORD is not")]
    Password,
    /// No response came, or only ones that ask to try later.
    #[error("cannot reach Elasticsearch at {url}: {failure}")]
    Unreachable {
        /// The addresses of the cluster's nodes, without credentials.
        url: String,
        /// Why the last request failed.
        failure: RequestError,
    },
    /// A server answered that is not Elasticsearch or OpenSearch.
    #[error("the server at {url} is not Elasticsearch: {answer}")]
    NotElasticsearch {
        /// The addresses of the cluster's nodes, without credentials.
        url: String,
        /// The beginning of its response.
        answer: String,
    },
    /// The server's version is too old to be supported.
    #[error("{server} at {url} is not supported")]
    Version {
        /// The addresses of the cluster's nodes, without credentials.
        url: String,
        /// The name and version that the server reports.
        server: String,
    },
    /// The server does not accept the credentials.
    #[error("{url} does not accept {credentials}: {reason}")]
    Unauthorized {
        /// The addresses of the cluster's nodes, without credentials.
        url: String,
        /// The kind of credentials that were sent, such as `the API key`.
        credentials: &'static str,
        /// What the server said.
        reason: String,
    },
    /// The server accepts the credentials, but they lack a permission.
    #[error("{url} does not allow us to {action}: {reason}")]
    Forbidden {
        /// The addresses of the cluster's nodes, without credentials.
        url: String,
        /// The action that was refused, as a verb phrase: "create the index tweets-2022".
        action: String,
        /// What the server said.
        reason: String,
    },
    /// An index may be read but not written.
    #[error("an index at {url} is read-only: {reason}")]
    ReadOnly {
        /// The addresses of the cluster's nodes, without credentials.
        url: String,
        /// What the server said, with the index.
        reason: String,
    },
    /// An existing index maps a field in another way than indexer does.
    #[error("the index `{index}` at {url} has another mapping: {difference}")]
    OtherMapping {
        /// The addresses of the cluster's nodes, without credentials.
        url: String,
        /// The name of the index.
        index: String,
        /// The first field that differs.
        difference: String,
    },
    /// There is a template of the same name that indexer did not make.
    #[error("the index template `{name}` at {url} was not made by indexer")]
    OtherTemplate {
        /// The addresses of the cluster's nodes, without credentials.
        url: String,
        /// The name under which it is there.
        name: &'static str,
    },
    /// The existing indices cover another period of time than the one asked for.
    #[error("the tweets at {url} are kept in one index per {kept}, not per {asked}")]
    OtherIndices {
        /// The addresses of the cluster's nodes, without credentials.
        url: String,
        /// The period that each existing index covers: `year`, `month` or `day`.
        kept: &'static str,
        /// What was asked for.
        asked: &'static str,
    },
    /// It has no tweets yet.
    #[error("there are no tweets at {url}")]
    Empty {
        /// The addresses of the cluster's nodes, without credentials.
        url: String,
    },
    /// The server refused a request, for a reason that is not covered by the other variants.
    #[error("cannot {action} at {url}: {failure}")]
    Refused {
        /// The addresses of the cluster's nodes, without credentials.
        url: String,
        /// The action that was refused, as a verb phrase: "create the index tweets-2022".
        action: String,
        /// The response that refused it.
        failure: RequestError,
    },
    /// The cluster took nothing for too long.
    #[error("{url} took nothing for {}: {failure}", patience(.after))]
    GaveUp {
        /// The addresses of the cluster's nodes, without credentials.
        url: String,
        /// For how long it was tried.
        after: Duration,
        /// Why the last attempt failed.
        failure: RequestError,
    },
    /// Something failed within indexer or on this machine, not in the cluster.
    #[error("cannot {action}")]
    Internal {
        /// What was being done.
        action: &'static str,
        /// What failed.
        source: Failure,
    },
    /// The run was stopped before the cluster answered.
    #[error("interrupted while {url} did not answer")]
    Interrupted {
        /// The addresses of the cluster's nodes, without credentials.
        url: String,
    },
}

impl ClusterError {
    pub(super) fn internal(action: &'static str, source: impl Into<Failure>) -> ClusterError {
        ClusterError::Internal { action, source: source.into() }
    }

    fn remedy(&self) -> &'static str {
        match self {
            ClusterError::Address { hint, .. } => hint,
            ClusterError::File { .. } => "check the name and the permissions of the file",
            ClusterError::Secret { .. } => {
                "set it to the `encoded` value that Elasticsearch showed, or to id:api_key, without quotes or line breaks"
            }
            ClusterError::Reference { .. } => {
                "check the ARN, and that the role may read the secret"
            }
            ClusterError::Password => {
                "set ELASTICSEARCH_PASSWORD, or ELASTICSEARCH_PASSWORD_FILE to a file that holds it"
            }
            ClusterError::Unreachable { failure, .. } => failure.hint(),
            ClusterError::NotElasticsearch { .. } => {
                "name the address of Elasticsearch 8 or 9 or OpenSearch 2 or 3, such as --store http://localhost:9200"
            }
            ClusterError::Version { .. } => {
                "use Elasticsearch 8 or 9, or OpenSearch 2 or 3; or a folder: --store FOLDER"
            }
            ClusterError::Unauthorized { credentials, .. } => match *credentials {
                super::identity::NO_CREDENTIALS => {
                    "set ELASTICSEARCH_API_KEY, or ELASTICSEARCH_USERNAME and ELASTICSEARCH_PASSWORD"
                }
                _ => "it may be mistyped, expired or revoked: make a new one and set it again",
            },
            ClusterError::Forbidden { .. } => {
                "give its role create_index, read, write and view_index_metadata on tweets*; or have someone with manage_index_templates run `indexer setup`"
            }
            ClusterError::ReadOnly { .. } => {
                "usually because a disk is full: free space or add nodes, set the index.blocks.* setting that the message names to null on tweets-*, and run the same command again"
            }
            ClusterError::OtherMapping { .. } => {
                "move that index out of the way: reindex it under a name that does not begin with tweets-, and delete it"
            }
            ClusterError::OtherTemplate { .. } => {
                "rename or delete that template, then run `indexer setup`"
            }
            ClusterError::OtherIndices { .. } => {
                "leave out --index-by to keep it that way, or delete all tweets first: --recreate"
            }
            ClusterError::Empty { .. } => {
                "add some: indexer backfill --store URL tweets.csv; if someone who may not manage indices did that, run `indexer setup` as someone who may"
            }
            ClusterError::Refused { .. } => "the server's log may say more",
            ClusterError::GaveUp { .. } => {
                "once it answers again, run the same command again: nothing will be stored twice; --retry-for makes it keep trying for longer"
            }
            ClusterError::Internal { .. } => "check the limits on memory, threads and open files",
            ClusterError::Interrupted { .. } => {
                "run the same command again: nothing will be stored twice"
            }
        }
    }
}

impl Hint for ClusterError {
    fn hint(&self) -> Option<Cow<'static, str>> {
        let nearer = match self {
            ClusterError::Reference { source, .. } => source.hint(),
            _ => None,
        };
        Some(nearer.map_or(self.remedy().into(), |hint| hint.to_owned().into()))
    }

    fn exit_code(&self) -> u8 {
        match self {
            ClusterError::Interrupted { .. } => INTERRUPTED,
            _ => COULD_NOT_RUN,
        }
    }
}

fn patience(duration: &Duration) -> String {
    match duration.as_secs() {
        1 => "1 second".to_owned(),
        seconds if seconds >= 120 => format!("{} minutes", seconds / 60),
        seconds => format!("{seconds} seconds"),
    }
}
