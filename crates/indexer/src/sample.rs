//! `indexer sample`: synthetic tweets for demos and load tests. The same seed gives the same bytes.

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use ingest::Timestamp;

use crate::config::SampleConfig;
pub use crate::config::SampleFormat;
use crate::failure::Result;
use crate::stdout::shown;

mod json;
mod places;
mod random;
mod text;
mod tweets;

pub use tweets::Tweets;

/// Writes the sample to standard output.
pub(crate) fn run(config: &SampleConfig) -> Result<ExitCode> {
    let SampleConfig { count, seed, format, until } = *config;
    let mut out = BufWriter::with_capacity(256 * 1024, io::stdout().lock());
    let tweets = Tweets::new(count, seed, format == SampleFormat::Csv).until(until);
    shown(write(format, tweets, &mut out))?;
    Ok(ExitCode::SUCCESS)
}

/// Writes sample tweets, one record each, and now and then a deletion notice in NDJSON.
///
/// # Errors
///
/// If `out` cannot be written to.
pub fn write(format: SampleFormat, tweets: Tweets, out: &mut impl Write) -> io::Result<()> {
    if format == SampleFormat::Csv {
        out.write_all(b",User,Tweet,Cloud\n")?;
    }
    for (i, tweet) in tweets.enumerate() {
        match format {
            SampleFormat::Csv => {
                let cloud = tweet.marketplace.map_or("AWS", |marketplace| marketplace.name);
                writeln!(out, "{i},{},{},{cloud}", tweet.id, csv_field(&tweet.text))?;
            }
            SampleFormat::Ndjson => {
                json::v1(&tweet, &mut *out)?;
                out.write_all(b"\n")?;
                if tweet.id % 97 == 0 {
                    json::delete_notice(&tweet, &mut *out)?;
                    out.write_all(b"\n")?;
                }
            }
            SampleFormat::Firehose => json::v1(&tweet, &mut *out)?,
            SampleFormat::V2 => {
                json::v2(&tweet, &mut *out)?;
                out.write_all(b"\n")?;
            }
        }
    }
    out.flush()
}

/// A CSV field as in RFC 4180, in which `&`, `<` and `>` are escaped as the API does.
fn csv_field(text: &str) -> String {
    let escaped = escape(text);
    match escaped.contains([',', '"', '\n', '\r']) {
        true => format!("\"{}\"", escaped.replace('"', "\"\"")),
        false => escaped,
    }
}

/// The three characters that the API escapes in texts.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A time as API v1.1 writes it: `Sat Dec 10 18:32:18 +0000 2022`.
fn v1_time(time: Timestamp) -> String {
    // 1970-01-01 was a Thursday.
    const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
    const MONTHS: [&str; 12] =
        ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let iso = time.to_string();
    let day = DAYS[time.as_millis().div_euclid(86_400_000).rem_euclid(7) as usize];
    let month = iso[5..7].parse::<usize>().map_or("Jan", |month| MONTHS[month - 1]);
    format!("{day} {month} {} {} +0000 {}", &iso[8..10], &iso[11..19], &iso[..4])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(format: SampleFormat, count: u64, seed: u64) -> Vec<u8> {
        let mut out = Vec::new();
        write(format, Tweets::new(count, seed, format == SampleFormat::Csv), &mut out).unwrap();
        out
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes() {
        for format in
            [SampleFormat::Csv, SampleFormat::Ndjson, SampleFormat::Firehose, SampleFormat::V2]
        {
            assert_eq!(sample(format, 50, 7), sample(format, 50, 7));
            assert_ne!(sample(format, 50, 7), sample(format, 50, 8));
        }
    }

    #[test]
    fn tweets_are_of_the_four_weeks_before_their_end() {
        let until = Timestamp::parse("2026-11-21T15:30:00Z").unwrap();
        let from = Timestamp::parse("2026-10-24T15:30:00Z").unwrap();
        let tweets: Vec<_> = Tweets::new(2000, 1, false).until(until).collect();
        assert!(tweets.iter().all(|tweet| (from..until).contains(&tweet.created_at)));
        let at = |hour| tweets.iter().filter(|tweet| tweet.created_at.hour() == hour).count();
        assert!(at(15) > 4 * at(3), "people sleep");
    }

    #[test]
    fn times_are_spelled_as_the_api_spells_them() {
        let time = Timestamp::parse("2022-12-10T18:32:18Z").unwrap();
        assert_eq!(v1_time(time), "Sat Dec 10 18:32:18 +0000 2022");
    }
}
