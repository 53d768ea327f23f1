//! The options that say which Kibana, and what is done there.

use std::time::Duration;

use clap::Args;
use url::Url;

use super::store::parse_duration;

/// Where dashboards go.
#[derive(Debug, Args)]
pub struct ToKibana {
    /// Also import the dashboards into this Kibana, 8.12 or later, as whom the cluster knows us: http://localhost:5601
    #[arg(help_heading = "Kibana", long, value_name = "URL", value_parser = kibana_url, env = "KIBANA_URL", hide_env_values = true)]
    pub kibana: Option<Url>,
    /// The identifier of the space to import them into [default: the default space]
    #[arg(help_heading = "Kibana", long, value_name = "ID", value_parser = space_id, requires = "kibana", env = "KIBANA_SPACE")]
    pub space: Option<String>,
    /// Replace what is there already: changes that people made to our dashboards are lost
    #[arg(help_heading = "Kibana", long, requires = "kibana")]
    pub overwrite: bool,
    /// How long to wait for a Kibana that is not ready
    #[arg(help_heading = "Kibana", long, value_name = "TIME", default_value = "5m", value_parser = parse_duration, env = "KIBANA_WAIT")]
    pub kibana_wait: Duration,
    /// Where people reach it, if that is another address, for the links that are printed
    #[arg(help_heading = "Kibana", long, value_name = "URL", value_parser = kibana_url, requires = "kibana", env = "KIBANA_PUBLIC_URL", hide_env_values = true)]
    pub kibana_public_url: Option<Url>,
}

/// Reads Kibana's address.
fn kibana_url(text: &str) -> Result<Url, String> {
    if text.contains('@') {
        return Err("leave the password out: set ELASTICSEARCH_USERNAME and ELASTICSEARCH_PASSWORD, or ELASTICSEARCH_API_KEY".to_owned());
    }
    match Url::parse(text) {
        Ok(url)
            if matches!(url.scheme(), "http" | "https")
                && url.has_host()
                && url.query().is_none()
                && url.fragment().is_none() =>
        {
            Ok(url)
        }
        _ => Err("write it as http://localhost:5601".to_owned()),
    }
}

/// Reads the identifier of a space, as Kibana allows it.
fn space_id(text: &str) -> Result<String, String> {
    let is_allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_".contains(&b);
    match !text.is_empty() && text.bytes().all(is_allowed) {
        true => Ok(text.to_owned()),
        false => Err("it is a space's identifier, in lower case: as in Kibana's addresses, /s/ID/"
            .to_owned()),
    }
}
