//! The saved objects for Kibana: those of the import file, with dashboards that open on the time range of the tweets.

use std::fmt;

use ingest::Timestamp;
use serde_json::{Value as Json, json};

use crate::failure::{Context, Result};

/// The import file, one object per line. `cargo run -p kibana` makes it from the files below `kibana/`.
pub(super) const IMPORT_FILE: &str = include_str!("../../../../kibana/tweets.ndjson");

/// A saved object of Kibana, as JSON.
pub(super) struct SavedObject(Json);

impl fmt::Display for SavedObject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl SavedObject {
    /// `dashboard`, `lens`, `map` and so on.
    pub(super) fn kind(&self) -> &str {
        self.0["type"].as_str().unwrap_or_default()
    }

    /// Its id. It is the same in every Kibana, unless another space there has taken it.
    pub(super) fn id(&self) -> &str {
        self.0["id"].as_str().unwrap_or_default()
    }

    /// The title that people see; empty if it has none.
    pub(super) fn title(&self) -> &str {
        let attributes = &self.0["attributes"];
        attributes["name"].as_str().or(attributes["title"].as_str()).unwrap_or_default()
    }
}

/// A time range as Kibana writes it: times, or `now-7d`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TimeRange {
    pub(super) from: String,
    pub(super) to: String,
}

const DAY_MS: i64 = 86_400_000;

impl TimeRange {
    /// The range that suits tweets between these times. If the newest is at most a day old, tweets are still coming
    /// in, and it is the last 7, 30 or 90 days: relative to now, so that it stays right, and no longer than people
    /// look at. An archive is shown as a whole.
    pub(super) fn of(oldest: Timestamp, newest: Timestamp, now: Timestamp) -> TimeRange {
        let days_since =
            |time: Timestamp| (now.as_millis() - time.as_millis()) as f64 / DAY_MS as f64;
        if days_since(newest) <= 1.0 {
            let spans = [(7.0, "now-7d"), (30.0, "now-30d")];
            let from = spans.iter().find(|(days, _)| days_since(oldest) <= *days);
            let from = from.map_or("now-90d", |(_, from)| from);
            return TimeRange { from: from.to_owned(), to: "now".to_owned() };
        }
        let day = |time: Timestamp, add: i64| {
            let start = time.as_millis().div_euclid(DAY_MS) * DAY_MS;
            Timestamp::from_millis(start + add).to_string()
        };
        TimeRange { from: day(oldest, 0), to: day(newest, DAY_MS - 1) }
    }
}

/// All objects. The dashboards open on `range` or, without it, on the time range in the import file.
pub(super) fn saved_objects(range: Option<&TimeRange>) -> Result<Vec<SavedObject>> {
    let object = |line: &str| {
        let mut object: Json = serde_json::from_str(line)?;
        if let Some(TimeRange { from, to }) = range
            && object["type"] == "dashboard"
        {
            object["attributes"]["timeFrom"] = json!(from);
            object["attributes"]["timeTo"] = json!(to);
        }
        Ok(SavedObject(object))
    };
    IMPORT_FILE
        .lines()
        .map(object)
        .collect::<Result<_, serde_json::Error>>()
        .context("the import file is broken")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_range_is_where_the_tweets_are() {
        let time = |text| Timestamp::parse(text).unwrap();
        let now = time("2026-11-21T12:00:00Z");
        for (oldest, newest, from, to) in [
            ("2026-11-21T00:00:00Z", "2026-11-21T11:59:00Z", "now-7d", "now"),
            ("2026-11-16T00:00:00Z", "2026-11-21T11:59:00Z", "now-7d", "now"),
            ("2026-11-01T00:00:00Z", "2026-11-20T13:00:00Z", "now-30d", "now"),
            ("2012-01-01T00:00:00Z", "2026-11-20T13:00:00Z", "now-90d", "now"),
            (
                "2022-12-01T08:00:00Z",
                "2022-12-10T09:00:00Z",
                "2022-12-01T00:00:00.000Z",
                "2022-12-10T23:59:59.999Z",
            ),
            (
                "2026-02-02T08:00:00Z",
                "2026-03-01T09:00:00Z",
                "2026-02-02T00:00:00.000Z",
                "2026-03-01T23:59:59.999Z",
            ),
        ] {
            let range = TimeRange { from: from.to_owned(), to: to.to_owned() };
            assert_eq!(TimeRange::of(time(oldest), time(newest), now), range);
        }
    }

    #[test]
    fn dashboards_open_on_the_time_range() {
        let range = TimeRange { from: "now-7d".to_owned(), to: "now".to_owned() };
        let objects = saved_objects(Some(&range)).unwrap();
        let dashboards = objects.iter().filter(|object| object.kind() == "dashboard");
        assert!(dashboards.clone().count() >= 7);
        for SavedObject(dashboard) in dashboards {
            assert_eq!(dashboard["attributes"]["timeFrom"], "now-7d");
            assert_eq!(dashboard["attributes"]["timeRestore"], true);
        }
    }
}
