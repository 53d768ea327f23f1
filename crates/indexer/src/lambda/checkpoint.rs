//! Where an invocation stopped in an object, kept beside the rejects until the object is done.

use std::hash::Hasher;

use anyhow::Context;
use ingest::Checkpoint;
use serde::{Deserialize, Serialize};
use siphasher::sip128::{Hasher128, SipHasher24};

use crate::aws::s3::{Location, Object, S3};

/// What is kept of an object that is not done, or whose event is not.
#[derive(Serialize, Deserialize)]
struct Saved {
    /// For people.
    object: String,
    /// Of what was read: another content is read from its start.
    etag: String,
    /// Marks may be understood by the version that made them alone.
    made_by: String,
    /// None if all of it was read.
    checkpoint: Option<Checkpoint>,
}

/// How the names of checkpoints end, so that they are not taken for rejects.
pub(crate) const EXTENSION: &str = ".checkpoint";

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What an earlier invocation left to be done.
pub(super) enum Left {
    All,
    From(Checkpoint),
    Nothing,
}

/// Where checkpoints are kept.
pub(super) struct Checkpoints {
    s3: S3,
    prefix: Location,
}

impl Checkpoints {
    /// Below the rejects.
    pub(super) fn beside(rejects: &Location, s3: &S3) -> Checkpoints {
        Checkpoints { s3: s3.clone(), prefix: rejects.join("checkpoints/") }
    }

    /// Whether an object is a checkpoint.
    pub(super) fn covers(&self, location: &Location) -> bool {
        self.prefix.covers(location)
    }

    fn location(&self, object: &Object) -> Location {
        self.prefix.join(&format!("{}{}", digest(object), EXTENSION))
    }

    /// What is left to be done of an object, and whether there is a checkpoint of it.
    pub(super) fn load(&self, object: &mut Object) -> anyhow::Result<(Left, bool)> {
        let location = self.location(object);
        let kept = self.s3.get(&location);
        let kept = kept.with_context(|| format!("cannot look for a checkpoint at {location}"))?;
        let Some(json) = kept else { return Ok((Left::All, false)) };
        let Ok(saved) = serde_json::from_slice::<Saved>(&json) else {
            tracing::warn!("{location} cannot be read: starting from the beginning");
            return Ok((Left::All, true));
        };
        let etag = self.s3.etag(object)?;
        if saved.made_by != VERSION || Some(&saved.etag) != etag.as_ref() {
            return Ok((Left::All, true));
        }
        object.etag = etag;
        Ok((saved.checkpoint.map_or(Left::Nothing, Left::From), true))
    }

    /// Keeps where reading goes on; nothing, if all was read.
    pub(super) fn save(
        &self,
        object: &Object,
        etag: &str,
        checkpoint: Option<Checkpoint>,
    ) -> anyhow::Result<()> {
        let saved = Saved {
            object: object.location.to_string(),
            etag: etag.to_owned(),
            made_by: VERSION.to_owned(),
            checkpoint,
        };
        let location = self.location(object);
        self.s3
            .put(&location, serde_json::to_vec(&saved)?)
            .with_context(|| format!("cannot keep a checkpoint at {location}"))
    }

    /// Forgets an object.
    pub(super) fn delete(&self, object: &Object) -> anyhow::Result<()> {
        let location = self.location(object);
        self.s3.delete(&location).with_context(|| format!("cannot delete {location}"))
    }
}

/// A short name for a version of an object, whatever its key is made of.
pub(super) fn digest(object: &Object) -> String {
    let Object { location: Location { bucket, key }, version_id, .. } = object;
    let mut hasher = SipHasher24::new();
    for part in [bucket, key, version_id.as_deref().unwrap_or_default()] {
        hasher.write(part.as_bytes());
        hasher.write_u8(0xFF);
    }
    let hash = hasher.finish128();
    format!("{:016x}{:016x}", hash.h1, hash.h2)
}
