//! The function under the emulator of Lambda's runtime (which the SAM CLI brings), and what is sent to it.

use std::collections::HashSet;
use std::io::Write;
use std::process::Command;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::aws::{Process, agent, part, wait_for};
use crate::{Aws, Sink, Workplace, free_port, skip};

/// The function, under the runtime emulator.
pub struct Function {
    port: u16,
    folder: TempDir,
    process: Process,
}

impl Function {
    /// Starts `program` as Lambda does, with an environment as in Lambda and these settings. `None` if the emulator is
    /// not installed; the test should then be skipped.
    ///
    /// # Panics
    ///
    /// If it does not start although it is installed, or with `CI=true` if it is not.
    pub fn start(program: &str, timeout: u64, settings: &[(&str, &str)]) -> Option<Function> {
        let machine = if cfg!(target_arch = "aarch64") { "arm64" } else { "x86_64" };
        let packages = part("sam/lib");
        let emulator =
            packages.read_dir().ok().into_iter().flatten().flatten().find_map(|python| {
                let inside = "site-packages/samcli/local/rapid";
                let path = python.path().join(inside).join(format!("aws-lambda-rie-{machine}"));
                path.exists().then_some(path)
            });
        let Some(emulator) = emulator else {
            skip("the Lambda runtime emulator of the SAM CLI (.ci/parts installs it)");
            return None;
        };
        let (port, api) = (free_port(), free_port());
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut command = Command::new(emulator);
        command
            .args(["--runtime-interface-emulator-address", &format!("127.0.0.1:{port}")])
            .args(["--runtime-api-address", &format!("127.0.0.1:{api}")])
            .arg(lambda_program(program))
            .env_clear()
            .envs([
                ("AWS_ACCESS_KEY_ID", "test"),
                ("AWS_SECRET_ACCESS_KEY", "a-very-secret-access-key"),
                ("AWS_REGION", "us-east-1"),
                ("AWS_LAMBDA_FUNCTION_NAME", "tweets"),
                ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128"),
            ])
            .env("AWS_LAMBDA_FUNCTION_TIMEOUT", timeout.to_string())
            .envs(settings.iter().copied());
        let process = Process::start(&mut command, folder.path());
        wait_for(port, "the emulator");
        Some(Function { port, folder, process })
    }

    /// Sends an event and waits for the answer.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn invoke(&self, event: &Value) -> Value {
        let url =
            format!("http://127.0.0.1:{}/2015-03-31/functions/function/invocations", self.port);
        let mut answer = agent().post(url).send(event.to_string()).expect("an answer");
        let text = answer.body_mut().read_to_string().expect("text");
        serde_json::from_str(&text).unwrap_or(Value::String(text))
    }

    /// What it has logged.
    ///
    /// # Panics
    ///
    /// If there is no log.
    pub fn log(&self) -> String {
        let log = std::fs::read(self.folder.path().join("log")).expect("a log");
        String::from_utf8_lossy(&log).into_owned()
    }

    /// The metrics that it has logged.
    pub fn metrics(&self) -> Vec<Value> {
        let log = self.log();
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter(|line| line["_aws"].is_object()).collect()
    }

    /// The most memory that it has used, in MiB.
    ///
    /// # Panics
    ///
    /// If it is not running.
    pub fn peak_memory(&self) -> u64 {
        let parent = self.process.id().to_string();
        let children = format!("/proc/{parent}/task/{parent}/children");
        let tasks = std::fs::read_dir(format!("/proc/{parent}/task")).expect("its threads");
        let mut pids = std::fs::read_to_string(children).unwrap_or_default();
        for task in tasks.flatten() {
            let path = task.path().join("children");
            pids.push_str(&std::fs::read_to_string(path).unwrap_or_default());
            pids.push(' ');
        }
        let peak = |pid: &str| {
            let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
            let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
            line.trim().trim_end_matches(" kB").parse::<u64>().ok()
        };
        pids.split_whitespace().filter_map(peak).max().expect("a running function") / 1024
    }
}

/// The program to test as a function: the one that is to be shipped, if `LAMBDA_PROGRAM` names it, or else `program`.
#[expect(clippy::disallowed_methods, reason = "`.ci/run` names it")]
pub fn lambda_program(program: &str) -> String {
    std::env::var("LAMBDA_PROGRAM").unwrap_or_else(|_| program.to_owned())
}

/// A record of a notification of S3.
pub fn notification(bucket: &str, key: &str) -> Value {
    let mut spelled = String::new();
    for byte in key.bytes() {
        match byte {
            b' ' => spelled.push('+'),
            b'/' | b'-' | b'_' | b'.' | b'*' => spelled.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => spelled.push(char::from(byte)),
            _ => spelled.push_str(&format!("%{byte:02X}")),
        }
    }
    serde_json::json!({
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "us-east-1",
        "eventTime": "2026-11-21T10:05:00.123Z",
        "eventName": "ObjectCreated:Put",
        "userIdentity": { "principalId": "AWS:AROAEXAMPLE:firehose" },
        "requestParameters": { "sourceIPAddress": "10.0.0.1" },
        "responseElements": { "x-amz-request-id": "C3D13FE58DE4C810" },
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "indexer",
            "bucket": {
                "name": bucket,
                "ownerIdentity": { "principalId": "A3NL1KOZZKExample" },
                "arn": format!("arn:aws:s3:::{bucket}"),
            },
            "object": {
                "key": spelled,
                "size": 1024,
                "eTag": "d41d8cd98f00b204e9800998ecf8427e",
                "sequencer": "0055AED6DCD90281E5",
            },
        },
    })
}

