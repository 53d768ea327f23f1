//! Tar archives, read as they come.

use std::io::{self, Read};
use std::ops::ControlFlow;
use std::sync::Arc;

use super::{Flow, Unpacker};
use crate::codec::{Input, Taken};
use crate::position::TarPlace;
use crate::{Error, MemberPlace};

const BLOCK: u64 = 512;

impl Unpacker<'_> {
    /// Reads the members of a tar archive, of which `reader` has the part from `offset` on. `is_plain` says that this is the
    /// source itself, uncompressed, so that reading can go on at each member.
    pub(super) fn tar(&mut self, reader: impl Read, offset: u64, is_plain: bool) -> Flow {
        let taken = Arc::new(Taken::default());
        let damaged = |source| match taken.has_failed() {
            true => Error::of(source, "tar"),
            // What the archive says is not so.
            false => Error::Damaged { what: "tar", source },
        };
        let mut archive = tar::Archive::new(Input { reader, taken: Arc::clone(&taken) });
        // Archives are put one behind the other.
        archive.set_ignore_zeros(true);
        let mut next = offset;
        for entry in archive.entries().map_err(damaged)? {
            let entry = entry.map_err(damaged)?;
            let start = TarPlace { offset: next, leaf: self.place.leaf };
            self.place.tar = is_plain.then_some(start);
            let length = entry.header().entry_size().map_err(damaged)?;
            next = offset + entry.raw_file_position() + length.next_multiple_of(BLOCK);
            let kind = entry.header().entry_type();
            if !(kind.is_file() || kind.is_contiguous() || kind.is_gnu_sparse()) {
                continue;
            }
            let name = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            let left = if kind.is_gnu_sparse() { 0 } else { length };
            let entry = Whole { reader: entry, left };
            if self.member(&name, |unpacker| unpacker.read(entry, None)).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        self.place = MemberPlace { tar: None, ..self.place };
        Ok(ControlFlow::Continue(()))
    }
}

/// An entry, whose end comes too early if the archive was cut.
struct Whole<R> {
    reader: R,
    /// How much must still come.
    left: u64,
}

impl<R: Read> Read for Whole<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let length = self.reader.read(buf)?;
        if length == 0 && self.left > 0 && !buf.is_empty() {
            self.left = 0;
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.left = self.left.saturating_sub(length as u64);
        Ok(length)
    }
}
