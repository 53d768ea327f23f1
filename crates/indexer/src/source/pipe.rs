//! Standard input and other pipes, which may be silent for as long as they like.

use std::fs::File;
use std::io::{self, Read};
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};

use crate::stop::Stop;

/// A pipe. It is read by a separate thread, so that Ctrl-C is noticed while the pipe is silent. Reading then ends with
/// an error, but whatever arrived before it is still processed.
pub(super) struct Pipe {
    chunks: Receiver<io::Result<Vec<u8>>>,
    chunk: io::Cursor<Vec<u8>>,
    stop: Stop,
    /// How many chunks were taken after Ctrl-C.
    last_chunks: usize,
    /// Whether the pipe was read to its end. A reader may ask again after the end, and gets the same answer.
    has_ended: bool,
}

/// How many chunks are still taken after Ctrl-C, since they may have been written before it.
const LAST_CHUNKS: usize = 8;

impl Pipe {
    /// Starts to read the pipe at `path`, or standard input. The thread also opens the pipe, since opening a named
    /// pipe blocks until its writer opens it too.
    pub(super) fn start(path: Option<PathBuf>, stop: Stop) -> Pipe {
        let (sender, chunks) = bounded(4);
        thread::spawn(move || {
            let opened: io::Result<Box<dyn Read>> = match path {
                Some(path) => File::open(path).map(|file| Box::new(file) as Box<dyn Read>),
                None => Ok(Box::new(io::stdin().lock())),
            };
            let mut pipe = match opened {
                Ok(pipe) => pipe,
                Err(error) => {
                    // If the receiver is gone, nobody needs to know about the error.
                    let _ = sender.send(Err(error));
                    return;
                }
            };
            loop {
                let mut chunk = vec![0; 64 * 1024];
                let read = pipe.read(&mut chunk).map(|length| {
                    chunk.truncate(length);
                    chunk
                });
                let is_last = !matches!(&read, Ok(chunk) if !chunk.is_empty());
                if sender.send(read).is_err() || is_last {
                    return;
                }
            }
        });
        Pipe { chunks, chunk: io::Cursor::default(), stop, last_chunks: 0, has_ended: false }
    }
}

impl Read for Pipe {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.chunk.position() == self.chunk.get_ref().len() as u64 {
            if self.has_ended {
                return Ok(0);
            }
            let is_stopping = self.stop.is_set();
            self.last_chunks += usize::from(is_stopping);
            let wait = Duration::from_millis(if is_stopping { 0 } else { 100 });
            match self.chunks.recv_timeout(wait) {
                _ if self.last_chunks > LAST_CHUNKS => return Err(io::Error::other("interrupted")),
                Ok(chunk) if matches!(&chunk, Ok(chunk) if chunk.is_empty()) => {
                    self.has_ended = true
                }
                Ok(chunk) => {
                    let chunk = chunk?;
                    tracing::trace!("read {} bytes from the pipe", chunk.len());
                    self.chunk = io::Cursor::new(chunk);
                }
                Err(RecvTimeoutError::Timeout) if is_stopping => {
                    return Err(io::Error::other("interrupted"));
                }
                Err(RecvTimeoutError::Timeout) => {}
                // The thread has sent the end or an error, or it has crashed.
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(io::Error::other("reading the pipe stopped unexpectedly"));
                }
            }
        }
        self.chunk.read(buf)
    }
}
