//! Why an event has failed, or a part of it.

use crate::failure::Failure;

/// Why a part of an event has failed.
pub(super) struct Fault {
    pub(super) kind: &'static str,
    pub(super) message: String,
    /// Whether the rest of the event would fail in the same way.
    pub(super) is_common: bool,
    /// Whether this fault has been logged already.
    pub(super) is_told: bool,
}

/// The error that is returned to Lambda if an event has failed.
#[derive(Debug)]
pub(super) struct Refusal {
    /// The kind of error, for people or alarms that count errors by kind.
    pub(super) kind: &'static str,
    pub(super) message: String,
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Refusal {
        Refusal { kind: fault.kind, message: fault.message }
    }
}

impl Fault {
    pub(super) fn new(kind: &'static str, failure: &Failure) -> Fault {
        let hint = failure.hint().map(|hint| format!("; hint: {hint}")).unwrap_or_default();
        Fault::of(kind, format!("{}{hint}", failure.story()))
    }

    /// The fault for a panic, which has been logged already.
    pub(super) fn internal(name: &str) -> Fault {
        let message = format!("{name}: an internal error, which was logged before this");
        Fault::of(INTERNAL, message)
    }

    pub(super) fn of(kind: &'static str, message: String) -> Fault {
        Fault { kind, message, is_common: false, is_told: false }
    }

    pub(super) fn outcome(&self) -> Outcome {
        if self.kind == DEADLINE { Outcome::Stopped } else { Outcome::Failed }
    }
}

/// What became of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Done,
    /// The deadline came first.
    Stopped,
    Failed,
}

impl Outcome {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Outcome::Done => "done",
            Outcome::Stopped => "stopped",
            Outcome::Failed => "failed",
        }
    }
}

pub(super) const DEADLINE: &str = "DeadlineReached";
pub(super) const NOT_INDEXED: &str = "NotIndexed";
pub(super) const UNREADABLE: &str = "Unreadable";
pub(super) const INTERNAL: &str = "Internal";
