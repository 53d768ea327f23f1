//! Finds the objects and records in an event. The kind of an event is recognized by its content.
//!
//! Objects are announced by S3 itself, through SNS, SQS or both, or through EventBridge; each of these services wraps
//! the notification in its own way. Records arrive in Kinesis batches, or as rejects that somebody has put into a
//! queue to have them indexed again.

use std::borrow::Cow;
use std::fmt;

use aws_lambda_events::event::kinesis::KinesisEventRecord;
use aws_lambda_events::event::s3::S3Entity;
use aws_lambda_events::event::sqs::SqsMessage;
use bytes::Bytes;
use ingest::{Rejected, Timestamp};
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde_json::Value;

use crate::aws::s3::{S3Object, S3Uri};
use crate::pipeline::InMemory;

/// How many layers of wrapping are removed. A failed event in a queue, with SNS in SQS in it, has four.
const MAX_DEPTH: usize = 6;

/// An event, by the kind of answer that Lambda expects to it.
pub(super) enum Event {
    /// Succeeds or fails as a whole.
    Whole(Vec<Work>),
    /// Messages of a queue, each of which succeeds or fails separately.
    Messages(Vec<Message>),
    /// Records of a stream. If one fails, those before it are done, and Lambda sends the others again.
    Stream(Vec<StreamRecord>),
}

/// A message of a queue.
pub(super) struct Message {
    pub(super) id: String,
    pub(super) work: Result<Vec<Work>, Unknown>,
}

/// A record of a stream.
pub(super) struct StreamRecord {
    pub(super) sequence_number: String,
    pub(super) record: InMemory,
}

/// A part of an event: an object to read, or rejects that came in a message.
pub(super) enum Work {
    Object(S3Object),
    Rejects(InMemory),
}

/// An event, or a part of one, of a kind that indexer does not handle.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unknown {
    what: String,
}

impl fmt::Display for Unknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "indexer does not know this kind of event: {}; it accepts S3 notifications (directly, or through SNS, SQS or EventBridge), Kinesis records, and rejects in SQS",
            self.what
        )
    }
}

/// Parses the payload of an invocation.
pub(super) fn read(event: &Value) -> Result<Event, Unknown> {
    let records = event["Records"].as_array().map(Vec::as_slice).unwrap_or_default();
    match records.first().map(|first| first["eventSource"].as_str().unwrap_or_default()) {
        Some("aws:sqs") => Ok(Event::Messages(records.iter().map(message).collect())),
        Some("aws:kinesis") => {
            let records: Result<Vec<_>, _> = records.iter().map(stream_record).collect();
            Ok(Event::Stream(records?))
        }
        _ => objects(event, 0).map(Event::Whole),
    }
}

/// The objects that an event announces, with all layers of wrapping removed.
fn objects(event: &Value, depth: usize) -> Result<Vec<Work>, Unknown> {
    if depth > MAX_DEPTH {
        return Err(Unknown { what: "it is nested too deeply".to_owned() });
    }
    if let Some(records) = event["Records"].as_array() {
        let mut works = Vec::new();
        for record in records {
            works.extend(record_objects(record, depth)?);
        }
        return Ok(works);
    }
    if event["Event"] == "s3:TestEvent" {
        tracing::info!("S3 can reach this function: it sent its test event");
        return Ok(Vec::new());
    }
    if event["source"] == "aws.s3" && event["detail"].is_object() {
        return Ok(event_bridge_object(event)?.into_iter().map(Work::Object).collect());
    }
    if event["Type"] == "Notification"
        && let Some(message) = event["Message"].as_str()
    {
        return text_objects(message, depth);
    }
    // This is how Lambda wraps an event that it sends to an on-failure destination.
    if event["requestPayload"].is_object() {
        return objects(&event["requestPayload"], depth + 1);
    }
    Err(unknown(event))
}

fn record_objects(record: &Value, depth: usize) -> Result<Vec<Work>, Unknown> {
    if record["s3"].is_object() {
        return Ok(s3_object(record)?.into_iter().map(Work::Object).collect());
    }
    if let Some(message) = record["Sns"]["Message"].as_str() {
        return text_objects(message, depth);
    }
    if let Some(body) = record["body"].as_str() {
        return text_objects(body, depth);
    }
    Err(unknown(record))
}

fn text_objects(text: &str, depth: usize) -> Result<Vec<Work>, Unknown> {
    match serde_json::from_str::<Value>(text) {
        Ok(event) => objects(&event, depth + 1),
        Err(_) => Err(Unknown { what: format!("a message that is not JSON: {}", shortened(text)) }),
    }
}

/// The object that a record of S3 announces. `None` if the object was not created, or is empty.
fn s3_object(record: &Value) -> Result<Option<S3Object>, Unknown> {
    let name = record["eventName"].as_str().unwrap_or("ObjectCreated");
    let Ok(entity) = S3Entity::deserialize(&record["s3"]) else { return Err(unknown(record)) };
    let (Some(bucket), Some(key)) = (entity.bucket.name, entity.object.key) else {
        return Err(unknown(record));
    };
    // S3 encodes keys like the fields of an HTML form. `url_decoded_key` would be the decoded key, but the crate
    // leaves it empty.
    let key = percent_decode_str(&key.replace('+', " ")).decode_utf8_lossy().into_owned();
    let uri = S3Uri { bucket, key };
    let is_created = name.trim_start_matches("s3:").starts_with("ObjectCreated");
    let size = entity.object.size.and_then(|size| u64::try_from(size).ok());
    if !is_created || size == Some(0) {
        tracing::info!("nothing to do for {name} of {uri} with {size:?} bytes");
        return Ok(None);
    }
    Ok(Some(S3Object { version_id: entity.object.version_id, size, ..S3Object::at(uri) }))
}

