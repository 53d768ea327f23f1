//! How the values of options are written.

use std::time::Duration;

use clap::ValueEnum;
use clap::builder::PossibleValue;
use ingest::{BoundingBox, DayOrder, Timestamp};

use crate::config::{Print, ReportFormat, SampleFormat};
use crate::logging::LogFormat;
use crate::store::{Gzip, IndexBy};

pub(super) fn parse_time(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text)
        .ok_or_else(|| "write it as 2022-12-10 or 2022-12-10T18:00:00Z".to_owned())
}

pub(super) fn parse_day_order(text: &str) -> Result<DayOrder, String> {
    DayOrder::from_name(text).ok_or_else(|| "write day-first or month-first".to_owned())
}

pub(super) fn parse_duration(text: &str) -> Result<Duration, String> {
    let seconds = text.parse::<u64>().ok().map(Duration::from_secs);
    // Durations of the library have no days, because days differ in length.
    let days = || {
        let days = text.trim_end_matches("days").trim_end_matches("day").trim_end_matches('d');
        let days = days.trim_end().parse::<u64>().ok().filter(|_| days.len() < text.len())?;
        Some(Duration::from_secs(days.checked_mul(24 * 3600)?))
    };
    let spelled = || text.parse::<jiff::SignedDuration>().ok()?.try_into().ok();
    seconds.or_else(days).or_else(spelled).ok_or_else(|| "write it as 30s, 5m, 1h or 2d".to_owned())
}

/// `1048576`, `64MiB`, `1GiB`.
pub(super) fn parse_bytes(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic()).trim_end();
    let unit = match text[digits.len()..].trim().to_ascii_lowercase().as_str() {
        "" | "b" => Some(1),
        "k" | "kb" | "kib" => Some(1 << 10),
        "m" | "mb" | "mib" => Some(1 << 20),
        "g" | "gb" | "gib" => Some(1 << 30),
        _ => None,
    };
    let bytes = digits.parse::<u64>().ok().zip(unit).and_then(|(n, unit)| n.checked_mul(unit));
    bytes.filter(|bytes| *bytes > 0).ok_or_else(|| "write it as 64MiB or 1GiB".to_owned())
}

pub(super) fn parse_box(text: &str) -> Result<BoundingBox, String> {
    let numbers: Vec<f64> = text.split(',').filter_map(|part| part.trim().parse().ok()).collect();
    match numbers[..] {
        [west, south, east, north] if text.split(',').count() == 4 => {
            let is_lon = |degrees: f64| (-180.0..=180.0).contains(&degrees);
            let is_lat = |degrees: f64| (-90.0..=90.0).contains(&degrees);
            match () {
                () if !is_lon(west) || !is_lon(east) => {
                    Err("west and east lie between -180 and 180".to_owned())
                }
                () if !is_lat(south) || !is_lat(north) => {
                    Err("south and north lie between -90 and 90".to_owned())
                }
                () if south > north => Err(format!(
                    "the south ({south}) is greater than the north ({north}): the order is west,south,east,north"
                )),
                () => Ok(BoundingBox { west, south, east, north }),
            }
        }
        _ => {
            Err("write four numbers: west,south,east,north, such as -10,36,4,44 for Spain"
                .to_owned())
        }
    }
}

pub(super) fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|n| *n > 0).ok_or_else(|| "write a number of at least 1".to_owned())
}

/// Implements `ValueEnum` for a type from the words for its variants, each with its help text. The type itself can
/// thus stay independent of clap.
macro_rules! words {
    ($type:ident { $($variant:ident $word:literal $help:literal,)* }) => {
        impl ValueEnum for $type {
            fn value_variants<'a>() -> &'a [Self] {
                &[$($type::$variant),*]
            }

            fn to_possible_value(&self) -> Option<PossibleValue> {
                Some(match self { $($type::$variant => PossibleValue::new($word).help($help),)* })
            }
        }
    };
}

words!(LogFormat {
    Text "text" "For people",
    Json "json" "One JSON object per line",
});

words!(ReportFormat {
    Human "human" "For people",
    Json "json" "One JSON object",
});

words!(Gzip {
    Auto "auto" "Compress unless all nodes are on this machine, where it would cost more than it saves",
    Always "always" "Always compress",
    Never "never" "Never compress",
});

words!(IndexBy {
    Year "year" "`tweets-2022`",
    Month "month" "`tweets-2022.12`",
    Day "day" "`tweets-2022.12.10`",
});

words!(Print {
    Template "template" "The index template",
    Dashboards "dashboards" "The file that Kibana imports",
});

words!(SampleFormat {
    Csv "csv" "The export of a query for the cloud marketplaces: index, User (which is the tweet's id), Tweet, Cloud",
    Ndjson "ndjson" "API v1.1 tweets, one per line, as a stream sends them, with its notices",
    Firehose "firehose" "The same tweets as Firehose puts them into an object: `{…}{…}`",
    V2 "v2" "API v2 filtered-stream lines with includes and matching rules",
});
