//! `indexer collect`: takes in what comes in by itself, and delivers it.
//!
//! A source runs on a thread of its own and hands its records to the [`intake`], which filters them and puts them into the
//! [`spool`] on disk, together with the mark at which the source goes on after a restart. The calling thread takes them out
//! again and gives them to the [`destination`]; what that has accepted is deleted from the spool. So nothing is lost when
//! the process is killed or the destination is away, and nothing is asked for twice.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::aws::s3::S3;
use crate::config::{CollectConfig, CollectSource, DestinationConfig};
use crate::failure::{COULD_NOT_RUN, Context, Failure, INTERRUPTED, Result};
use crate::pipeline::StoreOutput;
use crate::progress::Progress;
use crate::rejects::Rejects;
use crate::serve::Dashboard;
use crate::stop::{Stop, stop_on_ctrl_c};
use crate::store::Address;

mod bluesky;
mod deletions;
mod destination;
mod estimate;
mod filter;
mod function;
mod intake;
mod ladder;
mod meter;
mod metrics;
mod outcome;
mod replay;
mod secrecy;
mod spool;
mod state;
mod x;

use destination::{Destination, StoreDestination};
pub(crate) use function::run as run_as_function;
use intake::Intake;
use ladder::Clock;
use meter::Meter;
use outcome::Outcome;
use spool::{Position, Spool};
use state::{Keeper, State};
use x::Api;

/// How often it is noted what was delivered.
const SAVE_EVERY: Duration = Duration::from_millis(200);

/// Collects until the source ends, or the run is stopped.
pub(crate) fn run(config: CollectConfig) -> Result<ExitCode> {
    let stop = stop_on_ctrl_c()?;
    let (report, is_data_on_stdout) = (config.report, config.to == DestinationConfig::Stdout);
    let Collected { outcome, failure, dashboard } = collect(config, &stop)?;
    if let Some(failure) = &failure {
        failure.log();
    }
    if let Some(outcome) = &outcome {
        outcome.print(report, is_data_on_stdout)?;
    }
    let code = match (&failure, &outcome) {
        (Some(failure), _) => failure.exit_code(),
        (None, Some(outcome)) if outcome.failed_sources > 0 => COULD_NOT_RUN,
        (None, _) if stop.is_set() => INTERRUPTED,
        (None, Some(outcome)) => u8::from(outcome.has_rejects()),
        (None, None) => 0,
    };
    if let Some(dashboard) = dashboard.filter(|_| failure.is_none() && !stop.is_set()) {
        tracing::info!("the dashboard stays at {} until Ctrl-C", dashboard.url);
        dashboard.wait();
    }
    Ok(ExitCode::from(code))
}

/// How a collection ended.
struct Collected {
    /// What was done; `None` if only an estimate was asked for.
    outcome: Option<Outcome>,
    /// Why it ended before its time.
    failure: Option<Failure>,
    dashboard: Option<crate::serve::Shown>,
}

