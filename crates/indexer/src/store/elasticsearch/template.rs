//! The index template and the indices made by it: put if missing, compared if there.

use elasticsearch::http::Method;
use serde_json::{Value as Json, json};

use super::ClusterError;
use super::backoff::Patience;
use super::connection::{Connection, Request};
use super::mapping::{Difference, difference, part, template};
use super::response::{RequestError, Response};
use super::settings::IndexBy;

/// The template's name.
pub const TEMPLATE_NAME: &str = "tweets";
/// Whoever reads finds all tweets under this name.
pub(super) const ALIAS: &str = "tweets";
const PATH: &str = "_index_template/tweets";

/// What became of the template.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Installed {
    /// It was not there.
    Created,
    /// It was there in another version.
    Updated {
        /// That version.
        from: u64,
    },
    /// It was there as it should be.
    Current,
    /// It is of a later version of indexer, and was left alone.
    Newer {
        /// That version.
        version: u64,
    },
}

/// An index that holds tweets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    /// Its name.
    pub name: String,
    /// How its mapping differs from the template's, if it does.
    pub difference: Option<Difference>,
    /// Whether it is found under the alias.
    pub has_alias: bool,
    /// Whether indexer made it.
    pub is_ours: bool,
}

impl Index {
    /// The fields that it lacks and can be given: those that are new since indexer made it.
    pub fn lacks(&self) -> Option<&[String]> {
        match &self.difference {
            Some(Difference::Lacks(fields)) if self.is_ours => Some(fields),
            _ => None,
        }
    }
}

/// The version of the template and of the mapping in it.
pub(super) fn version() -> u64 {
    template(IndexBy::default())["version"].as_u64().unwrap_or_default()
}

/// What is to be done with the template.
pub(super) struct Comparison {
    pub(super) installed: Installed,
    pub(super) index_by: IndexBy,
    /// Whether it says another length than that now, or nothing.
    says_other: bool,
}

/// What the cluster has under the template's name.
pub(super) struct Found {
    version: u64,
    is_ours: bool,
    index_by: IndexBy,
}

impl Connection {
    /// The template that the cluster has; none also if we may not see it.
    pub(super) async fn find_template(
        &self,
        patience: &Patience,
    ) -> Result<Option<Found>, ClusterError> {
        let answer = self.ask(Request::new(Method::Get, PATH), patience).await?;
        match answer.status {
            404 | 403 => return Ok(None),
            200..300 => {}
            _ => return Err(self.refused("read the index template", answer.failure())),
        }
        let json = answer.json().unwrap_or_default();
        let template = &json["index_templates"][0]["index_template"];
        if template.is_null() {
            return Ok(None);
        }
        let meta = &template["_meta"];
        let index_by = [IndexBy::Year, IndexBy::Month, IndexBy::Day]
            .into_iter()
            .find(|index_by| meta["index_by"] == index_by.as_str());
        Ok(Some(Found {
            version: template["version"].as_u64().unwrap_or_default(),
            is_ours: meta["created_by"] == "tweet-indexer",
            index_by: index_by.unwrap_or_default(),
        }))
    }

    /// Tells what is to be done with the template; nothing is changed.
    pub(super) async fn compare_template(
        &self,
        asked: Option<IndexBy>,
        patience: &Patience,
    ) -> Result<Comparison, ClusterError> {
        let found = self.find_template(patience).await?;
        if found.as_ref().is_some_and(|found| !found.is_ours) {
            let url = self.url.clone();
            return Err(ClusterError::OtherTemplate { url, name: TEMPLATE_NAME });
        }
        // What is there counts, before what is asked, before what the template says.
        let kept = self.index_by_of_indices(patience).await?;
        if let (Some(kept), Some(asked)) = (kept, asked)
            && kept != asked
        {
            let (kept, asked) = (kept.as_str(), asked.as_str());
            return Err(ClusterError::OtherIndices { url: self.url.clone(), kept, asked });
        }
        let said = found.as_ref().map(|found| found.index_by);
        let index_by = kept.or(asked).or(said).unwrap_or_default();
        let installed = match found.map(|found| found.version) {
            None => Installed::Created,
            Some(from) if from < version() => Installed::Updated { from },
            Some(version) if version > self::version() => Installed::Newer { version },
            Some(_) if said != Some(index_by) => Installed::Updated { from: version() },
            Some(_) => Installed::Current,
        };
        Ok(Comparison { installed, index_by, says_other: said != Some(index_by) })
    }

