//! Objects in S3, or in anything that speaks its API: listed, written, and read as streams that survive a
//! broken connection.

use std::fmt;
use std::hash::Hasher;
use std::io::{self, Read};
use std::ops::Range;
use std::str::FromStr;
use std::time::Duration;

use anyhow::Context;
use aws_sdk_s3::config::ResponseChecksumValidation;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_s3::primitives::{ByteStream, DateTime};
use bytes::{Buf, Bytes};
use ingest::Timestamp;
use siphasher::sip128::{Hasher128, SipHasher24};
use tokio::runtime::Runtime;

use super::config;
use crate::failure::{innermost, with_hint};
use crate::runtime::runtime;
use crate::stop::Stop;

/// How often a body is asked for again at the byte that was reached, without a byte in between.
const MAX_RETRIES: u32 = 6;
/// The metadata by which rejects are known again.
const HOLDS_REJECTS: &str = "tweet-indexer-rejects";

/// An object, or all objects whose keys begin so.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Location {
    /// Its bucket.
    pub bucket: String,
    /// Its key as it is, not as URLs or events spell it.
    pub key: String,
}

impl Location {
    /// The one below this one.
    pub(crate) fn join(&self, name: &str) -> Location {
        let separator = if self.key.is_empty() || self.key.ends_with('/') { "" } else { "/" };
        let key = format!("{}{separator}{name}", self.key);
        Location { bucket: self.bucket.clone(), key }
    }

    /// Whether an object of that location would be one of those whose keys begin so.
    pub(crate) fn covers(&self, other: &Location) -> bool {
        self.bucket == other.bucket && other.key.starts_with(&self.key)
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}/{}", self.bucket, self.key)
    }
}

impl FromStr for Location {
    type Err = String;

    fn from_str(text: &str) -> Result<Location, String> {
        let form = "write it as s3://bucket/prefix/";
        let rest = text.strip_prefix("s3://").ok_or(form)?;
        let (bucket, key) = rest.split_once('/').unwrap_or((rest, ""));
        match bucket {
            "" => Err(form.to_owned()),
            _ => Ok(Location { bucket: bucket.to_owned(), key: key.to_owned() }),
        }
    }
}

/// An object to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Object {
    pub(crate) location: Location,
    /// Which version of it, in a bucket that keeps them.
    pub(crate) version_id: Option<String>,
    /// The entity tag that it must have; any, if there is none.
    pub(crate) etag: Option<String>,
    /// Its size in bytes, if that is known.
    pub(crate) size: Option<u64>,
    /// When it was written, if that is known.
    pub(crate) modified: Option<Timestamp>,
}

impl Object {
    /// Whatever is at that location when it is read.
    pub(crate) fn at(location: Location) -> Object {
        Object { location, version_id: None, etag: None, size: None, modified: None }
    }

    /// The object, whatever it holds.
    pub(crate) fn without_etag(&self) -> Object {
        Object { etag: None, ..self.clone() }
    }

