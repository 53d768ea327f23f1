//! The beginning of a source, which is all that its format is detected from.

use std::sync::Arc;

use crate::format::Format;

/// How many bytes at the beginning of a source may be looked at to tell its format.
pub(crate) const SNIFF_BYTES: usize = 64 * 1024;

/// How a source begins.
pub(crate) struct Beginning<'s> {
    /// The first bytes, as UTF-8 or something close to it.
    bytes: &'s [u8],
    /// The length of the byte order mark.
    bom: usize,
}

impl<'s> Beginning<'s> {
    pub(crate) fn new(bytes: &'s [u8]) -> Beginning<'s> {
        let bom = if bytes.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 };
        Beginning { bytes, bom }
    }

    /// What follows the byte order mark.
    pub(crate) fn text(&self) -> &'s [u8] {
        &self.bytes[self.bom..]
    }

    /// What follows leading white space.
    pub(crate) fn body(&self) -> &'s [u8] {
        self.text().trim_ascii_start()
    }

    /// How many bytes come before `rest`, which is what remains after a preamble.
    fn length_before(&self, rest: &[u8]) -> usize {
        self.bytes.len() - rest.len()
    }

    /// The verdict that the source has that format. Its records start at `rest`, which is the end of the bytes.
    pub(crate) fn is(&self, format: impl Format + 'static, rest: &[u8]) -> Sniffed {
        Sniffed { format: Arc::new(format), skip: self.length_before(rest) }
    }
}

/// A format, and how many bytes of preamble come before the first record.
#[derive(Debug)]
pub(crate) struct Sniffed {
    pub(crate) format: Arc<dyn Format>,
    pub(crate) skip: usize,
}
