//! Writing to a cluster: documents are gathered into bulks, and several bulks are settled at a time.
//!
//! [`ElasticsearchWriter::write`] blocks while the most bulks allowed are in flight. Two documents with the same id are
//! never in flight at the same time, so the later one is merged into the earlier one even if the network reorders
//! requests.

use std::panic::AssertUnwindSafe;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use elasticsearch::http::Method;
use futures_util::FutureExt;
use hashbrown::hash_map::Entry;
use hashbrown::{HashMap, HashSet};
use ingest::Timestamp;
use tokio::runtime::Runtime;

use super::backoff::{Gate, Patience};
use super::bulk::{Action, Bulk};
use super::connection::{Connection, Request};
use super::settings::{Cluster, IndexBy};
use super::settle::{Settled, Shared, rejected, settle};
use super::{ClusterError, runtime};
use crate::stop::Stop;
use crate::store::{Delivery, Written};

/// What a writer has learned about a cluster, for the next writer of the same one.
#[derive(Debug, Clone)]
pub struct ClusterExperience {
    /// How many bytes a bulk may have: fewer than the user allows if the cluster could not handle that many.
    bulk_bytes: usize,
    /// How long the last bulk took.
    latency: Duration,
}

/// A cluster opened for writing.
pub struct ElasticsearchWriter {
    runtime: &'static Runtime,
    shared: Arc<Shared>,
    /// Its name and version.
    server: String,
    index_by: IndexBy,
    most_bulk_bytes: usize,
    bulk_documents: usize,
    bulk_requests: usize,
    /// The indices that tweets were written to, by the day (since 1970) that determines the index.
    indices: HashMap<i64, Arc<str>>,
    /// The indices that are known to be ready for writing.
    prepared: HashSet<Arc<str>>,
    /// The bulk that is being gathered, and the position of each id in it.
    bulk: Bulk,
    ids: HashMap<String, usize>,
    under_way: Vec<Arc<Bulk>>,
    /// How many deliveries were taken in, and the first that was given up.
    taken: u64,
    given_up: Option<u64>,
    settled: Receiver<(Arc<Bulk>, Settled)>,
    settle: Sender<(Arc<Bulk>, Settled)>,
    /// Whether most documents of the last bulk were there already, as in a rerun. The next bulk then begins by reading
    /// documents instead of creating them.
    expects_known: bool,
    has_failed: bool,
    /// Whether all tweets are still to be deleted, which waits until the first new ones arrive.
    recreate: bool,
    /// The period that each index is to cover, if the user has specified it.
    asked: Option<IndexBy>,
}

impl ElasticsearchWriter {
    /// Connects to a cluster and makes sure that it has the index template. With `recreate`, that is left to the first
    /// [`write`](ElasticsearchWriter::write), which deletes all tweets before. `stop` ends the wait for a cluster that
    /// does not answer.
    ///
    /// # Errors
    ///
    /// If the cluster cannot be reached, is not a supported Elasticsearch or OpenSearch, or refuses access.
    pub fn open(
        cluster: &Cluster,
        recreate: bool,
        stop: Stop,
    ) -> Result<ElasticsearchWriter, ClusterError> {
        let runtime = runtime()?;
        let connection = Connection::new(cluster)?;
        let load = &cluster.load;
        let patience = Patience::new(load.retry_for, stop);
        let server = runtime.block_on(connection.greet(&patience))?;
        // The time limit for an unreachable cluster starts again with each answer.
        patience.succeeded(&connection.url);
        let shared = Shared {
            connection: Arc::new(connection),
            patience,
            gate: Gate::new(load.bulk_requests),
            gzip: cluster.gzip(),
            bulk_bytes: AtomicUsize::new(load.bulk_bytes),
            failing: Mutex::default(),
        };
        let (settle, settled) = channel();
        let mut writer = ElasticsearchWriter {
            runtime,
            shared: Arc::new(shared),
            server,
            index_by: IndexBy::default(),
            most_bulk_bytes: load.bulk_bytes,
            bulk_documents: load.bulk_documents,
            bulk_requests: load.bulk_requests.max(1),
            indices: HashMap::new(),
            prepared: HashSet::new(),
            bulk: Bulk::default(),
            ids: HashMap::new(),
            under_way: Vec::new(),
            taken: 0,
            given_up: None,
            settled,
            settle,
            expects_known: false,
            has_failed: false,
            recreate,
            asked: load.index_by,
        };
        // With `recreate`, nothing is deleted before there is something to put in its place.
        if !recreate {
            writer.install()?;
        }
        Ok(writer)
    }

