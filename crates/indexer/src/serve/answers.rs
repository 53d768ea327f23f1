//! Answers, each asked for once: kept until the store changes, and waited for by all who ask the same.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use tokio::sync::{Semaphore, watch};

use super::call::Call;
use super::content::Content;
use super::metrics::Metrics;
use super::problem::Problem;
use crate::failure;
use crate::store::{Address, Ask, Bounds, ClusterError, Filter, Question, Store, StoreError};

/// What the answers that are kept may take, in bytes.
const MEMORY: u64 = 64 * 1024 * 1024;
/// How long an answer of a cluster, which does not tell of changes, is taken for current.
const CLUSTER_AGE: Duration = Duration::from_secs(5);
/// For how long its first and last tweet are.
const BOUNDS_AGE: Duration = Duration::from_secs(60);
/// How many questions may wait for their turn, and how long each is waited for.
const MOST_WAITING: usize = 256;
const LONGEST_WAIT: Duration = Duration::from_secs(20);
/// How many questions a cluster is asked at a time.
const CLUSTER_QUESTIONS: usize = 32;
/// How often an error of the store is logged, and its folder looked for.
const LOG_EVERY: Duration = Duration::from_secs(10);
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A store, and what it has answered.
pub(super) struct Answers {
    address: Address,
    /// Open from the first question on after it is there.
    store: OnceLock<Store>,
    kept: Cache<Key, Kept<Arc<Content>>, ByBytes>,
    /// What is being asked.
    flights: Mutex<HashMap<Key, Flight>>,
    bounds: Mutex<Option<Kept<Option<Bounds>>>>,
    turns: Semaphore,
    waiting: AtomicUsize,
    logged: Mutex<Option<Instant>>,
    looked: Mutex<(Instant, bool)>,
    metrics: Arc<Metrics>,
}

/// What was asked.
type Key = String;
type Landed = Result<Arc<Content>, Problem>;

/// An answer, and of what.
#[derive(Clone)]
struct Kept<T> {
    answer: T,
    /// Of the store, when it was asked; none if it does not tell.
    version: Option<u64>,
    asked: Instant,
}
/// Where the answer to a question will be, for all who wait for it.
type Flight = watch::Receiver<Option<Landed>>;

#[derive(Clone)]
struct ByBytes;

impl Weighter<Key, Kept<Arc<Content>>> for ByBytes {
    fn weight(&self, call: &Key, kept: &Kept<Arc<Content>>) -> u64 {
        (call.len() + kept.answer.weight() + 200) as u64
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
            kept: Cache::with_weighter(2_000, MEMORY, ByBytes),
            flights: Mutex::default(),
            bounds: Mutex::new(None),
            turns: Semaphore::new(n_turns),
            waiting: AtomicUsize::new(0),
            logged: Mutex::new(None),
            looked: Mutex::new((Instant::now(), true)),
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
    pub(super) async fn get(self: &Arc<Self>, call: Call) -> Landed {
        let key = format!("{call:?}");
        let mut flight = match self.known(&key) {
            Some(known) => {
                self.metrics.found("hit");
                return Ok(known);
            }
            None => self.flight(key, call),
        };
        let landed = flight.wait_for(Option::is_some);
        match tokio::time::timeout(LONGEST_WAIT, landed).await {
            Ok(Ok(landed)) => landed.clone().unwrap_or_else(|| Err(Problem::overloaded())),
            // It has crashed.
            Ok(Err(_)) => Err(unreadable()),
            Err(_) => Err(Problem::overloaded()),
        }
    }

    /// The answer that is kept, if it is still right.
    fn known(&self, key: &Key) -> Option<Arc<Content>> {
        let kept = self.kept.get(key)?;
        self.is_right(&kept, CLUSTER_AGE).then_some(kept.answer)
    }

    /// Whether the same would be answered now, as far as can be told.
    fn is_right<T>(&self, kept: &Kept<T>, longest: Duration) -> bool {
        match self.version() {
            Some(now) => kept.version == Some(now),
            None => kept.version.is_none() && kept.asked.elapsed() < longest,
        }
    }

    /// The question that is on its way, or a new one. It goes on whoever waits for it, so that its answer is there
    /// for whoever asks next.
    fn flight(self: &Arc<Self>, key: Key, call: Call) -> Flight {
        let mut flights = lock(&self.flights);
        if let Some(flight) = flights.get(&key) {
            self.metrics.found("shared");
            return flight.clone();
        }
        // It may have landed a moment ago.
        if let Some(known) = self.known(&key) {
            self.metrics.found("hit");
            return watch::channel(Some(Ok(known))).1;
        }
        self.metrics.found("miss");
        let (land, flight) = watch::channel(None);
        flights.insert(key.clone(), flight.clone());
        let answers = Arc::clone(self);
        tokio::spawn(async move {
            // Before it is asked: what changes meanwhile may be in the answer, or not.
            let version = answers.version();
            let landed = answers.ask(call).await;
            if let Ok(content) = &landed {
                let answer = Arc::clone(content);
                let kept = Kept { answer, version, asked: Instant::now() };
                answers.kept.insert(key.clone(), kept);
            }
            lock(&answers.flights).remove(&key);
            // All who have waited may have gone.
            let _ = land.send(Some(landed));
        });
        flight
    }

    /// Asks the store, when it is this question's turn.
    async fn ask(self: &Arc<Self>, call: Call) -> Landed {
        let waiting = Waiting::begin(&self.waiting).ok_or_else(Problem::overloaded)?;
        let turn = tokio::time::timeout(LONGEST_WAIT, self.turns.acquire()).await;
        let Ok(Ok(_turn)) = turn else { return Err(Problem::overloaded()) };
        drop(waiting);
        let answers = Arc::clone(self);
        let asked = tokio::task::spawn_blocking(move || answers.ask_now(&call)).await;
        asked.unwrap_or_else(|_| Err(unreadable())).map(Arc::new)
    }

    fn ask_now(&self, call: &Call) -> Result<Content, Problem> {
        let started = Instant::now();
        let problem = |error| self.problem(error);
        if !self.is_there() {
            return Err(problem(StoreError::Missing { path: Default::default() }));
        }
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
        let version = self.version();
        if let Some(kept) = &*lock(&self.bounds)
            && self.is_right(kept, BOUNDS_AGE)
        {
            return Ok(kept.answer);
        }
        let ask = Ask { filter: Filter::default(), question: Question::Bounds };
        let bounds = store.ask(&[ask])?.remove(0).bounds();
        let kept = Kept { answer: bounds, version, asked: Instant::now() };
        *lock(&self.bounds) = Some(kept);
        Ok(bounds)
    }

    /// Changes when answers may; none if the store does not tell.
    fn version(&self) -> Option<u64> {
        let store = self.store.get()?;
        if self.is_there() { store.version() } else { Some(u64::MAX) }
    }

    /// Whether the store's folder is still where it was: what is open can be read after it has been removed.
    fn is_there(&self) -> bool {
        let Address::Folder(path) = &self.address else { return true };
        let (at, was_there) = &mut *lock(&self.looked);
        if at.elapsed() >= LOOK_EVERY {
            (*at, *was_there) = (Instant::now(), path.exists());
        }
        *was_there
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
        let mut logged = lock(&self.logged);
        if logged.is_none_or(|at| at.elapsed() >= LOG_EVERY) {
            *logged = Some(Instant::now());
            failure::log(&error.into());
        }
        unreadable()
    }
}

fn unreadable() -> Problem {
    let detail = "the store cannot be read; the server's log says why";
    Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
