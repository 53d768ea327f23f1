//! The options of `indexer sample`.

use clap::Args;
use ingest::Timestamp;

use super::values::parse_time;
use crate::clock::now;
use crate::config::{SampleConfig, SampleFormat};

#[derive(Debug, Args)]
pub(super) struct SampleArgs {
    /// How many records to write
    #[arg(long, value_name = "N", default_value_t = 1000)]
    count: u64,
    /// The seed of the random numbers
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,
    /// The format to write
    #[arg(long, value_enum, default_value_t)]
    format: SampleFormat,
    /// The end of the four weeks that the tweets cover: a time, or `now`, with which the output differs from run to
    /// run
    #[arg(long, value_name = "TIME", value_parser = parse_time_or_now, default_value = "2026-03-02")]
    until: Timestamp,
}

impl SampleArgs {
    pub(super) fn config(self) -> SampleConfig {
        let SampleArgs { count, seed, format, until } = self;
        SampleConfig { count, seed, format, until }
    }
}

fn parse_time_or_now(text: &str) -> Result<Timestamp, String> {
    let time = match text {
        "now" => Timestamp::from_millis(now()),
        _ => parse_time(text)?,
    };
    // A tweet's id has 41 bits for the milliseconds since 4 November 2010, and the first of the sample tweets are
    // from four weeks before this time.
    let can_be_in_ids = "2010-12-03".."2080";
    match can_be_in_ids.contains(&time.to_string().as_str()) {
        true => Ok(time),
        false => Err("the ids of tweets can hold times from 2010-12-03 to 2079".to_owned()),
    }
}
