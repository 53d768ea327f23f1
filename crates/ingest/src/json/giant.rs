//! A page of the v2 API, or another object with a long list in it, that is too large to be held in memory. It is taken apart while it is read: what it includes about its
//! tweets stands behind them, so the tweets are kept compressed until then, and come out as lines of the stream API, each with
//! what is included about it.

use std::collections::HashMap;
use std::io::{self, BufRead, BufReader, Cursor, Read, Write};

use flate2::Compression;
use flate2::read::DeflateDecoder;
use flate2::write::DeflateEncoder;
use memchr::memmem;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::wrap::LISTS;

/// A longer page is taken apart.
pub(crate) const MAX_PAGE_BYTES: usize = 8 * 1024 * 1024;
/// A longer value in one is none.
const MAX_VALUE_BYTES: usize = 4 * 1024 * 1024;

/// Whether an object that begins like that may be such a page: it has a list under a key that is known.
pub(crate) fn begins(start: &[u8]) -> bool {
    let bom = start.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(start);
    let is_known = |key: &&str| memmem::find(bom, format!("\"{key}\"").as_bytes()).is_some();
    bom.trim_ascii_start().starts_with(b"{") && ["data"].iter().chain(&LISTS).any(is_known)
}

/// Reads a page as lines, and what follows it as it is.
pub(crate) struct Giant<R> {
    source: BufReader<R>,
    state: State,
    /// What has been made of it, and is still to be read.
    ready: Cursor<Vec<u8>>,
}

enum State {
    /// Nothing was read yet.
    Whole,
    /// The page was read. Its tweets come out one by one.
    Lines { tweets: Box<BufReader<DeflateDecoder<Cursor<Vec<u8>>>>>, includes: Includes },
    /// What follows the page.
    Rest,
}

/// What is included about tweets, by id, as far as it is used.
#[derive(Default)]
struct Includes {
    /// Whether they stand beside tweets of the API v2, and not beside other records.
    are_those_of_api: bool,
    users: HashMap<String, String>,
    places: HashMap<String, String>,
    tweets: HashMap<String, String>,
}

impl<R: Read> Giant<R> {
    pub(crate) fn new(reader: R) -> Giant<R> {
        let source = BufReader::with_capacity(256 * 1024, reader);
        Giant { source, state: State::Whole, ready: Cursor::default() }
    }

    /// Reads the whole page. Where it is damaged, it ends; what follows is read as what it is.
    fn take_apart(&mut self) -> io::Result<()> {
        let mut tweets = DeflateEncoder::new(Vec::new(), Compression::fast());
        let mut includes = Includes::default();
        let is_whole = self.members(&mut |page, key| match key {
            "data" if page.peek()? == Some(b'[') => {
                includes.are_those_of_api = true;
                page.lines("", &mut tweets)
            }
            "includes" => page.members(&mut |page, list| {
                page.items(&mut |item| {
                    includes.add(list, item);
                    Ok(())
                })
            }),
            // Hits lie in hits, and tweets in data.
            "hits" | "data" | "feed" if page.peek()? == Some(b'{') => {
                page.members(&mut |page, key| page.list(key, &mut tweets))
            }
            _ => page.list(key, &mut tweets),
        })?;
        if !is_whole {
            self.ready = Cursor::new(b"{\"the page is damaged, or breaks off\":\n".to_vec());
        }
        let compressed = Cursor::new(tweets.finish()?);
        let tweets = Box::new(BufReader::new(DeflateDecoder::new(compressed)));
        self.state = State::Lines { tweets, includes };
        Ok(())
    }

    /// Keeps the items of a list under a known key as lines, and passes over any other value.
    fn list(&mut self, key: &str, lines: &mut dyn Write) -> io::Result<bool> {
        match LISTS.contains(&key) && self.peek()? == Some(b'[') {
            // Those of DynamoDB are known by where they lie.
            true if key == "Items" => self.lines("{\"Item\":", lines),
            true => self.lines("", lines),
            false => self.value(None).map(|value| value.is_some()),
        }
    }

    /// Keeps the items of a list as lines, each with something before it.
    fn lines(&mut self, before: &str, lines: &mut dyn Write) -> io::Result<bool> {
        self.items(&mut |item| {
            // A line break in JSON stands between values.
            let line = item.iter().map(|b| if matches!(b, b'\n' | b'\r') { b' ' } else { *b });
            lines.write_all(before.as_bytes())?;
            lines.write_all(&line.collect::<Vec<u8>>())?;
            lines.write_all(if before.is_empty() { b"\n" } else { b"}\n" })
        })
    }

