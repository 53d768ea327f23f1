//! Where documents are stored and queried.
//!
//! The stores are variants of a closed `enum`, so that the compiler points out every `match` that a new store has to be
//! added to. All stores take the same documents and give the same answers; `tests/scenarios` checks that they do.

use std::borrow::Cow;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

use enrich::Document;
use ingest::Rejected;

use crate::failure::{COULD_NOT_RUN, Failure, Hint};
use crate::stop::Stop;

mod buckets;
mod elasticsearch;
mod embedded;
mod geo;
mod keyword;
mod query;
mod question;

pub use elasticsearch::{
    Cluster, ClusterError, ClusterExperience, Difference, Elasticsearch, ElasticsearchWriter, Gzip,
    Identity, Index, IndexBy, Installed, Load, RequestError, SetUp, TEMPLATE_NAME, parse_cloud_id,
    parse_proxy, place_of, set_up, template,
};
pub use embedded::{Embedded, EmbeddedWriter};
pub use keyword::Keyword;
pub use query::TextQuery;
use question::kept_zoom;
pub use question::{
    After, Answer, Ask, BoundingBox, Bounds, Cell, Filter, Hits, HourCount, Interval, LabelCounts,
    PlaceCount, Question, SentimentSummary, Sort, TermCount, TermSentiment, TimelineBucket, ZOOMS,
    tile,
};

/// What went wrong with a store, and what to do about it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A store was to be opened for queries, but there is none at this path.
    #[error("there is no store at {path}")]
    Missing {
        /// The path of the folder that `--store` names.
        path: PathBuf,
    },
    /// The path is a file, or a folder that holds something other than a store.
    #[error("{path} is not a store: it is a file, or a folder that holds something else")]
    NotAStore {
        /// The path of the folder that `--store` names.
        path: PathBuf,
    },
    /// The store was made by a version of indexer with a different schema.
    #[error("the store at {path} was made by another version of indexer")]
    OtherVersion {
        /// The path of the folder that `--store` names.
        path: PathBuf,
    },
    /// Another process writes to it.
    #[error("another indexer is writing to the store at {path}")]
    Locked {
        /// The path of the folder that `--store` names.
        path: PathBuf,
    },
    /// A cluster could not be used.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// Files could not be made, read or written.
    #[error("cannot {action} the store at {path}")]
    Io {
        /// What was being done, as a verb that goes before `the store`: `open`, `read`, `write to`.
        action: &'static str,
        /// The path of the folder that `--store` names.
        path: PathBuf,
        /// The error of the operating system or of the index.
        source: Failure,
    },
}

impl StoreError {
    /// Whether a writer that failed with this error returns the documents that it could not write as rejects, so that
    /// they are not lost if they cannot be read from their source again. The embedded store does not, because it does
    /// not know which documents it had written.
    pub fn rejects_the_rest(&self) -> bool {
        matches!(self, StoreError::Cluster(_))
    }
}

impl Hint for StoreError {
    fn hint(&self) -> Option<Cow<'static, str>> {
        let hint = match self {
            StoreError::Missing { .. } => {
                "make one: indexer backfill tweets.csv, or name an existing one: --store FOLDER"
            }
            StoreError::NotAStore { .. } => "name a new or empty folder: --store FOLDER",
            StoreError::OtherVersion { .. } => {
                "build it again: indexer backfill --recreate SOURCE..., or name another folder: --store FOLDER"
            }
            StoreError::Locked { .. } => {
                "wait until that has finished, or name another folder: --store FOLDER"
            }
            StoreError::Cluster(error) => return error.hint(),
            StoreError::Io { .. } => {
                "check the folder's permissions and the space left on its disk; what was committed before is kept"
            }
        };
        Some(hint.into())
    }

    fn exit_code(&self) -> u8 {
        match self {
            StoreError::Cluster(error) => error.exit_code(),
            _ => COULD_NOT_RUN,
        }
    }
}

