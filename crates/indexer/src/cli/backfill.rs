//! The options of `indexer backfill` and `indexer enrich`.

use clap::Args;

use super::listen::ListenArgs;
use super::reading::ReadingArgs;
use super::store::{LoadArgs, StoreArgs};
use crate::config::{BackfillConfig, ReadingConfig};
use crate::store::Load;

#[derive(Debug, Args)]
pub(super) struct BackfillArgs {
    #[command(flatten)]
    reading: ReadingArgs,
    #[command(flatten)]
    store: StoreArgs,
    /// Empty the store before the first tweet is written; asks for confirmation on a terminal, and requires --yes
    /// elsewhere
    #[arg(long)]
    recreate: bool,
    /// Do not ask before emptying the store
    #[arg(long, requires = "recreate")]
    yes: bool,
    /// Skip the files and objects that an earlier run with --resume has read to their end
    ///
    /// They are noted in indexer-resume.ndjson beside the store, with their sizes and times.
    #[arg(long, conflicts_with = "dry_run")]
    resume: bool,
    /// Read and enrich everything, but write nothing except rejects
    #[arg(long)]
    dry_run: bool,
    /// Show the dashboard while the store fills, and after that until Ctrl-C
    #[arg(help_heading = "Dashboard", long, conflicts_with = "dry_run")]
    serve: bool,
    #[command(flatten)]
    listen: ListenArgs,
    #[command(flatten)]
    load: LoadArgs,
}

impl BackfillArgs {
    pub(super) fn config(self) -> BackfillConfig {
        BackfillConfig {
            reading: self.reading.config(),
            store: self.store.config(self.load.load(Load::default())),
            recreate: self.recreate,
            is_confirmed: self.yes,
            resume: self.resume,
            dry_run: self.dry_run,
            serve: self.serve.then(|| self.listen.config()),
        }
    }
}

#[derive(Debug, Args)]
pub(super) struct EnrichArgs {
    #[command(flatten)]
    reading: ReadingArgs,
}

impl EnrichArgs {
    pub(super) fn config(self) -> ReadingConfig {
        self.reading.config()
    }
}
