//! A Jetstream of Bluesky, in both versions, as its documentation describes them
//! (github.com/bluesky-social/jetstream, docs/README.md, section 5).

use std::collections::HashMap;
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tungstenite::handshake::server::{ErrorResponse, Request, Response};
use tungstenite::{Message, WebSocket};

use crate::free_port;

/// A running server; it ends with the process.
pub struct Jetstream {
    port: u16,
    state: Arc<Mutex<State>>,
}

struct State {
    events: Vec<Value>,
    /// Events below this number are no longer kept.
    floor: usize,
    /// How many events a second are sent; 0 for as many as possible.
    rate: u64,
    /// Connections end after so many events.
    cut_after: Option<usize>,
    connections: Vec<String>,
}

const FIRST_US: i64 = 1_790_000_000_000_000;

impl Jetstream {
    /// Starts one without events.
    ///
    /// # Panics
    ///
    /// If there is no port.
    pub fn start() -> Jetstream {
        let port = free_port();
        let state = State {
            events: Vec::new(),
            floor: 0,
            rate: 0,
            cut_after: None,
            connections: Vec::new(),
        };
        let state = Arc::new(Mutex::new(state));
        let listener = TcpListener::bind(("127.0.0.1", port)).expect("a port");
        let shared = Arc::clone(&state);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let state = Arc::clone(&shared);
                thread::spawn(move || serve(stream, &state));
            }
        });
        Jetstream { port, state }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Its address, as `--host` takes it.
    pub fn url(&self) -> String {
        format!("ws://127.0.0.1:{}", self.port)
    }

    /// Adds new posts, one by each of as many authors.
    pub fn post(&self, n: usize) {
        let mut state = self.state();
        for _ in 0..n {
            let number = state.events.len() + 1;
            let text = format!("post {number} about the AWS Marketplace");
            state.events.push(commit(number, number, "create", Some(&text)));
        }
    }

    /// Adds an event about an earlier post: a deletion, or with a text a change.
    pub fn change(&self, post: usize, text: Option<&str>) {
        let mut state = self.state();
        let number = state.events.len() + 1;
        let operation = if text.is_some() { "update" } else { "delete" };
        state.events.push(commit(number, post, operation, text));
    }

    /// Forgets the events below a number.
    pub fn forget_before(&self, number: usize) {
        self.state().floor = number;
    }

    /// Sends so many events a second.
    pub fn slow_down(&self, rate: u64) {
        self.state().rate = rate;
    }

    /// Ends each connection after so many events.
    pub fn cut_after(&self, events: Option<usize>) {
        self.state().cut_after = events;
    }

    /// Forgets all events. The next one is number 1.
    pub fn begin_anew(&self) {
        self.state().events.clear();
    }

    /// The addresses, with their parameters, at which clients have connected.
    pub fn connections(&self) -> Vec<String> {
        self.state().connections.clone()
    }
}

/// The id of a post.
pub fn at_uri(post: usize) -> String {
    format!("at://did:plc:author{post}/app.bsky.feed.post/rkey{post}")
}

fn time_us(number: usize) -> i64 {
    FIRST_US + number as i64 * 10_000
}

/// An event, in the form of version 1; `seq` besides.
fn commit(number: usize, post: usize, operation: &str, text: Option<&str>) -> Value {
    let mut commit = json!({
        "rev": format!("rev{number}"), "operation": operation,
        "collection": "app.bsky.feed.post", "rkey": format!("rkey{post}"),
    });
    if let Some(text) = text {
        commit["record"] = json!({ "$type": "app.bsky.feed.post", "text": text, "createdAt": "2026-09-21T12:00:00.000Z", "langs": ["en"] });
        commit["cid"] = "bafy".into();
    }
    json!({ "did": format!("did:plc:author{post}"), "time_us": time_us(number), "kind": "commit", "commit": commit, "seq": number })
}

/// The same event in the form of version 2.
fn version_2(event: &Value) -> Value {
    let micros = event["time_us"].as_i64().unwrap_or_default();
    let seconds = micros / 1_000_000;
    // All of them are on one day, from 21 September 2026 on.
    let day = (seconds - 1_789_948_800) / 86_400;
    let of_day = seconds - 1_789_948_800 - day * 86_400;
    let time = format!(
        "2026-09-{:02}T{:02}:{:02}:{:02}.{:06}Z",
        21 + day,
        of_day / 3600,
        of_day / 60 % 60,
        of_day % 60,
        micros % 1_000_000
    );
    let mut payload = json!({
        "$type": "network.bsky.jetstream.subscribeEvents#commit",
        "seq": event["seq"], "did": event["did"], "time": time, "witnessedAt": time,
    });
    if let (Value::Object(payload), Value::Object(commit)) = (&mut payload, event["commit"].clone())
    {
        payload.extend(commit);
    }
    json!({ "$type": "message", "payload": payload })
}

