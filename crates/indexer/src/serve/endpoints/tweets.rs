//! `/api/tweets`: the tweets that match, a page at a time.

use serde_json::json;

use crate::serve::cursor;
use crate::serve::endpoint::{Endpoint, Reply};
use crate::serve::params::Params;
use crate::serve::problem::Problem;
use crate::serve::questions::Questions;
use crate::serve::range::Range;
use crate::serve::view;
use crate::store::{After, Sort};

/// The orders that tweets can be asked for in.
const SORTS: [(&str, Sort); 5] = [
    ("newest", Sort::Newest),
    ("oldest", Sort::Oldest),
    ("engaged", Sort::Engaged),
    ("positive", Sort::MostPositive),
    ("negative", Sort::MostNegative),
];

#[derive(Debug)]
struct Tweets {
    sort: Sort,
    limit: usize,
    /// The last tweet of the previous page; `None` for the first page.
    after: Option<After>,
}

pub(super) fn read(params: &mut Params) -> Result<Box<dyn Endpoint>, Problem> {
    let sort = params.choice("sort", &SORTS)?.unwrap_or_default();
    let limit = params.number("limit", 1..=100)?.unwrap_or(20);
    let after = match params.one("cursor")? {
        Some(text) => Some(cursor::read(&text, sort).ok_or_else(|| {
            Problem::parameter("cursor", "take it from `next` of the previous page")
        })?),
        None => None,
    };
    Ok(Box::new(Tweets { sort, limit, after }))
}

impl Endpoint for Tweets {
    fn ask(&self, range: &Range, questions: &mut Questions) -> Reply {
        let Tweets { sort, limit, ref after } = *self;
        // One tweet more than the page holds shows whether there is a next page.
        let hits = questions.page(&range.filter, sort, after.clone(), limit + 1);
        Box::new(move |answers| {
            let mut hits = answers.take(hits);
            let is_last = hits.documents.len() <= limit;
            hits.documents.truncate(limit);
            let last = hits.documents.last().filter(|_| !is_last);
            let next = last.map(|document| cursor::write(sort, document));
            json!({ "total": hits.total, "tweets": view::tweets(hits.documents), "next": next })
        })
    }
}
