//! Works off what an event announces, and answers for each part of it.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use aws_lambda_events::event::sqs::{BatchItemFailure, SqsBatchResponse};
use aws_lambda_events::event::streams::{KinesisBatchItemFailure, KinesisEventResponse};
use ingest::{Checkpoint, Options, Rejected, Stage};
use serde_json::{Value, json};

use super::checkpoint::{Checkpoints, Left, digest};
use super::event::{self, Event, Message, StreamRecord, Work};
use super::metrics::{Metrics, Outcome};
use crate::aws::s3::{Location, Object, S3};
use crate::failure;
use crate::pipeline::{Ended, Output, Run, Small, StoreOutput};
use crate::rejects::{Objects, Rejects};
use crate::source::{ObjectSource, Source};
use crate::stop::Stop;

/// The longest part of a source's key that is part of the names of its rejects, in bytes; S3 allows 1,024 in all.
const MAX_NAME_BYTES: usize = 600;

/// What is made once and lives as long as the environment that Lambda starts.
pub(super) struct Worker {
    pub(super) s3: S3,
    pub(super) store: StoreOutput,
    pub(super) options: Arc<Options>,
    pub(super) rejects: Option<Location>,
    pub(super) metrics: Metrics,
}

/// Why an event has failed, as Lambda is told.
#[derive(Debug)]
pub(super) struct Refusal {
    /// For whoever counts errors.
    pub(super) kind: &'static str,
    pub(super) message: String,
}

/// Why a part of an event has failed.
struct Fault {
    kind: &'static str,
    message: String,
    /// Whether the rest of the event would fail in the same way.
    is_common: bool,
}

impl Fault {
    fn new(kind: &'static str, error: &anyhow::Error) -> Fault {
        let hint = failure::hint(error).map(|hint| format!("; hint: {hint}")).unwrap_or_default();
        Fault { kind, message: format!("{error:#}{hint}"), is_common: false }
    }
}

const DEADLINE: &str = "DeadlineReached";
const NOT_INDEXED: &str = "NotIndexed";
const UNREADABLE: &str = "Unreadable";

/// One event, while it is being worked off.
struct Shift<'w> {
    worker: &'w mut Worker,
    stop: Stop,
    checkpoints: Option<Checkpoints>,
    /// What was done already, for events that announce an object twice.
    done: HashMap<(String, String, Option<String>), bool>,
    /// Why the rest need not be tried.
    over: Option<(&'static str, String)>,
}

