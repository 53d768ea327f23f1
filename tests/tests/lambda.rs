//! The function under Lambda's own runtime emulator, with an S3 beside it: all kinds of objects and events.
#![allow(clippy::unwrap_used, reason = "a test may stop on anything odd, in its helpers too")]

use serde_json::{Value, json};
use tests::{
    ELASTICSEARCH, Faults, Function, Server, Sink, Workplace, aws, check, gzip, kinesis, message,
    notification, open, put_event, start, tweet, tweets,
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_indexer-under-test");

#[test]
fn an_object_in_each_of_firehoses_framings_is_indexed_in_little_memory() {
    let Some(aws) = aws() else { return };
    let tweets = tweets(PROGRAM, 40_000);
    for (name, text) in [
        ("lines", tweets.lines.join("\n")),
        ("concatenated", tweets.lines.concat()),
        ("comma lines", tweets.lines.join(",\n") + ",\n"),
        ("array", format!("[{}]", tweets.lines.join(","))),
    ] {
        aws.put("tweets", name, &gzip(&text));
        let sink = Sink::start(Faults::default());
        let Some(function) = start(PROGRAM, &aws, &sink.url(), 300, &[]) else { return };
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
    let Some(function) = start(PROGRAM, &aws, &server.url(), 300, &[]) else { return };
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

#[test]
fn without_a_place_for_rejects_one_fails_its_object() {
    let Some(aws) = aws() else { return };
    aws.put("tweets", "t.json", b"{\"id_str\":\"1601645088790257667\",\"text\":\"fine\"}\n{broken");
    let sink = Sink::start(Faults::default());
    let settings = [("REJECTS_URL", "s3://nothing/of/")];
    let Some(function) = start(PROGRAM, &aws, &sink.url(), 300, &settings) else { return };
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
fn no_secret_is_in_any_log() {
    let Some(aws) = aws() else { return };
    let secret = json!({ "Name": "tweets", "SecretString": "{\"id\":\"x\",\"api_key\":\"half-of-it\",\"encoded\":\"c2VjcmV0OnNlY3JldA==\"}" });
    let made = aws.json("secretsmanager", "secretsmanager.CreateSecret", &secret);
    let arn = made["ARN"].as_str().unwrap().to_owned();
    let parameter =
        json!({ "Name": "/tweets/password", "Value": "hunter2hunter2", "Type": "SecureString" });
    aws.json("ssm", "AmazonSSM.PutParameter", &parameter);
    let parameter = "arn:aws:ssm:us-east-1:000000000000:parameter/tweets/password";
    aws.put("tweets", "t.json", tweets(PROGRAM, 10).lines.join("\n").as_bytes());
    let sink = Sink::start(Faults::default());
    // Elasticsearch repeats the user's name in this message. If the password was sent as the name, it would be shown.
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
        let Some(function) = start(PROGRAM, &aws, &store.url(), 300, &settings) else { return };
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
        // Nothing listens at this address, so the function also ends if it accepts the settings.
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
    // An object that has changed counts as a new one.
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
