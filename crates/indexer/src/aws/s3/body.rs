//! The bytes of an object, as a stream that survives broken connections.

use std::io::{self, Read};
use std::time::Duration;

use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::primitives::{ByteStream, DateTime};
use bytes::{Buf, Bytes};
use ingest::Timestamp;

use super::{S3, S3Error, S3Object};
use crate::failure::{Failure, Result};
use crate::stop::Stop;

/// How many times in a row the rest of a body is requested again without receiving a single byte.
const MAX_RETRIES: u32 = 6;

/// A reader of an object's bytes, as they are stored.
pub(crate) struct Body {
    pub(super) s3: S3,
    /// What is known of the object. Its entity tag makes sure that all bytes are from the same content.
    pub(super) object: S3Object,
    pub(super) stream: Option<ByteStream>,
    pub(super) chunk: Bytes,
    /// The offset of the next byte to be read.
    pub(super) at: u64,
    /// The offset at which to stop. `u64::MAX` for the end of the object, as long as its length is not known.
    pub(super) end: u64,
    /// The size of the object, as S3 has said it.
    pub(super) size: Option<u64>,
    pub(super) stop: Stop,
}

impl Body {
    /// The object, with the entity tag and the modification time that S3 has sent.
    pub(crate) fn object(&self) -> S3Object {
        self.object.clone()
    }

    /// The size of the object, if that is known.
    pub(crate) fn size(&self) -> Option<u64> {
        self.size
    }

    /// When it was written.
    pub(crate) fn modified(&self) -> Option<Timestamp> {
        self.object.modified
    }

    /// Sends the request for the bytes that are still to be read.
    fn connect(&mut self) -> Result<()> {
        let S3Object { uri, version_id, etag, .. } = &self.object;
        let mut get = self.s3.client.get_object().bucket(&uri.bucket).key(&uri.key);
        get = get.set_version_id(version_id.clone()).set_if_match(etag.clone());
        get = match (self.at, self.end) {
            (0, u64::MAX) => get,
            (at, u64::MAX) => get.range(format!("bytes={at}-")),
            (at, end) => get.range(format!("bytes={at}-{}", end - 1)),
        };
        let got = match self.s3.runtime.block_on(get.send()) {
            // All bytes were read before.
            Err(error) if self.at > 0 && error.code() == Some("InvalidRange") => {
                self.end = self.at;
                self.stream = Some(ByteStream::default());
                return Ok(());
            }
            got => got.map_err(|error| S3Error::of(&error))?,
        };
        if self.at > 0 && got.content_range.is_none() {
            let failure = Failure::new("the server ignores requests for a part of an object");
            return Err(failure.with_hint("use S3 or a server that supports the Range header"));
        }
        if let Some(length) = got.content_length.and_then(|length| u64::try_from(length).ok()) {
            self.end = self.at + length;
        }
        // `bytes 0-99/1234`; an answer without it is the whole object.
        let size = match &got.content_range {
            Some(range) => range.rsplit('/').next().and_then(|size| size.parse().ok()),
            None => Some(self.end).filter(|end| *end < u64::MAX),
        };
        self.size = size.or(self.size);
        self.object.etag = self.object.etag.take().or(got.e_tag);
        self.object.modified = got.last_modified.and_then(timestamp);
        self.stream = Some(got.body);
        Ok(())
    }

    /// Sends the request, and retries it up to [`MAX_RETRIES`] times while it fails with an error that may be
    /// temporary.
    pub(super) fn connect_patiently(&mut self) -> Result<()> {
        let mut failures = 0;
        loop {
            match self.connect() {
                Err(error) if failures < MAX_RETRIES && is_worth_a_retry(&error) => {
                    failures += 1;
                    self.pause(failures)?;
                }
                done => return done,
            }
        }
    }

    /// Waits before another try.
    fn pause(&self, failures: u32) -> Result<()> {
        let pause = Duration::from_millis(50 << failures.min(6));
        std::thread::sleep(pause.mul_f64(fastrand::f64().mul_add(0.5, 0.5)));
        match self.stop.is_set() {
            true => Err(Failure::new("stopped while S3 did not answer")),
            false => Ok(()),
        }
    }

    /// Returns the next bytes, or `None` at the end.
    fn next(&mut self) -> Result<Option<Bytes>> {
        let mut failures = 0;
        loop {
            if let Some(stream) = &mut self.stream {
                match self.s3.runtime.block_on(stream.next()) {
                    Some(Ok(chunk)) if chunk.is_empty() => continue,
                    Some(Ok(chunk)) => {
                        self.at += chunk.len() as u64;
                        return Ok(Some(chunk));
                    }
                    None if self.at >= self.end || self.end == u64::MAX => return Ok(None),
                    // All bytes came, so that only their checksum can be wrong.
                    Some(Err(error)) if self.at == self.end => {
                        return Err(Failure::new(format!("its checksum is wrong: {error}")));
                    }
                    None | Some(Err(_)) => self.stream = None,
                }
            }
            failures += 1;
            if failures > MAX_RETRIES {
                let at = self.at;
                let failure = Failure::new(format!("the connection keeps breaking at byte {at}"));
                return Err(failure.with_hint("check the network and the proxies on the way to S3"));
            }
            self.pause(failures)?;
            tracing::debug!("continuing {} at byte {}", self.object.uri, self.at);
            self.connect_patiently()?;
        }
    }
}

impl Read for Body {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while self.chunk.is_empty() {
            match self.next().map_err(io::Error::other)? {
                Some(chunk) => self.chunk = chunk,
                None => return Ok(0),
            }
        }
        let length = self.chunk.len().min(buf.len());
        self.chunk.copy_to_slice(&mut buf[..length]);
        Ok(length)
    }
}

pub(super) fn timestamp(time: DateTime) -> Option<Timestamp> {
    time.to_millis().ok().map(Timestamp::from_millis)
}

/// Whether a retry may succeed. It cannot if S3 has answered with a permanent error.
fn is_worth_a_retry(failure: &Failure) -> bool {
    failure.find::<S3Error>().is_none_or(S3Error::is_passing)
}
