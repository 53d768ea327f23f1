//! JSON objects, whether they stand one per line, one after another or in arrays, and whatever they hold.
//!
//! [`split`] finds where objects end, [`read`] finds out what one is. Tweets of the API are described in [`schema`]
//! and read in [`tweet`], messages of Bluesky's Jetstream in [`bluesky`]; other objects are rows and tables ([`flat`]).

use crate::beginning::{Beginning, Sniffed};
use crate::field::fold;
use crate::format::{self, Format, Rest, Start, Stretch};
use crate::text::decode;
use crate::{Description, Error, Field, Options};

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
pub(crate) fn recognize(
    beginning: &Beginning<'_>,
    options: &Options,
) -> Result<Option<Sniffed>, Error> {
    let body = beginning.body();
    // Before each object of a JSON text sequence (RFC 7464) stands a record separator.
    let object = body.strip_prefix(b"\x1E").map_or(body, <[u8]>::trim_ascii_start);
    if matches!(object.first(), Some(b'{' | b'[')) || split::begins_text(object) {
        check_columns(beginning, options)?;
        return Ok(Some(beginning.is(Json, beginning.text())));
    }
    let Some(length) = javascript_assignment(body) else { return Ok(None) };
    if let Some(kind) = other_of_archive(&body[..length]) {
        return Err(Error::OtherOfArchive { kind });
    }
    check_columns(beginning, options)?;
    Ok(Some(beginning.is(Json, &body[length..])))
}

/// Recognizes a source in which other lines come before the first object.
pub(crate) fn recognize_after_junk(
    beginning: &Beginning<'_>,
    options: &Options,
) -> Result<Option<Sniffed>, Error> {
    let mut lines = beginning.body().split(|&b| matches!(b, b'\n' | b'\r'));
    let is_object = |line: &[u8]| line.starts_with(b"{\"") && line.trim_ascii_end().ends_with(b"}");
    if !lines.any(is_object) {
        return Ok(None);
    }
    check_columns(beginning, options)?;
    Ok(Some(beginning.is(Json, beginning.text())))
}

/// Checks that the keys that the user names are there, in one of the first objects at least, if these are rows.
fn check_columns(beginning: &Beginning<'_>, options: &Options) -> Result<(), Error> {
    let mut missing: Vec<&(Field, String)> = options.columns.iter().collect();
    let (mut splitter, mut rest) = (Splitter::default(), beginning.text());
    let mut keys: Vec<String> = Vec::new();
    while !missing.is_empty() && !rest.is_empty() {
        let end = match format::Split::next(&mut splitter, rest, Rest::ToCome) {
            Stretch::Record { end, fault: None } => {
                let text = decode(&rest[..end]);
                match shape::name(&text, options) {
                    shape::ROWS => {}
                    shape @ (shape::V1 | shape::V2 | shape::ARCHIVE) => {
                        return Err(Error::NoColumns { shape });
                    }
                    // What is wrapped has other names inside.
                    _ => return Ok(()),
                }
                flat::each_path(&text, &[], &mut |path, _| {
                    missing.retain(|(_, name)| fold(name) != fold(path));
                    if keys.len() < 30 && !keys.iter().any(|key| key == path) {
                        keys.push(path.to_owned());
                    }
                });
                end
            }
            Stretch::Record { end, .. } | Stretch::Separators { end } => end,
            Stretch::Unfinished => break,
        };
        rest = &rest[end..];
    }
    match missing.first() {
        Some((field, name)) if !keys.is_empty() => {
            let (name, field, header) = (name.clone(), field.name(), keys.join(", "));
            Err(Error::NoSuchColumn { name, field, header })
        }
        _ => Ok(()),
    }
}

/// The length of `window.YTD.tweets.part0 =`, with which the files of a Twitter archive begin.
fn javascript_assignment(body: &[u8]) -> Option<usize> {
    let is_name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'$' | b' ');
    let equals = body.iter().take(200).position(|&b| b == b'=')?;
    let after = body[equals + 1..].trim_ascii_start();
    (body[..equals].iter().all(|&b| is_name(b)) && matches!(after.first(), Some(b'[' | b'{')))
        .then_some(equals + 1)
}

/// What a file of a Twitter archive holds that begins with this assignment, if that is not tweets.
fn other_of_archive(assignment: &[u8]) -> Option<String> {
    const TWEETS: [&str; 7] = [
        "tweet",
        "tweets",
        "deleted_tweet",
        "deleted_tweets",
        "community_tweet",
        "community_tweets",
        "note_tweet",
    ];
    const OTHERS: [&str; 4] = ["__THAR_CONFIG", "payload_details", "tweet_index", "user_details"];
    let name = std::str::from_utf8(assignment).ok()?.trim_end_matches(['=', ' ']);
    if let Some(name) = name.strip_prefix("window.YTD.") {
        let kind = name.split('.').next().unwrap_or_default();
        return (!TWEETS.contains(&kind)).then(|| kind.to_owned());
    }
    let name = name.rsplit(['.', ' ']).next().unwrap_or_default();
    OTHERS.contains(&name).then(|| name.to_owned())
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
