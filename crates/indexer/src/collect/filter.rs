//! Which of the records that come in are wanted. A record is looked at as the document that it would become, so that a
//! filter means here what it means in a search.

use std::sync::Arc;

use enrich::{Document, Origin, enrich};
use ingest::{BoundingBox, Item, Options, Tweet};

use crate::config::Conditions;

/// What a line turned out to be.
#[expect(clippy::large_enum_variant, reason = "passed on one by one and never stored")]
pub(super) enum Seen<'a> {
    Tweet(Tweet<'a>),
    /// A message of the source about itself, such as that a post was deleted.
    Notice,
    /// What cannot be read.
    Other,
}

/// Looks at each line. `visit` gets the number of the line, from 0.
pub(super) fn look(lines: &[u8], options: &Arc<Options>, mut visit: impl FnMut(usize, Seen<'_>)) {
    let Ok(batches) = ingest::open(lines, options) else { return };
    for batch in batches.flatten() {
        batch.read(|item| {
            let (line, seen) = match item {
                Item::Tweet { line, tweet, .. } => (line, Seen::Tweet(tweet)),
                Item::Notice { line, .. } => (line, Seen::Notice),
                Item::Document { line, .. } => (line, Seen::Other),
                Item::Rejected(rejected) => (rejected.line, Seen::Other),
            };
            visit(line.saturating_sub(1) as usize, seen);
        });
    }
}

/// The deletion of a post whose new text is not wanted; `None` if the line is no change of a post.
fn without_text(line: &[u8]) -> Option<Vec<u8>> {
    memchr::memmem::find(line, b"\"update\"")?;
    let mut message: serde_json::Value = serde_json::from_slice(line).ok()?;
    let key =
        if message.get("commit").is_some_and(|c| c.is_object()) { "commit" } else { "payload" };
    let commit = message.get_mut(key)?.as_object_mut()?;
    if commit.get("operation")?.as_str()? != "update" {
        return None;
    }
    commit.insert("operation".to_owned(), "delete".into());
    commit.remove("record");
    let mut line = serde_json::to_vec(&message).ok()?;
    line.push(b'\n');
    Some(line)
}

/// A text or keyword in lower case, with single blanks between its words.
pub(super) fn plain(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !plain.is_empty() {
            plain.push(' ');
        }
        plain.extend(word.chars().flat_map(char::to_lowercase));
    }
    plain
}

/// Whether a text holds a word or phrase, and not only as a part of other words: `aws` is not in `laws`. In scripts that do
/// not part words by blanks, from Chinese to Japanese, any place counts.
fn holds(text: &str, words: &str) -> bool {
    let goes_on = |inside: Option<char>, outside: Option<char>| {
        let is_letter = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() && c < '\u{2E80}');
        is_letter(inside) && is_letter(outside)
    };
    text.match_indices(words).any(|(at, _)| {
        let (before, after) = (&text[..at], &text[at + words.len()..]);
        !goes_on(words.chars().next(), before.chars().next_back())
            && !goes_on(words.chars().next_back(), after.chars().next())
    })
}

impl Conditions {
    fn are_met_by(&self, document: &Document) -> bool {
        let text = if self.keywords.is_empty() { String::new() } else { plain(&document.text) };
        let is_any = |wanted: &[String], is: &dyn Fn(&str) -> bool| {
            wanted.is_empty() || wanted.iter().any(|wanted| is(wanted))
        };
        let lang = document.lang.as_deref().unwrap_or_default();
        // `pt` asks for `pt-BR` too.
        let speaks = |wanted: &str| {
            lang.eq_ignore_ascii_case(wanted)
                || lang.split('-').next().is_some_and(|lang| lang.eq_ignore_ascii_case(wanted))
        };
        let wrote = |account: &str| {
            let user = &document.user;
            user.id.as_deref() == Some(account)
                || user
                    .screen_name
                    .as_deref()
                    .is_some_and(|name| name.trim_start_matches('@').eq_ignore_ascii_case(account))
        };
        let is_inside = |BoundingBox { west, south, east, north }: &BoundingBox| {
            document.location.is_some_and(|at| {
                let is_between = match west <= east {
                    true => (*west..=*east).contains(&at.lon),
                    false => at.lon >= *west || at.lon <= *east,
                };
                is_between && (*south..=*north).contains(&at.lat)
            })
        };
        is_any(&self.keywords, &|keyword| holds(&text, keyword))
            && is_any(&self.languages, &speaks)
            && is_any(&self.accounts, &wrote)
            && is_any(&self.marketplaces, &|name| document.marketplace.iter().any(|m| m == name))
            && (!self.has_geo || document.location.is_some())
            && self.bounding_box.as_ref().is_none_or(is_inside)
    }

