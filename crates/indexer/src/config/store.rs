//! Which store, and how it is reached.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::store::{
    Address, Cluster, ClusterError, Identity, Load, parse_cloud_id, parse_proxy, place_of,
};

/// Which store is used, and how it is reached. Its secrets are looked up again on every call of
/// [`StoreConfig::address`].
#[derive(Debug, Clone)]
pub(crate) struct StoreConfig {
    /// A folder, or the addresses of nodes.
    pub(crate) place: String,
    /// The cloud ID of a deployment in Elastic Cloud. If it is set, `place` is ignored.
    pub(crate) cloud_id: Option<String>,
    /// PEM certificates of authorities that are trusted besides the well-known ones.
    pub(crate) ca_file: Option<PathBuf>,
    /// Whether any certificate is accepted.
    pub(crate) insecure: bool,
    /// Whether requests are signed with the AWS credentials of the process.
    pub(crate) aws_sigv4: bool,
    /// The proxy for requests. If it is `None`, `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY` apply.
    pub(crate) proxy: Option<String>,
    /// How long one request may take.
    pub(crate) request_timeout: Duration,
    /// How documents are sent.
    pub(crate) load: Load,
    pub(crate) secrets: Secrets,
}

impl StoreConfig {
    /// The store's address, with all that is needed to use it.
    ///
    /// # Errors
    ///
    /// If it cannot be understood, or a secret cannot be read.
    pub(crate) fn address(&self) -> Result<Address, ClusterError> {
        let nodes = match &self.cloud_id {
            Some(cloud_id) => vec![parse_cloud_id(cloud_id)?],
            None => match place_of(&self.place)? {
                // `place_of` returns `Ok` for a folder, and `Err` for the addresses of nodes.
                Ok(folder) => return Ok(Address::Folder(folder)),
                Err(nodes) => nodes,
            },
        };
        if self.insecure {
            tracing::warn!("--insecure: the cluster's certificate is not verified");
        }
        let identity = match self.aws_sigv4 {
            true => Identity::Aws,
            false => Identity::from_settings(|name| self.secrets.get(name))?,
        };
        identity.warn_in_the_open(&nodes);
        Ok(Address::Cluster(Box::new(Cluster {
            nodes,
            identity,
            ca_file: self.ca_file.clone(),
            insecure: self.insecure,
            proxy: self.proxy.as_deref().map(parse_proxy).transpose()?,
            request_timeout: self.request_timeout,
            load: self.load.clone(),
        })))
    }
}

/// The variables that hold secrets, or say where they are.
#[derive(Clone, Default)]
pub(crate) struct Secrets(BTreeMap<&'static str, String>);

impl Secrets {
    /// The names of these variables.
    pub(crate) const NAMES: [&str; 6] = [
        "ELASTICSEARCH_API_KEY",
        "ELASTICSEARCH_API_KEY_FILE",
        "ELASTICSEARCH_USERNAME",
        "ELASTICSEARCH_USERNAME_FILE",
        "ELASTICSEARCH_PASSWORD",
        "ELASTICSEARCH_PASSWORD_FILE",
    ];

    /// Takes their values from `variable`.
    pub(crate) fn read(variable: impl Fn(&str) -> Option<String>) -> Secrets {
        let set = Secrets::NAMES.into_iter().filter_map(|name| Some((name, variable(name)?)));
        Secrets(set.filter(|(_, value)| !value.is_empty()).collect())
    }

    fn get(&self, name: &str) -> Option<String> {
        self.0.get(name).cloned()
    }
}

/// Shows the names of the variables that are set, but not their values.
impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
