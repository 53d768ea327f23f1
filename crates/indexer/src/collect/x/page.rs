//! The parts of a page of a search that say how to go on. Its posts are passed on as they are.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::Problem;
use crate::foreign::beginning;

#[derive(Deserialize)]
pub(super) struct Page {
    pub(super) meta: Meta,
    #[serde(default)]
    includes: Option<Includes>,
    #[serde(default)]
    errors: Option<Vec<Problem>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Meta {
    pub(super) result_count: u64,
    pub(super) newest_id: Option<String>,
    pub(super) next_token: Option<String>,
}

/// What a page or a line of the stream includes, as far as it is charged for.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(super) struct Includes {
    pub(super) users: Vec<IgnoredAny>,
}

impl Page {
    /// How many profiles of users it holds.
    pub(super) fn users(&self) -> u64 {
        self.includes.as_ref().map_or(0, |includes| includes.users.len() as u64)
    }

    /// How many objects that posts refer to could not be returned.
    pub(super) fn partial_errors(&self) -> u64 {
        self.errors.as_ref().map_or(0, |errors| errors.len() as u64)
    }
}

/// Why an answer is not a page, in spite of its status: it is cut off, a proxy's, or only says what went wrong.
pub(super) fn not_a_page(json: &str) -> Option<String> {
    #[derive(Deserialize)]
    struct Answer {
        meta: Option<IgnoredAny>,
    }
    let said = match serde_json::from_str::<Answer>(json) {
        Ok(Answer { meta: Some(_) }) => return None,
        Ok(Answer { meta: None }) => {
            serde_json::from_str::<Problem>(json).unwrap_or_default().story()
        }
        Err(_) => beginning(json, 100),
    };
    Some(format!("its answer is not a page: {said}"))
}
