//! Signs requests to AWS (Signature Version 4) that are not sent with a client of the SDK.

use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use aws_sigv4::http_request::{
    PayloadChecksumKind, SignableBody, SignableRequest, SigningSettings, sign,
};
use aws_sigv4::sign::v4;
use tokio::sync::Mutex;

use super::config;
use crate::clock;
use crate::failure::{Failure, Result};
use crate::foreign::innermost;

/// A request that is to be signed.
pub(crate) struct Unsigned<'r> {
    /// The service's name in signatures: `secretsmanager`, `es`.
    pub(crate) service: &'r str,
    pub(crate) region: &'r str,
    pub(crate) method: &'r str,
    /// Absolute, with its query.
    pub(crate) url: &'r str,
    pub(crate) headers: &'r [(&'r str, &'r str)],
    pub(crate) body: &'r [u8],
}

/// How long before they expire credentials are renewed.
const EXPIRES_SOON: Duration = Duration::from_secs(300);

/// The credentials of this process, kept until they expire.
async fn credentials() -> Result<Credentials> {
    static KEPT: Mutex<Option<Credentials>> = Mutex::const_new(None);
    // Held while credentials are fetched, so that concurrent requests fetch them only once.
    let mut kept = KEPT.lock().await;
    let soon = clock::system_time() + EXPIRES_SOON;
    if let Some(credentials) = &*kept
        && credentials.expiry().is_none_or(|expiry| expiry > soon)
    {
        return Ok(credentials.clone());
    }
    let provided = match config().await.credentials_provider() {
        Some(provider) => provider.provide_credentials().await.map_err(|error| innermost(&error)),
        None => Err("there are none".to_owned()),
    };
    let credentials = provided.map_err(|why| {
        let failure = Failure::new(why).context("cannot get AWS credentials");
        failure.with_hint("check the role or the profile: aws sts get-caller-identity")
    })?;
    Ok(kept.insert(credentials).clone())
}

/// The headers that sign a request with the credentials of this process.
pub(crate) async fn signature(request: &Unsigned<'_>) -> Result<Vec<(String, String)>> {
    let Unsigned { service, region, method, url, headers, body } = *request;
    let identity = credentials().await?.into();
    let mut settings = SigningSettings::default();
    // As OpenSearch's own clients do; only OpenSearch Serverless requires it.
    settings.payload_checksum_kind = PayloadChecksumKind::XAmzSha256;
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name(service)
        .time(clock::system_time())
        .settings(settings)
        .build()
        .map_err(|error| unsignable(&error))?
        .into();
    let headers = headers.iter().copied();
    let signable = SignableRequest::new(method, url, headers, SignableBody::Bytes(body))
        .map_err(|error| unsignable(&error))?;
    let (instructions, _) =
        sign(signable, &params).map_err(|error| unsignable(&error))?.into_parts();
    let signed = instructions.headers();
    Ok(signed.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
}

fn unsignable(error: &dyn std::error::Error) -> Failure {
    Failure::new(format!("cannot sign a request: {}", innermost(error)))
}
