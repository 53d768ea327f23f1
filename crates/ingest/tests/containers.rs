//! What is packed is read like what is not: each container, and one in another. Damage to one member costs only that one.
#![allow(clippy::unwrap_used, reason = "a test may stop on anything odd, in its helpers too")]

use std::collections::VecDeque;
use std::io::{self, Cursor, Read, Write};
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

use flate2::Compression;
use flate2::write::GzEncoder;
use ingest::{Checkpoint, Input, Options, Origin, Spool, unpack};

const CSV: &str = "id,text\n1601645088790257667,\"a, b\"\n1601645088790257668,c\n";
const JSON: &str = "{\"id_str\":\"1601645088790257669\",\"text\":\"d\",\"user\":{}}\n";

/// Bytes in memory.
struct Bytes(Arc<[u8]>);

impl Origin for Bytes {
    fn length(&self) -> u64 {
        self.0.len() as u64
    }
    fn read(&self, range: Range<u64>) -> io::Result<Box<dyn Read + Send>> {
        Ok(Box::new(Cursor::new(self.0[range.start as usize..range.end as usize].to_vec())))
    }
}

struct Memory;

impl Spool for Memory {
    fn keep(&self, reader: &mut dyn Read) -> io::Result<Arc<dyn Origin>> {
        let mut bytes = Vec::new();
        reader.read_to_end(&mut bytes)?;
        Ok(Arc::new(Bytes(bytes.into())))
    }
}

/// Everything in a source, a line each.
fn read(input: Input<'_>, options: &Options, from: Option<&Checkpoint>) -> Vec<String> {
    let mut seen = Vec::new();
    let options = Arc::new(options.clone());
    let read = unpack(input, &options, &Memory, from, &mut |member| {
        let path = member.path.unwrap_or("-").to_owned();
        let batches = match member.batches {
            Ok(batches) => batches,
            Err(error) => {
                seen.push(format!("{path}: {error}"));
                return ControlFlow::Continue(());
            }
        };
        for batch in batches {
            match batch {
                Ok(batch) => batch.read(|item| seen.push(format!("{path}: {}", shown(&item)))),
                Err(error) => seen.push(format!("{path}: {error}")),
            }
        }
        ControlFlow::Continue(())
    });
    if let Err(error) = read {
        seen.push(error.to_string());
    }
    seen
}

fn shown(item: &ingest::Item<'_>) -> String {
    match item {
        ingest::Item::Tweet { line, tweet, .. } => {
            let name = tweet.user.screen_name.as_deref().unwrap_or_default();
            format!("{line} {} {:?} {name}", tweet.id, tweet.text).trim_end().to_owned()
        }
        ingest::Item::Rejected(rejected) => {
            format!("{} rejected: {}", rejected.line, rejected.reason)
        }
        other => format!("{other:?}"),
    }
}

fn as_stream(bytes: &[u8]) -> Vec<String> {
    read(Input::Stream(Box::new(bytes)), &Options::default(), None)
}

/// What is in a source is the same, whether it comes as a stream or can be read from any place.
#[track_caller]
fn check(bytes: &[u8], expected: &[&str]) {
    let origin = Input::Origin(Arc::new(Bytes(bytes.into())));
    assert_eq!(read(origin, &Options::default(), None), expected);
    assert_eq!(as_stream(bytes), expected);
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    zstd::encode_all(bytes, 3).unwrap()
}

fn snappy(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = snap::write::FrameEncoder::new(Vec::new());
    encoder.write_all(bytes).unwrap();
    encoder.into_inner().unwrap()
}

fn tar(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, bytes) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        builder.append_data(&mut header, path, *bytes).unwrap();
    }
    builder.into_inner().unwrap()
}

