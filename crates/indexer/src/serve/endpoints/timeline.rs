//! `/api/timeline`: how many tweets were written over time, by label.

use serde_json::{Value as Json, json};

use crate::serve::endpoint::{Endpoint, Reply};
use crate::serve::params::Params;
use crate::serve::problem::Problem;
use crate::serve::questions::{Answers, Questions};
use crate::serve::range::Range;
use crate::store::Interval;

const INTERVALS: [(&str, Option<Interval>); 5] = [
    ("auto", None),
    ("minute", Some(Interval::Minute)),
    ("hour", Some(Interval::Hour)),
    ("day", Some(Interval::Day)),
    ("week", Some(Interval::Week)),
];

#[derive(Debug)]
struct Timeline {
    interval: Option<Interval>,
}

pub(super) fn read(params: &mut Params) -> Result<Box<dyn Endpoint>, Problem> {
    Ok(Box::new(Timeline { interval: params.choice("interval", &INTERVALS)?.flatten() }))
}

impl Endpoint for Timeline {
    fn needs_bounds(&self) -> bool {
        true
    }

    fn ask(&self, range: &Range, questions: &mut Questions) -> Reply {
        Box::new(ask(range, self.interval, questions))
    }
}

/// Asks for a timeline whose interval is not narrower than `least`. `/api/dashboard` uses it too.
pub(super) fn ask(
    range: &Range,
    least: Option<Interval>,
    questions: &mut Questions,
) -> impl FnOnce(&mut Answers) -> Json + 'static {
    let interval = range.interval(least);
    let timeline = questions.timeline(&range.filter, interval);
    move |answers| {
        let is_it = |(_, other): &&(&str, _)| *other == Some(interval);
        let name = INTERVALS.iter().find(is_it).map(|(name, _)| *name);
        json!({ "interval": name, "buckets": answers.take(timeline) })
    }
}
