//! `indexer`: turns tweets into searchable, mapped, sentiment-scored documents.

use std::process::ExitCode;

fn main() -> ExitCode {
    indexer::run::main()
}
