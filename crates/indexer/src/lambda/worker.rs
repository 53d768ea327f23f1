//! Processes the parts of an event one by one, and finds out why one of them has failed.

use std::collections::HashSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use ingest::Options;

use super::checkpoint::Checkpoints;
use super::fault::{DEADLINE, Fault, NOT_INDEXED, UNREADABLE};
use super::metrics::Metrics;
use crate::aws::s3::{S3, S3Uri};
use crate::failure::{Failure, Hint};
use crate::pipeline::{Ended, InMemory, Output, Run, StoreOutput};
use crate::rejects::{Rejects, RejectsName, RejectsObjects};
use crate::stop::Stop;
use crate::store::{ClusterError, StoreError};

/// What is created once and kept from invocation to invocation, as long as Lambda's execution environment lives.
pub(super) struct Worker {
    pub(super) s3: S3,
    pub(super) store: StoreOutput,
    pub(super) options: Arc<Options>,
    pub(super) rejects: Option<S3Uri>,
    pub(super) metrics: Metrics,
    /// Whether the next event needs a new worker: because the cluster did not accept the credentials, which may have
    /// been changed, or because of a panic.
    pub(super) is_stale: bool,
}

/// One event, while it is being processed.
pub(super) struct Shift<'w> {
    pub(super) worker: &'w mut Worker,
    pub(super) stop: Stop,
    pub(super) checkpoints: Option<Checkpoints>,
    /// The objects, with their versions, that are done already. Some events announce an object twice.
    pub(super) done: HashSet<(S3Uri, Option<String>)>,
    /// The kind and the message of a fault that the rest of the event would have too, so that it is not tried.
    pub(super) over: Option<(&'static str, String)>,
}

impl Worker {
    /// A run that writes into the store.
    pub(super) fn run<'r>(&'r mut self, rejects: &'r mut Rejects, stop: &Stop) -> Run<'r> {
        Run {
            options: Arc::clone(&self.options),
            output: Output::Store(&mut self.store),
            rejects,
            stop: stop.clone(),
            readers: 1,
            journal: None,
        }
    }
}

impl Shift<'_> {
    /// Does `work` and returns its result, or `None` if it panicked. After a panic, the
    /// connection to the cluster is dropped, and the next event gets a new worker.
    pub(super) fn survive<T>(&mut self, work: impl FnOnce(&mut Self) -> T) -> Option<T> {
        let done = catch_unwind(AssertUnwindSafe(|| work(self))).ok();
        if done.is_none() {
            self.worker.store.writer = None;
            self.worker.is_stale = true;
        }
        done
    }

    /// The fault for a run that ended early because the store could not be opened or rejects could not be written.
    /// Closes the store, since it is unknown which requests are still unfinished.
    pub(super) fn broken_off(&mut self, error: Failure) -> Fault {
        self.worker.is_stale |= error.find::<StoreError>().is_some_and(is_unauthorized);
        self.worker.store.writer = None;
        Fault { is_common: true, ..Fault::new(NOT_INDEXED, &error) }
    }

    /// Why a source that was read is not done. `None` if it is.
    pub(super) fn fault(&mut self, name: &str, ended: &Ended) -> Option<Fault> {
        self.worker.is_stale |= ended.failure.as_ref().is_some_and(is_unauthorized);
        let records = ended.checkpoint.position.records;
        let is_interrupted = match &ended.failure {
            Some(error) => {
                matches!(error, StoreError::Cluster(ClusterError::Interrupted { .. }))
            }
            None => ended.is_stopped || self.stop.is_set() && !ended.failed_sources.is_empty(),
        };
        if is_interrupted {
            let why = match &ended.failure {
                Some(error) => format!("; {error}"),
                None => String::new(),
            };
            let message = format!(
                "{name}: stopped before the function's timeout; {records} records are done, and the next invocation continues from there{why}"
            );
            return Some(Fault { is_common: true, ..Fault::of(DEADLINE, message) });
        }
        if let Some(error) = &ended.failure {
            let hint = error.hint().map(|hint| format!("; hint: {hint}")).unwrap_or_default();
            let message = format!("cannot index {name} beyond {records} records: {error}{hint}");
            return Some(Fault { is_common: true, ..Fault::of(NOT_INDEXED, message) });
        }
        if let Some(error) = ended.failed_sources.first() {
            return Some(Fault::new(UNREADABLE, error));
        }
        // Whatever the reason is, a source is not done while records are neither stored nor rejected.
        (ended.left > 0).then(|| {
            let message =
                format!("{} records of {name} are neither indexed nor rejected", ended.left);
            Fault::of(NOT_INDEXED, message)
        })
    }

    /// Indexes records that came with the event. Returns how many of them are safe, and why the others are not.
    pub(super) fn in_memory(
        &mut self,
        records: Vec<InMemory>,
        name: String,
    ) -> (usize, Option<Fault>) {
        if let Err(fault) = self.may_begin(&name) {
            return (0, Some(fault));
        }
        let modified = records.first().and_then(|record| record.written_at);
        let mut rejects = match &self.worker.rejects {
            Some(prefix) => {
                // The name is the same when the event is delivered again, so that its rejects are overwritten and not
                // doubled.
                let name = RejectsName::Fixed(name.clone());
                Rejects::Objects(RejectsObjects::new(&self.worker.s3, prefix, name))
            }
            None => Rejects::Refused { first: None, count: 0 },
        };
        let cannot = || format!("cannot index {name}");
        let ran =
            self.survive(|shift| shift.worker.run(&mut rejects, &shift.stop).over_memory(records));
        let ended = match ran {
            None => return (0, Some(Fault::internal(&name))),
            Some(Err(error)) => return (0, Some(self.broken_off(error.context(cannot())))),
            Some(Ok(ended)) => ended,
        };
        let (safe, fault) = match rejects.finish() {
            Err(error) => (0, Some(Fault::new(NOT_INDEXED, &error.context(cannot())))),
            Ok(_) => (ended.checkpoint.position.records as usize, self.fault(&name, &ended)),
        };
        self.worker.metrics.emit(&name, &ended, 0, modified, fault.as_ref());
        (safe, fault.map(|fault| Fault { is_told: true, ..fault }))
    }

    /// Fails if it makes no sense to begin: the timeout is near, or an earlier fault would occur again.
    pub(super) fn may_begin(&self, name: &str) -> Result<(), Fault> {
        let (kind, why) = match &self.over {
            _ if self.stop.is_set() => (DEADLINE, "the function's timeout is near"),
            Some((kind, why)) => (*kind, why.as_str()),
            None => return Ok(()),
        };
        Err(Fault::of(kind, format!("{name}: not started: {why}")))
    }
}

fn is_unauthorized(error: &StoreError) -> bool {
    matches!(error, StoreError::Cluster(ClusterError::Unauthorized { .. }))
}
