//! The program: reads the command line, does what it says, and tells the exit code.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;

use crate::config::{Command, Invocation};
use crate::failure::{COULD_NOT_RUN, Failure, Result};
use crate::{
    backfill, cli, collect, inspect, lambda, logging, sample, score, search, serve, setup,
};

/// Does what the command line says.
pub fn main() -> ExitCode {
    let Invocation { command, logging, unknown_variables } = cli::read();
    logging::start(logging);
    for name in unknown_variables {
        tracing::warn!(
            hint = "an option of one call has no variable: see indexer help COMMAND",
            "the variable {name} is set, but is not a setting of this command"
        );
    }
    // What panics has been logged.
    let done = catch_unwind(AssertUnwindSafe(|| run(command)));
    let code = match done {
        Ok(Ok(code)) => return code,
        Ok(Err(failure)) => {
            Failure::log(&failure);
            failure.exit_code()
        }
        Err(_) => COULD_NOT_RUN,
    };
    ExitCode::from(code)
}

fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Backfill(config) => backfill::backfill(config),
        Command::Collect(config) => collect::run(*config),
        Command::CollectAsFunction(config) => collect::run_as_function(*config),
        Command::Enrich(config) => backfill::enrich(config),
        Command::Inspect(config) => inspect::run(config),
        Command::Score(config) => score::run(&config),
        Command::Search(config) => search::run(&config),
        Command::Serve(config) => serve::run(&config),
        Command::Setup(config) => setup::run(&config),
        Command::Lambda(config) => lambda::run(*config),
        Command::Sample(config) => sample::run(&config),
    }
}
