//! Each oddity of a format has a file in `test_data`, named after it; the snapshot beside it is all that
//! is read from it.
#![allow(clippy::unwrap_used, reason = "a test may stop on anything odd, in its helpers too")]

use std::fmt::Write;
use std::sync::Arc;

use ingest::{Field, Item, Options};

/// Every item of a file, one a line, what is absent left out.
fn read(bytes: &[u8], options: Options) -> String {
    let mut seen = String::new();
    let batches = match ingest::open(bytes, &Arc::new(options)) {
        Ok(batches) => batches,
        Err(error) => return format!("error: {error}\nhint: {}\n", error.hint()),
    };
    for batch in batches {
        let batch = match batch {
            Ok(batch) => batch,
            Err(error) => {
                writeln!(seen, "error: {error}").unwrap();
                break;
            }
        };
        batch.read(|item| writeln!(seen, "{}", describe(&item)).unwrap());
    }
    seen
}

fn describe(item: &Item<'_>) -> String {
    match item {
        Item::Document { line, json, .. } => format!("{line}: document {json}"),
        Item::Notice { line, kind } => format!("{line}: notice {kind}"),
        Item::Rejected(rejected) => {
            format!(
                "{}: rejected ({:?}): {} | {}",
                rejected.line, rejected.stage, rejected.reason, rejected.raw
            )
        }
        Item::Tweet { line, tweet, .. } => {
            let whole = format!("{tweet:?}");
            // Leaves out what is not known, so that what is known can be seen.
            let mut short = whole.replace("Some(", "(");
            for absent in [
                "assumed_marketplace: None, ",
                "lang: None, ",
                "user: User { id: None, screen_name: None, name: None, followers: None }, ",
                "entities: Entities { hashtags: None, mentions: None, cashtags: None, urls: None }, ",
                "coordinates: None, ",
                "place: None, ",
                "marketplaces: [], ",
                "rule_tags: [], ",
                "counts: Counts { retweets: None, likes: None, replies: None, quotes: None }, ",
                "kind: Tweet, ",
                "in_reply_to: None, ",
                "retweet_of: None, ",
                ", unread: []",
                ", id_check: Unchecked",
                ", id_check: Agrees",
                ", quote_of: None",
                "bounding_box: None",
                "id: None, ",
                ", name: None",
                ", followers: None",
                "network: Twitter, ",
                "hashtags: None, ",
                "mentions: None, ",
                "cashtags: None, ",
            ] {
                short = short.replace(absent, "");
            }
            format!("{line}: {short}")
        }
    }
}

#[test]
fn each_oddity_is_read_as_it_is_meant() {
    insta::glob!("../test_data", "*.*", |path| {
        let bytes = std::fs::read(path).unwrap();
        let name = path.file_name().unwrap().to_str().unwrap();
        let columns = match name {
            "csv_no_header.csv" => vec![
                (Field::Id, "2".into()),
                (Field::CreatedAt, "3".into()),
                (Field::Text, "6".into()),
            ],
            _ => Vec::new(),
        };
        insta::assert_snapshot!(read(&bytes, Options { columns, ..Options::default() }));
    });
}

#[test]
fn a_named_column_is_there_or_it_is_an_error() {
    for (source, name, expected) in [
        ("id,what\n1,a\n", "what", Ok(())),
        ("id,what\n1,a\n", "2", Ok(())),
        ("{\"id\":\"160\",\"what\":\"a\"}", "what", Ok(())),
        ("{\"id\":\"160\",\"in\":{\"what\":\"a\"}}", "in.what", Ok(())),
        (
            "id,what\n1,a\n",
            "3",
            Err("there is no column or key `3` for the field `text`; there are `id,what`"),
        ),
        (
            "{\"id\":\"160\",\"what\":\"a\"}",
            "body",
            Err("there is no column or key `body` for the field `text`; there are `id, what`"),
        ),
        (
            "{\"id_str\":\"160\",\"text\":\"a\",\"user\":{}}",
            "body",
            Err("its records are tweets of the API v1.1, for which no column can be named"),
        ),
        (
            "window.YTD.tweets.part0 = [{\"tweet\":{\"id_str\":\"160\",\"full_text\":\"a\"}}]",
            "body",
            Err("its records are entries of a Twitter archive, for which no column can be named"),
        ),
    ] {
        let columns = vec![(Field::Text, name.into())];
        let options = Arc::new(Options { columns, ..Options::default() });
        let opened = ingest::open(source.as_bytes(), &options).map(drop);
        let opened = opened.map_err(|error| error.to_string());
        assert_eq!(opened, expected.map_err(str::to_owned), "{name} in {source}");
    }
}