/// A document on its way into a store, and where it was read.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The document as it was enriched, before it is merged.
    pub document: Document,
    /// The file or object that it was read from.
    pub source: Arc<str>,
    /// The line that its record starts on, from 1.
    pub line: u64,
}

/// The counts and rejects that writing some documents led to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Written {
    /// Ids that were not there before.
    pub created: u64,
    /// How many records had an id that was there already, from this run or an earlier one.
    pub updated: u64,
    /// Documents that had to be sent again.
    pub retried: u64,
    /// Documents that the store refused, each with its position: how many deliveries had been taken in before it.
    pub rejected: Vec<(u64, Rejected)>,
    /// How many records were merged into the documents in `rejected`.
    pub rejected_records: u64,
    /// Documents that were not written because the store itself failed, as rejects.
    pub left: Vec<Rejected>,
    /// How many records were merged into the documents in `left`.
    pub left_records: u64,
}

impl std::ops::AddAssign for Written {
    fn add_assign(&mut self, other: Written) {
        self.created += other.created;
        self.updated += other.updated;
        self.retried += other.retried;
        self.rejected.extend(other.rejected);
        self.rejected_records += other.rejected_records;
        self.left.extend(other.left);
        self.left_records += other.left_records;
    }
}

/// A store opened for queries.
pub enum Store {
    /// A folder on this machine.
    Embedded(Embedded),
    /// A cluster of Elasticsearch or OpenSearch.
    Elasticsearch(Elasticsearch),
}

/// A store opened for writing.
pub enum Writer {
    /// A folder on this machine.
    Embedded(Box<EmbeddedWriter>),
    /// A cluster of Elasticsearch or OpenSearch.
    Elasticsearch(Box<ElasticsearchWriter>),
}

/// The store that `--store` names, with all that is needed to open it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Address {
    /// The path of an embedded store.
    Folder(PathBuf),
    /// A cluster of Elasticsearch or OpenSearch.
    Cluster(Box<Cluster>),
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Address::Folder(path) => path.display().fmt(f),
            Address::Cluster(cluster) => cluster.fmt(f),
        }
    }
}

impl FromStr for Address {
    type Err = ClusterError;

    /// Reads a folder's path, or the addresses of the nodes of a cluster that asks for no credentials.
    fn from_str(store: &str) -> Result<Address, ClusterError> {
        Ok(match place_of(store)? {
            Ok(folder) => Address::Folder(folder),
            Err(nodes) => Address::Cluster(Box::new(Cluster::anonymous(nodes))),
        })
    }
}

impl Address {
    /// Where files that accompany the store are put: the folder that contains the store, or the current directory for a
    /// cluster.
    pub fn beside(&self) -> &Path {
        match self {
            Address::Folder(path) => match path.parent() {
                Some(parent) if parent != Path::new("") => parent,
                _ => Path::new("."),
            },
            Address::Cluster(_) => Path::new("."),
        }
    }
}

impl Store {
    /// Opens a store for queries, even while another process is writing to it.
    ///
    /// # Errors
    ///
    /// If there is none, or it cannot be read.
    pub fn open(address: &Address) -> Result<Store, StoreError> {
        match address {
            Address::Folder(path) => Embedded::open(path).map(Store::Embedded),
            Address::Cluster(cluster) => Ok(Store::Elasticsearch(Elasticsearch::open(cluster)?)),
        }
    }

