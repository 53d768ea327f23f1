//! The credentials that are sent to a cluster, and where their secrets are read from.

use std::fmt;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use elasticsearch::auth::Credentials;
use elasticsearch::http::headers::HeaderValue;

use url::{Host, Url};

use super::ClusterError;
use crate::aws::secrets::{self, Secret};

/// How requests authenticate to the cluster.
#[derive(Clone, Default, PartialEq, Eq)]
pub enum Identity {
    /// Without any credentials.
    #[default]
    Anonymous,
    /// An API key: `id:api_key`, or the same in base64 (which Elasticsearch calls `encoded`).
    ApiKey(String),
    /// A username and a password, for HTTP basic authentication.
    Basic {
        /// The name of the user.
        username: String,
        /// The password of the user.
        password: String,
    },
    /// The AWS credentials of this process, with which each request is signed (Signature Version 4), as Amazon
    /// OpenSearch Service requires.
    Aws,
}

// By hand, so that no secret is ever printed.
impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.in_words())
    }
}

pub(super) const NO_CREDENTIALS: &str = "requests without credentials";

impl Identity {
    /// The kind of credentials that are sent, for messages. Never contains the secret itself.
    pub(crate) fn in_words(&self) -> &'static str {
        match self {
            Identity::Anonymous => NO_CREDENTIALS,
            Identity::ApiKey(_) => "the API key",
            Identity::Basic { .. } => "the username and password",
            Identity::Aws => "the AWS credentials",
        }
    }

    /// The value of the `Authorization` header; `None` without credentials, and for AWS, where each request is signed.
    pub(crate) fn authorization(&self) -> Option<String> {
        match self {
            Identity::ApiKey(key) if key.contains(':') => {
                Some(format!("ApiKey {}", BASE64.encode(key)))
            }
            Identity::ApiKey(encoded) => Some(format!("ApiKey {encoded}")),
            Identity::Basic { username, password } => {
                Some(format!("Basic {}", BASE64.encode(format!("{username}:{password}"))))
            }
            Identity::Anonymous | Identity::Aws => None,
        }
    }

    /// Warns if secrets are sent to one of the addresses over a network without encryption.
    pub(crate) fn warn_in_the_open(&self, urls: &[Url]) {
        let in_the_open = urls.iter().find(|url| url.scheme() == "http" && !is_local(url));
        if let (Some(url), true) = (in_the_open, *self != Identity::Anonymous) {
            tracing::warn!("secrets are sent to {url} without encryption: use https");
        }
    }

    /// Removes the secrets from a text that a server or a proxy sent, in case it repeats them.
    pub(crate) fn redact(&self, words: &str) -> String {
        let secrets = match self {
            Identity::ApiKey(key) => {
                let decoded = BASE64.decode(key).ok().and_then(|key| String::from_utf8(key).ok());
                let plain = decoded.as_deref().unwrap_or(key);
                let secret = plain.split_once(':').map_or("", |(_, secret)| secret);
                vec![BASE64.encode(key), key.clone(), plain.to_owned(), secret.to_owned()]
            }
            Identity::Basic { username, password } => {
                vec![BASE64.encode(format!("{username}:{password}")), password.clone()]
            }
            Identity::Anonymous | Identity::Aws => Vec::new(),
        };
        let secrets = secrets.iter().filter(|secret| !secret.is_empty());
        secrets.fold(words.to_owned(), |words, secret| words.replace(secret, "…"))
    }

    /// The credentials as the client library takes them; `None` for AWS, where each request is signed.
    pub(super) fn credentials(&self) -> Result<Option<Credentials>, ClusterError> {
        match self {
            Identity::Anonymous | Identity::Aws => Ok(None),
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

    /// Reads the credentials from the settings. An API key takes precedence over a user, and a value over a file.
    /// Instead of a secret, a value may be the ARN of one.
    ///
    /// # Errors
    ///
    /// If a file or a secret cannot be read, or a user has no password.
    pub fn from_settings(
        setting: impl Fn(&str) -> Option<String>,
    ) -> Result<Identity, ClusterError> {
        let secret = |name: &'static str, what: &'static str| match setting(name) {
            Some(value) if secrets::is_reference(&value) => {
                let secret = secrets::read(&value).map(Some);
                secret.map_err(|source| ClusterError::Reference { variable: name, source })
            }
            Some(value) => Ok(Some(Secret::Text(value))),
            None => match setting(&format!("{name}_FILE")) {
                Some(path) => {
                    read_file(Path::new(&path), what).map(|text| Some(Secret::Text(text)))
                }
                None => Ok(None),
            },
        };
        let (key, password, user) =
            ("ELASTICSEARCH_API_KEY", "ELASTICSEARCH_PASSWORD", "ELASTICSEARCH_USERNAME");
        let missing = |variable| move |source| ClusterError::Reference { variable, source };
        if let Some(secret) = secret(key, "the API key")? {
            let api_key = match (secret.key("id"), secret.key("api_key"), secret.key("encoded")) {
                // The names that Elasticsearch uses in its answer when a key is created.
                (Some(id), Some(api_key), None) => format!("{id}:{api_key}"),
                _ => secret.one_of(&["encoded", "api_key", "apiKey"]).map_err(missing(key))?,
            };
            return Ok(Identity::ApiKey(api_key));
        }
        let Some(secret_of_password) = secret(password, "the password")? else {
            return match setting(user) {
                Some(_) => Err(ClusterError::Password),
                None => Ok(Identity::Anonymous),
            };
        };
        let username = match secret(user, "the user")? {
            Some(secret) => secret.one_of(&["username"]).map_err(missing(user))?,
            None => secret_of_password.key("username").unwrap_or("elastic").to_owned(),
        };
        let password = secret_of_password.one_of(&["password"]).map_err(missing(password))?;
        Ok(Identity::Basic { username, password })
    }
}

fn read_file(path: &Path, what: &'static str) -> Result<String, ClusterError> {
    match std::fs::read_to_string(path) {
        // Editors end files with a line break, and no secret does.
        Ok(secret) => Ok(secret.trim_end_matches(['\r', '\n']).to_owned()),
        Err(error) => Err(ClusterError::File { what, path: path.to_owned(), source: error.into() }),
    }
}

/// Whether an address is of this machine.
pub(super) fn is_local(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_printed() {
        let key = Identity::ApiKey("hunter2".into());
        let user = Identity::Basic { username: "elastic".into(), password: "hunter2".into() };
        assert!(!format!("{key:?} {user:?}").contains("hunter2"));
    }

    #[test]
    fn what_a_server_repeats_is_not_passed_on() {
        let user = Identity::Basic { username: "elastic".into(), password: "hunter2".into() };
        for (said, passed_on) in [
            ("unable to authenticate user [hunter2]", "unable to authenticate user […]"),
            ("no: Basic ZWxhc3RpYzpodW50ZXIy", "no: Basic …"),
        ] {
            assert_eq!(user.redact(said), passed_on);
        }
    }
}
