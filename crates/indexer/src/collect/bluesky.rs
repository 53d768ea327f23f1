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

mod address;
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
/// How long events are gathered before they are put into the spool.
const GATHER: Duration = Duration::from_millis(250);
const GATHER_RECORDS: u64 = 1_000;
/// After how long without any connection it is said that something is wrong.
const TELL_AFTER: Duration = Duration::from_secs(30);
/// How long a connection must last to count as one that works.
const WORKS_AFTER: Duration = Duration::from_secs(5);
/// For how many hours servers keep events. Most do for 36; where that is too long, less is asked for.
const LOOK_BACK_HOURS: [i64; 6] = [36, 24, 12, 6, 3, 1];
const HOUR_US: i64 = 3_600_000_000;
/// A jump in the times of events that is longer than this is a gap: all of Bluesky is never silent for so long.
const GAP_US: i64 = 10 * 60_000_000;

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
        was_connected: false,
    };
    let (started, mut is_told) = (Instant::now(), false);
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
        match stream.was_connected {
            true => tracing::info!(
                "{name}: {why}; reconnecting in {}, {} records received so far",
                seconds(wait),
                stream.intake.meter.received.get()
            ),
            false => tracing::info!("{name}: {why}; trying again in {}", seconds(wait)),
        }
        let no_connection = || {
            let failure =
                Failure::new(format!("there has been no connection to Bluesky yet: {why}"));
            failure
                .with_hint("check the connection to the Internet, a proxy or firewall, and --host")
        };
        if !stream.was_connected && started.elapsed() > TELL_AFTER && !is_told {
            is_told = true;
            no_connection().log();
        }
        if runtime.block_on(until_stopped(clock.sleep(wait), &stop)).is_none() {
            return if stream.was_connected { Ok(()) } else { Err(no_connection()) };
        }
        if stream.was_connected {
            stream.intake.meter.reconnects.inc();
        }
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
    /// Whether an event has come over the last connection, and not only pings.
    is_heard: bool,
    /// Whether there has been a connection in this run.
    was_connected: bool,
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
        self.was_connected = true;
        if self.mark.host != host || self.config.version == Jetstream::V1 {
            self.mark.seq = None;
            host.clone_into(&mut self.mark.host);
        }
        // Few accounts may have been silent, and a number is exact.
        let tells = self.mark.seq.is_none() && self.intake.conditions.accounts.is_empty();
        self.gap_before = self.mark.time_us.filter(|_| tells);
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
            // The pings of a server that sends no events keep only the connection for a few accounts alive.
            let is_event = matches!(message, Message::Text(_) | Message::Binary(_));
            if is_event || !self.intake.conditions.accounts.is_empty() {
                heard = Instant::now();
            }
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
            self.is_heard |= is_event;
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
            "CursorTooOld" if self.mark.seq.is_some() => {
                let time = self.mark.time_us.map(event::readable).unwrap_or_default();
                tracing::warn!(
                    "{host} no longer has the events after number {} ({time}): {}. Resuming by time; posts in between may be missed",
                    self.mark.seq.take().unwrap_or_default(),
                    beginning(&message, 200)
                );
                Ended::Again
            }
            "CursorTooOld" if self.mark.time_us.is_some() => {
                let now = crate::clock::now() * 1000;
                let missed = self.mark.time_us.map(event::readable).unwrap_or_default();
                let ages = LOOK_BACK_HOURS.into_iter().map(|hours| now - hours * HOUR_US + GAP_US);
                let later = |time: &i64| self.mark.time_us.is_none_or(|mark| *time > mark + GAP_US);
                self.mark.time_us = ages.into_iter().find(later);
                let from = self.mark.time_us.map_or("now".to_owned(), event::readable);
                tracing::warn!(
                    "{host} has no events since {missed}: {message}. Beginning at {from}; posts in between are missed"
                );
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
                    false => beginning(&message, 200),
                };
                let error = beginning(&error, 50);
                let failure = Failure::new(format!("{host} answered {status} {error}: {said}"));
                Ended::Refused(failure.with_hint(
                    "check --host and --jetstream: version 1 is served at jetstream1.us-east.bsky.network, version 2 at jetstream.us-east.bsky.network",
                ))
            }
        }
    }

    /// Takes a frame. Returns why the connection ends, if it does with this frame.
    fn frame(&mut self, frame: &[u8]) -> Option<String> {
        let event = match event::read(frame) {
            Read::Event(event) => event,
            Read::Info(said) => {
                tracing::warn!("the server says: {}", beginning(&said, 300));
                // Its numbers have begun anew. Time is the cursor that is left.
                let is_ahead = said.starts_with("FutureCursor") && self.mark.seq.take().is_some();
                return is_ahead.then(|| "the number is ahead of the server".to_owned());
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
        // A time that is yet to come is wrong, and no cursor; a clock may be a little ahead of ours.
        let now = crate::clock::now() * 1000;
        let time_us = time_us.filter(|time| *time < now + HOUR_US).map(|time| time.min(now));
        if let (Some(before), Some(time)) = (self.gap_before.take(), time_us)
            && time - before > GAP_US
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
