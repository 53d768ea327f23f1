//! Calls AWS's services that speak its JSON protocol, with signed requests: Firehose, Kinesis, Secrets Manager, Systems
//! Manager. The SDK's clients for them would take longer to compile than all of this project's code.

use std::time::Duration;

use reqwest::Client;
use serde_json::Value;
use tokio::sync::OnceCell;

use super::sign::{Unsigned, signature};
use super::{config, own_endpoint};
use crate::failure::{Failure, Hint};
use crate::foreign::innermost;

/// A service, as requests name it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Service {
    /// Its name in signatures and host names.
    pub(crate) name: &'static str,
    /// Its name in environment variables.
    pub(crate) id: &'static str,
    /// What precedes the name of an operation.
    pub(crate) target: &'static str,
}

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    /// The service has refused it.
    #[error("{status} {kind}: {message}")]
    Refused {
        status: u16,
        /// The name of the error: `ResourceNotFoundException`.
        kind: String,
        message: String,
    },
    /// There was no answer, or none that could be understood.
    #[error("{0}")]
    Unreachable(String),
    /// It could not be signed.
    #[error("{}", .0.story())]
    Unsigned(Failure),
}

impl CallError {
    /// Whether the same call may succeed later.
    pub(crate) fn is_passing(&self) -> bool {
        match self {
            CallError::Refused { status, kind, .. } => {
                *status == 429
                    || *status >= 500
                    || matches!(
                        &**kind,
                        "ServiceUnavailableException"
                            | "ThrottlingException"
                            | "KMSThrottlingException"
                            | "LimitExceededException"
                            | "ProvisionedThroughputExceededException"
                            | "ResourceInUseException"
                            | "InternalFailure"
                            | "RequestTimeout"
                            | "RequestTimeTooSkewed"
                    )
            }
            CallError::Unreachable(_) => true,
            CallError::Unsigned(_) => false,
        }
    }

    /// Whether the service has refused it with an error of this name.
    pub(crate) fn is(&self, name: &str) -> bool {
        matches!(self, CallError::Refused { kind, .. } if kind == name)
    }
}

impl Hint for CallError {
    fn hint(&self) -> Option<std::borrow::Cow<'static, str>> {
        match self {
            CallError::Unsigned(failure) => failure.hint().map(|hint| hint.to_owned().into()),
            CallError::Unreachable(_) => Some(
                "check the region and AWS_ENDPOINT_URL; from inside a VPC, a service needs a NAT gateway or a VPC endpoint".into(),
            ),
            CallError::Refused { kind, .. } if kind.contains("AccessDenied") => {
                Some("check the permissions of the role or user: aws sts get-caller-identity".into())
            }
            CallError::Refused { .. } => None,
        }
    }
}

/// Calls an operation of a service, once. Without a `region`, that of the process is meant.
pub(crate) async fn call(
    service: Service,
    operation: &str,
    region: Option<&str>,
    body: &[u8],
) -> Result<Value, CallError> {
    let config = config().await;
    let own_region = config.region().map(|region| region.as_ref().to_owned());
    let region = region.map(str::to_owned).or(own_region).unwrap_or_default();
    // Emulators are reached through AWS_ENDPOINT_URL.
    let own = own_endpoint(service.id).or(config.endpoint_url().map(str::to_owned));
    // China's endpoints have a domain of their own.
    let host = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    let url = match own {
        Some(url) => format!("{}/", url.trim_end_matches('/')),
        None => format!("https://{}.{region}.{host}/", service.name),
    };
    let target = format!("{}.{operation}", service.target);
    let headers =
        [("content-type", "application/x-amz-json-1.1"), ("x-amz-target", target.as_str())];
    let unsigned = Unsigned {
        service: service.name,
        region: &region,
        method: "POST",
        url: &url,
        headers: &headers,
        body,
    };
    // Without the address, which is long and mostly follows from the service.
    let lost = |error: reqwest::Error| CallError::Unreachable(innermost(&error.without_url()));
    let mut request = client().await.map_err(lost)?.post(&url).body(body.to_vec());
    for (name, value) in headers {
        request = request.header(name, value);
    }
    // Signed anew each time: a signature contains its time and expires.
    for (name, value) in signature(&unsigned).await.map_err(CallError::Unsigned)? {
        request = request.header(name, value);
    }
    let answer = request.send().await.map_err(lost)?;
    let status = answer.status();
    let answer = answer.json::<Value>().await;
    if status.is_success() {
        return answer.map_err(|_| CallError::Unreachable("its answer is not JSON".to_owned()));
    }
    let answer = answer.unwrap_or_default();
    let kind = answer["__type"].as_str().unwrap_or_default();
    let message = answer["message"].as_str().or(answer["Message"].as_str()).unwrap_or_default();
    Err(CallError::Refused {
        status: status.as_u16(),
        // Some services write the name with a namespace before it.
        kind: kind.rsplit('#').next().unwrap_or_default().to_owned(),
        message: message.to_owned(),
    })
}

/// The client that all calls share.
async fn client() -> reqwest::Result<&'static Client> {
    static SHARED: OnceCell<Client> = OnceCell::const_new();
    let make = || async {
        Client::builder()
            .connect_timeout(Duration::from_secs(5))
            .timeout(Duration::from_secs(30))
            .build()
    };
    SHARED.get_or_try_init(make).await
}
