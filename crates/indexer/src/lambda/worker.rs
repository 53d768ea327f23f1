//! Works off what an event announces, and answers for each part of it.

use std::collections::HashSet;
use std::sync::Arc;

use aws_lambda_events::event::sqs::{BatchItemFailure, SqsBatchResponse};
use aws_lambda_events::event::streams::{KinesisBatchItemFailure, KinesisEventResponse};
use ingest::Options;
use serde_json::{Value, json};

use super::checkpoint::Checkpoints;
use super::event::{self, Event, Message, StreamRecord, Work};
use super::fault::{DEADLINE, Fault, NOT_INDEXED, UNREADABLE};
use super::metrics::Metrics;
use super::object::Finished;
use crate::aws::s3::{Location, S3};
use crate::pipeline::{Ended, Output, Run, Small, StoreOutput};
use crate::rejects::{Name, Objects, Rejects};
use crate::stop::Stop;
use crate::store::{ClusterError, StoreError};

/// What is made once and lives as long as the environment that Lambda starts.
pub(super) struct Worker {
    pub(super) s3: S3,
    pub(super) store: StoreOutput,
    pub(super) options: Arc<Options>,
    pub(super) rejects: Option<Location>,
    pub(super) metrics: Metrics,
    /// Whether the cluster did not accept who we are: the secret may have been changed.
    pub(super) is_stale: bool,
}

/// Why an event has failed, as Lambda is told.
#[derive(Debug)]
pub(super) struct Refusal {
    /// For whoever counts errors.
    pub(super) kind: &'static str,
    pub(super) message: String,
}

/// One event, while it is being worked off.
pub(super) struct Shift<'w> {
    pub(super) worker: &'w mut Worker,
    pub(super) stop: Stop,
    pub(super) checkpoints: Option<Checkpoints>,
    /// What was done already, for events that announce an object twice.
    pub(super) done: HashSet<(Location, Option<String>)>,
    /// Why the rest need not be tried.
    over: Option<(&'static str, String)>,
}

impl Worker {
    /// A run into the store.
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

    /// Works off an event until `stop`.
    pub(super) fn handle(&mut self, event: &Value, stop: &Stop) -> Result<Value, Refusal> {
        let event = event::read(event)
            .map_err(|unknown| Refusal { kind: "UnknownEvent", message: unknown.to_string() })?;
        self.store.stop = stop.clone();
        if let Some(writer) = &mut self.store.writer {
            writer.renew(stop);
        }
        let into = format!("{} with {:?}", self.store.address, self.options);
        let checkpoints =
            self.rejects.as_ref().map(|rejects| Checkpoints::beside(rejects, &self.s3, into));
        let mut shift = Shift {
            worker: self,
            stop: stop.clone(),
            checkpoints,
            done: HashSet::new(),
            over: None,
        };
        match event {
            Event::Whole(works) => shift.whole(works),
            Event::Messages(messages) => Ok(shift.messages(messages)),
            Event::Stream(records) => Ok(shift.stream(records)),
        }
    }
}

