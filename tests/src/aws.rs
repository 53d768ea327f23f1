//! What stands in for AWS on this machine: S3, Firehose, CloudFormation and others (ministack), and the
//! runtime that Lambda starts functions with (its own emulator, which the SAM CLI brings).

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::{free_port, skip};

/// An AWS of one's own.
pub struct Aws {
    port: u16,
    _folder: TempDir,
    _process: Process,
}

/// How long something may take until it answers, on a busy machine.
const START: Duration = Duration::from_secs(60);

/// A process that ends with its owner, and all that it has started.
struct Process(Child);

impl Process {
    /// Starts one that logs to the file `log` of a folder.
    fn start(command: &mut Command, folder: &Path) -> Process {
        let log = File::create(folder.join("log")).expect("a log");
        let errors = log.try_clone().expect("a log");
        command.current_dir(folder).process_group(0);
        command.stdin(Stdio::null()).stdout(log).stderr(errors);
        Process(command.spawn().expect("a program that starts"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let group = format!("-{}", self.0.id());
        let _ = Command::new("kill").args(["-9", "--", &group]).stderr(Stdio::null()).status();
        let _ = self.0.wait();
    }
}

/// Where `.ci/parts` installs what tests need.
#[expect(clippy::disallowed_methods, reason = "as the script does it")]
fn part(path: &str) -> PathBuf {
    let cache = std::env::var("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || Path::new(&std::env::var("HOME").unwrap_or_default()).join(".cache");
    cache.unwrap_or_else(|_| home()).join("tweet-indexer").join(path)
}

fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder().http_status_as_error(false);
    config.timeout_global(Some(Duration::from_secs(300))).build().into()
}

fn wait_for(port: u16, what: &str) {
    let started = Instant::now();
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(started.elapsed() < START, "{what} does not start");
        std::thread::sleep(Duration::from_millis(20));
    }
}

impl Aws {
    /// Starts one, with nothing in it; none, and the test is to be skipped, where it is not installed.
    ///
    /// # Panics
    ///
    /// If it does not start although it is installed, or with `CI=true` if it is not.
    pub fn start() -> Option<Aws> {
        let program = part("ministack/bin/ministack");
        if !program.exists() {
            skip("ministack (.ci/parts installs it)");
            return None;
        }
        let port = free_port();
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut command = Command::new(program);
        command
            .envs([("BIND_HOST", "127.0.0.1"), ("LAMBDA_EXECUTOR", "local")])
            .env("GATEWAY_PORT", port.to_string())
            .env("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{port}"));
        let process = Process::start(&mut command, folder.path());
        wait_for(port, "ministack");
        Some(Aws { port, _folder: folder, _process: process })
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Its port.
    pub fn port(&self) -> u16 {
        self.port
    }

    fn object(&self, bucket: &str, key: &str) -> String {
        let mut url = format!("{}/{bucket}/", self.url());
        for byte in key.bytes() {
            match byte {
                b'/' | b'-' | b'_' | b'.' | b'~' => url.push(char::from(byte)),
                _ if byte.is_ascii_alphanumeric() => url.push(char::from(byte)),
                _ => url.push_str(&format!("%{byte:02X}")),
            }
        }
        url
    }

    /// Makes a bucket.
    ///
    /// # Panics
    ///
    /// If that fails, as everything here.
    pub fn create_bucket(&self, bucket: &str) -> &Aws {
        let answer = agent().put(self.object(bucket, "")).send_empty().expect("an answer");
        assert!(answer.status().is_success(), "{bucket}: {}", answer.status());
        self
    }

    /// Writes an object.
    ///
    /// # Panics
    ///
    /// If that fails.
    pub fn put(&self, bucket: &str, key: &str, body: &[u8]) -> &Aws {
        let answer = agent().put(self.object(bucket, key)).send(body).expect("an answer");
        assert!(answer.status().is_success(), "{bucket}/{key}: {}", answer.status());
        self
    }

    /// What an object holds.
    ///
    /// # Panics
    ///
    /// If it is not there.
    pub fn get(&self, bucket: &str, key: &str) -> Vec<u8> {
        let mut answer = agent().get(self.object(bucket, key)).call().expect("an answer");
        assert!(answer.status().is_success(), "{bucket}/{key}: {}", answer.status());
        answer.body_mut().with_config().limit(1 << 30).read_to_vec().expect("a body")
    }

    /// The keys below a prefix.
    ///
    /// # Panics
    ///
    /// If there is no such bucket.
    pub fn keys(&self, bucket: &str, prefix: &str) -> Vec<String> {
        let url = format!("{}?list-type=2&prefix={prefix}", self.object(bucket, ""));
        let mut answer = agent().get(url).call().expect("an answer");
        let xml = answer.body_mut().read_to_string().expect("a list");
        let keys = xml.split("<Key>").skip(1).filter_map(|rest| rest.split("</Key>").next());
        keys.map(|key| key.replace("&amp;", "&")).collect()
    }

    /// The rejects below a prefix, as they were written.
    ///
    /// # Panics
    ///
    /// If they are none.
    pub fn rejects(&self, bucket: &str, prefix: &str) -> Vec<Value> {
        let mut rejects = Vec::new();
        for key in self.keys(bucket, prefix) {
            let text = String::from_utf8(self.get(bucket, &key)).expect("text");
            rejects.extend(text.lines().map(|line| serde_json::from_str(line).expect("a reject")));
        }
        rejects
    }

    /// Calls an API that takes forms, such as CloudFormation's. Answers with XML.
    ///
    /// # Panics
    ///
    /// If that fails.
    pub fn form(&self, service: &str, fields: &[(&str, &str)]) -> String {
        let mut answer = agent()
            .post(self.url() + "/")
            .header("authorization", authorization(service))
            .send_form(fields.iter().copied())
            .expect("an answer");
        let status = answer.status();
        let text = answer.body_mut().read_to_string().expect("text");
        assert!(status.is_success(), "{service} {fields:.200?}: {status} {text}");
        text
    }

    /// Calls an API that takes JSON, such as Secrets Manager's.
    ///
    /// # Panics
    ///
    /// If that fails.
    pub fn json(&self, service: &str, target: &str, body: &Value) -> Value {
        let mut answer = agent()
            .post(self.url() + "/")
            .header("authorization", authorization(service))
            .header("content-type", "application/x-amz-json-1.1")
            .header("x-amz-target", target)
            .send(body.to_string())
            .expect("an answer");
        let status = answer.status();
        let text = answer.body_mut().read_to_string().expect("text");
        assert!(status.is_success(), "{target}: {status} {text}");
        serde_json::from_str(&text).unwrap_or_default()
    }
}

/// The function, under the runtime emulator.
pub struct Function {
    port: u16,
    folder: TempDir,
    process: Process,
}

impl Function {
    /// Starts `program` as Lambda does, with the settings of an account and those of the caller; none, and the
    /// test is to be skipped, where there is no emulator.
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

    /// What it has told of each object.
    pub fn metrics(&self) -> Vec<Value> {
        let log = self.log();
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        lines.filter(|line| line["_aws"].is_object()).collect()
    }

    /// The most memory that it has had, in MiB.
    ///
    /// # Panics
    ///
    /// If it does not run.
    pub fn peak_memory(&self) -> u64 {
        let parent = self.process.0.id().to_string();
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

/// Which service a request is for; who it is from is not looked at.
fn authorization(service: &str) -> String {
    let scope = format!("test/20261121/us-east-1/{service}/aws4_request");
    format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0")
}

/// The program to test as a function: the one that is given, or the one that is to be shipped.
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
