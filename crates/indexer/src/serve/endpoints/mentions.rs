//! `/api/mentions`: the accounts that are mentioned most.

use serde_json::json;

use crate::serve::endpoint::{Endpoint, Reply};
use crate::serve::params::Params;
use crate::serve::problem::Problem;
use crate::serve::questions::Questions;
use crate::serve::range::Range;
use crate::store::Keyword;

#[derive(Debug)]
struct Mentions {
    n: usize,
}

pub(super) fn read(params: &mut Params) -> Result<Box<dyn Endpoint>, Problem> {
    Ok(Box::new(Mentions { n: params.list_length(10)? }))
}

impl Endpoint for Mentions {
    fn ask(&self, range: &Range, questions: &mut Questions) -> Reply {
        let mentions = questions.top(&range.filter, Keyword::Mentions, self.n);
        Box::new(move |answers| json!({ "mentions": answers.take(mentions) }))
    }
}
