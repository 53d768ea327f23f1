//! The function under Lambda's own runtime emulator, with an S3 beside it: whatever comes and whatever
//! breaks, each tweet ends in the store or in the rejects.
#![allow(clippy::unwrap_used, reason = "a test may stop on anything odd, in its helpers too")]

use std::collections::{BTreeMap, HashSet};
use std::io::Write;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use tests::{
    Aws, CuttingProxy, ELASTICSEARCH, Faults, Function, Server, Sink, Workplace, message,
    notification, open,
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_indexer-under-test");

/// Tweets, a line each, and their ids.
struct Tweets {
    lines: Vec<String>,
    ids: HashSet<String>,
}

fn tweets(count: u64) -> Tweets {
    let workplace = Workplace::new(PROGRAM);
    let sample = workplace.run(["sample", "--count", &count.to_string(), "--format", "ndjson"]);
    let text = String::from_utf8(sample.stdout).unwrap();
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let id = |line: &String| {
        Some(serde_json::from_str::<Value>(line).ok()?["id_str"].as_str()?.to_owned())
    };
    let ids = lines.iter().filter_map(id).collect();
    Tweets { lines, ids }
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// An S3 with a bucket for tweets and one for rejects.
fn aws() -> Option<Aws> {
    let aws = Aws::start()?;
    aws.create_bucket("tweets").create_bucket("rejects");
    Some(aws)
}

fn start(aws: &Aws, store: &str, timeout: u64, more: &[(&str, &str)]) -> Option<Function> {
    let url = aws.url();
    let mut settings = vec![
        ("AWS_ENDPOINT_URL", url.as_str()),
        ("INDEXER_STORE", store),
        ("REJECTS_URL", "s3://rejects/of/"),
    ];
    settings.extend_from_slice(more);
    Function::start(PROGRAM, timeout, &settings)
}

fn put_event(keys: &[&str]) -> Value {
    json!({ "Records": keys.iter().map(|key| notification("tweets", key)).collect::<Vec<_>>() })
}

/// Every tweet is in the sink or in the rejects, and none was written over unseen.
#[track_caller]
fn check(tweets: &Tweets, sink: &Sink, rejects: &[Value]) {
    let rejected: HashSet<String> =
        rejects.iter().filter_map(|reject| Some(reject["id"].as_str()?.to_owned())).collect();
    let there = sink.ids();
    assert!(there.is_disjoint(&rejected));
    let all: HashSet<String> = there.union(&rejected).cloned().collect();
    assert!(all == tweets.ids, "{} of {} tweets", all.len(), tweets.ids.len());
    assert_eq!(sink.doubled(), 0);
}

#[test]
fn an_object_in_each_of_firehoses_framings_is_indexed_in_little_memory() {
    let Some(aws) = aws() else { return };
    let tweets = tweets(40_000);
    for (name, text) in [
        ("lines", tweets.lines.join("\n")),
        ("concatenated", tweets.lines.concat()),
        ("comma lines", tweets.lines.join(",\n") + ",\n"),
        ("array", format!("[{}]", tweets.lines.join(","))),
    ] {
        aws.put("tweets", name, &gzip(&text));
        let sink = Sink::start(Faults::default());
        let Some(function) = start(&aws, &sink.url(), 300, &[]) else { return };
        let answer = function.invoke(&put_event(&[name]));
        assert_eq!(answer, json!({ "objects": 1 }), "{name}: {}", function.log());
        check(&tweets, &sink, &[]);
        let told = &function.metrics()[0];
        let read = told["read"].as_u64().unwrap();
        let sum: u64 = ["created", "updated", "notices", "rejected"]
            .iter()
            .map(|number| told[number].as_u64().unwrap())
            .sum();
        assert_eq!((read, sum), (tweets.lines.len() as u64, read));
        let peak = function.peak_memory();
        assert!(peak < 100, "{name}: {peak} MiB");
    }
    assert_eq!(aws.keys("rejects", ""), Vec::<String>::new());
}

#[test]
fn events_of_all_kinds_are_answered_part_by_part() {
    let Some(aws) = aws() else { return };
    let Some(server) = Server::start(ELASTICSEARCH) else { return };
    let Some(function) = start(&aws, &server.url(), 300, &[]) else { return };
    aws.put("tweets", "a+b c%2B.json", (tweet(1) + &tweet(2)).as_bytes());
    aws.put("tweets", "b.json.gz", &gzip(&(tweet(2) + ",\n" + &tweet(3) + ",\n")));
    aws.put("tweets", "c.json", tweet(4).as_bytes());
    aws.put("tweets", "d.json", tweet(5).as_bytes());
    let sns = |event: &Value| json!({ "Type": "Notification", "Message": event.to_string() });
    let sqs = |id: &str, event: &Value| message(id, &event.to_string());
    let test_event = json!({ "Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": "tweets" });
    let event_bridge = |key: &str| {
        json!({
            "source": "aws.s3",
            "detail-type": "Object Created",
            "detail": { "bucket": { "name": "tweets" }, "object": { "key": key, "size": 9 } },
        })
    };
    let reject = json!({
        "source": "s3://tweets/a.json", "line": 7, "stage": "index", "reason": "400",
        "raw": tweet(8),
    });
    let mut deleted = notification("tweets", "gone.json");
    deleted["eventName"] = json!("ObjectRemoved:Delete");
    let mut seen = String::new();
    for (name, event) in [
        ("a key as S3 spells it", put_event(&["a+b c%2B.json"])),
        ("the same event again", put_event(&["a+b c%2B.json"])),
        ("two records", put_event(&["a+b c%2B.json", "b.json.gz"])),
        ("one of two is not there", put_event(&["a+b c%2B.json", "nothing.json"])),
        ("deleted", json!({ "Records": [deleted] })),
        ("test event", test_event.clone()),
        (
            "SNS in SQS, one of them unknown, one not there",
            json!({ "Records": [
                sqs("m1", &sns(&put_event(&["c.json"]))),
                sqs("m2", &sns(&test_event)),
                sqs("m3", &json!({ "order": 17 })),
                sqs("m4", &put_event(&["nothing.json"])),
                sqs("m5", &put_event(&["b.json.gz"])),
            ] }),
        ),
        ("EventBridge", event_bridge("d.json")),
        ("EventBridge, a key as it is", event_bridge("a+b c%2B.json")),
        (
            "Kinesis",
            json!({ "Records": [kinesis(1, &tweet(6)), kinesis(2, "{broken"), kinesis(3, &tweet(7))] }),
        ),
        ("rejects in SQS", json!({ "Records": [sqs("m6", &reject)] })),
        ("unknown", json!({ "hello": "world" })),
    ] {
        let answer = function.invoke(&event);
        let count = server.count();
        seen.push_str(&format!("{name}: {count} tweets\n  {answer}\n"));
    }
    for reject in aws.rejects("rejects", "of/") {
        seen.push_str(&format!("{reject}\n"));
    }
    insta::assert_snapshot!(seen);
}

fn tweet(n: u64) -> String {
    format!(r#"{{"id_str":"{}","text":"tweet {n} :)"}}"#, 1_601_645_088_790_257_000 + n)
}

/// A record of a Kinesis stream.
fn kinesis(n: u64, data: &str) -> Value {
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

fn base64(text: &str) -> String {
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

#[test]
fn whatever_a_cluster_does_each_tweet_ends_there_or_in_the_rejects() {
    let Some(aws) = aws() else { return };
    let tweets = tweets(20_000);
    aws.put("tweets", "t.gz", &gzip(&tweets.lines.concat()));
    for (name, faults) in [
        ("busy", Faults { busy_for: Duration::from_secs(3), ..Faults::default() }),
        ("items put off", Faults { item_busy_once: Some(50), ..Faults::default() }),
        ("answers cut", Faults { cut_answer: Some(3), ..Faults::default() }),
        ("bad gateways", Faults { bad_gateway: Some(2), ..Faults::default() }),
    ] {
        let sink = Sink::start(faults);
        let Some(function) = start(&aws, &sink.url(), 300, &[]) else { return };
        assert_eq!(function.invoke(&put_event(&["t.gz"])), json!({ "objects": 1 }), "{name}");
        check(&tweets, &sink, &[]);
    }
    assert_eq!(aws.keys("rejects", ""), Vec::<String>::new());

    let sink = Sink::start(Faults { item_refused: Some(1_000), ..Faults::default() });
    let Some(function) = start(&aws, &sink.url(), 300, &[]) else { return };
    assert_eq!(function.invoke(&put_event(&["t.gz"])), json!({ "objects": 1 }));
    let rejects = aws.rejects("rejects", "of/tweets/");
    assert!((5..60).contains(&rejects.len()), "{}", rejects.len());
    check(&tweets, &sink, &rejects);
    // A retry meets the same documents and writes the same objects.
    let keys = aws.keys("rejects", "");
    assert_eq!(function.invoke(&put_event(&["t.gz"])), json!({ "objects": 1 }));
    assert_eq!(aws.keys("rejects", ""), keys);
    // What is rejected again when its rejects are replayed stays where it is.
    let mut replay = put_event(&["t.gz"]);
    replay["Records"][0]["s3"]["bucket"]["name"] = json!("rejects");
    replay["Records"][0]["s3"]["object"]["key"] = json!(keys[0]);
    assert_eq!(function.invoke(&replay), json!({ "objects": 1 }));
    assert_eq!(aws.keys("rejects", ""), keys);
}

#[test]
fn without_a_place_for_rejects_one_fails_its_object() {
    let Some(aws) = aws() else { return };
    aws.put("tweets", "t.json", b"{\"id_str\":\"1601645088790257667\",\"text\":\"fine\"}\n{broken");
    let sink = Sink::start(Faults::default());
    let settings = [("REJECTS_URL", "s3://nothing/of/")];
    let Some(function) = start(&aws, &sink.url(), 300, &settings) else { return };
    let answer = function.invoke(&put_event(&["t.json"]));
    assert!(answer["errorMessage"].as_str().unwrap().contains("s3://nothing/of/"), "{answer}");
    let url = aws.url();
    let settings = [("AWS_ENDPOINT_URL", url.as_str()), ("INDEXER_STORE", &sink.url())];
    let Some(function) = Function::start(PROGRAM, 300, &settings) else { return };
    let answer = function.invoke(&put_event(&["t.json"]));
    let message = answer["errorMessage"].as_str().unwrap();
    assert!(message.contains("line 2") && message.contains("REJECTS_URL"), "{message}");
    assert_eq!(sink.ids().len(), 1, "the others are indexed");
}

#[test]
fn a_cluster_that_is_down_fails_the_event_and_a_retry_completes_it() {
    let Some(aws) = aws() else { return };
    let Some(mut server) = Server::start(ELASTICSEARCH) else { return };
    let tweets = tweets(60_000);
    aws.put("tweets", "t.gz", &gzip(&tweets.lines.join("\n")));
    let settings = [("INDEXER_RETRY_FOR", "2s")];
    let Some(function) = start(&aws, &server.url(), 300, &settings) else { return };
    server.kill();
    let answer = function.invoke(&put_event(&["t.gz"]));
    assert_eq!(answer["errorType"], "NotIndexed", "{answer}");
    let batch = json!({ "Records": [
        message("m1", &put_event(&["t.gz"]).to_string()),
        message("m2", &put_event(&["t.gz"]).to_string()),
    ] });
    let both =
        json!({ "batchItemFailures": [{ "itemIdentifier": "m1" }, { "itemIdentifier": "m2" }] });
    assert_eq!(function.invoke(&batch), both);

    // Killed in the middle of an object, and back before the function loses its patience.
    server.restart();
    let settings = [("INDEXER_RETRY_FOR", "2m"), ("INDEXER_BULK_DOCUMENTS", "500")];
    let Some(function) = start(&aws, &server.url(), 300, &settings) else { return };
    let answer = std::thread::scope(|scope| {
        let answer = scope.spawn(|| function.invoke(&put_event(&["t.gz"])));
        let started = Instant::now();
        while indexed(&server) < 5_000 && started.elapsed() < Duration::from_secs(60) {
            std::thread::sleep(Duration::from_millis(20));
        }
        server.kill();
        server.spawn();
        answer.join().unwrap()
    });
    assert_eq!(answer, json!({ "objects": 1 }), "{}", function.log());
    assert!(function.metrics().last().unwrap()["retried"].as_u64() > Some(0));
    assert_eq!(server.count(), tweets.ids.len() as u64);
}

fn indexed(server: &Server) -> u64 {
    let stats = server.ask("GET", "/_stats/indexing?filter_path=_all.primaries.indexing", "");
    stats["_all"]["primaries"]["indexing"]["index_total"].as_u64().unwrap_or(0)
}

#[test]
fn a_broken_connection_is_gone_on_with_at_the_byte_that_was_reached() {
    let Some(aws) = aws() else { return };
    let tweets = tweets(40_000);
    let body = gzip(&tweets.lines.join(",\n"));
    aws.put("tweets", "t.gz", &body);
    for after in [150_000, 1_000_000, 5_000_000] {
        let proxy = CuttingProxy::start(aws.port(), after);
        let sink = Sink::start(Faults::default());
        let settings = [("AWS_ENDPOINT_URL", proxy.url())];
        let settings = settings.each_ref().map(|(name, value)| (*name, value.as_str()));
        let Some(function) = start(&aws, &sink.url(), 300, &settings) else { return };
        let answer = function.invoke(&put_event(&["t.gz"]));
        assert_eq!(answer, json!({ "objects": 1 }), "{}", function.log());
        check(&tweets, &sink, &[]);
        let (sent, size) = (proxy.sent(), body.len() as u64);
        assert!(sent < size * 11 / 10, "{sent} of {size} bytes");
        assert_eq!(function.metrics()[0]["bytes"], size);
    }
}

/// UTF-16, in which nobody can go on in the middle.
fn utf16(text: &str) -> Vec<u8> {
    std::iter::once(0xFEFF).chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
}

#[test]
fn what_a_cluster_that_fails_in_the_middle_did_not_take_is_read_again() {
    let Some(aws) = aws() else { return };
    let tweets = tweets(8_000);
    let text = tweets.lines.join("\n");
    aws.put("tweets", "plain.json", text.as_bytes());
    aws.put("tweets", "packed.gz", &gzip(&text));
    aws.put("tweets", "utf16.json", &utf16(&text));
    for key in ["plain.json", "packed.gz", "utf16.json"] {
        let sink = Sink::start(Faults { down_from: Some(6), ..Faults::default() });
        let settings = [("INDEXER_RETRY_FOR", "1s"), ("INDEXER_BULK_DOCUMENTS", "500")];
        let Some(function) = start(&aws, &sink.url(), 300, &settings) else { return };
        let message = message("m1", &put_event(&[key]).to_string());
        let answer = function.invoke(&json!({ "Records": [message] }));
        assert_eq!(answer, json!({ "batchItemFailures": [{ "itemIdentifier": "m1" }] }), "{key}");
        let told = function.metrics().pop().unwrap();
        assert_eq!((&told["outcome"], &told["failed"]), (&json!("failed"), &json!(1)), "{told}");
        sink.mend();
        assert_eq!(function.invoke(&put_event(&[key])), json!({ "objects": 1 }), "{key}");
        check(&tweets, &sink, &[]);
        let is_resumed = function.metrics().pop().unwrap()["from_record"].as_u64() > Some(0);
        assert_eq!(is_resumed, key != "utf16.json", "{key}");
    }
    assert_eq!(aws.keys("rejects", ""), Vec::<String>::new());
}

#[test]
fn a_stream_is_repeated_from_the_first_record_that_is_not_safe() {
    let Some(aws) = aws() else { return };
    let records: Vec<Value> = (1..=6).map(|n| kinesis(n, &tweet(n))).collect();
    let event = json!({ "Records": records });
    let nobody = format!("http://127.0.0.1:{}", tests::free_port());
    let settings = [("INDEXER_RETRY_FOR", "1s"), ("INDEXER_BULK_DOCUMENTS", "2")];
    let Some(function) = start(&aws, &nobody, 300, &settings) else { return };
    let failed_at = |n: &str| json!({ "batchItemFailures": [{ "itemIdentifier": n }] });
    for _ in 0..2 {
        assert_eq!(function.invoke(&event), failed_at("1"), "{}", function.log());
    }
    let sink = Sink::start(Faults { down_from: Some(2), ..Faults::default() });
    let settings = [settings[0], settings[1], ("INDEXER_BULK_REQUESTS", "1")];
    let Some(function) = start(&aws, &sink.url(), 300, &settings) else { return };
    assert_eq!(function.invoke(&event), failed_at("3"), "{}", function.log());
    assert_eq!(sink.ids().len(), 2);
    sink.mend();
    assert_eq!(function.invoke(&event), json!({ "batchItemFailures": [] }));
    assert_eq!(sink.ids().len(), 6);
}

#[test]
fn what_a_deadline_stops_is_gone_on_with() {
    let Some(aws) = aws() else { return };
    // After a small object that is done at once.
    aws.put("tweets", "small.json", tweet(1).as_bytes());
    for (name, count, packed, delay, options) in [
        // In one member, as Firehose writes it.
        (
            "many_bulks.gz",
            40_000,
            true,
            200,
            [("INDEXER_BULK_DOCUMENTS", "500"), ("INDEXER_BULK_REQUESTS", "1")],
        ),
        (
            "slow_bulks.gz",
            30_000,
            true,
            900,
            [("INDEXER_BULK_DOCUMENTS", "2000"), ("INDEXER_BULK_REQUESTS", "2")],
        ),
        (
            "plain.json",
            20_000,
            false,
            300,
            [("INDEXER_BULK_DOCUMENTS", "500"), ("INDEXER_BULK_REQUESTS", "2")],
        ),
    ] {
        let mut tweets = tweets(count);
        let text = tweets.lines.concat();
        let body = if packed { gzip(&text) } else { text.into_bytes() };
        aws.put("tweets", name, &body);
        let delay = Duration::from_millis(delay);
        let item_refused = Some(1_000);
        let sink = Sink::start(Faults { delay, item_refused, ..Faults::default() });
        let Some(function) = start(&aws, &sink.url(), 3, &options) else { return };
        let mut n_invocations = 0;
        let answer = loop {
            n_invocations += 1;
            let answer = function.invoke(&put_event(&["small.json", name]));
            if answer["errorType"] != "DeadlineReached" || n_invocations == 40 {
                break answer;
            }
        };
        assert_eq!(answer, json!({ "objects": 2 }), "{}", function.log());
        assert!(n_invocations > 2, "{name}: {n_invocations} invocations");
        tweets.ids.extend(
            serde_json::from_str::<Value>(&tweet(1)).unwrap()["id_str"].as_str().map(str::to_owned),
        );
        let rejects = aws.rejects("rejects", &format!("of/tweets/{name}"));
        check(&tweets, &sink, &rejects);
        let distinct: HashSet<&str> =
            rejects.iter().map(|reject| reject["id"].as_str().unwrap()).collect();
        assert_eq!(distinct.len(), rejects.len(), "{name}: a tweet is rejected once");
        let told = function.metrics();
        let large = format!("s3://tweets/{name}");
        let of_large: Vec<&Value> = told.iter().filter(|told| told["object"] == large).collect();
        let total =
            |name: &str| of_large.iter().map(|told| told[name].as_u64().unwrap()).sum::<u64>();
        let all = tweets.lines.len() as u64;
        assert!(total("read") < all * 12 / 10, "{name}: {} of {all} records", total("read"));
        let written = sink.n_operations() as u64;
        assert!(written < all * 12 / 10, "{name}: {written} operations for {all} records");
        assert_eq!(total("rejected"), rejects.len() as u64);
        assert_eq!(told.len() - of_large.len(), 1, "the small object is read once");
        assert_eq!(aws.keys("rejects", "of/checkpoints"), Vec::<String>::new());
    }
}

#[test]
fn hostile_objects_cost_themselves_and_not_their_neighbors() {
    let Some(aws) = aws() else { return };
    let tweets = tweets(3_000);
    let (first, last) = (&tweets.lines[0], &tweets.lines[1]);
    let between =
        |middle: &[u8]| [first.as_bytes(), b"\n", middle, b"\n", last.as_bytes()].concat();
    let whole = gzip(&tweets.lines.join("\n"));
    let bomb = {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(first.as_bytes()).unwrap();
        encoder.write_all(b"\n{\"text\":\"").unwrap();
        for _ in 0..300 {
            encoder.write_all(&[b'a'; 1024 * 1024]).unwrap();
        }
        encoder.finish().unwrap()
    };
    let nested = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let long = format!(r#"{{"id_str":"1601645088790257667","text":"{}"}}"#, "a".repeat(50_000_000));
    let sink = Sink::start(Faults::default());
    let Some(function) = start(&aws, &sink.url(), 300, &[]) else { return };
    let mut seen = String::new();
    for (name, body) in [
        ("truncated", whole[..whole.len() / 2].to_vec()),
        ("damaged", [&whole[..whole.len() / 2], b"damage", &whole[whole.len() / 2..]].concat()),
        ("bomb", bomb),
        ("long_line", between(long.as_bytes())),
        ("nested", between(nested.as_bytes())),
        (
            "not_utf8",
            between(b"{\"id_str\":\"1601645088790257667\",\"text\":\"caf\xE9 \xC3\x28\"}"),
        ),
        ("nul", between(b"\0{\"id_str\":\"1601645088790257667\",\"text\":\"a\0b\"}")),
        ("binary", (0..=255).cycle().take(100_000).collect()),
        ("empty_gzip", gzip("")),
        ("blank", b" \n\n".to_vec()),
        ("zip", b"PK\x03\x04 and so on".to_vec()),
    ] {
        aws.put("tweets", name, &body);
        let answer = function.invoke(&put_event(&[name]));
        let told = function.metrics().pop().unwrap();
        seen.push_str(&format!(
            "{name}: {answer}, read {}, rejected {}\n",
            told["read"], told["rejected"]
        ));
        let rejects = aws.rejects("rejects", &format!("of/tweets/{name}."));
        let mut reasons = BTreeMap::<&str, u64>::new();
        for reject in &rejects {
            *reasons.entry(reject["reason"].as_str().unwrap()).or_default() += 1;
        }
        seen.extend(reasons.iter().map(|(reason, count)| format!("  {count} x {reason}\n")));
    }
    let peak = function.peak_memory();
    assert!(peak < 100, "{peak} MiB");
    insta::assert_snapshot!(seen);
}

#[test]
fn no_secret_is_in_any_log() {
    let Some(aws) = aws() else { return };
    let secret = json!({ "Name": "tweets", "SecretString": "{\"id\":\"x\",\"api_key\":\"half-of-it\",\"encoded\":\"c2VjcmV0OnNlY3JldA==\"}" });
    let made = aws.json("secretsmanager", "secretsmanager.CreateSecret", &secret);
    let arn = made["ARN"].as_str().unwrap().to_owned();
    let parameter =
        json!({ "Name": "/tweets/password", "Value": "hunter2hunter2", "Type": "SecureString" });
    aws.json("ssm", "AmazonSSM.PutParameter", &parameter);
    let parameter = "arn:aws:ssm:us-east-1:000000000000:parameter/tweets/password";
    aws.put("tweets", "t.json", tweets(10).lines.join("\n").as_bytes());
    let sink = Sink::start(Faults::default());
    // As Elasticsearch does it: whoever took the password for the user would show it.
    let reason = r#"{"error":{"type":"security_exception","reason":"unable to authenticate user [hunter2hunter2]"},"status":401}"#;
    let forbidden =
        Sink::start(Faults { greeting: Some((401, reason.into())), ..Faults::default() });
    let user = json!({ "Name": "user", "SecretString": "{\"username\":\"loader\",\"password\":\"hunter2hunter2\"}" });
    let made = aws.json("secretsmanager", "secretsmanager.CreateSecret", &user);
    let user = made["ARN"].as_str().unwrap().to_owned();
    let mut sent = Vec::new();
    for (store, name, value, expected) in [
        (&sink, "ELASTICSEARCH_API_KEY", "c2VjcmV0OnNlY3JldA==", "objects"),
        (&sink, "ELASTICSEARCH_API_KEY", &arn, "objects"),
        (&sink, "ELASTICSEARCH_PASSWORD", "hunter2hunter2", "objects"),
        (&sink, "ELASTICSEARCH_PASSWORD", parameter, "objects"),
        (&sink, "ELASTICSEARCH_PASSWORD", &user, "objects"),
        (&forbidden, "ELASTICSEARCH_PASSWORD", &user, "errorType"),
        (&forbidden, "ELASTICSEARCH_PASSWORD", "hunter2hunter2", "errorType"),
        (&sink, "ELASTICSEARCH_PASSWORD", &format!("{arn}:nothing"), "errorType"),
        (
            &sink,
            "ELASTICSEARCH_PASSWORD",
            "arn:aws:ssm:us-east-1:000000000000:parameter/x",
            "errorType",
        ),
    ] {
        let settings = [(name, value), ("RUST_LOG", "trace"), ("AWS_LAMBDA_LOG_LEVEL", "TRACE")];
        let Some(function) = start(&aws, &store.url(), 300, &settings) else { return };
        let answer = function.invoke(&put_event(&["t.json"]));
        assert!(answer[expected].is_number() || answer[expected].is_string(), "{value}: {answer}");
        let log = function.log() + &answer.to_string();
        for secret in ["c2VjcmV0OnNlY3JldA", "hunter2", "a-very-secret-access-key"] {
            assert!(!log.contains(secret), "{log}");
        }
        sent.push(store.authorization());
    }
    let [key, password, loader] = [
        "ApiKey c2VjcmV0OnNlY3JldA==",
        "Basic ZWxhc3RpYzpodW50ZXIyaHVudGVyMg==",
        "Basic bG9hZGVyOmh1bnRlcjJodW50ZXIy",
    ];
    assert_eq!(sent[..6], [key, key, password, password, loader, loader]);
}

#[test]
fn rejects_must_not_come_back_as_events() {
    let workplace = Workplace::new(PROGRAM);
    let check = |input: &str, rejects: &str| {
        let mut command = workplace.command(["lambda"]);
        command.env("INPUT_URL", input).env("REJECTS_URL", rejects);
        // Nobody answers there: that it was asked for means that the settings were taken.
        command.env("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:1");
        let output = command.output().unwrap();
        String::from_utf8_lossy(&output.stderr).contains("REJECTS_URL s3://")
    };
    assert!(check("s3://tweets/raw/", "s3://tweets/raw/rejects/"));
    assert!(check("s3://tweets", "s3://tweets/rejects/"));
    assert!(check("s3://tweets/raw/", "s3://tweets/raw"));
    assert!(check("s3://tweets/raw/", "s3://tweets/"));
    assert!(!check("s3://tweets/raw/", "s3://tweets/rejects/"));
    assert!(!check("s3://tweets/", "s3://rejects/"));
}

#[test]
fn the_template_brings_what_lands_in_its_bucket_into_the_index() {
    let Some(aws) = Aws::start() else { return };
    let Some(server) = Server::start(ELASTICSEARCH) else { return };
    aws.create_bucket("code");
    aws.put("code", "function.zip", &zip("bootstrap", &tests::lambda_program(PROGRAM)));
    let template = include_str!("../../deploy/template.yaml")
        .replace(
            "CodeUri: ../target/lambda/indexer/",
            "CodeUri: { Bucket: code, Key: function.zip }",
        )
        // What stands in for AWS compares this with a number.
        .replace("MaximumConcurrency: !Ref MaxConcurrency", "MaximumConcurrency: 5");
    let tweets = tweets(500);
    for (stack, queue, id) in
        [("direct", "false", "1601645088790257667"), ("queued", "true", "1601645088790257668")]
    {
        aws.form(
            "cloudformation",
            &[
                ("Action", "CreateStack"),
                ("StackName", stack),
                ("TemplateBody", &template),
                ("Capabilities.member.1", "CAPABILITY_IAM"),
                ("Capabilities.member.2", "CAPABILITY_AUTO_EXPAND"),
                ("Parameters.member.1.ParameterKey", "Store"),
                ("Parameters.member.1.ParameterValue", &server.url()),
                ("Parameters.member.2.ParameterKey", "WithQueue"),
                ("Parameters.member.2.ParameterValue", queue),
            ],
        );
        let describe = [("Action", "DescribeStacks"), ("StackName", stack)];
        let started = Instant::now();
        let described = loop {
            let described = aws.form("cloudformation", &describe);
            if !described.contains("CREATE_IN_PROGRESS") || started.elapsed().as_secs() > 60 {
                break described;
            }
            std::thread::sleep(Duration::from_millis(100));
        };
        assert!(described.contains("CREATE_COMPLETE"), "{described}");
        let bucket = output(&described, "BucketName");
        aws.put(&bucket, "twitter/raw-data/2026/11/21/10/a b.gz", &gzip(&tweets.lines.concat()));
        let tweet = format!(r#"{{"id_str":"{id}","text":"through Firehose"}}"#);
        aws.json(
            "firehose",
            "Firehose_20150804.PutRecord",
            &json!({
                "DeliveryStreamName": output(&described, "FirehoseName"),
                "Record": { "Data": base64(&tweet) },
            }),
        );
        let started = Instant::now();
        let expected = tweets.ids.len() as u64 + 1;
        while server.count() < expected && started.elapsed().as_secs() < 60 {
            std::thread::sleep(Duration::from_millis(100));
        }
        assert_eq!(server.count(), expected, "{stack}");
        server.ask("DELETE", "/tweets-2022,tweets-2026", "");
    }
}

/// An output of a stack.
fn output(described: &str, key: &str) -> String {
    let rest = described.split(&format!("<OutputKey>{key}</OutputKey>")).nth(1).unwrap();
    let value = rest.split("<OutputValue>").nth(1).unwrap().split("</OutputValue>").next().unwrap();
    value.to_owned()
}

/// A zip archive with one file in it, stored as it is.
fn zip(name: &str, path: &str) -> Vec<u8> {
    let body = std::fs::read(path).unwrap();
    let mut crc = flate2::Crc::new();
    crc.update(&body);
    let (crc, size) = (crc.sum().to_le_bytes(), (body.len() as u32).to_le_bytes());
    let name_size = (name.len() as u16).to_le_bytes();
    // The fields that the local header and the directory have in common, from the version on.
    let fields =
        [&[20, 0, 0, 0, 0, 0, 0, 0, 0x21, 0][..], &crc, &size, &size, &name_size, &[0, 0]].concat();
    let mut zip = [b"PK\x03\x04", &fields[..], name.as_bytes(), &body].concat();
    let directory_at = (zip.len() as u32).to_le_bytes();
    let mode = (0o100_755_u32 << 16).to_le_bytes();
    // Made on Unix.
    let entry =
        [b"PK\x01\x02\x14\x03", &fields[..], &[0; 6], &mode, &[0; 4], name.as_bytes()].concat();
    zip.extend(&entry);
    let entry_size = (entry.len() as u32).to_le_bytes();
    zip.extend(
        [b"PK\x05\x06\0\0\0\0\x01\0\x01\0", &entry_size[..], &directory_at, &[0, 0]].concat(),
    );
    zip
}

#[test]
fn objects_that_are_there_are_read_like_files() {
    let Some(aws) = aws() else { return };
    let workplace = Workplace::new(PROGRAM);
    for n in 1..=6 {
        aws.put("tweets", &format!("raw/{n} +.json"), tweet(n).as_bytes());
    }
    aws.put("tweets", "raw/", b"").put("tweets", "other.json", b"not a tweet");
    let run = |arguments: &str| {
        let mut command = workplace.command(["backfill"].into_iter().chain(arguments.split(' ')));
        command.env("AWS_ENDPOINT_URL", aws.url());
        command.envs([("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")]);
        let output = command.args(["--report", "json"]).output().unwrap();
        let report: Value = serde_json::from_slice(&output.stdout).unwrap_or_default();
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        (output.status.code(), report["created"].as_u64(), report["updated"].as_u64(), stderr)
    };
    let (code, created, ..) = run("s3://tweets/raw/ --resume --start-after raw/4");
    assert_eq!((code, created), (Some(0), Some(3)));
    let (code, created, updated, stderr) = run("s3://tweets/raw/ --resume");
    assert_eq!((code, created, updated), (Some(0), Some(3), Some(0)), "{stderr}");
    assert!(stderr.contains("3 of 6 sources were read before"), "{stderr}");
    // One that has changed is another one.
    aws.put("tweets", "raw/1 +.json", (tweet(1) + &tweet(7)).as_bytes());
    let (code, created, updated, _) = run("s3://tweets/raw/ --resume");
    assert_eq!((code, created, updated), (Some(0), Some(1), Some(1)));
    let (code, _, _, stderr) = run("s3://tweets/raw/ --modified-to 2020-01-01");
    assert_eq!(code, Some(2));
    assert!(stderr.contains("of 7 objects that begin with `s3://tweets/raw/`"), "{stderr}");
    let (code, _, _, stderr) = run("s3://nothing/raw/");
    assert_eq!(code, Some(2));
    assert!(stderr.contains("NoSuchBucket"), "{stderr}");
    let store = open(&workplace.path("tweets-index").display().to_string());
    assert_eq!(store.count(&indexer::store::Filter::default()).unwrap(), 7);
}
