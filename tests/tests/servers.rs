//! What only real servers can show: the same words as in the embedded store, crashes, privileges and mappings.
#![allow(clippy::unwrap_used, reason = "a test may stop on anything odd, in its helpers too")]

use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use indexer::store::{
    After, Answer, Ask, BoundingBox, Filter, Interval, Keyword, Question, SentimentSummary, Sort,
    Store, TextQuery,
};
use ingest::Timestamp;
use serde_json::{Value, json};
use tests::{ELASTICSEARCH, Faults, PASSWORD, Server, Sink, Workplace, free_port, open};

fn workplace() -> Workplace {
    Workplace::new(env!("CARGO_BIN_EXE_indexer-under-test"))
}

fn count(store: &Store, query: &str) -> u64 {
    store.count(&Filter { text: TextQuery::parse(query), ..Filter::default() }).unwrap()
}

/// Texts whose words are hard to tell apart.
const HARD: [&str; 14] = [
    "don't panic: re:Invent, a.b, x_y, 3.5, 1,000 e.g. U.S.A. can’t foo·bar _under_ __",
    "🚀 launch 👨‍👩‍👧 🇵🇹 🇵 #️⃣ 1️⃣ ❤️ ❤ © ™ ★ ☞ 👍🏽x ♢",
    "東京の天気 カタカナ ｶﾀｶﾅ 한국어",
    "ภาษาไทย ភាសាខ្មែរ ພາສາລາວ မြန်မာ ไทยabc",
    "İstanbul ΣΊΣΥΦΟΣ straße ŒUVRE Ⓐ ½ ② ²",
    "اللـه ۖ ورسوله שָׁלוֹם صلى‌الله",
    "naïve cafe\u{301} co\u{AD}operate zero\u{200B}width joined\u{2060}word",
    "https://t.co/aB3?x=1 user@example.com C++ C# .NET AT&T 50% $9.99 #AWS @jack",
    "don’t ‘quoted’ “double” rock'n'roll O'Reilly's 'tis",
    "l'été aujourd’hui d'accord",
    "हिन्दी తెలుగు தமிழ் বাংলা",
    "ᏣᎳᎩ ⵜⴰⵎⴰⵣⵉⵖⵜ 𝒜𝓫 𝟙𝟚 𐐷",
    "a\u{0}b tab\tnew\nline\r\nreturn \u{FEFF}bom",
    "end…of…words—dashes–and-hyphens/slashes\\back|pipes",
];

#[test]
fn both_stores_find_the_same_words_and_phrases() {
    let Some(server) = Server::start(ELASTICSEARCH) else { return };
    let workplace = workplace();
    let long = format!("{} {}", "a".repeat(300), "é".repeat(600));
    let texts: Vec<&str> = HARD.into_iter().chain([long.as_str()]).collect();
    let tweets: String = (0_u64..)
        .zip(&texts)
        .map(|(i, text)| {
            let id = 1_601_645_088_790_257_667 + (i << 22);
            json!({ "id_str": id.to_string(), "text": text, "user": {} }).to_string() + "\n"
        })
        .collect();
    workplace.file("tweets.ndjson", tweets);
    for store in ["tweets-index", &server.url()] {
        let output = workplace.run(["backfill", "tweets.ndjson", "--store", store]);
        assert!(output.status.success(), "{output:?}");
    }
    let stores = [workplace.path("tweets-index").display().to_string(), server.url()];
    let [embedded, elasticsearch] = stores.map(|store| open(&store));
    for text in texts {
        let asked = json!({ "analyzer": "standard", "text": text }).to_string();
        let answer = server.ask("POST", "/_analyze", &asked);
        let words: Vec<&str> = answer["tokens"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|token| token["token"].as_str())
            .collect();
        let pairs = words.windows(2).map(|pair| pair.join(" "));
        for words in words.iter().map(|&word| word.to_owned()).chain(pairs) {
            let query = format!("\"{words}\"");
            let expected = count(&elasticsearch, &query);
            assert_eq!(count(&embedded, &query), expected, "{words:?} of {text:?}");
        }
    }
}

