//! Answers of the store. Each is asked for once, kept until the store changes, and shared by all clients that ask the
//! same meanwhile.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use quick_cache::Weighter;
use tokio::sync::Semaphore;

use super::call::Call;
use super::content::Content;
use super::metrics::Metrics;
use super::problem::Problem;
use super::questions::{Answers, Questions};
use super::range::Range;
use crate::failure::Failure;
use crate::store::{Address, Bounds, ClusterError, Filter, Question, Store, StoreError};

/// How many bytes the answers that are kept may take in all.
const MEMORY: u64 = 64 * 1024 * 1024;
/// About how many answers fit into that.
const EXPECTED_ANSWERS: usize = 2_000;
/// How long an answer of a cluster counts as current, since a cluster does not say when its documents change.
const CLUSTER_AGE: Duration = Duration::from_secs(5);
/// How long the times of a cluster's first and last tweet count as current.
const BOUNDS_AGE: Duration = Duration::from_secs(60);
/// How many calls may wait for their turn.
const MAX_WAITING: usize = 256;
/// How long a client waits for an answer.
const LONGEST_WAIT: Duration = Duration::from_secs(20);
/// How many calls a cluster is asked to answer at a time.
const CLUSTER_CALLS: usize = 32;
/// An error of the store is logged at most once in this time.
const LOG_EVERY: Duration = Duration::from_secs(10);
/// How often to check whether the store's folder still exists.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A store, and what it has answered.
pub(super) struct Cache {
    address: Address,
    /// The store, which is opened when the first question is asked.
    store: OnceLock<Store>,
    /// By [`Call::key`]. A failure is shared with the clients that are waiting for it, but never with later ones.
    answers: quick_cache::sync::Cache<String, Kept<Answered>, ByBytes>,
    bounds: Mutex<Option<Kept<Option<Bounds>>>>,
    turns: Semaphore,
    n_waiting: AtomicUsize,
    logged_at: Mutex<Option<Instant>>,
    /// When the folder was last looked for, and whether it was there.
    looked: Mutex<(Instant, bool)>,
    metrics: Arc<Metrics>,
}

type Answered = Result<Arc<Content>, Problem>;

/// Something that the store has answered.
#[derive(Clone)]
struct Kept<T> {
    answer: T,
    /// The store's version when it was asked; `None` if it was not open yet or, like a cluster, reports no version.
    version: Option<u64>,
    answered_at: Instant,
}

#[derive(Clone)]
struct ByBytes;

impl Weighter<String, Kept<Answered>> for ByBytes {
    fn weight(&self, key: &String, kept: &Kept<Answered>) -> u64 {
        let content = kept.answer.as_ref().map_or(0, |content| content.weight());
        (key.len() + content + 200) as u64
    }
}

impl Cache {
    pub(super) fn new(address: Address, metrics: Arc<Metrics>) -> Arc<Cache> {
        let n_turns = match address {
            // Questions to the embedded store keep the processors busy, so more at a time would not be faster.
            Address::Folder(_) => std::thread::available_parallelism().map_or(1, usize::from),
            Address::Cluster(_) => CLUSTER_CALLS,
        };
        Arc::new(Cache {
            address,
            store: OnceLock::new(),
            answers: quick_cache::sync::Cache::with_weighter(EXPECTED_ANSWERS, MEMORY, ByBytes),
            bounds: Mutex::new(None),
            turns: Semaphore::new(n_turns),
            n_waiting: AtomicUsize::new(0),
            logged_at: Mutex::new(None),
            looked: Mutex::new((Instant::now(), true)),
            metrics,
        })
    }

    /// The store, which is opened if it is not open yet.
    pub(super) fn open(&self) -> Result<&Store, StoreError> {
        if let Some(store) = self.store.get() {
            return Ok(store);
        }
        let store = Store::open(&self.address)?;
        Ok(self.store.get_or_init(|| store))
    }

    /// The answer to a call. The store is asked only if no current answer is kept and nobody else is asking the same.
    pub(super) async fn get(self: &Arc<Self>, call: Call) -> Answered {
        let key = call.key();
        if let Some(kept) = self.answers.get(&key)
            && self.is_current(&kept)
        {
            self.metrics.found("hit");
            return kept.answer;
        }
        self.answers.remove_if(&key, |kept| !self.is_current(kept));
        let cache = Arc::clone(self);
        // On a task of its own, so that it goes on even if the client leaves: others may be waiting for the same
        // answer, and the next client that asks can use it.
        let asked = tokio::spawn(async move {
            let place = match cache.answers.get_value_or_guard_async(&key).await {
                Ok(kept) => {
                    cache.metrics.found("shared");
                    return kept.answer;
                }
                Err(place) => place,
            };
            cache.metrics.found("miss");
            // Taken before the question: what changes while it is answered may or may not be in the answer.
            let version = cache.version();
            let answer = cache.ask(call).await;
            // An answer that cannot be kept is returned all the same.
            let _ =
                place.insert(Kept { answer: answer.clone(), version, answered_at: Instant::now() });
            answer
        });
        match tokio::time::timeout(LONGEST_WAIT, asked).await {
            Ok(answer) => answer.unwrap_or_else(|_| Err(Problem::internal())),
            Err(_) => Err(Problem::overloaded()),
        }
    }

