//! Files as origins, which are read from any place.

use std::fs::File;
use std::io::{self, Read};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ingest::Origin;

/// A file that is open.
pub(super) struct FileOrigin {
    file: Arc<File>,
    length: u64,
    /// The bytes that are read are added to it.
    bytes_read: Arc<AtomicU64>,
}

impl FileOrigin {
    pub(super) fn new(file: File, bytes_read: Arc<AtomicU64>) -> io::Result<FileOrigin> {
        let length = file.metadata()?.len();
        Ok(FileOrigin { file: Arc::new(file), length, bytes_read })
    }
}

impl Origin for FileOrigin {
    fn length(&self) -> u64 {
        self.length
    }

    fn read(&self, range: Range<u64>) -> io::Result<Box<dyn Read + Send>> {
        let (file, bytes_read) = (Arc::clone(&self.file), Arc::clone(&self.bytes_read));
        Ok(Box::new(Part { file, range, bytes_read }))
    }
}

/// A part of a file.
struct Part {
    file: Arc<File>,
    /// What is still to be read.
    range: Range<u64>,
    bytes_read: Arc<AtomicU64>,
}

impl Read for Part {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let left = usize::try_from(self.range.end.saturating_sub(self.range.start));
        let most = left.unwrap_or(buf.len()).min(buf.len());
        let length = self.file.read_at(&mut buf[..most], self.range.start)?;
        self.range.start += length as u64;
        self.bytes_read.fetch_add(length as u64, Ordering::Relaxed);
        Ok(length)
    }
}
