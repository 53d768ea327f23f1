//! What is known of an object before it is read.

use std::hash::Hasher;

use ingest::Timestamp;
use siphasher::sip128::{Hasher128, SipHasher24};

use super::S3Uri;

/// An object to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct S3Object {
    pub(crate) uri: S3Uri,
    /// Which version of it, in a bucket that keeps versions.
    pub(crate) version_id: Option<String>,
    /// The entity tag that the object must have. `None` if any content will do.
    pub(crate) etag: Option<String>,
    /// Its size in bytes, if that is known.
    pub(crate) size: Option<u64>,
    /// When it was written, if that is known.
    pub(crate) modified: Option<Timestamp>,
}

impl S3Object {
    /// The object at this address, with whatever content it has when it is read.
    pub(crate) fn at(uri: S3Uri) -> S3Object {
        S3Object { uri, version_id: None, etag: None, size: None, modified: None }
    }

    /// The same object without its entity tag, so that any content will do.
    pub(crate) fn without_etag(&self) -> S3Object {
        S3Object { etag: None, ..self.clone() }
    }

    /// A hash of the object's address, version and entity tag, as 32 hexadecimal digits. Unlike the key, it can be
    /// part of any name.
    pub(crate) fn digest(&self) -> String {
        let S3Object { uri: S3Uri { bucket, key }, version_id, etag, .. } = self;
        let mut hasher = SipHasher24::new();
        let (version_id, etag) = (version_id.as_deref(), etag.as_deref());
        for part in [bucket, key, version_id.unwrap_or_default(), etag.unwrap_or_default()] {
            hasher.write(part.as_bytes());
            hasher.write_u8(0xFF);
        }
        let hash = hasher.finish128();
        format!("{:016x}{:016x}", hash.h1, hash.h2)
    }
}
