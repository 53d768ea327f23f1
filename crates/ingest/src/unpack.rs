//! What a source holds: itself, or the files in an archive, and in the archives in that.
//!
//! Streams are read as they come. What has its directory at the end (zip, Parquet, workbooks) has to be read from any
//! place; a stream of that kind is [kept](Spool) first.

use std::io::Read;
use std::ops::ControlFlow;
use std::sync::Arc;

use crate::decode::{Decoded, Packing, decode};
use crate::origin::gradually;
use crate::{Batches, Checkpoint, Error, MemberPlace, Options, Origin, Spool};

mod content;
mod parquet;
mod tarball;
mod workbook;
mod zipped;

use content::Content;
pub use content::is_passed_over;

/// How deep archives may lie in archives.
const MAX_DEPTH: usize = 4;

/// Where the bytes of a source come from.
pub enum Input<'r> {
    /// They come once, in order.
    Stream(Box<dyn Read + 'r>),
    /// They can be read from any place.
    Origin(Arc<dyn Origin>),
}

/// A file that a source holds.
pub struct Member<'m> {
    /// Its path in the archive; `None` if the source is no archive. Paths in archives in archives are joined by `/`.
    pub path: Option<&'m str>,
    /// Its records, or why it cannot be read.
    pub batches: Result<Batches<'m>, Error>,
}

/// Reads a source, whatever it is packed in, and hands its members to `visit`, one after the other, until that breaks. With
/// `from`, goes on at a checkpoint that was taken while the same source was read earlier.
///
/// # Errors
///
/// If the source itself cannot be read, or not to its end. What is wrong with a member is passed to `visit`.
pub fn unpack(
    input: Input<'_>,
    options: &Arc<Options>,
    spool: &dyn Spool,
    from: Option<&Checkpoint>,
    visit: &mut dyn FnMut(Member<'_>) -> ControlFlow<()>,
) -> Result<(), Error> {
    let from = from.filter(|from| from.position.is_begun());
    let place = from.map(|from| from.position.place).unwrap_or_default();
    let mut unpacker = Unpacker {
        options: Arc::clone(options),
        spool,
        from,
        visit,
        place: MemberPlace::default(),
        path: String::new(),
        depth: 0,
    };
    let flow = match input {
        Input::Stream(reader) => unpacker.read(reader, None),
        Input::Origin(origin) => match place.tar {
            // The members before it need not be read.
            Some(start) => {
                unpacker.place = MemberPlace { leaf: start.leaf, tar: None };
                let rest = origin.read(start.offset..origin.length())?;
                unpacker.tar(rest, start.offset, true)
            }
            None => {
                let reader = match from {
                    None => origin.read(0..origin.length())?,
                    // Reading will go on elsewhere.
                    Some(_) => gradually(Arc::clone(&origin)),
                };
                unpacker.read(reader, Some(origin))
            }
        },
    };
    flow.map(drop)
}

/// Whether there is more to be read.
type Flow = Result<ControlFlow<()>, Error>;

struct Unpacker<'u> {
    options: Arc<Options>,
    spool: &'u dyn Spool,
    from: Option<&'u Checkpoint>,
    visit: &'u mut dyn FnMut(Member<'_>) -> ControlFlow<()>,
    /// Where the next member stands.
    place: MemberPlace,
    /// The path of the current archive in the source.
    path: String,
    depth: usize,
}

impl Unpacker<'_> {
    /// Reads a file, which may be an archive. `origin` has the same bytes as `reader`.
    fn read(&mut self, reader: impl Read, origin: Option<Arc<dyn Origin>>) -> Flow {
        let mut decoded = decode(reader)?;
        let content = Content::of(&decoded.start)?;
        if content != Content::Records && self.depth == MAX_DEPTH {
            let what = "an archive in an archive, more than four deep";
            return Err(Error::Unsupported { what, hint: "unpack it first" });
        }
        // What is decompressed has other bytes than the origin.
        let mut origin = origin.filter(|_| decoded.layers.is_empty());
        let mut kept = |decoded: &mut Decoded<'_>| match origin.take() {
            Some(origin) if origin.length() < u64::MAX => Ok(origin),
            _ => {
                self.spool.keep(&mut decoded.reader).map_err(|error| Error::of(error, "compressed"))
            }
        };
        match content {
            Content::Records => self.records(decoded, origin),
            Content::Tar => {
                let is_plain = self.depth == 0 && origin.is_some();
                self.tar(decoded.reader, 0, is_plain)
            }
            Content::Zip => {
                let origin = kept(&mut decoded)?;
                self.zip(origin)
            }
            Content::Parquet => {
                let origin = kept(&mut decoded)?;
                self.parquet(origin)
            }
            Content::Workbook => {
                let origin = kept(&mut decoded)?;
                self.workbook(origin)
            }
        }
    }

    /// Whether the next member was read to its end before.
    fn is_before(&self) -> bool {
        self.from.is_some_and(|from| self.place.leaf < from.position.place.leaf)
    }

    /// Where to go on in the next member, if it was begun before.
    fn checkpoint(&self) -> Option<&Checkpoint> {
        self.from.filter(|from| from.position.place.leaf == self.place.leaf)
    }

    /// Reads a file of records.
    fn records(&mut self, decoded: Decoded<'_>, origin: Option<Arc<dyn Origin>>) -> Flow {
        if self.is_before() {
            self.place.leaf += 1;
            return Ok(ControlFlow::Continue(()));
        }
        let is_whole_source = self.depth == 0;
        let mut decoded = decoded;
        if !is_whole_source {
            // Marks of a member would be taken for those of the source.
            if let Packing::Gzip(_) = decoded.packing {
                decoded.packing = Packing::Encoded;
            }
        }
        let mut batches = Batches::new(decoded, &self.options);
        if let (Ok(open), Some(checkpoint)) = (&mut batches, self.checkpoint()) {
            let resumed = match origin.filter(|_| is_whole_source) {
                Some(origin) => open.resume(checkpoint, |at| origin.read(at..origin.length())),
                None => open.skip_to(checkpoint.position),
            };
            if let Err(error) = resumed {
                batches = Err(error);
            }
        }
        self.visit(batches)
    }

    /// Hands over a member.
    fn visit(&mut self, batches: Result<Batches<'_>, Error>) -> Flow {
        let mut batches = batches;
        if let Ok(batches) = &mut batches {
            batches.stand_at(self.place);
        }
        self.place.leaf += 1;
        let path = Some(&*self.path).filter(|path| !path.is_empty());
        match batches {
            // A source that is no archive, and cannot be read.
            Err(error) if path.is_none() && !error.is_nothing() => Err(error),
            batches => Ok((self.visit)(Member { path, batches })),
        }
    }

    /// Reads a member of an archive. What is wrong with it is its own affair.
    fn member(&mut self, name: &str, read: impl FnOnce(&mut Self) -> Flow) -> ControlFlow<()> {
        if is_passed_over(name) {
            return ControlFlow::Continue(());
        }
        let length = self.path.len();
        if length > 0 {
            self.path.push('/');
        }
        self.path.push_str(name);
        self.depth += 1;
        let flow = read(self);
        self.depth -= 1;
        let flow = match flow {
            Ok(flow) => flow,
            Err(error) => {
                let batches = Err(error);
                (self.visit)(Member { path: Some(&self.path), batches })
            }
        };
        self.path.truncate(length);
        flow
    }
}
