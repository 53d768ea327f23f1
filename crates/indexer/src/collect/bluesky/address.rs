//! The address at which a Jetstream is asked for events: what they are about, and from where on.

use super::{POSTS, Stream};
use crate::config::Jetstream;

/// How far a time cursor is set back: on the server that it comes from, and on another, since servers see events at
/// different times, and their clocks differ.
const OVERLAP_US: (i64, i64) = (1_000_000, 120_000_000);
impl Stream<'_> {
    /// The address to connect to, with the cursor.
    pub(super) fn url(&self, host: &str) -> String {
        let base = match host.contains("://") {
            true => host.trim_end_matches('/').to_owned(),
            false => format!("wss://{host}"),
        };
        let accounts = self.intake.conditions.accounts.iter();
        let dids: Vec<&String> = accounts.filter(|account| account.starts_with("did:")).collect();
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        let overlap = if self.mark.host == host { OVERLAP_US.0 } else { OVERLAP_US.1 };
        // A time that is yet to come would mean the present.
        let now = crate::clock::now() * 1000;
        let rewound =
            self.mark.time_us.map(|time| (time.min(now) - overlap).max(1_000_000_000_000_000));
        let path = match self.config.version {
            Jetstream::V1 => {
                query.append_pair("wantedCollections", POSTS);
                query.extend_pairs(dids.iter().map(|did| ("wantedDids", did)));
                if let Some(time) = rewound {
                    query.append_pair("cursor", &time.to_string());
                }
                "/subscribe"
            }
            Jetstream::V2 => {
                query.append_pair("kinds", "commit").append_pair("collections", POSTS);
                query.extend_pairs(dids.iter().map(|did| ("dids", did)));
                let seq = self.mark.seq.filter(|_| self.mark.host == host);
                if let Some(cursor) =
                    seq.map(|seq| seq.to_string()).or(rewound.map(|t| t.to_string()))
                {
                    query.append_pair("cursor", &cursor);
                }
                if let Some(id) = self.inflater.id().filter(|_| self.is_compressed) {
                    query.append_pair("zstdDictionary", &id.to_string());
                }
                "/xrpc/network.bsky.jetstream.subscribeEvents"
            }
        };
        format!("{base}{path}?{}", query.finish())
    }
}
