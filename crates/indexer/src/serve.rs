//! `indexer serve`: the dashboard and its JSON API, over either store, read-only.
//!
//! A request is parsed ([`call`]). If the cache has no current answer ([`cache`]), the endpoint ([`endpoints`]) asks
//! the store its questions ([`questions`]) and makes a reply of the answers ([`view`]). The reply is compressed and
//! kept for all clients that ask the same ([`content`]).

use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::runtime::{Builder, Runtime};

use crate::clock::now;
use crate::config::{ListenConfig, ServeConfig};
use crate::failure::{Context, Failure, Result};
use crate::stop::{Stop, stop_on_ctrl_c};
use crate::store::Address;

mod access;
mod assets;
mod cache;
mod call;
mod content;
mod cursor;
mod endpoint;
mod endpoints;
mod http;
mod listen;
mod metrics;
mod params;
mod problem;
mod questions;
mod range;
mod view;

use access::Access;
use cache::Cache;
use call::Call;
use endpoints::DASHBOARD;
use http::{Server, router};
use metrics::Metrics;

/// Serves the dashboard of a store until it is stopped.
pub(crate) fn run(config: &ServeConfig) -> Result<ExitCode> {
    let address = config.store.address()?;
    if config.is_function {
        return function(address, &config.listen);
    }
    let stop = stop_on_ctrl_c()?;
    let dashboard = Dashboard::new(address, &config.listen)?;
    // Open the store now, so that an error shows up here rather than in a browser.
    dashboard.server.cache.open()?;
    dashboard.start(&stop)?.wait();
    Ok(ExitCode::SUCCESS)
}

/// A dashboard that does not listen yet.
pub(crate) struct Dashboard {
    server: Arc<Server>,
    listen: SocketAddr,
}

/// A dashboard that is being served, on a thread of its own.
pub(crate) struct Shown {
    thread: JoinHandle<()>,
    /// The address that it is served at, with a trailing slash.
    pub(crate) url: String,
}

impl Dashboard {
    /// The dashboard of a store, which need not exist yet.
    ///
    /// # Errors
    ///
    /// If other machines could reach the dashboard and neither a token nor `--public` says who may see it, or if the
    /// token cannot be resolved.
    pub(crate) fn new(address: Address, config: &ListenConfig) -> Result<Dashboard> {
        let ip = config.address.ip();
        let access = match &config.token {
            Some(token) => Access::token(token.resolve()?),
            None if config.is_public => Access::Public,
            None if ip.is_loopback() => Access::ThisMachine,
            None => {
                let hint = "say who may see the dashboard: set INDEXER_TOKEN, or open it to everybody with --public; or listen only on 127.0.0.1";
                return Err(Failure::new(format!("{ip} can be reached from other machines"))
                    .with_hint(hint));
            }
        };
        Ok(Dashboard { server: server(address, access), listen: config.address })
    }

    /// Starts to serve it, until the run is stopped.
    ///
    /// # Errors
    ///
    /// If the address is taken, or no thread can be started.
    pub(crate) fn start(self, stop: &Stop) -> Result<Shown> {
        let runtime = runtime().context("cannot start threads")?;
        let Dashboard { server, listen } = self;
        let listener = {
            let _entered = runtime.enter();
            listen::listen(listen)
        };
        let listener =
            listener.with_context(|| format!("cannot listen on {listen}")).map_err(|failure| {
                failure.with_hint(
                    "another program may be there; choose another port: --listen 127.0.0.1:8081",
                )
            })?;
        let url = format!("http://{}/", listener.local_addr().unwrap_or(listen));
        let stop = stop.clone();
        // Prepare for the first visitor: compress the static files, and ask for what the page shows without filters.
        runtime.spawn_blocking(assets::prepare);
        let cache = Arc::clone(&server.cache);
        runtime.spawn(async move {
            if let Ok(call) = Call::parse(DASHBOARD, "", now()) {
                // An error, such as that there is no store yet, is reported to the client that asks next.
                let _ = cache.get(call).await;
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
        // A panic in the thread is ignored: the dashboard has ended either way.
        let _ = self.thread.join();
    }
}

/// Serves the dashboard as a Lambda function, behind a function URL or an API Gateway.
fn function(address: Address, config: &ListenConfig) -> Result<ExitCode> {
    if let Address::Folder(path) = &address {
        let failure = Failure::new(format!(
            "a function cannot keep a store in a folder (`{}`)",
            path.display()
        ));
        let hint = "set INDEXER_STORE to the cluster's address, or ELASTICSEARCH_CLOUD_ID";
        return Err(failure.with_hint(hint));
    }
    let access = match &config.token {
        Some(token) => Access::token(token.resolve()?),
        None if config.is_public => Access::Public,
        None => {
            let failure = Failure::new("everybody could see the dashboard");
            let hint = "set INDEXER_TOKEN to the ARN of a secret, or INDEXER_PUBLIC=true if the URL itself checks who calls it (AWS_IAM)";
            return Err(failure.with_hint(hint));
        }
    };
    let app = router(server(address, access));
    let runtime = runtime().context("cannot start threads")?;
    let ended = runtime.block_on(lambda_http::run(app));
    ended.map_err(|error| Failure::new(format!("the Lambda runtime has ended: {error}")))?;
    Ok(ExitCode::SUCCESS)
}

fn server(address: Address, access: Access) -> Arc<Server> {
    let metrics = Arc::new(Metrics::new());
    let cache = Cache::new(address, Arc::clone(&metrics));
    Arc::new(Server { cache, access, metrics })
}

fn runtime() -> std::io::Result<Runtime> {
    Builder::new_multi_thread().thread_name("dashboard").enable_all().build()
}