impl Shift<'_> {
    fn whole(&mut self, works: Vec<Work>) -> Result<Value, Refusal> {
        let n_works = works.len();
        let faults = self.unit(works);
        let Some(first) = faults.first() else { return Ok(json!({ "objects": n_works })) };
        for fault in &faults {
            self.tell("the event", fault);
        }
        let messages: Vec<&str> = faults.iter().map(|fault| fault.message.as_str()).collect();
        let message = match n_works {
            1 => messages.join("; "),
            _ => format!("{} of {n_works} failed: {}", faults.len(), messages.join("; ")),
        };
        Err(Refusal { kind: first.kind, message })
    }

    fn messages(&mut self, messages: Vec<Message>) -> Value {
        let mut answer = SqsBatchResponse::default();
        for Message { id, work } in messages {
            let faults = match work {
                Ok(works) => self.unit(works),
                Err(unknown) => vec![Fault::of("UnknownEvent", unknown.to_string())],
            };
            for fault in &faults {
                self.tell(&format!("message {id}"), fault);
                tracing::error!(message_id = id, "the message {id} has failed: {}", fault.message);
            }
            if !faults.is_empty() {
                let mut failure = BatchItemFailure::default();
                failure.item_identifier = id;
                answer.batch_item_failures.push(failure);
            }
        }
        serde_json::to_value(answer).unwrap_or_default()
    }

    fn stream(&mut self, records: Vec<StreamRecord>) -> Value {
        let mut answer = KinesisEventResponse::default();
        let numbers: Vec<String> =
            records.iter().map(|record| record.sequence_number.clone()).collect();
        if numbers.is_empty() {
            return serde_json::to_value(answer).unwrap_or_default();
        }
        let name = records.first().map(|first| first.record.name.replace(':', "/"));
        let name = name.unwrap_or_default();
        let records = records.into_iter().map(|record| record.record).collect();
        let (safe, fault) = self.small(records, name.clone());
        if let Some(fault) = fault {
            self.tell(&name, &fault);
            let message = &fault.message;
            // Lambda repeats from there on.
            let number = numbers.get(safe).or(numbers.last()).cloned();
            tracing::error!(
                "the batch has failed at {}: {message}",
                number.as_deref().unwrap_or_default()
            );
            let mut failure = KinesisBatchItemFailure::default();
            failure.item_identifier = number;
            answer.batch_item_failures.push(failure);
        }
        serde_json::to_value(answer).unwrap_or_default()
    }

    /// Writes a line about a fault that came before anything was read.
    fn tell(&self, name: &str, fault: &Fault) {
        if !fault.is_told {
            self.worker.metrics.emit(name, &Ended::default(), 0, None, Some(fault));
        }
    }

    /// Works off what is done or fails together.
    fn unit(&mut self, works: Vec<Work>) -> Vec<Fault> {
        let is_only_one = works.len() == 1;
        let (mut faults, mut done) = (Vec::new(), Vec::new());
        for work in works {
            let fault = match work {
                Work::Rejects(small) => {
                    let name = small.name.replace(':', "/");
                    self.small(vec![small], name).1
                }
                Work::Object(object) => match self.object(object) {
                    Ok(object) => {
                        done.extend(object);
                        None
                    }
                    Err(fault) => Some(fault),
                },
            };
            if let Some(fault) = fault {
                if fault.is_common {
                    self.over = Some((fault.kind, fault.message.clone()));
                }
                faults.push(fault);
            }
        }
        if let Some(checkpoints) = &self.checkpoints {
            for Finished { object, etag, has_checkpoint } in done {
                // What is done need not be done again when the rest is.
                let is_over = faults.is_empty() || is_only_one;
                let kept = match etag {
                    _ if is_over && has_checkpoint => checkpoints.delete(&object),
                    Some(etag) if !is_over => checkpoints.save(&object, &etag, None),
                    _ => Ok(()),
                };
                if let Err(error) = kept {
                    tracing::warn!("{error:#}");
                }
            }
        }
        faults
    }

    /// The store could not be opened, or rejects could not be written, and nobody knows what is under way.
    pub(super) fn broken_off(&mut self, error: anyhow::Error) -> Fault {
        let store = error.chain().find_map(|cause| cause.downcast_ref::<StoreError>());
        self.worker.is_stale |= store.is_some_and(is_unauthorized);
        self.worker.store.writer = None;
        Fault { is_common: true, ..Fault::new(NOT_INDEXED, &error) }
    }

    /// Why a source that was read is not done, if it is not.
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
                "{name}: stopped before the function's timeout, {records} records are done and the next invocation goes on from there{why}"
            );
            return Some(Fault { is_common: true, ..Fault::of(DEADLINE, message) });
        }
        if let Some(error) = &ended.failure {
            let message = format!(
                "cannot index {name} beyond {records} records: {error}; hint: {}",
                error.hint()
            );
            return Some(Fault { is_common: true, ..Fault::of(NOT_INDEXED, message) });
        }
        if let Some(error) = ended.failed_sources.first() {
            return Some(Fault::new(UNREADABLE, error));
        }
        // Whatever the reason: what is not safe is not done.
        (ended.left > 0).then(|| {
            let message =
                format!("{} records of {name} are neither indexed nor rejected", ended.left);
            Fault::of(NOT_INDEXED, message)
        })
    }

    /// Indexes records that came with the event. Tells how many of them are safe.
    fn small(&mut self, records: Vec<Small>, name: String) -> (usize, Option<Fault>) {
        if let Err(fault) = self.may_begin(&name) {
            return (0, Some(fault));
        }
        let modified = records.first().and_then(|record| record.written_at);
        let mut rejects = match &self.worker.rejects {
            Some(prefix) => {
                let name = Name::Fixed(name.clone());
                Rejects::Objects(Objects::new(&self.worker.s3, prefix, name))
            }
            None => Rejects::Refused { first: None, count: 0 },
        };
        let cannot = || format!("cannot index {name}");
        let ended = match self.worker.run(&mut rejects, &self.stop).over_small(records) {
            Err(error) => return (0, Some(self.broken_off(error.context(cannot())))),
            Ok(ended) => ended,
        };
        let (safe, fault) = match rejects.finish() {
            Err(error) => (0, Some(Fault::new(NOT_INDEXED, &error.context(cannot())))),
            Ok(_) => (ended.checkpoint.position.records as usize, self.fault(&name, &ended)),
        };
        self.worker.metrics.emit(&name, &ended, 0, modified, fault.as_ref());
        (safe, fault.map(|fault| Fault { is_told: true, ..fault }))
    }

    /// Whether there is any use in beginning.
    pub(super) fn may_begin(&self, name: &str) -> Result<(), Fault> {
        let (kind, why) = match &self.over {
            _ if self.stop.is_set() => (DEADLINE, "the function's timeout is near"),
            Some((kind, why)) => (*kind, why.as_str()),
            None => return Ok(()),
        };
        Err(Fault::of(kind, format!("{name}: not begun, since {why}")))
    }
}

fn is_unauthorized(error: &StoreError) -> bool {
    matches!(error, StoreError::Cluster(ClusterError::Unauthorized { .. }))
}