    /// The next byte that is no white space.
    fn peek(&mut self) -> io::Result<Option<u8>> {
        loop {
            let bytes = self.source.fill_buf()?;
            let blanks = bytes.iter().take_while(|b| b.is_ascii_whitespace()).count();
            let (next, is_end) = (bytes.get(blanks).copied(), bytes.is_empty());
            self.source.consume(blanks);
            if next.is_some() || is_end {
                return Ok(next);
            }
        }
    }

    /// Takes a byte, if it comes next.
    fn takes(&mut self, byte: u8) -> io::Result<bool> {
        let is_next = self.peek()? == Some(byte);
        if is_next {
            self.source.consume(1);
        }
        Ok(is_next)
    }

    /// Reads an object. `visit` gets each key, and takes its value. Returns whether it is whole.
    fn members(
        &mut self,
        visit: &mut dyn FnMut(&mut Self, &str) -> io::Result<bool>,
    ) -> io::Result<bool> {
        if !self.takes(b'{')? {
            return Ok(self.value(None)?.is_some());
        }
        while !self.takes(b'}')? {
            self.takes(b',')?;
            if self.peek()? != Some(b'"') {
                return Ok(false);
            }
            let Some(key) = self.value(Some(MAX_VALUE_BYTES))? else { return Ok(false) };
            let key: String = serde_json::from_slice(&key).unwrap_or_default();
            if !self.takes(b':')? || !visit(self, &key)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Reads a list. `visit` gets each item. Returns whether it is whole.
    fn items(&mut self, visit: &mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<bool> {
        if !self.takes(b'[')? {
            return Ok(self.value(None)?.is_some());
        }
        while !self.takes(b']')? {
            self.takes(b',')?;
            match self.value(Some(MAX_VALUE_BYTES))? {
                Some(item) => visit(&item)?,
                None => return Ok(false),
            }
        }
        Ok(true)
    }

    /// Takes a value, and returns its JSON, or nothing of it if there is no `limit`. `None` if there is no whole value, or if
    /// it is longer than `limit`.
    fn value(&mut self, limit: Option<usize>) -> io::Result<Option<Vec<u8>>> {
        let Some(first) = self.peek()? else { return Ok(None) };
        if matches!(first, b'}' | b']' | b',' | b':') {
            return Ok(None);
        }
        let is_literal = !matches!(first, b'{' | b'[' | b'"');
        let mut value = Vec::new();
        let (mut depth, mut in_string, mut is_escaped) = (0_usize, false, false);
        loop {
            let bytes = self.source.fill_buf()?;
            if bytes.is_empty() {
                return Ok(None);
            }
            let mut end = None;
            for (at, &byte) in bytes.iter().enumerate() {
                if in_string {
                    match byte {
                        _ if is_escaped => is_escaped = false,
                        b'\\' => is_escaped = true,
                        b'"' => in_string = false,
                        _ => continue,
                    }
                    if in_string || depth > 0 {
                        continue;
                    }
                    end = Some(at + 1);
                    break;
                }
                match byte {
                    b'"' => in_string = true,
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' if depth > 1 => depth -= 1,
                    b'}' | b']' if !is_literal => end = Some(at + 1),
                    b'}' | b']' | b',' | b' ' | b'\n' | b'\r' | b'\t' if is_literal => {
                        end = Some(at)
                    }
                    _ => {}
                }
                if end.is_some() {
                    break;
                }
            }
            let length = end.unwrap_or(bytes.len());
            if let Some(limit) = limit {
                value.extend_from_slice(&bytes[..length]);
                if value.len() > limit {
                    return Ok(None);
                }
            }
            self.source.consume(length);
            if end.is_some() {
                return Ok(Some(value));
            }
        }
    }

    /// Makes the next line. Returns false if there is none.
    fn next_line(&mut self) -> io::Result<bool> {
        let State::Lines { tweets, includes } = &mut self.state else { return Ok(false) };
        let mut tweet = Vec::new();
        tweets.read_until(b'\n', &mut tweet)?;
        if tweet.is_empty() {
            return Ok(false);
        }
        self.ready = Cursor::new(match includes.are_those_of_api {
            true => includes.line(tweet.trim_ascii_end()),
            false => tweet,
        });
        Ok(true)
    }
}

impl<R: Read> Read for Giant<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            let n = self.ready.read(buf)?;
            if n > 0 || buf.is_empty() {
                return Ok(n);
            }
            match self.state {
                State::Whole => self.take_apart()?,
                State::Lines { .. } => {
                    if !self.next_line()? {
                        self.state = State::Rest;
                    }
                }
                State::Rest => return self.source.read(buf),
            }
        }
    }
}

