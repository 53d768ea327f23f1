//! `/api/summary`: how many tweets there are, from when, from where, and how they feel.

use serde_json::{Value as Json, json};

use crate::serve::endpoint::{Endpoint, Reply};
use crate::serve::params::Params;
use crate::serve::problem::Problem;
use crate::serve::questions::{Answers, Questions};
use crate::serve::range::Range;
use crate::serve::view::rounded;
use crate::store::{Filter, Keyword};

/// There are 249 countries.
const MAX_COUNTRIES: usize = 1_000;
/// The location of a tweet comes from either a point or a place.
const MAX_GEO_SOURCES: usize = 2;

#[derive(Debug)]
struct Summary;

pub(super) fn read(_: &mut Params) -> Result<Box<dyn Endpoint>, Problem> {
    Ok(Box::new(Summary))
}

impl Endpoint for Summary {
    fn ask(&self, range: &Range, questions: &mut Questions) -> Reply {
        Box::new(ask(&range.filter, questions))
    }
}

/// Asks for the summary of the tweets that match. `/api/dashboard` uses it too.
pub(super) fn ask(
    filter: &Filter,
    questions: &mut Questions,
) -> impl FnOnce(&mut Answers) -> Json + 'static {
    let sentiment = questions.sentiment(filter);
    let countries = questions.top(filter, Keyword::CountryCode, MAX_COUNTRIES);
    let located = questions.top(filter, Keyword::GeoSource, MAX_GEO_SOURCES);
    let bounds = questions.bounds(filter);
    move |answers| {
        let sentiment = answers.take(sentiment);
        let bounds = answers.take(bounds);
        json!({
            "count": sentiment.count,
            "mean": sentiment.mean.map(rounded),
            "labels": sentiment.labels,
            "located": answers.take(located).iter().map(|source| source.count).sum::<u64>(),
            "countries": answers.take(countries),
            "from": bounds.map(|bounds| bounds.from),
            "to": bounds.map(|bounds| bounds.to),
        })
    }
}
