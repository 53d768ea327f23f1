//! The options that say where the dashboard is served, and to whom.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use clap::Args;

use super::store::StoreArgs;
use crate::config::{ListenConfig, ServeConfig, Token};
use crate::store::Load;

#[derive(Debug, Args)]
pub(super) struct ServeArgs {
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    listen: ListenArgs,
}

impl ServeArgs {
    pub(super) fn config(self, is_function: bool) -> ServeConfig {
        let store = self.store.config(Load::default());
        ServeConfig { store, listen: self.listen.config(), is_function }
    }
}

#[derive(Debug, Args)]
pub(super) struct ListenArgs {
    /// Where to serve the dashboard: an address, a port, or both
    #[arg(help_heading = "Dashboard", long, value_name = "ADDRESS:PORT", value_parser = parse_listen, default_value = "127.0.0.1:8080", env = "INDEXER_LISTEN")]
    listen: SocketAddr,
    /// Require this token, sent as `Authorization: Bearer` or entered once in the browser. It may be the ARN of a
    /// secret. Prefer the environment variable: other users of this machine can see command-line options
    #[arg(
        help_heading = "Dashboard",
        long,
        value_name = "TOKEN",
        hide_env_values = true,
        env = "INDEXER_TOKEN"
    )]
    token: Option<Token>,
    /// Serve the dashboard, without a token, to everyone who can reach the address
    #[arg(help_heading = "Dashboard", long, conflicts_with = "token", env = "INDEXER_PUBLIC")]
    public: bool,
}

impl ListenArgs {
    pub(super) fn config(self) -> ListenConfig {
        ListenConfig { address: self.listen, token: self.token, is_public: self.public }
    }
}

fn parse_listen(text: &str) -> Result<SocketAddr, String> {
    parse_listen_at(text, 8080)
}

/// An address, a port, or both. Without a port, `default_port` is meant.
pub(super) fn parse_listen_at(text: &str, default_port: u16) -> Result<SocketAddr, String> {
    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let text = text.replacen("localhost", "127.0.0.1", 1);
    let both = text.parse().ok();
    let address =
        || text.trim_matches(['[', ']']).parse().ok().map(|ip| SocketAddr::new(ip, default_port));
    let port = || text.trim_start_matches(':').parse().ok().map(|port| SocketAddr::new(HERE, port));
    both.or_else(address)
        .or_else(port)
        .ok_or_else(|| format!("write it as 127.0.0.1:{default_port}, {default_port} or 0.0.0.0"))
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
