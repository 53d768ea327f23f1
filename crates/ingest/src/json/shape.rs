//! Which of the known shapes JSON objects have.

use super::schema::{self, Record};
use super::wrap::{self, Wrapped};
use super::{bluesky, fediverse, flat, graphql};
use crate::text::decode;
use crate::{DescribedColumn, Description, Options};

/// Describes a source by its first objects.
pub(super) fn describe(records: &mut dyn Iterator<Item = &[u8]>, options: &Options) -> Description {
    let mut description = Description::of("JSON");
    let mut shapes: Vec<(&'static str, usize)> = Vec::new();
    let mut columns = Vec::new();
    for raw in records {
        let text = decode(raw);
        let shape = shape(&text, options);
        match shapes.iter_mut().find(|(known, _)| *known == shape) {
            Some((_, count)) => *count += 1,
            None => shapes.push((shape, 1)),
        }
        if shape == ROWS && columns.is_empty() {
            columns = keys(&text, options);
        }
    }
    shapes.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let list: Vec<String> = match &shapes[..] {
        [(only, _)] => vec![(*only).to_owned()],
        several => several.iter().map(|(shape, count)| format!("{shape} ({count})")).collect(),
    };
    description.add("shape", list.join(", "));
    description.columns = columns;
    description
}

/// Whether an object is a row, which is read by the names of its keys.
pub(super) fn is_row(json: &str, options: &Options) -> bool {
    shape(json, options) == ROWS
}

const ROWS: &str = "rows with keys of their own";

fn shape(json: &str, options: &Options) -> &'static str {
    if schema::is_surely_document(json) {
        return "documents of indexer";
    }
    let plain = wrap::without_extended_types(json);
    let json = plain.as_deref().unwrap_or(json);
    let Ok(record) = serde_json::from_str::<Record<'_>>(json) else {
        return "JSON that cannot be read";
    };
    let is_twitter_answer = || graphql::may_hold_tweets(json) && graphql::tweets(json).is_some();
    match () {
        () if record.is_bluesky() && bluesky::read(json, options).is_some() => {
            "messages of Bluesky's Jetstream"
        }
        () if record.notice().is_some() => "notices",
        () if record.is_document() => "documents of indexer",
        () if (record.is_envelope() || record.legacy.0) && is_twitter_answer() => {
            "answers to X's web page (GraphQL)"
        }
        () if record.is_envelope() && record.meta.0.is_some() => "pages of the API v2",
        () if record.is_envelope() => "stream lines or pages of the API v2",
        () if record.is_reject() => "rejects of indexer",
        () if record.tweet.0.is_some() || record.archived_note.0.is_some() => {
            "entries of a Twitter archive"
        }
        () if record.is_tweet() && record.user.0.is_some() => "tweets of the API v1.1",
        () if record.is_tweet() => "tweets of the API v2",
        () if fediverse::read(json, options).is_some() => "posts of Mastodon",
        () if bluesky::may_hold_views(json) => "posts of Bluesky's API",
        () if is_twitter_answer() => "answers to X's web page (GraphQL)",
        () => match wrap::unwrap(json) {
            Some(Wrapped::Notice(_)) => "messages of tools",
            Some(Wrapped::Records(records)) => {
                match records.first().map(|first| shape(first, options)) {
                    Some("tweets of the API v1.1") => "wrapped tweets of the API v1.1",
                    Some(_) | None => "wrapped records",
                }
            }
            None => match flat::read(json, options) {
                flat::Flat::Table => "tables of records",
                flat::Flat::Row(_) => ROWS,
            },
        },
    }
}

/// The keys of a row, with the fields that they hold.
fn keys(json: &str, options: &Options) -> Vec<DescribedColumn> {
    let mut columns = Vec::new();
    flat::each_path(json, &options.columns, &mut |path, fields| {
        columns.push(DescribedColumn::new(path.to_owned(), fields));
    });
    columns
}
