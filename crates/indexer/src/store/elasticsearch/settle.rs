//! Sends the documents of one bulk until each is indexed or refused.
//!
//! What can go wrong, and what is done about it:
//!
//! - A cluster that is busy or does not answer is waited for.
//! - An item that the cluster puts off is sent again, after the others are done.
//! - A request that is too large is halved.
//! - An answer that cannot be parsed counts as no answer: sending the request again shows what the first attempt did.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use elasticsearch::http::Method;
use ingest::{Rejected, Stage};

use super::ClusterError;
use super::backoff::{Backoff, Gate, Patience};
use super::bulk::{Action, Bulk, FILTER_PATH, Operation, Verdict, body, judge};
use super::connection::{Connection, NDJSON, Request};
use super::response::RequestError;
use crate::store::Written;

/// What all bulks of a run share.
pub(super) struct Shared {
    pub(super) connection: Arc<Connection>,
    pub(super) patience: Patience,
    pub(super) gate: Gate,
    pub(super) gzip: bool,
    /// The most bytes of documents in a request. This is lowered when the server finds a request too large, or when one
    /// is cut off.
    pub(super) bulk_bytes: AtomicUsize,
    /// Since when each failing index has put documents off and accepted none: an index whose shards are lost must not
    /// hold up the others forever.
    pub(super) failing: Mutex<HashMap<Arc<str>, Instant>>,
}

impl Shared {
    fn backoff(&self) -> Backoff<'_> {
        Backoff::new(&self.patience, &self.connection.url, self.connection.n_nodes)
    }

    fn failing(&self) -> MutexGuard<'_, HashMap<Arc<str>, Instant>> {
        self.failing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Records that an index has put a document off. Returns whether it has done so for too long.
    fn has_failed_for_too_long(&self, index: &Arc<str>) -> bool {
        let since = *self.failing().entry(Arc::clone(index)).or_insert_with(Instant::now);
        since.elapsed() >= self.patience.retry_for
    }
}

/// The limit is not lowered below this when a request is cut off: smaller bulks take just as long.
const LEAST_BULK_BYTES: usize = 64 * 1024;

/// How often an operation is retried immediately after another client changed the document first.
const MAX_CONFLICTS: u32 = 3;

/// What became of a bulk.
pub(super) struct Settled {
    pub(super) written: Written,
    /// Of its documents, how many were there already.
    pub(super) known: usize,
    /// The error that makes it pointless to try the rest of the run.
    pub(super) stopped: Option<ClusterError>,
}

impl Settled {
    /// The result for a bulk whose task panicked, so that it is not known which of its documents were indexed.
    pub(super) fn crashed(bulk: &Bulk) -> Settled {
        let reason = "may not be indexed: indexer had an internal error, see its log";
        let mut written = Written::default();
        for (entry, at) in bulk.entries.iter().enumerate() {
            written.rejected.push((at.delivery, rejected(bulk, entry, reason)));
            written.rejected_records += at.records;
        }
        Settled { written, known: 0, stopped: None }
    }
}

/// Sends the documents of `bulk` until each is indexed or refused. `first` is the action that most of them are expected
/// to need.
pub(super) async fn settle(shared: &Shared, bulk: &Bulk, first: Action) -> Settled {
    let operations = (0..bulk.entries.len())
        .map(|entry| Operation { entry, action: first.clone(), was_retried: false, conflicts: 0 })
        .collect();
    let mut work = Work {
        shared,
        bulk,
        requests: VecDeque::from([operations]),
        later: Vec::new(),
        waits: shared.backoff(),
        settled: Settled { written: Written::default(), known: 0, stopped: None },
    };
    let done = work.run().await;
    if let Err((error, left)) = done {
        shared.patience.end(&error);
        let reason = shared.patience.why_over();
        let rest = work.requests.drain(..).flatten().chain(work.later.drain(..));
        for operation in left.into_iter().chain(rest).collect::<Vec<_>>() {
            work.settled.written.left.push(rejected(bulk, operation.entry, &reason));
            work.settled.written.left_records += bulk.entries[operation.entry].records;
        }
        work.settled.stopped = Some(error);
    }
    work.settled
}

struct Work<'s> {
    shared: &'s Shared,
    bulk: &'s Bulk,
    /// What is still to be sent, a request each.
    requests: VecDeque<Vec<Operation>>,
    /// Operations that the cluster put off, to be sent again after the rest.
    later: Vec<Operation>,
    waits: Backoff<'s>,
    settled: Settled,
}

/// Why the work was given up, and what was being sent then.
type GivenUp = (ClusterError, Vec<Operation>);

