//! AWS, or whatever stands in for it: objects, secrets, signatures.
//!
//! Region, credentials and endpoint are set as for AWS's own tools: `AWS_REGION`, `AWS_PROFILE`, `AWS_ACCESS_KEY_ID`,
//! `AWS_ENDPOINT_URL` and so on.

use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_smithy_http_client::Builder;
use aws_smithy_http_client::tls::{Provider, rustls_provider::CryptoMode};
use tokio::sync::OnceCell;

pub(crate) mod json;
pub(crate) mod s3;
pub(crate) mod secrets;
pub(crate) mod sign;

/// The settings of the environment, the profile or the role of this process, loaded once.
pub(crate) async fn config() -> &'static SdkConfig {
    static SHARED: OnceCell<SdkConfig> = OnceCell::const_new();
    SHARED.get_or_init(load).await
}

async fn load() -> SdkConfig {
    // Use the same cryptography library as for Elasticsearch: the SDK's default is another one, which would have to
    // be compiled from C in addition.
    let http = Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).build_https();
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(5))
        .read_timeout(Duration::from_secs(30))
        .build();
    let config = aws_config::defaults(BehaviorVersion::latest())
        .http_client(http)
        .retry_config(RetryConfig::standard().with_max_attempts(4))
        .timeout_config(timeouts)
        .load()
        .await;
    match config.region() {
        Some(_) => config,
        // The AWS CLI uses this region for S3 too.
        None => config.into_builder().region(Region::from_static("us-east-1")).build(),
    }
}

/// The endpoint that is set for one service alone (`AWS_ENDPOINT_URL_S3`). The SDK reads these variables too, but has no
/// way to ask for their values.
#[expect(clippy::disallowed_methods, reason = "they are settings of the AWS SDK, not ours")]
fn own_endpoint(service: &str) -> Option<String> {
    std::env::var(format!("AWS_ENDPOINT_URL_{service}")).ok().filter(|url| !url.is_empty())
}