#[expect(clippy::result_large_err, reason = "the crate's own type")]
fn serve(stream: TcpStream, state: &Mutex<State>) -> Option<()> {
    let lock = || state.lock().unwrap_or_else(PoisonError::into_inner);
    let mut asked = String::new();
    let accepted = tungstenite::accept_hdr(stream, |request: &Request, response: Response| {
        asked = request.uri().to_string();
        let mut state = lock();
        state.connections.push(asked.clone());
        match refusal(&asked, &state) {
            None => Ok(response),
            Some((status, body)) => {
                let refused = ErrorResponse::new(Some(body));
                let (mut parts, body) = refused.into_parts();
                parts.status = status.try_into().expect("a status");
                Err(ErrorResponse::from_parts(parts, body))
            }
        }
    });
    let mut socket: WebSocket<TcpStream> = accepted.ok()?;
    let is_v2 = asked.starts_with("/xrpc/");
    let cursor = parameters(&asked).get("cursor").and_then(|cursor| cursor.parse::<i64>().ok());
    let mut next = {
        let state = lock();
        match cursor {
            None => state.events.len() + 1,
            Some(cursor)
                if cursor < 1_000_000_000_000_000 && cursor as usize > state.events.len() =>
            {
                let info = json!({ "$type": "message", "payload": {
                    "$type": "network.bsky.jetstream.subscribeEvents#info",
                    "name": "FutureCursor", "message": "cursor is ahead of the server",
                } });
                socket.send(Message::text(info.to_string())).ok()?;
                state.events.len() + 1
            }
            Some(cursor) if cursor < 1_000_000_000_000_000 => cursor as usize,
            Some(time) => {
                let first = (1..=state.events.len()).find(|number| time_us(*number) >= time);
                first.unwrap_or(state.events.len() + 1).max(state.floor)
            }
        }
    };
    let (mut sent, started) = (0_usize, Instant::now());
    loop {
        let (event, rate, cut_after) = {
            let state = lock();
            (state.events.get(next.max(1) - 1).cloned(), state.rate, state.cut_after)
        };
        if cut_after.is_some_and(|most| sent >= most) {
            return None;
        }
        let Some(event) = event else {
            thread::sleep(Duration::from_millis(5));
            socket.send(Message::Ping(Vec::new().into())).ok()?;
            continue;
        };
        let frame = if is_v2 { version_2(&event) } else { event };
        if rate > 0 {
            let due = Duration::from_secs_f64(sent as f64 / rate as f64);
            thread::sleep(due.saturating_sub(started.elapsed()));
        }
        socket.send(Message::text(frame.to_string())).ok()?;
        next = next.max(1) + 1;
        sent += 1;
    }
}

fn parameters(uri: &str) -> HashMap<String, String> {
    let query = uri.split_once('?').map_or("", |(_, query)| query);
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// Why a request is refused, as the server does it before the connection is a WebSocket.
fn refusal(uri: &str, state: &State) -> Option<(u16, String)> {
    let parameters = parameters(uri);
    let is_v2 = uri.starts_with("/xrpc/network.bsky.jetstream.subscribeEvents");
    if !is_v2 && !uri.starts_with("/subscribe") {
        return Some((404, String::new()));
    }
    if is_v2 && parameters.keys().any(|name| name.starts_with("wanted")) {
        let error = json!({ "error": "InvalidRequest", "message": "wantedCollections is called collections" });
        return Some((400, error.to_string()));
    }
    let cursor = parameters.get("cursor").and_then(|cursor| cursor.parse::<usize>().ok());
    let is_too_old =
        cursor.is_some_and(|cursor| cursor < 1_000_000_000_000_000 && cursor < state.floor);
    (is_v2 && is_too_old).then(|| {
        let message = format!("cursor is below the lookback floor {}", state.floor);
        (400, json!({ "error": "CursorTooOld", "message": message }).to_string())
    })
}
