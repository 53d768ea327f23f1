//! Which tweet a record is, and when it was written.
//!
//! The time in an id is trusted only if it agrees with the rest of the record. The ids of other networks, of
//! spreadsheets and of database tables are numbers too, and any number of the right size yields *some* time when it is
//! read as a tweet's id. So if a record has a date that is more than a day away from that time, the date wins.

use std::borrow::Cow;
use std::hash::Hasher;

use siphasher::sip128::{Hasher128, SipHasher24};

use crate::{DayOrder, IdCheck, Options, Timestamp, Tweet};

/// What a record says of its identity, before it is checked.
pub(crate) struct Claims<'a, 'c> {
    pub(crate) id: Option<Cow<'a, str>>,
    pub(crate) date: Option<Date<'a>>,
    pub(crate) text: Cow<'a, str>,
    /// The author's handle or id. It distinguishes tweets that have no id of their own.
    pub(crate) author: Option<&'c str>,
}

/// A date as a record has it.
pub(crate) struct Date<'a> {
    text: Cow<'a, str>,
    time: Option<Timestamp>,
    /// Whether it has no time of day, so that it means all of the day.
    is_whole_day: bool,
}

impl<'a> Date<'a> {
    pub(crate) fn new(text: Cow<'a, str>) -> Date<'a> {
        match Timestamp::parse(&text) {
            Some(time) => Date::read(text, time),
            None => Date::unread(text),
        }
    }

    /// A date that was read from `text`.
    pub(crate) fn read(text: Cow<'a, str>, time: Timestamp) -> Date<'a> {
        let is_number = text.trim().bytes().all(|b| b.is_ascii_digit() || b == b'.');
        let is_whole_day = !text.contains(':') && !is_number;
        Date { text, time: Some(time), is_whole_day }
    }

    /// A date that was read from `text`, with a time of day from elsewhere.
    pub(crate) fn exact(text: Cow<'a, str>, time: Timestamp) -> Date<'a> {
        Date { text, time: Some(time), is_whole_day: false }
    }

    /// A date that cannot be read.
    pub(crate) fn unread(text: Cow<'a, str>) -> Date<'a> {
        Date { text, time: None, is_whole_day: false }
    }

    /// The first of the dates that can be read, else the last one.
    pub(crate) fn first_readable(
        dates: impl IntoIterator<Item = Cow<'a, str>>,
    ) -> Option<Date<'a>> {
        let mut last = None;
        for date in dates.into_iter().map(Date::new) {
            if date.time.is_some() {
                return Some(date);
            }
            last = Some(date);
        }
        last
    }

    /// The date as it stands there, if it cannot be read.
    pub(crate) fn unread_text(&self) -> Option<&str> {
        if self.time.is_none() { self.given() } else { None }
    }

    fn given(&self) -> Option<&str> {
        Some(self.text.trim()).filter(|text| !text.is_empty())
    }

    /// Whether a time lies within a day of this date.
    pub(crate) fn is_within_a_day_of(&self, time: Timestamp) -> bool {
        const DAY_MS: i64 = 24 * 3_600_000;
        let Some(date) = self.time else { return true };
        let length = if self.is_whole_day { DAY_MS } else { 0 };
        let start = date.as_millis() - DAY_MS;
        (start..=start + length + 2 * DAY_MS).contains(&time.as_millis())
    }
}

/// Whether a date can be read only if it is known which of two numbers is the day.
fn order_matters(text: &str) -> bool {
    Timestamp::parse(text).is_none()
        && Timestamp::parse_in_order(text, Some(DayOrder::DayFirst)).is_some()
}

/// The longest `_id` that Elasticsearch takes, in bytes.
pub const MAX_ID_BYTES: usize = 512;

/// Makes a tweet of what a record claims. The error says why that is not possible.
pub(crate) fn identify<'a>(claims: Claims<'a, '_>, options: &Options) -> Result<Tweet<'a>, String> {
    let Claims { id, date, text, author } = claims;
    let id = id.and_then(usable_id);
    let given = date.as_ref().and_then(Date::given);
    // The id's time comes first where both agree: it is exact to the millisecond.
    let is_plausible = |time: &Timestamp| date.as_ref().is_none_or(|d| d.is_within_a_day_of(*time));
    let time_of_id = id.as_deref().and_then(Timestamp::from_id);
    let time =
        time_of_id.filter(is_plausible).or_else(|| date.as_ref()?.time).or(options.timestamp);
    let Some(time) = time else {
        return Err(match given {
            Some(given) if order_matters(given) => format!(
                "in its time `{given}`, day and month can be mistaken for each other; hint: give --dates day-first or month-first"
            ),
            Some(given) if Timestamp::parse(given).is_some() => {
                format!("its time `{given}` is no time at which tweets are written; hint: give --timestamp T")
            }
            Some(given) => format!(
                "its time `{given}` cannot be read; hint: write it as 2022-12-10T18:08:00Z, or give --timestamp T"
            ),
            None => {
                "no timestamp: the record has no date, and its id contains no time; hint: give --timestamp T".to_owned()
            }
        });
    };
    let id_check = check(id.as_deref(), time_of_id, date.as_ref());
    let id = match id {
        Some(id) if id.len() > MAX_ID_BYTES => {
            return Err("its id is longer than 512 bytes".to_owned());
        }
        Some(id) => id,
        None => Cow::Owned(content_hash(&text, given, author)),
    };
    let mut tweet = Tweet::new(id, time, text);
    tweet.id_check = id_check;
    tweet.assumed_marketplace = options.marketplace.clone().map(Cow::Owned);
    Ok(tweet)
}

/// Ids up to here were given in 2006 and 2007.
const MAX_ROW_NUMBER: u64 = 9_999_999;
/// The beginning of 2008, in milliseconds since 1970.
const AFTER_SMALL_IDS_MS: i64 = 1_199_145_600_000;

fn check(id: Option<&str>, time_of_id: Option<Timestamp>, date: Option<&Date<'_>>) -> IdCheck {
    let (Some(id), Some(date)) = (id, date) else { return IdCheck::Unchecked };
    let Some(day) = date.time else { return IdCheck::Unchecked };
    match time_of_id {
        Some(time) if date.is_within_a_day_of(time) => IdCheck::Agrees,
        Some(_) => IdCheck::Disagrees,
        None if day.as_millis() >= AFTER_SMALL_IDS_MS
            && id.parse().is_ok_and(|number: u64| number <= MAX_ROW_NUMBER) =>
        {
            IdCheck::RowNumber
        }
        None => IdCheck::Unchecked,
    }
}

/// An id without what keeps spreadsheets from rounding it (`'160…`, `="160…"`). `None` if it cannot identify a tweet: an id
/// that a spreadsheet has rounded (`1.60165E+18`) cannot, and neither can the `0` that some scrapers write.
fn usable_id(id: Cow<'_, str>) -> Option<Cow<'_, str>> {
    let is_number = |id: &str| id.bytes().all(|b| b.is_ascii_digit());
    let is_given = |id: &str| !id.is_empty() && id != "0";
    if is_number(&id) {
        return is_given(&id).then_some(id);
    }
    let is_wrapping = |c: char| c.is_whitespace() || matches!(c, '\'' | '"' | '=');
    let bare = match id {
        Cow::Borrowed(id) => Cow::Borrowed(id.trim_matches(is_wrapping)),
        Cow::Owned(id) => Cow::Owned(id.trim_matches(is_wrapping).to_owned()),
    };
    let is_rounded = bare.bytes().all(|b| b.is_ascii_digit() || b"+-.,eE".contains(&b));
    (is_given(&bare) && (is_number(&bare) || !is_rounded)).then_some(bare)
}

/// The id of a tweet that came without one. The same content always gets the same id, so that a rerun meets the same
/// document. The scheme must never change, or every such tweet would be indexed a second time.
fn content_hash(text: &str, created_at: Option<&str>, author: Option<&str>) -> String {
    let mut hasher = SipHasher24::new();
    for part in [text, created_at.unwrap_or_default(), author.unwrap_or_default()] {
        hasher.write(part.as_bytes());
        // UTF-8 never contains this byte, so it marks the end of a part unambiguously.
        hasher.write_u8(0xFF);
    }
    let hash = hasher.finish128();
    format!("{:016x}{:016x}", hash.h1, hash.h2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(id: &'static str, date: &'static str, expected: &str) {
        let date = Date::first_readable((!date.is_empty()).then_some(date.into()));
        let claims = Claims { id: Some(id.into()), date, text: "hello".into(), author: None };
        let tweet = identify(claims, &Options::default()).unwrap();
        assert_eq!((&*tweet.id, &*tweet.created_at.to_string()), (id, expected));
    }

    #[test]
    fn the_time_of_an_id_counts_where_the_record_s_date_agrees_with_it() {
        let id = "1601645088790257667";
        let exact = "2022-12-10T18:28:40.951Z";
        for date in [
            "",
            "unreadable",
            "Sat Dec 10 18:28:40 +0000 2022",
            "2022-12-10",
            // In the east and in the west the calendar shows another day.
            "2022-12-11",
            "2022-12-09",
            "2022-12-11 06:28:40",
        ] {
            check(id, date, exact);
        }
    }

    #[test]
    fn a_date_that_is_another_day_counts_more_than_a_number_that_is_no_tweet_s_id() {
        for (id, date, expected) in [
            // Milliseconds since 1970, Mastodon, Weibo, Facebook, rows of a table.
            ("1520690595660", "2022-01-01", "2022-01-01T00:00:00.000Z"),
            ("109501234567890123", "2022-12-12T09:00:00Z", "2022-12-12T09:00:00.000Z"),
            ("4847586123456789", "2022-12-12T09:00:00Z", "2022-12-12T09:00:00.000Z"),
            ("10158765432109876", "2021-03-04 05:06:07", "2021-03-04T05:06:07.000Z"),
            ("29700000001", "2015-01-01", "2015-01-01T00:00:00.000Z"),
            ("3", "2015-01-01", "2015-01-01T00:00:00.000Z"),
            // A day and a second away.
            ("1601645088790257667", "2022-12-11T18:28:42Z", "2022-12-11T18:28:42.000Z"),
            ("1601645088790257667", "2022-12-08", "2022-12-08T00:00:00.000Z"),
        ] {
            check(id, date, expected);
        }
    }
}
