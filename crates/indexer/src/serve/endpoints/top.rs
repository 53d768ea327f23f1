//! `/api/top`: the tweets with the most retweets, likes, replies and quotes; of the last day, unless times are given.

use serde_json::{Value as Json, json};

use crate::serve::endpoint::{Endpoint, Reply};
use crate::serve::params::Params;
use crate::serve::problem::Problem;
use crate::serve::questions::{Answers, Questions};
use crate::serve::range::Range;
use crate::serve::view;
use crate::store::{Filter, Sort};

/// How many tweets are returned unless the request asks for another number.
pub(super) const N_TOP: usize = 5;

#[derive(Debug)]
struct Top {
    n: usize,
    is_of_last_day: bool,
}

pub(super) fn read(params: &mut Params) -> Result<Box<dyn Endpoint>, Problem> {
    let n = params.list_length(N_TOP)?;
    Ok(Box::new(Top { n, is_of_last_day: !params.has_times() }))
}

impl Endpoint for Top {
    fn needs_bounds(&self) -> bool {
        self.is_of_last_day
    }

    fn ask(&self, range: &Range, questions: &mut Questions) -> Reply {
        let filter = match self.is_of_last_day {
            true => range.last_day(),
            false => range.filter.clone(),
        };
        Box::new(ask(filter, self.n, questions))
    }
}

/// Asks for the `n` top tweets of those that match. `/api/dashboard` uses it too.
pub(super) fn ask(
    filter: Filter,
    n: usize,
    questions: &mut Questions,
) -> impl FnOnce(&mut Answers) -> Json + 'static {
    let hits = questions.first(&filter, Sort::Engaged, n);
    move |answers| {
        let tweets = view::tweets(answers.take(hits).documents);
        json!({ "from": filter.from, "to": filter.to, "tweets": tweets })
    }
}
