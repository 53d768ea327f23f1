//! `collect replay`: what `backfill` reads, passed on as if it came in now.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::thread;
use std::time::{Duration, Instant};

use ingest::Options;
use serde::{Deserialize, Serialize};

use super::filter::{Seen, look};
use super::intake::{Intake, Lines};
use super::state::mark;
use crate::config::{Pace, ReplayConfig};
use crate::failure::{Failure, Result};
use crate::source::{Listed, Listing, Member, Source};

/// How often records are handed on when they are held to a pace.
const TICK: Duration = Duration::from_millis(100);

/// Where a replay resumes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Mark {
    /// How many sources were passed on to their end.
    sources: u64,
    /// How many records of the next one were.
    records: u64,
    /// The source that was read last, by which it is seen whether the sources are still the same.
    last: String,
    /// Which source that is, from 0.
    #[serde(default)]
    at: Option<u64>,
    /// Whether there are no more.
    is_done: bool,
}

impl Mark {
    /// Whether a source can be where it was when the mark was made.
    fn fits(&self, at: u64, name: &str) -> bool {
        self.at != Some(at) || self.last == name
    }
}

/// Passes on the records of all sources. Returns how many sources could not be read.
///
/// # Errors
///
/// If the spool cannot be written, or there is nothing to read.
pub(super) fn run(
    config: ReplayConfig,
    from: serde_json::Value,
    intake: &mut Intake,
) -> Result<u64> {
    let ReplayConfig { sources, objects, options, pace, resume } = config;
    let from: Mark = if resume { mark(from)? } else { Mark::default() };
    if from.is_done {
        tracing::info!("all records were read by an earlier run; what is in the spool is sent");
        return Ok(0);
    }
    if from != Mark::default() {
        tracing::info!(
            "resuming in source {} of those given, after its first {} records",
            from.sources + 1,
            from.records
        );
    }
    let mut listing = Listing::start(sources, objects);
    let mut replay = Replay {
        intake,
        options,
        pacer: Pacer::new(pace),
        mark: Mark::default(),
        first_failed: None,
    };
    let mut failed = 0;
    loop {
        let source = match listing.next(Duration::from_millis(50)) {
            _ if replay.intake.stop.is_set() => return Ok(failed),
            Listed::Pending => continue,
            Listed::End => break,
            Listed::Source(source) => source,
        };
        if let Ok(source) = &source
            && !from.fits(replay.mark.sources, &source.name())
        {
            let failure = Failure::new(format!(
                "the sources are not those of the run that was interrupted: it had read `{}`",
                from.last
            ));
            return Err(failure.with_hint("run it without --resume, to pass everything on again"));
        }
        let is_done = replay.mark.sources < from.sources;
        let skip = if replay.mark.sources == from.sources { from.records } else { 0 };
        let done = match source {
            _ if is_done => Ok(true),
            Ok(source) => replay.pass_on(&source, skip),
            Err(failure) => Err(Stopped::Source(failure)),
        };
        match done {
            Ok(true) => {}
            Ok(false) => return Ok(failed),
            Err(Stopped::Here(failure)) => return Err(failure),
            Err(Stopped::Source(failure)) => {
                failed += 1;
                failure.log();
                // With --resume, it is tried again, and what comes after it is passed on once more.
                replay.first_failed.get_or_insert(replay.mark.clone());
            }
        }
        replay.mark.sources += 1;
        replay.mark.records = 0;
    }
    let done = Mark { is_done: failed == 0, ..replay.resumed_at() };
    replay.intake.take(Lines::default(), &done)?;
    Ok(failed)
}

/// Why a source was not passed on to its end.
enum Stopped {
    /// It cannot be read; the others can.
    Source(Failure),
    /// Nothing can be passed on.
    Here(Failure),
}

impl From<Failure> for Stopped {
    fn from(failure: Failure) -> Stopped {
        Stopped::Source(failure)
    }
}

struct Replay<'i> {
    intake: &'i mut Intake,
    options: Arc<Options>,
    pacer: Pacer,
    mark: Mark,
    /// Where the first source that could not be read to its end stood then.
    first_failed: Option<Mark>,
}