impl Work<'_> {
    async fn run(&mut self) -> Result<(), GivenUp> {
        let mut busy = None;
        loop {
            while let Some(operations) = self.requests.pop_front() {
                if self.shared.patience.is_too_late_for(1) {
                    let url = self.shared.connection.url.clone();
                    return Err((ClusterError::Interrupted { url }, operations));
                }
                let verdicts = self.send(operations).await?;
                busy = self.apply(verdicts)?.or(busy);
            }
            let Some(reason) = busy.take().filter(|_| !self.later.is_empty()) else {
                return Ok(());
            };
            self.put_off(reason).await?;
        }
    }

    /// Waits before what was put off is sent again; what was put off for too long is rejected.
    async fn put_off(&mut self, reason: String) -> Result<(), GivenUp> {
        let later = std::mem::take(&mut self.later);
        if self.waits.is_spent() && !self.shared.patience.is_spent() {
            for operation in later {
                self.reject(operation.entry, &format!("put off for too long: {reason}"));
            }
            self.waits.reset();
            return Ok(());
        }
        let failure = RequestError::Items { reason };
        match self.waits.wait(&failure).await {
            Ok(()) => {
                self.requests.push_back(later);
                Ok(())
            }
            Err(error) => Err((error, later)),
        }
    }

    /// Sends one request until its items are answered one by one. A request that is too large is split, and its second
    /// part is queued.
    async fn send(
        &mut self,
        mut operations: Vec<Operation>,
    ) -> Result<Vec<(Operation, Verdict)>, GivenUp> {
        let shared = self.shared;
        let mut waits = shared.backoff();
        // The limit may have been lowered since these operations were queued.
        if let Some(rest) = self.cut(&mut operations) {
            self.requests.push_front(rest);
        }
        loop {
            let failure = match self.exchange(&operations).await {
                Ok(verdicts) => return Ok(operations.into_iter().zip(verdicts).collect()),
                Err(failure) => failure,
            };
            match failure {
                RequestError::Status { status: 413, ref reason, .. } => {
                    if operations.len() == 1 {
                        let only = operations.remove(0);
                        let reason = format!("413 too large for the server: {reason}");
                        return Ok(vec![(only, Verdict::Refused(reason))]);
                    }
                    // Lower the limit for all bulks, so that the next requests are not refused too.
                    let half = self.sizes(&operations).sum::<usize>().div_ceil(2);
                    shared.bulk_bytes.fetch_min(half, Ordering::Relaxed);
                    if let Some(rest) = self.cut(&mut operations) {
                        self.requests.push_front(rest);
                    }
                }
                // The cluster accepts other requests, so the cause must be in this one: split it to narrow it down.
                failure
                    if failure.is_passing() && waits.is_spent() && !shared.patience.is_spent() =>
                {
                    if operations.len() == 1 {
                        let reason = format!("put off for too long: {failure}");
                        return Ok(vec![(operations.remove(0), Verdict::Refused(reason))]);
                    }
                    let rest = operations.split_off(operations.len() / 2);
                    self.requests.push_front(rest);
                }
                failure if failure.is_passing() => {
                    if matches!(failure, RequestError::Status { .. }) {
                        shared.gate.pushed_back();
                    }
                    if let Err(error) = waits.wait(&failure).await {
                        return Err((error, operations));
                    }
                    operations.iter_mut().for_each(|operation| self.count_retry(operation));
                }
                failure => {
                    let error = shared.connection.refused("index documents", failure);
                    return Err((error, operations));
                }
            }
        }
    }

    fn sizes(&self, operations: &[Operation]) -> impl Iterator<Item = usize> {
        operations.iter().map(|operation| self.bulk.json(operation.entry).len())
    }

    /// Keeps as many operations as fit into one request, at least one, and returns the rest.
    fn cut(&self, operations: &mut Vec<Operation>) -> Option<Vec<Operation>> {
        let most = self.shared.bulk_bytes.load(Ordering::Relaxed);
        // The last document of a full bulk usually exceeds the limit; without a margin, it would be sent in a request
        // of its own.
        let most = most + most / 8;
        let mut bytes = 0;
        let first_left = self.sizes(operations).position(|size| {
            bytes += size;
            bytes > most
        });
        let kept = first_left?.max(1);
        (kept < operations.len()).then(|| operations.split_off(kept))
    }

    async fn exchange(&self, operations: &[Operation]) -> Result<Vec<Verdict>, RequestError> {
        let Shared { connection, patience, gate, gzip, .. } = self.shared;
        let _pass = gate.pass().await;
        let body = body(self.bulk, operations, *gzip)
            .map_err(|error| RequestError::Garbled { what: error.to_string() })?;
        let mut request = Request::new(Method::Post, "_bulk");
        (request.content_type, request.gzip) = (NDJSON, *gzip);
        request.query = &[("filter_path", FILTER_PATH)];
        request.body = Some(body.into());
        let started = Instant::now();
        let answer = connection.send_until(&request, patience).await;
        if patience.is_cut_off() && answer.is_err() {
            // There was too little time for a request of this size, so the next ones are smaller.
            let half = self.sizes(operations).sum::<usize>().div_ceil(2).max(LEAST_BULK_BYTES);
            self.shared.bulk_bytes.fetch_min(half, Ordering::Relaxed);
        }
        let answer = answer?.ok()?;
        patience.took(started.elapsed());
        let (n, ms) = (operations.len(), started.elapsed().as_millis());
        tracing::debug!("a bulk request of {n} operations was answered in {ms} ms");
        let verdicts = judge(self.bulk, operations, &answer.body);
        verdicts.ok_or_else(|| RequestError::Garbled { what: answer.beginning() })
    }

    /// Acts on the verdicts. Returns why items were put off, if any were.
    fn apply(&mut self, verdicts: Vec<(Operation, Verdict)>) -> Result<Option<String>, GivenUp> {
        let (mut next, mut busy) = (Vec::new(), None);
        let mut stopped: Option<GivenUp> = None;
        let mut progress = false;
        let mut taken = Vec::new();
        for (mut operation, verdict) in verdicts {
            match verdict {
                Verdict::Created => {
                    taken.push(operation.entry);
                    self.settled.written.created += 1;
                    // Of several records with one id, the first created the document and the others updated it.
                    self.settled.written.updated += self.bulk.entries[operation.entry].records - 1;
                }
                Verdict::Known => {
                    taken.push(operation.entry);
                    self.settled.written.updated += self.bulk.entries[operation.entry].records;
                    self.settled.known += 1;
                }
                // Trying again at once would only add to the contention, so it is put off.
                Verdict::Conflict if operation.conflicts >= MAX_CONFLICTS => {
                    self.count_retry(&mut operation);
                    operation.action = Action::Read;
                    self.later.push(operation);
                    busy = Some("other clients keep changing the same documents".to_owned());
                    continue;
                }
                Verdict::Conflict => {
                    operation.conflicts += 1;
                    operation.action = Action::Read;
                    next.push(operation);
                    progress = true;
                    continue;
                }
                Verdict::Next(action) => {
                    operation.action = action;
                    next.push(operation);
                    progress = true;
                    continue;
                }
                Verdict::Later(reason)
                    if self
                        .shared
                        .has_failed_for_too_long(&self.bulk.entries[operation.entry].index) =>
                {
                    self.reject(operation.entry, &format!("put off for too long: {reason}"));
                }
                Verdict::Later(reason) => {
                    self.count_retry(&mut operation);
                    self.later.push(operation);
                    busy = Some(reason);
                    continue;
                }
                Verdict::Refused(reason) => self.reject(operation.entry, &reason),
                Verdict::Stopped(failure) => {
                    let index = &self.bulk.entries[operation.entry].index;
                    let action = format!("index documents into {index}");
                    let error = || self.shared.connection.refused(&action, failure);
                    stopped.get_or_insert_with(|| (error(), Vec::new())).1.push(operation);
                    continue;
                }
            }
            progress = true;
        }
        if !next.is_empty() {
            // Before other documents, so that few are under way when a run is cut short.
            self.requests.push_front(next);
        }
        // What an index accepts shows that it has recovered.
        if !taken.is_empty() {
            let mut failing = self.shared.failing();
            if !failing.is_empty() {
                for entry in taken {
                    failing.remove(&self.bulk.entries[entry].index);
                }
            }
        }
        if progress {
            self.shared.patience.succeeded(&self.shared.connection.url);
            self.waits.reset();
        }
        match busy {
            Some(_) => self.shared.gate.pushed_back(),
            None => self.shared.gate.accepted(),
        }
        stopped.map_or(Ok(busy), Err)
    }

    fn count_retry(&mut self, operation: &mut Operation) {
        self.settled.written.retried += u64::from(!operation.was_retried);
        operation.was_retried = true;
    }

    fn reject(&mut self, entry: usize, reason: &str) {
        let rejected = rejected(self.bulk, entry, reason);
        let delivery = self.bulk.entries[entry].delivery;
        self.settled.written.rejected.push((delivery, rejected));
        self.settled.written.rejected_records += self.bulk.entries[entry].records;
    }
}

/// Converts a document into a reject, which can be read as input again.
pub(super) fn rejected(bulk: &Bulk, entry: usize, reason: &str) -> Rejected {
    let at = &bulk.entries[entry];
    let mut rejected = Rejected::new(at.line, Stage::Index, reason, bulk.json(entry));
    rejected.id = Some(at.id.clone());
    rejected.source = at.source.to_string();
    rejected
}