#[test]
fn both_stores_give_the_same_answers_over_many_tweets() {
    let Some(server) = Server::start(ELASTICSEARCH) else { return };
    let workplace = workplace();
    workplace.file("tweets.csv", workplace.run(["sample", "--count", "20000"]).stdout);
    workplace.file(
        "tweets.ndjson",
        workplace.run(["sample", "--count", "5000", "--seed", "2", "--format", "ndjson"]).stdout,
    );
    for store in ["tweets-index", &server.url()] {
        let sources = ["backfill", "tweets.csv", "tweets.ndjson", "--store", store];
        assert!(workplace.run(sources).status.success());
    }
    let embedded = open(&workplace.path("tweets-index").display().to_string());
    let elasticsearch = open(&server.url());
    let bounding_box = Some(BoundingBox { west: -10.0, south: 36.0, east: 40.0, north: 60.0 });
    let everything = embedded.search(&Filter::default(), Sort::Oldest, 0, 1).unwrap();
    let from = Timestamp::from_millis(
        everything.documents[0].timestamp.as_millis() + 7 * Interval::Day.as_millis(),
    );
    let query = |typed: &str| TextQuery::parse(typed);
    for filter in [
        Filter::default(),
        Filter { text: query("marketplace -azure"), ..Filter::default() },
        Filter { text: query("#datalake 🚀"), ..Filter::default() },
        Filter { from: Some(from), bounding_box, ..Filter::default() },
        Filter { terms: vec![(Keyword::Lang, vec!["en".into()])], ..Filter::default() },
        Filter { weekday: Some(1), hour: Some(14), ..Filter::default() },
        Filter { text: query("nothing has this word"), ..Filter::default() },
    ] {
        let ask = |store: &Store| answers(store, &filter);
        for (ours, theirs) in ask(&embedded).iter().zip(ask(&elasticsearch)) {
            assert!(*ours == theirs, "{filter:?}\n{ours:.3000}\n{theirs:.3000}");
        }
    }
}

/// What a store answers to all questions, asked at once; means to nine digits, since sums depend on their
/// order.
fn answers(store: &Store, filter: &Filter) -> Vec<String> {
    let mut questions = vec![Question::Count, Question::Sentiment, Question::PeakHours];
    questions.extend([Question::Places { n: 30 }, Question::Bounds]);
    for &field in Keyword::ALL.iter().filter(|field| **field != Keyword::Id) {
        questions.push(Question::Top { field, n: 30 });
        questions.push(Question::SentimentBy { field, n: 5 });
    }
    for interval in [Interval::Minute, Interval::Hour, Interval::Day, Interval::Week] {
        questions.push(Question::Timeline { interval });
    }
    questions.extend([2, 7, 12].map(|zoom| Question::Map { zoom }));
    let sorts = [Sort::Newest, Sort::Oldest, Sort::Engaged, Sort::MostPositive, Sort::MostNegative];
    for sort in sorts {
        for (offset, limit) in [(0, 50), (900, 1_200), (9_500, 20), (14_990, 30)] {
            questions.push(Question::Search { sort, after: None, offset, limit });
        }
        let hits = store.search(filter, sort, 40, 1).unwrap().documents;
        questions.extend(hits.first().map(|at| Question::Search {
            sort,
            after: Some(After { key: sort.key(at), id: at.id.clone() }),
            offset: 0,
            limit: 10,
        }));
    }
    let asks: Vec<Ask> =
        questions.into_iter().map(|question| Ask { filter: filter.clone(), question }).collect();
    let answers = store.ask(&asks).unwrap();
    for (ask, answer) in asks.iter().zip(&answers) {
        // The page after the 41st tweet by cursor must be the same as the page at offset 41.
        if let Question::Search { sort, after: Some(_), .. } = ask.question {
            let page = store.search(filter, sort, 41, 10).unwrap();
            assert_eq!(*answer, Answer::Hits(page));
        }
    }
    let told = |(ask, answer): (&Ask, Answer)| format!("{:?} {}", ask.question, told(answer));
    asks.iter().zip(answers).map(told).collect()
}

fn told(answer: Answer) -> String {
    let mean = |mean: f64| format!("{mean:.9}");
    let position = |degrees: f64| format!("{degrees:.6}");
    let summary =
        |s: SentimentSummary| format!("{} {:?} {:?}", s.count, s.mean.map(mean), s.labels);
    match answer {
        Answer::Sentiment(sentiment) => summary(sentiment),
        Answer::SentimentBy(by) => {
            let by = by.into_iter().map(|term| (term.term, summary(term.sentiment)));
            format!("{:?}", by.collect::<Vec<_>>())
        }
        Answer::Cells(cells) => {
            let cells = cells
                .into_iter()
                .map(|c| (c.tile, c.count, mean(c.mean), [c.lat, c.lon].map(position)));
            format!("{:?}", cells.collect::<Vec<_>>())
        }
        Answer::Places(places) => {
            let at = |axis: Option<f64>| axis.map(position);
            let places = places
                .into_iter()
                .map(|p| (p.name, p.country, p.count, mean(p.mean), [at(p.lat), at(p.lon)]));
            format!("{:?}", places.collect::<Vec<_>>())
        }
        other => format!("{other:?}"),
    }
}