impl Replay<'_> {
    /// Where a run resumes that follows this one.
    fn resumed_at(&self) -> Mark {
        self.first_failed.clone().unwrap_or_else(|| self.mark.clone())
    }

    /// Passes on the records of a source, after the first `skip`. Returns false if the run was stopped.
    fn pass_on(&mut self, source: &Source, skip: u64) -> Result<bool, Stopped> {
        let name = source.name();
        let (options, stop) = (Arc::clone(&self.options), self.intake.stop.clone());
        self.mark.last.clone_from(&name);
        self.mark.at = Some(self.mark.sources);
        let mut skip = skip;
        let mut ended = Ok(true);
        let read =
            source.read(&options, &Arc::new(AtomicU64::new(0)), &stop, None, &mut |member| {
                ended = self.pass_on_member(member, &mut skip);
                match ended {
                    Ok(true) => ControlFlow::Continue(()),
                    Ok(false) | Err(_) => ControlFlow::Break(()),
                }
            });
        match ended {
            Ok(true) => {}
            ended => return ended,
        }
        read.map_err(|failure| failure.context(format!("cannot read `{name}`")))?;
        Ok(true)
    }

    fn pass_on_member(&mut self, member: Member<'_>, skip: &mut u64) -> Result<bool, Stopped> {
        let Member { name, batches, .. } = member;
        let batches = match batches {
            Err(error) if error.is_nothing() => return Ok(true),
            batches => batches
                .map_err(|error| Failure::from(error).context(format!("cannot read `{name}`")))?,
        };
        for batch in batches {
            let batch = batch.map_err(|error| {
                Failure::from(error).context(format!("cannot read on in `{name}`"))
            })?;
            let records = batch.len() as u64;
            let before = self.mark.records;
            self.mark.records += records;
            if records <= *skip {
                *skip -= records;
                continue;
            }
            let skipped = std::mem::take(skip);
            let (mut lines, mut record_of) = (Lines::default(), Vec::new());
            batch.forward(|record, line| {
                if (record as u64) < skipped {
                    return;
                }
                match line {
                    Ok(line) => lines.push(line),
                    Err(mut rejected) => {
                        rejected.source.clone_from(&name);
                        lines.push_rejected(&rejected);
                    }
                }
                record_of.push(before + record as u64);
            });
            if !self.hand_over(lines, &record_of).map_err(Stopped::Here)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Hands lines over at the pace that was asked for. `record_of` has the record that each line comes from.
    fn hand_over(&mut self, lines: Lines, record_of: &[u64]) -> Result<bool> {
        if let Pace::AsFastAsPossible = self.pacer.pace {
            return self.intake.take(lines, &self.resumed_at());
        }
        let times = self.pacer.times(&lines, &self.options);
        let mut part = Lines::default();
        let due = lines.bytes.split(|byte| *byte == b'\n').zip(record_of).zip(times);
        for ((line, record), time) in due {
            if let Some(wait) = self.pacer.until(time)
                && wait > TICK / 2
            {
                // A page is several lines. Until all of them are handed over, a restart repeats it.
                let here = Mark { records: *record, ..self.mark.clone() };
                let before = self.first_failed.clone().unwrap_or(here);
                if part.records > 0 && !self.intake.take(std::mem::take(&mut part), &before)? {
                    return Ok(false);
                }
                if !sleep(wait, self.intake) {
                    return Ok(false);
                }
            }
            part.push(line);
        }
        self.intake.take(part, &self.resumed_at())
    }
}

/// A duration of so many seconds, at most a century.
fn seconds(seconds: f64) -> Duration {
    const CENTURY: Duration = Duration::from_secs(100 * 365 * 24 * 3600);
    Duration::try_from_secs_f64(seconds).unwrap_or(CENTURY).min(CENTURY)
}

/// Waits. Returns false if the run was stopped meanwhile.
fn sleep(wait: Duration, intake: &Intake) -> bool {
    let end = Instant::now() + wait;
    loop {
        if intake.stop.is_set() {
            return false;
        }
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return true;
        }
        thread::sleep(left.min(TICK));
    }
}

/// Decides when each record is due.
struct Pacer {
    pace: Pace,
    started: Instant,
    /// How many records there were.
    records: u64,
    /// When the first record was created, in milliseconds since 1970.
    first: Option<i64>,
}

impl Pacer {
    fn new(pace: Pace) -> Pacer {
        Pacer { pace, started: Instant::now(), records: 0, first: None }
    }

    /// How long after the start each line is due.
    fn times(&mut self, lines: &Lines, options: &Arc<Options>) -> Vec<Duration> {
        match self.pace {
            Pace::AsFastAsPossible => vec![Duration::ZERO; lines.records as usize],
            Pace::PerSecond(rate) => (0..lines.records)
                .map(|_| {
                    self.records += 1;
                    seconds((self.records - 1) as f64 / rate)
                })
                .collect(),
            Pace::Original(factor) => {
                // What has no time goes with the record before it.
                let mut times: Vec<Option<i64>> = vec![None; lines.records as usize];
                look(&lines.bytes, options, |line, seen| {
                    if let (Some(time), Seen::Tweet(tweet)) = (times.get_mut(line), seen) {
                        *time = Some(tweet.created_at.as_millis());
                    }
                });
                let mut last = Duration::ZERO;
                let due = |time: Option<i64>| {
                    if let Some(time) = time {
                        let after = (time - *self.first.get_or_insert(time)).max(0);
                        last = seconds(after as f64 / 1000.0 / factor);
                    }
                    last
                };
                times.into_iter().map(due).collect()
            }
        }
    }

    /// How long it is until a record is due; `None` if it is.
    fn until(&self, time: Duration) -> Option<Duration> {
        time.checked_sub(self.started.elapsed()).filter(|wait| !wait.is_zero())
    }
}
