//! Decides when to retry a request, and how many requests to have in flight.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

use super::ClusterError;
use super::response::RequestError;
use crate::stop::Stop;

const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// How long a run keeps trying while the cluster accepts nothing. All requests of the run share it.
pub(super) struct Patience {
    pub(super) retry_for: Duration,
    stop: Stop,
    /// How long the last bulk request took, in microseconds.
    latency: AtomicU64,
    /// Why a part of the run gave up. Once this is set, the other parts give up too.
    over: OnceLock<String>,
    state: Mutex<State>,
}

struct State {
    /// When the cluster last took something.
    last_success: Instant,
    /// Whether the user has been warned that the cluster accepts nothing.
    was_told: bool,
}

impl Patience {
    pub(super) fn new(retry_for: Duration, stop: Stop) -> Patience {
        let state = State { last_success: Instant::now(), was_told: false };
        Patience {
            retry_for,
            stop,
            latency: AtomicU64::new(0),
            over: OnceLock::new(),
            state: Mutex::new(state),
        }
    }

    /// Does not wait for a cluster to recover: for questions, whose answers somebody is waiting for.
    pub(super) fn none() -> Patience {
        Patience::new(Duration::ZERO, Stop::default())
    }

    pub(super) fn is_none(&self) -> bool {
        self.retry_for.is_zero()
    }

    /// Takes note that the cluster took something.
    pub(super) fn succeeded(&self, url: &str) {
        let mut state = self.state();
        state.last_success = Instant::now();
        if std::mem::take(&mut state.was_told) {
            tracing::info!("{url} answers again");
        }
    }

    /// Makes all requests of the run that are still waiting give up.
    pub(super) fn end(&self, error: &ClusterError) {
        self.over.get_or_init(|| error.to_string());
    }

    /// The reason to report for documents that are not sent any more.
    pub(super) fn why_over(&self) -> String {
        format!("not indexed: {}", self.over.get().map_or("interrupted", String::as_str))
    }

    /// Whether the cluster has accepted nothing for `retry_for`.
    pub(super) fn is_spent(&self) -> bool {
        self.state().last_success.elapsed() >= self.retry_for
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// How long the last bulk request took.
    pub(super) fn latency(&self) -> Duration {
        Duration::from_micros(self.latency.load(Ordering::Relaxed))
    }

    /// Takes over how long bulk requests took in an earlier run. If this run would not have time for a single one, it
    /// assumes a shorter time, so that it tries at least one: the cluster may have become faster.
    pub(super) fn expect(&self, latency: Duration) {
        let left = self.stop.time_left().unwrap_or(Duration::MAX);
        self.took(if latency + latency / 4 < left { latency } else { left / 3 });
    }

    /// Takes note of how long a bulk request took.
    pub(super) fn took(&self, latency: Duration) {
        let micros = u64::try_from(latency.as_micros()).unwrap_or(u64::MAX);
        self.latency.store(micros, Ordering::Relaxed);
    }

    /// Whether the last of this many bulk requests, sent one after the other, would most likely be cut off. Whatever is
    /// cut off has to be sent again.
    pub(super) fn is_too_late_for(&self, requests: u32) -> bool {
        let latency = self.latency();
        self.stop.time_left().is_some_and(|left| left <= (latency + latency / 4) * requests)
    }

    /// Whether the run no longer waits, even for requests in flight.
    pub(super) fn is_cut_off(&self) -> bool {
        self.stop.is_cut_off()
    }

    /// Returns once `is_cut_off` is true.
    pub(super) async fn cut_off(&self) {
        while !self.is_cut_off() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn is_over(&self) -> bool {
        self.over.get().is_some() || self.stop.is_set()
    }
}

/// The waits between the attempts of one request. Each is about twice as long as the one before, randomized so that
/// many clients do not all return at the same moment, and not shorter than the server asks for.
pub(super) struct Backoff<'p> {
    patience: &'p Patience,
    /// The cluster's nodes, as messages name them, and how many there are.
    url: &'p str,
    n_nodes: usize,
    since: Option<Instant>,
    failures: u32,
}

impl<'p> Backoff<'p> {
    pub(super) fn new(patience: &'p Patience, url: &'p str, n_nodes: usize) -> Backoff<'p> {
        Backoff { patience, url, n_nodes, since: None, failures: 0 }
    }

    /// Begins anew, after a success.
    pub(super) fn reset(&mut self) {
        (self.since, self.failures) = (None, 0);
    }

