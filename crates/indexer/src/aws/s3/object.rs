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
    /// The entity tag that it must have; none if any content will do.
    pub(crate) etag: Option<String>,
    /// Its size in bytes, if that is known.
    pub(crate) size: Option<u64>,
    /// When it was written, if that is known.
    pub(crate) modified: Option<Timestamp>,
}

impl S3Object {
    /// Whatever is at that address when it is read.
    pub(crate) fn at(uri: S3Uri) -> S3Object {
        S3Object { uri, version_id: None, etag: None, size: None, modified: None }
    }

    /// The same object, whatever its content.
    pub(crate) fn without_etag(&self) -> S3Object {
        S3Object { etag: None, ..self.clone() }
    }

    /// A name for what is known of its content: of fixed length, and without the characters that keys may have.
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
