//! The store in a cluster: Elasticsearch 8 and 9, OpenSearch 2 and 3.
//!
//! There is one index per year (or month, or day). All of them are created from one template and read through one
//! alias. Documents are written through `_bulk` alone: [`bulk`] builds the requests and interprets the answers,
//! [`settle`] sends a bulk until each document is indexed or refused, and [`writer`] keeps several bulks in flight.

use tokio::runtime::Runtime;

mod aggregations;
mod backoff;
mod bulk;
mod connection;
mod delete;
mod error;
mod greeting;
mod identity;
mod mapping;
mod query;
mod questions;
mod response;
mod settings;
mod settle;
mod template;
mod writer;

pub use error::ClusterError;
pub use identity::Identity;
pub use mapping::{Difference, template};
pub use response::RequestError;
pub use settings::{Cluster, Gzip, IndexBy, Load, parse_cloud_id, parse_proxy, place_of};
use template::Comparison;
pub use template::{Index, Installed, TEMPLATE_NAME};
pub use writer::{ClusterExperience, ElasticsearchWriter};

use backoff::Patience;
use connection::Connection;

use crate::stop::Stop;

/// A cluster opened for queries.
pub struct Elasticsearch {
    runtime: &'static Runtime,
    connection: Connection,
}

impl Elasticsearch {
    /// Connects to a cluster.
    ///
    /// # Errors
    ///
    /// If the cluster cannot be reached, is not a supported Elasticsearch or OpenSearch, or refuses access.
    pub fn open(cluster: &Cluster) -> Result<Elasticsearch, ClusterError> {
        let connection = Connection::new(cluster)?;
        let elasticsearch = Elasticsearch { runtime: runtime()?, connection };
        let patience = Patience::none();
        elasticsearch.runtime.block_on(elasticsearch.connection.greet(&patience))?;
        Ok(elasticsearch)
    }
}

/// What [`set_up`] found and did, or would do in a dry run.
#[derive(Debug)]
pub struct SetUp {
    /// The name and version of the server, such as `Elasticsearch 9.5.3`.
    pub server: String,
    /// What was done about the index template.
    pub template: Installed,
    /// The period of time that each index covers.
    pub index_by: IndexBy,
    /// The existing indices, as they were found. Unless this was a dry run, the missing fields and the alias have since
    /// been added wherever that is possible.
    pub indices: Vec<Index>,
}

/// Installs the index template, or brings an older one and the indices created from it up to date. Nothing is deleted;
/// with `dry_run`, nothing is changed.
///
/// # Errors
///
/// If the cluster cannot be reached or refuses access, if it has a template of the same name that indexer did not make,
/// or if its indices cover another period than the one asked for.
pub fn set_up(cluster: &Cluster, dry_run: bool) -> Result<SetUp, ClusterError> {
    let connection = Connection::new(cluster)?;
    let patience = Patience::new(cluster.load.retry_for, Stop::default());
    runtime()?.block_on(async {
        let server = connection.greet(&patience).await?;
        let asked = cluster.load.index_by;
        if dry_run {
            let Comparison { installed, index_by, .. } =
                connection.compare_template(asked, &patience).await?;
            let indices = connection.our_indices(&patience).await?;
            return Ok(SetUp { server, template: installed, index_by, indices });
        }
        let (template, index_by) = connection.install_template(asked, true, &patience).await?;
        let indices = connection.our_indices(&patience).await?;
        for index in &indices {
            if let Some(fields) = index.lacks() {
                connection.extend_mapping(&index.name, fields, &patience).await?;
            }
            if (index.difference.is_none() || index.lacks().is_some()) && !index.has_alias {
                connection.add_alias(&index.name, &patience).await?;
            }
        }
        Ok(SetUp { server, template, index_by, indices })
    })
}

fn runtime() -> Result<&'static Runtime, ClusterError> {
    crate::runtime::runtime().map_err(|error| ClusterError::internal("start threads", error))
}
