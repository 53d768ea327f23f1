//! The options of `indexer inspect`.

use clap::Args;

use super::reading::{ObjectArgs, RecordArgs};
use crate::config::InspectConfig;

#[derive(Debug, Args)]
pub(super) struct InspectArgs {
    /// Files, folders (with all that is in them), globs, s3://bucket/prefix, or - for standard input
    #[arg(required = true, value_name = "SOURCE")]
    sources: Vec<String>,
    /// One JSON object per source
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    records: RecordArgs,
    #[command(flatten)]
    objects: ObjectArgs,
}

impl InspectArgs {
    pub(super) fn config(self) -> InspectConfig {
        InspectConfig {
            sources: self.sources,
            objects: self.objects.filter(),
            options: self.records.options(),
            as_json: self.json,
        }
    }
}
