//! What a collection knows of its earlier runs: where its source goes on, and what was delivered. It is a small file beside
//! the spool, or an object in S3 where nothing else outlives a run.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::spool::Position;
use crate::aws::s3::{S3, S3Uri};
use crate::failure::{Context, Failure, Result};

/// Where the state is kept.
pub(super) enum Keeper {
    File(PathBuf),
    Object(Box<S3>, S3Uri),
}

/// What is kept.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct State {
    /// Where the source goes on: see [`Chunk::mark`](super::spool::Chunk::mark).
    #[serde(default)]
    pub(super) mark: Value,
    /// The position in the spool up to which the destination has accepted everything.
    #[serde(default)]
    delivered: String,
}

impl State {
    pub(super) fn new(mark: Value, delivered: Position) -> State {
        State { mark, delivered: delivered.to_string() }
    }

    /// The position in the spool up to which everything was delivered.
    pub(super) fn delivered(&self) -> Position {
        self.delivered.parse().unwrap_or_default()
    }
}

impl Keeper {
    /// The state in a folder.
    pub(super) fn beside(folder: &Path) -> Keeper {
        Keeper::File(folder.join("state.json"))
    }

    fn name(&self) -> String {
        match self {
            Keeper::File(path) => path.display().to_string(),
            Keeper::Object(_, uri) => uri.to_string(),
        }
    }

    /// What an earlier run has kept.
    ///
    /// # Errors
    ///
    /// If it cannot be read. A run that went on without it could pay for the same posts again.
    pub(super) fn load(&self) -> Result<State> {
        let unreadable = || format!("cannot read where the last run ended, in `{}`", self.name());
        let json = match self {
            Keeper::File(path) => match fs::read(path) {
                Ok(json) => json,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    return Ok(State::default());
                }
                Err(error) => return Err(error).with_context(unreadable),
            },
            Keeper::Object(s3, uri) => match s3.get(uri).with_context(unreadable)? {
                Some(json) => json.to_vec(),
                None => return Ok(State::default()),
            },
        };
        serde_json::from_slice(&json).with_context(unreadable).map_err(|failure: Failure| {
            failure.with_hint("delete it to begin anew; posts of X are then paid for again")
        })
    }

    /// Keeps the state.
    ///
    /// # Errors
    ///
    /// If it cannot be written. The state before is then still there.
    pub(super) fn save(&self, state: &State) -> Result<()> {
        let unwritable = || format!("cannot keep where this run stands, in `{}`", self.name());
        let json = serde_json::to_vec(state)?;
        match self {
            Keeper::File(path) => {
                let new = path.with_extension("new");
                fs::write(&new, json).and_then(|()| fs::rename(&new, path)).with_context(unwritable)
            }
            Keeper::Object(s3, uri) => s3.put(uri, json).with_context(unwritable),
        }
    }
}
