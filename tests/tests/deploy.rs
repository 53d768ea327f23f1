//! The stack of `deploy/template.yaml`, deployed to the stand-in for AWS.
#![allow(clippy::unwrap_used, reason = "a test may stop on anything odd, in its helpers too")]

use std::time::{Duration, Instant};

use tests::{Aws, ELASTICSEARCH, Server, gzip, tweets};

const PROGRAM: &str = env!("CARGO_BIN_EXE_indexer-under-test");

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
        // The stand-in for AWS compares this with a number, and does not resolve the reference first.
        .replace("MaximumConcurrency: !Ref MaxConcurrency", "MaximumConcurrency: 5");
    let tweets = tweets(PROGRAM, 500);
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
        let outputs = aws.outputs(stack);
        aws.put(
            &outputs["BucketName"],
            "twitter/raw-data/2026/11/21/10/a b.gz",
            &gzip(&tweets.lines.concat()),
        );
        let tweet = format!(r#"{{"id_str":"{id}","text":"through Firehose"}}"#);
        aws.put_record(&outputs["FirehoseName"], &tweet);
        let started = Instant::now();
        let expected = tweets.ids.len() as u64 + 1;
        while server.count() < expected && started.elapsed().as_secs() < 60 {
            std::thread::sleep(Duration::from_millis(100));
        }
        assert_eq!(server.count(), expected, "{stack}");
        server.ask("DELETE", "/tweets-2022,tweets-2026", "");
    }
}

/// A zip archive with one file in it, not compressed.
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