    /// Deletes all tweets if they are to be recreated, makes sure that the index template exists, and finds out which
    /// period each index covers.
    fn install(&mut self) -> Result<(), ClusterError> {
        let Shared { connection, patience, .. } = &*self.shared;
        let (asked, recreate) = (self.asked, self.recreate);
        self.index_by = self.runtime.block_on(async {
            if recreate {
                connection.delete_all(patience).await?;
            }
            match connection.install_template(asked, false, patience).await {
                Ok((_, index_by)) => Ok(index_by),
                // Without permission for templates, each index is created with the template's mapping directly.
                Err(ClusterError::Forbidden { .. }) => {
                    let kept = connection.index_by_of_indices(patience).await?;
                    Ok(kept.or(asked).unwrap_or_default())
                }
                Err(error) => Err(error),
            }
        })?;
        self.recreate = false;
        Ok(())
    }

    /// Takes documents in; see [`Writer::write`](crate::store::Writer::write).
    ///
    /// # Errors
    ///
    /// If the cluster stopped accepting documents. Those that it did not accept become rejects, and so do all that come
    /// after them.
    pub fn write(
        &mut self,
        deliveries: Vec<Delivery>,
        written: &mut Written,
    ) -> Result<(), ClusterError> {
        let mut done = if self.recreate && !self.has_failed { self.install() } else { Ok(()) };
        for delivery in deliveries {
            let index = self.gather(delivery);
            if done.is_ok() && !self.has_failed {
                done = self.advance(index, written);
            }
        }
        done.map_err(|error| self.fail(error, written))?;
        if self.has_failed {
            self.reject_gathered(written);
        }
        Ok(())
    }

    /// Prepares for another run over the same connection. `stop` ends that run.
    pub fn renew(&mut self, stop: Stop) {
        let experience = self.experience();
        let Shared { connection, patience, gzip, .. } = &*self.shared;
        self.shared = Arc::new(Shared {
            connection: Arc::clone(connection),
            patience: Patience::new(patience.retry_for, stop),
            gate: Gate::new(self.bulk_requests),
            gzip: *gzip,
            bulk_bytes: AtomicUsize::new(self.most_bulk_bytes),
            failing: Mutex::default(),
        });
        // A size that was too large once may be fine now, so twice as much is tried.
        let bulk_bytes = experience.bulk_bytes * 2;
        self.learn(&ClusterExperience { bulk_bytes, ..experience });
    }

    /// What has been learned about the cluster.
    pub fn experience(&self) -> ClusterExperience {
        ClusterExperience {
            bulk_bytes: self.shared.bulk_bytes.load(Ordering::Relaxed),
            latency: self.shared.patience.latency(),
        }
    }

    /// Takes over what an earlier writer has learned.
    pub fn learn(&self, experience: &ClusterExperience) {
        self.shared.bulk_bytes.fetch_min(experience.bulk_bytes, Ordering::Relaxed);
        self.shared.patience.expect(experience.latency);
    }

    /// Whether documents that are taken in now would most likely not be settled before the run is cut off.
    pub fn is_too_late(&self) -> bool {
        let is_busy = self.under_way.len() >= self.bulk_requests;
        self.shared.patience.is_too_late_for(1 + u32::from(is_busy))
    }

    /// How many documents were taken in.
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// How many documents, counted without gaps from the first, are indexed or rejected.
    pub fn settled(&self) -> u64 {
        let gathered = (!self.bulk.entries.is_empty()).then_some(self.bulk.first);
        let open = self.under_way.iter().map(|bulk| bulk.first);
        open.chain(gathered).chain(self.given_up).min().unwrap_or(self.taken)
    }

    /// Deletes documents; see [`Writer::delete`](crate::store::Writer::delete).
    ///
    /// # Errors
    ///
    /// If the cluster does not allow it, or cannot be reached.
    pub fn delete(&self, ids: &[String]) -> Result<(), ClusterError> {
        let Shared { connection, patience, .. } = &*self.shared;
        self.runtime.block_on(connection.delete(ids, patience))
    }

    /// Sends what is left and waits until all of it is settled.
    ///
    /// # Errors
    ///
    /// As for [`ElasticsearchWriter::write`].
    pub fn flush(&mut self, written: &mut Written) -> Result<(), ClusterError> {
        if self.has_failed {
            return Ok(());
        }
        self.settle_all(written).map_err(|error| self.fail(error, written))
    }

    /// Sends what is left, waits until all of it is settled, and refreshes the indices so that searches find it.
    ///
    /// # Errors
    ///
    /// As for [`ElasticsearchWriter::write`].
    pub fn finish(mut self, written: &mut Written) -> Result<(), ClusterError> {
        self.flush(written)?;
        if self.has_failed {
            return Ok(());
        }
        let names: Vec<&str> = self.prepared.iter().map(|index| &**index).collect();
        for names in names.chunks(50) {
            let path = format!("{}/_refresh", names.join(","));
            let request = Request::new(Method::Post, &path);
            // Errors are ignored: indices are refreshed automatically after about a second anyway, and the key may lack
            // the permission.
            let _ = self.runtime.block_on(self.shared.connection.send(&request));
        }
        Ok(())
    }

