//! `indexer`: turns tweets into searchable, mapped, sentiment-scored documents.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    indexer::cli::main(indexer::cli::Cli::parse())
}
