//! The options that say where the dashboard is, and who may see it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use anyhow::Context;
use clap::Args;

use crate::aws::secrets;
use crate::failure::with_hint;

/// Where the dashboard is served, and to whom.
#[derive(Debug, Clone, Args)]
pub struct ListenArgs {
    /// Where the dashboard is: an address, a port, or both
    #[arg(help_heading = "Dashboard", long, value_name = "ADDRESS:PORT", value_parser = parse_listen, default_value = "127.0.0.1:8080", env = "INDEXER_LISTEN")]
    pub listen: SocketAddr,
    /// Show it only to those who have this token, as `Authorization: Bearer` or typed in once: it, or the ARN of a
    /// secret that holds it; better set by its variable than here, where others on this machine can read it
    #[arg(
        help_heading = "Dashboard",
        long,
        value_name = "TOKEN",
        hide_env_values = true,
        env = "INDEXER_TOKEN"
    )]
    pub token: Option<Token>,
    /// Show it to everybody who can reach the address
    #[arg(help_heading = "Dashboard", long, conflicts_with = "token", env = "INDEXER_PUBLIC")]
    pub public: bool,
}

fn parse_listen(text: &str) -> Result<SocketAddr, String> {
    const PORT: u16 = 8080;
    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let text = text.replacen("localhost", "127.0.0.1", 1);
    let both = text.parse().ok();
    let address = || text.trim_matches(['[', ']']).parse().ok().map(|ip| SocketAddr::new(ip, PORT));
    let port = || text.trim_start_matches(':').parse().ok().map(|port| SocketAddr::new(HERE, port));
    both.or_else(address)
        .or_else(port)
        .ok_or_else(|| "write it as 127.0.0.1:8080, 8080 or 0.0.0.0".to_owned())
}

/// A token, or the name of the secret that holds it.
#[derive(Clone)]
pub struct Token(String);

/// It is never shown.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token")
    }
}

impl From<String> for Token {
    /// Takes anything: what is wrong with it is told without it, as nothing that clap refuses is.
    fn from(text: String) -> Token {
        Token(text)
    }
}

impl Token {
    /// The token itself, looked up where it is a secret's.
    pub(crate) fn resolve(&self) -> anyhow::Result<String> {
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
        let error = match is_secret {
            true => anyhow::anyhow!("what the secret `{text}` holds is no token"),
            false => anyhow::anyhow!("INDEXER_TOKEN (--token) is no token"),
        };
        let hint = "a token has 16 characters or more, letters, digits and signs, no blanks; make one: openssl rand -hex 16";
        Err(with_hint(error, hint))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_a_port_or_both() {
        for (text, address) in [
            ("127.0.0.1:80", "127.0.0.1:80"),
            ("0.0.0.0", "0.0.0.0:8080"),
            ("::", "[::]:8080"),
            ("[::1]", "[::1]:8080"),
            ("[::1]:1", "[::1]:1"),
            ("9000", "127.0.0.1:9000"),
            (":9000", "127.0.0.1:9000"),
            ("localhost", "127.0.0.1:8080"),
            ("localhost:9000", "127.0.0.1:9000"),
        ] {
            assert_eq!(parse_listen(text).map(|a| a.to_string()), Ok(address.to_owned()), "{text}");
        }
        for wrong in ["", "example.com", "127.0.0.1:x", "70000"] {
            assert!(parse_listen(wrong).is_err(), "{wrong}");
        }
    }
}
