//! The index template and the indices created from it: what is missing is created, and what exists is checked.

use elasticsearch::http::Method;
use serde_json::{Value as Json, json};

use super::ClusterError;
use super::backoff::Patience;
use super::connection::{Connection, Request};
use super::mapping::{Difference, difference, part, template};
use super::response::{RequestError, Response};
use super::settings::IndexBy;

/// The name under which the index template is installed.
pub const TEMPLATE_NAME: &str = "tweets";
/// The alias under which all tweets are searched.
pub(super) const ALIAS: &str = "tweets";
const PATH: &str = "_index_template/tweets";

/// What was done about the template, or would be in a dry run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Installed {
    /// There was no template, so that it is created.
    Created,
    /// The template is of an earlier version, or for indices of another period, and is to be replaced.
    Updated {
        /// That version.
        from: u64,
    },
    /// The template is up to date.
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
    /// The name of the index, such as `tweets-2022`.
    pub name: String,
    /// How its mapping differs from the template's, if it does.
    pub difference: Option<Difference>,
    /// Whether it is found under the alias.
    pub has_alias: bool,
    /// Whether indexer made it.
    pub is_ours: bool,
}

impl Index {
    /// The fields that the index lacks and that can be added, because indexer made it with an earlier mapping.
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

/// How the cluster's template compares with this version's.
pub(super) struct Comparison {
    pub(super) installed: Installed,
    pub(super) index_by: IndexBy,
    /// Whether the template in the cluster has another `index_by` than this one, or does not exist.
    says_other: bool,
}

/// What the cluster has under the template's name.
pub(super) struct Found {
    version: u64,
    is_ours: bool,
    index_by: IndexBy,
}

impl Connection {
    /// The template that the cluster has; `None` if there is none, or if it may not be read.
    pub(super) async fn find_template(
        &self,
        patience: &Patience,
    ) -> Result<Option<Found>, ClusterError> {
        let answer = self.ask(Request::new(Method::Get, PATH), patience).await?;
        match answer.status {
            // A key that may not read templates may still be allowed to write documents.
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

    /// Finds out what is to be done about the template, without changing anything.
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
        // The existing indices take precedence over the user's setting, and that over the existing template.
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

    /// Installs the template if there is none or its `index_by` has to change, and, with `update`, if it is of an
    /// earlier version. Returns how it compared, and the period that each index covers.
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

    /// Makes sure that tweets can be written to an index: creates it if it does not exist, or else checks its mapping
    /// and adds fields that it lacks.
    pub(super) async fn prepare_index(
        &self,
        index: &str,
        patience: &Patience,
    ) -> Result<(), ClusterError> {
        let path = format!("{index}/_mapping");
        let answer = self.ask(Request::new(Method::Get, &path), patience).await?;
        match answer.status {
            404 => return self.create_index(index, patience).await,
            // The key may not read the mapping. If it may not create the index either, the index is assumed to exist.
            403 => {
                return match self.create_index(index, patience).await {
                    Err(ClusterError::Forbidden { .. }) => Ok(()),
                    done => done,
                };
            }
            200..300 => {}
            _ => return Err(self.refused(&format!("read {path}"), answer.failure())),
        }
        // The answer contains the index under its real name, even if it was asked for by an alias. A mapping that
        // cannot be read is not checked: the cluster itself refuses documents that do not fit.
        let json = answer.json().unwrap_or_default();
        let Some(mapping) = json.as_object().and_then(|json| json.values().next()) else {
            return Ok(());
        };
        let found = found(index, mapping);
        let Some(difference) = &found.difference else { return Ok(()) };
        match found.lacks() {
            Some(fields) => match self.extend_mapping(index, fields, patience).await {
                // Tweets are stored in full all the same; only searches on those fields do not find them.
                Err(ClusterError::Forbidden { .. }) => {
                    tracing::warn!(
                        hint = "have someone who may manage indices run `indexer setup`",
                        "cannot add new fields to the index {index}: {difference}"
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

    /// Creates an index with its mapping. The template has the mapping too, but a key that may not install the template
    /// may still create indices.
    async fn create_index(&self, index: &str, patience: &Patience) -> Result<(), ClusterError> {
        // Settings are left to the template, where others may have changed them.
        let mut made = template(IndexBy::default())["template"].take();
        made["settings"] = json!({});
        let action = format!("create the index {index}");
        let first = self.ask(Request::json(Method::Put, index, &made), patience).await?;
        if first.status != 403 {
            return made_or_there(first).map_err(|failure| self.refused(&action, failure));
        }
        // A key that may create indices may lack the permission to set aliases. The template can still set the alias.
        made["aliases"] = json!({});
        let second = self.ask(Request::json(Method::Put, index, &made), patience).await?;
        made_or_there(second).map_err(|failure| self.refused(&action, failure))?;
        let path = format!("{index}/_alias/{ALIAS}");
        let answer = self.ask(Request::new(Method::Get, &path), patience).await?;
        if answer.status == 404 {
            tracing::warn!(
                hint = "have someone who may manage indices run `indexer setup`",
                "cannot add the index {index} to the alias `{ALIAS}`, so searches will not find its tweets"
            );
        }
        Ok(())
    }

    /// The indices that hold tweets, recognized by their names.
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

    /// The period that each existing index covers, according to the names; `None` if there are no indices, or they may
    /// not be listed.
    pub(super) async fn index_by_of_indices(
        &self,
        patience: &Patience,
    ) -> Result<Option<IndexBy>, ClusterError> {
        let indices = match self.our_indices(patience).await {
            // The key may write, but not list indices.
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

/// Succeeds if the index was created, or exists already: another run may have created it first.
fn made_or_there(answer: Response) -> Result<(), RequestError> {
    match answer.json().unwrap_or_default()["error"]["type"].as_str() {
        Some("resource_already_exists_exception") => Ok(()),
        _ => answer.ok().map(drop),
    }
}

/// Whether this is a name that indexer gives to indices: `tweets-2022`, `tweets-2022.12`, `tweets-2022.12.10`.
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