/// The keys of users, places and tweets that are used.
const USED: [&str; 16] = [
    "id",
    "username",
    "name",
    "public_metrics",
    "full_name",
    "country",
    "country_code",
    "geo",
    "text",
    "note_tweet",
    "entities",
    "author_id",
    "created_at",
    "lang",
    "referenced_tweets",
    "place_type",
];

/// What a tweet refers to.
#[derive(Deserialize, Default)]
#[serde(default)]
struct References {
    author_id: Option<String>,
    geo: Option<Geo>,
    referenced_tweets: Vec<Reference>,
}

#[derive(Deserialize)]
struct Geo {
    place_id: Option<String>,
}

#[derive(Deserialize)]
struct Reference {
    id: Option<String>,
}

impl Includes {
    fn add(&mut self, list: &str, item: &[u8]) {
        let items = match list {
            "users" => &mut self.users,
            "places" => &mut self.places,
            "tweets" => &mut self.tweets,
            _ => return,
        };
        let Ok(mut item) = serde_json::from_slice::<Map<String, Value>>(item) else { return };
        item.retain(|key, _| USED.contains(&key.as_str()));
        if let Some(Value::String(id)) = item.get("id") {
            items.insert(id.clone(), Value::Object(item).to_string());
        }
    }

    /// A line of the stream API.
    fn line(&self, tweet: &[u8]) -> Vec<u8> {
        let references: References = serde_json::from_slice(tweet).unwrap_or_default();
        let find = |items: &HashMap<String, String>, id: Option<&String>| {
            id.and_then(|id| items.get(id)).cloned().unwrap_or_default()
        };
        let user = find(&self.users, references.author_id.as_ref());
        let place = find(&self.places, references.geo.and_then(|geo| geo.place_id).as_ref());
        let tweets: Vec<String> = references
            .referenced_tweets
            .iter()
            .filter_map(|other| self.tweets.get(other.id.as_ref()?).cloned())
            .collect();
        let mut line = b"{\"data\":".to_vec();
        line.extend_from_slice(tweet);
        let includes = format!(
            ",\"includes\":{{\"users\":[{user}],\"places\":[{place}],\"tweets\":[{}]}}}}\n",
            tweets.join(",")
        );
        line.extend_from_slice(includes.as_bytes());
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(page: &str, expected: &[&str]) {
        assert!(begins(page.as_bytes()));
        let mut text = String::new();
        Giant::new(page.as_bytes()).read_to_string(&mut text).unwrap();
        assert_eq!(text.lines().collect::<Vec<_>>(), expected);
    }

    #[test]
    fn a_page_comes_out_as_lines_with_what_is_included_about_each_tweet() {
        check(
            r#" {"data" : [ {"id":"1","author_id":"7","text":"a \"]}"},
                {"id":"2","referenced_tweets":[{"type":"quoted","id":"3"}],"geo":{"place_id":"p"}} ],
                "meta":{"result_count":2}, "errors":[{"x":[1,2]}],
                "includes":{"users":[{"id":"7","username":"g","description":"long"}],"places":[{"id":"p"}],
                "media":[{"media_key":"1"}],"tweets":[{"id":"3","text":"q"}]}}
{"data":[]}"#,
            &[
                r#"{"data":{"id":"1","author_id":"7","text":"a \"]}"},"includes":{"users":[{"id":"7","username":"g"}],"places":[],"tweets":[]}}"#,
                r#"{"data":{"id":"2","referenced_tweets":[{"type":"quoted","id":"3"}],"geo":{"place_id":"p"}},"includes":{"users":[],"places":[{"id":"p"}],"tweets":[{"id":"3","text":"q"}]}}"#,
                "",
                r#"{"data":[]}"#,
            ],
        );
    }

    #[test]
    fn records_of_other_lists_come_out_as_they_are() {
        check(
            r#"{"took":1,"hits":{"total":{"value":2},"hits":[{"_id":"1","_source":{"text":"a"}},{"_id":"2"}]},"x":[3]}"#,
            &[r#"{"_id":"1","_source":{"text":"a"}}"#, r#"{"_id":"2"}"#],
        );
        check(r#"{"Items":[{"id":{"S":"1"}}],"Count":1}"#, &[r#"{"Item":{"id":{"S":"1"}}}"#]);
    }

    #[test]
    fn a_page_that_breaks_off_gives_what_came_before() {
        check(
            r#"{"data":[{"id":"1"},{"id":"2","te"#,
            &[
                r#"{"the page is damaged, or breaks off":"#,
                r#"{"data":{"id":"1"},"includes":{"users":[],"places":[],"tweets":[]}}"#,
            ],
        );
    }
}
