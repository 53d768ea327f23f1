//! The request to end a run: Ctrl-C, or a deadline that is near.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crate::failure::{Failure, INTERRUPTED, Result};

/// Whether a run is to stop, shared by all of its parts. Once it is set, work that has begun is finished and nothing
/// new is begun.
#[derive(Debug, Clone)]
pub struct Stop {
    shared: Arc<Shared>,
    parent: Option<Arc<Shared>>,
}

#[derive(Debug)]
struct Shared {
    is_set: AtomicBool,
    /// The time after which unfinished work is not waited for any more. Set when the run is stopped, or before it
    /// begins.
    cut_off: OnceLock<Instant>,
    grace: Duration,
}

impl Default for Stop {
    /// A run that goes on. Once it is stopped, unfinished work has three seconds to finish.
    fn default() -> Stop {
        Stop::new(Duration::from_secs(3))
    }
}

impl Stop {
    /// A run that goes on. Once it is stopped, unfinished work has `grace` to finish.
    pub fn new(grace: Duration) -> Stop {
        let shared = Shared { is_set: AtomicBool::new(false), cut_off: OnceLock::new(), grace };
        Stop { shared: Arc::new(shared), parent: None }
    }

    /// A run that is cut off at a time that is known before it begins. It still has to be stopped with [`Stop::set`],
    /// some time before that.
    pub(crate) fn before(cut_off: Instant) -> Stop {
        let stop = Stop::default();
        stop.shared.cut_off.get_or_init(|| cut_off);
        stop
    }

    /// A part of this run. It stops when the run is stopped, and can be stopped while the rest of the run goes on.
    pub(crate) fn child(&self) -> Stop {
        let child = Stop::new(self.shared.grace);
        Stop { parent: Some(Arc::clone(&self.shared)), ..child }
    }

    fn all(&self) -> impl Iterator<Item = &Shared> {
        std::iter::once(&*self.shared).chain(self.parent.as_deref())
    }

    /// Stops the run. Returns whether it had been stopped before.
    pub fn set(&self) -> bool {
        self.shared.cut_off.get_or_init(|| Instant::now() + self.shared.grace);
        self.shared.is_set.swap(true, Ordering::Relaxed)
    }

    /// Whether the run was stopped.
    pub fn is_set(&self) -> bool {
        self.all().any(|shared| shared.is_set.load(Ordering::Relaxed))
    }

    /// How long to wait for a source that sends nothing, once the run is stopped: two thirds of the grace. The rest
    /// is left for writing.
    pub(crate) fn grace_for_reading(&self) -> Duration {
        self.time_left().map_or(self.shared.grace, |left| left.min(self.shared.grace)) * 2 / 3
    }

    /// How long unfinished work may still take. `None` as long as the run is not stopped, unless its end was known
    /// before it began.
    pub fn time_left(&self) -> Option<Duration> {
        let now = Instant::now();
        let left = |cut_off: &Instant| cut_off.saturating_duration_since(now);
        self.all().filter_map(|shared| shared.cut_off.get().map(left)).min()
    }

    /// Whether the time for unfinished work is over, so that it is not waited for any more.
    pub fn is_cut_off(&self) -> bool {
        self.time_left().is_some_and(|left| left.is_zero())
    }
}

/// Returns a run that the first Ctrl-C (or SIGTERM) stops. The second one ends the process.
pub(crate) fn stop_on_ctrl_c() -> Result<Stop> {
    let stop = Stop::default();
    let flag = stop.clone();
    let handled = ctrlc::set_handler(move || {
        if flag.set() {
            std::process::exit(i32::from(INTERRUPTED));
        }
        tracing::warn!("stopping: finishing what is under way; press Ctrl-C again to stop at once");
    });
    handled.map_err(|error| Failure::new(format!("cannot listen for Ctrl-C: {error}")))?;
    Ok(stop)
}
