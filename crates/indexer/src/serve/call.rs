//! What can be asked over HTTP: which questions of the store a request is, and what is made of their answers.

use ingest::Timestamp;
use serde_json::{Value as Json, json};

use super::cursor;
use super::params::Params;
use super::problem::Problem;
use super::view;
use crate::store::{
    After, Answer, Ask, BoundingBox, Bounds, Filter, Interval, Keyword, Question, Sort,
};

/// How many values a list may have.
const MOST: usize = 1_000;
/// From this zoom on single tweets are told, if there are no more than these.
const TWEETS_FROM_ZOOM: u8 = 5;
const MOST_POINTS: usize = 200;
/// The zoom of the cells of the whole world.
const WORLD_ZOOM: u8 = 4;

/// The most buckets of a timeline: the minutes of a week. And as many as can be looked at.
const MOST_BUCKETS: i64 = 10_080;
const GOOD_BUCKETS: i64 = 370;

const DAY: i64 = 86_400_000;

/// A request to the API, understood.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Call {
    pub(super) filter: Filter,
    pub(super) wanted: Wanted,
}

/// What is asked of the tweets that match.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Wanted {
    /// All that a page of the dashboard shows.
    Dashboard,
    Summary,
    Hashtags {
        n: usize,
    },
    Mentions {
        n: usize,
    },
    Locations {
        n: usize,
    },
    Map {
        zoom: u8,
    },
    Timeline {
        interval: Option<Interval>,
    },
    Marketplaces,
    Topics,
    Tweets {
        sort: Sort,
        limit: usize,
        after: Option<After>,
    },
    Top {
        n: usize,
        is_of_the_day: bool,
    },
}

/// The names of the endpoints below `/api`.
pub(super) const ENDPOINTS: [&str; 11] = [
    "dashboard",
    "summary",
    "hashtags",
    "mentions",
    "locations",
    "map",
    "timeline",
    "marketplaces",
    "topics",
    "tweets",
    "top",
];

pub(super) const SORTS: [(&str, Sort); 5] = [
    ("newest", Sort::Newest),
    ("oldest", Sort::Oldest),
    ("engaged", Sort::Engaged),
    ("positive", Sort::MostPositive),
    ("negative", Sort::MostNegative),
];

const INTERVALS: [(&str, Option<Interval>); 5] = [
    ("auto", None),
    ("minute", Some(Interval::Minute)),
    ("hour", Some(Interval::Hour)),
    ("day", Some(Interval::Day)),
    ("week", Some(Interval::Week)),
];

impl Call {
    /// Understands a request; `now` is the clock's, in milliseconds.
    pub(super) fn parse(endpoint: &str, query: &str, now: i64) -> Result<Call, Problem> {
        let mut params = Params::parse(query)?;
        let has_times = params.has_times();
        let filter = params.filter(now)?;
        let n = |params: &mut Params, default| Ok(params.number("n", 1..=MOST)?.unwrap_or(default));
        let wanted = match endpoint {
            "dashboard" => Wanted::Dashboard,
            "summary" => Wanted::Summary,
            "hashtags" => Wanted::Hashtags { n: n(&mut params, 10)? },
            "mentions" => Wanted::Mentions { n: n(&mut params, 10)? },
            "locations" => Wanted::Locations { n: n(&mut params, 100)? },
            "map" => {
                let zoom = params.number("zoom", 0..=22)?.unwrap_or(usize::from(WORLD_ZOOM));
                Wanted::Map { zoom: zoom as u8 }
            }
            "timeline" => {
                Wanted::Timeline { interval: params.choice("interval", &INTERVALS)?.flatten() }
            }
            "marketplaces" => Wanted::Marketplaces,
            "topics" => Wanted::Topics,
            "tweets" => {
                let sort = params.choice("sort", &SORTS)?.unwrap_or_default();
                let limit = params.number("limit", 1..=100)?.unwrap_or(20);
                let after = match params.one("cursor")? {
                    Some(text) => Some(cursor::read(&text, sort).ok_or_else(|| {
                        let detail = "take it from `next` of the page before";
                        Problem::parameter("cursor", detail)
                    })?),
                    None => None,
                };
                Wanted::Tweets { sort, limit, after }
            }
            "top" => Wanted::Top { n: n(&mut params, 5)?, is_of_the_day: !has_times },
            _ => unreachable!("{endpoint} is not one of ENDPOINTS"),
        };
        params.finish()?;
        Ok(Call { filter, wanted })
    }

