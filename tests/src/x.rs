//! X's API, as its documentation describes it (docs.x.com): recent search, counts, rules and the filtered stream, with
//! their errors and limits. It counts what it charges for.

use std::collections::{HashMap, HashSet, VecDeque};
use std::io::{self, BufReader, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use crate::http::{Request, listen, read_request};

/// The token that it accepts.
pub const X_TOKEN: &str = "AAAA%2Fa-very-secret-bearer-token";

/// A running API; it ends with the process.
pub struct XApi {
    port: u16,
    state: Arc<Mutex<State>>,
}

/// What a request is answered with instead of what it asks for.
#[derive(Debug, Clone)]
pub enum XFault {
    /// 429, and the limit is lifted after this time.
    RateLimit(Duration),
    /// 429 without a word about when.
    RateLimitWithoutReset,
    /// This status.
    Status(u16),
    /// The answer breaks off.
    Cut,
    /// 200 with this body.
    Body(&'static str),
}

/// What a connection to the stream does, step by step.
#[derive(Debug, Clone)]
pub enum XStream {
    /// The next post, whole.
    Post,
    /// An empty line.
    KeepAlive,
    /// The next post, cut in the middle of its line, after which the connection ends. It comes again on the next one.
    CutPost,
    /// Nothing more, and the connection stays open.
    Silence,
    /// The end of the connection.
    Close,
    /// A message that X disconnects.
    OperationalDisconnect,
    /// This status instead of a stream.
    Status(u16),
}

#[derive(Default)]
struct State {
    /// The posts that match each query, newest first: id and text.
    posts: HashMap<String, Vec<(u64, String)>>,
    faults: VecDeque<XFault>,
    /// How often each post was delivered, and so is charged for.
    delivered: HashMap<u64, usize>,
    /// When each request came, and its path.
    requests: Vec<(Instant, String)>,
    /// How many of the next searches fail.
    failing_searches: usize,
    /// How long each answer takes.
    delay: Duration,
    refused_until: Option<Instant>,
    early: usize,
    rules: Vec<Value>,
    stream: VecDeque<Vec<XStream>>,
    next_post: u64,
    streamed: HashSet<u64>,
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

fn now_ms() -> u64 {
    #[expect(clippy::disallowed_methods, reason = "posts of the last seven days need the present")]
    let now = SystemTime::now();
    now.duration_since(UNIX_EPOCH).expect("a clock").as_millis() as u64
}

/// The id of a post that was written so long ago.
pub fn x_id(ago: Duration, number: u64) -> u64 {
    ((now_ms() - ago.as_millis() as u64 - 1_288_834_974_657) << 22) | number
}

impl XApi {
    /// Starts one without posts.
    pub fn start() -> XApi {
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        let port = listen(move |stream| serve(stream, &shared));
        XApi { port, state }
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Adds posts that match a query, newer than those that are there.
    pub fn add(&self, query: &str, n: u64) {
        let mut state = lock(&self.state);
        let newest =
            state.posts.values().filter_map(|posts| posts.first()).map(|(id, _)| *id).max();
        let streamed = state.streamed.iter().copied().max();
        let newest = newest.max(streamed).unwrap_or(0);
        let first = x_id(Duration::from_secs(60), 0).max(newest + 1);
        let posts = state.posts.entry(query.to_owned()).or_default();
        for i in 0..n {
            let id = first + i;
            posts.insert(0, (id, format!("a post about {query}, number {i}")));
        }
    }

    /// Takes so long for each answer.
    pub fn slow_down(&self, delay: Duration) {
        lock(&self.state).delay = delay;
    }

    /// So many of the next searches are answered with 503.
    pub fn fail_searches(&self, n: usize) {
        lock(&self.state).failing_searches = n;
    }

    /// The next requests fail in this way.
    pub fn fail(&self, faults: impl IntoIterator<Item = XFault>) {
        lock(&self.state).faults.extend(faults);
    }

    /// The next connections to the stream do this.
    pub fn stream(&self, connections: impl IntoIterator<Item = Vec<XStream>>) {
        lock(&self.state).stream.extend(connections);
    }

    /// How many posts were delivered, and how many of them more than once.
    pub fn charged(&self) -> (usize, usize) {
        let delivered = &lock(&self.state).delivered;
        (delivered.values().sum(), delivered.values().filter(|n| **n > 1).count())
    }

    /// The ids of the posts that were sent whole over the stream.
    pub fn streamed(&self) -> HashSet<u64> {
        lock(&self.state).streamed.clone()
    }

    /// How many requests to a path there were.
    pub fn requests(&self, path: &str) -> usize {
        lock(&self.state).requests.iter().filter(|(_, p)| p.starts_with(path)).count()
    }

    /// How many requests came before the limit was lifted.
    pub fn early(&self) -> usize {
        lock(&self.state).early
    }

    /// The app's rules: tag and value.
    pub fn rules(&self) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let rules = &lock(&self.state).rules;
        let mut rules: Vec<_> =
            rules.iter().map(|r| (text(&r["tag"]), text(&r["value"]))).collect();
        rules.sort();
        rules
    }

    /// Adds a rule as somebody else would.
    pub fn add_rule(&self, tag: &str, value: &str) {
        let mut state = lock(&self.state);
        let id = format!("{}", 1000 + state.rules.len());
        state.rules.push(json!({ "id": id, "tag": tag, "value": value }));
    }
}

fn serve(stream: TcpStream, state: &Arc<Mutex<State>>) -> io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let mut stream = stream;
    while let Some(request) = read_request(&mut reader)? {
        let path = request.path.split('?').next().unwrap_or_default().to_owned();
        let fault = {
            let mut state = lock(state);
            let now = Instant::now();
            state.requests.push((now, path.clone()));
            if state.refused_until.is_some_and(|until| now < until) {
                state.early += 1;
            }
            state.faults.pop_front()
        };
        if request.header("authorization") != format!("Bearer {X_TOKEN}") {
            let problem =
                json!({ "title": "Unauthorized", "detail": "Unauthorized", "status": 401 });
            answer(&mut stream, 401, &[], &problem.to_string())?;
            continue;
        }
        match fault {
            Some(XFault::RateLimit(left)) => {
                let reset = (now_ms() + left.as_millis() as u64).div_ceil(1000);
                let until = Instant::now() + Duration::from_millis(reset * 1000 - now_ms());
                lock(state).refused_until = Some(until - Duration::from_millis(5));
                let headers = [
                    ("x-rate-limit-limit", "450".to_owned()),
                    ("x-rate-limit-remaining", "0".to_owned()),
                    ("x-rate-limit-reset", reset.to_string()),
                ];
                let problem = json!({ "title": "Too Many Requests", "detail": "Too Many Requests", "status": 429 });
                answer(&mut stream, 429, &headers, &problem.to_string())?;
                continue;
            }
            Some(XFault::RateLimitWithoutReset) => {
                answer(
                    &mut stream,
                    429,
                    &[],
                    r#"{"errors":[{"code":88,"message":"Rate limit exceeded"}]}"#,
                )?;
                continue;
            }
            Some(XFault::Status(status)) => {
                let problem = json!({ "title": "Service Unavailable", "detail": "over capacity", "status": status });
                answer(&mut stream, status, &[], &problem.to_string())?;
                continue;
            }
            Some(XFault::Body(body)) => {
                answer(&mut stream, 200, &[], body)?;
                continue;
            }
            Some(XFault::Cut) => {
                stream.write_all(
                    b"HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{\"data\":[{\"id\":\"1\"",
                )?;
                return Ok(());
            }
            None => {}
        }
        match (request.method.as_str(), path.as_str()) {
            ("GET", "/2/tweets/search/recent") => {
                let delay = lock(state).delay;
                thread::sleep(delay);
                let failing = lock(state).failing_searches;
                lock(state).failing_searches = failing.saturating_sub(1);
                if failing > 0 {
                    answer(&mut stream, 503, &[], r#"{"title":"Service Unavailable"}"#)?;
                    continue;
                }
                let page = search(&request, &mut lock(state));
                answer(
                    &mut stream,
                    200,
                    &[("x-rate-limit-remaining", "400".to_owned())],
                    &page.to_string(),
                )?;
            }
            ("GET", "/2/tweets/counts/recent") => {
                let parameters = parameters(&request);
                let state = lock(state);
                let posts = state.posts.get(&parameters["query"]);
                let since = since(&parameters);
                let total = posts.map_or(0, |p| p.iter().filter(|(id, _)| *id > since).count());
                let counts = json!({ "data": [], "meta": { "total_tweet_count": total } });
                answer(&mut stream, 200, &[], &counts.to_string())?;
            }
            ("GET", "/2/tweets/search/stream/rules") => {
                let rules = json!({ "data": lock(state).rules, "meta": { "sent": "now" } });
                answer(&mut stream, 200, &[], &rules.to_string())?;
            }
            ("POST", "/2/tweets/search/stream/rules") => {
                let body: Value = serde_json::from_slice(&request.body).unwrap_or_default();
                let is_dry = request.path.contains("dry_run=true");
                let changed = change_rules(&body, &mut lock(state), is_dry);
                answer(&mut stream, 200, &[], &changed.to_string())?;
            }
            ("GET", "/2/tweets/search/stream") => return follow(stream, state),
            _ => answer(&mut stream, 404, &[], "{}")?,
        }
    }
    Ok(())
}

fn answer(
    stream: &mut TcpStream,
    status: u16,
    headers: &[(&str, String)],
    body: &str,
) -> io::Result<()> {
    let headers: String =
        headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = body.len();
    stream.write_all(
        format!("HTTP/1.1 {status} X\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n{headers}\r\n{body}")
            .as_bytes(),
    )
}

fn parameters(request: &Request) -> HashMap<String, String> {
    let query = request.path.split_once('?').map_or("", |(_, query)| query);
    let decode = |text: &str| {
        let text = text.replace('+', " ");
        let mut bytes = Vec::new();
        let mut rest = text.as_bytes();
        while let Some((&first, after)) = rest.split_first() {
            rest = after;
            bytes.push(match first {
                b'%' => {
                    let hex = std::str::from_utf8(&rest[..2]).unwrap_or_default();
                    rest = &rest[2..];
                    u8::from_str_radix(hex, 16).unwrap_or(b'?')
                }
                other => other,
            });
        }
        String::from_utf8(bytes).unwrap_or_default()
    };
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (decode(name), decode(value))).collect()
}

fn since(parameters: &HashMap<String, String>) -> u64 {
    parameters.get("since_id").and_then(|id| id.parse().ok()).unwrap_or(0)
}

/// A page of a search. A token names the post after which it begins.
fn search(request: &Request, state: &mut State) -> Value {
    let parameters = parameters(request);
    let n: usize = parameters["max_results"].parse().expect("a number");
    assert!((10..=100).contains(&n), "max_results is {n}");
    let since = since(&parameters);
    let before = parameters.get("next_token").map(|token| {
        token.strip_prefix('t').and_then(|id| id.parse().ok()).expect("a token of ours")
    });
    let empty = Vec::new();
    let posts = state.posts.get(&parameters["query"]).unwrap_or(&empty);
    let since = match parameters.get("start_time") {
        Some(time) => {
            let time = ingest::Timestamp::parse(time).expect("a time");
            time.to_first_id().max(since)
        }
        None => since,
    };
    let matching: Vec<_> = posts
        .iter()
        .filter(|(id, _)| *id > since && before.is_none_or(|before: u64| *id < before))
        .collect();
    let page: Vec<Value> = matching
        .iter()
        .take(n)
        .map(|(id, text)| json!({ "id": id.to_string(), "text": text, "edit_history_tweet_ids": [id.to_string()], "author_id": "7" }))
        .collect();
    let ids: Vec<u64> = matching.iter().take(n).map(|(id, _)| *id).collect();
    for id in &ids {
        *state.delivered.entry(*id).or_default() += 1;
    }
    let mut meta = json!({ "result_count": ids.len() });
    if let (Some(newest), Some(oldest)) = (ids.first(), ids.last()) {
        meta["newest_id"] = newest.to_string().into();
        meta["oldest_id"] = oldest.to_string().into();
        if matching.len() > n {
            meta["next_token"] = format!("t{oldest}").into();
        }
        let errors = json!([{ "title": "Not Found Error", "detail": "Could not find tweet with referenced_tweets.id: [1].", "type": "https://api.twitter.com/2/problems/resource-not-found" }]);
        return json!({ "data": page, "meta": meta, "errors": errors });
    }
    json!({ "meta": meta })
}

fn change_rules(body: &Value, state: &mut State, is_dry: bool) -> Value {
    if let Some(ids) = body["delete"]["ids"].as_array() {
        state.rules.retain(|rule| !ids.contains(&rule["id"]));
        return json!({ "meta": { "summary": { "deleted": ids.len() } } });
    }
    let mut added = Vec::new();
    for rule in body["add"].as_array().into_iter().flatten() {
        if rule["value"].as_str().is_some_and(|value| value.contains("((")) {
            return json!({ "errors": [{ "title": "UnprocessableEntity", "detail": "missing ) at the end", "value": rule["value"] }] });
        }
        if state.rules.iter().any(|known| known["value"] == rule["value"]) {
            return json!({ "errors": [{ "title": "DuplicateRule", "value": rule["value"] }] });
        }
        let id = format!("{}", state.rules.len() + state.requests.len());
        let rule = json!({ "id": id, "value": rule["value"], "tag": rule["tag"] });
        if !is_dry {
            state.rules.push(rule.clone());
        }
        added.push(rule);
    }
    json!({ "data": added, "meta": { "summary": { "created": added.len() } } })
}

/// A connection to the stream.
fn follow(mut stream: TcpStream, state: &Mutex<State>) -> io::Result<()> {
    let script = lock(state).stream.pop_front().unwrap_or_default();
    if let Some(XStream::Status(status)) = script.first() {
        return answer(&mut stream, *status, &[], r#"{"title":"Service Unavailable"}"#);
    }
    stream.write_all(
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n",
    )?;
    let mut send = |bytes: &[u8]| -> io::Result<()> {
        stream.write_all(format!("{:x}\r\n", bytes.len()).as_bytes())?;
        stream.write_all(bytes)?;
        stream.write_all(b"\r\n")
    };
    for step in script {
        match step {
            XStream::Post | XStream::CutPost => {
                let number = lock(state).next_post;
                let id = x_id(Duration::ZERO, number % 4096);
                let line = json!({
                    "data": { "id": id.to_string(), "text": format!("post {number}") },
                    "matching_rules": [{ "id": "1", "tag": "AWS" }],
                })
                .to_string()
                    + "\r\n";
                if matches!(step, XStream::CutPost) {
                    return send(&line.as_bytes()[..line.len() / 2]);
                }
                send(line.as_bytes())?;
                let mut state = lock(state);
                state.next_post += 1;
                state.streamed.insert(id);
                *state.delivered.entry(id).or_default() += 1;
            }
            XStream::KeepAlive => send(b"\r\n")?,
            XStream::Silence => thread::sleep(Duration::from_secs(3600)),
            XStream::Close => return stream.write_all(b"0\r\n\r\n"),
            XStream::OperationalDisconnect => {
                send(b"{\"errors\":[{\"title\":\"operational-disconnect\",\"disconnect_type\":\"UpstreamOperationalDisconnect\",\"detail\":\"This stream has been disconnected upstream for operational reasons.\"}]}\r\n")?;
                return Ok(());
            }
            XStream::Status(_) => {}
        }
        thread::sleep(Duration::from_millis(2));
    }
    loop {
        send(b"\r\n")?;
        thread::sleep(Duration::from_millis(50));
    }
}