impl Worker {
    /// Works off an event until `stop`.
    pub(super) fn handle(&mut self, event: &Value, stop: &Stop) -> Result<Value, Refusal> {
        let event = event::read(event)
            .map_err(|unknown| Refusal { kind: "UnknownEvent", message: unknown.to_string() })?;
        self.store.stop = stop.clone();
        if let Some(writer) = &mut self.store.writer {
            writer.renew(stop);
        }
        let checkpoints =
            self.rejects.as_ref().map(|rejects| Checkpoints::beside(rejects, &self.s3));
        let mut shift = Shift {
            worker: self,
            stop: stop.clone(),
            checkpoints,
            done: HashMap::new(),
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
                Err(unknown) => {
                    let fault = Fault {
                        kind: "UnknownEvent",
                        message: unknown.to_string(),
                        is_common: false,
                    };
                    vec![fault]
                }
            };
            for Fault { message, .. } in &faults {
                tracing::error!(message_id = id, "the message {id} has failed: {message}");
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
        let Some(first) = numbers.first() else {
            return serde_json::to_value(answer).unwrap_or_default();
        };
        let name = format!("kinesis/{first}");
        let records = records.into_iter().map(|record| record.record).collect();
        let (safe, fault) = self.small(records, name);
        if let Some(Fault { message, .. }) = fault {
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

    /// Reads an object into the store. Tells what was done, if anything was.
    fn object(&mut self, mut object: Object) -> Result<Option<Finished>, Fault> {
        let Location { bucket, key } = object.location.clone();
        let same = (bucket, key, object.version_id.clone());
        if self.done.contains_key(&same) {
            return Ok(None);
        }
        self.may_begin(&object.location.to_string())?;
        if self.checkpoints.as_ref().is_some_and(|kept| kept.covers(&object.location)) {
            tracing::warn!(
                "{} is a checkpoint: the trigger's prefix covers REJECTS_URL",
                object.location
            );
            return Ok(None);
        }
        let (left, has_checkpoint) = match &self.checkpoints {
            Some(checkpoints) => checkpoints.load(&mut object).map_err(|error| {
                Fault::new(NOT_INDEXED, &error.context(object.location.to_string()))
            })?,
            None => (Left::All, false),
        };
        let from = match left {
            Left::All => Checkpoint::default(),
            Left::From(checkpoint) => checkpoint,
            Left::Nothing => {
                return Ok(Some(Finished { object, etag: None, has_checkpoint }));
            }
        };
        let etag = self.read_object(&object, from)?;
        self.done.insert(same, true);
        Ok(Some(Finished { object, etag, has_checkpoint }))
    }

    fn read_object(&mut self, object: &Object, from: Checkpoint) -> Result<Option<String>, Fault> {
        let name = object.location.to_string();
        let started_at = from.position.records;
        let from_mark = from.position.offset > 0;
        let mut rejects = self.rejects_of(object, started_at);
        let seen = Arc::new(OnceLock::new());
        let source = ObjectSource {
            s3: self.worker.s3.clone(),
            object: object.clone(),
            from: Some(from.clone()),
            seen: Arc::clone(&seen),
        };
        let run = Run {
            options: Arc::clone(&self.worker.options),
            output: Output::Store(&mut self.worker.store),
            rejects: &mut rejects,
            stop: self.stop.clone(),
            readers: 1,
            journal: None,
        };
        let ran = run.over_from(Source::Object(Box::new(source)), from);
        let mut ended = ran.map_err(|error| {
            // The store could not be opened, or rejects could not be written.
            let mut fault = Fault::new(NOT_INDEXED, &error.context(format!("cannot index {name}")));
            fault.is_common = true;
            fault
        })?;
        let etag = seen.get().and_then(|object: &Object| object.etag.clone());
        let modified = seen.get().and_then(|object| object.modified);
        let damage = damage(&ended);
        if let (Some(damage), false) = (&damage, from_mark) {
            ended.failed_sources.clear();
            ended.report.failed_sources = 0;
            self.reject_rest(damage, object, &mut ended, &mut rejects)?;
        }
        let written = rejects.finish();
        let fault = match written {
            Err(error) => {
                Some(Fault::new(NOT_INDEXED, &error.context(format!("cannot index {name}"))))
            }
            Ok(_) => self.fault(&name, &ended),
        };
        let outcome = match &fault {
            None => Outcome::Done,
            Some(fault) if fault.kind == DEADLINE => Outcome::Stopped,
            Some(_) => Outcome::Failed,
        };
        self.worker.metrics.emit(&name, &ended, started_at, modified, outcome);
        let Some(fault) = fault else { return Ok(etag) };
        if let (Some(checkpoints), Some(etag)) = (&self.checkpoints, &etag) {
            let kept = if from_mark && damage.is_some() {
                // It may be the mark that is damaged.
                checkpoints.delete(object)
            } else if ended.checkpoint.position.records > started_at {
                checkpoints.save(object, etag, Some(ended.checkpoint))
            } else {
                Ok(())
            };
            if let Err(error) = kept {
                tracing::warn!("{name} will be read again from where it was begun: {error:#}");
            }
        }
        Err(fault)
    }

    /// What comes after the damage in an object is one reject: reading it again would find the same.
    fn reject_rest(
        &self,
        damage: &Damage,
        object: &Object,
        ended: &mut Ended,
        rejects: &mut Rejects,
    ) -> Result<(), Fault> {
        let Damage::Broken(what) = damage else { return Ok(()) };
        let line = ended.checkpoint.position.line + 1;
        let reason = format!("the object cannot be read further: {what}");
        let mut rejected = Rejected::new(line, Stage::Read, reason, b"");
        rejected.source = object.location.to_string();
        rejected.raw_cut_from = object.size.and_then(|size| usize::try_from(size).ok());
        rejects.write(&rejected).map_err(|error| Fault::new(NOT_INDEXED, &error))?;
        tracing::warn!("{} cannot be read beyond line {line}: {what}", object.location);
        ended.report.read += 1;
        ended.report.rejected += 1;
        Ok(())
    }

    /// Why a source that was read is not done, if it is not.
    fn fault(&self, name: &str, ended: &Ended) -> Option<Fault> {
        let records = ended.checkpoint.position.records;
        if self.stop.is_set() && (ended.is_stopped || ended.failure.is_some()) {
            let why = match &ended.failure {
                Some(error) => format!("; {error}"),
                None => String::new(),
            };
            let message = format!(
                "{name}: stopped before the function's timeout, {records} records are done and the next invocation goes on from there{why}"
            );
            return Some(Fault { kind: DEADLINE, message, is_common: true });
        }
        if let Some(error) = &ended.failure {
            let message = format!(
                "cannot index {name} beyond {records} records: {error}; hint: {}",
                error.hint()
            );
            return Some(Fault { kind: NOT_INDEXED, message, is_common: true });
        }
        let error = ended.failed_sources.first()?;
        Some(Fault::new(UNREADABLE, error))
    }

    /// Indexes records that came with the event. Tells how many of them are safe.
    fn small(&mut self, records: Vec<Small>, name: String) -> (usize, Option<Fault>) {
        if let Err(fault) = self.may_begin(&name) {
            return (0, Some(fault));
        }
        let modified = records.first().and_then(|record| record.written_at);
        let mut rejects = match &self.worker.rejects {
            Some(prefix) => Rejects::Objects(Objects::new(&self.worker.s3, prefix, name.clone())),
            None => Rejects::Refused { first: None, count: 0 },
        };
        let run = Run {
            options: Arc::clone(&self.worker.options),
            output: Output::Store(&mut self.worker.store),
            rejects: &mut rejects,
            stop: self.stop.clone(),
            readers: 1,
            journal: None,
        };
        let ended = run.over_small(records);
        let ended = ended.and_then(|ended| rejects.finish().map(|_| ended));
        match ended {
            Err(error) => (0, Some(Fault::new(NOT_INDEXED, &error))),
            Ok(ended) => {
                let fault = self.fault(&name, &ended);
                let outcome = if fault.is_none() { Outcome::Done } else { Outcome::Failed };
                self.worker.metrics.emit(&name, &ended, 0, modified, outcome);
                (ended.checkpoint.position.records as usize, fault)
            }
        }
    }

    /// Whether there is any use in beginning.
    fn may_begin(&self, name: &str) -> Result<(), Fault> {
        let (kind, why) = match &self.over {
            _ if self.stop.is_set() => (DEADLINE, "the function's timeout is near"),
            Some((kind, why)) => (*kind, why.as_str()),
            None => return Ok(()),
        };
        Err(Fault { kind, message: format!("{name}: not begun, since {why}"), is_common: false })
    }

    fn rejects_of(&self, object: &Object, started_at: u64) -> Rejects {
        let Some(prefix) = &self.worker.rejects else {
            return Rejects::Refused { first: None, count: 0 };
        };
        if prefix.covers(&object.location) {
            tracing::info!("{} holds rejects: what is rejected again stays there", object.location);
            return Rejects::Kept;
        }
        let Location { bucket, key } = &object.location;
        let cut = (0..=MAX_NAME_BYTES.min(key.len())).rev().find(|at| key.is_char_boundary(*at));
        let key = &key[..cut.unwrap_or_default()];
        let name = format!("{bucket}/{key}.{}-{started_at}", &digest(object)[..8]);
        Rejects::Objects(Objects::new(&self.worker.s3, prefix, name))
    }
}

/// An object that was read to its end.
struct Finished {
    object: Object,
    etag: Option<String>,
    has_checkpoint: bool,
}

/// What is wrong with an object itself.
enum Damage {
    /// There is nothing in it.
    Empty,
    /// It cannot be read, or not to its end.
    Broken(String),
}

/// What is wrong with the object itself, if that is why it was not read to its end.
fn damage(ended: &Ended) -> Option<Damage> {
    match ended.failed_sources.first()?.downcast_ref::<ingest::Error>()? {
        ingest::Error::Io(_) => None,
        ingest::Error::Empty => Some(Damage::Empty),
        error => Some(Damage::Broken(match std::error::Error::source(error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        })),
    }
}
