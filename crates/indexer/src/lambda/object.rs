//! One object: read from where an earlier invocation stopped, and its checkpoint and rejects kept.

use std::sync::{Arc, OnceLock};

use ingest::{Checkpoint, Rejected, Stage};

use super::checkpoint::{Left, digest};
use super::fault::{Fault, NOT_INDEXED};
use super::metrics::Outcome;
use super::worker::Shift;
use crate::aws::s3::{Location, Object};
use crate::pipeline::Ended;
use crate::rejects::{Objects, Rejects};
use crate::source::{ObjectSource, Source};

/// The longest part of a source's key that is part of the names of its rejects, in bytes; S3 allows 1,024 in all.
const MAX_NAME_BYTES: usize = 600;

/// An object that was read to its end.
pub(super) struct Finished {
    pub(super) object: Object,
    pub(super) etag: Option<String>,
    pub(super) has_checkpoint: bool,
}

impl Shift<'_> {
    /// Reads an object into the store. Tells what was done, if anything was.
    pub(super) fn object(&mut self, mut object: Object) -> Result<Option<Finished>, Fault> {
        let Location { bucket, key } = object.location.clone();
        let same = (bucket, key, object.version_id.clone());
        if self.done.contains(&same) {
            return Ok(None);
        }
        self.may_begin(&object.location.to_string())?;
        if self.checkpoints.as_ref().is_some_and(|kept| kept.covers(&object.location)) {
            tracing::warn!(
                "{} is a checkpoint: the trigger's prefix covers REJECTS_URL",
                object.location
            );
            return Ok(None);
        }
        let (left, has_checkpoint) = match &self.checkpoints {
            Some(checkpoints) => checkpoints.load(&mut object).map_err(|error| {
                Fault::new(NOT_INDEXED, &error.context(object.location.to_string()))
            })?,
            None => (Left::All, false),
        };
        let from = match left {
            Left::All => Checkpoint::default(),
            Left::From(checkpoint) => checkpoint,
            Left::Nothing => {
                return Ok(Some(Finished { object, etag: None, has_checkpoint }));
            }
        };
        let etag = self.read_object(&object, from)?;
        self.done.insert(same);
        Ok(Some(Finished { object, etag, has_checkpoint }))
    }

    fn read_object(&mut self, object: &Object, from: Checkpoint) -> Result<Option<String>, Fault> {
        let name = object.location.to_string();
        let started_at = from.position.records;
        let mut rejects = self.rejects_of(object, started_at);
        let seen = Arc::new(OnceLock::new());
        let source = ObjectSource {
            s3: self.worker.s3.clone(),
            object: object.clone(),
            from: Some(from.clone()),
            seen: Arc::clone(&seen),
        };
        let run = self.worker.run(&mut rejects, &self.stop);
        let ran = run.over_from(Source::Object(Box::new(source)), from);
        let mut ended =
            ran.map_err(|error| self.broken_off(error.context(format!("cannot index {name}"))))?;
        let etag = seen.get().and_then(|object: &Object| object.etag.clone());
        let modified = seen.get().and_then(|object| object.modified);
        if let Some(damage) = damage(&ended) {
            ended.failed_sources.clear();
            ended.report.failed_sources = 0;
            self.reject_rest(&damage, object, &mut ended, &mut rejects)?;
        }
        // A checkpoint says that the rejects before it are kept.
        let (fault, may_checkpoint) = match rejects.finish() {
            Err(error) => (
                Some(Fault::new(NOT_INDEXED, &error.context(format!("cannot index {name}")))),
                false,
            ),
            Ok(_) => (self.fault(&name, &ended), true),
        };
        let outcome = fault.as_ref().map_or(Outcome::Done, Fault::outcome);
        self.worker.metrics.emit(&name, &ended, started_at, modified, outcome);
        let Some(fault) = fault else { return Ok(etag) };
        if let (Some(checkpoints), Some(etag), true) = (&self.checkpoints, &etag, may_checkpoint)
            && ended.checkpoint.position.records > started_at
            && let Err(error) = checkpoints.save(object, etag, Some(ended.checkpoint))
        {
            tracing::warn!("{name} will be read again from where it was begun: {error:#}");
        }
        Err(Fault { is_told: true, ..fault })
    }

    /// What comes after the damage in an object is one reject: reading it again would find the same.
    fn reject_rest(
        &self,
        damage: &Damage,
        object: &Object,
        ended: &mut Ended,
        rejects: &mut Rejects,
    ) -> Result<(), Fault> {
        let Damage::Broken(what) = damage else { return Ok(()) };
        let line = ended.checkpoint.position.line + 1;
        let reason = format!("the object cannot be read further: {what}");
        let mut rejected = Rejected::new(line, Stage::Read, reason, b"");
        rejected.source = object.location.to_string();
        rejected.raw_cut_from = object.size.and_then(|size| usize::try_from(size).ok());
        rejects.write(&rejected).map_err(|error| Fault::new(NOT_INDEXED, &error))?;
        tracing::warn!("{} cannot be read beyond line {line}: {what}", object.location);
        ended.report.read += 1;
        ended.report.rejected += 1;
        Ok(())
    }

    fn rejects_of(&self, object: &Object, started_at: u64) -> Rejects {
        let Some(prefix) = &self.worker.rejects else {
            return Rejects::Refused { first: None, count: 0 };
        };
        if prefix.covers(&object.location) {
            tracing::info!("{} holds rejects: what is rejected again stays there", object.location);
            return Rejects::Kept;
        }
        let Location { bucket, key } = &object.location;
        let cut = (0..=MAX_NAME_BYTES.min(key.len())).rev().find(|at| key.is_char_boundary(*at));
        let key = &key[..cut.unwrap_or_default()];
        let name = format!("{bucket}/{key}.{}-{started_at}", &digest(object)[..8]);
        Rejects::Objects(Objects::new(&self.worker.s3, prefix, name))
    }
}

/// What is wrong with an object itself.
enum Damage {
    /// There is nothing in it.
    Empty,
    /// It cannot be read, or not to its end.
    Broken(String),
}

/// What is wrong with the object itself, if that is why it was not read to its end.
fn damage(ended: &Ended) -> Option<Damage> {
    match ended.failed_sources.first()?.downcast_ref::<ingest::Error>()? {
        ingest::Error::Io(_) => None,
        ingest::Error::Empty => Some(Damage::Empty),
        error => Some(Damage::Broken(match std::error::Error::source(error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        })),
    }
}
