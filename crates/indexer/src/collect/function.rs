//! The same as a Lambda function: each event, such as that of a schedule, is one run.

use std::process::ExitCode;
use std::time::Duration;

use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde_json::Value;

use super::{Collected, collect};
use crate::clock;
use crate::config::CollectConfig;
use crate::failure::{Context, Failure, Result};
use crate::stop::Stop;

/// How long before the function's timeout a run is stopped.
const MARGIN: Duration = Duration::from_secs(10);

/// Answers events until the runtime ends the process.
pub(crate) fn run(config: CollectConfig) -> Result<ExitCode> {
    let runtime = crate::runtime::runtime().context("cannot start threads")?;
    let handler = service_fn(move |event: LambdaEvent<Value>| {
        let config = config.clone();
        async move {
            let deadline = i64::try_from(event.context.deadline).unwrap_or(i64::MAX);
            let left = u64::try_from(deadline - clock::now()).unwrap_or(0);
            let left = Duration::from_millis(left);
            let stop = Stop::new(MARGIN / 2);
            let timer = tokio::spawn({
                let stop = stop.clone();
                async move {
                    tokio::time::sleep(left.saturating_sub(MARGIN)).await;
                    stop.set();
                }
            });
            let ran = tokio::task::spawn_blocking(move || collect(config, &stop)).await;
            timer.abort();
            answer(
                ran.map_err(|_| Failure::new("an internal error, which was logged before this"))
                    .flatten(),
            )
        }
    });
    let ended = runtime.block_on(lambda_runtime::run(handler));
    ended.map_err(|error| Failure::new(format!("the Lambda runtime has ended: {error}")))?;
    Ok(ExitCode::SUCCESS)
}

/// What the function returns: the numbers of the run, or why it failed, so that an alarm can tell.
fn answer(ran: Result<Collected>) -> Result<Value, Diagnostic> {
    let failure = match ran {
        // What waits here is lost with this environment, and paid for again.
        Ok(Collected { outcome: Some(outcome), failure: None, .. }) if outcome.waiting > 0 => {
            Failure::new(format!(
                "{} records were received and not delivered in time",
                outcome.waiting
            ))
        }
        Ok(Collected { outcome, failure: None, .. }) => {
            let outcome = serde_json::to_value(outcome).unwrap_or_default();
            tracing::info!(outcome = %outcome, "the run is over");
            return Ok(outcome);
        }
        Ok(Collected { failure: Some(failure), .. }) | Err(failure) => failure,
    };
    failure.log();
    Err(Diagnostic { error_type: "Collect".to_owned(), error_message: failure.story() })
}
