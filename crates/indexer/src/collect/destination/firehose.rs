//! Amazon Data Firehose: `PutRecordBatch`, with a line end after each record.
//!
//! Limits: 500 records and 4 MiB in a request, 1,000 KiB in a record
//! (<https://docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html>).

use std::collections::VecDeque;

use serde_json::json;

use super::super::meter::Meter;
use super::super::spool::{Chunk, Position};
use super::put::{Backoff, Chunks, Entry, Put, Reminder, ask, fitting, put, wait};
use crate::aws::json::Service;
use crate::config::NewFirehose;
use crate::failure::{Context, Failure, Result};
use crate::stop::Stop;

const FIREHOSE: Service = Service { name: "firehose", id: "FIREHOSE", target: "Firehose_20150804" };
const MAX_RECORDS: usize = 500;
const MAX_BYTES: usize = 4 * 1024 * 1024;
/// The longest record.
pub(in super::super) const MAX_RECORD_BYTES: usize = 1000 * 1024;

/// A delivery stream.
pub(crate) struct Firehose {
    stream: String,
    waiting: VecDeque<Entry>,
    chunks: Chunks,
    backoff: Backoff,
    reminder: Reminder,
}

impl Firehose {
    /// Finds a delivery stream, or makes it if it is not there and `create` says how.
    ///
    /// # Errors
    ///
    /// If it is not there, or Firehose cannot be reached.
    pub(super) fn open(stream: &str, create: Option<&NewFirehose>) -> Result<Firehose> {
        let describe = json!({ "DeliveryStreamName": stream });
        match ask(FIREHOSE, "DescribeDeliveryStream", &describe) {
            Ok(_) => {}
            // Whoever may put records need not be allowed to describe the stream.
            Err(error) if error.is("AccessDeniedException") => {}
            Err(error) if error.is("ResourceNotFoundException") => match create {
                Some(new) => make(stream, new)?,
                None => {
                    let failure = Failure::new(format!(
                        "there is no Firehose stream `{stream}` in this region"
                    ));
                    return Err(failure.with_hint(
                        "check the name and AWS_REGION, or have it made: --create --create-bucket BUCKET --create-role ARN",
                    ));
                }
            },
            Err(error) => {
                return Err(error)
                    .with_context(|| format!("cannot use the Firehose stream `{stream}`"));
            }
        }
        Ok(Firehose {
            stream: stream.to_owned(),
            waiting: VecDeque::new(),
            chunks: Chunks::default(),
            backoff: Backoff::new(),
            reminder: Reminder::new("Firehose"),
        })
    }

    pub(super) fn take(
        &mut self,
        chunk: Chunk,
        end: Position,
        meter: &Meter,
        stop: &Stop,
    ) -> Result<()> {
        let lines = || chunk.lines.split_inclusive(|byte| *byte == b'\n');
        let number = self.chunks.add(lines().count(), end);
        for line in lines() {
            self.waiting.push_back(Entry::new(line, None, number));
        }
        while self.waiting.len() >= MAX_RECORDS {
            if !self.put(meter, stop)? {
                break;
            }
        }
        Ok(())
    }

    pub(super) fn settle(&mut self, meter: &Meter, stop: &Stop) -> Result<Position> {
        while !self.waiting.is_empty() && self.put(meter, stop)? {}
        Ok(self.chunks.accepted())
    }

    /// Puts a batch. What is refused of it goes with the next one. Returns false if the run was cut off.
    fn put(&mut self, meter: &Meter, stop: &Stop) -> Result<bool> {
        let length = fitting(self.waiting.iter(), MAX_RECORDS, MAX_BYTES);
        let batch: Vec<Entry> = self.waiting.drain(..length).collect();
        let target = ("DeliveryStreamName", self.stream.as_str());
        let put = put(FIREHOSE, "PutRecordBatch", target, "RequestResponses", &batch, stop)?;
        let (refused, why) = match put {
            Put::Away(why) => (batch, why),
            Put::Answered(judged) => {
                let mut why = String::new();
                let mut refused = Vec::new();
                for (entry, judged) in batch.into_iter().zip(judged) {
                    match judged {
                        Ok(()) => {
                            self.chunks.accept(entry.chunk);
                            meter.sent.inc();
                        }
                        Err(reason) => {
                            why = reason;
                            refused.push(entry);
                        }
                    }
                }
                (refused, why)
            }
        };
        let n_refused = refused.len();
        refused.into_iter().rev().for_each(|entry| self.waiting.push_front(entry));
        if n_refused < length {
            self.backoff = Backoff::new();
        }
        if n_refused == 0 {
            self.reminder.accepted();
            return Ok(true);
        }
        meter.retried.inc_by(n_refused as u64);
        self.reminder.refused(n_refused, &why);
        Ok(wait(self.backoff.next(), stop))
    }
}

fn make(stream: &str, new: &NewFirehose) -> Result<()> {
    // China and GovCloud have partitions of their own.
    let partition = new.role.split(':').nth(1).unwrap_or("aws");
    let body = json!({
        "DeliveryStreamName": stream,
        "DeliveryStreamType": "DirectPut",
        "ExtendedS3DestinationConfiguration": {
            "RoleARN": new.role,
            "BucketARN": format!("arn:{partition}:s3:::{}", new.bucket),
            "Prefix": "twitter/raw-data/",
            "ErrorOutputPrefix": "twitter/failed/",
            "BufferingHints": { "SizeInMBs": 5, "IntervalInSeconds": 60 },
            "CompressionFormat": "GZIP",
        },
    });
    ask(FIREHOSE, "CreateDeliveryStream", &body)
        .with_context(|| format!("cannot create the Firehose stream `{stream}`"))?;
    tracing::info!(
        "created the Firehose stream `{stream}`, which writes to s3://{}/twitter/raw-data/",
        new.bucket
    );
    for _ in 0..120 {
        let found =
            ask(FIREHOSE, "DescribeDeliveryStream", &json!({ "DeliveryStreamName": stream }));
        let status = |found: serde_json::Value| {
            let status = &found["DeliveryStreamDescription"]["DeliveryStreamStatus"];
            status.as_str().unwrap_or_default().to_owned()
        };
        match found.map(status).as_deref() {
            Ok("CREATING") | Err(_) => std::thread::sleep(std::time::Duration::from_secs(1)),
            Ok("CREATING_FAILED") => {
                let failure =
                    Failure::new(format!("Firehose could not create the stream `{stream}`"));
                return Err(failure.with_hint("check that the role may be assumed by firehose.amazonaws.com and may write to the bucket"));
            }
            Ok(_) => return Ok(()),
        }
    }
    Err(Failure::new(format!(
        "the Firehose stream `{stream}` did not become active in two minutes"
    )))
}
