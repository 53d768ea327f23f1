//! The options of `indexer setup`.

use std::time::Duration;

use clap::Args;

use super::store::{IndexByArgs, StoreArgs};
use super::values::parse_duration;
use crate::config::{KibanaConfig, Print, SetupConfig};
use crate::store::Load;

#[derive(Debug, Args)]
pub(super) struct SetupArgs {
    /// Write the index template (or, with `dashboards`, the file that Kibana imports) to standard output and do
    /// nothing else
    #[arg(
        long,
        value_enum,
        value_name = "WHAT",
        num_args = 0..=1,
        default_missing_value = "template"
    )]
    print: Option<Print>,
    /// Only show what would be done
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    kibana: KibanaArgs,
    #[command(flatten)]
    index_by: IndexByArgs,
    #[command(flatten)]
    store: StoreArgs,
}

#[derive(Debug, Args)]
struct KibanaArgs {
    /// Also import the dashboards into this Kibana, 8.12 or later, with the credentials for the cluster:
    /// http://localhost:5601
    #[arg(
        help_heading = "Kibana",
        long,
        value_name = "URL",
        env = "KIBANA_URL",
        hide_env_values = true
    )]
    kibana: Option<String>,
    /// The identifier of the space to import them into [default: the default space]
    #[arg(help_heading = "Kibana", long, value_name = "ID", env = "KIBANA_SPACE")]
    space: Option<String>,
    /// Replace existing dashboards; changes that people have made to them are lost
    #[arg(help_heading = "Kibana", long)]
    overwrite: bool,
    /// How long to wait for a Kibana that is not ready
    #[arg(help_heading = "Kibana", long, value_name = "TIME", default_value = "5m", value_parser = parse_duration, env = "KIBANA_WAIT")]
    kibana_wait: Duration,
    /// The address at which people reach Kibana, if it differs from --kibana; used in the links that are printed
    #[arg(
        help_heading = "Kibana",
        long,
        value_name = "URL",
        env = "KIBANA_PUBLIC_URL",
        hide_env_values = true
    )]
    kibana_public_url: Option<String>,
}

impl SetupArgs {
    pub(super) fn config(self) -> SetupConfig {
        let index_by = self.index_by.index_by;
        SetupConfig {
            print: self.print,
            dry_run: self.dry_run,
            kibana: self.kibana.config(),
            index_by,
            store: self.store.config(Load { index_by, ..Load::default() }),
        }
    }
}

impl KibanaArgs {
    /// `None` if no Kibana address was given.
    fn config(self) -> Option<KibanaConfig> {
        // docker-compose passes an option that is not set as an empty variable.
        let given = |value: Option<String>| value.filter(|value| !value.is_empty());
        Some(KibanaConfig {
            url: given(self.kibana)?,
            space: given(self.space),
            overwrite: self.overwrite,
            wait: self.kibana_wait,
            public_url: given(self.kibana_public_url),
        })
    }
}
