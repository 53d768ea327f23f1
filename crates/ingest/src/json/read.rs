//! Reads the tweets in a JSON object, whichever of the known shapes it has.

use std::borrow::Cow;

use serde_json::value::RawValue;

use super::bluesky::{self, Message};
use super::find;
use super::flat::{self, each_record};
use super::mend::mend;
use super::schema::{self, Lists, Record, Rule, Tweets};
use super::shape::Shape;
use super::tweet::{self, Includes};
use super::wrap;
use crate::item::{Found, Sink};
use crate::text::decode;
use crate::{Archive, Item, Kind, Options, Rejected, Stage, Tweet, format};

/// How deep records may lie in tables, and in wrappers and tables. Tables of scrapers are two deep, events of queues four.
/// There must be limits, because each level reads the text of all levels below it once more.
const MAX_TABLE_DEPTH: u8 = 4;
const MAX_DEPTH: u8 = 8;

/// How many rejects one object makes at most. Most of what is in an object of millions of others is not worth a line.
const MAX_REJECTS: usize = 1_000;

/// Reads JSON objects into tweets, documents and notices.
pub(super) struct Reader<'o> {
    pub(super) options: &'o Options,
}

impl format::Read for Reader<'_> {
    fn read(&mut self, raw: &[u8], line: u64, sink: &mut Sink<'_>) {
        let place = Place { options: self.options, line, depth: 0 };
        let (mut n_items, mut n_rejected) = (0_usize, 0_usize);
        place.read(raw, &mut |found| {
            n_items += 1;
            if let Found::Item(Item::Rejected(_)) = found {
                n_rejected += 1;
                if n_rejected > MAX_REJECTS {
                    return;
                }
            }
            sink(found);
        });
        if n_items == 0 {
            place.reject(raw, None, "there is no record in it".to_owned(), sink);
        } else if n_rejected > MAX_REJECTS {
            let more = n_rejected - MAX_REJECTS;
            let reason = format!("{more} more objects in it are no tweets either");
            place.reject(raw, None, reason, sink);
        }
    }
}

/// Where an object stands in its source, and the options it is read with.
#[derive(Clone, Copy)]
struct Place<'o> {
    options: &'o Options,
    line: u64,
    /// How many tables of records it is nested in.
    depth: u8,
}

