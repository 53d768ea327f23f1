//! When a tweet was created: read from its id, or parsed from the formats of time that exports use.

use std::fmt;

use jiff::civil::DateTime;
use jiff::fmt::strtime;
use jiff::tz::TimeZone;

mod spelled;

pub use spelled::DayOrder;
pub(crate) use spelled::order_of;

/// A point in time, in milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;
/// 2010-11-04T01:42:54.657Z, the epoch of Twitter's snowflake ids
/// (twitter-archive/snowflake, `IdWorker.scala`).
const SNOWFLAKE_EPOCH_MS: i64 = 1_288_834_974_657;
/// Ids up to here were handed out one by one, before November 2010, and hold no time.
const LAST_SEQUENTIAL_ID: u64 = 29_700_000_000;
/// The days that are times of tweets, from 2006 on, as Excel counts them, and the Unix epoch in these days.
const EXCEL_DAYS: std::ops::Range<f64> = 38_700.0..55_000.0;
const EXCEL_EPOCH_DAYS: f64 = 25_569.0;
/// A number that would be a time outside these years was misread: it is not the time of a tweet.
const PLAUSIBLE_MS: std::ops::Range<i64> = 1_104_537_600_000..4_102_444_800_000; // 2005..2100

impl Timestamp {
    /// From milliseconds since the Unix epoch; out-of-range values are clamped to years that exist.
    pub fn from_millis(millis: i64) -> Timestamp {
        let bounds = [jiff::Timestamp::MIN, jiff::Timestamp::MAX].map(|t| t.as_millisecond());
        Timestamp(millis.clamp(bounds[0], bounds[1]))
    }

    /// Milliseconds since the Unix epoch.
    pub fn as_millis(self) -> i64 {
        self.0
    }

    /// The hour of its day, 0 to 23, in UTC.
    pub fn hour(self) -> u8 {
        (self.0.rem_euclid(DAY_MS) / HOUR_MS) as u8
    }

    /// The day of its week in UTC as ISO 8601 counts, from 1, Monday, to 7, Sunday.
    pub fn weekday(self) -> u8 {
        // 1970-01-01 was a Thursday.
        ((self.0.div_euclid(DAY_MS) + 3).rem_euclid(7) + 1) as u8
    }

    /// The smallest snowflake id of this millisecond; 0 before there were any.
    pub fn to_first_id(self) -> u64 {
        (self.0.saturating_sub(SNOWFLAKE_EPOCH_MS).max(0) as u64) << 22
    }

    /// The time in a tweet id, to the millisecond; `None` if the id is not a snowflake.
    ///
    /// ```
    /// let time = ingest::Timestamp::from_id("1601645088790257667").unwrap();
    /// assert_eq!(time.to_string(), "2022-12-10T18:28:40.951Z");
    /// ```
    pub fn from_id(id: &str) -> Option<Timestamp> {
        if !id.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let id: u64 = id.parse().ok()?;
        if id <= LAST_SEQUENTIAL_ID || id > i64::MAX as u64 {
            return None;
        }
        // All but the lowest 22 bits of a snowflake id are the milliseconds since its epoch.
        Some(Timestamp((id >> 22) as i64 + SNOWFLAKE_EPOCH_MS))
    }

    /// Parses a time in any of the formats that tweets and their exports use.
    ///
    /// These are API v1.1 (`Wed Aug 27 13:08:45 +0000 2008`), RFC 3339 and ISO 8601 with `T` or a space and with or
    /// without a zone (UTC if there is none), a date alone, Unix seconds, milliseconds or microseconds, days as Excel
    /// counts them, and what people write (`Dec 12, 2022 6:08 PM`). A date whose day and month can be mistaken for each
    /// other (`4/5/2009`) gives `None`.
    pub fn parse(text: &str) -> Option<Timestamp> {
        Timestamp::parse_in_order(text, None)
    }

    /// The same. If day and month can be mistaken for each other, `order` decides.
    pub(crate) fn parse_in_order(text: &str, order: Option<DayOrder>) -> Option<Timestamp> {
        let text = text.trim();
        let first = *text.as_bytes().first()?;
        if text.bytes().all(|b| b.is_ascii_digit() || b == b'.')
            && let Some(time) = from_number(text)
        {
            return Some(time);
        }
        let time = match first {
            b'0'..=b'9' | b'+' | b'-' => parse_iso(text),
            _ => parse_v1(text),
        };
        let time = time.or_else(|| spelled::parse(text, order))?;
        Some(Timestamp(time.as_millisecond()))
    }
}

