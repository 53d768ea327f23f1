//! The rules of the filtered stream, which X keeps for an app: made to be those of a file.

use serde::Deserialize;
use serde_json::json;

use super::{Api, ApiError, Problem};
use crate::config::Query;

const RULES: &str = "/2/tweets/search/stream/rules";

/// A rule that X has.
#[derive(Debug, Clone, PartialEq, Deserialize)]
struct Rule {
    id: String,
    value: String,
    #[serde(default)]
    tag: String,
}

impl Rule {
    /// What to call it.
    fn name(&self) -> &str {
        if self.tag.is_empty() { &self.value } else { &self.tag }
    }
}

#[derive(Deserialize)]
struct Rules {
    #[serde(default)]
    data: Vec<Rule>,
    #[serde(default)]
    meta: Meta,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Meta {
    next_token: Option<String>,
}

/// What was changed.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Changes {
    pub(super) added: usize,
    pub(super) deleted: usize,
    /// The tags of rules that somebody else has made. Their posts come too, and cost as much.
    pub(super) others: Vec<String>,
}

/// Makes the app's rules those that are `wanted`. Rules whose tags are not in the file and were not in it in the last run
/// (`ours`) are somebody else's, and are deleted only with `replaces_all`.
pub(super) async fn keep_in_step(
    api: &Api,
    wanted: &[Query],
    ours: &[String],
    replaces_all: bool,
) -> Result<Changes, ApiError> {
    let there = all(api).await?;
    let is_wanted = |rule: &Rule| wanted.iter().any(|w| w.name == rule.tag && w.text == rule.value);
    let is_ours = |rule: &Rule| {
        replaces_all || ours.contains(&rule.tag) || wanted.iter().any(|w| w.name == rule.tag)
    };
    let (unwanted, others): (Vec<&Rule>, Vec<&Rule>) =
        there.iter().filter(|rule| !is_wanted(rule)).partition(|rule| is_ours(rule));
    let missing: Vec<&Query> = wanted
        .iter()
        .filter(|w| !there.iter().any(|rule| rule.tag == w.name && rule.value == w.text))
        .collect();
    // X has a rule only once.
    let known = missing.iter().find_map(|w| Some((w, others.iter().find(|o| o.value == w.text)?)));
    if let Some((wanted, other)) = known {
        let (name, text, tag) = (&wanted.name, &wanted.text, &other.tag);
        return Err(ApiError::Refused(
            400,
            format!(
                "the rule `{text}` of `{name}` is there already, made by somebody else with the tag `{}`: take it out of the file, name it like that, or delete the other with --replace-rules",
                api.redacted(tag)
            ),
        ));
    }
    let add: Vec<_> = missing.iter().map(|w| json!({ "value": w.text, "tag": w.name })).collect();
    if !missing.is_empty() {
        // A rule that X does not understand must not cost those that are there.
        let answer = api.post(&format!("{RULES}?dry_run=true"), &json!({ "add": add })).await?;
        let mut problem: Problem = serde_json::from_str(&answer).unwrap_or_default();
        problem.errors.retain(|error| !error.is("DuplicateRule"));
        if !problem.errors.is_empty() {
            let said = api.said(&problem);
            return Err(ApiError::Refused(400, format!("X rejected a rule: {said}")));
        }
    }
    // Deleted first: X refuses a value that another rule has.
    if !unwanted.is_empty() {
        let ids: Vec<&str> = unwanted.iter().map(|rule| rule.id.as_str()).collect();
        let answer = api.post(RULES, &json!({ "delete": { "ids": ids } })).await?;
        refused(api, "did not delete a rule", &answer)?;
    }
    if !missing.is_empty() {
        let answer = api.post(RULES, &json!({ "add": add })).await?;
        refused(api, "rejected a rule", &answer)?;
    }
    Ok(Changes {
        added: missing.len(),
        deleted: unwanted.len(),
        others: others.iter().map(|rule| api.redacted(rule.name())).collect(),
    })
}

/// Finds the errors in an answer that is otherwise good.
fn refused(api: &Api, what: &str, answer: &str) -> Result<(), ApiError> {
    let problem: Problem = serde_json::from_str(answer).unwrap_or_default();
    match problem.errors.is_empty() {
        true => Ok(()),
        false => Err(ApiError::Refused(400, format!("X {what}: {}", api.said(&problem)))),
    }
}

/// The rules that the app has.
async fn all(api: &Api) -> Result<Vec<Rule>, ApiError> {
    let (mut rules, mut parameters) = (Vec::new(), Vec::new());
    loop {
        let (json, _) = api.get(RULES, &parameters).await?;
        let Rules { data, meta } = serde_json::from_str(&json)
            .map_err(|_| ApiError::Refused(200, "its list of rules cannot be read".to_owned()))?;
        rules.extend(data);
        match meta.next_token {
            Some(token) => parameters = vec![("pagination_token", token)],
            None => return Ok(rules),
        }
    }
}
