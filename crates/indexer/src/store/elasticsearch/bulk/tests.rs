use super::*;
use enrich::{Origin, enrich};
use ingest::{Timestamp, Tweet};

fn bulk(marketplace: &'static str) -> (Bulk, Document) {
    let mut tweet = Tweet::new("1601645088790257667", Timestamp::from_millis(0), "I love it");
    tweet.marketplaces = vec![marketplace.into()];
    let document = enrich(tweet, Origin::default());
    let mut bulk = Bulk::default();
    bulk.push(&document, "tweets-2022".into(), "a.csv".into(), 2, 0);
    (bulk, document)
}

fn judged(action: Action, item: &str) -> Verdict {
    let (bulk, _) = bulk("AWS");
    let operations = [Operation { entry: 0, action, was_retried: false, conflicts: 0 }];
    let answer = format!(r#"{{"errors":true,"items":[{{"create":{item}}}]}}"#);
    judge(&bulk, &operations, answer.as_bytes()).unwrap().remove(0)
}

#[test]
fn each_item_is_judged_by_its_status_and_error() {
    let error = |status: u16, kind: &str| {
        format!(r#"{{"status":{status},"error":{{"type":"{kind}","reason":"why"}}}}"#)
    };
    let stopped = |status, reason: &str, blocked| {
        let reason = reason.to_owned();
        Verdict::Stopped(RequestError::Status { status, reason, retry_after: None, blocked })
    };
    for (item, verdict) in [
        (r#"{"status":201,"result":"created"}"#.to_owned(), Verdict::Created),
        (r#"{"status":200,"result":"noop"}"#.to_owned(), {
            Verdict::Refused("an ingest pipeline of the cluster drops it".into())
        }),
        (error(409, "version_conflict_engine_exception"), Verdict::Conflict),
        (
            error(429, "es_rejected_execution_exception"),
            Verdict::Later("429 es_rejected_execution_exception: why".into()),
        ),
        (
            error(503, "unavailable_shards_exception"),
            Verdict::Later("503 unavailable_shards_exception: why".into()),
        ),
        (
            error(400, "document_parsing_exception"),
            Verdict::Refused("400 document_parsing_exception: why".into()),
        ),
        (error(403, "security_exception"), stopped(403, "security_exception: why", false)),
        (error(429, "cluster_block_exception"), stopped(429, "cluster_block_exception: why", true)),
    ] {
        assert_eq!(judged(Action::Create, &item), verdict, "{item}");
    }
    let missing = error(404, "document_missing_exception");
    assert_eq!(judged(Action::Read, &missing), Verdict::Next(Action::Create));
}

#[test]
fn what_is_there_is_merged_and_put_back_only_if_that_changes_it() {
    let (_, aws) = bulk("AWS");
    let (_, azure) = bulk("Azure");
    let there = |document: &Document| {
        let source = serde_json::to_string_pretty(document).unwrap();
        format!(r#"{{"status":200,"_seq_no":3,"_primary_term":1,"get":{{"_source":{source}}}}}"#)
    };
    assert_eq!(judged(Action::Read, &there(&aws)), Verdict::Known);
    let Verdict::Next(Action::Replace { json, seq_no: 3, primary_term: 1 }) =
        judged(Action::Read, &there(&azure))
    else {
        panic!("nothing to put back");
    };
    let document: Document = serde_json::from_slice(&json).unwrap();
    assert_eq!(document.marketplace, ["AWS", "Azure"]);
    // What others have added stays.
    let more = there(&azure).replacen("\"sentiment\": {", "\"sentiment\": {\"by\": \"me\",", 1);
    let Verdict::Next(Action::Replace { json, .. }) = judged(Action::Read, &more) else {
        panic!("nothing to put back");
    };
    let json: Json = serde_json::from_slice(&json).unwrap();
    assert_eq!(
        (&json["sentiment"]["by"], &json["marketplace"][1]),
        (&"me".into(), &"Azure".into())
    );
    // A derived field is removed if it no longer follows from the others.
    let lag = there(&azure).replacen("\"kind\":", "\"lag_seconds\": 5, \"kind\":", 1);
    let Verdict::Next(Action::Replace { json, .. }) = judged(Action::Read, &lag) else {
        panic!("nothing to put back");
    };
    let json: Json = serde_json::from_slice(&json).unwrap();
    assert!(json.get("lag_seconds").is_none(), "{json}");
    let foreign = r#"{"status":200,"_seq_no":3,"_primary_term":1,"get":{"_source":{"a":1}}}"#;
    assert!(matches!(judged(Action::Read, foreign), Verdict::Refused(_)));
}

#[test]
fn an_answer_that_is_none_is_not_judged() {
    let (bulk, _) = bulk("AWS");
    let operations =
        [Operation { entry: 0, action: Action::Create, was_retried: false, conflicts: 0 }];
    for answer in ["", "<html>", "{}", r#"{"items":[]}"#, r#"{"items":[{"create":"#] {
        assert_eq!(judge(&bulk, &operations, answer.as_bytes()), None, "{answer}");
    }
}

#[test]
fn a_body_is_two_lines_a_document() {
    let (mut bulk, document) = bulk("AWS");
    bulk.merge(0, document);
    let replace = Action::Replace { json: b"{}".into(), seq_no: 3, primary_term: 1 };
    let operations = [Action::Create, Action::Read, replace].map(|action| Operation {
        entry: 0,
        action,
        was_retried: false,
        conflicts: 0,
    });
    let body = String::from_utf8(body(&bulk, &operations, false).unwrap()).unwrap();
    let lines: Vec<&str> = body.lines().collect();
    let target = r#""_index":"tweets-2022","_id":"1601645088790257667""#;
    assert_eq!(lines[0], format!(r#"{{"create":{{{target}}}}}"#));
    assert_eq!(lines[2], format!(r#"{{"update":{{{target},"_source":true}}}}"#));
    let index = format!(r#"{{"index":{{{target},"if_seq_no":3,"if_primary_term":1}}}}"#);
    assert_eq!(lines[4..], [&index, "{}"]);
}
