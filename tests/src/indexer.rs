//! The command line under test.

fn main() -> std::process::ExitCode {
    indexer::cli::main(indexer::cli::Cli::read())
}
