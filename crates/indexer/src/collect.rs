//! `indexer collect`: collects posts as they are published, and delivers them.
//!
//! A source runs on a thread of its own and hands its records to the [`intake`], which filters them and puts them into the
//! [`spool`] on disk, together with the mark at which the source resumes after a restart. The calling thread takes them out
//! again and gives them to the [`destination`]; what that has accepted is deleted from the spool. So nothing is lost when
//! the process is killed or the destination is away, and what is on disk is not asked for again.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use serde_json::Value;

use crate::aws::s3::S3;
use crate::config::{CollectConfig, CollectSource, DestinationConfig};
use crate::failure::{COULD_NOT_RUN, Context, Failure, INTERRUPTED, Result};
use crate::pipeline::StoreOutput;
use crate::rejects::Rejects;
use crate::serve::Dashboard;
use crate::stop::{Stop, stop_on_ctrl_c};
use crate::store::Address;

mod bluesky;
mod deletions;
mod delivery;
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

use delivery::Delivery;
use destination::{DEFAULT_OBJECT_BYTES, Destination, StoreDestination};
pub(crate) use function::run as run_as_function;
use intake::Intake;
use ladder::Clock;
use meter::Meter;
use outcome::Outcome;
use spool::{Position, Spool};
use state::Keeper;
use x::Api;

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
    check(&config)?;
    let clock = Clock::new(config.clock_rate);
    let api = match config.source.x() {
        Some(x) => {
            secrecy::keep_out_of_core_dumps();
            Some(Arc::new(Api::new(x, clock)?))
        }
        None => None,
    };
    let address = config.store.address()?;
    let folder = match &config.spool {
        Some(folder) => folder.clone(),
        None => default_folder(&config, &address),
    };
    let keeper = match &config.state {
        Some(uri) => {
            Keeper::Object { s3: Box::new(S3::new()?), uri: uri.clone(), read: RefCell::default() }
        }
        None => Keeper::beside(&folder, api.is_some()),
    };
    if let (CollectSource::Search(search), Some(api)) = (&config.source, &api)
        && search.estimate
    {
        estimate::print(search, keeper.load()?.mark, api, stop)?;
        return Ok(Collected { outcome: None, failure: None, dashboard: None });
    }

    let opened = Spool::open(&folder, config.spool_bytes)
        .map_err(|failure| failure.with_hint("name another folder with --spool"));
    let spool = Arc::new(opened?);
    // Only now that no other process can change it.
    let mut state = keeper.load()?;
    let is_continued = state.spool == spool.id();
    let now = crate::clock::now();
    let begun = state.begin(config.source.name(), spool.id(), now, keeper.is_shared());
    begun.with_context(|| format!("cannot collect into `{}`", folder.display()))?;
    let delivered = state.delivered(spool.id());
    spool.resume(delivered).context("cannot use the spool")?;
    // What another environment has noted since is newer than what is left here.
    let is_newest = is_continued || state.mark.is_null();
    let outdated = if is_newest { Position::default() } else { spool.end() };
    let mark = spool.last_mark().filter(|_| is_newest).unwrap_or_else(|| state.mark.clone());
    let left = spool.waiting();
    if left > 0 {
        tracing::info!(
            "{left} records that an earlier run has not delivered are sent first; they are in `{}`",
            folder.display()
        );
    }
    let dashboard = match &config.serve {
        Some(listen) => Some(Dashboard::new(address.clone(), listen)?),
        None => None,
    };
    let meter = Arc::new(Meter::new());
    // The source stops when the run does, and when the destination has failed or the time is over.
    let source_stop = stop.child();
    let destination = open_destination(&config, &address, stop)?;
    if let Some(address) = config.metrics {
        metrics::serve(address, Arc::clone(&meter))?;
    }
    let rejects = Rejects::to_file(config.rejects.clone(), &folder);
    rejects.check_file()?;
    let dashboard = dashboard.map(|dashboard| dashboard.start(stop)).transpose()?;
    meter.holds(&spool);
    // From now on, other environments know that this one is at work.
    keeper.claim(&state)?;
    let intake = Intake {
        spool: Arc::clone(&spool),
        meter: Arc::clone(&meter),
        conditions: config.conditions,
        options: config.source.options(),
        stop: source_stop.clone(),
        drops_oldest: config.drop_oldest,
        is_durable: api.is_some(),
        reminded: None,
        rejects,
        longest: destination.longest(),
        source: config.source.name().to_owned(),
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
    let delivery = Delivery::new(&spool, (&keeper, state), outdated, &meter, stop, destination);
    let (destination, mut state, mut failure) = delivery.run(&source_stop);
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
            "{waiting} records were not delivered; the next run with this source and destination sends them first, from `{}`",
            folder.display()
        );
    }
    state.end();
    let mut end = |ended: Result<()>| {
        if let Err(error) = ended {
            failure.get_or_insert(error);
        }
    };
    end(keeper.save(&state));
    end(spool.finish().context("cannot delete the spool"));
    let report = match destination {
        Destination::Store(store) => {
            let (report, closed) = store.finish(started.elapsed());
            end(closed);
            Some(report)
        }
        _ => None,
    };
    if meter.received.get() > 0 && meter.filtered.get() == meter.received.get() {
        tracing::warn!("no record passed the filters: {} were filtered out", meter.filtered.get());
    }
    let seconds = started.elapsed().as_secs_f64();
    let outcome = Outcome::new(&meter, (left, waiting), failed_sources, report, seconds);
    Ok(Collected { outcome: Some(outcome), failure, dashboard })
}

