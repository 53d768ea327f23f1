//! Why a part of an event has failed.

use super::metrics::Outcome;
use super::worker::Refusal;
use crate::failure;

/// Why a part of an event has failed.
pub(super) struct Fault {
    pub(super) kind: &'static str,
    pub(super) message: String,
    /// Whether the rest of the event would fail in the same way.
    pub(super) is_common: bool,
    /// Whether a line was written about it.
    pub(super) is_told: bool,
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Refusal {
        Refusal { kind: fault.kind, message: fault.message }
    }
}

impl Fault {
    pub(super) fn new(kind: &'static str, error: &anyhow::Error) -> Fault {
        let hint = failure::hint(error).map(|hint| format!("; hint: {hint}")).unwrap_or_default();
        Fault::of(kind, format!("{error:#}{hint}"))
    }

    pub(super) fn of(kind: &'static str, message: String) -> Fault {
        Fault { kind, message, is_common: false, is_told: false }
    }

    pub(super) fn outcome(&self) -> Outcome {
        if self.kind == DEADLINE { Outcome::Stopped } else { Outcome::Failed }
    }
}

pub(super) const DEADLINE: &str = "DeadlineReached";
pub(super) const NOT_INDEXED: &str = "NotIndexed";
pub(super) const UNREADABLE: &str = "Unreadable";
