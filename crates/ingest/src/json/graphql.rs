//! Tweets as X's own web page gets them (GraphQL), and as browser extensions and scrapers save them: `rest_id`, `legacy`,
//! `core.user_results`.
//!
//! What is in `legacy` has the form of API v1.1, so the tweet is put together as one of that version.

use serde_json::{Map, Value};

use super::find::{find_all, occurs};

/// Whether an object may hold such tweets.
pub(super) fn may_hold_tweets(json: &str) -> bool {
    occurs("\"legacy\"", json) && (occurs("\"rest_id\"", json) || occurs("\"full_text\"", json))
}

/// Whether an object is such an answer, though there is no tweet in it: users alone, or the end of a timeline.
pub(super) fn is_answer(json: &str) -> bool {
    occurs("\"__typename\"", json) && (occurs("\"entryId\"", json) || occurs("\"rest_id\"", json))
}

/// The tweets in an object, as objects of API v1.1; retweeted and quoted ones are inside of those that refer to them. `None`
/// if there is none.
pub(super) fn tweets(json: &str) -> Option<Vec<String>> {
    find_all(json, &tweet)
}

/// The tweet that an object is.
fn tweet(map: &Map<String, Value>) -> Option<Value> {
    // Some are wrapped once more: `TweetWithVisibilityResults`.
    if let Some(inner) = map.get("tweet").and_then(Value::as_object)
        && !map.contains_key("legacy")
    {
        return tweet(inner);
    }
    let legacy = map.get("legacy")?.as_object()?;
    if !legacy.contains_key("full_text") {
        return None;
    }
    let mut tweet = legacy.clone();
    let own = map.get("rest_id").or(legacy.get("id_str"))?;
    tweet.insert("id_str".to_owned(), own.clone());
    if let Some(user) = map.get("core").and_then(user) {
        tweet.insert("user".to_owned(), user);
    } else if let Some(id) = legacy.get("user_id_str") {
        tweet.insert(
            "user".to_owned(),
            Value::Object(Map::from_iter([("id_str".to_owned(), id.clone())])),
        );
    }
    let note = at(map.get("note_tweet"), &["note_tweet_results", "result"]);
    if let Some(text) = note.and_then(|note| note.get("text")) {
        let mut long = Map::from_iter([("text".to_owned(), text.clone())]);
        if let Some(entities) = note.and_then(|note| note.get("entity_set")) {
            long.insert("entities".to_owned(), entities.clone());
        }
        tweet.insert("note_tweet".to_owned(), Value::Object(long));
    }
    let results = [
        ("retweeted_status", legacy.get("retweeted_status_result")),
        ("quoted_status", map.get("quoted_status_result")),
    ];
    for (key, result) in results {
        let inner = at(result, &["result"]).and_then(Value::as_object);
        if let Some(inner) = inner.and_then(self::tweet) {
            tweet.insert(key.to_owned(), inner);
        }
    }
    Some(Value::Object(tweet))
}

/// The author, as API v1.1 has one. Since 2025, the names are in a `core` of the user's own.
fn user(core: &Value) -> Option<Value> {
    let result =
        core.pointer("/user_results/result").or_else(|| core.pointer("/user_result/result"))?;
    let mut user = Map::new();
    let first = |paths: &[&str]| paths.iter().find_map(|path| result.pointer(path)).cloned();
    for (key, value) in [
        ("id_str", first(&["/rest_id", "/legacy/id_str"])),
        ("screen_name", first(&["/core/screen_name", "/legacy/screen_name"])),
        ("name", first(&["/core/name", "/legacy/name"])),
        ("followers_count", first(&["/legacy/followers_count"])),
    ] {
        user.extend(value.map(|value| (key.to_owned(), value)));
    }
    Some(Value::Object(user))
}

fn at<'v>(value: Option<&'v Value>, path: &[&str]) -> Option<&'v Value> {
    path.iter().try_fold(value?, |value, key| value.get(key))
}