#[test]
fn what_is_read_does_not_depend_on_where_the_bytes_are_cut() {
    /// Gives one byte at a time.
    struct Drip<'b>(&'b [u8]);
    impl std::io::Read for Drip<'_> {
        fn read(&mut self, buf: &mut [u8]) -> std::io::Result<usize> {
            let length = self.0.len().min(buf.len()).min(1);
            buf[..length].copy_from_slice(&self.0[..length]);
            self.0 = &self.0[length..];
            Ok(length)
        }
    }
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/test_data");
    for entry in std::fs::read_dir(folder).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        let mut dripped = String::new();
        if let Ok(batches) = ingest::open(Drip(&bytes), &Arc::default()) {
            for batch in batches {
                batch.unwrap().read(|item| writeln!(dripped, "{}", describe(&item)).unwrap());
            }
            assert_eq!(dripped, read(&bytes, Options::default()));
        }
    }
}

#[test]
fn a_source_longer_than_any_buffer_keeps_its_lines_and_loses_nothing() {
    let mut json = String::new();
    for i in 0..40_000_u64 {
        let id = 1_601_645_088_790_257_667 + i;
        writeln!(
            json,
            r#"{{"id_str":"{id}","text":"tweet {i} {}","user":{{}}}}"#,
            "x".repeat(i as usize % 300)
        )
        .unwrap();
        if i % 10_000 == 5 {
            json.push_str("{\"broken\":\n");
        }
    }
    let (mut tweets, mut rejected) = (0_u64, Vec::new());
    for batch in ingest::open(json.as_bytes(), &Arc::default()).unwrap() {
        batch.unwrap().read(|item| match item {
            Item::Tweet { line, tweet, .. } => {
                let number: u64 = tweet.text.split(' ').nth(1).unwrap().parse().unwrap();
                assert_eq!(line, number + 1 + rejected.len() as u64);
                tweets += 1;
            }
            Item::Rejected(reject) => rejected.push(reject.line),
            Item::Document { .. } | Item::Notice { .. } => {}
        });
    }
    assert_eq!((tweets, rejected), (40_000, vec![7, 10_008, 20_009, 30_010]));
}

#[test]
fn gzip_of_many_members_is_read_to_its_end_and_a_cut_one_up_to_the_cut() {
    use std::io::Write as _;
    let gzip = |text: &str| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    };
    let tweet = |id: &str| format!("{{\"id_str\":\"{id}\",\"text\":\"a\",\"user\":{{}}}}\n");
    let mut members = gzip(&tweet("1601645088790257667"));
    members.extend(gzip(&tweet("1601594891175354371")));
    assert_eq!(read(&members, Options::default()).lines().count(), 2);
    let cut = read(&members[..members.len() - 12], Options::default());
    assert!(
        cut.contains("1601645088790257667") && cut.contains("error: its gzip data is cut off"),
        "{cut}"
    );
}

#[test]
fn options_fill_in_what_records_do_not_say() {
    let options = Options {
        timestamp: ingest::Timestamp::parse("2020-01-01"),
        marketplace: Some("AWS".into()),
        ..Options::default()
    };
    let seen = read(b"text,cloud\nhello,\nbye,GCP\n", options);
    assert!(
        seen.contains("assumed_marketplace: (\"AWS\")") && seen.contains("marketplaces: [\"GCP\"]"),
        "{seen}"
    );
}

/// What is read from the lines that a source is passed on as.
fn read_forwarded(bytes: &[u8], options: &Options) -> String {
    let (mut lines, mut described) = (Vec::new(), String::new());
    let Ok(batches) = ingest::open(bytes, &Arc::new(options.clone())) else {
        return described;
    };
    for batch in batches {
        let Ok(batch) = batch else { break };
        batch.forward(|_, line| match line {
            Ok(line) => lines.extend_from_slice(&[line, b"\n"].concat()),
            Err(rejected) => {
                writeln!(described, "{}", describe(&Item::Rejected(rejected))).unwrap()
            }
        });
    }
    if let Ok(batches) = ingest::open(&*lines, &Arc::default()) {
        for batch in batches {
            batch.unwrap().read(|item| writeln!(described, "{}", describe(&item)).unwrap());
        }
    }
    described
}

#[test]
fn lines_that_are_passed_on_mean_what_their_source_means() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/test_data");
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        // Without the lines, which are others.
        let tweets = |described: String| {
            let tweets = described.lines().filter(|line| line.contains("Tweet {"));
            let mut tweets: Vec<_> =
                tweets.filter_map(|line| Some(line.split_once(": ")?.1.to_owned())).collect();
            tweets.sort();
            tweets
        };
        let direct = tweets(read(&bytes, Options::default()));
        assert_eq!(tweets(read_forwarded(&bytes, &Options::default())), direct, "{path:?}");
    }
}
