//! The command line under test.

fn main() -> std::process::ExitCode {
    indexer::run::main()
}
