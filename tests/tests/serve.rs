//! The dashboard's server as its clients see it: the answers of the API over both stores, access, and load.
#![allow(clippy::unwrap_used, reason = "a test may stop on anything odd, in its helpers too")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};
use tests::{Dashboard, ELASTICSEARCH, Faults, Server, Sink, Workplace, schemathesis};

const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/tweets.ndjson");
const TOKEN: &str = "correct-horse-battery-staple";

fn workplace() -> Workplace {
    Workplace::new(env!("CARGO_BIN_EXE_indexer-under-test"))
}

/// The dashboard of six tweets that can be counted by hand.
fn six_tweets(options: &[&str]) -> (Workplace, Dashboard) {
    let workplace = workplace();
    assert!(workplace.run(["backfill", FIXTURE]).status.success());
    let dashboard = Dashboard::start(&workplace, "tweets-index", options);
    (workplace, dashboard)
}

#[test]
fn each_endpoint_answers() {
    let (_workplace, dashboard) = six_tweets(&[]);
    for (name, path) in [
        ("summary", "/api/summary"),
        ("hashtags", "/api/hashtags?n=2"),
        ("mentions", "/api/mentions"),
        ("locations", "/api/locations"),
        ("map", "/api/map?zoom=2"),
        ("map_zoomed_in", "/api/map?zoom=9&bbox=170,-50,-170,0"),
        ("timeline", "/api/timeline?interval=week"),
        ("marketplaces", "/api/marketplaces"),
        ("topics", "/api/topics?q=cloud"),
        ("tweets", "/api/tweets?sort=positive&limit=1"),
        ("top", "/api/top?n=1"),
        ("nothing", "/api/dashboard?q=unheard"),
        ("no_endpoint", "/api/nothing"),
        ("health", "/api/health"),
    ] {
        let page = dashboard.get(path);
        let mut answer = page.json();
        answer.sort_all_objects();
        insta::assert_snapshot!(format!("api_{name}"), format!("GET {path}\n{answer:#}"));
    }
    assert_eq!(dashboard.stop(), Some(0));
}

#[test]
fn both_stores_answer_the_same() {
    let Some(server) = Server::start(ELASTICSEARCH) else { return };
    let workplace = workplace();
    for (name, seed) in [("a.ndjson", "1"), ("b.ndjson", "2")] {
        let sample = ["sample", "--count", "8000", "--format", "ndjson", "--seed", seed];
        workplace.file(name, workplace.run(sample).stdout);
    }
    for store in ["tweets-index", &server.url()] {
        let run = workplace.run(["backfill", "a.ndjson", "b.ndjson", FIXTURE, "--store", store]);
        assert!(run.status.success());
    }
    let embedded = Dashboard::start(&workplace, "tweets-index", &[]);
    let elasticsearch = Dashboard::start(&workplace, &server.url(), &[]);
    let filters = [
        "",
        "q=cloud",
        "q=%22data+lake%22+-price&lang=en",
        "q=%23aws&marketplace=AWS,Azure&sentiment=positive",
        "q=%40ada_l",
        "from=2026-02-10&to=2026-02-12T12:00:00Z",
        "country=DE,PT&weekday=1",
        "hour=9&sentiment=negative,mixed",
        "bbox=170,-60,-170,60",
        "bbox=-10,36,40,60&lang=de",
        "q=((((&last=all",
        "q=*a*b*",
        "from=2030-01-01",
    ];
    for endpoint in [
        "dashboard?",
        "summary?",
        "hashtags?n=1000&",
        "mentions?n=3&",
        "locations?n=1000&",
        "map?zoom=3&",
        "map?zoom=12&",
        "timeline?",
        "timeline?interval=minute&",
        "marketplaces?",
        "topics?",
        "tweets?limit=100&",
        "tweets?sort=engaged&",
        "tweets?sort=positive&cursor=0.5~1601645088790257667&",
        "tweets?sort=negative&",
        "tweets?sort=oldest&",
        "top?n=100&",
    ] {
        for filter in filters {
            let path = format!("/api/{endpoint}{filter}");
            let (ours, theirs) = (embedded.get(&path), elasticsearch.get(&path));
            assert_eq!(ours.status, 200, "{path}: {}", ours.text);
            assert!(ours.text == theirs.text, "{path}\n{:.2000}\n{:.2000}", ours.text, theirs.text);
        }
    }
}

