//! One object: read from where an earlier invocation stopped, and its checkpoint and rejects kept.

use std::sync::{Arc, OnceLock};

use ingest::{Checkpoint, Rejected, Stage};

use super::checkpoint::Rest;
use super::fault::{Fault, NOT_INDEXED, UNREADABLE};
use super::worker::{Shift, Worker};
use crate::aws::s3::S3Object;
use crate::pipeline::Ended;
use crate::rejects::{Rejects, RejectsName, RejectsObjects};
use crate::source::{ObjectSource, Source};

/// An object that was read to its end.
pub(super) struct Finished {
    pub(super) object: S3Object,
    /// The entity tag of the content that was read. `None` if nothing was left to be read.
    pub(super) etag: Option<String>,
    /// Whether there was a checkpoint of it when this invocation began.
    pub(super) has_checkpoint: bool,
}

impl Shift<'_> {
    /// Reads an object into the store. Returns `None` if there was nothing to do, because the object is a checkpoint
    /// or was read for the same event already.
    pub(super) fn object(&mut self, mut object: S3Object) -> Result<Option<Finished>, Fault> {
        let same = (object.uri.clone(), object.version_id.clone());
        // S3 may send two notifications for one object, and a queue may deliver both in one batch.
        if self.done.contains(&same) {
            return Ok(None);
        }
        self.may_begin(&object.uri.to_string())?;
        // Reading checkpoints would write new ones, each of which triggers the function again.
        if self.checkpoints.as_ref().is_some_and(|kept| kept.covers(&object.uri)) {
            tracing::warn!(
                "{} is a checkpoint: the trigger's prefix covers REJECTS_URL",
                object.uri
            );
            return Ok(None);
        }
        let (rest, has_checkpoint) = match &self.checkpoints {
            Some(checkpoints) => checkpoints
                .load(&mut object)
                .map_err(|error| Fault::new(NOT_INDEXED, &error.context(object.uri.to_string())))?,
            None => (Some(Rest::default()), false),
        };
        let etag = match rest {
            Some(rest) => self.read_object(&object, rest)?,
            None => None,
        };
        self.done.insert(same);
        Ok(Some(Finished { object, etag, has_checkpoint }))
    }

    /// Reads what is left of an object. Returns its entity tag.
    fn read_object(&mut self, object: &S3Object, rest: Rest) -> Result<Option<String>, Fault> {
        let Rest { from, is_second_try } = rest;
        let name = object.uri.to_string();
        let started_at = from.position.records;
        let seen = Arc::new(OnceLock::new());
        let mut rejects = self.rejects_of(object, &seen, started_at)?;
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
        let etag = seen.get().and_then(|object: &S3Object| object.etag.clone());
        let modified = seen.get().and_then(|object| object.modified);
        let damage = damage(&ended);
        // If reading began at a checkpoint, that may be wrong and not the object: read the object once more, from its
        // start.
        let is_doubtful = damage.is_some() && started_at > 0 && !is_second_try;
        if let (Some(damage), false) = (&damage, is_doubtful) {
            ended.failed_sources.clear();
            ended.report.failed_sources = 0;
            self.reject_rest(damage, object, &mut ended, &mut rejects)?;
        }
        // A checkpoint says that the rejects before it are kept.
        let (fault, may_checkpoint) = match rejects.finish() {
            Err(error) => {
                let error = error.context(format!("cannot index {name}"));
                (Some(Fault::new(NOT_INDEXED, &error)), false)
            }
            Ok(_) => (self.fault(&name, &ended), true),
        };
        self.worker.metrics.emit(&name, &ended, started_at, modified, fault.as_ref());
        let Some(fault) = fault else { return Ok(etag) };
        let progress = ended.checkpoint.position.records > started_at;
        let rest = match is_doubtful {
            true => Rest { from: Checkpoint::default(), is_second_try: true },
            false => Rest { from: ended.checkpoint, is_second_try },
        };
        if let (Some(checkpoints), Some(etag), true) = (&self.checkpoints, &etag, may_checkpoint)
            && (progress || is_doubtful)
            && let Err(error) = checkpoints.save(object, etag, Some(rest))
        {
            tracing::warn!("{name} will be read again from where it was begun: {}", error.story());
        }
        Err(Fault { is_told: true, ..fault })
    }

    /// Writes one reject for everything after the damage in an object. To fail instead would not help: reading the
    /// object again would find the same damage.
    fn reject_rest(
        &self,
        damage: &Damage,
        object: &S3Object,
        ended: &mut Ended,
        rejects: &mut Rejects,
    ) -> Result<(), Fault> {
        let Damage::Broken(what) = damage else { return Ok(()) };
        let line = ended.checkpoint.position.line + 1;
        let reason = format!("the object cannot be read further: {what}");
        let mut rejected = Rejected::new(line, Stage::Read, reason, b"");
        rejected.source = object.uri.to_string();
        rejected.raw_cut_from = object.size.and_then(|size| usize::try_from(size).ok());
        rejects.write(&rejected).map_err(|error| Fault::new(NOT_INDEXED, &error))?;
        tracing::warn!("{} cannot be read beyond line {line}: {what}", object.uri);
        ended.report.read += 1;
        ended.report.rejected += 1;
        Ok(())
    }

    fn rejects_of(
        &self,
        object: &S3Object,
        seen: &Arc<OnceLock<S3Object>>,
        started_at: u64,
    ) -> Result<Rejects, Fault> {
        let Worker { rejects: Some(prefix), s3, .. } = &*self.worker else {
            return Ok(Rejects::Refused { first: None, count: 0 });
        };
        if !prefix.covers(&object.uri) {
            let name = RejectsName::Of(Arc::clone(seen), started_at);
            return Ok(Rejects::Objects(RejectsObjects::new(s3, prefix, name)));
        }
        let (_, holds_rejects) = s3.head(object).map_err(|error| {
            Fault::new(UNREADABLE, &error.context(format!("cannot read {}", object.uri)))
        })?;
        match holds_rejects {
            true => {
                tracing::info!(
                    "{}: records that are rejected again stay in this object",
                    object.uri
                );
                Ok(Rejects::Kept)
            }
            // An object below `REJECTS_URL` that does not hold rejects has triggered the function, so its rejects
            // would trigger it again, without end.
            false => Ok(Rejects::Refused { first: None, count: 0 }),
        }
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
    match ended.failed_sources.first()?.find::<ingest::Error>()? {
        ingest::Error::Io(_) => None,
        ingest::Error::Empty => Some(Damage::Empty),
        error => Some(Damage::Broken(match std::error::Error::source(error) {
            Some(source) => format!("{error}: {source}"),
            None => error.to_string(),
        })),
    }
}