    /// Adds a document to the bulk. Returns the index it belongs to.
    fn gather(&mut self, delivery: Delivery) -> Arc<str> {
        let Delivery { document, source, line } = delivery;
        // `_id` is unique only within an index, so all deliveries of a tweet have to go into the same one. Its date may
        // differ between them, but the time in its id does not.
        let time = Timestamp::from_id(&document.id).unwrap_or(document.timestamp);
        let day = time.as_millis().div_euclid(24 * 3_600_000);
        let name = || Arc::from(self.index_by.index(time));
        let index = Arc::clone(self.indices.entry(day).or_insert_with(name));
        if self.bulk.entries.is_empty() {
            self.bulk.first = self.taken;
        }
        self.taken += 1;
        match self.ids.entry(document.id.clone()) {
            Entry::Occupied(there) => self.bulk.merge(*there.get(), document),
            Entry::Vacant(room) => {
                room.insert(self.bulk.entries.len());
                let delivery = self.taken - 1;
                self.bulk.push(&document, Arc::clone(&index), source, line, delivery);
            }
        }
        index
    }

    /// Prepares the index if that has not been done yet, and sends the bulk if it is full.
    fn advance(&mut self, index: Arc<str>, written: &mut Written) -> Result<(), ClusterError> {
        if !self.prepared.contains(&index) {
            let Shared { connection, patience, .. } = &*self.shared;
            self.runtime.block_on(connection.prepare_index(&index, patience))?;
            if self.prepared.is_empty() {
                tracing::info!("writing to {} at {}", self.server, connection.url);
            }
            self.prepared.insert(index);
        }
        let is_full = self.bulk.entries.len() >= self.bulk_documents
            || self.bulk.bytes() >= self.shared.bulk_bytes.load(Ordering::Relaxed);
        if is_full { self.send(written) } else { Ok(()) }
    }

    /// Sends the gathered bulk, once fewer than `bulk_requests` are in flight and none of them contains one of its ids.
    fn send(&mut self, written: &mut Written) -> Result<(), ClusterError> {
        if self.bulk.entries.is_empty() {
            return Ok(());
        }
        while self.under_way.len() >= self.bulk_requests || self.is_any_id_under_way() {
            self.settle_one(written)?;
        }
        let bulk = Arc::new(std::mem::take(&mut self.bulk));
        self.ids.clear();
        self.under_way.push(Arc::clone(&bulk));
        let first = if self.expects_known { Action::Read } else { Action::Create };
        let (shared, done) = (Arc::clone(&self.shared), self.settle.clone());
        self.runtime.spawn(async move {
            let settling = AssertUnwindSafe(settle(&shared, &bulk, first)).catch_unwind();
            let settled = settling.await.unwrap_or_else(|_| Settled::crashed(&bulk));
            // If the run was cut short, nobody is left to receive this.
            let _ = done.send((Arc::clone(&bulk), settled));
        });
        Ok(())
    }

    fn is_any_id_under_way(&self) -> bool {
        self.under_way
            .iter()
            .any(|bulk| bulk.entries.iter().any(|entry| self.ids.contains_key(&entry.id)))
    }

    /// Waits until one of the bulks under way is settled.
    fn settle_one(&mut self, written: &mut Written) -> Result<(), ClusterError> {
        let Ok((bulk, settled)) = self.settled.recv() else { return Ok(()) };
        self.under_way.retain(|other| !Arc::ptr_eq(other, &bulk));
        self.expects_known = settled.known * 2 > bulk.entries.len();
        if settled.written.left_records > 0 {
            self.give_up(bulk.first);
        }
        *written += settled.written;
        settled.stopped.map_or(Ok(()), Err)
    }

    fn settle_all(&mut self, written: &mut Written) -> Result<(), ClusterError> {
        self.send(written)?;
        while !self.under_way.is_empty() {
            self.settle_one(written)?;
        }
        Ok(())
    }

    /// Gives up: waits until all bulks in flight have ended, and rejects what was not sent. Returns the error to
    /// report.
    fn fail(&mut self, mut error: ClusterError, written: &mut Written) -> ClusterError {
        self.has_failed = true;
        self.shared.patience.end(&error);
        while !self.under_way.is_empty() {
            // The first error is the one to report. But a bulk that ended because another one gave up only says that it
            // was interrupted, and its result may arrive before that of the other bulk, which has the actual reason.
            if let Err(other) = self.settle_one(written)
                && matches!(error, ClusterError::Interrupted { .. })
            {
                error = other;
            }
        }
        self.reject_gathered(written);
        error
    }

    /// Records the earliest delivery that was given up: it and those after it do not count as settled.
    fn give_up(&mut self, first: u64) {
        self.given_up = Some(self.given_up.map_or(first, |earlier| earlier.min(first)));
    }

    fn reject_gathered(&mut self, written: &mut Written) {
        if !self.bulk.entries.is_empty() {
            self.give_up(self.bulk.first);
        }
        let bulk = std::mem::take(&mut self.bulk);
        self.ids.clear();
        let reason = self.shared.patience.why_over();
        for (entry, at) in bulk.entries.iter().enumerate() {
            written.left.push(rejected(&bulk, entry, &reason));
            written.left_records += at.records;
        }
    }
}
