//! What a collection knows of its earlier runs: where its source goes on, and what was delivered. It is a small file beside
//! the spool, or an object in S3 where nothing else outlives a run.

use std::cell::RefCell;
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
    /// A file. If it is durable, it has reached the disk when it is saved.
    File { path: PathBuf, is_durable: bool },
    /// An object, with the ETag that it had when it was read.
    Object { s3: Box<S3>, uri: S3Uri, read: RefCell<Option<String>> },
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
    /// When the run that is under way has last shown that it is, in milliseconds since 1970.
    running_since: Option<i64>,
}

const FORGET: &str = "delete it to begin anew; posts of X are then paid for again";

/// No run of a Lambda function takes longer. One that has not been heard of for this long was killed.
const LONGEST_RUN_MS: i64 = 16 * 60_000;
/// How often a run shows that it is under way, where others can see it.
pub(super) const ALIVE_EVERY_MS: i64 = 5 * 60_000;

impl State {
    /// Notes where the source goes on, if that is known, and up to where everything was delivered.
    pub(super) fn note(&mut self, mark: Option<Value>, delivered: Position) {
        if let Some(mark) = mark {
            self.mark = mark;
        }
        self.delivered = delivered.to_string();
    }

    /// Notes that the run is still under way.
    pub(super) fn is_alive(&mut self, now: i64) {
        if self.running_since.is_some() {
            self.running_since = Some(now);
        }
    }

    /// The position in the spool up to which everything was delivered.
    pub(super) fn delivered(&self, spool: &str) -> Position {
        match self.spool == spool {
            true => self.delivered.parse().unwrap_or_default(),
            false => Position::default(),
        }
    }

    /// Begins a run over a spool. `is_shared` says whether other machines may use the same state; a folder is locked.
    ///
    /// # Errors
    ///
    /// If something else was collected here, or another run with another spool is under way.
    pub(super) fn begin(
        &mut self,
        source: &str,
        spool: &str,
        now: i64,
        is_shared: bool,
    ) -> Result<()> {
        if !self.source.is_empty() && self.source != source {
            let failure =
                Failure::new(format!("this folder already holds what `{}` collected", self.source));
            return Err(failure.with_hint("give this source a folder of its own: --spool FOLDER"));
        }
        let is_under_way = self.running_since.is_some_and(|since| now - since < LONGEST_RUN_MS);
        if self.spool != spool {
            if is_under_way && is_shared {
                let failure = Failure::new(
                    "another run is under way, or was killed less than 16 minutes ago",
                );
                return Err(failure.with_hint("wait for it to end, or keep another --state"));
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
    /// The state in a folder; see [`Keeper`].
    pub(super) fn beside(folder: &Path, is_durable: bool) -> Keeper {
        Keeper::File { path: folder.join("state.json"), is_durable }
    }

    /// Whether other machines may use the same state.
    pub(super) fn is_shared(&self) -> bool {
        matches!(self, Keeper::Object { .. })
    }

    fn name(&self) -> String {
        match self {
            Keeper::File { path, .. } => path.display().to_string(),
            Keeper::Object { uri, .. } => uri.to_string(),
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
            Keeper::File { path, .. } => match fs::read(path) {
                Ok(json) => json,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    return Ok(State::default());
                }
                Err(error) => return Err(error).with_context(unreadable),
            },
            Keeper::Object { s3, uri, read } => {
                let got = s3.get_tagged(uri).with_context(unreadable)?;
                let (json, e_tag) = got.unzip();
                *read.borrow_mut() = e_tag.flatten();
                match json {
                    Some(json) => json.to_vec(),
                    None => return Ok(State::default()),
                }
            }
        };
        if json.is_empty() && matches!(self, Keeper::File { is_durable: false, .. }) {
            // A power failure has emptied it, and what cost nothing can be had again.
            tracing::warn!("{}: it is empty; beginning anew", unreadable());
            return Ok(State::default());
        }
        serde_json::from_slice(&json)
            .with_context(unreadable)
            .map_err(|failure: Failure| failure.with_hint(FORGET))
    }

    /// Keeps the state of a run that begins, if no other run has begun since it was read.
    ///
    /// # Errors
    ///
    /// If another one has, or it cannot be written.
    pub(super) fn claim(&self, state: &State) -> Result<()> {
        let Keeper::Object { s3, uri, read } = self else { return self.save(state) };
        let json = serde_json::to_vec(state)?;
        let unwritable = || format!("cannot keep where this run stands, in `{}`", self.name());
        match s3.put_unless_changed(uri, json, read.borrow().as_deref()).with_context(unwritable)? {
            true => Ok(()),
            false => Err(Failure::new("another run has begun at the same time")),
        }
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
            Keeper::File { path, is_durable } => {
                let new = path.with_extension("new");
                let write = || {
                    let mut file = File::create(&new)?;
                    file.write_all(&json)?;
                    if *is_durable {
                        file.sync_all()?;
                    }
                    fs::rename(&new, path)?;
                    match path.parent().filter(|_| *is_durable) {
                        Some(folder) => File::open(folder)?.sync_all(),
                        None => Ok(()),
                    }
                };
                let written = match write() {
                    // On a full disk, the file that is there still has room for a few bytes. It gets as many blanks as it is
                    // longer, so that it is whole whenever the process is killed.
                    Err(error) if is_full(&error) && path.exists() => {
                        let mut file = OpenOptions::new().write(true).open(path)?;
                        let length = usize::try_from(file.metadata()?.len()).unwrap_or(0);
                        let mut json = json.clone();
                        json.resize(json.len().max(length), b' ');
                        file.write_all(&json).and_then(|()| file.sync_data())
                    }
                    written => written,
                };
                written.with_context(unwritable)
            }
            Keeper::Object { s3, uri, .. } => s3.put(uri, json).with_context(unwritable),
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
