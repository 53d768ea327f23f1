//! The function while things break: each tweet ends up in the store or in the rejects, and little work is done twice.
#![allow(clippy::unwrap_used, reason = "a test may stop on anything odd, in its helpers too")]

use std::collections::{BTreeMap, HashSet};
use std::io::Write;
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use tests::{
    CuttingProxy, ELASTICSEARCH, Faults, Server, Sink, aws, check, gzip, kinesis, message,
    put_event, start, tweet, tweets, utf16,
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_indexer-under-test");

#[test]
fn whatever_a_cluster_does_each_tweet_ends_there_or_in_the_rejects() {
    let Some(aws) = aws() else { return };
    let tweets = tweets(PROGRAM, 20_000);
    aws.put("tweets", "t.gz", &gzip(&tweets.lines.concat()));
    for (name, faults) in [
        ("busy", Faults { busy_for: Duration::from_secs(3), ..Faults::default() }),
        ("items put off", Faults { item_busy_once: Some(50), ..Faults::default() }),
        ("answers cut", Faults { cut_answer: Some(3), ..Faults::default() }),
        ("bad gateways", Faults { bad_gateway: Some(2), ..Faults::default() }),
    ] {
        let sink = Sink::start(faults);
        let Some(function) = start(PROGRAM, &aws, &sink.url(), 300, &[]) else { return };
        assert_eq!(function.invoke(&put_event(&["t.gz"])), json!({ "objects": 1 }), "{name}");
        check(&tweets, &sink, &[]);
    }
    assert_eq!(aws.keys("rejects", ""), Vec::<String>::new());

    let sink = Sink::start(Faults { item_refused: Some(1_000), ..Faults::default() });
    let Some(function) = start(PROGRAM, &aws, &sink.url(), 300, &[]) else { return };
    assert_eq!(function.invoke(&put_event(&["t.gz"])), json!({ "objects": 1 }));
    let rejects = aws.rejects("rejects", "of/tweets/");
    assert!((5..60).contains(&rejects.len()), "{}", rejects.len());
    check(&tweets, &sink, &rejects);
    // A retry finds the same documents and writes the same objects of rejects.
    let keys = aws.keys("rejects", "");
    assert_eq!(function.invoke(&put_event(&["t.gz"])), json!({ "objects": 1 }));
    assert_eq!(aws.keys("rejects", ""), keys);
    // When rejects are replayed, what is rejected again stays in the object where it was.
    let mut replay = put_event(&["t.gz"]);
    replay["Records"][0]["s3"]["bucket"]["name"] = json!("rejects");
    replay["Records"][0]["s3"]["object"]["key"] = json!(keys[0]);
    assert_eq!(function.invoke(&replay), json!({ "objects": 1 }));
    assert_eq!(aws.keys("rejects", ""), keys);
}

#[test]
fn a_cluster_that_is_down_fails_the_event_and_a_retry_completes_it() {
    let Some(aws) = aws() else { return };
    let Some(mut server) = Server::start(ELASTICSEARCH) else { return };
    let tweets = tweets(PROGRAM, 60_000);
    aws.put("tweets", "t.gz", &gzip(&tweets.lines.join("\n")));
    let settings = [("INDEXER_RETRY_FOR", "2s")];
    let Some(function) = start(PROGRAM, &aws, &server.url(), 300, &settings) else { return };
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

    // The server is killed in the middle of an object, and is back before the function stops retrying.
    server.restart();
    let settings = [("INDEXER_RETRY_FOR", "2m"), ("INDEXER_BULK_DOCUMENTS", "500")];
    let Some(function) = start(PROGRAM, &aws, &server.url(), 300, &settings) else { return };
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

#[test]
fn what_a_cluster_that_fails_in_the_middle_did_not_take_is_read_again() {
    let Some(aws) = aws() else { return };
    let tweets = tweets(PROGRAM, 8_000);
    let text = tweets.lines.join("\n");
    aws.put("tweets", "plain.json", text.as_bytes());
    aws.put("tweets", "packed.gz", &gzip(&text));
    aws.put("tweets", "utf16.json", &utf16(&text));
    for key in ["plain.json", "packed.gz", "utf16.json"] {
        let sink = Sink::start(Faults { down_from: Some(6), ..Faults::default() });
        let settings = [("INDEXER_RETRY_FOR", "1s"), ("INDEXER_BULK_DOCUMENTS", "500")];
        let Some(function) = start(PROGRAM, &aws, &sink.url(), 300, &settings) else { return };
        let message = message("m1", &put_event(&[key]).to_string());
        let answer = function.invoke(&json!({ "Records": [message] }));
        assert_eq!(answer, json!({ "batchItemFailures": [{ "itemIdentifier": "m1" }] }), "{key}");
        let told = function.metrics().pop().unwrap();
        assert_eq!((&told["outcome"], &told["failed"]), (&json!("failed"), &json!(1)), "{told}");
        sink.mend();
        assert_eq!(function.invoke(&put_event(&[key])), json!({ "objects": 1 }), "{key}");
        check(&tweets, &sink, &[]);
        let is_resumed = function.metrics().pop().unwrap()["from_record"].as_u64() > Some(0);
        assert!(is_resumed, "{key}");
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
    let Some(function) = start(PROGRAM, &aws, &nobody, 300, &settings) else { return };
    let failed_at = |n: &str| json!({ "batchItemFailures": [{ "itemIdentifier": n }] });
    for _ in 0..2 {
        assert_eq!(function.invoke(&event), failed_at("1"), "{}", function.log());
    }
    let sink = Sink::start(Faults { down_from: Some(2), ..Faults::default() });
    let settings = [settings[0], settings[1], ("INDEXER_BULK_REQUESTS", "1")];
    let Some(function) = start(PROGRAM, &aws, &sink.url(), 300, &settings) else { return };
    assert_eq!(function.invoke(&event), failed_at("3"), "{}", function.log());
    assert_eq!(sink.ids().len(), 2);
    sink.mend();
    assert_eq!(function.invoke(&event), json!({ "batchItemFailures": [] }));
    assert_eq!(sink.ids().len(), 6);
}

#[test]
fn a_broken_connection_is_gone_on_with_at_the_byte_that_was_reached() {
    let Some(aws) = aws() else { return };
    let tweets = tweets(PROGRAM, 40_000);
    let body = gzip(&tweets.lines.join(",\n"));
    aws.put("tweets", "t.gz", &body);
    for after in [150_000, 1_000_000, 5_000_000] {
        let proxy = CuttingProxy::start(aws.port(), after);
        let sink = Sink::start(Faults::default());
        let settings = [("AWS_ENDPOINT_URL", proxy.url())];
        let settings = settings.each_ref().map(|(name, value)| (*name, value.as_str()));
        let Some(function) = start(PROGRAM, &aws, &sink.url(), 300, &settings) else { return };
        let answer = function.invoke(&put_event(&["t.gz"]));
        assert_eq!(answer, json!({ "objects": 1 }), "{}", function.log());
        check(&tweets, &sink, &[]);
        let (sent, size) = (proxy.sent(), body.len() as u64);
        assert!(sent < size * 11 / 10, "{sent} of {size} bytes");
        assert_eq!(function.metrics()[0]["bytes"], size);
    }
}

#[test]
fn what_a_deadline_stops_is_gone_on_with() {
    let Some(aws) = aws() else { return };
    // After a small object that is done at once.
    aws.put("tweets", "small.json", tweet(1).as_bytes());
    for (name, count, packed, delay, options) in [
        // A single gzip member, as Firehose writes it.
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
        let mut tweets = tweets(PROGRAM, count);
        let text = tweets.lines.concat();
        let body = if packed { gzip(&text) } else { text.into_bytes() };
        aws.put("tweets", name, &body);
        let delay = Duration::from_millis(delay);
        let item_refused = Some(1_000);
        let sink = Sink::start(Faults { delay, item_refused, ..Faults::default() });
        let Some(function) = start(PROGRAM, &aws, &sink.url(), 3, &options) else { return };
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
    let tweets = tweets(PROGRAM, 3_000);
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
    let Some(function) = start(PROGRAM, &aws, &sink.url(), 300, &[]) else { return };
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

fn indexed(server: &Server) -> u64 {
    let stats = server.ask("GET", "/_stats/indexing?filter_path=_all.primaries.indexing", "");
    stats["_all"]["primaries"]["indexing"]["index_total"].as_u64().unwrap_or(0)
}