/// Refuses options that would have no effect.
fn check(config: &CollectConfig) -> Result<()> {
    let is_store = config.to == DestinationConfig::Store;
    let rolls = matches!(config.to, DestinationConfig::Objects(_) | DestinationConfig::File(_));
    let is_rolled = config.roll.bytes.is_some() || config.roll.age.is_some();
    let what = match () {
        () if config.serve.is_some() && !is_store => {
            "--serve shows the store, so it needs --to store"
        }
        () if config.follow_deletes && !is_store => {
            "--follow-deletes changes the store, so it needs --to store"
        }
        () if is_rolled && !rolls => {
            "--roll-size and --roll-every are for files and for objects in S3"
        }
        () if config.creates
            && !matches!(
                config.to,
                DestinationConfig::Firehose { .. } | DestinationConfig::Kinesis { .. }
            ) =>
        {
            "--create is for streams of Firehose and Kinesis"
        }
        () if matches!(config.to, DestinationConfig::Objects(_))
            && config.roll.bytes.unwrap_or(DEFAULT_OBJECT_BYTES) > config.spool_bytes / 2 =>
        {
            "the spool must hold two objects at least: raise --spool-size, or lower --roll-size"
        }
        () => return Ok(()),
    };
    Err(Failure::new(what))
}

/// The folder for a source and a destination: `collect/bluesky-to-store-tweets-index-…`.
fn default_folder(config: &CollectConfig, store: &Address) -> PathBuf {
    let to = match &config.to {
        DestinationConfig::Firehose { stream, .. } => format!("firehose-{stream}"),
        DestinationConfig::Kinesis { stream, .. } => format!("kinesis-{stream}"),
        DestinationConfig::Objects(uri) => uri.to_string(),
        DestinationConfig::File(path) => path.display().to_string(),
        DestinationConfig::Stdout => "stdout".to_owned(),
        DestinationConfig::Store => format!("store-{store}"),
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
        let options = config.source.options();
        let rejects = Rejects::to_file(config.rejects.clone(), address.beside());
        StoreDestination::new(output, options, rejects, name, config.follow_deletes)
    };
    let is_durable = config.source.x().is_some();
    Destination::open(&config.to, config.roll, name, is_durable, store)
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
