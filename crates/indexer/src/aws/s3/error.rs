//! What S3 answers when it does not do what was asked.

use std::borrow::Cow;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use crate::failure::Hint;
use crate::foreign::innermost;

/// An error of S3, with S3's own message, or that of the SDK if there was no answer.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub(crate) struct S3Error {
    message: String,
    /// S3's code for the error, such as `NoSuchKey`. `None` if there was no answer.
    code: Option<String>,
}

impl S3Error {
    pub(super) fn of<E, R>(error: &SdkError<E, R>) -> S3Error
    where
        SdkError<E, R>: std::error::Error + ProvideErrorMetadata,
    {
        let (code, message) = (error.code(), error.message());
        let message = match (code, message) {
            (Some(code), Some(message)) => format!("{code}: {message}"),
            (Some(code), None) => code.to_owned(),
            _ => {
                let message = innermost(error);
                // The SDK lists where it looked for credentials, a line for each place.
                let first = message.lines().next().unwrap_or_default();
                first.trim_end_matches(". Attempted:").to_owned()
            }
        };
        S3Error { message, code: code.map(str::to_owned) }
    }

    /// Whether the same request may succeed later.
    pub(crate) fn is_passing(&self) -> bool {
        matches!(
            self.code.as_deref(),
            None | Some("SlowDown" | "InternalError" | "ServiceUnavailable" | "RequestTimeout")
        )
    }
}

impl Hint for S3Error {
    fn hint(&self) -> Option<Cow<'static, str>> {
        let hint = match self.code.as_deref() {
            Some("NoSuchBucket" | "NoSuchKey") => {
                "check the name: s3://bucket/key-or-prefix; it may have been deleted"
            }
            Some("NoSuchVersion") => "that version has been deleted",
            Some("PreconditionFailed") => "the object was changed while it was read: read it again",
            Some("AccessDenied" | "Forbidden") => {
                "the role needs s3:GetObject (and s3:GetObjectVersion, s3:ListBucket) on what it reads; s3:PutObject, s3:GetObject and s3:DeleteObject where rejects go; and the use of the KMS key if there is one"
            }
            Some("InvalidAccessKeyId" | "SignatureDoesNotMatch" | "ExpiredToken") => {
                "check the AWS credentials: aws sts get-caller-identity"
            }
            Some("SlowDown" | "ServiceUnavailable" | "InternalError" | "RequestTimeout") => {
                "S3 is busy: try again later"
            }
            Some("InvalidObjectState") => "it is archived: restore it from Glacier first",
            _ => {
                "check AWS_REGION, the credentials (aws sts get-caller-identity) and AWS_ENDPOINT_URL"
            }
        };
        Some(hint.into())
    }
}
