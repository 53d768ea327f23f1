//! Objects in S3: gzipped NDJSON under the names that Firehose gives to its objects, so that whatever reads those reads
//! these.

use std::io::Write;
use std::time::Instant;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use ingest::Timestamp;

use super::super::meter::Meter;
use super::super::spool::{Chunk, Position};
use super::put::{Backoff, Reminder, wait};
use crate::aws::s3::{S3, S3Uri};
use crate::clock;
use crate::config::Roll;
use crate::failure::{Context, Result};
use crate::stop::Stop;

/// Objects below a prefix.
pub(crate) struct Objects {
    s3: S3,
    prefix: S3Uri,
    roll: Roll,
    name: String,
    /// The object that is being filled.
    current: Option<Current>,
    /// The one before it, until S3 has taken it.
    complete: Option<Complete>,
    taken: Position,
    accepted: Position,
    reminder: Reminder,
}

struct Current {
    gzip: GzEncoder<Vec<u8>>,
    records: u64,
    bytes: u64,
    begun: Instant,
}

struct Complete {
    uri: S3Uri,
    body: Bytes,
    records: u64,
    end: Position,
}

impl Objects {
    /// Checks that the bucket is there.
    ///
    /// # Errors
    ///
    /// If it is not, or S3 cannot be reached.
    pub(super) fn open(prefix: S3Uri, roll: Roll, name: &str) -> Result<Objects> {
        let s3 = S3::new()?;
        s3.list(&prefix, None, |_| false).with_context(|| format!("cannot use `{prefix}`"))?;
        Ok(Objects {
            s3,
            prefix,
            roll,
            name: name.to_owned(),
            current: None,
            complete: None,
            taken: Position::default(),
            accepted: Position::default(),
            reminder: Reminder::new("S3"),
        })
    }

    pub(super) fn take(&mut self, chunk: &Chunk, end: Position) -> Result<()> {
        self.taken = end;
        if chunk.records == 0 {
            return Ok(());
        }
        let current = self.current.get_or_insert_with(|| Current {
            gzip: GzEncoder::new(Vec::new(), Compression::default()),
            records: 0,
            bytes: 0,
            begun: Instant::now(),
        });
        current.gzip.write_all(&chunk.lines)?;
        current.records += chunk.records;
        current.bytes += chunk.lines.len() as u64;
        Ok(())
    }

    pub(super) fn settle(&mut self, is_end: bool, meter: &Meter, stop: &Stop) -> Result<Position> {
        if !self.put(meter, stop)? {
            return Ok(self.accepted);
        }
        let is_due = self.current.as_ref().is_some_and(|current| {
            is_end
                || current.bytes >= self.roll.bytes.unwrap_or(DEFAULT_BYTES)
                || current.begun.elapsed() >= self.roll.age.unwrap_or(DEFAULT_AGE)
        });
        if is_due && let Some(Current { gzip, records, .. }) = self.current.take() {
            let (uri, body, end) = (self.next_uri(), gzip.finish()?.into(), self.taken);
            self.complete = Some(Complete { uri, body, records, end });
            self.put(meter, stop)?;
        }
        if self.current.is_none() && self.complete.is_none() {
            self.accepted = self.taken;
        }
        Ok(self.accepted)
    }

    /// Puts the object that is complete, if there is one. Returns false if the run was cut off before S3 has taken it.
    fn put(&mut self, meter: &Meter, stop: &Stop) -> Result<bool> {
        let Some(Complete { uri, body, records, end }) = &self.complete else { return Ok(true) };
        let mut backoff = Backoff::new();
        while let Err(failure) = self.s3.put_gzip(uri, body.clone()) {
            if !failure.find::<crate::aws::s3::S3Error>().is_none_or(|error| error.is_passing()) {
                return Err(failure).with_context(|| format!("cannot write `{uri}`"));
            }
            meter.retried.inc_by(*records);
            self.reminder.refused(*records as usize, &failure.story());
            if !wait(backoff.next(), stop) {
                return Ok(false);
            }
        }
        self.reminder.accepted();
        meter.sent.inc_by(*records);
        self.accepted = *end;
        self.complete = None;
        Ok(true)
    }

    /// As Firehose names its objects: `prefix/yyyy/MM/dd/HH/name-1-yyyy-MM-dd-HH-mm-ss-random.gz`.
    fn next_uri(&self) -> S3Uri {
        let time = Timestamp::from_millis(clock::now()).to_string();
        let (day, hour) = (time[..10].replace('-', "/"), &time[11..13]);
        let time = time[..19].replace(['T', ':'], "-");
        let random: [u64; 2] = [fastrand::u64(..), fastrand::u64(..)];
        let hex = format!("{:016x}{:016x}", random[0], random[1]);
        let uuid = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-");
        self.prefix.join(&format!("{day}/{hour}/{}-1-{time}-{uuid}.gz", self.name))
    }
}

/// When an object is complete, if nothing else was said: what Firehose does without hints.
pub(in super::super) const DEFAULT_BYTES: u64 = 5 * 1024 * 1024;
const DEFAULT_AGE: std::time::Duration = std::time::Duration::from_secs(300);