    /// Whether the request has been failing for `retry_for`.
    pub(super) fn is_spent(&self) -> bool {
        self.since.is_some_and(|since| since.elapsed() >= self.patience.retry_for)
    }

    /// Waits before the same request is sent again.
    ///
    /// # Errors
    ///
    /// If the cluster has accepted nothing for too long, or the run was stopped or given up.
    pub(super) async fn wait(&mut self, failure: &RequestError) -> Result<(), ClusterError> {
        let patience = self.patience;
        let url = self.url;
        let since = *self.since.get_or_insert_with(Instant::now);
        self.failures += 1;
        // Other requests may have been accepted since this one first failed.
        let last_success = patience.state().last_success.max(since);
        if last_success.elapsed() >= patience.retry_for {
            let after = patience.retry_for;
            return Err(ClusterError::GaveUp {
                url: url.to_owned(),
                after,
                failure: failure.clone(),
            });
        }
        self.tell(failure);
        // Another node may be up: each is tried once before the first wait.
        let n_other_nodes = self.n_nodes as u32 - 1;
        let pause = match failure {
            RequestError::Lost { .. } if self.failures <= n_other_nodes => Duration::ZERO,
            _ => {
                let doublings = (self.failures - 1).min(10);
                let most = (FIRST_WAIT * 2_u32.pow(doublings)).min(LONGEST_WAIT);
                let pause = most.mul_f64(fastrand::f64().mul_add(0.5, 0.5));
                pause.max(failure.retry_after().unwrap_or_default().min(patience.retry_for))
            }
        };
        let until = Instant::now() + pause;
        while Instant::now() < until {
            if patience.is_over() {
                break;
            }
            let rest = until.saturating_duration_since(Instant::now());
            tokio::time::sleep(rest.min(Duration::from_millis(50))).await;
        }
        match patience.is_over() {
            true => Err(ClusterError::Interrupted { url: url.to_owned() }),
            false => Ok(()),
        }
    }

    /// Warns, once, that the cluster does not accept documents. A brief hiccup is not worth a warning.
    fn tell(&self, failure: &RequestError) {
        let mut state = self.patience.state();
        if self.failures >= 3 && !std::mem::replace(&mut state.was_told, true) {
            tracing::warn!(
                "{} does not accept documents, retrying for {} seconds: {failure}",
                self.url,
                self.patience.retry_for.as_secs()
            );
        }
    }
}

/// Limits how many requests are in flight: fewer while the cluster pushes back, and gradually more afterwards (additive
/// increase, multiplicative decrease, as in TCP).
pub(super) struct Gate {
    most: f64,
    state: Mutex<GateState>,
    freed: Notify,
}

struct GateState {
    limit: f64,
    running: usize,
}

impl Gate {
    pub(super) fn new(most: usize) -> Gate {
        let most = most.max(1) as f64;
        let state = Mutex::new(GateState { limit: most, running: 0 });
        Gate { most, state, freed: Notify::new() }
    }

    /// Waits until a request may be sent; the pass is given back when it is dropped.
    pub(super) async fn pass(&self) -> Pass<'_> {
        loop {
            // Created before the check, so that a pass given back in between is not missed.
            let freed = self.freed.notified();
            {
                let mut state = self.state();
                if (state.running as f64) < state.limit.floor().max(1.0) {
                    state.running += 1;
                    return Pass(self);
                }
            }
            freed.await;
        }
    }

    pub(super) fn pushed_back(&self) {
        let mut state = self.state();
        state.limit = (state.limit / 2.0).max(1.0);
    }

    pub(super) fn accepted(&self) {
        let mut state = self.state();
        state.limit = (state.limit + 1.0 / state.limit).min(self.most);
        drop(state);
        self.freed.notify_waiters();
    }

    fn state(&self) -> std::sync::MutexGuard<'_, GateState> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Permission to send one request.
pub(super) struct Pass<'g>(&'g Gate);

impl Drop for Pass<'_> {
    fn drop(&mut self) {
        self.0.state().running -= 1;
        self.0.freed.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_narrows_under_pressure_and_opens_again() {
        let gate = Gate::new(4);
        let limit = || gate.state().limit.floor() as usize;
        let mut seen = vec![limit()];
        for _ in 0..3 {
            gate.pushed_back();
            seen.push(limit());
        }
        for _ in 0..10 {
            gate.accepted();
        }
        seen.push(limit());
        assert_eq!(seen, [4, 2, 1, 1, 4]);
    }
}
