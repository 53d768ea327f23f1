//! Bluesky's Jetstream: every public post as it is written, over a WebSocket, without an account.
//!
//! Version 2 (`network.bsky.jetstream.subscribeEvents`) numbers its events, and these numbers mean something on the server
//! that gave them alone; on another one, time is the cursor. Version 1 (`/subscribe`) knows times alone. Both send an
//! event at least once (<https://github.com/bluesky-social/jetstream/blob/main/docs/README.md>, section 5). A frame of data
//! that a client sends would end the connection, so none is sent.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error as SocketError, Message};

use super::intake::{Intake, Lines};
use super::ladder::{Clock, Ladder, Trouble, seconds, until_stopped};
use super::state::mark;
use crate::config::{BlueskyConfig, Jetstream};
use crate::failure::{Failure, Result};
use crate::foreign::{beginning, innermost};

mod event;
mod inflate;
mod recent;

use event::{Event, Read};
use inflate::Inflater;
use recent::Recent;

const POSTS: &str = "app.bsky.feed.post";
/// Some event comes at least this often, or the connection is dead: all of Bluesky writes dozens of posts a second.
/// Where only a few accounts are followed, the servers' own pings count.
const SILENCE: Duration = Duration::from_secs(60);
/// How far a time cursor is set back: on the server that it comes from, and on another, since servers see events at
/// different times.
const OVERLAP_US: (i64, i64) = (1_000_000, 5_000_000);
/// How long events are gathered before they are put into the spool.
const GATHER: Duration = Duration::from_millis(250);
const GATHER_RECORDS: u64 = 1_000;
/// How long a connection must last to count as one that works.
const WORKS_AFTER: Duration = Duration::from_secs(5);
/// Servers keep events for 36 hours; some less.
const LOOK_BACK_US: i64 = 24 * 3_600_000_000;

/// Where a stream goes on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Mark {
    /// The server that gave the number.
    #[serde(default)]
    host: String,
    /// The number of the last event that has come, on that server; of version 2 alone.
    #[serde(default)]
    seq: Option<u64>,
    /// When it was seen by the server, in microseconds since 1970.
    #[serde(default)]
    time_us: Option<i64>,
}

/// Follows the stream until the run is stopped.
///
/// # Errors
///
/// If a server refuses the request itself.
pub(super) fn run(
    config: BlueskyConfig,
    from: Value,
    intake: &mut Intake,
    clock: Clock,
) -> Result<()> {
    let mut mark: Mark = mark(from)?;
    if mark == Mark::default() {
        mark.time_us = config.since.map(|time| time.as_millis() * 1000);
    }
    let is_handle = |account: &&String| !account.starts_with("did:");
    if let Some(handle) = intake.conditions.accounts.iter().find(is_handle) {
        let failure = Failure::new(format!(
            "Jetstream knows accounts by their DIDs alone, and not as `{handle}`"
        ));
        return Err(failure.with_hint(
            "look it up: https://public.api.bsky.app/xrpc/com.atproto.identity.resolveHandle?handle=HANDLE",
        ));
    }
    if intake.conditions.has_geo || intake.conditions.bounding_box.is_some() {
        let failure = Failure::new(
            "posts of Bluesky have no location, so --has-geo and --bbox would keep none",
        );
        return Err(failure);
    }
    let inflater = Inflater::default();
    let is_compressed = config.is_compressed && config.version == Jetstream::V2;
    let mut stream = Stream {
        config,
        intake,
        mark,
        recent: Recent::default(),
        lines: Lines::default(),
        inflater,
        is_compressed,
        gap_before: None,
        is_heard: false,
    };
    let runtime = crate::runtime::runtime()?;
    let mut ladder = Ladder::default();
    let mut refusals = 0;
    let mut host =
        stream.config.hosts.iter().position(|host| *host == stream.mark.host).unwrap_or(0);
    loop {
        let name = stream.config.hosts[host % stream.config.hosts.len()].clone();
        let stop = stream.intake.stop.clone();
        let ended = runtime.block_on(until_stopped(stream.connect(&name, &mut ladder), &stop));
        if !stream.flush()? {
            return Ok(());
        }
        let why = match ended {
            None | Some(Ok(Ended::Full)) => return Ok(()),
            Some(Ok(Ended::Broken(why))) => why,
            // Again at once, without what the server does not know.
            Some(Ok(Ended::Again)) => continue,
            Some(Ok(Ended::Refused(failure))) => {
                refusals += 1;
                if refusals >= stream.config.hosts.len() {
                    return Err(failure);
                }
                host += 1;
                failure.story()
            }
            Some(Err(failure)) => return Err(failure),
        };
        if stream.is_heard {
            refusals = 0;
        }
        let wait = ladder.wait(Trouble::Network, clock.now());
        // A server that was just there may come back at once; after that it is the next one's turn.
        if ladder.failures() > 1 {
            host += 1;
        }
        tracing::info!(
            "{name}: {why}; reconnecting in {}, {} records received so far",
            seconds(wait),
            stream.intake.meter.received.get()
        );
        if runtime.block_on(until_stopped(clock.sleep(wait), &stop)).is_none() {
            return Ok(());
        }
        stream.intake.meter.reconnects.inc();
    }
}

