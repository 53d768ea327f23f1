//! The wish that a run end: Ctrl-C, or a deadline that comes near.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use anyhow::Context;

use crate::failure::INTERRUPTED;

/// Whether a run is to end, shared by all of its parts. Once it is, what is under way is finished.
#[derive(Debug, Clone)]
pub struct Stop {
    shared: Arc<Shared>,
    parent: Option<Arc<Shared>>,
}

#[derive(Debug)]
struct Shared {
    is_set: AtomicBool,
    /// From when on nothing is waited for any more, once that is known.
    cut_off: OnceLock<Instant>,
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
        let shared = Shared { is_set: AtomicBool::new(false), cut_off: OnceLock::new(), last_call };
        Stop { shared: Arc::new(shared), parent: None }
    }

    /// A run whose end is known before it begins.
    pub(crate) fn before(cut_off: Instant) -> Stop {
        let stop = Stop::default();
        stop.shared.cut_off.get_or_init(|| cut_off);
        stop
    }

    /// One that is set when this one is, and may be set by itself.
    pub(crate) fn child(&self) -> Stop {
        let child = Stop::new(self.shared.last_call);
        Stop { parent: Some(Arc::clone(&self.shared)), ..child }
    }

    fn all(&self) -> impl Iterator<Item = &Shared> {
        std::iter::once(&*self.shared).chain(self.parent.as_deref())
    }

    /// Stops the run. Tells whether it was stopped before.
    pub fn set(&self) -> bool {
        self.shared.cut_off.get_or_init(|| Instant::now() + self.shared.last_call);
        self.shared.is_set.swap(true, Ordering::Relaxed)
    }

    /// Whether it was stopped.
    pub fn is_set(&self) -> bool {
        self.all().any(|shared| shared.is_set.load(Ordering::Relaxed))
    }

    /// How long a source that says nothing is waited for once the run is stopped.
    pub(crate) fn last_words(&self) -> Duration {
        self.time_left().map_or(self.shared.last_call, |left| left.min(self.shared.last_call)) * 2
            / 3
    }

    /// How long what is under way may still take, if that is known.
    pub fn time_left(&self) -> Option<Duration> {
        let now = Instant::now();
        let left = |cut_off: &Instant| cut_off.saturating_duration_since(now);
        self.all().filter_map(|shared| shared.cut_off.get().map(left)).min()
    }

    /// Whether even what is under way is not waited for any more.
    pub fn is_cut_off(&self) -> bool {
        self.time_left().is_some_and(|left| left.is_zero())
    }
}

/// The first Ctrl-C (or SIGTERM) sets the flag that is returned, the second ends the process.
pub(crate) fn stop_on_ctrl_c() -> anyhow::Result<Stop> {
    let stop = Stop::default();
    let flag = stop.clone();
    ctrlc::set_handler(move || {
        if flag.set() {
            std::process::exit(i32::from(INTERRUPTED));
        }
        tracing::warn!(
            "stopping: what is under way is being finished; Ctrl-C again to stop at once"
        );
    })
    .context("cannot listen for Ctrl-C")?;
    Ok(stop)
}
