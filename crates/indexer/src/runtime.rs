//! The threads that wait for the network, started with the first request and shared by all.

use std::io;
use std::sync::OnceLock;

use tokio::runtime::{Builder, Runtime};

/// The shared runtime, of two threads: one can send while the other reads an answer.
pub(crate) fn runtime() -> io::Result<&'static Runtime> {
    static SHARED: OnceLock<Runtime> = OnceLock::new();
    if let Some(shared) = SHARED.get() {
        return Ok(shared);
    }
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("network")
        .enable_all()
        .build()?;
    Ok(SHARED.get_or_init(|| runtime))
}