fn collect(config: CollectConfig, stop: &Stop) -> Result<Collected> {
    let clock = Clock::new(config.clock_rate);
    let api = match config.source.x() {
        Some(x) => {
            secrecy::keep_out_of_core_dumps();
            Some(Arc::new(Api::new(x, clock)?))
        }
        None => None,
    };
    let folder = match &config.spool {
        Some(folder) => folder.clone(),
        None => default_folder(&config),
    };
    let keeper = match &config.state {
        Some(uri) => Keeper::Object(Box::new(S3::new()?), uri.clone()),
        None => Keeper::beside(&folder),
    };
    let state = keeper.load()?;
    if let (CollectSource::Search(search), Some(api)) = (&config.source, &api)
        && search.estimate
    {
        estimate::print(search, state.mark, api, stop)?;
        return Ok(Collected { outcome: None, failure: None, dashboard: None });
    }

    let spool = Arc::new(Spool::open(&folder, config.spool_bytes, state.delivered())?);
    let mark = spool.last_mark().unwrap_or(state.mark);
    if spool.waiting() > 0 {
        tracing::info!(
            "{} records of an earlier run are in the spool, and are sent first",
            spool.waiting()
        );
    }
    let address = config.store.address()?;
    let dashboard = match &config.serve {
        Some(listen) => Some(Dashboard::new(address.clone(), listen)?),
        None => None,
    };
    let meter = Arc::new(Meter::new());
    // The source stops when the run does, and when the destination has failed or the time is over.
    let source_stop = stop.child();
    let destination = open_destination(&config, &address, stop)?;
    if let Some(address) = config.metrics {
        metrics::serve(address, Arc::clone(&meter), stop)?;
    }
    let dashboard = dashboard.map(|dashboard| dashboard.start(stop)).transpose()?;
    let intake = Intake {
        spool: Arc::clone(&spool),
        meter: Arc::clone(&meter),
        conditions: config.conditions,
        options: Arc::default(),
        stop: source_stop.clone(),
        drops_oldest: config.drop_oldest,
        is_durable: api.is_some(),
        reminded: None,
        rejects: Rejects::to_file(config.rejects.clone(), &folder),
        longest: destination.longest(),
    };
    if let Some(duration) = config.duration {
        let stop = source_stop.clone();
        thread::spawn(move || {
            thread::sleep(duration);
            stop.set();
        });
    }
    let started = Instant::now();
    let source = start(config.source, mark, intake, api, clock)?;
    let delivery = Delivery {
        spool: &spool,
        keeper: &keeper,
        meter: &meter,
        stop,
        destination,
        marks: Vec::new(),
        taken: Position::default(),
        saved: Position::default(),
        saved_at: Instant::now(),
    };
    let (destination, mut failure) = delivery.run(&source_stop);
    // A source that waits for the network has a moment to notice.
    let failed_sources = match source.join() {
        Ok(Ok(failed)) => failed,
        Ok(Err(error)) => {
            failure.get_or_insert(error);
            0
        }
        Err(_) => {
            failure.get_or_insert(Failure::new("an internal error, which was logged before this"));
            0
        }
    };
    let waiting = spool.waiting();
    if waiting > 0 {
        tracing::warn!(
            "{waiting} records are still in the spool in `{}`; the same command sends them next time",
            folder.display()
        );
    }
    spool.finish()?;
    let report = match destination {
        Destination::Store(store) => Some(store.finish(started.elapsed())?),
        _ => None,
    };
    let seconds = started.elapsed().as_secs_f64();
    let outcome = Outcome::new(&meter, waiting, failed_sources, report, seconds);
    Ok(Collected { outcome: Some(outcome), failure, dashboard })
}

/// The folder for a source and a destination, so that no two collections share one: `collect/bluesky-to-store-tweets-index`.
fn default_folder(config: &CollectConfig) -> PathBuf {
    let to = match &config.to {
        DestinationConfig::Firehose { stream, .. } => format!("firehose-{stream}"),
        DestinationConfig::Kinesis { stream, .. } => format!("kinesis-{stream}"),
        DestinationConfig::Objects(uri) => uri.to_string(),
        DestinationConfig::File(path) => path.display().to_string(),
        DestinationConfig::Stdout => "stdout".to_owned(),
        DestinationConfig::Store => format!("store-{}", config.store.place),
    };
    let plain: String =
        to.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let plain = plain.split('-').filter(|word| !word.is_empty()).collect::<Vec<_>>().join("-");
    let hash = crc32fast::hash(to.as_bytes());
    let plain: String = plain.chars().take(60).collect();
    Path::new("collect").join(format!("{}-to-{plain}-{hash:08x}", config.source.name()))
}

fn open_destination(config: &CollectConfig, address: &Address, stop: &Stop) -> Result<Destination> {
    let name = config.source.name();
    let store = || {
        let output = StoreOutput {
            address: address.clone(),
            recreate: false,
            writer: None,
            stop: stop.clone(),
            stays_open: true,
            experience: None,
        };
        let options = match &config.source {
            CollectSource::Replay(replay) => Arc::clone(&replay.options),
            _ => Arc::default(),
        };
        let rejects = Rejects::to_file(config.rejects.clone(), address.beside());
        StoreDestination::new(output, options, rejects, name, config.follow_deletes)
    };
    let store = matches!(config.to, DestinationConfig::Store).then(store);
    Destination::open(&config.to, config.roll, name, store)
}

