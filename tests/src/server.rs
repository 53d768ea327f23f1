//! Real servers for the tests: downloaded once, started on a free port, killed when they are done with.

use std::fs::File;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::skip;

/// The Elasticsearch that most tests use.
pub const ELASTICSEARCH: &str = "elasticsearch-9.5.3";
/// All that the scenarios run on.
pub const SERVERS: [&str; 4] =
    [ELASTICSEARCH, "elasticsearch-8.19.21", "opensearch-3.8.0", "opensearch-2.19.1"];

/// The password of all users.
pub const PASSWORD: &str = "changeme";
/// [`PASSWORD`] as the server's file of users has it (bcrypt).
const HASH: &str = "$2a$10$USBNpiVgMl.7p7CtvTQOwOzPSWNqVsvKuFeMDDADAsEqCkwVhjCMy";
/// Basic authentication as `admin` with [`PASSWORD`]; a server without users ignores it.
const AUTHORIZATION: &str = "Basic YWRtaW46Y2hhbmdlbWU=";

/// A running server with a port and data of its own; it is killed when this is dropped.
pub struct Server {
    name: String,
    port: u16,
    has_users: bool,
    folder: TempDir,
    child: Option<Child>,
}

/// How long a server may take until it answers, on a busy machine.
const START: Duration = Duration::from_secs(180);

impl Server {
    /// Starts a server, such as [`ELASTICSEARCH`]. `None` if the machine lacks what it needs; the test should then be
    /// skipped.
    pub fn start(name: &str) -> Option<Server> {
        Server::start_with(name, "")
    }

    /// Starts one that has a user for each role of a `roles.yml`, and `admin`, who may do everything; all have the
    /// password [`PASSWORD`]. Without roles, the server is open to everybody.
    ///
    /// # Panics
    ///
    /// If it does not start although the machine has what it needs, or with `CI=true` if the machine lacks it.
    pub fn start_with(name: &str, roles: &str) -> Option<Server> {
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
            has_users: !roles.is_empty(),
            folder: folder.expect("a temporary folder"),
            child: None,
        };
        if server.has_users {
            server.add_users(roles).expect("a folder for its users");
        }
        server.restart();
        Some(server)
    }

    fn add_users(&self, roles: &str) -> std::io::Result<()> {
        let conf = self.folder.path().join("conf");
        std::fs::create_dir(&conf)?;
        let names = roles.lines().filter_map(|line| line.strip_suffix(':'));
        let names: Vec<&str> = names.filter(|name| !name.starts_with(' ')).collect();
        let users = names.iter().chain(&["admin"]).map(|user| format!("{user}:{HASH}\n"));
        let own = names.iter().map(|name| format!("{name}:{name}\n"));
        std::fs::write(conf.join("roles.yml"), roles)?;
        std::fs::write(conf.join("users"), users.collect::<String>())?;
        std::fs::write(conf.join("users_roles"), own.collect::<String>() + "superuser:admin\n")
    }

    /// Starts it (again) on the same port with the same data, and waits until it answers.
    ///
    /// # Panics
    ///
    /// If it does not answer within three minutes.
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
        let mut command = script(&[&self.name, &port, &folder]);
        if self.has_users {
            command.env("CONF", self.folder.path().join("conf"));
        }
        let errors = log.try_clone().expect("a log");
        command.stdin(Stdio::null()).stdout(log).stderr(errors).process_group(0);
        self.child = Some(command.spawn().expect("tests/servers/start"));
    }

    fn is_up(&self) -> bool {
        matches!(self.request("GET", "/_cluster/health", ""), Some((200, _)))
    }

    /// Kills it (SIGKILL), as if the machine lost power.
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

    /// How many tweets it finds; 0 while it is still creating their index.
    pub fn count(&self) -> u64 {
        self.request("POST", "/tweets-*/_refresh", "");
        let answer = self.request("GET", "/tweets-*/_count", "").map(|(_, body)| body);
        let json: serde_json::Value =
            answer.and_then(|body| serde_json::from_str(&body).ok()).unwrap_or_default();
        json["count"].as_u64().unwrap_or(0)
    }

    /// The status and the body of the answer; `None` if there is none.
    fn request(&self, method: &str, path: &str, body: &str) -> Option<(u16, String)> {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(60)))
            .build()
            .into();
        let request = ureq::http::Request::builder()
            .method(method)
            .uri(self.url() + path)
            .header("content-type", "application/json")
            .header("authorization", AUTHORIZATION);
        let mut answer = match body {
            "" => agent.run(request.body(()).ok()?),
            body => agent.run(request.body(body.to_owned()).ok()?),
        }
        .ok()?;
        Some((answer.status().as_u16(), answer.body_mut().read_to_string().ok()?))
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

/// A port for a program that cannot choose one itself. It is below those that the system hands out (32,768 on Linux), and
/// each is given out once in a process, so that nobody else takes it in the meantime.
pub fn free_port() -> u16 {
    static TAKEN: AtomicU16 = AtomicU16::new(0);
    let start = 10_000 + (std::process::id() % 200) as u16 * 100;
    loop {
        let port = start + TAKEN.fetch_add(1, Ordering::Relaxed) % 100;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