/// A message of a queue.
pub fn message(id: &str, body: &str) -> Value {
    serde_json::json!({
        "messageId": id,
        "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a",
        "body": body,
        "attributes": { "ApproximateReceiveCount": "1" },
        "messageAttributes": {},
        "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
        "eventSource": "aws:sqs",
        "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:tweets",
        "awsRegion": "us-east-1",
    })
}

/// An S3 with a bucket for tweets and one for rejects. `None` if the stand-in for AWS is not installed; the test should
/// then be skipped.
pub fn aws() -> Option<Aws> {
    let aws = Aws::start()?;
    aws.create_bucket("tweets").create_bucket("rejects");
    Some(aws)
}

/// Starts the function with that S3, a store, and what else is to be set; see [`Function::start`].
pub fn start(
    program: &str,
    aws: &Aws,
    store: &str,
    timeout: u64,
    more: &[(&str, &str)],
) -> Option<Function> {
    let url = aws.url();
    let mut settings = vec![
        ("AWS_ENDPOINT_URL", url.as_str()),
        ("INDEXER_STORE", store),
        ("REJECTS_URL", "s3://rejects/of/"),
    ];
    settings.extend_from_slice(more);
    Function::start(program, timeout, &settings)
}

/// Sample tweets.
pub struct Tweets {
    /// A line each.
    pub lines: Vec<String>,
    /// The ids of the tweets, without the deletion notices.
    pub ids: HashSet<String>,
}

/// Makes sample tweets.
///
/// # Panics
///
/// If that fails.
pub fn tweets(program: &str, count: u64) -> Tweets {
    let workplace = Workplace::new(program);
    let sample = workplace.run(["sample", "--count", &count.to_string(), "--format", "ndjson"]);
    let text = String::from_utf8(sample.stdout).expect("tweets");
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let id = |line: &String| {
        Some(serde_json::from_str::<Value>(line).ok()?["id_str"].as_str()?.to_owned())
    };
    let ids = lines.iter().filter_map(id).collect();
    Tweets { lines, ids }
}

/// Makes sure that every tweet is in either the sink or the rejects, and that none was overwritten blindly.
///
/// # Panics
///
/// If that is not so.
#[track_caller]
pub fn check(tweets: &Tweets, sink: &Sink, rejects: &[Value]) {
    let rejected: HashSet<String> =
        rejects.iter().filter_map(|reject| Some(reject["id"].as_str()?.to_owned())).collect();
    let there = sink.ids();
    assert!(there.is_disjoint(&rejected));
    let all: HashSet<String> = there.union(&rejected).cloned().collect();
    assert!(all == tweets.ids, "{} of {} tweets", all.len(), tweets.ids.len());
    assert_eq!(sink.doubled(), 0);
}

/// A tweet whose id and text depend on `n`.
pub fn tweet(n: u64) -> String {
    format!(r#"{{"id_str":"{}","text":"tweet {n} :)"}}"#, 1_601_645_088_790_257_000 + n)
}

/// A notification of S3 about objects in the bucket `tweets`.
pub fn put_event(keys: &[&str]) -> Value {
    json!({ "Records": keys.iter().map(|key| notification("tweets", key)).collect::<Vec<_>>() })
}

/// A record of a Kinesis stream.
pub fn kinesis(n: u64, data: &str) -> Value {
    json!({
        "eventSource": "aws:kinesis",
        "eventSourceARN": "arn:aws:kinesis:us-east-1:123456789012:stream/tweets",
        "kinesis": {
            "sequenceNumber": n.to_string(),
            "partitionKey": "cloud",
            "approximateArrivalTimestamp": 1_763_719_500.087,
            "data": base64(data),
        },
    })
}

/// Encodes a text in Base64, as the records of Kinesis and Firehose are.
pub fn base64(text: &str) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for chunk in text.as_bytes().chunks(3) {
        let bits = chunk.iter().fold(0_u32, |bits, &byte| bits << 8 | u32::from(byte))
            << (8 * (3 - chunk.len()));
        for digit in 0..4 {
            match digit <= chunk.len() {
                true => out.push(char::from(DIGITS[(bits >> (18 - 6 * digit) & 63) as usize])),
                false => out.push('='),
            }
        }
    }
    out
}

/// Compresses a text, in one member.
///
/// # Panics
///
/// If there is no memory.
pub fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).expect("memory");
    encoder.finish().expect("memory")
}

/// Encodes a text in UTF-16 with a byte order mark; the function cannot resume in the middle of such an object.
pub fn utf16(text: &str) -> Vec<u8> {
    std::iter::once(0xFEFF).chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
}
