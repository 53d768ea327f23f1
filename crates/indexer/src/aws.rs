//! What is asked of AWS, or of what stands in for it.
//!
//! Where and who is said as AWS's own tools take it: `AWS_REGION`, `AWS_PROFILE`, `AWS_ACCESS_KEY_ID`,
//! `AWS_ENDPOINT_URL` and so on.

use std::sync::OnceLock;
use std::time::Duration;

use anyhow::Context;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};

use crate::runtime::runtime;

pub(crate) mod s3;

/// What the environment, the profile or the role of this process say, read once.
pub(crate) fn config() -> anyhow::Result<&'static SdkConfig> {
    static SHARED: OnceLock<SdkConfig> = OnceLock::new();
    if let Some(shared) = SHARED.get() {
        return Ok(shared);
    }
    // The same provider of cryptography as for Elasticsearch: the other one is built from C.
    let http = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(5))
        .read_timeout(Duration::from_secs(30))
        .build();
    let loading = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http)
        .retry_config(RetryConfig::standard().with_max_attempts(4))
        .timeout_config(timeouts)
        .load();
    let config = runtime().context("cannot start threads")?.block_on(loading);
    Ok(SHARED.get_or_init(|| config))
}
