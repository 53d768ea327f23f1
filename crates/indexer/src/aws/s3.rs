//! Objects in S3, or in any server with its API: listed, written, and read as streams that survive broken connections.

use std::ops::Range;

use aws_sdk_s3::config::ResponseChecksumValidation;
use aws_sdk_s3::error::ProvideErrorMetadata;
use aws_sdk_s3::primitives::ByteStream;
use bytes::Bytes;
use tokio::runtime::Runtime;

use super::{config, own_endpoint};
use crate::failure::{Context, Failure, Result};
use crate::foreign::innermost;
use crate::runtime::runtime;
use crate::stop::Stop;

mod body;
mod error;
mod object;
mod uri;

pub(crate) use body::Body;
use body::timestamp;
pub(crate) use error::S3Error;
pub(crate) use object::S3Object;
pub(crate) use uri::S3Uri;

/// The metadata by which objects with rejects are recognized.
const HOLDS_REJECTS: &str = "tweet-indexer-rejects";

/// A client of S3; clones share its connections.
#[derive(Debug, Clone)]
pub(crate) struct S3 {
    runtime: &'static Runtime,
    client: aws_sdk_s3::Client,
}

impl S3 {
    /// A client with the settings of this process.
    pub(crate) fn new() -> Result<S3> {
        let runtime = runtime().context("cannot start threads")?;
        let config = runtime.block_on(config());
        let has_own_endpoint = config.endpoint_url().is_some() || own_endpoint("S3").is_some();
        let s3 = aws_sdk_s3::config::Builder::from(config)
            // Servers other than AWS usually have no host name for each bucket.
            .force_path_style(has_own_endpoint)
            // Neither a part of an object nor an object that was uploaded in parts has a checksum to compare with.
            .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
            .build();
        let client = aws_sdk_s3::Client::from_conf(s3);
        Ok(S3 { runtime, client })
    }

    /// Lists the objects below a prefix page by page, in the order of their keys, and calls `visit` with each until
    /// it returns false. Keys up to and including `start_after` are left out.
    pub(crate) fn list(
        &self,
        prefix: &S3Uri,
        start_after: Option<&str>,
        mut visit: impl FnMut(S3Object) -> bool,
    ) -> Result<()> {
        let list = self.client.list_objects_v2().bucket(&prefix.bucket).prefix(&prefix.key);
        let mut pages =
            list.set_start_after(start_after.map(str::to_owned)).into_paginator().send();
        while let Some(page) = self.runtime.block_on(pages.next()) {
            let page = page.map_err(|error| S3Error::of(&error))?;
            for object in page.contents.unwrap_or_default() {
                // The SDK has all fields as optional; S3 always sends this one.
                let Some(key) = object.key else { continue };
                let is_wanted = visit(S3Object {
                    size: object.size.and_then(|size| u64::try_from(size).ok()),
                    modified: object.last_modified.and_then(timestamp),
                    ..S3Object::at(S3Uri { bucket: prefix.bucket.clone(), key })
                });
                if !is_wanted {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Opens a range of bytes of an object. If the server does not answer, retrying ends when `stop` is set.
    pub(crate) fn open(&self, object: &S3Object, bytes: Range<u64>, stop: &Stop) -> Result<Body> {
        let mut body = Body {
            s3: self.clone(),
            object: object.clone(),
            stream: None,
            chunk: Bytes::new(),
            at: bytes.start,
            end: bytes.end,
            size: None,
            stop: stop.clone(),
        };
        body.connect_patiently()?;
        Ok(body)
    }

    /// The entity tag of an object's current content, and whether that content is rejects written by this program.
    pub(crate) fn head(&self, object: &S3Object) -> Result<(Option<String>, bool)> {
        let S3Object { uri: S3Uri { bucket, key }, version_id, .. } = object;
        let head = self.client.head_object().bucket(bucket).key(key);
        let head = head.set_version_id(version_id.clone()).send();
        let head = self.runtime.block_on(head).map_err(|error| S3Error::of(&error))?;
        let holds_rejects = head.metadata.is_some_and(|meta| meta.contains_key(HOLDS_REJECTS));
        Ok((head.e_tag, holds_rejects))
    }

    /// Reads a small object, if it is there.
    pub(crate) fn get(&self, uri: &S3Uri) -> Result<Option<Bytes>> {
        Ok(self.get_tagged(uri)?.map(|(body, _)| body))
    }

    /// Reads a small object with its ETag, if it is there.
    pub(crate) fn get_tagged(&self, uri: &S3Uri) -> Result<Option<(Bytes, Option<String>)>> {
        let get = self.client.get_object().bucket(&uri.bucket).key(&uri.key);
        self.runtime.block_on(async {
            match get.send().await {
                Ok(got) => match got.body.collect().await {
                    Ok(body) => Ok(Some((body.into_bytes(), got.e_tag))),
                    Err(error) => Err(Failure::new(innermost(&error))),
                },
                Err(error) if error.code() == Some("NoSuchKey") => Ok(None),
                Err(error) => Err(S3Error::of(&error).into()),
            }
        })
    }

    /// Writes an object with rejects, marked as such by its metadata.
    pub(crate) fn put_rejects(&self, uri: &S3Uri, lines: Bytes) -> Result<()> {
        let put = self.client.put_object().bucket(&uri.bucket).key(&uri.key);
        let put = put.content_type("application/x-ndjson").metadata(HOLDS_REJECTS, "1");
        let put = put.body(ByteStream::from(lines)).send();
        self.runtime.block_on(put).map_err(|error| S3Error::of(&error))?;
        Ok(())
    }

    /// Writes an object of gzipped NDJSON.
    pub(crate) fn put_gzip(&self, uri: &S3Uri, gzip: Bytes) -> Result<()> {
        let put = self.client.put_object().bucket(&uri.bucket).key(&uri.key);
        let put = put.content_type("application/x-ndjson");
        let put = put.body(ByteStream::from(gzip)).send();
        self.runtime.block_on(put).map_err(|error| S3Error::of(&error))?;
        Ok(())
    }

    /// Writes a small object.
    pub(crate) fn put(&self, uri: &S3Uri, json: Vec<u8>) -> Result<()> {
        let put = self.client.put_object().bucket(&uri.bucket).key(&uri.key);
        let put = put.content_type("application/json").body(ByteStream::from(json)).send();
        self.runtime.block_on(put).map_err(|error| S3Error::of(&error))?;
        Ok(())
    }

    /// Writes a small object if it is still the one with this ETag, or, without one, if there is none. Returns whether it was.
    pub(crate) fn put_unless_changed(
        &self,
        uri: &S3Uri,
        json: Vec<u8>,
        e_tag: Option<&str>,
    ) -> Result<bool> {
        let put = self.client.put_object().bucket(&uri.bucket).key(&uri.key);
        let put = put.content_type("application/json").body(ByteStream::from(json));
        let put = match e_tag {
            Some(e_tag) => put.if_match(e_tag),
            None => put.if_none_match("*"),
        };
        match self.runtime.block_on(put.send()) {
            Ok(_) => Ok(true),
            Err(error)
                if matches!(
                    error.code(),
                    Some("PreconditionFailed" | "ConditionalRequestConflict")
                ) =>
            {
                Ok(false)
            }
            Err(error) => Err(S3Error::of(&error).into()),
        }
    }

    /// Removes an object, if it is there.
    pub(crate) fn delete(&self, uri: &S3Uri) -> Result<()> {
        let delete = self.client.delete_object().bucket(&uri.bucket).key(&uri.key);
        self.runtime.block_on(delete.send()).map_err(|error| S3Error::of(&error))?;
        Ok(())
    }
}
