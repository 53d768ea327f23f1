//! Kinesis Data Streams: `PutRecords`, by the first hashtag of each tweet, or else by its id.
//!
//! Limits: 500 records and 10 MiB in a request, 1 MiB in a record with its partition key
//! (<https://docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html>). What a shard refuses because it has
//! taken its share of this second is put again later, and with it everything of the same key that comes after it. Records
//! of other keys go on. Within a request, Kinesis itself keeps no order: if it refuses a record and accepts a later one of
//! the same key, the two change places.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use enrich::{Origin, enrich};
use serde_json::json;

use super::super::filter::{Seen, look};
use super::super::meter::Meter;
use super::super::spool::{Chunk, Position};
use super::put::{Backoff, Chunks, Entry, Put, Reminder, ask, fitting, put, wait};
use crate::aws::json::Service;
use crate::failure::{Context, Failure, Result};
use crate::stop::Stop;

const KINESIS: Service = Service { name: "kinesis", id: "KINESIS", target: "Kinesis_20131202" };
const MAX_RECORDS: usize = 500;
const MAX_BYTES: usize = 10 * 1024 * 1024;
/// The longest record, without the longest partition key.
pub(in super::super) const MAX_RECORD_BYTES: usize = 1023 * 1024;
/// Longer partition keys are not allowed, in characters.
const MAX_KEY: usize = 256;
/// How many records, and how many bytes, may be held back for shards that are busy before nothing more is taken.
const MAX_HELD: (usize, usize) = (20_000, 32 * 1024 * 1024);

/// A stream.
pub(crate) struct Kinesis {
    stream: String,
    /// Records that can be put at once.
    ready: VecDeque<Ready>,
    /// Records of keys whose shard is busy, in order.
    held: HashMap<String, Held>,
    n_held: usize,
    held_bytes: usize,
    n_taken: u64,
    chunks: Chunks,
    reminder: Reminder,
}

/// A record that can be put.
struct Ready {
    /// How many were taken before it.
    order: u64,
    key: String,
    entry: Entry,
}

/// The records of a key whose shard is busy.
struct Held {
    /// By their order.
    entries: BTreeMap<u64, Entry>,
    backoff: Backoff,
    until: Instant,
    /// Whether the first of them is being tried again.
    is_tried: bool,
}

impl Kinesis {
    /// Finds a stream, or makes it with as many shards as `create` says if it is not there; with 0, on demand.
    ///
    /// # Errors
    ///
    /// If it is not there, or Kinesis cannot be reached.
    pub(super) fn open(stream: &str, create: Option<u32>) -> Result<Kinesis> {
        let unusable = || format!("cannot use the Kinesis stream `{stream}`");
        let describe = || ask(KINESIS, "DescribeStreamSummary", &json!({ "StreamName": stream }));
        match describe() {
            Ok(_) => {}
            // Whoever may put records need not be allowed to describe the stream.
            Err(error) if error.is("AccessDeniedException") => {}
            Err(error) if error.is("ResourceNotFoundException") => {
                let Some(shards) = create else {
                    let failure = Failure::new(format!(
                        "there is no Kinesis stream `{stream}` in this region"
                    ));
                    return Err(failure
                        .with_hint("check the name and AWS_REGION, or have it made: --create"));
                };
                let body = match shards {
                    0 => {
                        json!({ "StreamName": stream, "StreamModeDetails": { "StreamMode": "ON_DEMAND" } })
                    }
                    n => json!({ "StreamName": stream, "ShardCount": n }),
                };
                ask(KINESIS, "CreateStream", &body).with_context(unusable)?;
                tracing::info!("created the Kinesis stream `{stream}`");
                let status = || {
                    let summary = describe().ok()?;
                    let status = summary["StreamDescriptionSummary"]["StreamStatus"].as_str()?;
                    Some(status.to_owned())
                };
                let mut seconds = 0;
                while status().as_deref() != Some("ACTIVE") {
                    seconds += 1;
                    if seconds == 120 {
                        return Err(Failure::new("it did not become active in two minutes"))
                            .with_context(unusable);
                    }
                    std::thread::sleep(Duration::from_secs(1));
                }
            }
            Err(error) => return Err(error).with_context(unusable),
        }
        Ok(Kinesis {
            stream: stream.to_owned(),
            ready: VecDeque::new(),
            held: HashMap::new(),
            n_held: 0,
            held_bytes: 0,
            n_taken: 0,
            chunks: Chunks::default(),
            reminder: Reminder::new("Kinesis"),
        })
    }

    pub(super) fn take(
        &mut self,
        chunk: Chunk,
        end: Position,
        meter: &Meter,
        stop: &Stop,
    ) -> Result<()> {
        let lines: Vec<&[u8]> = chunk.lines.split_inclusive(|byte| *byte == b'\n').collect();
        let number = self.chunks.add(lines.len(), end);
        let mut keys = vec![String::new(); lines.len()];
        look(&chunk.lines, &Arc::default(), |line, seen| {
            if let (Some(key), Seen::Tweet(tweet)) = (keys.get_mut(line), seen) {
                let document = enrich(tweet, Origin::default());
                *key = match document.hashtags.first() {
                    Some(hashtag) => hashtag.to_lowercase(),
                    None => document.id,
                };
            }
        });
        for (line, key) in lines.into_iter().zip(keys) {
            let key: String = match key.is_empty() {
                // What is no tweet may go anywhere.
                true => format!("{:08x}", crc32fast::hash(line)),
                false => key.chars().take(MAX_KEY).collect(),
            };
            self.n_taken += 1;
            let ready =
                Ready { order: self.n_taken, entry: Entry::new(line, Some(&key), number), key };
            match self.held.get_mut(&ready.key) {
                Some(held) => {
                    self.n_held += 1;
                    self.held_bytes += ready.entry.bytes;
                    held.entries.insert(ready.order, ready.entry);
                }
                None => self.ready.push_back(ready),
            }
        }
        while self.ready.len() >= MAX_RECORDS || self.is_holding_too_much() {
            if !self.put_what_is_due(meter, stop)? {
                break;
            }
        }
        Ok(())
    }

