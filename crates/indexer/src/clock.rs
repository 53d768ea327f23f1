//! The time, for what may depend on it: names of files, delays, signatures. Documents may not.

use std::time::{SystemTime, UNIX_EPOCH};

/// The present time, in milliseconds since 1970 (UTC).
pub(crate) fn now() -> i64 {
    system_time().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as i64
}

/// The present time, as the AWS SDK takes it.
#[expect(clippy::disallowed_methods, reason = "the one place that asks")]
pub(crate) fn system_time() -> SystemTime {
    SystemTime::now()
}
