//! The dashboard of a store, served.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::Value;

use crate::aws::{agent, part};
use crate::{Workplace, skip};

/// A running server; it is killed when this is dropped.
pub struct Dashboard {
    /// Its address, without a trailing slash.
    pub url: String,
    /// The process.
    pub child: Child,
    /// The lines that it logs.
    log: Mutex<Receiver<String>>,
}

/// How long to wait for a line of the log.
const PATIENCE: Duration = Duration::from_secs(60);

/// A response of the dashboard.
pub struct Page {
    /// The HTTP status of the answer.
    pub status: u16,
    headers: ureq::http::HeaderMap,
    /// The decompressed body of the answer.
    pub text: String,
}

/// schemathesis, the program that tests an API against its OpenAPI description. `None` if it is not installed; the test
/// should then be skipped.
///
/// # Panics
///
/// With `CI=true`, if it is not installed.
pub fn schemathesis() -> Option<PathBuf> {
    let program = part("schemathesis/bin/schemathesis");
    if !program.exists() {
        skip("schemathesis (.ci/parts installs it)");
        return None;
    }
    Some(program)
}

/// Chromium, and the folder of the packages that drive it. `None` if they are not installed; the test should then be
/// skipped.
///
/// # Panics
///
/// With `CI=true`, if they are not installed.
pub fn chromium() -> Option<(PathBuf, PathBuf)> {
    let packages = part("browser");
    let program = ["chromium", "chromium-browser", "google-chrome"].into_iter().find_map(|name| {
        let found = Command::new("sh").args(["-c", &format!("command -v {name}")]).output().ok()?;
        let path = String::from_utf8(found.stdout).ok()?;
        found.status.success().then(|| PathBuf::from(path.trim()))
    });
    let is_there = packages.join("node_modules/playwright-core").exists();
    let node = Command::new("node").arg("--version").output();
    let node = node.map(|told| String::from_utf8_lossy(&told.stdout).into_owned());
    let major =
        node.ok().and_then(|told| told.trim_start_matches('v').split('.').next()?.parse().ok());
    if program.is_none() || !is_there || major < Some(20) {
        skip("Chromium, Node 20 and playwright-core (.ci/parts installs them)");
        return None;
    }
    program.map(|program| (program, packages))
}

impl Page {
    /// The value of a header; empty if it is not there.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The body, as JSON.
    ///
    /// # Panics
    ///
    /// If it is not JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {}", self.text))
    }
}

impl Dashboard {
    /// Serves the dashboard of a store.
    ///
    /// # Panics
    ///
    /// If it does not start.
    pub fn start(workplace: &Workplace, store: &str, options: &[&str]) -> Dashboard {
        let arguments = ["serve", "--store", store, "--listen", "0"];
        Dashboard::run(workplace.command(arguments.iter().chain(options)))
    }

    /// Runs a command that serves a dashboard at any free port (`--listen 0`), and reads that port from its log.
    ///
    /// # Panics
    ///
    /// If the command does not log it.
    pub fn run(mut command: Command) -> Dashboard {
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
        let mut child = child.expect("a program that starts");
        let stderr = BufReader::new(child.stderr.take().expect("a pipe"));
        let (sender, log) = channel();
        thread::spawn(move || {
            let lines = stderr.lines().map_while(Result::ok);
            // The log is read to its end, so that the program never blocks on a full pipe.
            lines.for_each(|line| drop(sender.send(line)));
        });
        let mut dashboard = Dashboard { url: String::new(), child, log: Mutex::new(log) };
        let line = dashboard.wait_for_log("dashboard at ");
        let (_, url) = line.split_once("dashboard at ").expect("an address");
        dashboard.url = url.trim_end_matches('/').to_owned();
        dashboard
    }

    /// Waits until it logs a line that contains `text`.
    ///
    /// # Panics
    ///
    /// If it ends before, or does not within a minute.
    pub fn wait_for_log(&self, text: &str) -> String {
        let mut seen = String::new();
        let log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        while let Ok(line) = log.recv_timeout(PATIENCE) {
            if line.contains(text) {
                return line;
            }
            seen = seen + &line + "\n";
        }
        panic!("it does not log `{text}`: {seen}");
    }

    /// Asks for a path.
    ///
    /// # Panics
    ///
    /// If there is no answer.
    pub fn get(&self, path: &str) -> Page {
        self.ask(path, &[])
    }

    /// Asks for a path, with headers.
    ///
    /// # Panics
    ///
    /// If there is no answer.
    pub fn ask(&self, path: &str, headers: &[(&str, &str)]) -> Page {
        let mut request = agent().get(format!("{}{path}", self.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut answer = request.call().unwrap_or_else(|error| panic!("{path}: {error}"));
        let text = answer.body_mut().read_to_vec().expect("a body");
        let text = String::from_utf8_lossy(&text).into_owned();
        Page { status: answer.status().as_u16(), headers: answer.headers().clone(), text }
    }

    /// Asks for a path again and again until the answer is right, and returns it.
    ///
    /// # Panics
    ///
    /// If it is not right within ten seconds.
    pub fn wait(&self, path: &str, is_right: impl Fn(&Page) -> bool) -> Page {
        for _ in 0..200 {
            let page = self.get(path);
            if is_right(&page) {
                return page;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        panic!("{path} stays {}", self.get(path).text);
    }

    /// Interrupts it (SIGINT), and returns its exit code.
    ///
    /// # Panics
    ///
    /// If it does not end.
    pub fn stop(mut self) -> Option<i32> {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().expect("kill").success());
        self.child.wait().expect("an end").code()
    }
}

impl Drop for Dashboard {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