#[test]
fn a_cluster_that_is_killed_twice_has_every_tweet_once() {
    let Some(mut server) = Server::start(ELASTICSEARCH) else { return };
    let workplace = workplace();
    let sample = workplace.run(["sample", "--count", &COUNT.to_string()]);
    workplace.file("tweets.csv", sample.stdout);
    let arguments = ["backfill", "tweets.csv", "--report", "json", "--store", &server.url()];
    let mut child = workplace
        .command(arguments.into_iter().chain(["--bulk-documents", "2000"]))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    for _ in 0..2 {
        let at = documents(&server);
        let started = Instant::now();
        while documents(&server) < at + 15_000 && started.elapsed() < Duration::from_secs(60) {
            thread::sleep(Duration::from_millis(50));
        }
        server.kill();
        // Long enough for requests to fail.
        thread::sleep(Duration::from_secs(1));
        server.restart();
    }
    assert!(child.try_wait().unwrap().is_none(), "it was killed while it was written to");
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(report["retried"].as_u64() > Some(0), "{report}");

    workplace.run(["backfill", "tweets.csv"]);
    let embedded = open(&workplace.path("tweets-index").display().to_string());
    let elasticsearch = open(&server.url());
    assert_eq!(count(&elasticsearch, ""), count(&embedded, ""));
    for marketplace in ["AWS", "Azure", "GCP"] {
        let query = format!("marketplace:{marketplace}");
        assert_eq!(count(&elasticsearch, &query), count(&embedded, &query), "{marketplace}");
    }
}

/// How many tweets are loaded while the server is killed.
const COUNT: u64 = 150_000;

/// How many documents the server has accepted, whether or not searches find them yet.
fn documents(server: &Server) -> u64 {
    let stats = server.ask("GET", "/_stats/docs,indexing?filter_path=_all.primaries.indexing", "");
    stats["_all"]["primaries"]["indexing"]["index_total"].as_u64().unwrap_or(0)
}

#[test]
fn what_a_cluster_does_not_allow_is_said_once_with_a_hint() {
    let roles = "reader:
  cluster: [monitor]
  indices: [{ names: ['tweets*'], privileges: [read, view_index_metadata] }]
writer:
  indices: [{ names: ['tweets*'], privileges: [read, write, create_index, view_index_metadata] }]
";
    let Some(server) = Server::start_with(ELASTICSEARCH, roles) else { return };
    let workplace = workplace();
    workplace.file("tweets.csv", "id,text\n1601645088790257667,fine\n");
    let url = server.url();
    let show = |user: &str, password: &str, arguments: &str| {
        let mut command = workplace.command(arguments.split(' ').chain(["--store", &url]));
        command.env("ELASTICSEARCH_USERNAME", user).env("ELASTICSEARCH_PASSWORD", password);
        shown(&mut command, &server)
    };
    let backfill = "backfill tweets.csv --retry-for 1m";
    let started = Instant::now();
    let mut seen = vec![
        shown(&mut workplace.command(backfill.split(' ').chain(["--store", &url])), &server),
        show("admin", "wrong", backfill),
        show("reader", PASSWORD, backfill),
        // The indices get their mapping even if the user may not install the template.
        show("writer", PASSWORD, backfill),
        show("writer", PASSWORD, "setup"),
        show("admin", PASSWORD, "setup"),
    ];
    let mapping = server.ask("GET", "/tweets-2022/_mapping", "");
    assert_eq!(mapping["tweets-2022"]["mappings"]["properties"]["location"]["type"], "geo_point");

    let block = json!({ "index.blocks.read_only_allow_delete": true }).to_string();
    server.ask("PUT", "/tweets-2022/_settings", &block);
    workplace.file("tweets.csv", "id,text\n1601645088790257668,new\n");
    seen.push(show("admin", PASSWORD, backfill));
    server.ask("DELETE", "/tweets-2022", "");
    let other = json!({ "mappings": { "properties": { "text": { "type": "keyword" } } } });
    server.ask("DELETE", "/_index_template/tweets", "");
    server.ask("PUT", "/tweets-2022", &other.to_string());
    seen.push(show("admin", PASSWORD, backfill));
    seen.push(show("admin", PASSWORD, "setup"));
    seen.push(show("admin", PASSWORD, "backfill tweets.csv --recreate"));
    seen.push(show("admin", PASSWORD, "backfill tweets.csv --recreate --yes"));
    // What is there tells how long indices are, with or without the template.
    server.ask("DELETE", "/tweets-2022", "");
    seen.push(show("admin", PASSWORD, "backfill tweets.csv --index-by month"));
    server.ask("DELETE", "/_index_template/tweets", "");
    seen.push(show("admin", PASSWORD, "backfill tweets.csv --index-by year"));
    seen.push(show("admin", PASSWORD, "backfill tweets.csv --report json"));
    assert!(started.elapsed() < Duration::from_secs(60), "nothing of that is waited for");
    assert_shown("not_allowed", &seen);
}

