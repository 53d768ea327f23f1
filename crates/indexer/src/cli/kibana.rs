//! The options that say which Kibana, and what is done there.

use std::time::Duration;

use clap::Args;

use super::store::parse_duration;

/// Where dashboards go. Checked when they are used, so that no message repeats a secret.
#[derive(Debug, Args)]
pub struct ToKibana {
    /// Also import the dashboards into this Kibana, 8.12 or later, as whom the cluster knows us:
    /// http://localhost:5601
    #[arg(
        help_heading = "Kibana",
        long,
        value_name = "URL",
        env = "KIBANA_URL",
        hide_env_values = true
    )]
    pub kibana: Option<String>,
    /// The identifier of the space to import them into [default: the default space]
    #[arg(help_heading = "Kibana", long, value_name = "ID", env = "KIBANA_SPACE")]
    pub space: Option<String>,
    /// Replace what is there already: changes that people made to our dashboards are lost
    #[arg(help_heading = "Kibana", long)]
    pub overwrite: bool,
    /// How long to wait for a Kibana that is not ready
    #[arg(help_heading = "Kibana", long, value_name = "TIME", default_value = "5m", value_parser = parse_duration, env = "KIBANA_WAIT")]
    pub kibana_wait: Duration,
    /// Where people reach it, if that is another address, for the links that are printed
    #[arg(
        help_heading = "Kibana",
        long,
        value_name = "URL",
        env = "KIBANA_PUBLIC_URL",
        hide_env_values = true
    )]
    pub kibana_public_url: Option<String>,
}
