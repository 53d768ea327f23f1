//! The token that X is asked with.

use std::fmt;
use std::fs;
use std::path::PathBuf;

use crate::aws::secrets;
use crate::failure::{Context, Failure, Result};

/// Where the token is, or the token itself. It is never printed.
#[derive(Clone, Default)]
pub(crate) struct BearerToken {
    /// The token, or the ARN of the secret that holds it.
    value: Option<String>,
    /// A file that holds either.
    file: Option<PathBuf>,
}

impl fmt::Debug for BearerToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BearerToken")
    }
}

impl BearerToken {
    /// Takes it from the variables `X_BEARER_TOKEN` and `X_BEARER_TOKEN_FILE`.
    pub(crate) fn read(variable: impl Fn(&str) -> Option<String>) -> BearerToken {
        let set = |name| variable(name).filter(|value: &String| !value.trim().is_empty());
        BearerToken {
            value: set("X_BEARER_TOKEN"),
            file: set("X_BEARER_TOKEN_FILE").map(PathBuf::from),
        }
    }

    /// The token itself.
    ///
    /// # Errors
    ///
    /// If there is none, or it cannot be read.
    pub(crate) fn resolve(&self) -> Result<String> {
        let text = match (&self.value, &self.file) {
            (Some(value), _) => value.clone(),
            (None, Some(path)) => fs::read_to_string(path)
                .with_context(|| format!("cannot read the bearer token in `{}`", path.display()))?,
            (None, None) => {
                let failure = Failure::new("there is no bearer token for X");
                return Err(failure.with_hint(
                    "set X_BEARER_TOKEN, or X_BEARER_TOKEN_FILE to the path of a file that holds it; get one at https://console.x.com",
                ));
            }
        };
        let text = text.trim();
        if !secrets::is_reference(text) {
            return Ok(text.to_owned());
        }
        let secret = secrets::read(text)
            .and_then(|secret| secret.one_of(&["bearer_token", "token"]))
            .with_context(|| format!("cannot use the secret `{text}` that X_BEARER_TOKEN names"))?;
        Ok(secret.trim().to_owned())
    }
}
