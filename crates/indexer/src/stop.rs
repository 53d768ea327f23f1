//! The request to end a run: Ctrl-C, or a deadline that is near.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crate::failure::{Failure, INTERRUPTED, Result};

/// Whether a run is to end, shared by all of its parts. Once it is, what is under way is finished and nothing new is
/// begun.
#[derive(Debug, Clone)]
pub struct Stop {
    shared: Arc<Shared>,
    parent: Option<Arc<Shared>>,
}

#[derive(Debug)]
struct Shared {
    is_set: AtomicBool,
    /// The time after which not even work under way is waited for, once that is known.
    cut_off: OnceLock<Instant>,
    grace: Duration,
}

impl Default for Stop {
    /// A run whose work under way has three seconds to finish when it is stopped.
    fn default() -> Stop {
        Stop::new(Duration::from_secs(3))
    }
}

impl Stop {
    /// A run that goes on. When it is stopped, work under way has `grace` to finish.
    pub fn new(grace: Duration) -> Stop {
        let shared = Shared { is_set: AtomicBool::new(false), cut_off: OnceLock::new(), grace };
        Stop { shared: Arc::new(shared), parent: None }
    }

    /// A run whose end is known before it begins.
    pub(crate) fn before(cut_off: Instant) -> Stop {
        let stop = Stop::default();
        stop.shared.cut_off.get_or_init(|| cut_off);
        stop
    }

    /// A part of this run, which is stopped with it and may be stopped alone.
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

    /// How long a silent source is waited for once the run is stopped. The last third of the grace is for writing.
    pub(crate) fn grace_for_reading(&self) -> Duration {
        self.time_left().map_or(self.shared.grace, |left| left.min(self.shared.grace)) * 2 / 3
    }

    /// How long work under way may still take, if that is known.
    pub fn time_left(&self) -> Option<Duration> {
        let now = Instant::now();
        let left = |cut_off: &Instant| cut_off.saturating_duration_since(now);
        self.all().filter_map(|shared| shared.cut_off.get().map(left)).min()
    }

    /// Whether not even work under way is waited for any more.
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
