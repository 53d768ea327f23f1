//! A response body that is sent to many clients: it is compressed once, and has an entity tag by which clients
//! recognize it.

use std::hash::Hasher;
use std::io::Write;

use axum::body::Body;
use axum::http::header::{
    ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, HeaderMap, HeaderValue,
    IF_NONE_MATCH, VARY,
};
use axum::http::{Response, StatusCode};
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use siphasher::sip128::{Hasher128, SipHasher13};

/// Bodies of fewer bytes are not compressed: they fit into one packet as they are.
const WORTH_IT: usize = 1_000;

/// A body in all the forms that it is sent in.
pub(super) struct Content {
    content_type: &'static str,
    tag: HeaderValue,
    plain: Bytes,
    /// Compressed, if that is worth it.
    gzip: Option<Bytes>,
    brotli: Option<Bytes>,
}

impl Content {
    /// A body that never changes, and so deserves the best compression.
    pub(super) fn lasting(content_type: &'static str, plain: &'static [u8]) -> Content {
        Content::new(content_type, Bytes::from_static(plain), 9)
    }

    /// A JSON body that will soon be out of date, and so is compressed fast rather than well.
    pub(super) fn json(plain: Vec<u8>) -> Content {
        Content::new("application/json", plain.into(), 4)
    }

    /// `quality` of compression is from 0, fast, to 9, small.
    fn new(content_type: &'static str, plain: Bytes, quality: u8) -> Content {
        let mut hasher = SipHasher13::new();
        hasher.write(&plain);
        // A weak tag, because it is the same for all encodings.
        let tag = format!("W/\"{:032x}\"", hasher.finish128().as_u128());
        let tag = HeaderValue::try_from(tag).unwrap_or_else(|_| HeaderValue::from_static("*"));
        let is_worth_it = plain.len() >= WORTH_IT;
        let gzip = is_worth_it.then(|| gzip(&plain, quality));
        let brotli = is_worth_it.then(|| brotli(&plain, quality));
        Content { content_type, tag, plain, gzip, brotli }
    }

    /// How many bytes it takes, compressed forms included.
    pub(super) fn weight(&self) -> usize {
        let compressed = [&self.gzip, &self.brotli].into_iter().flatten();
        self.plain.len() + compressed.map(Bytes::len).sum::<usize>()
    }

    /// The response to a request with these headers: the body, or 304 if the client has it already.
    pub(super) fn response(&self, request: &HeaderMap) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        let headers = response.headers_mut();
        headers.insert(ETAG, self.tag.clone());
        headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
        // A client may keep the body, but must ask each time whether it is still current.
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
        if self.is_known(request) {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
            return response;
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        let body = match self.encoding(request) {
            Some((name, body)) => {
                headers.insert(CONTENT_ENCODING, HeaderValue::from_static(name));
                body
            }
            None => &self.plain,
        };
        *response.body_mut() = Body::from(body.clone());
        response
    }

    fn is_known(&self, request: &HeaderMap) -> bool {
        let strong = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
        let ours = self.tag.to_str().map(strong).unwrap_or_default();
        let known =
            request.get_all(IF_NONE_MATCH).into_iter().filter_map(|tags| tags.to_str().ok());
        known.flat_map(|tags| tags.split(',')).any(|tag| tag.trim() == "*" || strong(tag) == ours)
    }

    /// The encoding that the client prefers; among equals Brotli, since it is the smallest. `None` if the body is to
    /// be sent as it is.
    fn encoding(&self, request: &HeaderMap) -> Option<(&'static str, &Bytes)> {
        let (brotli, gzip) = (self.brotli.as_ref()?, self.gzip.as_ref()?);
        let all = [("gzip", gzip), ("br", brotli)];
        let liked = all.into_iter().map(|(name, body)| (weight(request, name), name, body));
        let best = liked.max_by(|(a, ..), (b, ..)| a.total_cmp(b));
        best.filter(|(weight, ..)| *weight > 0.0).map(|(_, name, body)| (name, body))
    }
}

/// How much a client likes an encoding, from 0, not at all, to 1 (RFC 9110, 12.5.3).
fn weight(request: &HeaderMap, name: &str) -> f32 {
    let lists = request.get_all(ACCEPT_ENCODING).into_iter().filter_map(|list| list.to_str().ok());
    let (mut named, mut others) = (None, 0.0);
    for encoding in lists.flat_map(|list| list.split(',')) {
        let mut parts = encoding.split(';').map(str::trim);
        let given = parts.next().unwrap_or_default();
        let weight = parts.find_map(|part| {
            let (key, value) = part.split_once('=')?;
            key.trim().eq_ignore_ascii_case("q").then(|| value.trim().parse().unwrap_or(0.0))
        });
        let weight = weight.unwrap_or(1.0);
        match given {
            "*" => others = weight,
            _ if given.eq_ignore_ascii_case(name) => named = Some(weight),
            _ => {}
        }
    }
    named.unwrap_or(others)
}

fn gzip(plain: &[u8], quality: u8) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(u32::from(quality.min(9))));
    // Writing to memory does not fail.
    let _ = encoder.write_all(plain);
    encoder.finish().unwrap_or_default().into()
}

fn brotli(plain: &[u8], quality: u8) -> Bytes {
    let mut out = Vec::new();
    let mut encoder = brotli::CompressorWriter::new(&mut out, 64 * 1024, u32::from(quality), 22);
    // Writing to memory does not fail.
    let _ = encoder.write_all(plain);
    drop(encoder);
    out.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(name: &'static str, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(
            axum::http::HeaderName::from_static(name),
            HeaderValue::from_str(value).unwrap(),
        )])
    }

    #[test]
    fn what_a_client_takes_is_sent() {
        let content = Content::json(vec![b' '; 5_000]);
        for (accepted, sent) in [
            ("gzip, deflate, br", Some("br")),
            ("gzip", Some("gzip")),
            ("br;q=0, GZIP;q=0.5", Some("gzip")),
            ("br;q=0.1,gzip;q=1.0", Some("gzip")),
            ("gzip ; Q = 0", None),
            ("*", Some("br")),
            ("*, br;q=0", Some("gzip")),
            ("identity", None),
            ("", None),
        ] {
            let response = content.response(&request("accept-encoding", accepted));
            let encoding = response.headers().get(CONTENT_ENCODING);
            assert_eq!(encoding.map(|e| e.to_str().unwrap()), sent, "{accepted}");
        }
    }

    #[test]
    fn what_a_client_has_is_not_sent_again() {
        let content = Content::json(b"{}".to_vec());
        let tag = content.tag.to_str().unwrap().to_owned();
        for (known, status) in [(tag.as_str(), 304), ("\"x\", *", 304), ("W/\"x\"", 200)] {
            assert_eq!(content.response(&request("if-none-match", known)).status(), status);
        }
    }
}
