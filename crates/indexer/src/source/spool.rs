//! Keeps in a temporary file what cannot be read as it comes: a zip archive from a pipe, a Parquet file in an archive.

use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use ingest::{Origin, Spool};

use super::file::FileOrigin;

/// How much of the folder for temporary files is left free, in bytes.
const LEFT_FREE: u64 = 16 * 1024 * 1024;

/// The temporary files of a source. They have no name, so that nothing is left of them after a crash.
pub(super) struct TempFiles<'n> {
    /// The name of the source.
    pub(super) source: &'n str,
}

impl Spool for TempFiles<'_> {
    fn keep(&self, reader: &mut dyn Read) -> io::Result<Arc<dyn Origin>> {
        let folder = std::env::temp_dir();
        let space = rustix::fs::statvfs(&folder)?;
        let most = (space.f_bavail * space.f_frsize).saturating_sub(LEFT_FREE);
        let mut file = tempfile::tempfile_in(&folder)?;
        tracing::debug!("keeping a part of `{}` in `{}`", self.source, folder.display());
        let kept = io::copy(&mut reader.take(most), &mut file)?;
        if kept == most {
            let folder = folder.display();
            return Err(io::Error::new(
                io::ErrorKind::StorageFull,
                format!(
                    "it has to be kept in `{folder}` to be read, and there is no room for more than {most} bytes"
                ),
            ));
        }
        // What was read of it was counted when it came.
        Ok(Arc::new(FileOrigin::new(file, Arc::new(AtomicU64::new(0)))?))
    }
}