    /// Removes the lines that are not wanted. A change that makes a post unwanted becomes its deletion. Returns how many are
    /// left, and how many were removed. What cannot be read is left, so that whoever indexes it counts it as a reject.
    pub(super) fn apply(&self, lines: &mut Vec<u8>, options: &Arc<Options>) -> (u64, u64) {
        let all = lines.iter().filter(|byte| **byte == b'\n').count();
        if self.is_empty() && self.deletions {
            return (all as u64, 0);
        }
        // `None` for what cannot be told.
        let mut wanted: Vec<Option<bool>> = vec![None; all];
        look(lines, options, |line, seen| {
            let is_wanted = match seen {
                Seen::Tweet(tweet) => {
                    self.is_empty() || self.are_met_by(&enrich(tweet, Origin::default()))
                }
                Seen::Notice => self.deletions,
                Seen::Other => true,
            };
            if let Some(known) = wanted.get_mut(line) {
                *known = Some(known.unwrap_or(false) || is_wanted);
            }
        });
        let mut kept = Vec::with_capacity(lines.len());
        let mut n_kept = 0;
        for (line, is_wanted) in lines.split_inclusive(|byte| *byte == b'\n').zip(&wanted) {
            if is_wanted.unwrap_or(true) {
                kept.extend_from_slice(line);
                n_kept += 1;
            } else if self.deletions
                && let Some(deletion) = without_text(line)
            {
                kept.extend_from_slice(&deletion);
                n_kept += 1;
            }
        }
        *lines = kept;
        (n_kept, all as u64 - n_kept)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: &str = r#"{"id":"1601645088790257667","text":"I love the AWS Marketplace","lang":"en","screen_name":"jack"}
{"id":"1601645088790257668","text":"Olá, GCP Marketplace","lang":"pt-BR","lat":"38.7","lon":"-9.1"}
{"delete":{"status":{"id_str":"1","id":1}}}
{"broken":
"#;

    #[track_caller]
    fn check(conditions: Conditions, kept: &[usize]) {
        let mut lines = LINES.as_bytes().to_vec();
        let counts = conditions.apply(&mut lines, &Arc::default());
        let all: Vec<&str> = LINES.split_inclusive('\n').collect();
        let expected: String = kept.iter().map(|line| all[*line]).collect();
        assert_eq!(String::from_utf8(lines).unwrap(), expected);
        assert_eq!(counts, (kept.len() as u64, (4 - kept.len()) as u64));
    }

    #[test]
    fn keywords_are_whole_words() {
        for (text, words, expected) in [
            ("new laws and flaws", "aws", false),
            ("aws!", "aws", true),
            ("#aws2024 and (aws)", "aws", true),
            ("#aws2024", "aws", false),
            ("my aws marketplace listing", "aws marketplace", true),
            ("aws marketplaces", "aws marketplace", false),
            ("c++ or #c", "#c", true),
            ("東京都に行く", "東京", true),
            ("awsを使う", "aws", true),
        ] {
            assert_eq!(holds(text, words), expected, "{words} in {text}");
        }
    }

    #[test]
    fn a_filter_keeps_what_is_wanted_and_what_cannot_be_read() {
        let list = |words: &[&str]| words.iter().map(|w| (*w).to_owned()).collect::<Vec<_>>();
        let any = Conditions::default;
        let lisbon = BoundingBox { west: -10.0, south: 38.0, east: -9.0, north: 39.0 };
        check(any(), &[0, 1, 3]);
        check(Conditions { deletions: true, ..any() }, &[0, 1, 2, 3]);
        check(Conditions { keywords: list(&["love the", "no"]), ..any() }, &[0, 3]);
        check(Conditions { languages: list(&["pt", "de"]), ..any() }, &[1, 3]);
        check(Conditions { accounts: list(&["Jack"]), ..any() }, &[0, 3]);
        check(Conditions { has_geo: true, ..any() }, &[1, 3]);
        check(Conditions { bounding_box: Some(lisbon), ..any() }, &[1, 3]);
        check(Conditions { marketplaces: list(&["GCP"]), ..any() }, &[1, 3]);
        check(Conditions { marketplaces: list(&["GCP"]), languages: list(&["en"]), ..any() }, &[3]);
    }
}