    pub(super) fn settle(&mut self, is_end: bool, meter: &Meter, stop: &Stop) -> Result<Position> {
        // Nothing else may come that would release them.
        self.release();
        // What was ready is put once. What is released meanwhile has time until the next call, unless this is the end.
        let mut n_ready = self.ready.len();
        while n_ready > 0 || is_end && (self.n_held > 0 || !self.ready.is_empty()) {
            n_ready = n_ready.saturating_sub(MAX_RECORDS);
            if !self.put_what_is_due(meter, stop)? {
                break;
            }
        }
        Ok(self.chunks.accepted())
    }

    /// Lets go of the records whose time has come: the first of each key, and the others once that is accepted.
    fn release(&mut self) {
        let now = Instant::now();
        for (key, held) in self.held.iter_mut().filter(|(_, h)| !h.is_tried && h.until <= now) {
            if let Some((order, entry)) = held.entries.pop_first() {
                held.is_tried = true;
                self.n_held -= 1;
                self.held_bytes -= entry.bytes;
                self.ready.push_back(Ready { order, key: key.clone(), entry });
            }
        }
    }

    fn is_holding_too_much(&self) -> bool {
        self.n_held >= MAX_HELD.0 || self.held_bytes >= MAX_HELD.1
    }

    /// Puts one batch. Returns whether to go on.
    fn put_what_is_due(&mut self, meter: &Meter, stop: &Stop) -> Result<bool> {
        if stop.is_set() && stop.is_cut_off() {
            return Ok(false);
        }
        self.release();
        if self.ready.is_empty() {
            return Ok(wait(Duration::from_millis(20), stop));
        }
        let length = fitting(self.ready.iter().map(|ready| &ready.entry), MAX_RECORDS, MAX_BYTES);
        let batch: Vec<Ready> = self.ready.drain(..length).collect();
        let entries: Vec<Entry> = batch.iter().map(|ready| ready.entry.clone()).collect();
        let mut backoff = Backoff::new();
        let judged = loop {
            let target = ("StreamName", self.stream.as_str());
            match put(KINESIS, "PutRecords", target, "Records", &entries, stop)? {
                Put::Answered(judged) => break judged,
                Put::Away(why) => {
                    self.reminder.refused(batch.len(), &why);
                    meter.retried.inc_by(batch.len() as u64);
                    if !wait(backoff.next(), stop) {
                        batch.into_iter().rev().for_each(|ready| self.ready.push_front(ready));
                        return Ok(false);
                    }
                }
            }
        };
        let mut refused = Vec::new();
        let mut why = None;
        for (ready, judged) in batch.into_iter().zip(judged) {
            match judged {
                Ok(()) => {
                    self.chunks.accept(ready.entry.chunk);
                    meter.sent.inc();
                    self.accepted(ready);
                }
                Err(reason) => {
                    meter.retried.inc();
                    why = Some(reason);
                    refused.push(ready);
                }
            }
        }
        match why {
            Some(why) => self.reminder.refused(refused.len(), &why),
            None => self.reminder.accepted(),
        }
        self.hold(refused);
        Ok(true)
    }

    /// Once a record that was tried again is accepted, the rest of what was held back for its key is ready.
    fn accepted(&mut self, ready: Ready) {
        if self.held.get(&ready.key).is_some_and(|held| held.is_tried)
            && let Some(held) = self.held.remove(&ready.key)
        {
            self.n_held -= held.entries.len();
            self.held_bytes -= held.entries.values().map(|entry| entry.bytes).sum::<usize>();
            let entries = held.entries.into_iter();
            let ready =
                entries.map(|(order, entry)| Ready { order, key: ready.key.clone(), entry });
            self.ready.extend(ready);
        }
    }

    /// Holds records back that were refused, and everything of their keys that is ready.
    fn hold(&mut self, refused: Vec<Ready>) {
        if refused.is_empty() {
            return;
        }
        for ready in &refused {
            let fresh = || Held {
                entries: BTreeMap::new(),
                backoff: Backoff::new(),
                until: Instant::now(),
                is_tried: true,
            };
            let held = self.held.entry(ready.key.clone()).or_insert_with(fresh);
            if std::mem::take(&mut held.is_tried) {
                held.until = Instant::now() + held.backoff.next();
            }
        }
        let ready = std::mem::take(&mut self.ready);
        let all = refused.into_iter().chain(ready);
        for ready in all {
            match self.held.get_mut(&ready.key).filter(|held| !held.is_tried) {
                Some(held) => {
                    self.n_held += 1;
                    self.held_bytes += ready.entry.bytes;
                    held.entries.insert(ready.order, ready.entry);
                }
                None => self.ready.push_back(ready),
            }
        }
    }
}
