//! What Firehose and Kinesis have in common: records are put in batches, and of each batch the records that the service
//! has refused for the moment are put again.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::super::ladder::until_cut_off;
use super::super::spool::Position;
use crate::aws::json::{CallError, Service, call};
use crate::failure::{Context, Result};
use crate::runtime::runtime;
use crate::stop::Stop;

/// Calls an operation that a destination is set up with, and waits for the answer.
pub(super) fn ask(service: Service, operation: &str, body: &Value) -> Result<Value, CallError> {
    ask_until(service, operation, body, &Stop::default())
}

/// The same, until the run is cut off.
fn ask_until(
    service: Service,
    operation: &str,
    body: &Value,
    stop: &Stop,
) -> Result<Value, CallError> {
    let body = body.to_string();
    let runtime = runtime().map_err(|error| CallError::Unsigned(error.into()))?;
    let called = call(service, operation, None, body.as_bytes());
    let answer = runtime.block_on(until_cut_off(called, stop));
    answer.unwrap_or_else(|| Err(CallError::Unreachable("the run was stopped".to_owned())))
}

/// The delays between attempts: they double from a tenth of a second to ten seconds, with some randomness.
pub(super) struct Backoff {
    next: Duration,
}

impl Backoff {
    pub(super) fn new() -> Backoff {
        Backoff { next: Duration::from_millis(100) }
    }

    /// The next delay.
    pub(super) fn next(&mut self) -> Duration {
        let delay = self.next;
        self.next = (delay * 2).min(Duration::from_secs(10));
        delay.mul_f64(0.5 + fastrand::f64() / 2.0)
    }
}

/// Waits, or until the run is cut off. Returns whether the time is over.
pub(super) fn wait(delay: Duration, stop: &Stop) -> bool {
    let end = Instant::now() + delay;
    while Instant::now() < end {
        // Once the run is stopped, what is left has little time, and what fails now stays in the spool.
        if stop.is_set() && stop.is_cut_off() {
            return false;
        }
        let left = end.saturating_duration_since(Instant::now());
        std::thread::sleep(left.min(Duration::from_millis(20)));
    }
    !stop.is_cut_off()
}

/// Says that a service refuses records: when it begins to, every half minute after that, and when it is over.
pub(super) struct Reminder {
    service: &'static str,
    refusing_since: Option<Instant>,
    said: Option<Instant>,
}

impl Reminder {
    pub(super) fn new(service: &'static str) -> Reminder {
        Reminder { service, refusing_since: None, said: None }
    }

    pub(super) fn refused(&mut self, records: usize, why: &str) {
        let now = Instant::now();
        self.refusing_since.get_or_insert(now);
        if self.said.is_none_or(|said| now - said > Duration::from_secs(30)) {
            self.said = Some(now);
            tracing::warn!(
                "{} refused {records} records, which are sent again: {why}",
                self.service
            );
        }
    }

    pub(super) fn accepted(&mut self) {
        // A refusal now and then is normal.
        let refused_for = self.refusing_since.take().map(|since| since.elapsed());
        if refused_for.is_some_and(|time| time > Duration::from_secs(5)) {
            self.said = None;
            tracing::info!("{} accepts records again", self.service);
        }
    }
}

/// A record that is to be put.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) json: Value,
    pub(super) bytes: usize,
    /// The number of its chunk: see [`Chunks`].
    pub(super) chunk: u64,
}

impl Entry {
    /// The entry of a line, which must end with a line break.
    pub(super) fn new(line: &[u8], partition_key: Option<&str>, chunk: u64) -> Entry {
        let mut json = json!({ "Data": STANDARD.encode(line) });
        if let Some(key) = partition_key {
            json["PartitionKey"] = key.into();
        }
        Entry { json, bytes: line.len() + partition_key.map_or(0, str::len), chunk }
    }
}

/// How many entries, from the first on, fit into a request.
pub(super) fn fitting<'e>(
    entries: impl Iterator<Item = &'e Entry>,
    most_records: usize,
    most_bytes: usize,
) -> usize {
    let mut bytes = 0;
    let fits = |entry: &&Entry| {
        bytes += entry.bytes;
        bytes <= most_bytes
    };
    entries.take(most_records).take_while(fits).count()
}

/// The chunks that were taken, and how many of their records were not accepted yet.
#[derive(Default)]
pub(super) struct Chunks {
    first: u64,
    open: VecDeque<(usize, Position)>,
    accepted: Position,
}

impl Chunks {
    /// Adds a chunk of `records` and returns its number.
    pub(super) fn add(&mut self, records: usize, end: Position) -> u64 {
        self.open.push_back((records, end));
        self.first + self.open.len() as u64 - 1
    }

    /// Counts a record of a chunk as accepted.
    pub(super) fn accept(&mut self, chunk: u64) {
        if let Some((records, _)) = self.open.get_mut((chunk - self.first) as usize) {
            *records -= 1;
        }
    }

    /// The position up to which everything is accepted.
    pub(super) fn accepted(&mut self) -> Position {
        while let Some((0, end)) = self.open.front() {
            self.accepted = *end;
            self.open.pop_front();
            self.first += 1;
        }
        self.accepted
    }
}

/// What became of a batch that was put.
pub(super) enum Put {
    /// The service has answered, with what became of each record: `Ok`, or why it was refused for the moment.
    Answered(Vec<Result<(), String>>),
    /// It does not answer, or refuses all for the moment.
    Away(String),
}

/// Puts a batch, once.
///
/// # Errors
///
/// If the service will never accept it.
pub(super) fn put(
    service: Service,
    operation: &str,
    target: (&str, &str),
    answers: &str,
    batch: &[Entry],
    stop: &Stop,
) -> Result<Put> {
    let records: Vec<&Value> = batch.iter().map(|entry| &entry.json).collect();
    let body = json!({ target.0: target.1, "Records": records });
    let answer = match ask_until(service, operation, &body, stop) {
        Ok(answer) => answer,
        Err(error) if error.is_passing() => return Ok(Put::Away(error.to_string())),
        // The credentials were there when the destination was opened, and are renewed now.
        Err(error @ CallError::Unsigned(_)) => return Ok(Put::Away(error.to_string())),
        Err(error) => {
            return Err(error).with_context(|| format!("cannot put records into `{}`", target.1));
        }
    };
    let judged = answer[answers].as_array().map(Vec::as_slice).unwrap_or_default();
    if judged.len() != batch.len() {
        let why = format!("it returned results for {} of {} records", judged.len(), batch.len());
        return Ok(Put::Away(why));
    }
    let judged = judged.iter().map(|one| match one["ErrorCode"].as_str() {
        None => Ok(()),
        Some(code) => {
            let message = one["ErrorMessage"].as_str().unwrap_or_default();
            Err(format!("{code}: {message}"))
        }
    });
    Ok(Put::Answered(judged.collect()))
}
