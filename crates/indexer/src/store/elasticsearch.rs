//! The store in a cluster: Elasticsearch 8 and 9, OpenSearch 2 and 3.
//!
//! One index a year (or month, or day), all made by one template and read under one alias. Writing goes
//! through `_bulk` alone: [`bulk`] says what is sent for a document and what an answer means, [`settle`]
//! sends until each document is indexed or refused, [`writer`] keeps several bulks under way.

use tokio::runtime::Runtime;

mod aggregations;
mod backoff;
mod bulk;
mod connection;
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

/// A cluster, open to be asked.
pub struct Elasticsearch {
    runtime: &'static Runtime,
    connection: Connection,
}

impl Elasticsearch {
    /// Connects to a cluster.
    ///
    /// # Errors
    ///
    /// If it cannot be reached, is none, or does not let us.
    pub fn open(cluster: &Cluster) -> Result<Elasticsearch, ClusterError> {
        let connection = Connection::new(cluster)?;
        let elasticsearch = Elasticsearch { runtime: runtime()?, connection };
        let patience = Patience::none();
        elasticsearch.runtime.block_on(elasticsearch.connection.greet(&patience))?;
        Ok(elasticsearch)
    }
}

/// What a cluster is set up to.
#[derive(Debug)]
pub struct SetUp {
    /// Its name and version.
    pub server: String,
    /// What became of the index template.
    pub template: Installed,
    /// How long its indices are.
    pub index_by: IndexBy,
    /// The indices that are there, as they were found: those that fit, or lack
    /// fields, have the alias and the fields now.
    pub indices: Vec<Index>,
}

/// Puts the index template, or brings it and the indices made by an earlier one up to date. Nothing is
/// deleted; if `dry_run`, nothing is changed.
///
/// # Errors
///
/// If the cluster cannot be reached or does not let us, or has such a template that is not ours.
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
