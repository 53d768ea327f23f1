//! Where collected records go.

use crate::config::{DestinationConfig, Roll};
use crate::failure::Result;
use crate::stop::Stop;

use super::meter::Meter;
use super::spool::{Chunk, Position};

mod file;
mod firehose;
mod kinesis;
mod objects;
mod put;
mod stdout;
mod store;

pub(super) use objects::DEFAULT_BYTES as DEFAULT_OBJECT_BYTES;
pub(super) use store::StoreDestination;

/// A destination that is ready to take records. It takes chunks in order and may keep some of them for a while; whatever
/// it has not accepted for good stays in the spool.
pub(super) enum Destination {
    Firehose(firehose::Firehose),
    Kinesis(kinesis::Kinesis),
    Objects(Box<objects::Objects>),
    File(file::RolledFile),
    Stdout(stdout::Stdout),
    Store(Box<StoreDestination>),
}

impl Destination {
    /// Opens a destination. `name` says what is collected, for the names of objects; `is_durable`, whether it was paid for,
    /// and what is accepted must outlive a power failure; `store` makes the destination that the store is.
    ///
    /// # Errors
    ///
    /// If it is not there, or may not be used.
    pub(super) fn open(
        config: &DestinationConfig,
        roll: Roll,
        name: &str,
        is_durable: bool,
        store: impl FnOnce() -> StoreDestination,
    ) -> Result<Destination> {
        Ok(match config {
            DestinationConfig::Firehose { stream, create } => {
                Destination::Firehose(firehose::Firehose::open(stream, create.as_ref())?)
            }
            DestinationConfig::Kinesis { stream, create } => {
                Destination::Kinesis(kinesis::Kinesis::open(stream, *create)?)
            }
            DestinationConfig::Objects(prefix) => {
                Destination::Objects(Box::new(objects::Objects::open(prefix.clone(), roll, name)?))
            }
            DestinationConfig::File(path) => {
                Destination::File(file::RolledFile::open(path.clone(), roll, is_durable)?)
            }
            DestinationConfig::Stdout => Destination::Stdout(stdout::Stdout::default()),
            DestinationConfig::Store => Destination::Store(Box::new(store())),
        })
    }

    /// The longest record that it takes, in bytes.
    pub(super) fn longest(&self) -> usize {
        match self {
            Destination::Firehose(_) => firehose::MAX_RECORD_BYTES,
            Destination::Kinesis(_) => kinesis::MAX_RECORD_BYTES,
            _ => usize::MAX,
        }
    }

    /// Takes a chunk, and waits while the destination accepts nothing. What is not accepted when the run is stopped stays
    /// in the spool.
    ///
    /// # Errors
    ///
    /// If the destination will never accept anything.
    pub(super) fn take(
        &mut self,
        chunk: Chunk,
        end: Position,
        meter: &Meter,
        stop: &Stop,
    ) -> Result<()> {
        match self {
            Destination::Firehose(firehose) => firehose.take(chunk, end, meter, stop),
            Destination::Kinesis(kinesis) => kinesis.take(chunk, end, meter, stop),
            Destination::Objects(objects) => objects.take(&chunk, end),
            Destination::File(file) => file.take(&chunk, end, stop),
            Destination::Stdout(stdout) => stdout.take(&chunk, end),
            Destination::Store(store) => store.take(chunk, end),
        }
    }

    /// Does what is due: sends what was kept for long enough, or everything if this is the end. Returns the position up
    /// to which everything is accepted for good.
    ///
    /// # Errors
    ///
    /// As for [`Destination::take`].
    pub(super) fn settle(&mut self, is_end: bool, meter: &Meter, stop: &Stop) -> Result<Position> {
        match self {
            Destination::Firehose(firehose) => firehose.settle(meter, stop),
            Destination::Kinesis(kinesis) => kinesis.settle(is_end, meter, stop),
            Destination::Objects(objects) => objects.settle(is_end, meter, stop),
            Destination::File(file) => file.settle(meter),
            Destination::Stdout(stdout) => stdout.settle(meter),
            Destination::Store(store) => store.settle(is_end, meter),
        }
    }
}
