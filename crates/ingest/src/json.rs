//! JSON objects, whether they stand one per line, one after another or in arrays, and whatever they hold.
//!
//! [`split`] finds where objects end, [`read`] finds out what one is. Tweets of the API are described in [`schema`]
//! and read in [`tweet`], messages of Bluesky's Jetstream in [`bluesky`]; other objects are rows and tables ([`flat`]).

use crate::beginning::{Beginning, Sniffed};
use crate::format::{self, Format, Start};
use crate::{Description, Error, Options};

mod bluesky;
mod fediverse;
mod find;
mod flat;
mod giant;
mod graphql;
mod lenient;
mod lines;
mod mend;
mod note;
mod read;
mod schema;
mod shape;
mod split;
mod tweet;
mod wrap;

pub(crate) use flat::values_under;
pub(crate) use giant::{Giant, MAX_PAGE_BYTES, begins as begins_page};
pub use lines::page_lines;
use read::Reader;
pub(crate) use split::FirstObject;
use split::Splitter;

#[derive(Debug)]
struct Json;

/// Recognizes a source that begins with an object or a list, also behind `window.YTD.tweets.part0 = `.
pub(crate) fn recognize(beginning: &Beginning<'_>, _: &Options) -> Result<Option<Sniffed>, Error> {
    let body = beginning.body();
    // Before each object of a JSON text sequence (RFC 7464) stands a record separator.
    let object = body.strip_prefix(b"\x1E").map_or(body, <[u8]>::trim_ascii_start);
    if matches!(object.first(), Some(b'{' | b'[')) {
        return Ok(Some(beginning.is(Json, beginning.text())));
    }
    let assigned = javascript_assignment(body);
    Ok(assigned.map(|length| beginning.is(Json, &body[length..])))
}

/// Recognizes a source in which other lines come before the first object.
pub(crate) fn recognize_after_junk(
    beginning: &Beginning<'_>,
    _: &Options,
) -> Result<Option<Sniffed>, Error> {
    let mut lines = beginning.body().split(|&b| matches!(b, b'\n' | b'\r'));
    let is_object = |line: &[u8]| line.starts_with(b"{\"") && line.trim_ascii_end().ends_with(b"}");
    Ok(lines.any(is_object).then(|| beginning.is(Json, beginning.text())))
}

/// The length of `window.YTD.tweets.part0 =`, with which the files of a Twitter archive begin.
fn javascript_assignment(body: &[u8]) -> Option<usize> {
    let is_name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'$' | b' ');
    let equals = body.iter().take(200).position(|&b| b == b'=')?;
    let after = body[equals + 1..].trim_ascii_start();
    (body[..equals].iter().all(|&b| is_name(b)) && matches!(after.first(), Some(b'[' | b'{')))
        .then_some(equals + 1)
}

impl Format for Json {
    fn splitter(&self, _: Start) -> Box<dyn format::Split> {
        Box::new(Splitter::default())
    }

    fn reader<'f>(&'f self, options: &'f Options) -> Box<dyn format::Read + 'f> {
        Box::new(Reader { options })
    }

    fn describe(&self, records: &mut dyn Iterator<Item = &[u8]>, options: &Options) -> Description {
        shape::describe(records, options)
    }

    fn rewriter<'f>(&'f self, _: &'f Options) -> Box<format::Rewrite<'f>> {
        Box::new(lines::each)
    }
}
