//! A stand-in for AWS on this machine (ministack): S3, Firehose, CloudFormation and others.

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{base64, free_port, skip};

/// A running stand-in for AWS.
pub struct Aws {
    port: u16,
    _started: Option<(Process, TempDir)>,
}

/// How long a program may take until it answers, on a busy machine.
const START: Duration = Duration::from_secs(60);

/// A process that is killed, with all the processes that it has started, when this is dropped.
pub(crate) struct Process(Child);

impl Process {
    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    /// Starts a command in a folder; its output goes to the file `log` there.
    pub(crate) fn start(command: &mut Command, folder: &Path) -> Process {
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
pub(crate) fn part(path: &str) -> PathBuf {
    let cache = std::env::var("XDG_CACHE_HOME").map(PathBuf::from);
    let home = || Path::new(&std::env::var("HOME").unwrap_or_default()).join(".cache");
    cache.unwrap_or_else(|_| home()).join("tweet-indexer").join(path)
}

pub(crate) fn agent() -> ureq::Agent {
    let config = ureq::Agent::config_builder().http_status_as_error(false);
    config.timeout_global(Some(Duration::from_secs(300))).build().into()
}

pub(crate) fn wait_for(port: u16, what: &str) {
    let started = Instant::now();
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(started.elapsed() < START, "{what} does not start");
        std::thread::sleep(Duration::from_millis(20));
    }
}

impl Aws {
    /// Starts one, with nothing in it. `None` if it is not installed; the test should then be skipped.
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
        Some(Aws { port, _started: Some((process, folder)) })
    }

    /// One that is running already, at a port of this machine.
    pub fn at(port: u16) -> Aws {
        Aws { port, _started: None }
    }

    /// The outputs of a stack, once it is deployed.
    ///
    /// # Panics
    ///
    /// If it is not deployed within a minute.
    pub fn outputs(&self, stack: &str) -> HashMap<String, String> {
        let describe = [("Action", "DescribeStacks"), ("StackName", stack)];
        let started = Instant::now();
        let described = loop {
            let described = self.form("cloudformation", &describe);
            if !described.contains("CREATE_IN_PROGRESS") || started.elapsed() > START {
                break described;
            }
            std::thread::sleep(Duration::from_millis(100));
        };
        assert!(described.contains("CREATE_COMPLETE"), "{described}");
        let text = |xml: &str, tag: &str| {
            let rest = xml.split_once(&format!("<{tag}>")).map_or("", |(_, rest)| rest);
            rest.split('<').next().unwrap_or_default().to_owned()
        };
        let outputs = described.split("</member>").filter(|xml| xml.contains("<OutputKey>"));
        outputs.map(|xml| (text(xml, "OutputKey"), text(xml, "OutputValue"))).collect()
    }

    /// Puts a tweet into a stream of Firehose.
    ///
    /// # Panics
    ///
    /// If the stream does not accept it.
    pub fn put_record(&self, stream: &str, tweet: &str) {
        let record = json!({ "Data": base64(tweet) });
        let body = json!({ "DeliveryStreamName": stream, "Record": record });
        self.json("firehose", "Firehose_20150804.PutRecord", &body);
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
    /// If that fails.
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
    /// If they are not lines of JSON.
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

/// The `authorization` header of a request to a service. The stand-in does not check the signature.
fn authorization(service: &str) -> String {
    let scope = format!("test/20261121/us-east-1/{service}/aws4_request");
    format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0")
}
