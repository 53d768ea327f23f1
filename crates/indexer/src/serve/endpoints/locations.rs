//! `/api/locations`: the places that are tagged in the most tweets, and where they are.

use serde_json::json;

use crate::serve::endpoint::{Endpoint, Reply};
use crate::serve::params::Params;
use crate::serve::problem::Problem;
use crate::serve::questions::Questions;
use crate::serve::range::Range;
use crate::serve::view;

#[derive(Debug)]
struct Locations {
    n: usize,
}

pub(super) fn read(params: &mut Params) -> Result<Box<dyn Endpoint>, Problem> {
    Ok(Box::new(Locations { n: params.list_length(100)? }))
}

impl Endpoint for Locations {
    fn ask(&self, range: &Range, questions: &mut Questions) -> Reply {
        let places = questions.places(&range.filter, self.n);
        Box::new(move |answers| json!({ "locations": view::places(answers.take(places)) }))
    }
}