fn zip(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (path, bytes) in members {
        writer.start_file(*path, zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(bytes).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

#[test]
fn compressed_sources_are_read_like_plain_ones() {
    let expected = ["-: 2 1601645088790257667 \"a, b\"", "-: 3 1601645088790257668 \"c\""];
    let plain = CSV.as_bytes();
    check(plain, &expected);
    for pack in [gzip, bzip2, zstd, snappy] {
        check(&pack(plain), &expected);
        check(&gzip(&pack(plain)), &expected);
    }
    // Compressed in two parts, put one behind the other.
    let (first, second) = CSV.split_at(20);
    for pack in [gzip, bzip2, zstd, snappy] {
        check(&[pack(first.as_bytes()), pack(second.as_bytes())].concat(), &expected);
    }
    check(include_bytes!("containers/tweets.csv.xz"), &expected);
}

#[test]
fn the_members_of_archives_are_read_one_after_the_other() {
    let members: [(&str, &[u8]); 4] = [
        ("2022/10.csv", CSV.as_bytes()),
        ("__MACOSX/._10.csv", b"\0\x05\x16\x07"),
        ("2022/empty.csv", b""),
        ("2022/11.json.bz2", &bzip2(JSON.as_bytes())),
    ];
    let expected = [
        "2022/10.csv: 2 1601645088790257667 \"a, b\"",
        "2022/10.csv: 3 1601645088790257668 \"c\"",
        "2022/empty.csv: it is empty",
        "2022/11.json.bz2: 1 1601645088790257669 \"d\"",
    ];
    for archive in [tar(&members), zip(&members), gzip(&tar(&members)), bzip2(&zip(&members))] {
        check(&archive, &expected);
    }
}

#[test]
fn parquet_and_workbooks_are_tables() {
    check(
        include_bytes!("containers/flat.parquet"),
        &[
            "-: 2 974370000000000001 \"so \\\"good\\\", yes\"",
            "-: 3 rejected: its text is empty",
            "-: 4 974370000000000003 \"so bad\"",
        ],
    );
    check(
        include_bytes!("containers/nested.parquet"),
        &["-: 1 1601645088790257667 \"so good\" ann"],
    );
    let workbook = include_bytes!("containers/tweets.xlsx");
    let seen = as_stream(workbook);
    assert_eq!(seen[0], "Tweets: 2 974370000000000002 \"so \\\"good\\\",\\nyes\" ann");
    assert!(
        seen[1].starts_with("Tweets: 5 ") && seen[1].ends_with("\"a rounded id\" bob"),
        "{seen:?}"
    );
    let options = Options { sheet: Some("Nope".into()), ..Options::default() };
    let seen = read(Input::Stream(Box::new(&workbook[..])), &options, None);
    assert_eq!(seen, ["it has no sheet `Nope`; there are About, Tweets"]);
}

#[test]
fn archives_lie_in_archives() {
    let inner = zip(&[("a.csv", CSV.as_bytes())]);
    let expected = [
        "in/a.zip/a.csv: 2 1601645088790257667 \"a, b\"",
        "in/a.zip/a.csv: 3 1601645088790257668 \"c\"",
        "b.json: 1 1601645088790257669 \"d\"",
    ];
    check(&tar(&[("in/a.zip", &inner), ("b.json", JSON.as_bytes())]), &expected);
    check(&zip(&[("in/a.zip", &inner), ("b.json", JSON.as_bytes())]), &expected);
    let mut deep = CSV.as_bytes().to_vec();
    for _ in 0..6 {
        deep = tar(&[("a", &deep)]);
    }
    check(
        &deep,
        &["a/a/a/a: it is an archive in an archive, more than four deep, not CSV or JSON"],
    );
}

#[test]
fn damage_costs_one_member() {
    let bad = &gzip(CSV.as_bytes())[..20];
    let members: [(&str, &[u8]); 4] = [
        ("etc/a.csv.gz", bad),
        ("notes", b"Dear diary,\ntoday"),
        ("b.parquet", b"PAR1, and then nothing that makes sense to anybody PAR1"),
        ("c.json", JSON.as_bytes()),
    ];
    for archive in [tar(&members), zip(&members)] {
        let seen = as_stream(&archive);
        assert_eq!(seen[0], "etc/a.csv.gz: 2 rejected: the source breaks off in this record");
        assert_eq!(seen[1], "etc/a.csv.gz: its gzip data is cut off or damaged");
        assert!(seen[2].starts_with("notes: no column holds the tweet's text"), "{seen:?}");
        assert_eq!(seen[3], "b.parquet: its Parquet data is cut off or damaged");
        assert_eq!(seen[4], "c.json: 1 1601645088790257669 \"d\"");
    }
    let whole = tar(&[("a.csv", CSV.as_bytes()), ("b.json", &JSON.as_bytes().repeat(9))]);
    let seen = as_stream(&whole[..1800]);
    assert!(seen[1].starts_with("a.csv: 3"), "{seen:?}");
    assert_eq!(seen.last().unwrap(), "its tar data is cut off or damaged", "{seen:?}");
}

#[test]
fn reading_goes_on_in_the_member_where_it_stopped() {
    let lines = |first: u64, n: u64| -> String {
        (first..first + n)
            .map(|i| {
                format!(
                    "{{\"id_str\":\"{}\",\"text\":\"t{i}\",\"user\":{{}}}}\n",
                    1_601_645_088_790_257_667 + i
                )
            })
            .collect()
    };
    let (a, b, c) = (lines(0, 9_000), lines(10_000, 9_000), lines(20_000, 100));
    let members: [(&str, &[u8]); 4] = [
        ("a.json", a.as_bytes()),
        ("b.json.bz2", &bzip2(b.as_bytes())),
        ("c.json.gz", &gzip(c.as_bytes())),
        ("d.csv", CSV.as_bytes()),
    ];
    for archive in [
        tar(&members),
        gzip(&tar(&members)),
        zip(&members),
        bzip2(&zip(&members)),
        zip(&[("in.tar", &tar(&members))]),
    ] {
        let bytes: Arc<[u8]> = archive.into();
        let open = || Input::Origin(Arc::new(Bytes(Arc::clone(&bytes))));
        let whole = read(open(), &Options::default(), None);
        assert_eq!(whole.len(), 18_102);
        // Stops after each of the batches, and goes on.
        let mut stops = Vec::new();
        let options = Arc::new(Options::default());
        let mut n_read = 0;
        let mut marks = VecDeque::new();
        unpack(open(), &options, &Memory, None, &mut |member| {
            for batch in member.batches.unwrap() {
                let batch = batch.unwrap();
                batch.read(|_| n_read += 1);
                marks.extend(batch.marks);
                stops.push((
                    n_read,
                    serde_json::to_string(&Checkpoint::new(batch.end, marks.clone())).unwrap(),
                ));
            }
            ControlFlow::Continue(())
        })
        .unwrap();
        assert!(stops.len() > 6);
        for (n_read, checkpoint) in stops {
            let checkpoint: Checkpoint = serde_json::from_str(&checkpoint).unwrap();
            let rest = read(open(), &Options::default(), Some(&checkpoint));
            assert!(rest[..] == whole[n_read..], "{n_read} {checkpoint:?} {:?}", rest.first());
        }
    }
}

#[test]
fn the_files_of_a_twitter_archive_are_read_together() {
    let long = "This is the beginning of a long post that the archive cuts, and then it goes on";
    let tweets = format!(
        r#"window.YTD.tweets.part0 = [{{"tweet":{{"id_str":"1773773714741457010","created_at":"Fri Mar 29 18:06:23 +0000 2024","full_text":"{}…"}}}},{{"tweet":{{"id_str":"1773773714741457011","created_at":"Fri Mar 29 18:06:23 +0000 2024","full_text":"RT @bob: hi"}}}}]"#,
        &long[..60]
    );
    let notes = format!(
        r#"window.YTD.note_tweet.part0 = [{{"noteTweet":{{"noteTweetId":"1773773713000000000","createdAt":"2024-03-29T18:06:23.000Z","core":{{"text":"{long}"}}}}}},{{"noteTweet":{{"noteTweetId":"1773773713000000001","createdAt":"2024-03-29T18:06:23.000Z","core":{{"text":"of no tweet"}}}}}}]"#
    );
    let archive = zip(&[
        ("x/Your archive.html", b"<html></html>"),
        ("x/assets/js/main.js", b"(function(){})()"),
        ("x/data/account.js", br#"window.YTD.account.part0 = [{"account":{"username":"ann","accountId":"42","accountDisplayName":"Ann"}}]"#),
        ("x/data/direct-messages.js", br#"window.YTD.direct_messages.part0 = [{"dmConversation":{"text":"a secret"}}]"#),
        ("x/data/manifest.js", br#"window.__THAR_CONFIG = {"userInfo":{}}"#),
        ("x/data/note-tweet.js", notes.as_bytes()),
        ("x/data/profile_media/42.jpg", b"\xFF\xD8\xFF"),
        ("x/data/tweets.js", tweets.as_bytes()),
    ]);
    let other = |kind: &str| format!("it holds `{kind}` of a Twitter archive, and not tweets");
    check(
        &archive,
        &[
            &format!("x/data/account.js: {}", other("account")),
            &format!("x/data/direct-messages.js: {}", other("direct_messages")),
            &format!("x/data/manifest.js: {}", other("__THAR_CONFIG")),
            "x/data/note-tweet.js: Notice { line: 1, kind: \"text of a long tweet\" }",
            "x/data/note-tweet.js: 1 1773773713000000001 \"of no tweet\" ann",
            &format!("x/data/tweets.js: 1 1773773714741457010 \"{long}\" ann"),
            "x/data/tweets.js: 1 1773773714741457011 \"RT @bob: hi\" ann",
        ],
    );
}
