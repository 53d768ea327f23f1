//! Real servers for the tests: downloaded once, started on a free port, killed when they are done with.

use std::fs::File;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::skip;

/// The Elasticsearch that most tests use.
pub const ELASTICSEARCH: &str = "elasticsearch-9.5.3";
/// All that the scenarios run on.
pub const SERVERS: [&str; 3] = [ELASTICSEARCH, "elasticsearch-8.19.21", "opensearch-3.8.0"];

/// A server of one's own.
pub struct Server {
    name: String,
    port: u16,
    settings: Vec<String>,
    password: Option<String>,
    folder: TempDir,
    child: Option<Child>,
}

/// How long a server may take until it answers, on a busy machine.
const START: Duration = Duration::from_secs(180);

impl Server {
    /// Starts a server, such as [`ELASTICSEARCH`]; none, and the test is to be skipped, where the machine
    /// has not what it needs.
    pub fn start(name: &str) -> Option<Server> {
        Server::start_with(name, &[], None)
    }

    /// Starts one with settings (`name=value`) and, with a password, with users.
    ///
    /// # Panics
    ///
    /// If it does not start although the machine has what it needs, or with `CI=true` if it has not.
    pub fn start_with(name: &str, settings: &[&str], password: Option<&str>) -> Option<Server> {
        let installed = script(&[name]).output().expect("tests/servers/start");
        if installed.status.code() == Some(3) {
            skip(&format!("{name}: {}", String::from_utf8_lossy(&installed.stderr).trim()));
            return None;
        }
        assert!(installed.status.success(), "{}", String::from_utf8_lossy(&installed.stderr));
        let folder = tempfile::Builder::new().prefix("server-").tempdir_in("/tmp");
        let mut server = Server {
            name: name.to_owned(),
            port: free_port(),
            settings: settings.iter().map(|&setting| setting.to_owned()).collect(),
            password: password.map(str::to_owned),
            folder: folder.expect("a temporary folder"),
            child: None,
        };
        server.restart();
        Some(server)
    }

    /// Starts it (again) on the same port with the same data, and waits until it answers.
    ///
    /// # Panics
    ///
    /// If it does not.
    pub fn restart(&mut self) {
        self.spawn();
        let started = Instant::now();
        while !self.is_up() {
            let child = self.child.as_mut().expect("it was started");
            let ended = child.try_wait().expect("its state");
            let log = || std::fs::read_to_string(self.folder.path().join("log"));
            assert!(ended.is_none(), "{} ended: {}", self.name, log().unwrap_or_default());
            assert!(started.elapsed() < START, "{} does not answer", self.name);
            std::thread::sleep(Duration::from_millis(100));
        }
    }

    /// Starts it and does not wait.
    ///
    /// # Panics
    ///
    /// If it cannot be started at all.
    pub fn spawn(&mut self) {
        let folder = self.folder.path().join("data").display().to_string();
        let log = File::create(self.folder.path().join("log")).expect("a log");
        let port = self.port.to_string();
        let mut arguments = vec![self.name.as_str(), port.as_str(), folder.as_str()];
        arguments.extend(self.settings.iter().map(String::as_str));
        let mut command = script(&arguments);
        if let Some(password) = &self.password {
            command.env("PASSWORD", password);
        }
        let errors = log.try_clone().expect("a log");
        command.stdin(Stdio::null()).stdout(log).stderr(errors).process_group(0);
        self.child = Some(command.spawn().expect("tests/servers/start"));
    }

    fn is_up(&self) -> bool {
        // 401: it has users, and is up.
        matches!(self.request("GET", "/_cluster/health", ""), Some((200 | 401, _)))
    }

    /// Kills it as a machine does that loses its power (-9).
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let group = format!("-{}", child.id());
            let _ = Command::new("kill").args(["-9", "--", &group]).status();
            let _ = child.wait();
        }
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Sends a request to it.
    ///
    /// # Panics
    ///
    /// If there is no answer, or a bad one.
    pub fn ask(&self, method: &str, path: &str, body: &str) -> serde_json::Value {
        let answer = self.request(method, path, body).expect("an answer");
        assert!(answer.0 < 300, "{method} {path}: {} {}", answer.0, answer.1);
        serde_json::from_str(&answer.1).unwrap_or_default()
    }

    /// The status and the body of an answer, if one came.
    fn request(&self, method: &str, path: &str, body: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(60))).ok()?;
        let length = body.len();
        let head = format!(
            "{method} {path} HTTP/1.0\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n"
        );
        stream.write_all(format!("{head}\r\n{body}").as_bytes()).ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let (head, body) = answer.split_once("\r\n\r\n")?;
        Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

fn script(arguments: &[&str]) -> Command {
    let path: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("servers/start");
    let mut command = Command::new(path);
    command.args(arguments);
    command
}

/// A port that nobody listened at a moment ago.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
    listener.local_addr().expect("its number").port()
}
