//! The token that is required to see the dashboard.

use std::fmt;

use crate::aws::secrets;
use crate::failure::{Context, Failure, Result};

/// A token, or the ARN of the secret that holds it. It is never printed.
#[derive(Clone)]
pub(crate) struct Token(String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

impl From<String> for Token {
    /// Accepts any text. It is checked only in [`Token::resolve`], whose error message does not repeat it.
    fn from(text: String) -> Token {
        Token(text)
    }
}

impl Token {
    /// The token itself. If this is the ARN of a secret, the secret is looked up.
    ///
    /// # Errors
    ///
    /// If the secret cannot be read, or holds no good token.
    pub(crate) fn resolve(&self) -> Result<String> {
        let Token(text) = self;
        let is_secret = secrets::is_reference(text);
        let token = match is_secret {
            true => secrets::read(text)
                .and_then(|secret| secret.one_of(&["token", "password"]))
                .with_context(|| {
                    format!("cannot use the secret `{text}` that INDEXER_TOKEN names")
                })?
                .trim()
                .to_owned(),
            false => text.clone(),
        };
        let is_good =
            (16..=512).contains(&token.len()) && token.bytes().all(|b| b.is_ascii_graphic());
        if is_good {
            return Ok(token);
        }
        let failure = Failure::new(match is_secret {
            true => format!("the secret `{text}` does not hold a valid token"),
            false => "INDEXER_TOKEN (--token) is not a valid token".to_owned(),
        });
        Err(failure.with_hint(
            "a token has at least 16 characters: letters, digits and signs, without blanks; make one: openssl rand -hex 16",
        ))
    }
}
