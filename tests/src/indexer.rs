//! The command line under test.

use clap::Parser;

fn main() -> std::process::ExitCode {
    indexer::cli::main(indexer::cli::Cli::parse())
}
