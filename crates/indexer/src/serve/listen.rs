//! Connections: how many there may be at a time, and how long each may take to send and to receive.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_io_timeout::TimeoutStream;

use super::metrics::Metrics;
use crate::stop::Stop;

/// How many connections the operating system may queue until they are accepted.
const BACKLOG: u32 = 4_096;
/// File descriptors that are set aside for everything but connections.
const OTHER_FILES: u64 = 200;
/// The most connections at a time. Each takes about 20 KB of memory.
const MOST_CONNECTIONS: u64 = 20_000;
/// How long a client may take to send the head of a request, including the idle time before it.
const HEAD_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a client may send nothing while the server reads, or receive nothing while the server writes.
const STALL_TIMEOUT: Duration = Duration::from_secs(30);
/// The most bytes of a request's head.
const LONGEST_HEAD: usize = 32 * 1024;
/// How long open requests may take to finish once the run is stopped.
const LAST_CALL: Duration = Duration::from_secs(2);

/// Listens at an address.
pub(super) fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// Answers until the run is stopped.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    metrics: Arc<Metrics>,
    stop: &Stop,
) {
    // Many systems permit a program few open files by default, but more if it asks for them.
    let files = rlimit::increase_nofile_limit(MOST_CONNECTIONS + OTHER_FILES).unwrap_or(1_024);
    let most = files.saturating_sub(OTHER_FILES).clamp(64, MOST_CONNECTIONS) as i64;
    let graceful = GracefulShutdown::new();
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT).max_buf_size(LONGEST_HEAD);
    let service = TowerToHyperService::new(router);
    while !stop.is_set() {
        let accepted = tokio::time::timeout(Duration::from_millis(100), listener.accept()).await;
        let stream = match accepted {
            Err(_) => continue,
            Ok(Ok((stream, _))) => stream,
            Ok(Err(error)) => {
                // Usually the limit of open files has been reached; some will be closed soon.
                tracing::debug!("cannot accept a connection: {error}");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        if metrics.connections.get() >= most {
            metrics.turned_away.inc();
            turn_away(stream);
            continue;
        }
        // An answer is written in one go, so holding back small packets (Nagle's algorithm) would only delay it.
        let _ = stream.set_nodelay(true);
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(STALL_TIMEOUT));
        stream.set_read_timeout(Some(STALL_TIMEOUT));
        let connection = http.serve_connection(TokioIo::new(Box::pin(stream)), service.clone());
        let connection = graceful.watch(connection);
        let open = Open::begin(&metrics);
        tokio::spawn(async move {
            let _open = open;
            // It is not an error of the server if a client goes away or does not speak HTTP.
            let _ = connection.await;
        });
    }
    let _ = tokio::time::timeout(LAST_CALL, graceful.shutdown()).await;
}

/// An open connection, which is counted until this is dropped.
struct Open(Arc<Metrics>);

impl Open {
    fn begin(metrics: &Arc<Metrics>) -> Open {
        metrics.connections.inc();
        Open(Arc::clone(metrics))
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.connections.dec();
    }
}

/// Answers a connection that is one too many with 503, without waiting for its request.
fn turn_away(mut stream: TcpStream) {
    const ANSWER: &[u8] =
        b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    tokio::spawn(async move {
        let _ = tokio::time::timeout(Duration::from_secs(1), stream.write_all(ANSWER)).await;
    });
}
