//! The options of `indexer lambda`. Lambda starts the program without arguments, so each option has an environment
//! variable.

use std::time::Duration;

use clap::Args;

use super::reading::RecordArgs;
use super::store::{LoadArgs, StoreArgs};
use super::values::parse_duration;
use super::variable;
use crate::aws::s3::S3Uri;
use crate::config::LambdaConfig;
use crate::store::Load;

#[derive(Debug, Args)]
pub(super) struct LambdaArgs {
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    records: RecordArgs,
    /// Where to write records that could not be indexed, and checkpoints of objects that take more than one
    /// invocation. Without it, an object fails if any of its records cannot be indexed
    #[arg(long, value_name = "s3://BUCKET/PREFIX/", env = "REJECTS_URL")]
    rejects_url: Option<S3Uri>,
    /// The prefix of the objects that trigger the function; only used to make sure that its rejects would not trigger
    /// it too
    #[arg(long, value_name = "s3://BUCKET/PREFIX/", env = "INPUT_URL")]
    input_url: Option<S3Uri>,
    /// How long before the function's timeout to stop and note how far it has come: 5s [default: a tenth of the time
    /// that is left when the event arrives, between 1s and 10s]
    #[arg(long, value_name = "TIME", value_parser = parse_duration, env = "INDEXER_DEADLINE_MARGIN")]
    deadline_margin: Option<Duration>,
    /// The dimension of the metrics
    #[arg(long, hide = true, default_value = "indexer", env = "AWS_LAMBDA_FUNCTION_NAME")]
    function_name: String,
    #[command(flatten)]
    load: LoadArgs,
}

impl LambdaArgs {
    pub(super) fn config(self) -> LambdaConfig {
        LambdaConfig {
            store: self.store.config(self.load.load(Load::in_lambda())),
            options: self.records.options(),
            rejects: self.rejects_url,
            input: self.input_url,
            deadline_margin: self.deadline_margin,
            function_name: self.function_name,
            missing: missing_variable(),
        }
    }
}

/// The first of the variables set by Lambda's runtime that is missing. `None` if all of them are set.
fn missing_variable() -> Option<&'static str> {
    let needed = [
        "AWS_LAMBDA_RUNTIME_API",
        "AWS_LAMBDA_FUNCTION_NAME",
        "AWS_LAMBDA_FUNCTION_VERSION",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    ];
    needed.into_iter().find(|name| variable(name).is_none())
}
