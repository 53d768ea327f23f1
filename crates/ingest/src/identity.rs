//! Which tweet a record is, and when it was written.
//!
//! The time in an id is trusted only if it agrees with the rest of the record. The ids of other networks, of
//! spreadsheets and of database tables are numbers too, and any number of the right size yields *some* time when it is
//! read as a tweet's id. So if a record has a date that is more than a day away from that time, the date wins.

use std::borrow::Cow;
use std::hash::Hasher;

use siphasher::sip128::{Hasher128, SipHasher24};

use crate::{Options, Timestamp, Tweet};

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
}

impl<'a> Date<'a> {
    pub(crate) fn new(text: Cow<'a, str>) -> Date<'a> {
        let time = Timestamp::parse(&text);
        Date { text, time }
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

    fn given(&self) -> Option<&str> {
        Some(self.text.trim()).filter(|text| !text.is_empty())
    }

    /// Whether a time lies within a day of this date. A date without a time of day means all of that day.
    fn is_within_a_day_of(&self, time: Timestamp) -> bool {
        const DAY_MS: i64 = 24 * 3_600_000;
        let Some(date) = self.time else { return true };
        let is_whole_day = self.text.len() <= "2022-12-10".len() && self.text.contains(['-', '/']);
        let length = if is_whole_day { DAY_MS } else { 0 };
        let start = date.as_millis() - DAY_MS;
        (start..=start + length + 2 * DAY_MS).contains(&time.as_millis())
    }
}

/// The longest `_id` that Elasticsearch takes, in bytes.
pub const MAX_ID_BYTES: usize = 512;

/// Makes a tweet of what a record claims. The error says why that is not possible.
pub(crate) fn identify<'a>(claims: Claims<'a, '_>, options: &Options) -> Result<Tweet<'a>, String> {
    let Claims { id, date, text, author } = claims;
    let id = id.map(bare_id).filter(|id| is_usable_id(id));
    let given = date.as_ref().and_then(Date::given);
    // The id's time comes first where both agree: it is exact to the millisecond.
    let is_plausible = |time: &Timestamp| date.as_ref().is_none_or(|d| d.is_within_a_day_of(*time));
    let time = id
        .as_deref()
        .and_then(Timestamp::from_id)
        .filter(is_plausible)
        .or_else(|| date.as_ref()?.time)
        .or(options.timestamp);
    let Some(time) = time else {
        return Err(match given {
            Some(given) => format!(
                "its time `{given}` cannot be read; hint: write it as 2022-12-10T18:08:00Z, or give --timestamp T"
            ),
            None => {
                "no timestamp: the record has no date, and its id contains no time; hint: give --timestamp T".to_owned()
            }
        });
    };
    let id = match id {
        Some(id) if id.len() > MAX_ID_BYTES => {
            return Err("its id is longer than 512 bytes".to_owned());
        }
        Some(id) => id,
        None => Cow::Owned(content_hash(&text, given, author)),
    };
    let mut tweet = Tweet::new(id, time, text);
    tweet.assumed_marketplace = options.marketplace.clone().map(Cow::Owned);
    Ok(tweet)
}

/// Removes what keeps spreadsheets from rounding an id: `'160…` and `="160…"`.
fn bare_id(id: Cow<'_, str>) -> Cow<'_, str> {
    let is_wrapping = |c: char| c.is_whitespace() || matches!(c, '\'' | '"' | '=');
    match id {
        Cow::Borrowed(id) => Cow::Borrowed(id.trim_matches(is_wrapping)),
        Cow::Owned(id) => Cow::Owned(id.trim_matches(is_wrapping).to_owned()),
    }
}

/// Whether an id can identify a tweet. An id that a spreadsheet has rounded (`1.60165E+18`) cannot, and neither can the
/// `0` that some scrapers write.
fn is_usable_id(id: &str) -> bool {
    let is_rounded = id.bytes().all(|b| b.is_ascii_digit() || b"+-.,eE".contains(&b))
        && !id.bytes().all(|b| b.is_ascii_digit());
    !id.is_empty() && id != "0" && !is_rounded
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