fn from_number(text: &str) -> Option<Timestamp> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let number: i64 = whole.parse().ok()?;
    // Seconds, milliseconds, microseconds or nanoseconds: whichever gives a plausible year.
    let unix = [number.saturating_mul(1000), number, number / 1000, number / 1_000_000];
    if let Some(millis) = unix.into_iter().find(|millis| PLAUSIBLE_MS.contains(millis)) {
        let is_seconds = millis == unix[0];
        let part = format!("0.{fraction}").parse::<f64>().ok().filter(|_| is_seconds);
        return Some(Timestamp(millis + (part.unwrap_or(0.0) * 1000.0).round() as i64));
    }
    // Days since 30 December 1899, as Excel counts them.
    let days: f64 = text.parse().ok().filter(|days| EXCEL_DAYS.contains(days))?;
    Some(Timestamp(((days - EXCEL_EPOCH_DAYS) * 86_400.0).round() as i64 * 1000))
}

fn parse_iso(text: &str) -> Option<jiff::Timestamp> {
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Some(time);
    }
    // `2016-08-10 15:12:16 UTC`, as spreadsheets and BigQuery write it.
    let bare = text.trim_end_matches(" UTC").trim_end_matches(" GMT");
    Some(bare.parse::<DateTime>().ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp())
}

fn parse_v1(text: &str) -> Option<jiff::Timestamp> {
    strtime::parse("%a %b %d %H:%M:%S %z %Y", text).ok()?.to_timestamp().ok()
}

impl fmt::Display for Timestamp {
    /// RFC 3339 in UTC, always with three decimals.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(time) => write!(f, "{time:.3}"),
            Err(_) => write!(f, "{}", self.0),
        }
    }
}

impl serde::Serialize for Timestamp {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Timestamp {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
        Timestamp::parse(&text)
            .ok_or_else(|| serde::de::Error::custom(format!("`{text}` is not a time")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: Option<&str>) {
        assert_eq!(Timestamp::parse(text).map(|t| t.to_string()).as_deref(), expected, "{text}");
    }

    #[test]
    fn times_are_read_as_tweets_and_exports_spell_them() {
        check("Wed Aug 27 13:08:45 +0000 2008", Some("2008-08-27T13:08:45.000Z"));
        check("2021-04-01T15:52:31.000Z", Some("2021-04-01T15:52:31.000Z"));
        check("2016-08-10 15:12:16", Some("2016-08-10T15:12:16.000Z"));
        check("2016-08-10 15:12:16+02:00", Some("2016-08-10T13:12:16.000Z"));
        check("2016-08-10 15:12:16 +0000", Some("2016-08-10T15:12:16.000Z"));
        check("2016-08-10 15:12:16 UTC", Some("2016-08-10T15:12:16.000Z"));
        check("2016-08-10", Some("2016-08-10T00:00:00.000Z"));
        check("2016/08/10", Some("2016-08-10T00:00:00.000Z"));
        check("2016/08/10 15:12", Some("2016-08-10T15:12:00.000Z"));
        check("2016-08-10 3:12:16 PM", Some("2016-08-10T15:12:16.000Z"));
        check("Mon Apr 06 22:19:45 PDT 2009", Some("2009-04-07T05:19:45.000Z"));
        check("1520690595", Some("2018-03-10T14:03:15.000Z"));
        check("1520690595660", Some("2018-03-10T14:03:15.660Z"));
        check("1520690595.5", Some("2018-03-10T14:03:15.500Z"));
        check("43174.8204282407", Some("2018-03-15T19:41:25.000Z"));
    }

    #[test]
    fn hours_and_weekdays_are_those_of_utc() {
        for (millis, weekday, hour) in [
            (0, 4, 0),
            (-1, 3, 23),
            (1_670_803_199_999, 7, 23), // 2022-12-11T23:59:59.999Z
            (1_670_803_200_000, 1, 0),
        ] {
            let time = Timestamp::from_millis(millis);
            assert_eq!((time.weekday(), time.hour()), (weekday, hour), "{time}");
        }
    }

    #[test]
    fn what_is_no_time_is_not_guessed_at() {
        for text in ["", "0000-00-00", "4/5/2009", "yesterday", "17", "2016-13-01", "Wed"] {
            check(text, None);
        }
    }

    #[test]
    fn only_a_snowflake_holds_a_time() {
        let time = |id| Timestamp::from_id(id).map(|t| t.to_string());
        assert_eq!(time("660699987194609664").as_deref(), Some("2015-11-01T06:08:46.816Z"));
        for id in ["5765011", "29700000000", "", "0", "-1", "1.6e18", "99999999999999999999", "abc"]
        {
            assert_eq!(time(id), None, "{id}");
        }
    }
}
