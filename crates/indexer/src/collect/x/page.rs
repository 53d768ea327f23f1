//! The parts of a page of a search that say how to go on. Its posts are passed on as they are.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::Value;

use super::{Api, Problem};
use crate::foreign::beginning;

#[derive(Deserialize)]
pub(super) struct Page {
    pub(super) meta: Meta,
    #[serde(default)]
    data: Option<Vec<Post>>,
    #[serde(default)]
    includes: Value,
    #[serde(default)]
    errors: Option<Vec<IgnoredAny>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Post {
    id: Value,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Meta {
    pub(super) result_count: Option<u64>,
    newest_id: Option<String>,
    pub(super) next_token: Option<String>,
}

impl Page {
    /// How many profiles of users it holds.
    pub(super) fn users(&self) -> u64 {
        users(&self.includes)
    }

    /// Whether it holds as many posts as it says.
    pub(super) fn is_whole(&self) -> bool {
        let posts = self.data.as_ref().map_or(0, Vec::len);
        self.meta.result_count.is_none_or(|said| said == 0 || posts > 0)
    }

    /// The id of its newest post, also if it does not say which one that is.
    pub(super) fn newest_id(&self) -> Option<String> {
        let said = self.meta.newest_id.clone();
        let ids = self.data.iter().flatten().filter_map(|post| id(&post.id));
        ids.chain(said).max_by(|a, b| (a.len(), a).cmp(&(b.len(), b)))
    }

    /// How many objects that posts refer to could not be returned.
    pub(super) fn partial_errors(&self) -> u64 {
        self.errors.as_ref().map_or(0, |errors| errors.len() as u64)
    }
}

/// How many profiles of users are included, which are charged for.
pub(super) fn users(includes: &Value) -> u64 {
    includes["users"].as_array().map_or(0, |users| users.len() as u64)
}

/// An id, which is a string, unless something in between has made a number of it.
pub(super) fn id(value: &Value) -> Option<String> {
    match value {
        Value::String(id) => Some(id.clone()),
        Value::Number(id) => Some(id.to_string()),
        _ => None,
    }
}

/// Why an answer is not a page, in spite of its status: it is cut off, a proxy's, or only says what went wrong.
pub(super) fn not_a_page(api: &Api, json: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Answer {
        meta: Option<IgnoredAny>,
    }
    let said = match serde_json::from_str::<Answer>(json) {
        Ok(Answer { meta: Some(_) }) => return None,
        Ok(Answer { meta: None }) => {
            api.said(&serde_json::from_str::<Problem>(json).unwrap_or_default())
        }
        Err(_) => beginning(&api.redacted(json), 100),
    };
    Some(format!("its answer is not a page: {said}"))
}