    /// Whether what is asked depends on when the tweets of the store were written.
    pub(super) fn needs_bounds(&self) -> bool {
        match self.wanted {
            Wanted::Dashboard | Wanted::Timeline { .. } => true,
            Wanted::Top { is_of_the_day, .. } => is_of_the_day,
            _ => false,
        }
    }

    /// The questions, all to be asked at once. `bounds` are those of all tweets of the store.
    pub(super) fn asks(&self, bounds: Option<Bounds>) -> Vec<Ask> {
        let top = |field, n| Question::Top { field, n };
        let search = |sort, limit| Question::Search { sort, after: None, offset: 0, limit };
        let summary = || {
            let countries = top(Keyword::CountryCode, MOST);
            [Question::Sentiment, countries, top(Keyword::GeoSource, 2), Question::Bounds]
        };
        let feelings = Question::SentimentBy { field: Keyword::Marketplace, n: 20 };
        let (questions, filter) = match self.wanted {
            Wanted::Dashboard => {
                let mut questions = Vec::from(summary());
                questions.extend([
                    Question::Timeline { interval: self.interval(None, bounds) },
                    top(Keyword::Hashtags, 10),
                    top(Keyword::Mentions, 10),
                    Question::PeakHours,
                    Question::Map { zoom: WORLD_ZOOM },
                    search(Sort::Newest, 10),
                ]);
                let mut asks = self.of_all(questions);
                let filter = self.of_the_day(bounds);
                asks.push(Ask { filter, question: search(Sort::Engaged, 5) });
                // What there is to choose from is there still after one was chosen.
                let mut choice = |field, question| {
                    asks.push(Ask { filter: self.filter.without(field), question });
                };
                choice(Keyword::Marketplace, Question::Count);
                choice(Keyword::Marketplace, feelings);
                choice(Keyword::Label, top(Keyword::Label, 4));
                choice(Keyword::Lang, top(Keyword::Lang, 50));
                choice(Keyword::CountryCode, top(Keyword::CountryCode, 300));
                return asks;
            }
            Wanted::Summary => (Vec::from(summary()), None),
            Wanted::Hashtags { n } => (vec![top(Keyword::Hashtags, n)], None),
            Wanted::Mentions { n } => (vec![top(Keyword::Mentions, n)], None),
            Wanted::Locations { n } => (vec![Question::Places { n }], None),
            Wanted::Map { zoom } => {
                let mut asks = self.of_all(vec![Question::Map { zoom }]);
                if zoom >= TWEETS_FROM_ZOOM {
                    let mut filter = self.filter.clone();
                    filter.bounding_box.get_or_insert(WORLD);
                    asks.push(Ask { filter, question: search(Sort::Newest, MOST_POINTS) });
                }
                return asks;
            }
            Wanted::Timeline { interval } => {
                let interval = self.interval(interval, bounds);
                (vec![Question::Timeline { interval }], None)
            }
            Wanted::Marketplaces => (vec![Question::Count, feelings], None),
            Wanted::Topics => {
                let questions = vec![
                    Question::Count,
                    top(Keyword::Kind, 4),
                    top(Keyword::Hashtags, 20),
                    top(Keyword::Mentions, 20),
                    Question::PeakHours,
                ];
                (questions, None)
            }
            Wanted::Tweets { sort, limit, ref after } => {
                // One more tells whether there is a next page.
                let limit = limit + 1;
                (vec![Question::Search { sort, after: after.clone(), offset: 0, limit }], None)
            }
            Wanted::Top { n, is_of_the_day } => {
                let filter = is_of_the_day.then(|| self.of_the_day(bounds));
                (vec![search(Sort::Engaged, n)], filter)
            }
        };
        let filter = filter.unwrap_or_else(|| self.filter.clone());
        questions.into_iter().map(|question| Ask { filter: filter.clone(), question }).collect()
    }