#[test]
fn pages_make_up_the_whole() {
    let workplace = workplace();
    let sample = workplace.run(["sample", "--count", "2000", "--format", "ndjson"]);
    workplace.file("tweets.ndjson", sample.stdout);
    workplace.run(["backfill", "tweets.ndjson"]);
    let dashboard = Dashboard::start(&workplace, "tweets-index", &[]);
    for sort in ["newest", "oldest", "engaged", "positive", "negative"] {
        let (mut ids, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = dashboard.get(&format!("/api/tweets?limit=97&sort={sort}{cursor}")).json();
            let tweets = page["tweets"].as_array().unwrap();
            ids.extend(tweets.iter().map(|tweet| tweet["id"].as_str().unwrap().to_owned()));
            assert_eq!(page["total"], 2000);
            let Some(next) = page["next"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        let whole = workplace.run(["search", "", "--json", "--limit", "2000", "--sort", sort]);
        let whole = String::from_utf8(whole.stdout).unwrap();
        let whole = whole.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let whole: Vec<String> =
            whole.map(|tweet| tweet["id"].as_str().unwrap().to_owned()).collect();
        assert!(ids == whole, "{sort}: {} of {}", ids.len(), whole.len());
    }
}

#[test]
fn what_is_not_understood_is_refused_by_name() {
    let (_workplace, dashboard) = six_tweets(&[]);
    for (path, parameter) in [
        ("/api/summary?n=3", "n"),
        ("/api/hashtags?n=0", "n"),
        ("/api/hashtags?n=99999999999999999999", "n"),
        ("/api/map?zoom=23", "zoom"),
        ("/api/map?bbox=1,2,3", "bbox"),
        ("/api/timeline?interval=year", "interval"),
        ("/api/tweets?cursor=%00", "cursor"),
        ("/api/tweets?sort=best", "sort"),
        ("/api/top?last=1h", "last"),
        ("/api/dashboard?sentiment=glad", "sentiment"),
        ("/api/dashboard?lang=%ff", "lang"),
    ] {
        let page = dashboard.get(path);
        assert_eq!(page.status, 400, "{path}");
        assert_eq!(page.header("content-type"), "application/problem+json");
        assert_eq!(page.json()["parameter"], parameter, "{path}");
    }
    for path in ["/assets/../../Cargo.toml", "/assets/%2e%2e/openapi.json", "/etc/passwd", "/api/"]
    {
        assert_eq!(dashboard.get(path).status, 404, "{path}");
    }
    let posted = raw(&dashboard, "POST /api/summary HTTP/1.1\r\nhost: localhost\r\n\r\n");
    assert!(posted.starts_with("HTTP/1.1 405") && posted.contains("allow: GET,HEAD"), "{posted}");
}

#[test]
fn answers_are_compressed_known_again_and_fenced_in() {
    let (_workplace, dashboard) = six_tweets(&[]);
    for path in ["/", "/assets/vendor/world.json", "/api/dashboard", "/api/openapi.json"] {
        let plain = dashboard.get(path);
        assert!(plain.header("content-security-policy").contains("default-src 'none'"));
        assert_eq!(plain.header("x-content-type-options"), "nosniff");
        for encoding in ["br", "gzip"] {
            let page = dashboard.ask(path, &[("accept-encoding", encoding)]);
            assert_eq!(page.header("content-encoding"), encoding, "{path}");
            assert_eq!(page.header("etag"), plain.header("etag"));
        }
        let again = dashboard.ask(path, &[("if-none-match", plain.header("etag"))]);
        assert_eq!((again.status, again.text.as_str()), (304, ""), "{path}");
    }
}

#[test]
fn a_store_that_grows_is_shown_as_it_is() {
    let workplace = workplace();
    let mut command = workplace.command(["backfill", "-", "--serve", "--listen", "0"]);
    command.stdin(Stdio::piped());
    let mut dashboard = Dashboard::run(command);
    let waiting = dashboard.get("/api/summary");
    assert_eq!(waiting.status, 503, "there is no store before the first tweet");
    assert!(waiting.text.contains("no tweets yet"));
    assert_eq!(waiting.header("retry-after"), "1");
    assert_eq!(dashboard.get("/").status, 200);
    let fixture = std::fs::read(FIXTURE).unwrap();
    let mut stdin = dashboard.child.stdin.take().unwrap();
    stdin.write_all(&fixture).unwrap();
    drop(stdin);
    dashboard.wait("/api/summary", |page| page.status == 200 && page.json()["count"] == 6);
    // It also shows what another process adds, once this one has released the store.
    dashboard.wait_for_log("the dashboard stays at");
    workplace.file("more.csv", "id,text\n1601645088790257667,more of it\n");
    assert!(workplace.run(["backfill", "more.csv"]).status.success());
    let newest = "/api/tweets?q=more";
    dashboard.wait(newest, |page| page.json()["total"] == 1);
    assert_eq!(dashboard.stop(), Some(0), "the backfill was complete");
}

#[test]
fn only_those_may_see_it_who_should() {
    let workplace = workplace();
    workplace.run(["backfill", FIXTURE]);
    let refused = workplace.run(["serve", "--listen", "0.0.0.0"]);
    let words = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(2), "{words}");
    assert!(words.contains("INDEXER_TOKEN") && words.contains("--public"), "{words}");

    let short = workplace.command(["serve"]).env("INDEXER_TOKEN", "short-secret").output().unwrap();
    let words = String::from_utf8_lossy(&short.stderr).into_owned();
    assert_eq!(short.status.code(), Some(2), "{words}");
    assert!(words.contains("16 characters") && !words.contains("short-secret"), "{words}");

    let here = Dashboard::start(&workplace, "tweets-index", &[]);
    for (host, status) in [("localhost", 200), ("evil.example", 421)] {
        let page = here.ask("/api/summary", &[("host", host)]);
        assert_eq!(page.status, status, "{host}");
    }

    let dashboard = Dashboard::start(&workplace, "tweets-index", &["--token", TOKEN]);
    let bearer = format!("Bearer {TOKEN}");
    for (path, header, status) in [
        ("/api/summary", ("authorization", bearer.as_str()), 200),
        ("/api/summary", ("authorization", "Bearer wrong"), 401),
        ("/api/summary", ("accept", "*/*"), 401),
        ("/metrics", ("accept", "*/*"), 401),
        ("/api/health", ("accept", "*/*"), 200),
        ("/", ("accept", "text/html"), 401),
    ] {
        assert_eq!(dashboard.ask(path, &[header]).status, status, "{path} {header:?}");
    }
    assert!(dashboard.get("/").text.contains("<form"), "a page asks for it");
    let log_in = |token: &str| {
        // The query as the login page has encoded it.
        let asks = dashboard.get("/?q=%23aws&lang=en").text;
        let (_, back) = asks.split_once("name=\"back\" type=\"hidden\" value=\"").unwrap();
        let (back, _) = back.split_once('"').unwrap();
        let form = format!("token={token}&back={}", back.replace('%', "%25"));
        let head = format!(
            "POST /login HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{form}",
            form.len()
        );
        raw(&dashboard, &head)
    };
    assert!(log_in("wrong").starts_with("HTTP/1.1 401"));
    let welcome = log_in(TOKEN);
    assert!(welcome.starts_with("HTTP/1.1 303"), "{welcome}");
    assert!(welcome.contains("location: /?q=%23aws&lang=en\r\n"), "{welcome}");
    let cookie = welcome.lines().find_map(|line| line.strip_prefix("set-cookie: ")).unwrap();
    assert!(!here.get("/login").text.contains("form"), "there is nothing to log in to");
    assert!(cookie.contains("HttpOnly; SameSite=Lax") && !cookie.contains(TOKEN), "{cookie}");
    let (cookie, _) = cookie.split_once(';').unwrap();
    assert_eq!(dashboard.ask("/api/summary", &[("cookie", cookie)]).status, 200);
}

#[test]
fn identical_questions_are_asked_once() {
    let (_workplace, dashboard) = six_tweets(&[]);
    let questions = |n| format!("indexer_store_questions_seconds_count {n}\n");
    // When it starts, the server itself asks for what the page shows.
    dashboard.wait("/metrics", |page| page.text.contains(&questions(1)));
    thread::scope(|scope| {
        for _ in 0..50 {
            scope.spawn(|| assert_eq!(dashboard.get("/api/dashboard?q=cloud").status, 200));
        }
    });
    let metrics = dashboard.get("/metrics").text;
    assert!(metrics.contains(&questions(2)), "{metrics}");
    assert!(
        metrics.contains("indexer_http_requests_total{endpoint=\"dashboard\",status=\"200\"} 50")
    );
}

#[test]
fn a_question_goes_on_whoever_waits_for_it() {
    let workplace = workplace();
    let sink = Sink::start(Faults { delay: Duration::from_secs(1), ..Faults::default() });
    let dashboard = Dashboard::start(&workplace, &sink.url(), &[]);
    let hurry = raw_for(&dashboard, "GET /api/hashtags HTTP/1.1\r\nhost: localhost\r\n\r\n", 200);
    assert_eq!(hurry, "", "it did not wait");
    dashboard.wait("/api/hashtags", |page| page.status == 200);
    assert_eq!(sink.n_searches(), 1, "it was asked for once");
}

#[test]
fn a_failure_is_told_to_all_who_wait_and_not_kept() {
    let workplace = workplace();
    let faults = Faults { delay: Duration::from_secs(1), no_searches: true, ..Faults::default() };
    let sink = Sink::start(faults);
    let dashboard = Dashboard::start(&workplace, &sink.url(), &[]);
    thread::scope(|scope| {
        for _ in 0..20 {
            scope.spawn(|| {
                let page = dashboard.get("/api/hashtags");
                assert_eq!((page.status, page.header("retry-after")), (503, "1"));
                assert!(!page.text.contains("127.0.0.1"), "{}", page.text);
            });
        }
    });
    assert_eq!(sink.n_searches(), 1);
    sink.mend();
    assert_eq!(dashboard.get("/api/hashtags").status, 200);
}

#[test]
fn clients_that_say_too_much_or_too_little_do_not_hold_it_up() {
    let (_workplace, dashboard) = six_tweets(&[]);
    let long = format!("GET / HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n\r\n", "x".repeat(100_000));
    assert!(raw(&dashboard, &long).starts_with("HTTP/1.1 431"));
    let many = format!("GET / HTTP/1.1\r\nhost: localhost\r\n{}\r\n", "x: y\r\n".repeat(500));
    assert!(raw(&dashboard, &many).starts_with("HTTP/1.1 431"));
    assert!(raw(&dashboard, "\u{0}\u{1}\r\n\r\n").starts_with("HTTP/1.1 400"));
    let address = dashboard.url.trim_start_matches("http://");
    let mut silent: Vec<TcpStream> =
        (0..500).map(|_| TcpStream::connect(address).unwrap()).collect();
    assert_eq!(dashboard.get("/api/summary").status, 200);
    // A client has fifteen seconds to send the head of a request.
    let slow = &mut silent[0];
    slow.write_all(b"GET / HTTP/1.1\r\nhost: ").unwrap();
    slow.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    let mut rest = Vec::new();
    let closed = slow.read_to_end(&mut rest);
    assert!(closed.is_ok(), "{closed:?}");
}

#[test]
fn the_api_is_as_it_is_described() {
    let Some(program) = schemathesis() else { return };
    let (_workplace, dashboard) = six_tweets(&[]);
    let mut command = Command::new(program);
    command.args(["run", &format!("{}/api/openapi.json", dashboard.url), "--no-color"]);
    command.args(["--max-examples", "30", "--generation-deterministic"]);
    let output = command.current_dir(std::env::temp_dir()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

/// The answer to exactly these bytes.
fn raw(dashboard: &Dashboard, request: &str) -> String {
    raw_for(dashboard, request, 2_000)
}

/// The answer to exactly these bytes, as much of it as comes within this many milliseconds.
fn raw_for(dashboard: &Dashboard, request: &str, millis: u64) -> String {
    let mut stream = TcpStream::connect(dashboard.url.trim_start_matches("http://")).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(millis))).unwrap();
    // The server may close the connection before it has read everything.
    let _ = stream.write_all(request.as_bytes());
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn a_function_url_shows_it_too() {
    let settings = |store: &str| {
        [
            ("_HANDLER", "serve".to_owned()),
            ("INDEXER_STORE", store.to_owned()),
            ("INDEXER_TOKEN", TOKEN.to_owned()),
        ]
    };
    let Some(server) = Server::start(ELASTICSEARCH) else { return };
    assert!(workplace().run(["backfill", FIXTURE, "--store", &server.url()]).status.success());
    let settings = settings(&server.url());
    let settings: Vec<(&str, &str)> = settings.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let program = env!("CARGO_BIN_EXE_indexer-under-test");
    let Some(function) = tests::Function::start(program, 30, &settings) else { return };
    let ask = |path: &str, query: &str, token: &str| {
        function.invoke(&json!({
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": path,
            "rawQueryString": query,
            "headers": { "host": "abc.lambda-url.eu-west-1.on.aws", "authorization": format!("Bearer {token}") },
            "requestContext": {
                "http": { "method": "GET", "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "test" },
                "requestId": "1", "stage": "$default", "routeKey": "$default", "timeEpoch": 1, "time": "x", "apiId": "abc", "accountId": "anonymous", "domainName": "abc.lambda-url.eu-west-1.on.aws", "domainPrefix": "abc",
            },
            "isBase64Encoded": false,
        }))
    };
    let answer = ask("/api/marketplaces", "sentiment=positive", TOKEN);
    assert_eq!(answer["statusCode"], 200, "{answer} {}", function.log());
    let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
    assert_eq!(body["count"], 2, "{body}");
    assert_eq!(ask("/api/marketplaces", "", "wrong")["statusCode"], 401);
    assert!(!function.log().contains(TOKEN));
}