    /// Answers several questions, in one round trip where possible. The answers are in the order of the questions.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    pub fn ask(&self, asks: &[Ask]) -> Result<Vec<Answer>, StoreError> {
        match self {
            Store::Embedded(store) => store.ask(asks),
            Store::Elasticsearch(store) => Ok(store.ask(asks)?),
        }
    }

    /// Answers one question about the documents that match a filter.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    pub fn ask_one(&self, filter: &Filter, question: Question) -> Result<Answer, StoreError> {
        let mut answers = self.ask(&[Ask { filter: filter.clone(), question }])?;
        Ok(answers.remove(0))
    }

    /// A number that changes whenever the store's answers may have changed; `None` for a cluster, where that is not
    /// known.
    pub fn version(&self) -> Option<u64> {
        match self {
            Store::Embedded(store) => Some(store.version()),
            Store::Elasticsearch(_) => None,
        }
    }

    /// How many documents match.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    pub fn count(&self, filter: &Filter) -> Result<u64, StoreError> {
        self.ask_one(filter, Question::Count).map(Answer::count)
    }

    /// The first `limit` documents that match, after `offset` others, and how many match in all.
    ///
    /// # Errors
    ///
    /// If the store cannot be read.
    pub fn search(
        &self,
        filter: &Filter,
        sort: Sort,
        offset: usize,
        limit: usize,
    ) -> Result<Hits, StoreError> {
        let question = Question::Search { sort, after: None, offset, limit };
        self.ask_one(filter, question).map(Answer::hits)
    }
}

impl Writer {
    /// Opens a store for writing, and creates it if it does not exist. With `recreate`, its contents are dropped before
    /// anything is written. `stop` ends the wait for a cluster that does not answer.
    ///
    /// # Errors
    ///
    /// If it cannot be made or opened, or another process is writing to it.
    pub fn open(address: &Address, recreate: bool, stop: &Stop) -> Result<Writer, StoreError> {
        match address {
            Address::Folder(path) => {
                Ok(Writer::Embedded(Box::new(EmbeddedWriter::open(path, recreate)?)))
            }
            Address::Cluster(cluster) => {
                let writer = ElasticsearchWriter::open(cluster, recreate, stop.clone())?;
                Ok(Writer::Elasticsearch(Box::new(writer)))
            }
        }
    }

    /// Takes in documents, and merges each with the stored one of the same id, if there is one. Documents are written
    /// in large steps, so what a call adds to `written` may concern documents of earlier calls.
    ///
    /// # Errors
    ///
    /// If the store cannot be written to; what it had stored before is kept. If
    /// [`rejects_the_rest`](StoreError::rejects_the_rest) holds for the error, the documents that were not stored are
    /// in `written` as rejects, and later calls add theirs there too.
    pub fn write(
        &mut self,
        deliveries: Vec<Delivery>,
        written: &mut Written,
    ) -> Result<(), StoreError> {
        match self {
            Writer::Embedded(writer) => writer.write(deliveries, written),
            Writer::Elasticsearch(writer) => Ok(writer.write(deliveries, written)?),
        }
    }

    /// Deletes the documents with these ids, as far as they are there. What was written before must have been flushed.
    ///
    /// # Errors
    ///
    /// If the store cannot be written to.
    pub fn delete(&mut self, ids: &[String]) -> Result<(), StoreError> {
        match self {
            Writer::Embedded(writer) => writer.delete(ids),
            Writer::Elasticsearch(writer) => Ok(writer.delete(ids)?),
        }
    }

    /// How many deliveries were taken in since it was opened.
    pub fn taken(&self) -> u64 {
        match self {
            Writer::Embedded(writer) => writer.taken(),
            Writer::Elasticsearch(writer) => writer.taken(),
        }
    }

    /// How many deliveries, counted without gaps from the first, are safe: each of them is stored or rejected.
    pub fn settled(&self) -> u64 {
        match self {
            Writer::Embedded(writer) => writer.settled(),
            Writer::Elasticsearch(writer) => writer.settled(),
        }
    }

    /// Writes what is still to be written.
    ///
    /// # Errors
    ///
    /// As for [`Writer::write`].
    pub fn flush(&mut self, written: &mut Written) -> Result<(), StoreError> {
        match self {
            Writer::Embedded(writer) => writer.flush(written),
            Writer::Elasticsearch(writer) => Ok(writer.flush(written)?),
        }
    }

    /// Writes what is still to be written and closes the store.
    ///
    /// # Errors
    ///
    /// As for [`Writer::write`].
    pub fn finish(self, written: &mut Written) -> Result<(), StoreError> {
        match self {
            Writer::Embedded(writer) => writer.finish(written),
            Writer::Elasticsearch(writer) => Ok(writer.finish(written)?),
        }
    }
}