    fn is_current(&self, kept: &Kept<Answered>) -> bool {
        kept.answer.is_ok() && self.still_holds(kept, CLUSTER_AGE)
    }

    /// Whether something that was kept is still current: the store's version has not changed or, if it reports none,
    /// less time than `longest` has passed.
    fn still_holds<T>(&self, kept: &Kept<T>, longest: Duration) -> bool {
        match self.version() {
            Some(now) => kept.version == Some(now),
            None => kept.version.is_none() && kept.answered_at.elapsed() < longest,
        }
    }

    /// Asks the store when it is this call's turn.
    async fn ask(self: &Arc<Self>, call: Call) -> Answered {
        let waiting = Waiting::begin(&self.n_waiting).ok_or_else(Problem::overloaded)?;
        let turn = tokio::time::timeout(LONGEST_WAIT, self.turns.acquire()).await;
        let Ok(Ok(_turn)) = turn else { return Err(Problem::overloaded()) };
        drop(waiting);
        let cache = Arc::clone(self);
        let asked = tokio::task::spawn_blocking(move || cache.ask_now(call)).await;
        asked.unwrap_or_else(|_| Err(Problem::internal())).map(Arc::new)
    }

    fn ask_now(&self, call: Call) -> Result<Content, Problem> {
        let Call { filter, endpoint } = call;
        let started = Instant::now();
        let problem = |error| self.problem(error);
        if !self.is_there() {
            return Err(problem(StoreError::Missing { path: Default::default() }));
        }
        let store = self.open().map_err(problem)?;
        let bounds = match endpoint.needs_bounds() {
            true => self.bounds(store).map_err(problem)?,
            false => None,
        };
        let mut questions = Questions::default();
        let reply = endpoint.ask(&Range { filter, bounds }, &mut questions);
        let answers = store.ask(questions.asks()).map_err(problem)?;
        let json = reply(&mut Answers::from(answers));
        self.metrics.asked(started.elapsed());
        Ok(Content::json(json.to_string().into_bytes()))
    }

    /// When the first and the last tweet of the store were written.
    fn bounds(&self, store: &Store) -> Result<Option<Bounds>, StoreError> {
        let version = self.version();
        if let Some(kept) = &*lock(&self.bounds)
            && self.still_holds(kept, BOUNDS_AGE)
        {
            return Ok(kept.answer);
        }
        let bounds = store.ask_one(&Filter::default(), Question::Bounds)?.bounds();
        *lock(&self.bounds) = Some(Kept { answer: bounds, version, answered_at: Instant::now() });
        Ok(bounds)
    }

    /// A number that changes whenever answers may have changed, also when the store's folder is removed. `None` if the
    /// store is not open yet, or reports no version.
    fn version(&self) -> Option<u64> {
        let store = self.store.get()?;
        if self.is_there() { store.version() } else { Some(u64::MAX) }
    }

    /// Whether the store's folder still exists. An open store could go on reading files that have been removed.
    fn is_there(&self) -> bool {
        let Address::Folder(path) = &self.address else { return true };
        let (at, was_there) = &mut *lock(&self.looked);
        if at.elapsed() >= LOOK_EVERY {
            (*at, *was_there) = (Instant::now(), path.exists());
        }
        *was_there
    }

    /// What a client is told about an error of the store. The details go to the log, for the server's operator.
    fn problem(&self, error: StoreError) -> Problem {
        if matches!(
            error,
            StoreError::Missing { .. } | StoreError::Cluster(ClusterError::Empty { .. })
        ) {
            let detail = "there are no tweets yet; fill the store: indexer backfill tweets.csv";
            return Problem::new(StatusCode::SERVICE_UNAVAILABLE, detail);
        }
        let mut logged_at = lock(&self.logged_at);
        if logged_at.is_none_or(|at| at.elapsed() >= LOG_EVERY) {
            *logged_at = Some(Instant::now());
            Failure::from(error).log();
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

/// A call that waits for its turn; it is counted until this is dropped.
struct Waiting<'n>(&'n AtomicUsize);

impl Waiting<'_> {
    /// `None` if [`MAX_WAITING`] calls are waiting already.
    fn begin(n: &AtomicUsize) -> Option<Waiting<'_>> {
        let waiting = Waiting(n);
        (n.fetch_add(1, Ordering::Relaxed) < MAX_WAITING).then_some(waiting)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
