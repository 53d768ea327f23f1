//! Connections: how many there may be, and how long each may take over what it says and hears.

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

/// Connections that the system may keep until they are accepted.
const BACKLOG: u32 = 4_096;
/// Files besides connections.
const OTHER_FILES: u64 = 200;
/// A connection costs some 20 KB.
const MOST_CONNECTIONS: u64 = 20_000;
/// How long a client may take over the head of a request, which includes being idle before it.
const HEAD_TIMEOUT: Duration = Duration::from_secs(15);
/// How long a client may take nothing of an answer, or say nothing.
const STALL_TIMEOUT: Duration = Duration::from_secs(30);
/// The most bytes of a request's head.
const LONGEST_HEAD: usize = 32 * 1024;
/// How long answers under way are waited for in the end.
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
    // A system with few files open for a program by default has more of them for those who ask.
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
                // Most often there are no files left: some will be closed soon.
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
        // An answer is written at once: nothing is to be waited for.
        let _ = stream.set_nodelay(true);
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(STALL_TIMEOUT));
        stream.set_read_timeout(Some(STALL_TIMEOUT));
        let connection = http.serve_connection(TokioIo::new(Box::pin(stream)), service.clone());
        let connection = graceful.watch(connection);
        let open = Open::begin(&metrics);
        tokio::spawn(async move {
            let _open = open;
            // A client that goes away, or says what is not HTTP, is none of our errors.
            let _ = connection.await;
        });
    }
    let _ = tokio::time::timeout(LAST_CALL, graceful.shutdown()).await;
}

/// A connection that is counted.
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

/// Says that there are too many, to whoever listens.
fn turn_away(mut stream: TcpStream) {
    const ANSWER: &[u8] =
        b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
    tokio::spawn(async move {
        let _ = tokio::time::timeout(Duration::from_secs(1), stream.write_all(ANSWER)).await;
    });
}
