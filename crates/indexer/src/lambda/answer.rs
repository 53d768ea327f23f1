//! What is answered to an event: that all of it is done, or which parts have failed.

use std::collections::HashSet;

use aws_lambda_events::event::sqs::{BatchItemFailure, SqsBatchResponse};
use aws_lambda_events::event::streams::{KinesisBatchItemFailure, KinesisEventResponse};
use serde_json::{Value, json};

use super::checkpoint::Checkpoints;
use super::event::{self, Event, Message, StreamRecord, Work};
use super::fault::{Fault, Refusal};
use super::object::Finished;
use super::worker::{Shift, Worker};
use crate::pipeline::Ended;
use crate::stop::Stop;
use crate::store::Writer;

impl Worker {
    /// Handles an event, at most until `stop` is set.
    pub(super) fn handle(&mut self, event: &Value, stop: &Stop) -> Result<Value, Refusal> {
        let event = event::read(event)
            .map_err(|unknown| Refusal { kind: "UnknownEvent", message: unknown.to_string() })?;
        self.store.stop = stop.clone();
        if let Some(Writer::Elasticsearch(cluster)) = &mut self.store.writer {
            cluster.renew(stop.clone());
        }
        // A checkpoint is only valid for the same store and the same options.
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
        let (safe, fault) = self.in_memory(records, name.clone());
        if let Some(fault) = fault {
            self.tell(&name, &fault);
            let message = &fault.message;
            // Lambda sends the records again from this one on.
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

    /// Writes a line of metrics about a fault that occurred before anything was read. Other faults have their line
    /// already.
    fn tell(&self, name: &str, fault: &Fault) {
        if !fault.is_told {
            self.worker.metrics.emit(name, &Ended::default(), 0, None, Some(fault));
        }
    }

    /// Processes parts that succeed or fail together: those of a whole event, or of one message. Returns the faults
    /// of those that failed.
    fn unit(&mut self, works: Vec<Work>) -> Vec<Fault> {
        let is_only_one = works.len() == 1;
        let (mut faults, mut done) = (Vec::new(), Vec::new());
        for work in works {
            let fault = match work {
                Work::Rejects(records) => {
                    let name = records.name.replace(':', "/");
                    self.in_memory(vec![records], name).1
                }
                Work::Object(object) => {
                    let name = object.uri.to_string();
                    match self.survive(|shift| shift.object(object)) {
                        Some(Ok(object)) => {
                            done.extend(object);
                            None
                        }
                        Some(Err(fault)) => Some(fault),
                        None => Some(Fault::internal(&name)),
                    }
                }
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
                // If another part has failed, all of them will be sent again. A checkpoint with nothing left to read
                // then says that this object is done. Otherwise its checkpoint is no longer needed.
                let is_over = faults.is_empty() || is_only_one;
                let kept = match etag {
                    _ if is_over && has_checkpoint => checkpoints.delete(&object),
                    Some(etag) if !is_over => checkpoints.save(&object, &etag, None),
                    _ => Ok(()),
                };
                if let Err(error) = kept {
                    tracing::warn!("{}", error.story());
                }
            }
        }
        faults
    }
}
