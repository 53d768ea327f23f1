//! Answers, each asked for once: kept until the store changes, and waited for by all who ask the same.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use tokio::sync::Semaphore;

use super::call::Call;
use super::content::Content;
use super::metrics::Metrics;
use super::problem::Problem;
use crate::clock::now;
use crate::failure;
use crate::store::{Address, Ask, Bounds, ClusterError, Filter, Question, Store, StoreError};

/// What the answers that are kept may take, in bytes.
const MEMORY: u64 = 64 * 1024 * 1024;
/// How long an answer of a cluster, which does not tell of changes, is taken for current.
const CLUSTER_AGE: Duration = Duration::from_secs(5);
/// How many questions may wait for their turn, and how long.
const MOST_WAITING: usize = 256;
const LONGEST_WAIT: Duration = Duration::from_secs(20);
/// How many questions a cluster is asked at a time.
const CLUSTER_QUESTIONS: usize = 32;

/// A store, and what it has answered.
pub(super) struct Answers {
    address: Address,
    /// Open from the first question on after it is there.
    store: OnceLock<Store>,
    cache: Cache<Key, Arc<Content>, ByBytes>,
    bounds: Mutex<Option<(u64, Option<Bounds>)>>,
    turns: Arc<Semaphore>,
    waiting: AtomicUsize,
    metrics: Arc<Metrics>,
}

/// A version of the store, and what was asked of it.
type Key = (u64, String);

#[derive(Clone)]
struct ByBytes;

impl Weighter<Key, Arc<Content>> for ByBytes {
    fn weight(&self, (_, call): &Key, content: &Arc<Content>) -> u64 {
        (call.len() + content.weight() + 200) as u64
    }
}

impl Answers {
    pub(super) fn new(address: Address, metrics: Arc<Metrics>) -> Arc<Answers> {
        let n_turns = match address {
            // One question has work for all processors.
            Address::Folder(_) => std::thread::available_parallelism().map_or(1, usize::from),
            Address::Cluster(_) => CLUSTER_QUESTIONS,
        };
        Arc::new(Answers {
            address,
            store: OnceLock::new(),
            cache: Cache::with_weighter(2_000, MEMORY, ByBytes),
            bounds: Mutex::new(None),
            turns: Arc::new(Semaphore::new(n_turns)),
            waiting: AtomicUsize::new(0),
            metrics,
        })
    }

    /// Opens the store.
    pub(super) fn open(&self) -> Result<&Store, StoreError> {
        if let Some(store) = self.store.get() {
            return Ok(store);
        }
        let store = Store::open(&self.address)?;
        Ok(self.store.get_or_init(|| store))
    }

    /// The answer to a call, asked for unless it is known.
    pub(super) async fn get(self: &Arc<Self>, call: Call) -> Result<Arc<Content>, Problem> {
        let key = (self.version(), format!("{call:?}"));
        if let Some(known) = self.cache.get(&key) {
            self.metrics.found(true);
            return Ok(known);
        }
        let asked = self.cache.get_or_insert_async(&key, self.ask(call));
        match tokio::time::timeout(LONGEST_WAIT, asked).await {
            Ok(answer) => answer,
            Err(_) => Err(Problem::overloaded()),
        }
    }

    /// Asks the store, when it is this question's turn.
    async fn ask(self: &Arc<Self>, call: Call) -> Result<Arc<Content>, Problem> {
        self.metrics.found(false);
        let _waiting = Waiting::begin(&self.waiting).ok_or_else(Problem::overloaded)?;
        let turn = Arc::clone(&self.turns).acquire_owned().await;
        let turn = turn.map_err(|_| Problem::overloaded())?;
        let answers = Arc::clone(self);
        let asked = tokio::task::spawn_blocking(move || {
            // Kept also when whoever asked has gone away: the store is still busy with it.
            let _turn = turn;
            answers.ask_now(&call)
        });
        match asked.await {
            Ok(answer) => answer.map(Arc::new),
            Err(error) => {
                tracing::error!("a question ended without an answer: {error}");
                Err(unreadable())
            }
        }
    }

    fn ask_now(&self, call: &Call) -> Result<Content, Problem> {
        let started = Instant::now();
        let problem = |error| self.problem(error);
        let store = self.open().map_err(problem)?;
        let bounds = match call.needs_bounds() {
            true => self.bounds(store).map_err(problem)?,
            false => None,
        };
        let asks = call.asks(bounds);
        let answers = store.ask(&asks).map_err(problem)?;
        let json = call.answer(bounds, answers);
        self.metrics.asked(started.elapsed());
        Ok(Content::json(json.to_string().into_bytes()))
    }

    /// When the first and the last tweet of the store were written.
    fn bounds(&self, store: &Store) -> Result<Option<Bounds>, StoreError> {
        let lock = || self.bounds.lock().unwrap_or_else(PoisonError::into_inner);
        let version = self.version();
        if let Some((of, bounds)) = *lock()
            && of == version
        {
            return Ok(bounds);
        }
        let ask = Ask { filter: Filter::default(), question: Question::Bounds };
        let bounds = store.ask(&[ask])?.remove(0).bounds();
        *lock() = Some((version, bounds));
        Ok(bounds)
    }

    /// Changes when answers may.
    fn version(&self) -> u64 {
        match self.store.get() {
            None => 0,
            Some(store) => store
                .version()
                .unwrap_or_else(|| now().unsigned_abs() / CLUSTER_AGE.as_millis() as u64),
        }
    }

    /// What is told of an error: its words are for whoever runs the server.
    fn problem(&self, error: StoreError) -> Problem {
        if matches!(
            error,
            StoreError::Missing { .. } | StoreError::Cluster(ClusterError::Empty { .. })
        ) {
            let detail = "there are no tweets yet; fill the store: indexer backfill tweets.csv";
            return Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail);
        }
        failure::log(&error.into());
        unreadable()
    }
}

fn unreadable() -> Problem {
    let detail = "the store cannot be read; the server's log says why";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail)
}

/// A place in the queue.
struct Waiting<'n>(&'n AtomicUsize);

impl Waiting<'_> {
    fn begin(n: &AtomicUsize) -> Option<Waiting<'_>> {
        let waiting = Waiting(n);
        (n.fetch_add(1, Ordering::Relaxed) < MOST_WAITING).then_some(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
