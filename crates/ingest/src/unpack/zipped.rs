//! Zip archives, and the workbooks that are ones.

use std::io::{self, BufReader};
use std::ops::ControlFlow;
use std::sync::Arc;

use zip::ZipArchive;
use zip::result::ZipError;

use super::{Flow, Unpacker};
use crate::origin::Seeker;
use crate::{Error, Origin};

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
        for (at, name) in names.iter().enumerate() {
            if name.ends_with(['/', '\\']) {
                continue;
            }
            let flow = self.member(name, |unpacker| {
                let file = archive.by_index(at).map_err(unreadable)?;
                unpacker.read(file, None)
            });
            if flow.is_break() {
                return Ok(flow);
            }
        }
        Ok(ControlFlow::Continue(()))
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
