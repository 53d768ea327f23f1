//! Where an invocation stopped in an object, kept beside the rejects until the object is done.

use ingest::Checkpoint;
use serde::{Deserialize, Serialize};

use crate::aws::s3::{S3, S3Object, S3Uri};
use crate::failure::{Context, Result};
use crate::source::CHECKPOINT_EXTENSION;

/// The checkpoint of an object that is not done, or that is done but belongs to an event that will be sent again.
#[derive(Serialize, Deserialize)]
struct Saved {
    /// The address of the object, for people who look at the checkpoint; it is not read again.
    object: String,
    /// The entity tag of the content that was read. If the object has another one now, it is read from its start.
    etag: String,
    /// The store and the options. With another store or other options, the object is read from its start.
    into: String,
    /// The version of this format, see [`FORMAT`].
    format: u32,
    /// What is still to be read. `None` if nothing is.
    rest: Option<Rest>,
}

/// The version of the format of checkpoints. Increase it whenever their meaning changes, also if the cause is a new
/// version of the decompressor, whose state is a part of them.
const FORMAT: u32 = 1;

/// What of an object is still to be read.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Rest {
    pub(super) from: Checkpoint,
    /// Whether the object is being read from its start because it could not be read from a checkpoint. If that fails
    /// too, the object is damaged and not the checkpoint.
    pub(super) is_second_try: bool,
}

/// Where checkpoints are kept.
pub(super) struct Checkpoints {
    s3: S3,
    prefix: S3Uri,
    into: String,
}

impl Checkpoints {
    /// Checkpoints below the prefix of the rejects. `into` describes the store and the options that they are valid
    /// for.
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

    /// What is still to be read of an object (`None` if nothing is), and whether there is a checkpoint of it. If the
    /// checkpoint is valid, sets the object's entity tag, so that no other content is read.
    pub(super) fn load(&self, object: &mut S3Object) -> Result<(Option<Rest>, bool)> {
        let uri = self.uri(object);
        let kept = self.s3.get(&uri);
        let kept = kept.with_context(|| format!("cannot look for a checkpoint at {uri}"))?;
        let Some(json) = kept else { return Ok((Some(Rest::default()), false)) };
        // The object may have been overwritten since, and then its beginning is new too.
        let (etag, _) = self.s3.head(object)?;
        match serde_json::from_slice::<Saved>(&json) {
            Ok(Saved { etag: of, into, format: FORMAT, rest, .. })
                if Some(&of) == etag.as_ref() && into == self.into =>
            {
                object.etag = etag;
                Ok((rest, true))
            }
            _ => {
                tracing::info!(
                    "the checkpoint {uri} is not valid any more: reading the object from its start"
                );
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

    /// Deletes the checkpoint of an object.
    pub(super) fn delete(&self, object: &S3Object) -> Result<()> {
        let uri = self.uri(object);
        self.s3.delete(&uri).with_context(|| format!("cannot delete {uri}"))
    }
}
