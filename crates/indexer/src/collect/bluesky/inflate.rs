//! Frames that a server has compressed with zstd and a dictionary of its own.

use std::io::Read;
use std::time::Duration;

use ruzstd::decoding::{BlockDecodingStrategy, Dictionary, FrameDecoder};

use crate::foreign::innermost;

/// A frame of Jetstream has a few kilobytes; records may have a megabyte.
const MAX_FRAME: usize = 16 * 1024 * 1024;

/// Decompresses frames, once it has the dictionary.
#[derive(Default)]
pub(super) struct Inflater {
    decoder: Option<(u32, FrameDecoder)>,
    /// Whether a dictionary was forgotten before.
    has_forgotten: bool,
}

impl Inflater {
    /// The id of the dictionary.
    pub(super) fn id(&self) -> Option<u32> {
        self.decoder.as_ref().map(|(id, _)| *id)
    }

    /// Forgets a dictionary that the server does not know. Returns whether it makes sense to ask for another one: not the
    /// second time.
    pub(super) fn forget(&mut self) -> bool {
        self.decoder = None;
        !std::mem::replace(&mut self.has_forgotten, true)
    }

    /// Gets the dictionary of a server, unless it is there already.
    pub(super) async fn fetch(&mut self, host: &str) -> Result<(), String> {
        if self.decoder.is_some() {
            return Ok(());
        }
        let base = match host.split_once("://") {
            Some(("ws", rest)) => format!("http://{rest}"),
            Some((_, rest)) => format!("https://{rest}"),
            None => format!("https://{host}"),
        };
        let base = base.trim_end_matches('/');
        let url = format!("{base}/xrpc/network.bsky.jetstream.getZstdDictionary");
        let lost = |error: reqwest::Error| innermost(&error.without_url());
        let client = reqwest::Client::builder().timeout(Duration::from_secs(20)).build();
        let answer = client.map_err(lost)?.get(url).send().await.map_err(lost)?;
        let answer = answer.error_for_status().map_err(lost)?;
        let raw = answer.bytes().await.map_err(lost)?;
        self.use_dictionary(&raw)
    }

    fn use_dictionary(&mut self, raw: &[u8]) -> Result<(), String> {
        let dictionary = Dictionary::decode_dict(raw).map_err(|error| error.to_string())?;
        let id = dictionary.id;
        let mut decoder = FrameDecoder::new();
        decoder.add_dict(dictionary).map_err(|error| error.to_string())?;
        self.decoder = Some((id, decoder));
        Ok(())
    }

    /// Decompresses a frame.
    pub(super) fn inflate(&mut self, frame: &[u8]) -> Result<Vec<u8>, String> {
        let Some((_, decoder)) = &mut self.decoder else {
            return Err("compression was not requested".to_owned());
        };
        let mut rest = frame;
        decoder.reset(&mut rest).map_err(|error| error.to_string())?;
        let mut text = Vec::new();
        while !decoder.is_finished() {
            decoder
                .decode_blocks(&mut rest, BlockDecodingStrategy::UptoBytes(1024 * 1024))
                .map_err(|error| error.to_string())?;
            decoder.read_to_end(&mut text).map_err(|error| error.to_string())?;
            if text.len() > MAX_FRAME {
                return Err("it is longer than 16 MiB".to_owned());
            }
        }
        decoder.read_to_end(&mut text).map_err(|error| error.to_string())?;
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_decompressed_with_the_server_s_dictionary_alone() {
        let mut inflater = Inflater::default();
        let frame = include_bytes!("../../../test_data/jetstream_frame.zst");
        assert!(inflater.inflate(frame).is_err());
        let dictionary = include_bytes!("../../../test_data/jetstream.dictionary");
        inflater.use_dictionary(dictionary).unwrap();
        assert_eq!(inflater.id(), Some(7));
        let expected = include_bytes!("../../../test_data/jetstream_frame.json").trim_ascii_end();
        for _ in 0..2 {
            assert_eq!(inflater.inflate(frame).unwrap(), expected);
        }
        assert!(inflater.inflate(&frame[..frame.len() - 5]).is_err());
        assert!(inflater.inflate(b"no zstd").is_err());
    }
}
