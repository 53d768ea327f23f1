//! Firehose and Kinesis, told to be away, to refuse records, and to have a shard that is too hot.

use std::collections::{HashMap, HashSet};
use std::io::{self, BufReader, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use crate::http::{listen, read_request};

/// A running stand-in; it ends with the process.
pub struct Puts {
    port: u16,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    is_away: bool,
    /// Every n-th record is refused once.
    refuse_every: Option<usize>,
    /// Records of this partition key are refused as long as it is set.
    hot_key: Option<String>,
    seen: usize,
    refused: HashSet<String>,
    /// The records in the order in which they were accepted, by partition key.
    accepted: HashMap<String, Vec<String>>,
    largest: (usize, usize),
}

impl Puts {
    /// Starts one that accepts everything.
    pub fn start() -> Puts {
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        let port = listen(move |stream| serve(stream, &shared));
        Puts { port, state }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Whether it answers with 503.
    pub fn set_away(&self, is_away: bool) {
        self.state().is_away = is_away;
    }

    /// Refuses every n-th record, once.
    pub fn refuse_every(&self, n: usize) {
        self.state().refuse_every = Some(n);
    }

    /// Refuses the records of a partition key, or none any more.
    pub fn set_hot_key(&self, key: Option<&str>) {
        self.state().hot_key = key.map(str::to_owned);
    }

    /// The records that were accepted, by partition key, in order.
    pub fn accepted(&self) -> HashMap<String, Vec<String>> {
        self.state().accepted.clone()
    }

    /// How many records were accepted.
    pub fn count(&self) -> usize {
        self.state().accepted.values().map(Vec::len).sum()
    }

    /// The most records and the most bytes that a request had.
    pub fn largest(&self) -> (usize, usize) {
        self.state().largest
    }
}

fn serve(stream: TcpStream, state: &Mutex<State>) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut stream = stream;
    while let Some(request) = read_request(&mut reader)? {
        let target = request.header("x-amz-target").to_owned();
        let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        let operation = target.split('.').nth(1).unwrap_or_default();
        let (status, answer) = match operation {
            _ if state.is_away => {
                (503, json!({ "__type": "ServiceUnavailableException", "message": "away" }))
            }
            "PutRecordBatch" | "PutRecords" => (200, put(&body, &mut state)),
            "DescribeDeliveryStream" => {
                (200, json!({ "DeliveryStreamDescription": { "DeliveryStreamStatus": "ACTIVE" } }))
            }
            "DescribeStreamSummary" => {
                (200, json!({ "StreamDescriptionSummary": { "StreamStatus": "ACTIVE" } }))
            }
            _ => (400, json!({ "__type": "UnknownOperationException", "message": target })),
        };
        drop(state);
        let answer = answer.to_string();
        let length = answer.len();
        stream.write_all(
            format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n\r\n{answer}").as_bytes(),
        )?;
    }
    Ok(())
}

fn put(body: &Value, state: &mut State) -> Value {
    let records = body["Records"].as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let bytes: usize = records.iter().map(|record| text(&record["Data"]).len() * 3 / 4).sum();
    state.largest = (state.largest.0.max(records.len()), state.largest.1.max(bytes));
    let mut answers = Vec::new();
    let mut n_failed = 0;
    for record in &records {
        let (data, key) = (text(&record["Data"]), text(&record["PartitionKey"]));
        state.seen += 1;
        let is_hot = state.hot_key.as_ref() == Some(&key) && !key.is_empty();
        let is_refused = state.refuse_every.is_some_and(|n| state.seen.is_multiple_of(n))
            && state.refused.insert(data.clone());
        if is_hot || is_refused {
            n_failed += 1;
            answers.push(json!({ "ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": "Rate exceeded for shard" }));
            continue;
        }
        let known = state.accepted.entry(key).or_default();
        known.push(data);
        answers.push(json!({ "RecordId": "1", "SequenceNumber": "1", "ShardId": "shardId-0" }));
    }
    json!({
        "FailedPutCount": n_failed, "RequestResponses": answers,
        "FailedRecordCount": n_failed, "Records": answers,
    })
}