    /// Puts the template if it is not there, or, if `update`, when it is of an earlier version. Tells
    /// what was done and how long its indices are.
    pub(super) async fn install_template(
        &self,
        asked: Option<IndexBy>,
        update: bool,
        patience: &Patience,
    ) -> Result<(Installed, IndexBy), ClusterError> {
        let compared = self.compare_template(asked, patience).await?;
        let Comparison { installed, index_by, says_other } = compared;
        let put = match installed {
            Installed::Created => true,
            Installed::Updated { .. } => update || says_other,
            Installed::Current | Installed::Newer { .. } => false,
        };
        if put {
            self.put_template(index_by, patience).await?;
        }
        Ok((installed, index_by))
    }

    async fn put_template(
        &self,
        index_by: IndexBy,
        patience: &Patience,
    ) -> Result<(), ClusterError> {
        let request = Request::json(Method::Put, PATH, &template(index_by));
        let answer = self.ask(request, patience).await?;
        let action = "put the index template";
        answer.ok().map(drop).map_err(|failure| self.refused(action, failure))
    }

    /// Makes sure that tweets can be written to an index: that it has our mapping if it is there, and
    /// that it is there.
    pub(super) async fn prepare_index(
        &self,
        index: &str,
        patience: &Patience,
    ) -> Result<(), ClusterError> {
        let path = format!("{index}/_mapping");
        let answer = self.ask(Request::new(Method::Get, &path), patience).await?;
        match answer.status {
            404 => return self.create_index(index, patience).await,
            // A key that may write but not look: if it may not create either, the index must be there.
            403 => {
                return match self.create_index(index, patience).await {
                    Err(ClusterError::Forbidden { .. }) => Ok(()),
                    done => done,
                };
            }
            200..300 => {}
            _ => return Err(self.refused(&format!("read {path}"), answer.failure())),
        }
        // Under its own name, which is another one if it was asked for by an alias. What cannot be read is
        // let pass: the cluster refuses what does not fit.
        let json = answer.json().unwrap_or_default();
        let Some(mapping) = json.as_object().and_then(|json| json.values().next()) else {
            return Ok(());
        };
        let found = found(index, mapping);
        let Some(difference) = &found.difference else { return Ok(()) };
        match found.lacks() {
            Some(fields) => match self.extend_mapping(index, fields, patience).await {
                // Tweets are kept whole all the same: only what is asked of those fields finds nothing.
                Err(ClusterError::Forbidden { .. }) => {
                    tracing::warn!(
                        hint = "have someone run `indexer setup` who may manage indices",
                        "the index {index} cannot be given new fields: {difference}"
                    );
                    Ok(())
                }
                done => done,
            },
            None => Err(ClusterError::OtherMapping {
                url: self.url.clone(),
                index: index.to_owned(),
                difference: difference.to_string(),
            }),
        }
    }

    /// Adds fields to an index that lacks them.
    pub(super) async fn extend_mapping(
        &self,
        index: &str,
        fields: &[String],
        patience: &Patience,
    ) -> Result<(), ClusterError> {
        let path = format!("{index}/_mapping");
        let answer = self.ask(Request::json(Method::Put, &path, &part(fields)), patience).await?;
        let action = format!("add new fields to the index {index}");
        answer.ok().map(drop).map_err(|failure| self.refused(&action, failure))
    }

    /// Makes an index. The mapping is in the template too, but who may not put that may still do this.
    async fn create_index(&self, index: &str, patience: &Patience) -> Result<(), ClusterError> {
        // Settings are left to the template, where others may have changed them.
        let mut made = template(IndexBy::default())["template"].take();
        made["settings"] = json!({});
        let action = format!("create the index {index}");
        let first = self.ask(Request::json(Method::Put, index, &made), patience).await?;
        if first.status != 403 {
            return made_or_there(first).map_err(|failure| self.refused(&action, failure));
        }
        // Who may create an index need not be allowed to say what else it is called; the template may.
        made["aliases"] = json!({});
        let second = self.ask(Request::json(Method::Put, index, &made), patience).await?;
        made_or_there(second).map_err(|failure| self.refused(&action, failure))?;
        let path = format!("{index}/_alias/{ALIAS}");
        let answer = self.ask(Request::new(Method::Get, &path), patience).await?;
        if answer.status == 404 {
            tracing::warn!(
                hint = "have someone run `indexer setup` who may manage indices",
                "the index {index} cannot be put under the alias `{ALIAS}`, so that it is not searched"
            );
        }
        Ok(())
    }

