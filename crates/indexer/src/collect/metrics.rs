//! `--metrics`: the counters of a collection, for Prometheus.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, Response, StatusCode, header};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use super::meter::Meter;
use crate::failure::{Context, Result};
use crate::runtime::runtime;

const MAX_CONNECTIONS: usize = 64;
const LONGEST_CONNECTION: Duration = Duration::from_secs(300);

/// Serves `/metrics` and `/health` at an address until the process ends.
///
/// # Errors
///
/// If the address is taken.
pub(super) fn serve(address: SocketAddr, meter: Arc<Meter>) -> Result<()> {
    let runtime = runtime()?;
    let listener = runtime
        .block_on(TcpListener::bind(address))
        .with_context(|| format!("cannot listen on {address}"))
        .map_err(|failure| failure.with_hint("choose another port: --metrics 127.0.0.1:9185"))?;
    tracing::info!("metrics at http://{}/metrics", listener.local_addr().unwrap_or(address));
    let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    runtime.spawn(async move {
        loop {
            let Ok((connection, _)) = listener.accept().await else {
                // Too many files are open.
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            // Scrapers are few.
            let Ok(permit) = Arc::clone(&room).acquire_owned().await else { return };
            let meter = Arc::clone(&meter);
            let answer = service_fn(move |request: Request<hyper::body::Incoming>| {
                let answer = answer(request.uri().path(), &meter);
                async move { Ok::<_, Infallible>(answer) }
            });
            let mut server = http1::Builder::new();
            // Connections that send nothing are closed after half a minute.
            server.timer(TokioTimer::new());
            let served = server.serve_connection(TokioIo::new(connection), answer);
            tokio::spawn(async move {
                // A client that goes away is no concern of ours.
                let _ = tokio::time::timeout(LONGEST_CONNECTION, served).await;
                drop(permit);
            });
        }
    });
    Ok(())
}

fn answer(path: &str, meter: &Meter) -> Response<Body> {
    let (status, body) = match path {
        "/metrics" => (StatusCode::OK, meter.text()),
        "/health" => (StatusCode::OK, "ok\n".to_owned()),
        _ => (StatusCode::NOT_FOUND, "there are /metrics and /health\n".to_owned()),
    };
    let kind = match path {
        "/metrics" => "application/openmetrics-text; version=1.0.0; charset=utf-8",
        _ => "text/plain; charset=utf-8",
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(kind));
    response
}
