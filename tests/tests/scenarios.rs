//! Every scenario in `scenarios/` on every store: the same sources, the same questions, the same answers.
#![allow(clippy::unwrap_used, reason = "a test may stop on anything odd, in its helpers too")]

use std::path::Path;

use indexer::store::{
    BoundingBox, Filter, Interval, Keyword, LabelCounts, PlaceCount, Question, SentimentSummary,
    Sort, Store, TextQuery,
};
use ingest::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};
use tests::{SERVERS, Server, Workplace, open};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scenario {
    /// The sources of each run.
    backfill: Vec<Vec<String>>,
    /// Values that the reports of the runs must have; they may have others.
    #[serde(default)]
    reports: Vec<Value>,
    questions: Vec<Asked>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    ask: String,
    #[serde(default, rename = "where")]
    filter: Where,
    field: Option<String>,
    interval: Option<String>,
    sort: Option<String>,
    zoom: Option<u8>,
    n: Option<usize>,
    #[serde(default)]
    offset: usize,
    /// The relative error that a number may have.
    tolerance: Option<f64>,
    expect: Value,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Where {
    q: String,
    from: Option<String>,
    to: Option<String>,
    marketplace: Option<String>,
    sentiment: Option<String>,
    bbox: Option<[f64; 4]>,
    weekday: Option<u8>,
    hour: Option<u8>,
}

impl Where {
    fn filter(&self) -> Filter {
        let time =
            |text: &Option<String>| text.as_ref().map(|text| Timestamp::parse(text).unwrap());
        let term = |field, value: &Option<String>| value.clone().map(|value| (field, vec![value]));
        let terms =
            [term(Keyword::Marketplace, &self.marketplace), term(Keyword::Label, &self.sentiment)];
        Filter {
            text: TextQuery::parse(&self.q),
            from: time(&self.from),
            to: time(&self.to),
            terms: terms.into_iter().flatten().collect(),
            bounding_box: self.bbox.map(|[west, south, east, north]| BoundingBox {
                west,
                south,
                east,
                north,
            }),
            weekday: self.weekday,
            hour: self.hour,
        }
    }
}

impl Asked {
    fn field(&self) -> Keyword {
        let name = self.field.as_deref().expect("a field");
        Keyword::from_name(name).unwrap_or_else(|| panic!("there is no field {name}"))
    }

    fn answer(&self, store: &Store) -> Value {
        let filter = self.filter.filter();
        let n = self.n.unwrap_or(100);
        let ask = |question| store.ask_one(&filter, question).unwrap();
        match self.ask.as_str() {
            "count" => json!(store.count(&filter).unwrap()),
            "distinct" => json!(ask(Question::Distinct { field: self.field() }).count()),
            "search" => {
                let sort = match self.sort.as_deref() {
                    Some("oldest") => Sort::Oldest,
                    Some("engaged") => Sort::Engaged,
                    Some("most_positive") => Sort::MostPositive,
                    Some("most_negative") => Sort::MostNegative,
                    _ => Sort::Newest,
                };
                let hits = store.search(&filter, sort, self.offset, n).unwrap();
                hits.documents.into_iter().map(|document| json!(document.text)).collect()
            }
            "document" => {
                let hits = store.search(&filter, Sort::Newest, 0, 1).unwrap();
                serde_json::to_value(&hits.documents[0]).unwrap()
            }
            "top" => {
                let top = ask(Question::Top { field: self.field(), n }).terms();
                top.into_iter().map(|term| json!(format!("{} {}", term.term, term.count))).collect()
            }
            "sentiment" => json!(sentiment(ask(Question::Sentiment).sentiment())),
            "sentiment_by" => {
                let by = ask(Question::SentimentBy { field: self.field(), n }).sentiment_by();
                by.into_iter()
                    .map(|term| json!(format!("{} {}", term.term, sentiment(term.sentiment))))
                    .collect()
            }
            "timeline" => {
                let interval = match self.interval.as_deref() {
                    Some("minute") => Interval::Minute,
                    Some("hour") => Interval::Hour,
                    Some("week") => Interval::Week,
                    _ => Interval::Day,
                };
                let timeline = ask(Question::Timeline { interval }).timeline();
                let bucket = timeline.into_iter();
                bucket
                    .map(|b| json!(format!("{} {} {}", b.start, b.count, labels(b.labels))))
                    .collect()
            }
            "map" => {
                let cells = ask(Question::Map { zoom: self.zoom.unwrap_or(4) }).cells().into_iter();
                cells
                    .map(|c| {
                        json!(format!(
                            "{} {} mean {:.4} at {:.4},{:.4}",
                            c.tile, c.count, c.mean, c.lat, c.lon
                        ))
                    })
                    .collect()
            }
            "peak_hours" => {
                let hours = ask(Question::PeakHours).peak_hours().into_iter();
                hours.map(|h| json!(format!("{} {}h {}", h.weekday, h.hour, h.count))).collect()
            }
            "places" => {
                let places = ask(Question::Places { n }).places().into_iter();
                let at = |degrees: Option<f64>| {
                    degrees.map_or("nowhere".into(), |at| format!("{at:.2}"))
                };
                let place = |p: PlaceCount| {
                    let country = p.country.unwrap_or_default();
                    let at = [at(p.lat), at(p.lon)].join(",");
                    json!(format!("{} ({country}) {} mean {:.4} at {at}", p.name, p.count, p.mean))
                };
                places.map(place).collect()
            }
            "bounds" => serde_json::to_value(ask(Question::Bounds).bounds()).unwrap(),
            other => panic!("there is no question {other}"),
        }
    }

    fn check(&self, answer: &Value) {
        match (self.tolerance, answer.as_f64(), self.expect.as_f64()) {
            (Some(tolerance), Some(answer), Some(expected)) => {
                assert!(
                    (answer - expected).abs() <= tolerance * expected,
                    "{answer}, not about {expected}"
                );
            }
            _ => assert_has(answer, &self.expect),
        }
    }
}

/// Asserts that an answer is as expected. Objects may have more entries than expected; everything else must be equal.
#[track_caller]
fn assert_has(answer: &Value, expected: &Value) {
    match (answer, expected) {
        (Value::Object(answer), Value::Object(expected)) => {
            for (name, expected) in expected {
                assert_has(
                    answer.get(name).unwrap_or_else(|| panic!("there is no {name}")),
                    expected,
                );
            }
        }
        _ => assert_eq!(answer, expected),
    }
}

fn sentiment(summary: SentimentSummary) -> String {
    let mean = summary.mean.map_or("none".to_owned(), |mean| format!("{mean:.4}"));
    format!("count {}, mean {mean}, {}", summary.count, labels(summary.labels))
}

fn labels(labels: LabelCounts) -> String {
    let LabelCounts { positive, negative, neutral, mixed } = labels;
    format!("positive {positive}, negative {negative}, neutral {neutral}, mixed {mixed}")
}

/// Runs every scenario, each on a new store: `store` returns its address.
fn check_all(mut store: impl FnMut(&Workplace) -> String) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths: Vec<_> =
        folder.join("scenarios").read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty());
    for path in paths {
        let scenario: Scenario = serde_yaml_ng::from_slice(&std::fs::read(&path).unwrap()).unwrap();
        let name = path.file_stem().unwrap().to_string_lossy();
        let workplace = Workplace::new(env!("CARGO_BIN_EXE_indexer-under-test"));
        let store = store(&workplace);
        for (run, sources) in scenario.backfill.iter().enumerate() {
            let sources = sources
                .iter()
                .map(|source| folder.join("fixtures").join(source).display().to_string());
            let arguments = ["backfill", "--report", "json", "--store", &store].map(str::to_owned);
            let output = workplace.run(arguments.into_iter().chain(sources));
            assert!(output.status.success(), "{name}: {output:?}");
            if let Some(expected) = scenario.reports.get(run) {
                assert_has(&serde_json::from_slice(&output.stdout).unwrap(), expected);
            }
        }
        let store = open(&store);
        for question in &scenario.questions {
            let answer = question.answer(&store);
            let result = std::panic::catch_unwind(|| question.check(&answer));
            assert!(
                result.is_ok(),
                "{name}: {} where {:?}: {answer:#}",
                question.ask,
                question.filter.q
            );
        }
    }
}

#[test]
fn the_embedded_store_passes_every_scenario() {
    check_all(|workplace| workplace.path("tweets-index").display().to_string());
}

#[test]
fn elasticsearch_and_opensearch_pass_every_scenario() {
    for name in SERVERS {
        let Some(server) = Server::start(name) else { continue };
        check_all(|_| {
            server.ask("DELETE", "/tweets-2022?ignore_unavailable=true", "");
            server.url()
        });
    }
}