#[test]
fn what_is_not_a_cluster_that_we_know_is_said_so() {
    let workplace = workplace();
    workplace.file("tweets.csv", "id,text\n1601645088790257667,fine\n");
    let mut seen = Vec::new();
    for (status, body) in [
        (200, "<html>Welcome to nginx!</html>"),
        (404, "<html>Not Found</html>"),
        (200, r#"{"version":{"number":"7.17.29"},"tagline":"You Know, for Search"}"#),
        (200, r#"{"version":{"number":"1.3.20","distribution":"opensearch"}}"#),
        (
            403,
            r#"{"error":{"type":"security_exception","reason":"action [indices:data/write/bulk] is unauthorized"},"status":403}"#,
        ),
        (
            401,
            r#"{"error":{"type":"security_exception","reason":"api key is expired"},"status":401}"#,
        ),
    ] {
        let sink =
            Sink::start(Faults { greeting: Some((status, body.into())), ..Faults::default() });
        let mut command = workplace.command(["backfill", "tweets.csv", "--store", &sink.url()]);
        command.env("ELASTICSEARCH_API_KEY", "c2VjcmV0OnNlY3JldA==");
        seen.push(shown_at(&mut command, &sink.url()));
    }
    let nobody = format!("http://127.0.0.1:{}", free_port());
    for command in ["backfill tweets.csv", "search ''", "setup"] {
        let mut command = workplace.command(command.split(' ').chain(["--store", &nobody]));
        seen.push(shown_at(&mut command, &nobody));
    }
    for arguments in [
        "--store ftp://localhost",
        "--store http://localhost:9200/?a=b",
        "--store http://localhost --ca-file nothing.pem",
        "--cloud-id mistyped",
        "--store http://nowhere.invalid:9200",
    ] {
        let command = ["backfill", "tweets.csv"].into_iter().chain(arguments.split(' '));
        seen.push(shown_at(&mut workplace.command(command), &nobody));
    }
    assert_shown("not_a_cluster", &seen);
}

fn assert_shown(name: &str, seen: &[String]) {
    insta::with_settings!({filters => vec![
        (r"seconds +[0-9.]+", "seconds      [seconds]"),
        (r#""seconds":[0-9.e-]+"#, "\"seconds\":0.1"),
    ]}, {
        insta::assert_snapshot!(name, seen.join("\n"));
    });
}

fn shown(command: &mut Command, server: &Server) -> String {
    shown_at(command, &server.url())
}

/// Exit code, stdout and stderr, with a name for the server's address.
fn shown_at(command: &mut Command, url: &str) -> String {
    let output = command.output().unwrap();
    let arguments: Vec<_> = command.get_args().map(|arg| arg.to_string_lossy()).collect();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let all = format!(
        "$ indexer {}\nexit {}\n{}{}",
        arguments.join(" "),
        output.status.code().unwrap(),
        text(&output.stdout),
        text(&output.stderr)
    );
    assert!(!all.contains(PASSWORD) && !all.contains("c2VjcmV0"), "a secret is shown: {all}");
    all.replace(url, "http://CLUSTER").replace(url.trim_start_matches("http://"), "CLUSTER")
}

#[test]
fn an_index_of_an_earlier_version_gets_the_fields_that_it_lacks() {
    let Some(server) = Server::start(ELASTICSEARCH) else { return };
    let workplace = workplace();
    workplace.file("tweets.csv", "id,text\n1601645088790257667,late\n");
    let url = server.url();
    workplace.run(["setup", "--store", &url]);
    let template = server.ask("GET", "/_index_template/tweets", "");
    let mut mappings =
        template["index_templates"][0]["index_template"]["template"]["mappings"].clone();
    mappings["_meta"]["version"] = json!(1);
    mappings["properties"].as_object_mut().unwrap().remove("lag_seconds");
    for (index, command) in [
        ("tweets-2022", ["backfill", "tweets.csv", "--store", &url].as_slice()),
        ("tweets-2023", &["setup", "--store", &url]),
    ] {
        server.ask("PUT", &format!("/{index}"), &json!({ "mappings": mappings }).to_string());
        let output = workplace.run(command);
        assert!(output.status.success(), "{output:?}");
        let mapping = server.ask("GET", &format!("/{index}/_mapping"), "");
        let field = &mapping[index]["mappings"]["properties"]["lag_seconds"];
        assert_eq!(*field, json!({ "type": "long" }), "{index}");
    }
}