/// What an event of EventBridge announces. It spells keys as they are.
fn event_bridge_object(event: &Value) -> Result<Option<S3Object>, Unknown> {
    let (detail, name) = (&event["detail"], event["detail-type"].as_str().unwrap_or_default());
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let (Some(bucket), Some(key)) =
        (text(&detail["bucket"]["name"]), text(&detail["object"]["key"]))
    else {
        return Err(unknown(event));
    };
    let uri = S3Uri { bucket, key };
    let size = detail["object"]["size"].as_u64();
    if name != "Object Created" || size == Some(0) {
        tracing::info!("nothing to do for {name} of {uri} with {size:?} bytes");
        return Ok(None);
    }
    let version_id = text(&detail["object"]["version-id"]);
    Ok(Some(S3Object { version_id, size, ..S3Object::at(uri) }))
}

fn message(record: &Value) -> Message {
    let Ok(message) = SqsMessage::deserialize(record) else {
        return Message { id: String::new(), work: Err(unknown(record)) };
    };
    let id = message.message_id.unwrap_or_default();
    let body = message.body.unwrap_or_default();
    let queue = message.event_source_arn.unwrap_or_default();
    let queue = queue.rsplit(':').next().unwrap_or_default();
    let work = match holds_rejects(&body) {
        true => Ok(vec![Work::Rejects(InMemory {
            name: format!("sqs:{queue}/{id}").into(),
            bytes: body.into(),
            written_at: None,
        })]),
        false => text_objects(&body, 0),
    };
    Message { id, work }
}

/// Whether a message is made of rejects, one a line.
fn holds_rejects(body: &str) -> bool {
    let mut values = serde_json::Deserializer::from_str(body).into_iter::<Rejected>();
    matches!(values.next(), Some(Ok(_)))
}

fn stream_record(record: &Value) -> Result<StreamRecord, Unknown> {
    let Ok(KinesisEventRecord { kinesis, event_source_arn, .. }) =
        KinesisEventRecord::deserialize(record)
    else {
        return Err(unknown(record));
    };
    let arn = event_source_arn.unwrap_or_default();
    let stream = arn.rsplit('/').next().unwrap_or_default();
    let sequence_number = kinesis.sequence_number;
    let written_at = kinesis.approximate_arrival_timestamp.timestamp_millis();
    let record = InMemory {
        name: format!("kinesis:{stream}/{sequence_number}").into(),
        bytes: Bytes::from(kinesis.data.0),
        written_at: Some(Timestamp::from_millis(written_at)),
    };
    Ok(StreamRecord { sequence_number, record })
}

/// Describes an unknown event by its source, or else by its keys or its value.
fn unknown(event: &Value) -> Unknown {
    let source = ["eventSource", "EventSource", "source", "Type"]
        .iter()
        .find_map(|key| event[*key].as_str().filter(|text| !text.is_empty()));
    let what = match (source, event.as_object()) {
        (Some(source), _) => format!("it comes from `{}`", shortened(source)),
        (None, Some(object)) if object.is_empty() => "it is empty".to_owned(),
        (None, Some(object)) => {
            let keys: Vec<&str> = object.keys().take(8).map(String::as_str).collect();
            format!("its keys are {}", shortened(&keys.join(", ")))
        }
        (None, None) => format!("it is {}", shortened(&event.to_string())),
    };
    Unknown { what }
}

fn shortened(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(120) {
        Some((end, _)) => format!("{}…", &text[..end]).into(),
        None => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    fn describe(works: &Result<Vec<Work>, Unknown>) -> String {
        let works = match works {
            Err(unknown) => return format!("unknown: {}", unknown.what),
            Ok(works) if works.is_empty() => return "nothing".to_owned(),
            Ok(works) => works,
        };
        let mut seen = Vec::new();
        for work in works {
            seen.push(match work {
                Work::Object(S3Object { uri, version_id, size, .. }) => {
                    format!("{uri} version {version_id:?} size {size:?}")
                }
                Work::Rejects(InMemory { name, bytes, .. }) => {
                    format!("{name}: {} lines of rejects", bytes.split(|&b| b == b'\n').count())
                }
            });
        }
        seen.join("\n  ")
    }

    /// A whole payload in a file each, written as AWS documents them; the snapshot is what is made of it.
    #[test]
    fn events_are_told_by_what_they_hold() {
        insta::glob!("../../test_data/events", "*.json", |path| {
            let json = std::fs::read_to_string(path).unwrap();
            let event: Value = serde_json::from_str(&json).unwrap();
            let mut seen = String::new();
            match read(&event) {
                Err(unknown) => writeln!(seen, "{unknown}").unwrap(),
                Ok(Event::Whole(works)) => {
                    writeln!(seen, "whole\n  {}", describe(&Ok(works))).unwrap()
                }
                Ok(Event::Messages(messages)) => {
                    for Message { id, work } in messages {
                        writeln!(seen, "message {id}\n  {}", describe(&work)).unwrap();
                    }
                }
                Ok(Event::Stream(records)) => {
                    for StreamRecord { sequence_number, record } in records {
                        let text = String::from_utf8_lossy(&record.bytes);
                        let time = record.written_at.unwrap();
                        writeln!(seen, "record {sequence_number} {} {time} {text:?}", record.name)
                            .unwrap();
                    }
                }
            }
            insta::assert_snapshot!(seen);
        });
    }

    #[test]
    fn wrappings_have_an_end() {
        let mut event = serde_json::json!({ "Event": "s3:TestEvent" });
        for _ in 0..10 {
            event = serde_json::json!({ "Type": "Notification", "Message": event.to_string() });
        }
        assert!(read(&event).is_err());
    }
}