    /// The indices that hold tweets, by the names that we give.
    pub(super) async fn our_indices(
        &self,
        patience: &Patience,
    ) -> Result<Vec<Index>, ClusterError> {
        let mut request = Request::new(Method::Get, "tweets-*");
        request.query = &[("expand_wildcards", "all")];
        let answer = self.ask(request, patience).await?;
        if answer.status == 404 {
            return Ok(Vec::new());
        }
        let answer = answer.ok().map_err(|failure| self.refused("list the indices", failure))?;
        let json = answer.json().unwrap_or_default();
        let indices = json.as_object().into_iter().flatten();
        let ours = indices.filter(|(name, _)| is_our_name(name));
        Ok(ours.map(|(name, index)| found(name, index)).collect())
    }

    /// Puts an index under the alias.
    pub(super) async fn add_alias(
        &self,
        index: &str,
        patience: &Patience,
    ) -> Result<(), ClusterError> {
        let path = format!("{index}/_alias/{ALIAS}");
        let answer = self.ask(Request::new(Method::Put, &path), patience).await?;
        let action = format!("put the index {index} under the alias {ALIAS}");
        answer.ok().map(drop).map_err(|failure| self.refused(&action, failure))
    }

    /// How long the indices are that are there, by their names.
    pub(super) async fn index_by_of_indices(
        &self,
        patience: &Patience,
    ) -> Result<Option<IndexBy>, ClusterError> {
        let indices = match self.our_indices(patience).await {
            // A key that may write but not look.
            Err(ClusterError::Forbidden { .. }) => return Ok(None),
            indices => indices?,
        };
        let first = indices.iter().find(|index| index.is_ours);
        Ok(first.map(|index| match index.name.matches('.').count() {
            0 => IndexBy::Year,
            1 => IndexBy::Month,
            _ => IndexBy::Day,
        }))
    }

    /// Deletes all tweets, and the template with them; never an index that somebody else made.
    pub(super) async fn delete_all(&self, patience: &Patience) -> Result<(), ClusterError> {
        let indices = self.our_indices(patience).await?;
        for Index { name, .. } in indices.into_iter().filter(|index| index.is_ours) {
            let answer = self.ask(Request::new(Method::Delete, &name), patience).await?;
            if answer.status != 404 {
                let action = format!("delete the index {name}");
                answer.ok().map_err(|failure| self.refused(&action, failure))?;
            }
        }
        if self.find_template(patience).await?.is_some_and(|found| found.is_ours) {
            let answer = self.ask(Request::new(Method::Delete, PATH), patience).await?;
            if answer.status != 404 {
                let action = "delete the index template";
                answer.ok().map_err(|failure| self.refused(action, failure))?;
            }
        }
        Ok(())
    }
}

/// Whether an index was made, or was there: another run may have been faster.
fn made_or_there(answer: Response) -> Result<(), RequestError> {
    match answer.json().unwrap_or_default()["error"]["type"].as_str() {
        Some("resource_already_exists_exception") => Ok(()),
        _ => answer.ok().map(drop),
    }
}

/// Whether we would give an index that name: `tweets-2022`, `tweets-2022.12`, `tweets-2022.12.10`.
fn is_our_name(name: &str) -> bool {
    let Some(date) = name.strip_prefix("tweets-") else { return false };
    let mut lengths = [4, 2, 2].into_iter();
    date.split('.')
        .all(|part| lengths.next() == Some(part.len()) && part.bytes().all(|b| b.is_ascii_digit()))
}

/// An index as the cluster describes it.
fn found(name: &str, index: &Json) -> Index {
    Index {
        name: name.to_owned(),
        difference: difference(&index["mappings"]),
        has_alias: index["aliases"].get(ALIAS).is_some(),
        is_ours: index["mappings"]["_meta"]["created_by"] == "tweet-indexer",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_indices_that_we_name_are_ours() {
        for (name, ours) in [
            ("tweets-2022", true),
            ("tweets-2022.12", true),
            ("tweets-2022.12.10", true),
            ("tweets-backup", false),
            ("tweets-2022-old", false),
            ("tweets-2022.12.10.1", false),
        ] {
            assert_eq!(is_our_name(name), ours, "{name}");
        }
    }
}
