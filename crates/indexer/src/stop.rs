//! The wish that a run end: Ctrl-C, or a deadline that comes near.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

/// Whether a run is to end, shared by all of its parts. Once it is, what is under way is finished.
#[derive(Debug, Clone)]
pub struct Stop {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    is_set: AtomicBool,
    since: OnceLock<Instant>,
    last_call: Duration,
}

impl Default for Stop {
    /// What is under way gets three seconds.
    fn default() -> Stop {
        Stop::new(Duration::from_secs(3))
    }
}

impl Stop {
    /// A run that goes on; when it is stopped, what is under way gets as long as `last_call`.
    pub fn new(last_call: Duration) -> Stop {
        let shared = Shared { is_set: AtomicBool::new(false), since: OnceLock::new(), last_call };
        Stop { shared: Arc::new(shared) }
    }

    /// Stops the run. Tells whether it was stopped before.
    pub fn set(&self) -> bool {
        self.shared.since.get_or_init(Instant::now);
        self.shared.is_set.swap(true, Ordering::Relaxed)
    }

    /// Whether it was stopped.
    pub fn is_set(&self) -> bool {
        self.shared.is_set.load(Ordering::Relaxed)
    }

    /// How long a source that says nothing is waited for once the run is stopped.
    pub(crate) fn last_words(&self) -> Duration {
        self.shared.last_call * 2 / 3
    }

    /// Whether even what is under way is not waited for any more.
    pub fn is_cut_off(&self) -> bool {
        self.shared.since.get().is_some_and(|since| since.elapsed() >= self.shared.last_call)
    }
}
