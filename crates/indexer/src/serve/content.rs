//! A body that many are sent: compressed once for all of them, with a tag by which a client knows it again.

use std::hash::Hasher;
use std::io::Write;
use std::sync::OnceLock;

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

/// Smaller bodies are not compressed: they fit into one packet as they are.
const WORTH_IT: usize = 1_000;

/// A body in all the forms that it is sent in.
pub(super) struct Content {
    content_type: &'static str,
    tag: HeaderValue,
    plain: Bytes,
    gzip: OnceLock<Bytes>,
    brotli: OnceLock<Bytes>,
    /// From 0, fast, to 11, small.
    quality: u8,
}

impl Content {
    /// A body that is sent often.
    pub(super) fn lasting(content_type: &'static str, plain: &'static [u8]) -> Content {
        Content::new(content_type, Bytes::from_static(plain), 9)
    }

    /// A body that soon is another one.
    pub(super) fn json(plain: Vec<u8>) -> Content {
        Content::new("application/json", plain.into(), 4)
    }

    fn new(content_type: &'static str, plain: Bytes, quality: u8) -> Content {
        let mut hasher = SipHasher13::new();
        hasher.write(&plain);
        // Weak: the same for all encodings.
        let tag = format!("W/\"{:032x}\"", hasher.finish128().as_u128());
        let tag = HeaderValue::try_from(tag).unwrap_or_else(|_| HeaderValue::from_static("*"));
        let (gzip, brotli) = (OnceLock::new(), OnceLock::new());
        Content { content_type, tag, plain, gzip, brotli, quality }
    }

    /// How many bytes it takes, compressed forms included.
    pub(super) fn weight(&self) -> usize {
        self.plain.len() * 3 / 2
    }

    /// The answer to a request with such headers.
    pub(super) fn response(&self, request: &HeaderMap) -> Response<Body> {
        let mut response = Response::new(Body::empty());
        let headers = response.headers_mut();
        headers.insert(ETAG, self.tag.clone());
        headers.insert(VARY, HeaderValue::from_static("accept-encoding"));
        // To be asked each time whether it is still the same.
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

    fn encoding(&self, request: &HeaderMap) -> Option<(&'static str, &Bytes)> {
        if self.plain.len() < WORTH_IT {
            return None;
        }
        let accepts = |name: &str| {
            let lists =
                request.get_all(ACCEPT_ENCODING).into_iter().filter_map(|l| l.to_str().ok());
            lists.flat_map(|list| list.split(',')).any(|encoding| {
                let (given, weight) = encoding.split_once(';').unwrap_or((encoding, ""));
                let weight = weight.trim().trim_start_matches("q=");
                given.trim().eq_ignore_ascii_case(name) && weight.parse() != Ok(0.0)
            })
        };
        if accepts("br") {
            return Some(("br", self.brotli.get_or_init(|| brotli(&self.plain, self.quality))));
        }
        accepts("gzip").then(|| ("gzip", self.gzip.get_or_init(|| gzip(&self.plain, self.quality))))
    }
}

fn gzip(plain: &[u8], quality: u8) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::new(u32::from(quality.min(9))));
    // Memory takes it.
    let _ = encoder.write_all(plain);
    encoder.finish().unwrap_or_default().into()
}

fn brotli(plain: &[u8], quality: u8) -> Bytes {
    let mut out = Vec::new();
    let mut encoder = brotli::CompressorWriter::new(&mut out, 64 * 1024, u32::from(quality), 22);
    // Memory takes it.
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
