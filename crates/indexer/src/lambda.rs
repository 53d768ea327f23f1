//! `indexer lambda`: handles AWS Lambda's events until the runtime stops the process.
//!
//! `event` finds out what an event holds, `worker` processes its parts, `object` sends an object through the same
//! pipeline as the command line, `checkpoint` saves where a deadline stopped reading, `answer` builds the answer, and
//! `metrics` reports what was done.

use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use lambda_runtime::{Diagnostic, LambdaEvent, service_fn};
use serde_json::Value;

use crate::aws::s3::{S3, S3Uri};
use crate::clock;
use crate::config::LambdaConfig;
use crate::failure::{Context, Failure, Result};
use crate::pipeline::StoreOutput;
use crate::runtime::runtime;
use crate::stop::Stop;
use crate::store::Address;

mod answer;
mod checkpoint;
mod event;
mod fault;
mod metrics;
mod object;
mod worker;

use fault::{Fault, INTERNAL, Refusal};
use metrics::Metrics;
use worker::Worker;

/// Answers events.
///
/// # Errors
///
/// If the settings make no sense, or the runtime's API cannot be reached.
pub(crate) fn run(config: LambdaConfig) -> Result<ExitCode> {
    check(&config)?;
    if let Some(name) = config.missing {
        return Err(Failure::new(format!("{name} is not set: this is not a Lambda function")).with_hint(
            "to index existing objects, use `indexer backfill s3://bucket/prefix`; to try the function locally, start it with aws-lambda-rie",
        ));
    }
    let service = Arc::new(Service { config, worker: Mutex::new(None) });
    let serve = lambda_runtime::run(service_fn(move |event: LambdaEvent<Value>| {
        Arc::clone(&service).answer(event)
    }));
    runtime()
        .context("cannot start threads")?
        .block_on(serve)
        .map_err(|error| Failure::new(format!("the Lambda runtime has ended: {error}")))?;
    Ok(ExitCode::SUCCESS)
}

/// Makes sure that the rejects and checkpoints that the function writes do not trigger it again.
fn check(config: &LambdaConfig) -> Result<()> {
    let (Some(rejects), Some(input)) = (&config.rejects, &config.input) else { return Ok(()) };
    let (rejects, input) = (folder(rejects.clone()), folder(input.clone()));
    let message = if input.covers(&rejects) {
        format!(
            "REJECTS_URL {rejects} lies under INPUT_URL {input}: each rejects object would trigger the function again"
        )
    } else if rejects.covers(&input) {
        format!(
            "INPUT_URL {input} lies under REJECTS_URL {rejects}: input could not be distinguished from rejects"
        )
    } else {
        return Ok(());
    };
    Err(Failure::new(message).with_hint(
        "set REJECTS_URL to another bucket, or to a prefix that the trigger does not cover",
    ))
}

struct Service {
    config: LambdaConfig,
    /// Created when the first event arrives, so that an error in the settings is returned as the answer to that
    /// event.
    worker: Mutex<Option<Worker>>,
}

impl Service {
    async fn answer(self: Arc<Self>, event: LambdaEvent<Value>) -> Result<Value, Diagnostic> {
        let LambdaEvent { payload, context } = event;
        let deadline = i64::try_from(context.deadline).unwrap_or(i64::MAX);
        let left = Duration::from_millis(u64::try_from(deadline - clock::now()).unwrap_or(0));
        let margin = self.config.margin(left);
        // Requests that have been sent may use the margin to finish, except for this reserve, which is needed to save
        // rejects and a checkpoint.
        let reserve = (margin / 4).min(Duration::from_secs(2));
        let stop = Stop::before(Instant::now() + left.saturating_sub(reserve));
        let timer = tokio::spawn({
            let stop = stop.clone();
            async move {
                tokio::time::sleep(left.saturating_sub(margin)).await;
                stop.set();
            }
        });
        let work = tokio::task::spawn_blocking(move || {
            let mut worker = self.worker.lock().unwrap_or_else(PoisonError::into_inner);
            self.work(&mut worker, &payload, &context.request_id, &stop)
        });
        let answer = work.await;
        timer.abort();
        let refusal = match answer {
            Ok(Ok(answer)) => return Ok(answer),
            Ok(Err(refusal)) => refusal,
            Err(_) => Refusal {
                kind: INTERNAL,
                message: "an internal error, which was logged before this".to_owned(),
            },
        };
        tracing::error!(error_type = refusal.kind, "{}", refusal.message);
        Err(Diagnostic { error_type: refusal.kind.to_owned(), error_message: refusal.message })
    }

    fn work(
        &self,
        worker: &mut Option<Worker>,
        payload: &Value,
        request_id: &str,
        stop: &Stop,
    ) -> Result<Value, Refusal> {
        let ready = match worker {
            Some(worker) if !worker.is_stale => worker,
            _ => {
                let made = self.worker(stop);
                worker.insert(made.map_err(|error| Fault::new("Configuration", &error))?)
            }
        };
        request_id.clone_into(&mut ready.metrics.request_id);
        ready.handle(payload, stop)
    }

    fn worker(&self, stop: &Stop) -> Result<Worker> {
        let address = self.config.store.address()?;
        if let Address::Folder(path) = &address {
            let failure = Failure::new(format!(
                "a function cannot keep a store in a folder (`{}`)",
                path.display()
            ));
            return Err(failure.with_hint(
                "set INDEXER_STORE to the cluster's address, or ELASTICSEARCH_CLOUD_ID",
            ));
        }
        // Not an error, so that a function can be tried out with its cluster alone.
        if self.config.rejects.is_none() {
            tracing::warn!(
                "REJECTS_URL is not set: an object fails if any of its records cannot be indexed, and one that takes longer than the timeout is never finished"
            );
        }
        let store = StoreOutput {
            address,
            recreate: false,
            writer: None,
            stop: stop.clone(),
            // A warm function keeps its connections for the next event.
            stays_open: true,
            experience: None,
        };
        let function = self.config.function_name.clone();
        Ok(Worker {
            s3: S3::new()?,
            store,
            options: Arc::clone(&self.config.options),
            rejects: self.config.rejects.clone().map(folder),
            metrics: Metrics { function, request_id: String::new() },
            is_stale: false,
        })
    }
}

/// The prefix with a slash at its end, so that `rejects` does not cover `rejects-of-others`.
fn folder(uri: S3Uri) -> S3Uri {
    match uri.key.is_empty() || uri.key.ends_with('/') {
        true => uri,
        false => S3Uri { key: uri.key + "/", ..uri },
    }
}
