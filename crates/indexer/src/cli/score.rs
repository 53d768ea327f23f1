//! The options of `indexer score`.

use clap::Args;

use crate::config::ScoreConfig;

#[derive(Debug, Args)]
pub(super) struct ScoreArgs {
    /// The file of texts, or - for standard input
    #[arg(default_value = "-", value_name = "FILE")]
    file: String,
    /// Plain VADER 3.3.2: score the text as it stands, and do not look for emoticons first
    #[arg(long)]
    raw: bool,
}

impl ScoreArgs {
    pub(super) fn config(self) -> ScoreConfig {
        ScoreConfig { file: self.file, raw: self.raw }
    }
}
