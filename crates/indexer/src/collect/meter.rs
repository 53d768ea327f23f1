//! What a collection counts while it runs, for the progress line, the report and Prometheus.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

use prometheus_client::encoding::text;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

use super::spool::Spool;
use crate::clock;

/// The counters of a run, shared by all of its threads.
pub(super) struct Meter {
    registry: Registry,
    /// Records that the source has delivered.
    pub(super) received: Counter,
    /// Records that a filter has kept out.
    pub(super) filtered: Counter,
    /// Records that cannot be passed on.
    pub(super) rejected: Counter,
    /// Records that were received before, and left out.
    pub(super) duplicates: Counter,
    /// Records that the destination has accepted.
    pub(super) sent: Counter,
    /// Records that were dropped because the spool was full.
    pub(super) dropped: Counter,
    /// Records that had to be sent again.
    pub(super) retried: Counter,
    /// How often the connection to the source was made again.
    pub(super) reconnects: Counter,
    /// Posts that X has delivered, and charges for.
    pub(super) posts: Counter,
    /// Profiles of users that X has delivered, and charges for.
    pub(super) users: Counter,
    /// What X charges for them, in dollars.
    pub(super) cost: Gauge<f64, AtomicU64>,
    /// Records in the spool.
    pub(super) waiting: Gauge<i64, AtomicI64>,
    /// What the spool takes on the disk.
    pub(super) spool: Gauge<i64, AtomicI64>,
    /// How far the newest record that was received lies behind the present.
    pub(super) lag: Gauge<f64, AtomicU64>,
    /// When the newest record that was received happened, in milliseconds since 1970; 0 if that is not known.
    newest: AtomicI64,
}

impl Meter {
    /// Notes what the spool holds.
    pub(super) fn holds(&self, spool: &Spool) {
        self.waiting.set(i64::try_from(spool.waiting()).unwrap_or(i64::MAX));
        self.spool.set(i64::try_from(spool.bytes()).unwrap_or(i64::MAX));
    }

    pub(super) fn new() -> Meter {
        let mut meter = Meter {
            registry: Registry::with_prefix("indexer_collect"),
            received: Counter::default(),
            filtered: Counter::default(),
            rejected: Counter::default(),
            duplicates: Counter::default(),
            sent: Counter::default(),
            dropped: Counter::default(),
            retried: Counter::default(),
            reconnects: Counter::default(),
            posts: Counter::default(),
            users: Counter::default(),
            cost: Gauge::default(),
            waiting: Gauge::default(),
            spool: Gauge::default(),
            lag: Gauge::default(),
            newest: AtomicI64::new(0),
        };
        let registry = &mut meter.registry;
        for (name, help, counter) in [
            ("received", "Records from the source", &meter.received),
            ("filtered", "Records that a filter has kept out", &meter.filtered),
            ("rejected", "Records that cannot be passed on", &meter.rejected),
            ("duplicates", "Records that had been received before", &meter.duplicates),
            ("sent", "Records that the destination has accepted", &meter.sent),
            ("dropped", "Records dropped because the spool was full", &meter.dropped),
            ("retried", "Records that had to be sent again", &meter.retried),
            ("reconnects", "Connections to the source that were made again", &meter.reconnects),
            ("x_posts", "Posts that X charges for", &meter.posts),
            ("x_users", "Profiles of users that X charges for", &meter.users),
        ] {
            registry.register(name, help, counter.clone());
        }
        registry.register("x_cost_dollars", "What X charges for this run", meter.cost.clone());
        registry.register("waiting", "Records in the spool", meter.waiting.clone());
        registry.register_with_unit("spool", "The spool", Unit::Bytes, meter.spool.clone());
        let help = "Age of the newest record";
        registry.register_with_unit("lag", help, Unit::Seconds, meter.lag.clone());
        meter
    }

    /// Takes note of when the newest record happened, in milliseconds since 1970.
    pub(super) fn happened(&self, at: i64) {
        self.newest.fetch_max(at, Ordering::Relaxed);
        self.lag.set(self.lag_seconds().unwrap_or_default());
    }

    /// How far the newest record lies behind the present, if there was one.
    pub(super) fn lag_seconds(&self) -> Option<f64> {
        let newest = self.newest.load(Ordering::Relaxed);
        (newest > 0).then(|| (clock::now() - newest).max(0) as f64 / 1000.0)
    }

    /// The progress line.
    pub(super) fn line(&self) -> String {
        let mut line = format!("{} received, {} sent", self.received.get(), self.sent.get());
        for (number, what) in [
            (self.filtered.get(), "filtered out"),
            (self.waiting.get().max(0) as u64, "waiting"),
            (self.dropped.get(), "dropped"),
        ] {
            if number > 0 {
                line += &format!(", {number} {what}");
            }
        }
        if let Some(lag) = self.lag_seconds() {
            line += &format!(", {lag:.1} s behind");
        }
        if self.posts.get() > 0 {
            line += &format!(", {} posts for {}", self.posts.get(), dollars(self.cost.get()));
        }
        line
    }

    /// The text that a scraper reads.
    pub(super) fn text(&self) -> String {
        self.lag.set(self.lag_seconds().unwrap_or_default());
        let mut out = String::new();
        // Writing to a string does not fail.
        let _ = text::encode(&mut out, &self.registry);
        out
    }
}

/// An amount of money: `$0.005`, `$12.50`.
pub(super) fn dollars(amount: f64) -> String {
    let is_whole_cents = ((amount * 100.0).round() - amount * 100.0).abs() < 1e-6;
    if is_whole_cents { format!("${amount:.2}") } else { format!("${amount:.3}") }
}
