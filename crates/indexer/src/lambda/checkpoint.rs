//! Where an invocation stopped in an object, kept beside the rejects until the object is done.

use ingest::Checkpoint;
use serde::{Deserialize, Serialize};

use crate::aws::s3::{S3, S3Object, S3Uri};
use crate::failure::{Context, Result};
use crate::source::CHECKPOINT_EXTENSION;

/// What is kept of an object that is not done, or whose event is not.
#[derive(Serialize, Deserialize)]
struct Saved {
    /// For people.
    object: String,
    /// Of what was read: another content is read from its start.
    etag: String,
    /// Where it went, and how it was understood: elsewhere, or otherwise, none of it is done.
    into: String,
    /// As it is written by this version.
    format: u32,
    /// None if nothing is left.
    rest: Option<Rest>,
}

/// To be counted up whenever a checkpoint means something else, also because of the decompressor.
const FORMAT: u32 = 1;

/// What of an object is still to be read.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Rest {
    pub(super) from: Checkpoint,
    /// Whether reading was begun anew because a checkpoint led to what cannot be read: then it is the
    /// object that is damaged, and not the checkpoint.
    pub(super) is_second_try: bool,
}

/// Where checkpoints are kept.
pub(super) struct Checkpoints {
    s3: S3,
    prefix: S3Uri,
    into: String,
}

impl Checkpoints {
    /// Below the rejects, of what goes `into` a store.
    pub(super) fn beside(rejects: &S3Uri, s3: &S3, into: String) -> Checkpoints {
        Checkpoints { s3: s3.clone(), prefix: rejects.join("checkpoints/"), into }
    }

    /// Whether an object is a checkpoint.
    pub(super) fn covers(&self, uri: &S3Uri) -> bool {
        self.prefix.covers(uri)
    }

    fn uri(&self, object: &S3Object) -> S3Uri {
        self.prefix.join(&format!("{}{}", object.without_etag().digest(), CHECKPOINT_EXTENSION))
    }

    /// What is left of an object, if anything is, and whether there is a checkpoint of it.
    pub(super) fn load(&self, object: &mut S3Object) -> Result<(Option<Rest>, bool)> {
        let uri = self.uri(object);
        let kept = self.s3.get(&uri);
        let kept = kept.with_context(|| format!("cannot look for a checkpoint at {uri}"))?;
        let Some(json) = kept else { return Ok((Some(Rest::default()), false)) };
        let (etag, _) = self.s3.head(object)?;
        match serde_json::from_slice::<Saved>(&json) {
            Ok(Saved { etag: of, into, format: FORMAT, rest, .. })
                if Some(&of) == etag.as_ref() && into == self.into =>
            {
                object.etag = etag;
                Ok((rest, true))
            }
            _ => {
                tracing::info!("{uri} is of something else: reading from the start");
                Ok((Some(Rest::default()), true))
            }
        }
    }

    /// Keeps what is left of an object.
    pub(super) fn save(&self, object: &S3Object, etag: &str, rest: Option<Rest>) -> Result<()> {
        let saved = Saved {
            object: object.uri.to_string(),
            etag: etag.to_owned(),
            into: self.into.clone(),
            format: FORMAT,
            rest,
        };
        let uri = self.uri(object);
        self.s3
            .put(&uri, serde_json::to_vec(&saved)?)
            .with_context(|| format!("cannot keep a checkpoint at {uri}"))
    }

    /// Forgets an object.
    pub(super) fn delete(&self, object: &S3Object) -> Result<()> {
        let uri = self.uri(object);
        self.s3.delete(&uri).with_context(|| format!("cannot delete {uri}"))
    }
}