    /// What is answered.
    pub(super) fn answer(&self, bounds: Option<Bounds>, answers: Vec<Answer>) -> Json {
        let mut answers = answers.into_iter();
        let mut next = || answers.next().expect("as many answers as questions");
        match &self.wanted {
            Wanted::Dashboard => {
                let summary = view::summary(next(), next(), next(), next());
                let interval = self.interval(None, bounds);
                let day = self.of_the_day(bounds);
                json!({
                    "available": bounds,
                    "summary": summary,
                    "timeline": view::timeline(interval, next()),
                    "hashtags": next().terms(),
                    "mentions": next().terms(),
                    "peak_hours": next().peak_hours(),
                    "cells": view::cells(next()),
                    "newest": view::tweets(next().hits().documents),
                    "top": view::top(&day, next()),
                    "marketplaces": view::marketplaces(next(), next()),
                    "choices": {
                        "sentiment": next().terms(),
                        "lang": next().terms(),
                        "country": next().terms(),
                    },
                })
            }
            Wanted::Summary => view::summary(next(), next(), next(), next()),
            Wanted::Hashtags { .. } => json!({ "hashtags": next().terms() }),
            Wanted::Mentions { .. } => json!({ "mentions": next().terms() }),
            Wanted::Locations { .. } => json!({ "locations": view::places(next()) }),
            Wanted::Map { zoom } => {
                let cells = view::cells(next());
                let hits = (*zoom >= TWEETS_FROM_ZOOM).then(|| next().hits());
                let few = hits.filter(|hits| hits.total <= MOST_POINTS as u64);
                let tweets = few.map(|hits| view::tweets(hits.documents)).unwrap_or_default();
                json!({ "cells": cells, "tweets": tweets })
            }
            Wanted::Timeline { interval } => {
                let interval = self.interval(*interval, bounds);
                view::timeline(interval, next())
            }
            Wanted::Marketplaces => view::marketplaces(next(), next()),
            Wanted::Topics => {
                let count = next().count();
                let kinds = next().terms();
                let retweets = kinds.iter().find(|kind| kind.term == "retweet");
                json!({
                    "count": count,
                    "retweets": retweets.map_or(0, |kind| kind.count),
                    "hashtags": next().terms(),
                    "mentions": next().terms(),
                    "peak_hours": next().peak_hours(),
                })
            }
            Wanted::Tweets { sort, limit, .. } => {
                let mut hits = next().hits();
                let is_last = hits.documents.len() <= *limit;
                hits.documents.truncate(*limit);
                let last = hits.documents.last().filter(|_| !is_last);
                let next = last.map(|document| cursor::write(*sort, document));
                json!({ "total": hits.total, "tweets": view::tweets(hits.documents), "next": next })
            }
            Wanted::Top { is_of_the_day, .. } => {
                let day = is_of_the_day.then(|| self.of_the_day(bounds));
                view::top(day.as_ref().unwrap_or(&self.filter), next())
            }
        }
    }

    fn of_all(&self, questions: Vec<Question>) -> Vec<Ask> {
        let ask = |question| Ask { filter: self.filter.clone(), question };
        questions.into_iter().map(ask).collect()
    }

    /// The last day of the range: the 24 hours up to its last tweet, so that there is one in an archive too.
    fn of_the_day(&self, bounds: Option<Bounds>) -> Filter {
        let mut filter = self.filter.clone();
        let Some(bounds) = bounds else { return filter };
        let last = bounds.to.as_millis() + 1;
        let end = filter.to.map_or(last, |to| to.as_millis().min(last));
        let start = filter.from.map_or(i64::MIN, |from| from.as_millis()).max(end - DAY);
        filter.from = Some(Timestamp::from_millis(start));
        filter.to = Some(Timestamp::from_millis(end.max(start)));
        filter
    }

    /// The narrowest buckets, not below those that are asked for, of which no more than [`MOST_BUCKETS`] fit into
    /// the range; if none are, of which no more than a few hundred do.
    fn interval(&self, asked: Option<Interval>, bounds: Option<Bounds>) -> Interval {
        let (least, most) = asked.map_or((Interval::Minute, GOOD_BUCKETS), |i| (i, MOST_BUCKETS));
        let Some(span) = self.span(bounds) else { return asked.unwrap_or(Interval::Day) };
        let fits = |interval: &Interval| {
            interval.as_millis() >= least.as_millis() && span / interval.as_millis() <= most
        };
        let all = [Interval::Minute, Interval::Hour, Interval::Day, Interval::Week];
        all.into_iter().find(fits).unwrap_or(Interval::Week)
    }

    /// How much time there are tweets of, in milliseconds.
    fn span(&self, bounds: Option<Bounds>) -> Option<i64> {
        let Bounds { from, to } = bounds?;
        let (first, last) = (from.as_millis(), to.as_millis());
        let from = self.filter.from.map_or(first, |from| from.as_millis().max(first));
        let to = self.filter.to.map_or(last, |to| to.as_millis().min(last));
        Some(to - from)
    }
}

/// All that has a location.
const WORLD: BoundingBox = BoundingBox { west: -180.0, south: -90.0, east: 180.0, north: 90.0 };