    /// A short name for what is known of its content, whatever its key is made of.
    pub(crate) fn digest(&self) -> String {
        let Object { location: Location { bucket, key }, version_id, etag, .. } = self;
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

/// A client of S3; clones share its connections.
#[derive(Debug, Clone)]
pub(crate) struct S3 {
    runtime: &'static Runtime,
    client: aws_sdk_s3::Client,
}

impl S3 {
    /// A client with the settings of this process.
    pub(crate) fn new() -> anyhow::Result<S3> {
        let runtime = runtime().context("cannot start threads")?;
        let config = runtime.block_on(config());
        // The client reads the second one by itself, and does not tell.
        let has_own_endpoint =
            config.endpoint_url().is_some() || std::env::var_os("AWS_ENDPOINT_URL_S3").is_some();
        let s3 = aws_sdk_s3::config::Builder::from(config)
            // Servers that stand in for S3 have no host name for each bucket.
            .force_path_style(has_own_endpoint)
            // A part of an object, and an object that was written in parts, has no checksum to compare.
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            .build();
        let client = aws_sdk_s3::Client::from_conf(s3);
        Ok(S3 { runtime, client })
    }

    /// The objects below a prefix, in the order of their keys, `start_after` and those before it left out.
    pub(crate) fn list(
        &self,
        prefix: &Location,
        start_after: Option<&str>,
    ) -> anyhow::Result<Vec<Object>> {
        let list = self.client.list_objects_v2().bucket(&prefix.bucket).prefix(&prefix.key);
        let mut pages =
            list.set_start_after(start_after.map(str::to_owned)).into_paginator().send();
        let mut objects = Vec::new();
        self.runtime.block_on(async {
            while let Some(page) = pages.next().await {
                for object in page.map_err(|error| told(&error))?.contents.unwrap_or_default() {
                    let Some(key) = object.key else { continue };
                    objects.push(Object {
                        size: object.size.and_then(|size| u64::try_from(size).ok()),
                        modified: object.last_modified.and_then(timestamp),
                        ..Object::at(Location { bucket: prefix.bucket.clone(), key })
                    });
                }
            }
            Ok(objects)
        })
    }

    /// Opens some bytes of an object; `stop` ends the waiting for a server that does not answer.
    pub(crate) fn open(
        &self,
        object: &Object,
        bytes: Range<u64>,
        stop: &Stop,
    ) -> anyhow::Result<Body> {
        let mut body = Body {
            s3: self.clone(),
            object: object.clone(),
            stream: None,
            chunk: Bytes::new(),
            at: bytes.start,
            end: bytes.end,
            stop: stop.clone(),
        };
        body.connect_patiently()?;
        Ok(body)
    }

    /// The entity tag of what an object holds now, and whether it holds rejects of ours.
    pub(crate) fn head(&self, object: &Object) -> anyhow::Result<(Option<String>, bool)> {
        let Object { location: Location { bucket, key }, version_id, .. } = object;
        let head = self.client.head_object().bucket(bucket).key(key);
        let head = head.set_version_id(version_id.clone()).send();
        let head = self.runtime.block_on(head).map_err(|error| told(&error))?;
        let holds_rejects = head.metadata.is_some_and(|meta| meta.contains_key(HOLDS_REJECTS));
        Ok((head.e_tag, holds_rejects))
    }

    /// A small object, if it is there.
    pub(crate) fn get(&self, location: &Location) -> anyhow::Result<Option<Bytes>> {
        let get = self.client.get_object().bucket(&location.bucket).key(&location.key);
        self.runtime.block_on(async {
            match get.send().await {
                Ok(got) => Ok(Some(got.body.collect().await?.into_bytes())),
                Err(error) if error.code() == Some("NoSuchKey") => Ok(None),
                Err(error) => Err(told(&error)),
            }
        })
    }

    /// Writes rejects.
    pub(crate) fn put_rejects(&self, location: &Location, lines: Bytes) -> anyhow::Result<()> {
        let put = self.client.put_object().bucket(&location.bucket).key(&location.key);
        let put = put.content_type("application/x-ndjson").metadata(HOLDS_REJECTS, "1");
        let put = put.body(ByteStream::from(lines)).send();
        self.runtime.block_on(put).map_err(|error| told(&error))?;
        Ok(())
    }

    /// Writes a small object.
    pub(crate) fn put(&self, location: &Location, json: Vec<u8>) -> anyhow::Result<()> {
        let put = self.client.put_object().bucket(&location.bucket).key(&location.key);
        let put = put.content_type("application/json").body(ByteStream::from(json)).send();
        self.runtime.block_on(put).map_err(|error| told(&error))?;
        Ok(())
    }

    /// Removes an object, if it is there.
    pub(crate) fn delete(&self, location: &Location) -> anyhow::Result<()> {
        let delete = self.client.delete_object().bucket(&location.bucket).key(&location.key);
        self.runtime.block_on(delete.send()).map_err(|error| told(&error))?;
        Ok(())
    }
}

/// An object's bytes, as they lie there.
pub(crate) struct Body {
    s3: S3,
    /// What is known of it; its entity tag makes sure that it does not change under the reader.
    object: Object,
    stream: Option<ByteStream>,
    chunk: Bytes,
    /// The byte that was reached, and where to stop.
    at: u64,
    end: u64,
    stop: Stop,
}

impl Body {
    /// What is known of the object by now, with its entity tag.
    pub(crate) fn object(&self) -> Object {
        self.object.clone()
    }

    /// When it was written.
    pub(crate) fn modified(&self) -> Option<Timestamp> {
        self.object.modified
    }

    /// Asks for what is left.
    fn connect(&mut self) -> anyhow::Result<()> {
        let Object { location, version_id, etag, .. } = &self.object;
        let mut get = self.s3.client.get_object().bucket(&location.bucket).key(&location.key);
        get = get.set_version_id(version_id.clone()).set_if_match(etag.clone());
        get = match (self.at, self.end) {
            (0, u64::MAX) => get,
            (at, u64::MAX) => get.range(format!("bytes={at}-")),
            (at, end) => get.range(format!("bytes={at}-{}", end - 1)),
        };
        let got = match self.s3.runtime.block_on(get.send()) {
            // There is nothing after the last byte.
            Err(error) if self.at > 0 && error.code() == Some("InvalidRange") => {
                self.end = self.at;
                self.stream = Some(ByteStream::default());
                return Ok(());
            }
            got => got.map_err(|error| told(&error))?,
        };
        if self.at > 0 && got.content_range.is_none() {
            let error = anyhow::anyhow!("the server does not give parts of objects");
            return Err(with_hint(error, "use S3 or a server that knows the Range header"));
        }
        if let Some(length) = got.content_length.and_then(|length| u64::try_from(length).ok()) {
            self.end = self.at + length;
        }
        self.object.etag = self.object.etag.take().or(got.e_tag);
        self.object.modified = got.last_modified.and_then(timestamp);
        self.stream = Some(got.body);
        Ok(())
    }

    /// Asks until there is an answer that will not be another one later.
    fn connect_patiently(&mut self) -> anyhow::Result<()> {
        let mut failures = 0;
        loop {
            match self.connect() {
                Err(error) if failures < MAX_RETRIES && !is_final(&error) => {
                    failures += 1;
                    self.pause(failures)?;
                }
                done => return done,
            }
        }
    }

    /// Waits before asking again.
    fn pause(&self, failures: u32) -> anyhow::Result<()> {
        let pause = Duration::from_millis(50 << failures.min(6));
        std::thread::sleep(pause.mul_f64(fastrand::f64().mul_add(0.5, 0.5)));
        match self.stop.is_set() {
            true => Err(anyhow::anyhow!("stopped while S3 did not answer")),
            false => Ok(()),
        }
    }

    /// The next bytes; none at the end.
    fn next(&mut self) -> anyhow::Result<Option<Bytes>> {
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
                    // All of it came, and what is wrong is its checksum.
                    Some(Err(error)) if self.at == self.end => {
                        return Err(anyhow::Error::new(error).context("its checksum is wrong"));
                    }
                    None | Some(Err(_)) => self.stream = None,
                }
            }
            failures += 1;
            if failures > MAX_RETRIES {
                let error =
                    anyhow::anyhow!("the connection breaks again and again at byte {}", self.at);
                return Err(with_hint(error, "check the network and the proxies on the way to S3"));
            }
            self.pause(failures)?;
            tracing::debug!("asking for {} again at byte {}", self.object.location, self.at);
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

fn timestamp(time: DateTime) -> Option<Timestamp> {
    time.to_millis().ok().map(Timestamp::from_millis)
}

/// What S3 says, in its own words, with a remedy.
fn told<E, R>(error: &SdkError<E, R>) -> anyhow::Error
where
    SdkError<E, R>: std::error::Error + ProvideErrorMetadata,
{
    let (code, message) = (error.code(), error.message());
    let words = match (code, message) {
        (Some(code), Some(message)) => format!("{code}: {message}"),
        (Some(code), None) => code.to_owned(),
        _ => {
            let words = innermost(error);
            // The list of where credentials were looked for has a line each.
            let first = words.lines().next().unwrap_or_default();
            first.trim_end_matches(". Attempted:").to_owned()
        }
    };
    let hint = match code {
        Some("NoSuchBucket" | "NoSuchKey") => {
            "check the name: s3://bucket/key-or-prefix; it may have been deleted"
        }
        Some("NoSuchVersion") => "that version has been deleted",
        Some("PreconditionFailed") => "the object was changed while it was read: read it again",
        Some("AccessDenied" | "Forbidden") => {
            "let the role have s3:GetObject (and s3:GetObjectVersion, s3:ListBucket) on what it reads, s3:PutObject, s3:GetObject and s3:DeleteObject where rejects go, and the KMS key if there is one"
        }
        Some("InvalidAccessKeyId" | "SignatureDoesNotMatch" | "ExpiredToken") => {
            "check the AWS credentials: aws sts get-caller-identity"
        }
        Some("SlowDown" | "ServiceUnavailable" | "InternalError" | "RequestTimeout") => {
            "S3 is busy: try again later"
        }
        Some("InvalidObjectState") => "it is archived: restore it from Glacier first",
        _ => "check AWS_REGION, the credentials (aws sts get-caller-identity) and AWS_ENDPOINT_URL",
    };
    S3Error { words, code: code.map(str::to_owned), hint }.into()
}

/// What S3 answered.
#[derive(Debug, thiserror::Error)]
#[error("{words}")]
pub(crate) struct S3Error {
    words: String,
    code: Option<String>,
    pub(crate) hint: &'static str,
}

/// Whether asking again would be answered in the same way: S3 has said something about this object.
fn is_final(error: &anyhow::Error) -> bool {
    let code = error.downcast_ref::<S3Error>().and_then(|error| error.code.as_deref());
    code.is_some_and(|code| {
        !matches!(code, "SlowDown" | "InternalError" | "ServiceUnavailable" | "RequestTimeout")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_are_buckets_and_keys() {
        let prefix: Location = "s3://tweets/rejects".parse().unwrap();
        assert_eq!(prefix.join("a b").to_string(), "s3://tweets/rejects/a b");
        assert!("s3://tweets".parse::<Location>().unwrap().covers(&prefix));
        assert!(!"s3://other/rejects".parse::<Location>().unwrap().covers(&prefix));
        for wrong in ["", "tweets/rejects", "s3://", "s3:///key", "https://tweets/"] {
            assert!(wrong.parse::<Location>().is_err(), "{wrong}");
        }
    }
}