/// How a connection ended.
enum Ended {
    Broken(String),
    /// Another one is made at once.
    Again,
    /// The server does not do what it is asked for.
    Refused(Failure),
    /// The run was stopped while the spool was full.
    Full,
}

struct Stream<'s> {
    config: BlueskyConfig,
    intake: &'s mut Intake,
    mark: Mark,
    recent: Recent,
    lines: Lines,
    inflater: Inflater,
    is_compressed: bool,
    /// The time from which on something may be missing, until the first event tells.
    gap_before: Option<i64>,
    /// Whether an event has come over the last connection.
    is_heard: bool,
}

impl Stream<'_> {
    async fn connect(&mut self, host: &str, ladder: &mut Ladder) -> Result<Ended> {
        self.is_heard = false;
        if self.is_compressed
            && let Err(why) = self.inflater.fetch(host).await
        {
            tracing::debug!("{host}: no compression: {why}");
        }
        let url = self.url(host);
        let request = url.as_str().into_client_request().map_err(|error| {
            let failure =
                Failure::new(format!("`{host}` is not a valid host: {}", innermost(&error)));
            failure.with_hint("write it as jetstream.us-east.bsky.network, or ws://127.0.0.1:6008")
        })?;
        tracing::debug!("connecting to {url}");
        // Version 2 has a subprotocol, `xrpc.v1.json`. It is not asked for: without it, servers send the same frames.
        let connecting = tokio_tungstenite::connect_async(request);
        let connected = tokio::time::timeout(Duration::from_secs(20), connecting).await;
        let (mut socket, _) = match connected {
            Ok(Ok(connected)) => connected,
            Ok(Err(SocketError::Http(answer))) => {
                let body = answer.body().as_deref().unwrap_or_default();
                return Ok(self.refused(host, answer.status().as_u16(), body));
            }
            Ok(Err(error)) => return Ok(Ended::Broken(innermost(&error))),
            Err(_) => return Ok(Ended::Broken("no answer in 20 s".to_owned())),
        };
        tracing::info!("connected to {host}");
        let now = crate::clock::now() * 1000;
        self.gap_before = self.mark.time_us.filter(|time| now - time > LOOK_BACK_US);
        if self.mark.host != host {
            self.mark.seq = None;
            host.clone_into(&mut self.mark.host);
        }
        let connected_at = Instant::now();
        let mut gathered_since: Option<Instant> = None;
        let mut heard = Instant::now();
        loop {
            let wait = match gathered_since {
                Some(since) => GATHER.saturating_sub(since.elapsed()),
                None => SILENCE.saturating_sub(heard.elapsed()),
            };
            let message = match tokio::time::timeout(wait, socket.next()).await {
                Ok(Some(Ok(message))) => message,
                Ok(Some(Err(error))) => {
                    return Ok(Ended::Broken(format!(
                        "the connection broke: {}",
                        innermost(&error)
                    )));
                }
                Ok(None) => {
                    return Ok(Ended::Broken("the server closed the connection".to_owned()));
                }
                Err(_) if gathered_since.is_some() => {
                    gathered_since = None;
                    if !self.flush()? {
                        return Ok(Ended::Full);
                    }
                    continue;
                }
                Err(_) => return Ok(Ended::Broken("nothing came for a minute".to_owned())),
            };
            heard = Instant::now();
            let read = match &message {
                Message::Text(text) => self.frame(text.as_bytes()),
                Message::Binary(bytes) => match self.inflater.inflate(bytes) {
                    Ok(text) => self.frame(&text),
                    Err(why) => {
                        self.is_compressed = false;
                        return Ok(Ended::Broken(format!("a frame cannot be decompressed: {why}")));
                    }
                },
                Message::Close(frame) => {
                    let why = frame.as_ref().map(|frame| beginning(&frame.reason, 100));
                    let why = why.unwrap_or_else(|| "without a reason".to_owned());
                    return Ok(Ended::Broken(format!("the server closed the connection: {why}")));
                }
                _ => None,
            };
            if let Some(why) = read {
                return Ok(Ended::Broken(why));
            }
            self.is_heard = true;
            // One that breaks again and again is no better than one that cannot be made.
            if connected_at.elapsed() > WORKS_AFTER {
                ladder.works();
            }
            if self.lines.records > 0 {
                gathered_since.get_or_insert_with(Instant::now);
            }
            if self.lines.records >= GATHER_RECORDS {
                gathered_since = None;
                if !self.flush()? {
                    return Ok(Ended::Full);
                }
            }
        }
    }

    /// What to do after a server has answered with an error instead of a WebSocket.
    fn refused(&mut self, host: &str, status: u16, body: &[u8]) -> Ended {
        #[derive(Deserialize, Default)]
        #[serde(default)]
        struct XrpcError {
            error: String,
            message: String,
        }
        let XrpcError { error, message } = serde_json::from_slice(body).unwrap_or_default();
        match &*error {
            "CursorTooOld" if self.mark.seq.is_none() && self.mark.time_us.is_some() => {
                let time = self.mark.time_us.take().map(event::readable).unwrap_or_default();
                tracing::warn!(
                    "{host} has no events since {time}: {message}. Beginning with what is posted now"
                );
                Ended::Again
            }
            "CursorTooOld" if self.mark.seq.is_some() => {
                let time = self.mark.time_us.map(event::readable).unwrap_or_default();
                tracing::warn!(
                    "{host} no longer has the events after number {} ({time}): {message}. Resuming from the oldest event that it has. Posts in between are missed",
                    self.mark.seq.unwrap_or_default(),
                );
                self.mark.seq = None;
                Ended::Again
            }
            // Asked for once more, and then done without.
            "UnknownZstdDictionary" if self.is_compressed => {
                self.is_compressed = self.inflater.forget();
                Ended::Again
            }
            // Such as a number that is ahead of the server: time is the cursor that all servers know.
            _ if status == 400 && self.mark.seq.is_some() => {
                tracing::info!(
                    "{host} does not know number {}: {error} {message}",
                    self.mark.seq.unwrap_or_default()
                );
                self.mark.seq = None;
                Ended::Again
            }
            _ if matches!(status, 408 | 429 | 500..) => {
                Ended::Broken(format!("it answered {status} {error}"))
            }
            _ => {
                let said = match message.is_empty() {
                    true => beginning(&String::from_utf8_lossy(body), 200),
                    false => message,
                };
                let failure = Failure::new(format!("{host} answered {status} {error}: {said}"));
                Ended::Refused(failure.with_hint(
                    "check --host and --jetstream: version 1 is served at jetstream1.us-east.bsky.network, version 2 at jetstream.us-east.bsky.network",
                ))
            }
        }
    }

    /// The address to connect to, with the cursor.
    fn url(&self, host: &str) -> String {
        let base = match host.contains("://") {
            true => host.trim_end_matches('/').to_owned(),
            false => format!("wss://{host}"),
        };
        let accounts = self.intake.conditions.accounts.iter();
        let dids: Vec<&String> = accounts.filter(|account| account.starts_with("did:")).collect();
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        let overlap = if self.mark.host == host { OVERLAP_US.0 } else { OVERLAP_US.1 };
        let rewound = self.mark.time_us.map(|time| (time - overlap).max(1_000_000_000_000_000));
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

    /// Takes a frame. Returns why the connection ends, if it does with this frame.
    fn frame(&mut self, frame: &[u8]) -> Option<String> {
        let event = match event::read(frame) {
            Read::Event(event) => event,
            Read::Info(said) => {
                tracing::warn!("the server says: {}", beginning(&said, 300));
                return None;
            }
            Read::Error(said) => {
                return Some(format!("the server says: {}", beginning(&said, 300)));
            }
            Read::Unknown => {
                self.lines.push_unreadable("bluesky", frame.trim_ascii());
                return None;
            }
        };
        let Event { seq, time_us, is_post, key } = event;
        // A time that is yet to come is wrong, and no cursor.
        let latest = crate::clock::now() * 1000 + 3_600_000_000;
        let time_us = time_us.filter(|time| *time < latest);
        if let (Some(before), Some(time)) = (self.gap_before.take(), time_us)
            && time - before > 60_000_000
        {
            tracing::warn!(
                "the server no longer has what was posted before {}: what was posted since {} is missed",
                event::readable(time),
                event::readable(before)
            );
        }
        self.mark.seq = seq.or(self.mark.seq);
        // Events come roughly in the order of their times. A cursor must never go back.
        self.mark.time_us = self.mark.time_us.max(time_us);
        self.intake.meter.happened(time_us.unwrap_or_default() / 1000);
        if !is_post {
            return None;
        }
        match self.recent.is_new(key) {
            true => self.lines.push(frame.trim_ascii()),
            false => drop(self.intake.meter.duplicates.inc()),
        }
        None
    }

    /// Puts what was gathered into the spool. Returns false if the run was stopped before there was room.
    fn flush(&mut self) -> Result<bool> {
        self.intake.flush(&mut self.lines, &self.mark)
    }
}
