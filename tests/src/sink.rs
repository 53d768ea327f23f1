//! A bulk sink: a server that answers `_bulk` as Elasticsearch does, but can be told to fail in ways that a real one
//! cannot. It keeps what it is sent, so that a test can check that nothing was lost or written twice.

use std::collections::{HashMap, HashSet};
use std::io::{self, BufReader, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::http::{listen, read_request};

/// What goes wrong; by default, nothing.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// All bulk requests are answered with 429 until this long after the first.
    pub busy_for: Duration,
    /// From this bulk request on, counted from 1, all are answered with 503.
    pub down_from: Option<usize>,
    /// How long every bulk request, and every search, takes.
    pub delay: Duration,
    /// Searches are answered with 500.
    pub no_searches: bool,
    /// The `retry-after` of a 429, in seconds.
    pub retry_after: Option<u64>,
    /// About one in this many items is answered with 429, once.
    pub item_busy_once: Option<u64>,
    /// About one in this many items is always answered with 400.
    pub item_refused: Option<u64>,
    /// Requests of more bytes, before compression, are answered with 413.
    pub too_large: Option<usize>,
    /// Every n-th bulk request is carried out, but its answer is cut off in the middle.
    pub cut_answer: Option<usize>,
    /// Every n-th bulk request is carried out, but its answer is not JSON.
    pub not_json: Option<usize>,
    /// Every n-th bulk request is not carried out, but answered as by a proxy: with 502 and HTML.
    pub bad_gateway: Option<usize>,
    /// The answer to `GET /`, without Elasticsearch's header: status and body.
    pub greeting: Option<(u16, String)>,
    /// From a bulk request on, all items are answered with this status and type of error.
    pub all_items: Option<(usize, u16, &'static str)>,
}

/// A running sink; it ends with the process.
pub struct Sink {
    port: u16,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    faults: Mutex<Faults>,
    began: Mutex<Option<Instant>>,
    n_bulks: AtomicUsize,
    n_searches: AtomicUsize,
    authorization: Mutex<String>,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    documents: HashMap<String, Stored>,
    was_busy: HashSet<String>,
    /// See [`Sink::doubled`].
    doubled: usize,
    n_operations: usize,
}

struct Stored {
    json: String,
    seq_no: usize,
}

impl Sink {
    /// Starts a sink on a free port.
    ///
    /// # Panics
    ///
    /// If there is none.
    pub fn start(faults: Faults) -> Sink {
        let state = Arc::new(State { faults: Mutex::new(faults), ..State::default() });
        let shared = Arc::clone(&state);
        let port = listen(move |stream| shared.serve(stream));
        Sink { port, state }
    }

    /// Ends all faults.
    pub fn mend(&self) {
        *self.state.faults.lock().unwrap_or_else(PoisonError::into_inner) = Faults::default();
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The ids that it keeps.
    pub fn ids(&self) -> HashSet<String> {
        self.state.kept().documents.keys().cloned().collect()
    }

    /// How many bulk requests came.
    pub fn n_bulks(&self) -> usize {
        self.state.n_bulks.load(Ordering::Relaxed)
    }

    /// How many searches for the terms of a field came.
    pub fn n_searches(&self) -> usize {
        self.state.n_searches.load(Ordering::Relaxed)
    }

    /// How many operations came, in all of them.
    pub fn n_operations(&self) -> usize {
        self.state.kept().n_operations
    }

    /// The `authorization` header of the last request.
    pub fn authorization(&self) -> String {
        self.state.authorization.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How often a request would have overwritten a document without naming the version that it replaces. That must not
    /// happen.
    pub fn doubled(&self) -> usize {
        self.state.kept().doubled
    }
}

struct Answer {
    status: u16,
    headers: String,
    body: Vec<u8>,
    /// How many bytes of the body are sent before the connection is closed; `None` sends all of it.
    cut: Option<usize>,
}

impl Answer {
    fn json(status: u16, body: &Value) -> Answer {
        let headers = "content-type: application/json\r\nx-elastic-product: Elasticsearch\r\n";
        let headers = headers.to_owned();
        Answer { status, headers, body: body.to_string().into_bytes(), cut: None }
    }
}

impl State {
    fn faults(&self) -> Faults {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, mut stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut reader = BufReader::new(stream.try_clone()?);
        while let Some(request) = read_request(&mut reader)? {
            let authorization = request.header("authorization").to_owned();
            *self.authorization.lock().unwrap_or_else(PoisonError::into_inner) = authorization;
            let answer = self.answer(&request.method, &request.path, &request.body);
            let Answer { status, headers, body, cut } = answer;
            let length = body.len();
            let head = format!("HTTP/1.1 {status} -\r\n{headers}content-length: {length}\r\n\r\n");
            stream.write_all(head.as_bytes())?;
            stream.write_all(&body[..cut.unwrap_or(length)])?;
            if cut.is_some() {
                return stream.shutdown(std::net::Shutdown::Both);
            }
        }
        Ok(())
    }

    fn answer(&self, method: &str, path: &str, body: &[u8]) -> Answer {
        let path = path.split('?').next().unwrap_or_default();
        if path == "/_bulk" {
            return self.bulk(body);
        }
        if path.ends_with("/_search") {
            return self.search(body);
        }
        match (method, path) {
            ("GET", "/") => match self.faults().greeting {
                Some((status, body)) => {
                    Answer { status, headers: String::new(), body: body.into_bytes(), cut: None }
                }
                None => Answer::json(200, &json!({ "version": { "number": "9.5.3" } })),
            },
            ("GET", _) => Answer::json(404, &json!({ "error": "not found", "status": 404 })),
            _ => Answer::json(200, &json!({ "acknowledged": true })),
        }
    }

    /// Finds nothing.
    fn search(&self, body: &[u8]) -> Answer {
        let Faults { delay, no_searches, .. } = self.faults();
        // Counts only searches for the terms of a field.
        let is_of_terms = body.windows(4).any(|word| word == b"\"by\"");
        self.n_searches.fetch_add(usize::from(is_of_terms), Ordering::Relaxed);
        thread::sleep(delay);
        match no_searches {
            true => Answer::json(500, &json!({ "error": "broken", "status": 500 })),
            false => Answer::json(
                200,
                &json!({ "hits": { "total": { "value": 0 } }, "aggregations": { "by": { "buckets": [] } } }),
            ),
        }
    }

    fn bulk(&self, body: &[u8]) -> Answer {
        let faults = &self.faults();
        thread::sleep(faults.delay);
        let n = self.n_bulks.fetch_add(1, Ordering::Relaxed) + 1;
        let is_every = |every: Option<usize>| every.is_some_and(|every| n.is_multiple_of(every));
        let mut began = self.began.lock().unwrap_or_else(PoisonError::into_inner);
        let is_busy = began.get_or_insert_with(Instant::now).elapsed() < faults.busy_for;
        drop(began);
        if is_busy {
            let error = json!({ "type": "es_rejected_execution_exception", "reason": "busy" });
            let mut answer = Answer::json(429, &json!({ "error": error, "status": 429 }));
            if let Some(seconds) = faults.retry_after {
                answer.headers.push_str(&format!("retry-after: {seconds}\r\n"));
            }
            return answer;
        }
        if faults.down_from.is_some_and(|from| n >= from) {
            return Answer::json(503, &json!({ "error": "down", "status": 503 }));
        }
        if is_every(faults.bad_gateway) {
            let body = b"<html><h1>502 Bad Gateway</h1></html>".to_vec();
            return Answer { status: 502, headers: String::new(), body, cut: None };
        }
        let mut kept = self.kept();
        if faults.too_large.is_some_and(|most| body.len() > most) {
            // Worded as Amazon OpenSearch Service does.
            let message = format!("Request size exceeded {} bytes", faults.too_large.unwrap_or(0));
            return Answer::json(413, &json!({ "Message": message }));
        }
        let mut items = Vec::new();
        let mut lines = body.split(|&b| b == b'\n').filter(|line| !line.is_empty());
        while let (Some(action), Some(document)) = (lines.next(), lines.next()) {
            let action: Value = serde_json::from_slice(action).unwrap_or_default();
            kept.n_operations += 1;
            items.push(kept.item(faults, n, &action, document));
        }
        drop(kept);
        let mut answer = Answer::json(200, &json!({ "took": 1, "errors": true, "items": items }));
        if is_every(faults.cut_answer) {
            answer.cut = Some(answer.body.len() / 2);
        } else if is_every(faults.not_json) {
            answer.body = b"OK".to_vec();
        }
        answer
    }
}

impl Kept {
    fn item(&mut self, faults: &Faults, n_bulks: usize, action: &Value, document: &[u8]) -> Value {
        let Some((name, target)) = action.as_object().and_then(|action| action.iter().next())
        else {
            return Value::Null;
        };
        let id = target["_id"].as_str().unwrap_or_default();
        let is_one_in = |n: Option<u64>| n.is_some_and(|n| number(id).is_multiple_of(n));
        let (status, mut answer) = if let Some((from, status, kind)) = faults.all_items
            && n_bulks >= from
        {
            (status, error(kind))
        } else if is_one_in(faults.item_refused) {
            (400, error("document_parsing_exception"))
        } else if is_one_in(faults.item_busy_once) && self.was_busy.insert(id.to_owned()) {
            (429, error("es_rejected_execution_exception"))
        } else {
            self.write(name, id, target, document)
        };
        answer["status"] = json!(status);
        json!({ name: answer })
    }

    fn write(&mut self, name: &str, id: &str, target: &Value, document: &[u8]) -> (u16, Value) {
        let there = self.documents.get(id);
        match (name, there) {
            ("create", Some(_)) => return (409, error("version_conflict_engine_exception")),
            ("update", None) => return (404, error("document_missing_exception")),
            ("update", Some(there)) => {
                let source: Value = serde_json::from_str(&there.json).unwrap_or_default();
                let got = json!({ "_source": source });
                let seq_no = there.seq_no;
                return (
                    200,
                    json!({ "result": "noop", "_seq_no": seq_no, "_primary_term": 1, "get": got }),
                );
            }
            ("index", Some(there)) if target["if_seq_no"] != there.seq_no => {
                if target["if_seq_no"].is_null() {
                    self.doubled += 1;
                }
                return (409, error("version_conflict_engine_exception"));
            }
            _ => {}
        }
        let seq_no = self.documents.len() + there.map_or(0, |there| there.seq_no + 1);
        let json = String::from_utf8_lossy(document).into_owned();
        self.documents.insert(id.to_owned(), Stored { json, seq_no });
        (201, json!({ "result": "created", "_seq_no": seq_no, "_primary_term": 1 }))
    }
}

fn error(kind: &str) -> Value {
    json!({ "error": { "type": kind, "reason": "because the sink was told so" } })
}

/// A hash of an id, so that the same items fail each time.
fn number(id: &str) -> u64 {
    id.bytes().fold(7, |number: u64, byte| {
        (number ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3).rotate_left(23)
    })
}
