//! `indexer serve`: the dashboard and its JSON API, over either store, read-only.
//!
//! A request is understood ([`call`]), asked of the store unless the answer is known ([`answers`]), put into
//! the words of the API ([`view`]) and kept, compressed, for all who ask the same ([`content`]).

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread::JoinHandle;

use anyhow::Context;
use tokio::runtime::{Builder, Runtime};

use crate::cli::{ListenArgs, Serve, is_function};
use crate::clock::now;
use crate::failure::with_hint;
use crate::stop::{Stop, stop_on_ctrl_c};
use crate::store::{Address, Load};

mod access;
mod answers;
mod assets;
mod call;
mod content;
mod cursor;
mod http;
mod listen;
mod metrics;
mod params;
mod problem;
mod view;

use access::Access;
use answers::Answers;
use call::Call;
use http::{Server, router};
use metrics::Metrics;

/// Serves the dashboard of a store until it is stopped.
pub(crate) fn run(args: &Serve) -> anyhow::Result<ExitCode> {
    let address = args.store.address(Load::default())?;
    if is_function() {
        return function(address, &args.listen);
    }
    let stop = stop_on_ctrl_c()?;
    let dashboard = Dashboard::new(address, &args.listen)?;
    // Better now than in a browser.
    dashboard.server.answers.open()?;
    dashboard.start(&stop)?.wait();
    Ok(ExitCode::SUCCESS)
}

/// A dashboard that is not shown yet.
pub(crate) struct Dashboard {
    server: Arc<Server>,
    listen: SocketAddr,
}

/// A dashboard that is shown.
pub(crate) struct Shown {
    thread: JoinHandle<()>,
    /// Where.
    pub(crate) url: String,
}

impl Dashboard {
    /// The dashboard of a store, which need not be there yet.
    ///
    /// # Errors
    ///
    /// If others than this machine could reach it, and nobody has said who may see it.
    pub(crate) fn new(address: Address, args: &ListenArgs) -> anyhow::Result<Dashboard> {
        let access = match &args.token {
            Some(token) => Access::token(token.resolve()?),
            None if args.public => Access::Public,
            None if args.listen.ip().is_loopback() => Access::ThisMachine,
            None => {
                let error =
                    anyhow::anyhow!("{} can be reached from other machines", args.listen.ip());
                let hint = "say who may see the dashboard: those who have INDEXER_TOKEN, or everybody (--public); or listen on 127.0.0.1 alone";
                return Err(with_hint(error, hint));
            }
        };
        Ok(Dashboard { server: server(address, access), listen: args.listen })
    }

    /// Shows it, until the run is stopped.
    ///
    /// # Errors
    ///
    /// If the address is taken, or there are no threads.
    pub(crate) fn start(self, stop: &Stop) -> anyhow::Result<Shown> {
        let runtime = runtime().context("cannot start threads")?;
        let Dashboard { server, listen } = self;
        let listener = {
            let _entered = runtime.enter();
            listen::listen(listen)
        };
        let listener = listener.map_err(|error| {
            let error = anyhow::Error::new(error).context(format!("cannot listen on {listen}"));
            with_hint(
                error,
                "another program may be there; choose another port: --listen 127.0.0.1:8081",
            )
        })?;
        let url = format!("http://{}/", listener.local_addr().unwrap_or(listen));
        let stop = stop.clone();
        // While nobody waits: what is sent as it is, and what most will ask for first.
        runtime.spawn_blocking(assets::prepare);
        let answers = Arc::clone(&server.answers);
        runtime.spawn(async move {
            if let Ok(call) = Call::parse("dashboard", "", now()) {
                // If there is no store yet, whoever asks is told.
                let _ = answers.get(call).await;
            }
        });
        tracing::info!("dashboard at {url}");
        let serve = move || {
            let metrics = Arc::clone(&server.metrics);
            runtime.block_on(listen::serve(listener, router(server), metrics, &stop));
            // Nobody waits for answers any more.
            runtime.shutdown_background();
        };
        let thread = std::thread::Builder::new().name("dashboard".to_owned()).spawn(serve);
        Ok(Shown { thread: thread.context("cannot start threads")?, url })
    }
}

impl Shown {
    /// Waits until the run is stopped.
    pub(crate) fn wait(self) {
        // It does not panic; if it did, it has ended all the same.
        let _ = self.thread.join();
    }
}

/// Answers what a function URL, or an API Gateway, hands on.
fn function(address: Address, args: &ListenArgs) -> anyhow::Result<ExitCode> {
    if let Address::Folder(path) = &address {
        let error = anyhow::anyhow!("a function has no store in a folder (`{}`)", path.display());
        let hint = "set INDEXER_STORE to the cluster's address, or ELASTICSEARCH_CLOUD_ID";
        return Err(with_hint(error, hint));
    }
    let access = match &args.token {
        Some(token) => Access::token(token.resolve()?),
        None if args.public => Access::Public,
        None => {
            let error = anyhow::anyhow!("everybody could see the dashboard");
            let hint = "set INDEXER_TOKEN to the ARN of a secret, or INDEXER_PUBLIC=true where the URL itself asks who comes (AWS_IAM)";
            return Err(with_hint(error, hint));
        }
    };
    let app = router(server(address, access));
    let runtime = runtime().context("cannot start threads")?;
    let ended = runtime.block_on(lambda_http::run(app));
    ended.map_err(|error| anyhow::anyhow!("the Lambda runtime has ended: {error}"))?;
    Ok(ExitCode::SUCCESS)
}

fn server(address: Address, access: Access) -> Arc<Server> {
    let metrics = Arc::new(Metrics::new());
    let answers = Answers::new(address, Arc::clone(&metrics));
    Arc::new(Server { answers, access, metrics })
}

fn runtime() -> std::io::Result<Runtime> {
    Builder::new_multi_thread().thread_name("dashboard").enable_all().build()
}
