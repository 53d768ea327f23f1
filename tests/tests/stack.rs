//! The stack of `docker-compose.yml`, started for real: with an Elasticsearch that is put into an image here, and without
//! Kibana (`tests/stack`).
#![allow(clippy::unwrap_used, reason = "a test may stop on anything odd, in its helpers too")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use tests::{Aws, free_port, lambda_program, say, skip};

const PROGRAM: &str = env!("CARGO_BIN_EXE_indexer-under-test");
const SAMPLE_TWEETS: u64 = 500;
/// How long a tweet takes to come through, on a busy machine.
const WAIT: Duration = Duration::from_secs(120);

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// A running stack; it is removed with all its data when this is dropped.
struct Stack {
    project: String,
    settings: [(&'static str, String); 5],
    aws_port: u16,
}

impl Stack {
    /// `None` if Docker does not start on this machine; then at most the configuration can be checked.
    fn new() -> Option<Stack> {
        let ready = Command::new(root().join("tests/stack/start")).output().unwrap();
        let said = String::from_utf8_lossy(&ready.stderr).trim().to_owned();
        match ready.status.code() {
            Some(0) => {}
            Some(3) => {
                skip(&said);
                return None;
            }
            // Docker is installed, but does not start on this machine.
            Some(4) => {
                say(&format!("only the configuration is checked: {said}"));
                return None;
            }
            _ => panic!("{said}"),
        }
        let (aws_port, port) = (free_port(), free_port());
        let settings = [
            ("AWS_PORT", aws_port.to_string()),
            ("ELASTICSEARCH_PORT", port.to_string()),
            ("ELASTICSEARCH_HEAP", "512m".to_owned()),
            ("PROGRAM", lambda_program(PROGRAM)),
            ("SAMPLE_TWEETS", SAMPLE_TWEETS.to_string()),
        ];
        Some(Stack { project: format!("tweets-{port}"), settings, aws_port })
    }

    fn compose(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(root().join("tests/stack/compose"));
        command.args(arguments).envs(self.settings.iter().cloned());
        command.env("COMPOSE_PROJECT_NAME", &self.project).output().unwrap()
    }

    fn run(&self, arguments: &[&str]) -> String {
        let output = self.compose(arguments);
        if !output.status.success() {
            let logs = self.compose(&["logs", "--tail", "30"]);
            let [said, logs] = [output.stderr, logs.stdout].map(|b| String::from_utf8(b).unwrap());
            panic!("docker compose {arguments:?}: {said}\n{logs}");
        }
        String::from_utf8(output.stdout).unwrap()
    }

    /// How many tweets its Elasticsearch has; asks with the password that the stack generated.
    fn count(&self) -> u64 {
        let ask =
            r#"curl -s -u "elastic:$(cat /secrets/elastic)" "localhost:9200/tweets-*/_count""#;
        let answer = self.run(&["exec", "-T", "elasticsearch", "bash", "-c", ask]);
        let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
        answer["count"].as_u64().unwrap()
    }

    fn put_into_firehose(&self, id: u64) {
        let aws = Aws::at(self.aws_port);
        let tweet = format!(r#"{{"id_str":"{id}","text":"I love the AWS Marketplace"}}"#);
        aws.put_record(&aws.outputs("tweets")["FirehoseName"], &tweet);
    }

    fn wait_for(&self, count: u64) {
        let started = Instant::now();
        while self.count() != count {
            assert!(started.elapsed() < WAIT, "{} instead of {count}", self.count());
            std::thread::sleep(Duration::from_millis(500));
        }
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        self.compose(&["down", "--volumes", "--timeout", "5"]);
    }
}

#[test]
fn a_tweet_put_into_firehose_is_found_and_stays_when_the_stack_is_stopped() {
    let Some(stack) = Stack::new() else { return };
    stack.run(&["up", "--build", "--detach"]);
    stack.wait_for(SAMPLE_TWEETS);
    // Killed before it was ever stopped properly, the stand-in for AWS has nothing left but what is in S3.
    stack.put_into_firehose(1_601_645_088_790_257_667);
    stack.run(&["kill", "aws"]);
    stack.run(&["up", "--detach"]);
    stack.wait_for(SAMPLE_TWEETS + 1);
    // The same if its process dies inside the container, as when memory runs out.
    stack.put_into_firehose(1_601_645_088_790_257_668);
    let kill = r#"for p in /proc/[0-9]*; do
        if grep -qa 'bin/mini[s]tack' "$p/cmdline"; then kill -9 "${p#/proc/}"; fi
    done"#;
    // This kills the container and with it the command itself, so its result says nothing.
    stack.compose(&["exec", "-T", "aws", "bash", "-c", kill]);
    stack.run(&["up", "--detach"]);
    stack.wait_for(SAMPLE_TWEETS + 2);
    for stop in ["stop", "down"] {
        stack.run(&[stop]);
        stack.run(&["up", "--detach"]);
        assert_eq!(stack.count(), SAMPLE_TWEETS + 2, "after {stop}");
    }
    stack.put_into_firehose(1_601_645_088_790_257_669);
    stack.wait_for(SAMPLE_TWEETS + 3);
    let refused = stack.run(&["exec", "-T", "elasticsearch", "curl", "-s", "localhost:9200"]);
    assert!(refused.contains("security_exception"), "{refused}");
}

#[test]
fn the_configuration_is_valid_and_opens_nothing_but_this_machine() {
    let config = |profiles: &str| {
        let mut command = Command::new("docker");
        command.current_dir(root()).args(["compose", "config", "--format", "json"]);
        command.env("COMPOSE_PROFILES", profiles).output().unwrap()
    };
    let version = Command::new("docker").args(["compose", "version"]).output();
    if !version.is_ok_and(|version| version.status.success()) {
        return skip("Docker's compose plugin (.ci/parts builds it)");
    }
    for (profiles, n_services) in [("aws", 8), ("", 5)] {
        let output = config(profiles);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{said}");
        let config: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let services = config["services"].as_object().unwrap();
        assert_eq!(services.len(), n_services, "{:?}", services.keys());
        for (name, service) in services {
            assert!(service["mem_limit"].is_string(), "{name} may take all memory");
            let image = service["image"].as_str().unwrap();
            let is_pinned = service["build"].is_object() || image.contains(":8.");
            assert!(is_pinned && !image.contains("latest"), "{name}: {image}");
            for port in service["ports"].as_array().into_iter().flatten() {
                assert_eq!(port["host_ip"], "127.0.0.1", "{name}");
            }
        }
    }
}
