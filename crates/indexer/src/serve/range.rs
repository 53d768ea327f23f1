//! Which tweets a request is about, and over what time they range.

use ingest::Timestamp;

use crate::store::{Bounds, Filter, Interval};

/// The most buckets of a timeline whose interval was asked for: the minutes of a week.
const MAX_BUCKETS: i64 = 10_080;
/// The most buckets of a timeline if no interval was asked for: about as many as can be told apart on a screen.
const READABLE_BUCKETS: i64 = 370;

const DAY_MS: i64 = 86_400_000;

/// The tweets that a request is about.
pub(super) struct Range {
    pub(super) filter: Filter,
    /// When the first and the last tweet of the whole store were written. `None` if the endpoint does not need to know,
    /// or if the store has no tweets.
    pub(super) bounds: Option<Bounds>,
}

impl Range {
    /// A filter for the last day of the range: the 24 hours up to its last tweet and not up to now, so that an archive
    /// has a last day too.
    pub(super) fn last_day(&self) -> Filter {
        let mut filter = self.filter.clone();
        let Some(bounds) = self.bounds else { return filter };
        let last = bounds.to.as_millis() + 1;
        let end = filter.to.map_or(last, |to| to.as_millis().min(last));
        let start = filter.from.map_or(i64::MIN, |from| from.as_millis()).max(end - DAY_MS);
        filter.from = Some(Timestamp::from_millis(start));
        filter.to = Some(Timestamp::from_millis(end.max(start)));
        filter
    }

    /// The narrowest interval that divides the range into no more than [`MAX_BUCKETS`] and is not narrower than
    /// `least`; without `least`, the narrowest that divides it into no more than [`READABLE_BUCKETS`]. A week if none
    /// does.
    pub(super) fn interval(&self, least: Option<Interval>) -> Interval {
        let Some(span) = self.span_ms() else { return least.unwrap_or(Interval::Day) };
        let (least, most) = match least {
            Some(interval) => (interval, MAX_BUCKETS),
            None => (Interval::Minute, READABLE_BUCKETS),
        };
        let fits = |interval: &Interval| {
            interval.as_millis() >= least.as_millis() && span / interval.as_millis() <= most
        };
        let all = [Interval::Minute, Interval::Hour, Interval::Day, Interval::Week];
        all.into_iter().find(fits).unwrap_or(Interval::Week)
    }

    /// The time between the first and the last tweet that the range can hold, in milliseconds. `None` if
    /// [`Range::bounds`] is.
    fn span_ms(&self) -> Option<i64> {
        let Bounds { from, to } = self.bounds?;
        let (first, last) = (from.as_millis(), to.as_millis());
        let from = self.filter.from.map_or(first, |from| from.as_millis().max(first));
        let to = self.filter.to.map_or(last, |to| to.as_millis().min(last));
        Some(to - from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(from: &str, to: &str, filter: Filter) -> Range {
        let time = |text| Timestamp::parse(text).unwrap();
        Range { filter, bounds: Some(Bounds { from: time(from), to: time(to) }) }
    }

    #[test]
    fn the_interval_of_a_timeline_is_as_narrow_as_can_be_read() {
        for (from, to, asked, interval) in [
            ("2022-12-10T00:00:00Z", "2022-12-10T06:00:00Z", None, Interval::Minute),
            ("2022-12-10T00:00:00Z", "2022-12-12T00:00:00Z", None, Interval::Hour),
            ("2022-01-01T00:00:00Z", "2022-12-31T00:00:00Z", None, Interval::Day),
            ("2010-01-01T00:00:00Z", "2022-12-31T00:00:00Z", None, Interval::Week),
            (
                "2022-12-10T00:00:00Z",
                "2022-12-12T00:00:00Z",
                Some(Interval::Minute),
                Interval::Minute,
            ),
            (
                "2022-01-01T00:00:00Z",
                "2022-12-31T00:00:00Z",
                Some(Interval::Minute),
                Interval::Hour,
            ),
        ] {
            let range = range(from, to, Filter::default());
            assert_eq!(range.interval(asked), interval, "{from} to {to}, {asked:?}");
        }
        let empty = Range { filter: Filter::default(), bounds: None };
        assert_eq!(empty.interval(None), Interval::Day);
    }

    #[test]
    fn the_last_day_ends_with_the_last_tweet_of_the_range() {
        let time = Timestamp::parse;
        let to = time("2022-12-05T00:00:00Z");
        for (filter, from, to) in [
            (Filter::default(), "2022-12-09T12:00:00.001Z", "2022-12-10T12:00:00.001Z"),
            (Filter { to, ..Filter::default() }, "2022-12-04T00:00:00Z", "2022-12-05T00:00:00Z"),
        ] {
            let day = range("2022-12-01T00:00:00Z", "2022-12-10T12:00:00Z", filter).last_day();
            assert_eq!((day.from, day.to), (time(from), time(to)));
        }
    }
}
