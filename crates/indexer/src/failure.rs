//! Errors: what they are, who gets to see them, and what becomes of them.
//!
//! # What is an error and what is not
//!
//! - **Bad input is not an error.** A record that cannot be read, enriched or indexed becomes a
//!   [`Rejected`](ingest::Rejected): it is counted in the report and kept with its source, line and reason.
//! - **A source that cannot be read** is an error of that source. It is logged when it happens, and the other sources
//!   are read; the exit code of the run is 2 in the end.
//! - **A store, rejects file or output that cannot be written** ends the run.
//! - **A panic is a bug.** The record, request or event in which it happens fails, and the others go on.
//!
//! # Who gets to see what
//!
//! - *Users of the command line* get one line that says what was being done, to what, and why it failed, from the
//!   outermost cause to the innermost; and a line that begins with `hint:` if there is something they can do.
//! - *Clients of the dashboard's API* get a problem (RFC 9457) that names the parameter at fault. What is wrong with
//!   the server itself is for its operator, so they are referred to the log.
//! - *Lambda* gets the kind of the error and its message, for alarms that count errors and for people who read them.
//! - No message contains a secret. The texts of tweets appear only in the rejects.
//!
//! # How
//!
//! Errors that callers need to distinguish have their own types beside the code that they come from (`StoreError`,
//! `ClusterError`, `S3Error`, `ingest::Error`). There they implement [`Hint`]: what to do about each, and the exit
//! code of a run that ends with it. On its way up, an error becomes a [`Failure`], which keeps the hint while more
//! and more context is added. **A failure is logged once** (`Failure::log`), by the code that does not pass it on.

use std::borrow::Cow;
use std::fmt;
use std::io;

/// The exit code of a run that could not be done, or not for all of its sources.
pub(crate) const COULD_NOT_RUN: u8 = 2;

/// The exit code after Ctrl-C: 128 and the number of the signal, as shells have it.
pub(crate) const INTERRUPTED: u8 = 130;

/// What an error says besides its message: what to do about it, and how the process should exit.
pub trait Hint: std::error::Error + Send + Sync + 'static {
    /// What the reader of the error can do about it, on one line. `None` if there is nothing more to say than its
    /// message.
    fn hint(&self) -> Option<Cow<'static, str>> {
        None
    }

    /// The exit code of a run that ends with it.
    fn exit_code(&self) -> u8 {
        COULD_NOT_RUN
    }
}

/// An error on its way up to the one who reads it, with the context in which it happened and a hint at what can be
/// done about it.
pub struct Failure {
    cause: anyhow::Error,
    hint: Option<Cow<'static, str>>,
    exit_code: u8,
}

/// The result of functions whose callers do not need to distinguish between their errors.
pub type Result<T, E = Failure> = std::result::Result<T, E>;

impl<E: Hint> From<E> for Failure {
    fn from(error: E) -> Failure {
        let (hint, exit_code) = (error.hint(), error.exit_code());
        Failure { cause: anyhow::Error::new(error), hint, exit_code }
    }
}

impl Failure {
    /// A failure that consists only of a message, without an underlying error.
    pub(crate) fn new(message: impl fmt::Display + fmt::Debug + Send + Sync + 'static) -> Failure {
        Failure { cause: anyhow::Error::msg(message), hint: None, exit_code: COULD_NOT_RUN }
    }

    /// Adds a hint at what can be done about it. A hint that it already has, from closer to the cause, is kept.
    pub(crate) fn with_hint(mut self, hint: impl Into<Cow<'static, str>>) -> Failure {
        self.hint.get_or_insert_with(|| hint.into());
        self
    }

    /// Says what was being done.
    pub(crate) fn context(self, what: impl fmt::Display + Send + Sync + 'static) -> Failure {
        Failure { cause: self.cause.context(what), ..self }
    }

    /// What can be done about it.
    pub(crate) fn hint(&self) -> Option<&str> {
        self.hint.as_deref()
    }

    /// The exit code of a run that ends with it.
    pub(crate) fn exit_code(&self) -> u8 {
        self.exit_code
    }

    /// The first error of type `E` in the chain of its causes, if there is one.
    pub(crate) fn find<E: std::error::Error + Send + Sync + 'static>(&self) -> Option<&E> {
        self.cause.chain().find_map(|cause| cause.downcast_ref::<E>())
    }

    /// The whole story on one line, from what was being done to the innermost cause.
    pub(crate) fn story(&self) -> String {
        format!("{:#}", self.cause)
    }

    /// Logs it, with its hint.
    pub(crate) fn log(&self) {
        match self.hint() {
            Some(hint) => tracing::error!(hint, "{}", self.story()),
            None => tracing::error!("{}", self.story()),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.cause.fmt(f)
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.story())
    }
}

impl std::error::Error for Failure {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.cause.source()
    }
}

/// Says what was being done when something failed.
pub(crate) trait Context<T> {
    /// Adds `what` as context.
    fn context(self, what: impl fmt::Display + Send + Sync + 'static) -> Result<T>;

    /// Adds what `what` returns as context. It is only called if something failed.
    fn with_context<D: fmt::Display + Send + Sync + 'static>(
        self,
        what: impl FnOnce() -> D,
    ) -> Result<T>;
}

impl<T, E: Into<Failure>> Context<T> for Result<T, E> {
    fn context(self, what: impl fmt::Display + Send + Sync + 'static) -> Result<T> {
        self.map_err(|error| error.into().context(what))
    }

    fn with_context<D: fmt::Display + Send + Sync + 'static>(
        self,
        what: impl FnOnce() -> D,
    ) -> Result<T> {
        self.map_err(|error| error.into().context(what()))
    }
}

/// An `io::Error` may wrap a [`Failure`], since implementations of `io::Read` cannot return any other type.
impl Hint for io::Error {
    fn hint(&self) -> Option<Cow<'static, str>> {
        self.get_ref()?.downcast_ref::<Failure>()?.hint.clone()
    }
}

impl Hint for serde_json::Error {}

impl Hint for ingest::Error {
    fn hint(&self) -> Option<Cow<'static, str>> {
        let carried = match self {
            ingest::Error::Io(error) => Hint::hint(error),
            _ => None,
        };
        carried.or(Some(Cow::Borrowed(ingest::Error::hint(self))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("the disk is full")]
    struct Full;

    impl Hint for Full {
        fn hint(&self) -> Option<Cow<'static, str>> {
            Some("free some space".into())
        }

        fn exit_code(&self) -> u8 {
            7
        }
    }

    #[test]
    fn a_failure_keeps_the_hint_and_the_exit_code_of_its_cause() {
        let failed: Result<(), Full> = Err(Full);
        let failure = failed.context("cannot write `a`").context("cannot save").unwrap_err();
        assert_eq!(failure.story(), "cannot save: cannot write `a`: the disk is full");
        assert_eq!((failure.hint(), failure.exit_code()), (Some("free some space"), 7));
        assert!(failure.find::<Full>().is_some());
        let failure = failure.with_hint("another one");
        assert_eq!(failure.hint(), Some("free some space"));
    }

    #[test]
    fn causes_are_not_hidden_behind_a_failure() {
        let failed: Result<(), Full> = Err(Full);
        let failure = failed.context("cannot save").unwrap_err();
        let source = std::error::Error::source(&failure).map(ToString::to_string);
        assert_eq!(
            (failure.to_string(), source.as_deref()),
            ("cannot save".into(), Some("the disk is full"))
        );
        let carried: Failure = io::Error::other(failure).into();
        assert_eq!(carried.story(), "cannot save: the disk is full");
        assert_eq!(carried.hint(), Some("free some space"));
    }
}
