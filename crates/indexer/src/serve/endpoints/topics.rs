//! `/api/topics`: what tweets are about, and when most of them are written.

use serde_json::json;

use crate::serve::endpoint::{Endpoint, Reply};
use crate::serve::params::Params;
use crate::serve::problem::Problem;
use crate::serve::questions::Questions;
use crate::serve::range::Range;
use crate::store::Keyword;

/// How many hashtags and mentions are listed.
const N_TOPICS: usize = 20;
/// The kinds of tweets: original, reply, quote, retweet.
const N_KINDS: usize = 4;

#[derive(Debug)]
struct Topics;

pub(super) fn read(_: &mut Params) -> Result<Box<dyn Endpoint>, Problem> {
    Ok(Box::new(Topics))
}

impl Endpoint for Topics {
    fn ask(&self, range: &Range, questions: &mut Questions) -> Reply {
        let filter = &range.filter;
        let count = questions.count(filter);
        let kinds = questions.top(filter, Keyword::Kind, N_KINDS);
        let hashtags = questions.top(filter, Keyword::Hashtags, N_TOPICS);
        let mentions = questions.top(filter, Keyword::Mentions, N_TOPICS);
        let peak_hours = questions.peak_hours(filter);
        Box::new(move |answers| {
            let kinds = answers.take(kinds);
            let retweets = kinds.iter().find(|kind| kind.term == "retweet");
            json!({
                "count": answers.take(count),
                "retweets": retweets.map_or(0, |kind| kind.count),
                "hashtags": answers.take(hashtags),
                "mentions": answers.take(mentions),
                "peak_hours": answers.take(peak_hours),
            })
        })
    }
}
