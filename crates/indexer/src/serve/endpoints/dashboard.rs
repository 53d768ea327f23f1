//! `/api/dashboard`: all that a page of the dashboard shows, in one answer.

use serde_json::json;

use super::map::WORLD_ZOOM;
use super::top::N_TOP;
use super::{marketplaces, summary, timeline, top};
use crate::serve::endpoint::{Endpoint, Reply};
use crate::serve::params::Params;
use crate::serve::problem::Problem;
use crate::serve::questions::Questions;
use crate::serve::range::Range;
use crate::serve::view;
use crate::store::{Keyword, Sort};

/// How many hashtags, mentions and tweets are shown.
const N_SHOWN: usize = 10;

#[derive(Debug)]
struct Dashboard;

pub(super) fn read(_: &mut Params) -> Result<Box<dyn Endpoint>, Problem> {
    Ok(Box::new(Dashboard))
}

impl Endpoint for Dashboard {
    fn needs_bounds(&self) -> bool {
        true
    }

    fn ask(&self, range: &Range, questions: &mut Questions) -> Reply {
        let (filter, bounds) = (&range.filter, range.bounds);
        let summary = summary::ask(filter, questions);
        let timeline = timeline::ask(range, None, questions);
        let hashtags = questions.top(filter, Keyword::Hashtags, N_SHOWN);
        let mentions = questions.top(filter, Keyword::Mentions, N_SHOWN);
        let peak_hours = questions.peak_hours(filter);
        let cells = questions.cells(filter, WORLD_ZOOM);
        let newest = questions.first(filter, Sort::Newest, N_SHOWN);
        let top = top::ask(range.last_day(), N_TOP, questions);
        // The choices of a filter ignore that filter itself, so that the others are still offered after one was chosen.
        let marketplaces = marketplaces::ask(&filter.without(Keyword::Marketplace), questions);
        let mut choices = |field, n| questions.top(&filter.without(field), field, n);
        let labels = choices(Keyword::Label, 4);
        let langs = choices(Keyword::Lang, 50);
        let countries = choices(Keyword::CountryCode, 300);
        Box::new(move |answers| {
            json!({
                "available": bounds,
                "summary": summary(answers),
                "timeline": timeline(answers),
                "hashtags": answers.take(hashtags),
                "mentions": answers.take(mentions),
                "peak_hours": answers.take(peak_hours),
                "cells": view::cells(answers.take(cells)),
                "newest": view::tweets(answers.take(newest).documents),
                "top": top(answers),
                "marketplaces": marketplaces(answers),
                "choices": {
                    "sentiment": answers.take(labels),
                    "lang": answers.take(langs),
                    "country": answers.take(countries),
                },
            })
        })
    }
}
