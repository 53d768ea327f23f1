//! What the end-to-end tests share: a folder to work in, and parts that a machine may lack.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use indexer::store::{Address, Store};
use tempfile::TempDir;

mod aws;
mod collect;
mod dashboard;
mod function;
mod http;
mod jetstream;
mod kibana;
mod proxy;
mod puts;
mod server;
mod sink;
mod x;

pub use aws::Aws;
pub use collect::{aws_at, kill, lines, report, stop, wait_until};
pub use dashboard::{Dashboard, Page, chromium, schemathesis};
pub use function::{
    Function, Tweets, aws, base64, check, gzip, kinesis, lambda_program, message, notification,
    put_event, start, tweet, tweets, utf16,
};
pub use jetstream::{Jetstream, at_uri};
pub use kibana::Kibana;
pub use proxy::CuttingProxy;
pub use puts::Puts;
pub use server::{ELASTICSEARCH, PASSWORD, SERVERS, Server, free_port};
pub use sink::{Faults, Sink};
pub use x::{X_TOKEN, XApi, XFault, XStream, x_id};

/// A folder of its own to run `indexer` in.
pub struct Workplace {
    folder: TempDir,
    program: PathBuf,
}

impl Workplace {
    /// An empty folder; `program` is `env!("CARGO_BIN_EXE_indexer-under-test")`.
    ///
    /// # Panics
    ///
    /// If there is no room for it.
    pub fn new(program: &str) -> Workplace {
        let folder =
            tempfile::Builder::new().prefix("indexer-").tempdir().expect("a temporary folder");
        Workplace { folder, program: program.into() }
    }

    /// The path of a file in this folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Writes a file.
    ///
    /// # Panics
    ///
    /// If that fails.
    pub fn file(&self, name: &str, content: impl AsRef<[u8]>) -> &Self {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap_or(Path::new("."))).expect("a folder");
        fs::write(path, content).expect("a file");
        self
    }

    /// A command of `indexer` that runs in this folder, without the variables that the user of the machine may have
    /// set.
    pub fn command<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(&self.program);
        command.current_dir(self.folder.path()).args(arguments).stdin(Stdio::null());
        // Whoever runs the test may have settings of their own.
        let settings = std::env::vars_os().map(|(name, _)| name);
        for name in settings.filter(|name| {
            let name = name.to_string_lossy();
            ["INDEXER_", "ELASTICSEARCH_", "AWS_", "X_BEARER"]
                .iter()
                .any(|ours| name.starts_with(ours))
        }) {
            command.env_remove(name);
        }
        // It must not find AWS credentials either, be it in files or from the metadata of an EC2 instance.
        let nobody = [("AWS_EC2_METADATA_DISABLED", "true"), ("AWS_CONFIG_FILE", "/dev/null")];
        command.envs(nobody).env("AWS_SHARED_CREDENTIALS_FILE", "/dev/null");
        command
    }

    /// Runs `indexer`.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    pub fn run<S: AsRef<OsStr>>(&self, arguments: impl IntoIterator<Item = S>) -> Output {
        self.command(arguments).output().expect("indexer starts")
    }

    /// Runs `indexer` and returns everything that a user sees: exit code, stdout, stderr.
    ///
    /// # Panics
    ///
    /// If it cannot be started.
    pub fn show(&self, arguments: &str) -> String {
        let output = self.run(shell_words(arguments));
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        format!(
            "$ indexer {arguments}\nexit {}\n--- stdout\n{}--- stderr\n{}",
            output.status.code().map_or("none".into(), |code| code.to_string()),
            text(&output.stdout),
            text(&output.stderr)
        )
    }
}

/// Opens the store that `--store` would name, to ask it questions.
///
/// # Panics
///
/// If there is no such store.
pub fn open(store: &str) -> Store {
    let address: Address = store.parse().expect("an address");
    Store::open(&address).expect("a store")
}

/// Splits at blanks; `'…'` stays together.
fn shell_words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (i, part) in line.split('\'').enumerate() {
        if i % 2 == 1 {
            words.push(part.to_owned());
        } else {
            words.extend(part.split_whitespace().map(str::to_owned));
        }
    }
    words
}

/// Shows a line even if the test passes: the test runner would hold back what is printed with `eprintln!`.
pub fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Reports that a test is skipped because the machine lacks a part. With `CI=true`, that is a failure.
///
/// # Panics
///
/// With `CI=true`.
#[expect(
    clippy::disallowed_methods,
    reason = "tests are told by the environment that they run in CI"
)]
pub fn skip(part: &str) {
    say(&format!("skipped: needs {part}"));
    assert_ne!(std::env::var("CI").as_deref(), Ok("true"), "CI must have {part}");
}

/// The body of what is at an address; `None` if nothing answers.
pub fn get(url: &str) -> Option<String> {
    aws::agent().get(url).call().ok()?.body_mut().read_to_string().ok()
}
