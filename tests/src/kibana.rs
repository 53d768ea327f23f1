//! A stand-in for Kibana, which no package registry has: the part of its API that `indexer setup` uses, with the
//! answers that Kibana 8.12.2 was seen to give, or that its documentation describes.

use std::collections::BTreeMap;
use std::io::{self, BufReader, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde_json::{Value, json};

use crate::http::{Request, listen, read_request};

/// A running Kibana with one space besides the default one, `social`, and one user, `elastic` with the password
/// `changeme`; it ends with the process.
pub struct Kibana {
    port: u16,
    state: Arc<State>,
}

struct State {
    /// What requests are answered with, if it is not Kibana that answers: status, headers, body. `WHO` in the body is
    /// replaced with the request's `authorization`.
    instead: Option<(u16, &'static str, &'static str)>,
    version: &'static str,
    /// How many more times it says that it is starting.
    n_not_ready: AtomicUsize,
    /// By space, type and id.
    objects: Mutex<BTreeMap<String, Value>>,
}

/// `elastic` and `changeme`.
const AUTHORIZATION: &str = "Basic ZWxhc3RpYzpjaGFuZ2VtZQ==";

impl Kibana {
    /// Starts a Kibana of this version, which answers the first `n_not_ready` requests with 503.
    ///
    /// # Panics
    ///
    /// If there is no port for it.
    pub fn start(version: &'static str, n_not_ready: usize) -> Kibana {
        let n_not_ready = AtomicUsize::new(n_not_ready);
        Kibana::with(State { instead: None, version, n_not_ready, objects: Mutex::default() })
    }

    /// Starts something that is not Kibana: it answers imports, or all requests if the status is a redirect, with this
    /// status, these headers (one per line) and this body. `WHO` in the body is replaced with the request's
    /// `authorization`.
    ///
    /// # Panics
    ///
    /// If there is no port for it.
    pub fn instead(status: u16, headers: &'static str, body: &'static str) -> Kibana {
        let (version, n_not_ready) = ("8.12.2", AtomicUsize::new(0));
        let instead = Some((status, headers, body));
        Kibana::with(State { instead, version, n_not_ready, objects: Mutex::default() })
    }

    fn with(state: State) -> Kibana {
        let state = Arc::new(state);
        let shared = Arc::clone(&state);
        Kibana { port: listen(move |stream| shared.serve(stream)), state }
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What it holds, by space, type and id: `social/dashboard/tweets-world-map`.
    pub fn objects(&self) -> BTreeMap<String, Value> {
        self.state.objects().clone()
    }

    /// Changes an attribute of an object, as a user of Kibana might.
    pub fn change(&self, key: &str, attribute: &str, value: Value) {
        if let Some(object) = self.state.objects().get_mut(key) {
            object["attributes"][attribute] = value;
        }
    }
}

fn refused(status: u16, error: &str, message: &str) -> (u16, String) {
    let body = json!({ "statusCode": status, "error": error, "message": message });
    (status, body.to_string())
}

impl State {
    fn objects(&self) -> MutexGuard<'_, BTreeMap<String, Value>> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self, mut stream: TcpStream) -> io::Result<()> {
        let mut reader = BufReader::new(stream.try_clone()?);
        while let Some(request) = read_request(&mut reader)? {
            let is_import = request.method == "POST";
            let (status, headers, body) = match self.instead {
                Some((status, headers, body)) if is_import || (300..400).contains(&status) => {
                    let body = body.replace("WHO", request.header("authorization"));
                    (status, headers, body)
                }
                _ => {
                    let (status, body) = self.answer(&request);
                    (status, "", body)
                }
            };
            let length = body.len();
            let head = format!("HTTP/1.1 {status} -\r\n{headers}content-length: {length}");
            write!(stream, "{head}\r\n\r\n{body}")?;
        }
        Ok(())
    }

    fn answer(&self, request: &Request) -> (u16, String) {
        let not_ready = |n: usize| n.checked_sub(1);
        if self.n_not_ready.fetch_update(Ordering::SeqCst, Ordering::SeqCst, not_ready).is_ok() {
            return (503, "Kibana server is not ready yet".to_owned());
        }
        if request.header("authorization") != AUTHORIZATION && self.instead.is_none() {
            return refused(401, "Unauthorized", "[security_exception]: unable to authenticate");
        }
        let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
        let (space, path) = match path.strip_prefix("/s/").and_then(|rest| rest.split_once('/')) {
            Some((space, path)) => (space, path),
            None => ("default", path.trim_start_matches('/')),
        };
        match (request.method.as_str(), path) {
            ("GET", "api/status") => {
                let overall = json!({ "level": "available", "summary": "All is well" });
                let version = json!({ "number": self.version });
                (200, json!({ "version": version, "status": { "overall": overall } }).to_string())
            }
            ("POST", _) if request.header("kbn-xsrf").is_empty() => {
                refused(400, "Bad Request", "Request must contain a kbn-xsrf header.")
            }
            ("POST", "api/saved_objects/_import") if matches!(space, "default" | "social") => {
                self.import(space, query.contains("overwrite=true"), &request.body)
            }
            ("POST", "api/saved_objects/_import") => {
                refused(404, "Not Found", &format!("Saved object [space/{space}] not found"))
            }
            _ => refused(404, "Not Found", "Not Found"),
        }
    }

    fn import(&self, space: &str, overwrite: bool, body: &[u8]) -> (u16, String) {
        let body = String::from_utf8_lossy(body);
        let (head, rest) = body.split_once("\r\n\r\n").unwrap_or_default();
        if !head.contains("name=\"file\"") || !head.contains(".ndjson\"") {
            return refused(400, "Bad Request", "Invalid file extension");
        }
        let lines = rest.split("\r\n--").next().unwrap_or_default().lines();
        let mut objects = self.objects();
        let (mut results, mut errors) = (Vec::new(), Vec::new());
        for line in lines {
            let Ok(object) = serde_json::from_str::<Value>(line) else {
                return refused(400, "Bad Request", "Unexpected token in JSON");
            };
            let [kind, id] =
                ["type", "id"].map(|key| object[key].as_str().unwrap_or_default().to_owned());
            // An id is of one space only; in another one the object gets a new one.
            let spaces = ["default", "social"].map(|space| format!("{space}/{kind}/{id}"));
            let elsewhere = spaces.iter().find(|key| !key.starts_with(space));
            let is_elsewhere = elsewhere.is_some_and(|key| objects.contains_key(key));
            let destination = if is_elsewhere { format!("{id}-{space}") } else { id.clone() };
            let key = format!("{space}/{kind}/{destination}");
            if objects.contains_key(&key) && !overwrite {
                let error = json!({ "type": "conflict", "destinationId": destination });
                errors.push(json!({ "type": kind, "id": id, "meta": {}, "error": error }));
                continue;
            }
            let mut result = json!({ "type": kind, "id": id });
            if is_elsewhere {
                result["destinationId"] = json!(destination);
            }
            objects.insert(key, object);
            results.push(result);
        }
        let mut answer = json!({ "successCount": results.len(), "success": errors.is_empty() });
        answer["successResults"] = json!(results);
        if !errors.is_empty() {
            answer["errors"] = json!(errors);
        }
        (200, answer.to_string())
    }
}
