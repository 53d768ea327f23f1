//! `indexer collect` and a stand-in for AWS: through Firehose or Kinesis into S3, the function and the index.
#![allow(clippy::unwrap_used, reason = "a test may stop on anything odd, in its helpers too")]

use std::collections::{BTreeMap, HashSet};
use std::process::Output;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tests::{
    Aws, ELASTICSEARCH, Faults, Function, Server, Sink, Workplace, X_TOKEN, XApi, aws, aws_at,
    put_event, report, start,
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_indexer-under-test");

fn run(workplace: &Workplace, aws: &Aws, arguments: &str) -> Output {
    let mut command = workplace.command(arguments.split(' '));
    aws_at(&mut command, &aws.url());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{arguments}: {output:?}");
    output
}

/// The numbers of a backfill's report that do not depend on time.
fn numbers(output: &Output) -> Value {
    let report = report(output);
    json!([
        report["read"],
        report["created"],
        report["updated"],
        report["rejected"],
        report["marketplaces"]
    ])
}

#[test]
fn a_replay_through_firehose_and_s3_is_what_a_backfill_is() {
    let Some(aws) = aws() else { return };
    let workplace = Workplace::new(PROGRAM);
    let sample = workplace.run(["sample", "--count", "700", "--format", "csv"]);
    workplace.file("tweets.csv", sample.stdout);
    let direct =
        numbers(&run(&workplace, &aws, "backfill tweets.csv --store direct --report json"));
    run(
        &workplace,
        &aws,
        "collect replay tweets.csv --to firehose:tweets --create --create-bucket tweets --create-role arn:aws:iam::000000000000:role/firehose",
    );
    let prefix = "twitter/raw-data/";
    let started = Instant::now();
    let mut sizes = (0, usize::MAX);
    // Until no more objects come.
    while sizes.0 == 0 || sizes.0 != sizes.1 {
        assert!(started.elapsed().as_secs() < 60, "nothing comes out of Firehose");
        thread::sleep(Duration::from_millis(500));
        sizes = (aws.keys("tweets", prefix).len(), sizes.0);
    }
    let backfill = format!("backfill s3://tweets/{prefix} --store through --report json");
    assert_eq!(numbers(&run(&workplace, &aws, &backfill)), direct);
    let Some(server) = Server::start(ELASTICSEARCH) else { return };
    let Some(function) = start(PROGRAM, &aws, &server.url(), 300, &[]) else { return };
    for key in aws.keys("tweets", prefix) {
        let answer = function.invoke(&put_event(&[key.as_str()]));
        assert_eq!(answer, json!({ "objects": 1 }), "{key}");
    }
    server.ask("POST", "/tweets/_refresh", "");
    assert_eq!(json!(server.count()), direct[1]);
}

#[test]
fn a_replay_through_kinesis_is_spread_over_shards_by_hashtag() {
    let Some(aws) = aws() else { return };
    let workplace = Workplace::new(PROGRAM);
    let sample = workplace.run(["sample", "--count", "600", "--format", "csv"]);
    workplace.file("tweets.csv", sample.stdout);
    run(
        &workplace,
        &aws,
        "collect replay tweets.csv --to kinesis:tweets --create --create-shards 3",
    );
    let kinesis = |operation: &str, body: Value| {
        aws.json("kinesis", &format!("Kinesis_20131202.{operation}"), &body)
    };
    let shards = kinesis("ListShards", json!({ "StreamName": "tweets" }));
    let mut by_shard: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    let mut keys: BTreeMap<String, HashSet<String>> = BTreeMap::new();
    for shard in shards["Shards"].as_array().unwrap() {
        let id = shard["ShardId"].as_str().unwrap().to_owned();
        let first = kinesis(
            "GetShardIterator",
            json!({ "StreamName": "tweets", "ShardId": id, "ShardIteratorType": "TRIM_HORIZON" }),
        );
        let got = kinesis(
            "GetRecords",
            json!({ "ShardIterator": first["ShardIterator"], "Limit": 10000 }),
        );
        for record in got["Records"].as_array().unwrap() {
            let key = record["PartitionKey"].as_str().unwrap().to_owned();
            keys.entry(key).or_default().insert(id.clone());
            by_shard.entry(id.clone()).or_default().push(record.clone());
        }
    }
    assert_eq!(by_shard.len(), 3, "all shards are used");
    assert_eq!(by_shard.values().map(Vec::len).sum::<usize>(), 600);
    assert!(keys.values().all(|shards| shards.len() == 1) && keys.contains_key("datalake"));
    let direct = report(&run(&workplace, &aws, "backfill tweets.csv --store direct --report json"));
    let sink = Sink::start(Faults::default());
    let Some(function) = start(PROGRAM, &aws, &sink.url(), 300, &[]) else { return };
    for records in by_shard.into_values() {
        let records: Vec<Value> = records
            .into_iter()
            .map(|record| {
                json!({
                    "eventSource": "aws:kinesis", "eventID": "shard:1", "eventName": "aws:kinesis:record",
                    "eventVersion": "1.0", "eventSourceARN": "arn:aws:kinesis:us-east-1:1:stream/tweets",
                    "awsRegion": "us-east-1", "invokeIdentityArn": "arn:aws:iam::1:role/r",
                    "kinesis": {
                        "kinesisSchemaVersion": "1.0", "partitionKey": record["PartitionKey"],
                        "sequenceNumber": record["SequenceNumber"], "data": record["Data"],
                        "approximateArrivalTimestamp": 1_790_000_000.0,
                    },
                })
            })
            .collect();
        function.invoke(&json!({ "Records": records }));
    }
    assert_eq!(json!(sink.ids().len()), direct["created"]);
}

#[test]
fn objects_are_named_as_firehose_names_them_and_are_read_back() {
    let Some(aws) = aws() else { return };
    let workplace = Workplace::new(PROGRAM);
    let sample = workplace.run(["sample", "--count", "3000", "--format", "ndjson"]);
    workplace.file("tweets.ndjson", sample.stdout);
    let direct =
        numbers(&run(&workplace, &aws, "backfill tweets.ndjson --store direct --report json"));
    run(
        &workplace,
        &aws,
        "collect replay tweets.ndjson --to s3://tweets/collected/ --roll-size 500KiB",
    );
    let keys = aws.keys("tweets", "collected/");
    assert!(keys.len() > 3, "{keys:?}");
    for key in &keys {
        let parts: Vec<&str> = key.split('/').collect();
        let name: Vec<&str> = parts[5].split('-').collect();
        assert_eq!((parts.len(), name.len()), (6, 13), "{key}");
        assert_eq!((name[0], name[1], name[2]), ("replay", "1", parts[1]), "{key}");
    }
    let through =
        run(&workplace, &aws, "backfill s3://tweets/collected/ --store through --report json");
    assert_eq!(numbers(&through), direct);
}

#[test]
fn a_scheduled_search_puts_what_is_new_into_firehose() {
    let (Some(aws), api) = (aws(), XApi::start()) else { return };
    let secret =
        json!({ "Name": "x", "SecretString": format!("{{\"bearer_token\":\"{X_TOKEN}\"}}") });
    let secret = aws.json("secretsmanager", "secretsmanager.CreateSecret", &secret);
    let stream = json!({
        "DeliveryStreamName": "tweets",
        "ExtendedS3DestinationConfiguration": {
            "BucketARN": "arn:aws:s3:::tweets", "RoleARN": "arn:aws:iam::000000000000:role/r", "Prefix": "raw/",
        },
    });
    aws.json("firehose", "Firehose_20150804.CreateDeliveryStream", &stream);
    let settings = [
        ("_HANDLER", "collect"),
        ("AWS_ENDPOINT_URL", &aws.url()),
        ("X_BEARER_TOKEN", secret["ARN"].as_str().unwrap()),
        ("INDEXER_COLLECT_API_URL", &api.url()),
        ("INDEXER_COLLECT_TO", "firehose:tweets"),
        ("INDEXER_COLLECT_QUERY", "A=a|B=b"),
        ("INDEXER_COLLECT_MAX_COST", "5"),
        ("INDEXER_COLLECT_STATE", "s3://tweets/collect/x-search.json"),
        ("INDEXER_COLLECT_SPOOL", "spool"),
    ];
    let schedule =
        json!({ "source": "aws.events", "detail-type": "Scheduled Event", "detail": {} });
    for (a, b, sent) in [(120, 3, 123), (0, 0, 0), (2, 0, 2)] {
        api.add("a", a);
        api.add("b", b);
        // Nothing of an environment outlives it, but what is in S3.
        let Some(function) = Function::start(PROGRAM, 60, &settings) else { return };
        let answer = function.invoke(&schedule);
        assert_eq!(answer["sent"], sent, "{answer} {}", function.log());
        assert!(!function.log().contains("very-secret"));
    }
    assert_eq!(api.charged(), (125, 0));
    let Some(function) = Function::start(PROGRAM, 60, &settings) else { return };
    api.fail([tests::XFault::Status(403)]);
    let answer = function.invoke(&schedule);
    assert_eq!(answer["errorType"], "Collect", "{answer}");
    assert!(answer["errorMessage"].as_str().unwrap().contains("403"), "{answer}");
}
