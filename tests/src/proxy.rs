//! A proxy whose connections break: each is cut off after a number of bytes from the server.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// A running proxy; it ends with the process.
pub struct CuttingProxy {
    port: u16,
    sent: Arc<AtomicU64>,
}

impl CuttingProxy {
    /// Passes connections on to `target`, a port of this machine, and cuts each off when `after` bytes have come back.
    ///
    /// # Panics
    ///
    /// If there is no free port.
    pub fn start(target: u16, after: u64) -> CuttingProxy {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a port");
        let port = listener.local_addr().expect("its number").port();
        let sent = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&sent);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(("127.0.0.1", target)) else { continue };
                let (Ok(from_client), Ok(from_server)) = (client.try_clone(), server.try_clone())
                else {
                    continue;
                };
                let counted = Arc::clone(&counted);
                thread::spawn(move || pass(from_client, server, u64::MAX, None));
                thread::spawn(move || pass(from_server, client, after, Some(&counted)));
            }
        });
        CuttingProxy { port, sent }
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// How many bytes have come back through it.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }
}

fn pass(from: TcpStream, mut to: TcpStream, most: u64, counted: Option<&AtomicU64>) {
    let mut buffer = [0; 16 * 1024];
    let mut limited = from.take(most);
    while let Ok(length) = limited.read(&mut buffer)
        && length > 0
        && to.write_all(&buffer[..length]).is_ok()
    {
        if let Some(counted) = counted {
            counted.fetch_add(length as u64, Ordering::Relaxed);
        }
    }
    let _ = to.shutdown(Shutdown::Both);
    let _ = limited.into_inner().shutdown(Shutdown::Both);
}
