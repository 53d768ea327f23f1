//! JSON objects, each on one line; the pages of the v2 API taken apart.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

use memchr::memmem::Finder;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::mend::tidy;
use crate::text::decode;

/// A page of the v2 API. Only its lists are looked into.
#[derive(Deserialize)]
struct Page<'p> {
    #[serde(borrow)]
    data: Vec<&'p RawValue>,
    #[serde(borrow, default)]
    includes: HashMap<Cow<'p, str>, &'p RawValue>,
    #[serde(borrow, default)]
    matching_rules: Option<&'p RawValue>,
}

/// A line of the filtered stream, as the API writes it.
#[derive(Serialize)]
struct Line<'p> {
    data: &'p RawValue,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    includes: BTreeMap<&'p str, Vec<&'p RawValue>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    matching_rules: Option<&'p RawValue>,
}

/// Hands an object to `sink` as one line, or as one line for each tweet if it is a page.
pub(super) fn each(raw: &[u8], sink: &mut dyn FnMut(&[u8])) {
    let text = decode(raw);
    if text.contains("\"data\"") && page_lines(&text, None, sink).is_some() {
        return;
    }
    match text.contains(['\n', '\r']) {
        // A line break in a string is not allowed in JSON, so each of them stands between values, unless it was let pass.
        true => {
            let is_json = serde_json::from_str::<IgnoredAny>(&text).is_ok();
            let tidied = if is_json { None } else { tidy(&text) };
            sink(tidied.as_deref().unwrap_or(&text).replace(['\n', '\r'], " ").as_bytes());
        }
        false => sink(text.as_bytes()),
    }
}

/// Takes a page of the v2 API apart: hands a line as the filtered stream writes them to `sink` for each tweet, with what
/// the page includes about it. With a `tag`, each line says that the rule with that tag matched. Returns how many tweets
/// there were, or `None` if this is not a page with tweets.
pub fn page_lines(json: &str, tag: Option<&str>, sink: &mut dyn FnMut(&[u8])) -> Option<usize> {
    let page: Page<'_> = serde_json::from_str(json).ok()?;
    // The values of a table are lists.
    if page.data.iter().any(|item| !item.get().starts_with('{')) {
        return None;
    }
    let rules = tag.map(|tag| serde_json::json!([{ "tag": tag }]).to_string());
    let rules = rules.and_then(|rules| RawValue::from_string(rules).ok());
    let lists = page.includes.iter().map(|(list, items)| (&**list, items_of(items)));
    let lists: Vec<(&str, Vec<Included<'_>>)> = lists.collect();
    for data in &page.data {
        // What is included with a tweet is known by ids, which the tweet holds as strings, and so may a tweet that it
        // refers to.
        let mut texts = vec![data.get()];
        let mut includes: BTreeMap<&str, Vec<&RawValue>> = BTreeMap::new();
        for round in 0..2 {
            for (list, items) in lists.iter().filter(|(list, _)| round == 1 || *list == "tweets") {
                let named = items.iter().filter(|item| texts.iter().any(|text| item.is_in(text)));
                includes.insert(list, named.map(|item| item.json).collect());
            }
            texts.extend(includes.get("tweets").into_iter().flatten().map(|tweet| tweet.get()));
        }
        includes.retain(|_, items| !items.is_empty());
        let rules = rules.as_deref().or(page.matching_rules);
        let mut line = serde_json::to_vec(&Line { data, includes, matching_rules: rules }).ok()?;
        // In JSON a line break stands only between values.
        line.iter_mut().filter(|byte| matches!(byte, b'\n' | b'\r')).for_each(|byte| *byte = b' ');
        sink(&line);
    }
    (!page.data.is_empty()).then_some(page.data.len())
}

/// An item of a list of `includes`.
struct Included<'i> {
    json: &'i RawValue,
    /// Finds its id, in quotes, in the text of a tweet. `None` if it cannot be read; it may belong to any tweet then.
    id: Option<Finder<'static>>,
}

impl Included<'_> {
    fn is_in(&self, text: &str) -> bool {
        self.id.as_ref().is_none_or(|id| id.find(text.as_bytes()).is_some())
    }
}

fn items_of(list: &RawValue) -> Vec<Included<'_>> {
    #[derive(Deserialize)]
    struct Known<'k> {
        #[serde(borrow, alias = "media_key")]
        id: Cow<'k, str>,
    }
    let items: Vec<&RawValue> = serde_json::from_str(list.get()).unwrap_or_default();
    let id = |json: &RawValue| {
        let known: Known<'_> = serde_json::from_str(json.get()).ok()?;
        Some(Finder::new(format!("\"{}\"", known.id).as_bytes()).into_owned())
    };
    items.into_iter().map(|json| Included { json, id: id(json) }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_tweet_of_a_page_keeps_what_is_included_about_it() {
        let page = r#"{
            "data": [{"id":"1","author_id":"7","text":"a"}, {"id":"2","author_id":"8","referenced_tweets":[{"type":"quoted","id":"3"}]}],
            "includes": {
                "users": [{"id":"7","username":"g"}, {"id":"8"}, {"id":"9","username":"i"}],
                "tweets": [{"id":"3","author_id":"9"}, {"id":"4"}],
                "media": [{"media_key":"3_1"}]
            },
            "meta": {"result_count": 2}
        }"#;
        let mut lines = Vec::new();
        let n = page_lines(page, Some("AWS"), &mut |line| {
            lines.push(String::from_utf8(line.to_vec()).unwrap())
        });
        assert_eq!(n, Some(2));
        assert_eq!(
            lines,
            [
                r#"{"data":{"id":"1","author_id":"7","text":"a"},"includes":{"users":[{"id":"7","username":"g"}]},"matching_rules":[{"tag":"AWS"}]}"#,
                r#"{"data":{"id":"2","author_id":"8","referenced_tweets":[{"type":"quoted","id":"3"}]},"includes":{"tweets":[{"id":"3","author_id":"9"}],"users":[{"id":"8"},{"id":"9","username":"i"}]},"matching_rules":[{"tag":"AWS"}]}"#,
            ]
        );
        assert_eq!(page_lines(r#"{"data":{"id":"1"}}"#, None, &mut |_| ()), None);
        assert_eq!(page_lines(r#"{"data":[]}"#, None, &mut |_| ()), None);
    }
}
