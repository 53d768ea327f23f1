//! What the server counts, as Prometheus reads it.

use std::sync::atomic::AtomicI64;
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

/// The server's metrics.
pub(super) struct Metrics {
    registry: Registry,
    requests: Family<Request, Counter>,
    durations: Family<Endpoint, Histogram>,
    answers: Family<Found, Counter>,
    questions: Histogram,
    /// Connections that are open.
    pub(super) connections: Gauge<i64, AtomicI64>,
    /// Connections that were turned away because too many were open.
    pub(super) turned_away: Counter,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    endpoint: &'static str,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Endpoint {
    endpoint: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Found {
    cache: &'static str,
}

/// The content type of [`Metrics::text`].
pub(super) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

impl Metrics {
    pub(super) fn new() -> Metrics {
        let histogram: fn() -> Histogram =
            || Histogram::new(exponential_buckets(0.000_25, 2.0, 16));
        let mut metrics = Metrics {
            registry: Registry::with_prefix("indexer"),
            requests: Family::default(),
            durations: Family::new_with_constructor(histogram),
            answers: Family::default(),
            questions: histogram(),
            connections: Gauge::default(),
            turned_away: Counter::default(),
        };
        let Metrics { registry, requests, durations, answers, questions, connections, turned_away } =
            &mut metrics;
        registry.register("http_requests", "Requests answered", requests.clone());
        let help = "Time to an answer";
        registry.register_with_unit(
            "http_request_duration",
            help,
            Unit::Seconds,
            durations.clone(),
        );
        registry.register(
            "answers",
            "Answers of the API: from the cache (hit), of a question already under way (shared), or of a new question (miss)",
            answers.clone(),
        );
        let help = "Time until the store has answered";
        registry.register_with_unit("store_questions", help, Unit::Seconds, questions.clone());
        registry.register("http_connections", "Connections open", connections.clone());
        registry.register(
            "http_turned_away",
            "Connections turned away because too many were open",
            turned_away.clone(),
        );
        metrics
    }

    /// Counts a request, and records how long it took to answer it.
    pub(super) fn answered(&self, endpoint: &'static str, status: u16, after: Duration) {
        self.requests.get_or_create(&Request { endpoint, status }).inc();
        self.durations.get_or_create(&Endpoint { endpoint }).observe(after.as_secs_f64());
    }

    /// Counts whether an answer was in the cache (`hit`), was being asked for already (`shared`), or neither (`miss`).
    pub(super) fn found(&self, cache: &'static str) {
        self.answers.get_or_create(&Found { cache }).inc();
    }

    /// Records how long the store took to answer a call.
    pub(super) fn asked(&self, after: Duration) {
        self.questions.observe(after.as_secs_f64());
    }

    /// The text that a scraper reads.
    pub(super) fn text(&self) -> String {
        let mut out = String::new();
        // Writing to a string does not fail.
        let _ = text::encode(&mut out, &self.registry);
        out
    }
}
