//! What becomes of an error: one line that says what was being done to what, and a hint.

use std::process::ExitCode;

use crate::aws::s3::S3Error;
use crate::store::{ClusterError, StoreError};

/// The exit code of a run that could not be done, or not for all of its sources.
pub(crate) const COULD_NOT_RUN: u8 = 2;

/// The exit code after Ctrl-C: 128 and the signal's number, as shells have it.
pub(crate) const INTERRUPTED: u8 = 130;

/// A remedy for an error that has none of its own.
#[derive(Debug, thiserror::Error)]
#[error("{error:#}")]
pub(crate) struct WithHint {
    error: anyhow::Error,
    hint: &'static str,
}

/// Adds a remedy to an error.
pub(crate) fn with_hint(error: impl Into<anyhow::Error>, hint: &'static str) -> anyhow::Error {
    WithHint { error: error.into(), hint }.into()
}

/// The outer causes of an error say that a request failed, the innermost why.
pub(crate) fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

/// How a text begins that somebody else sent, on one line of at most so many characters.
pub(crate) fn beginning(text: &str, longest: usize) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(longest) {
        _ if line.is_empty() => "nothing".to_owned(),
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// What the user can do about an error.
pub(crate) fn hint(error: &anyhow::Error) -> Option<&'static str> {
    error.chain().find_map(|cause| {
        cause
            .downcast_ref::<WithHint>()
            .map(|with| with.hint)
            .or_else(|| cause.downcast_ref::<StoreError>().map(StoreError::hint))
            .or_else(|| cause.downcast_ref::<ClusterError>().map(ClusterError::hint))
            .or_else(|| cause.downcast_ref::<S3Error>().map(|error| error.hint))
            .or_else(|| cause.downcast_ref::<ingest::Error>().map(ingest::Error::hint))
    })
}

/// Logs an error, once, with its hint.
pub(crate) fn log(error: &anyhow::Error) {
    match hint(error) {
        Some(hint) => tracing::error!(hint, "{error:#}"),
        None => tracing::error!("{error:#}"),
    }
}

/// Logs the error that ended the run. A reader of stdout that has gone away (`| head`) is no error.
pub(crate) fn exit_code(error: &anyhow::Error) -> ExitCode {
    let closed = |cause: &(dyn std::error::Error + 'static)| {
        cause
            .downcast_ref::<std::io::Error>()
            .is_some_and(|io| io.kind() == std::io::ErrorKind::BrokenPipe)
    };
    if error.chain().any(closed) {
        return ExitCode::SUCCESS;
    }
    log(error);
    let interrupted = |cause: &(dyn std::error::Error + 'static)| {
        matches!(cause.downcast_ref(), Some(ClusterError::Interrupted { .. }))
            || matches!(
                cause.downcast_ref(),
                Some(StoreError::Cluster(ClusterError::Interrupted { .. }))
            )
    };
    ExitCode::from(if error.chain().any(interrupted) { INTERRUPTED } else { COULD_NOT_RUN })
}