/// Starts the source on a thread of its own. It returns how many of its parts could not be read.
fn start(
    source: CollectSource,
    mark: Value,
    mut intake: Intake,
    api: Option<Arc<Api>>,
    clock: Clock,
) -> Result<thread::JoinHandle<Result<u64>>> {
    let work = move || {
        // However it ends, the delivery must not wait for more.
        let _close = CloseAtEnd(Arc::clone(&intake.spool));
        let done = match (source, &api) {
            (CollectSource::Search(search), Some(api)) => {
                x::search::run(search, mark, &mut intake, api).map(|()| 0)
            }
            (CollectSource::Stream(stream), Some(api)) => {
                x::stream::run(stream, mark, &mut intake, api).map(|()| 0)
            }
            (CollectSource::Bluesky(bluesky), _) => {
                bluesky::run(bluesky, mark, &mut intake, clock).map(|()| 0)
            }
            (CollectSource::Replay(replay), _) => replay::run(replay, mark, &mut intake),
            (CollectSource::Search(_) | CollectSource::Stream(_), None) => Ok(0),
        };
        if let Some(path) = intake.rejects.finish()? {
            tracing::warn!("records that could not be passed on are in `{}`", path.display());
        }
        done
    };
    thread::Builder::new().name("source".to_owned()).spawn(work).context("cannot start threads")
}

/// Closes the spool when the source ends, also if it panics.
struct CloseAtEnd(Arc<Spool>);

impl Drop for CloseAtEnd {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// Takes records out of the spool and gives them to the destination.
struct Delivery<'d> {
    spool: &'d Spool,
    keeper: &'d Keeper,
    meter: &'d Meter,
    stop: &'d Stop,
    destination: Destination,
    /// The marks of chunks that were taken and are not noted as delivered.
    marks: Vec<(Position, Value)>,
    taken: Position,
    saved: Position,
    saved_at: Instant,
}

impl Delivery<'_> {
    /// Delivers until the spool is closed and empty, or the run is cut off. Returns the destination, and why it has failed
    /// if it has.
    fn run(mut self, source_stop: &Stop) -> (Destination, Option<Failure>) {
        let mut progress = Progress::start_counting();
        let delivered = self.deliver(&mut progress);
        progress.finish();
        source_stop.set();
        let failure =
            delivered.err().map(|failure| failure.context("cannot deliver what was collected"));
        (self.destination, failure)
    }

    fn deliver(&mut self, progress: &mut Progress) -> Result<()> {
        loop {
            let is_closed = match self.spool.take(Duration::from_millis(100))? {
                Ok((chunk, end)) => {
                    self.taken = end;
                    self.marks.push((end, chunk.mark.clone()));
                    self.destination.take(chunk, end, self.meter, self.stop)?;
                    false
                }
                Err(is_closed) => is_closed,
            };
            let is_end = is_closed || self.stop.is_cut_off();
            let accepted = self.destination.settle(self.taken, is_end, self.meter, self.stop);
            self.save(*accepted.as_ref().unwrap_or(&self.saved), is_end || accepted.is_err())?;
            accepted?;
            progress.tell(|| self.meter.line());
            if is_end {
                return Ok(());
            }
        }
    }

    /// Notes up to where everything is delivered, once in a while.
    fn save(&mut self, accepted: Position, is_end: bool) -> Result<()> {
        let is_due = is_end || self.saved_at.elapsed() >= SAVE_EVERY;
        if !is_due || accepted <= self.saved {
            return Ok(());
        }
        let behind = self.marks.partition_point(|(end, _)| *end <= accepted);
        let Some((_, mark)) = self.marks.drain(..behind).next_back() else { return Ok(()) };
        (self.saved, self.saved_at) = (accepted, Instant::now());
        if let Err(failure) = self.keeper.save(&State::new(mark, accepted)) {
            // What is delivered is delivered. Without the note, the next run would deliver it again.
            tracing::warn!("{}", failure.story());
        }
        self.spool
            .delivered(accepted)
            .context("cannot delete what was delivered from the spool")?;
        self.meter.waiting.set(i64::try_from(self.spool.waiting()).unwrap_or(i64::MAX));
        self.meter.spool.set(i64::try_from(self.spool.bytes()).unwrap_or(i64::MAX));
        Ok(())
    }
}
