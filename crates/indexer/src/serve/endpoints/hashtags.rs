//! `/api/hashtags`: the most frequent hashtags.

use serde_json::json;

use crate::serve::endpoint::{Endpoint, Reply};
use crate::serve::params::Params;
use crate::serve::problem::Problem;
use crate::serve::questions::Questions;
use crate::serve::range::Range;
use crate::store::Keyword;

#[derive(Debug)]
struct Hashtags {
    n: usize,
}

pub(super) fn read(params: &mut Params) -> Result<Box<dyn Endpoint>, Problem> {
    Ok(Box::new(Hashtags { n: params.list_length(10)? }))
}

impl Endpoint for Hashtags {
    fn ask(&self, range: &Range, questions: &mut Questions) -> Reply {
        let hashtags = questions.top(&range.filter, Keyword::Hashtags, self.n);
        Box::new(move |answers| json!({ "hashtags": answers.take(hashtags) }))
    }
}