impl Place<'_> {
    /// Reads one JSON object and hands what is in it to `sink`.
    fn read(self, raw: &[u8], sink: &mut Sink<'_>) {
        let text = decode(raw);
        let text = match wrap::without_extended_types(&text) {
            Some(plain) => Cow::Owned(plain),
            None => text,
        };
        if schema::is_surely_document(&text) {
            return sink(Found::Item(self.document(&text)));
        }
        // An object that was written as a text.
        if text.starts_with('"') {
            return match serde_json::from_str(&text) {
                Ok(inner) => self.read_inside(&text, [inner].into_iter(), sink),
                Err(error) => {
                    let reason = format!("the JSON cannot be read: {error}");
                    self.reject(raw, None, reason, sink)
                }
            };
        }
        let error = match serde_json::from_str::<Record<'_>>(&text) {
            Ok(record) => return self.read_record(&text, record, sink),
            Err(error) => error,
        };
        let mended = mend(&text);
        let reread = mended.as_deref().map(|json| (json, serde_json::from_str::<Record<'_>>(json)));
        match reread {
            Some((json, Ok(record))) => self.read_record(json, record, sink),
            _ if !text.trim_start().starts_with('{') => {
                self.reject(raw, None, "this is not a JSON object".to_owned(), sink);
            }
            _ => self.reject(raw, None, format!("the JSON cannot be read: {error}"), sink),
        }
    }

    fn document<'j>(&self, json: &'j str) -> Item<'j> {
        Item::Document { line: self.line, json, source: None }
    }

    fn reject(&self, raw: &[u8], id: Option<&str>, reason: String, sink: &mut Sink<'_>) {
        let mut rejected = Rejected::new(self.line, Stage::Parse, reason, raw);
        rejected.id = id.map(str::to_owned);
        sink(Found::Item(Item::Rejected(rejected)));
    }

    fn read_record(self, json: &str, record: Record<'_>, sink: &mut Sink<'_>) {
        let shape = Shape::of(json, &record, self.options);
        // What is wrong inside a post of Bluesky was passed over so far.
        if record.is_bluesky()
            && !matches!(shape, Shape::Message(_))
            && let Some(mended) = mend(json).filter(|mended| mended != json)
            && let Some(message) = bluesky::read(&mended, self.options)
        {
            return self.message(&mended, message, sink);
        }
        let none = Includes::default();
        match shape {
            Shape::Tweet => {
                let outcome = tweet::read(&record, &none, self.options);
                self.tweet(json, record.id().as_deref(), outcome, sink);
            }
            Shape::ArchivedTweet => {
                let Some(tweet) = record.tweet.0.as_deref() else { return };
                let mut outcome = tweet::read(tweet, &none, self.options);
                // An archive does not have what was retweeted.
                if let Ok(tweet) = &mut outcome
                    && tweet.text.starts_with("RT @")
                {
                    tweet.kind = Kind::Retweet;
                }
                if let (Ok(tweet), Some(archive)) = (&mut outcome, &self.options.archive) {
                    self.complete(tweet, archive);
                }
                self.tweet(json, tweet.id().as_deref(), outcome, sink);
            }
            Shape::ArchivedNote => {
                let Some(note) = record.archived_note.0.as_deref() else { return };
                let mut outcome = tweet::read_archived_note(note, self.options);
                if let (Ok(tweet), Some(archive)) = (&mut outcome, &self.options.archive) {
                    if archive.has_tweet_of(tweet, note.created_at.0.as_deref()) {
                        return self.notice("text of a long tweet", sink);
                    }
                    archive.add_author(tweet);
                }
                self.tweet(json, note.id.0.as_deref(), outcome, sink);
            }
            Shape::Page => self.read_page(json, record, sink),
            Shape::Document => sink(Found::Item(self.document(json))),
            Shape::Reject => match serde_json::from_str::<Rejected>(json) {
                Ok(rejected) => sink(Found::Reject(Box::new(rejected))),
                Err(error) => {
                    let reason = format!("this is not a reject: {error}");
                    self.reject(json.as_bytes(), None, reason, sink)
                }
            },
            Shape::Notice(kind) => self.notice(kind, sink),
            Shape::Message(message) => self.message(json, message, sink),
            Shape::Post(_, id, outcome) => {
                self.tweet(json, id.as_deref(), outcome.map(|tweet| *tweet), sink);
            }
            Shape::Row(outcome) => {
                self.tweet(json, record.id().as_deref(), outcome.map(|tweet| *tweet), sink);
            }
            Shape::Wrapper(_, records) => self.read_inside(json, records.into_iter(), sink),
            Shape::Table => self.read_table(json, sink),
            Shape::TooLong => {
                let reason = format!(
                    "an answer of an API that is longer than {} MiB is not searched for posts",
                    find::MAX_BYTES / 1024 / 1024
                );
                self.reject(json.as_bytes(), None, reason, sink);
            }
        }
    }

    /// Adds what other files of an archive say of a tweet.
    fn complete<'a>(&self, tweet: &mut Tweet<'a>, archive: &'a Archive) {
        archive.add_author(tweet);
        let note =
            archive.note_of(tweet).and_then(|json| serde_json::from_str::<Record<'a>>(json).ok());
        let note = note.and_then(|record| {
            tweet::read_archived_note(record.archived_note.0.as_deref()?, self.options).ok()
        });
        if let Some(note) = note {
            (tweet.text, tweet.entities) = (note.text, note.entities);
        }
    }

    fn notice(&self, kind: &'static str, sink: &mut Sink<'_>) {
        sink(Found::Item(Item::Notice { line: self.line, kind }));
    }

    /// Reads the records that lie in an object.
    fn read_inside<'j>(
        self,
        json: &str,
        records: impl Iterator<Item = Cow<'j, str>>,
        sink: &mut Sink<'_>,
    ) {
        if self.depth == MAX_DEPTH {
            let reason = format!("records lie in it more than {MAX_DEPTH} deep");
            return self.reject(json.as_bytes(), None, reason, sink);
        }
        let inner = Place { depth: self.depth + 1, ..self };
        for record in records {
            match record.trim_start().starts_with('[') {
                // A list of records that was put into a text.
                true => {
                    let mut items = Vec::new();
                    let read = flat::each_item(&record, &mut |item| items.push(item));
                    match read {
                        Ok(()) => items.iter().for_each(|item| inner.read(item.as_bytes(), sink)),
                        Err(error) => {
                            let reason = format!("the JSON in it cannot be read: {error}");
                            self.reject(json.as_bytes(), None, reason, sink);
                        }
                    }
                }
                false => inner.read(record.as_bytes(), sink),
            }
        }
    }

    fn message(&self, json: &str, message: Message<'_>, sink: &mut Sink<'_>) {
        match message {
            Message::Post(uri, tweet) => {
                self.tweet(json, Some(&uri), tweet.map(|tweet| *tweet), sink);
            }
            Message::Notice(kind) => self.notice(kind, sink),
        }
    }

    fn tweet(
        &self,
        json: &str,
        id: Option<&str>,
        outcome: Result<Tweet<'_>, String>,
        sink: &mut Sink<'_>,
    ) {
        match outcome {
            Ok(tweet) => sink(Found::Item(Item::Tweet { line: self.line, tweet, source: None })),
            Err(reason) => self.reject(json.as_bytes(), id, reason, sink),
        }
    }

    /// Reads the records of a table, one after the other, straight out of its text.
    fn read_table(self, json: &str, sink: &mut Sink<'_>) {
        if self.depth == MAX_TABLE_DEPTH {
            let reason = format!("it holds tables more than {MAX_TABLE_DEPTH} deep");
            return self.reject(json.as_bytes(), None, reason, sink);
        }
        let inner = Place { depth: self.depth + 1, ..self };
        each_record(json, &mut |record| inner.read(record.as_bytes(), sink));
    }

    /// Reads the tweets of a v2 page or stream line, or of a dump of a page's lists. They are parsed one by one, so
    /// that memory does not grow with their number.
    fn read_page(self, json: &str, record: Record<'_>, sink: &mut Sink<'_>) {
        let lists = match record.includes.0 {
            Some(lists) => *lists,
            None => Lists { tweets: Tweets::None, users: record.users, places: record.places },
        };
        let rules = record.matching_rules.0.unwrap_or_default();
        let page = Page { includes: Includes::new(&lists), rules: &rules };
        let tweets = if record.data.is_some() { record.data } else { record.tweets };
        match tweets {
            Tweets::One(event) if event.event_type.0.as_deref() == Some("post.delete") => {
                self.notice("post.delete", sink);
            }
            Tweets::One(tweet) if self.is_of_another_form(&tweet) && data_of_page(json) != json => {
                let inner = Place { depth: self.depth + 1, ..self };
                inner.read(data_of_page(json).as_bytes(), sink);
            }
            Tweets::One(tweet) => self.read_of_page(&page, Err(json), &tweet, sink),
            Tweets::Many(texts) if !texts.is_empty() => {
                for text in texts {
                    self.parse_of_page(&page, text, sink);
                }
            }
            Tweets::Many(_) | Tweets::None => {
                // A table as pandas writes it, with the names of the columns apart.
                if let Some(rows) = wrap::split_table(json) {
                    return self.read_inside(json, rows.into_iter().map(Cow::Owned), sink);
                }
                self.notice("empty page", sink);
            }
        }
    }

    /// Whether an item of a page in the form of the API has another form itself.
    fn is_of_another_form(&self, record: &Record<'_>) -> bool {
        let is_other = record.is_foreign() || !record.has_marks();
        is_other && self.depth < MAX_DEPTH
    }

    fn parse_of_page(self, page: &Page<'_, '_>, text: &str, sink: &mut Sink<'_>) {
        let error = match serde_json::from_str::<Record<'_>>(text) {
            Ok(record) if self.is_of_another_form(&record) => {
                return Place { depth: self.depth + 1, ..self }.read(text.as_bytes(), sink);
            }
            Ok(record) => return self.read_of_page(page, Ok(text), &record, sink),
            Err(error) => error,
        };
        let mended = mend(text);
        match mended.as_deref().and_then(|json| serde_json::from_str::<Record<'_>>(json).ok()) {
            Some(record) if self.is_of_another_form(&record) => {
                Place { depth: self.depth + 1, ..self }.read(text.as_bytes(), sink);
            }
            Some(record) => self.read_of_page(page, Ok(text), &record, sink),
            None => {
                let reason = format!("the JSON cannot be read: {error}");
                self.reject(text.as_bytes(), None, reason, sink);
            }
        }
    }

    /// Reads a tweet of a page. `text` is `Ok` with the JSON of the tweet, or `Err` with that of the whole page.
    fn read_of_page<'a, 'p: 'a>(
        self,
        page: &Page<'_, 'p>,
        text: Result<&str, &str>,
        record: &Record<'a>,
        sink: &mut Sink<'_>,
    ) {
        let mut outcome = tweet::read(record, &page.includes, self.options);
        if let Ok(tweet) = &mut outcome {
            tweet.rule_tags = page.rules.iter().filter_map(|rule| rule.tag.0.clone()).collect();
        }
        let text = if outcome.is_err() { text.unwrap_or_else(data_of_page) } else { "" };
        self.tweet(text, record.id().as_deref(), outcome, sink);
    }
}

/// What all tweets of a page share.
struct Page<'i, 'a> {
    includes: Includes<'i, 'a>,
    rules: &'i [Rule<'a>],
}

/// The JSON of the tweet of a page that holds a single one, so that its reject does not contain the rest of the page.
fn data_of_page(json: &str) -> &str {
    #[derive(serde::Deserialize)]
    struct Page<'p> {
        #[serde(borrow, alias = "tweets")]
        data: &'p RawValue,
    }
    serde_json::from_str::<Page<'_>>(json).map_or(json, |page| page.data.get())
}
