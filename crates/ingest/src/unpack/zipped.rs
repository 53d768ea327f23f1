//! Zip archives, and the workbooks that are ones.

use std::io::{self, BufReader, Read};
use std::ops::ControlFlow;
use std::sync::Arc;

use zip::ZipArchive;
use zip::result::ZipError;

use super::{Flow, Unpacker};
use crate::codec::refuse_bomb;
use crate::origin::Seeker;
use crate::{Archive, ArchivePart, Error, Options, Origin};

impl Unpacker<'_> {
    /// Reads the members of a zip archive.
    pub(super) fn zip(&mut self, origin: Arc<dyn Origin>) -> Flow {
        let mut archive = ZipArchive::new(BufReader::new(Seeker::new(Arc::clone(&origin))))
            .map_err(unreadable)?;
        let names: Vec<String> = (0..archive.len())
            .map(|at| {
                archive.name_for_index(at).and_then(Result::ok).unwrap_or_default().into_owned()
            })
            .collect();
        if names
            .iter()
            .any(|name| matches!(&**name, "xl/workbook.xml" | "xl/workbook.bin" | "content.xml"))
        {
            return self.workbook(origin);
        }
        let outer = Arc::clone(&self.options);
        let root = root_of_archive(&names);
        if let Some(root) = &root {
            let mut parts = Archive::default();
            for (at, name) in names.iter().enumerate() {
                let file =
                    name.strip_prefix(root.as_str()).and_then(|name| name.strip_prefix("data/"));
                if let Some(part) = file.and_then(ArchivePart::of)
                    && let Ok(file) = archive.by_index(at)
                {
                    parts.add(part, file);
                }
            }
            self.options = Arc::new(Options { archive: Some(Arc::new(parts)), ..(*outer).clone() });
        }
        // Of a Twitter archive, the page that shows it is no data.
        let is_page = |name: &str| {
            root.as_ref().is_some_and(|root| !name.starts_with(&format!("{root}data/")))
        };
        for (at, name) in names.iter().enumerate() {
            if name.ends_with(['/', '\\']) || is_page(name) {
                continue;
            }
            let flow = self.member(name, |unpacker| {
                let file = archive.by_index(at).map_err(unreadable)?;
                let compressed = file.compressed_size();
                unpacker.read(Bounded { reader: file, compressed, bytes: 0 }, None)
            });
            if flow.is_break() {
                return Ok(flow);
            }
        }
        self.options = outer;
        Ok(ControlFlow::Continue(()))
    }
}

/// The folder in which a Twitter archive lies, with a `/` at the end, or nothing if it lies at the top.
fn root_of_archive(names: &[String]) -> Option<String> {
    let files = ["data/account.js", "data/manifest.js", "data/tweets.js"];
    let mut roots = names.iter().flat_map(|name| files.map(|file| name.strip_suffix(file)));
    let root = roots.find_map(|root| root);
    root.filter(|root| root.is_empty() || root.ends_with('/')).map(str::to_owned)
}

/// A member, which is no decompression bomb.
struct Bounded<R> {
    reader: R,
    /// Its size in the archive.
    compressed: u64,
    bytes: u64,
}

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let length = self.reader.read(buf)?;
        self.bytes += length as u64;
        refuse_bomb(self.bytes, self.compressed)?;
        Ok(length)
    }
}

fn unreadable(error: ZipError) -> Error {
    match error {
        ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED) => {
            Error::Unsupported { what: "encrypted", hint: "unpack it with its password first" }
        }
        ZipError::UnsupportedArchive(_) | ZipError::CompressionMethodNotSupported(_) => {
            let what = "compressed in a way that is rare in zip archives";
            Error::Unsupported { what, hint: "unpack it and give the files in it" }
        }
        ZipError::Io(source) => Error::of(source, "zip"),
        other => Error::Damaged {
            what: "zip",
            source: io::Error::new(io::ErrorKind::InvalidData, other),
        },
    }
}
