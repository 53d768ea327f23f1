//! What a collection knows of its earlier runs: where its source goes on, and what was delivered. It is a small file beside
//! the spool, or an object in S3 where nothing else outlives a run.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::intake::is_full;
use super::spool::Position;
use crate::aws::s3::{S3, S3Uri};
use crate::failure::{Context, Failure, Result};

/// Where the state is kept.
pub(super) enum Keeper {
    /// A file; with true, it has reached the disk when it is saved.
    File(PathBuf, bool),
    Object(Box<S3>, S3Uri),
}

/// What is kept.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct State {
    /// What is collected: see [`CollectSource::name`](crate::config::CollectSource::name).
    pub(super) source: String,
    /// Where the source goes on: see [`Chunk::mark`](super::spool::Chunk::mark).
    pub(super) mark: Value,
    /// The id of the spool that `delivered` is a position in.
    pub(super) spool: String,
    /// The position up to which the destination has accepted everything.
    delivered: String,
    /// When the run began that is under way, in milliseconds since 1970.
    running_since: Option<i64>,
}

const FORGET: &str = "delete it (state.json) to begin anew; posts of X are then paid for again";

/// No run of a Lambda function takes longer. One that began before that was killed.
const LONGEST_RUN_MS: i64 = 16 * 60_000;

impl State {
    /// The state as it is while a run is under way.
    pub(super) fn at(&self, mark: Value, delivered: Position) -> State {
        State { mark, delivered: delivered.to_string(), ..self.clone() }
    }

    /// The position in the spool up to which everything was delivered.
    pub(super) fn delivered(&self, spool: &str) -> Position {
        match self.spool == spool {
            true => self.delivered.parse().unwrap_or_default(),
            false => Position::default(),
        }
    }

    /// Begins a run over a spool.
    ///
    /// # Errors
    ///
    /// If something else was collected here, or another run with another spool is under way.
    pub(super) fn begin(&mut self, source: &str, spool: &str, now: i64) -> Result<()> {
        if !self.source.is_empty() && self.source != source {
            let failure =
                Failure::new(format!("what `{}` has collected is kept there", self.source));
            return Err(failure.with_hint("give this source a folder of its own: --spool FOLDER"));
        }
        let is_under_way = self.running_since.is_some_and(|since| now - since < LONGEST_RUN_MS);
        if self.spool != spool {
            if is_under_way {
                return Err(Failure::new(
                    "another run is under way, or was killed less than 16 minutes ago",
                ));
            }
            self.delivered = Position::default().to_string();
        }
        (self.source, self.spool) = (source.to_owned(), spool.to_owned());
        self.running_since = Some(now);
        Ok(())
    }

    /// Ends the run.
    pub(super) fn end(&mut self) {
        self.running_since = None;
    }
}

impl Keeper {
    /// The state in a folder; see [`Keeper::File`].
    pub(super) fn beside(folder: &Path, is_durable: bool) -> Keeper {
        Keeper::File(folder.join("state.json"), is_durable)
    }

    fn name(&self) -> String {
        match self {
            Keeper::File(path, _) => path.display().to_string(),
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
            Keeper::File(path, _) => match fs::read(path) {
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
        serde_json::from_slice(&json)
            .with_context(unreadable)
            .map_err(|failure: Failure| failure.with_hint(FORGET))
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
            Keeper::File(path, is_durable) => {
                let new = path.with_extension("new");
                let write = || {
                    let mut file = File::create(&new)?;
                    file.write_all(&json)?;
                    if *is_durable {
                        file.sync_all()?;
                    }
                    fs::rename(&new, path)
                };
                let written = match write() {
                    // On a full disk, the file that is there still has room for a few bytes.
                    Err(error) if is_full(&error) => {
                        let mut file = OpenOptions::new().write(true).open(path)?;
                        file.write_all(&json).and_then(|()| file.set_len(json.len() as u64))
                    }
                    written => written,
                };
                written.with_context(unwritable)
            }
            Keeper::Object(s3, uri) => s3.put(uri, json).with_context(unwritable),
        }
    }
}

/// The mark of a source, as it is kept; that of a source that was never asked if there is none.
///
/// # Errors
///
/// If it cannot be understood. To begin anew instead could mean to pay for the same posts again.
pub(super) fn mark<M: Default + DeserializeOwned>(kept: Value) -> Result<M> {
    match kept {
        Value::Null => Ok(M::default()),
        kept => serde_json::from_value(kept)
            .context("cannot understand where the last run ended")
            .map_err(|failure: Failure| failure.with_hint(FORGET)),
    }
}
