//! `/api/marketplaces`: how tweets feel about each cloud marketplace.

use serde::Serialize;
use serde_json::{Value as Json, json};

use crate::serve::endpoint::{Endpoint, Reply};
use crate::serve::params::Params;
use crate::serve::problem::Problem;
use crate::serve::questions::{Answers, Questions};
use crate::serve::range::Range;
use crate::serve::view::rounded;
use crate::store::{Filter, Keyword, LabelCounts, TermSentiment};

const MAX_MARKETPLACES: usize = 20;

#[derive(Debug)]
struct Marketplaces;

pub(super) fn read(_: &mut Params) -> Result<Box<dyn Endpoint>, Problem> {
    Ok(Box::new(Marketplaces))
}

impl Endpoint for Marketplaces {
    fn ask(&self, range: &Range, questions: &mut Questions) -> Reply {
        Box::new(ask(&range.filter, questions))
    }
}

#[derive(Serialize)]
struct Marketplace {
    term: String,
    count: u64,
    mean: Option<f64>,
    labels: LabelCounts,
}

/// Asks for the marketplaces of the tweets that match, and for the number of these tweets. `/api/dashboard` uses it
/// too.
pub(super) fn ask(
    filter: &Filter,
    questions: &mut Questions,
) -> impl FnOnce(&mut Answers) -> Json + 'static {
    let count = questions.count(filter);
    let sentiments = questions.sentiment_by(filter, Keyword::Marketplace, MAX_MARKETPLACES);
    move |answers| {
        let marketplace = |TermSentiment { term, sentiment }| Marketplace {
            term,
            count: sentiment.count,
            mean: sentiment.mean.map(rounded),
            labels: sentiment.labels,
        };
        let all: Vec<_> = answers.take(sentiments).into_iter().map(marketplace).collect();
        json!({ "count": answers.take(count), "marketplaces": all })
    }
}
