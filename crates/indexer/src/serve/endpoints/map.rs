//! `/api/map`: how many tweets lie in each cell of the map; when zoomed in on a few tweets, also these themselves.

use serde_json::json;

use crate::serve::endpoint::{Endpoint, Reply};
use crate::serve::params::Params;
use crate::serve::problem::Problem;
use crate::serve::questions::Questions;
use crate::serve::range::Range;
use crate::serve::view;
use crate::store::{BoundingBox, Sort};

/// The zoom at which the whole world is shown.
pub(super) const WORLD_ZOOM: u8 = 4;
/// Single tweets are shown from this zoom on, if no more than `MAX_TWEETS` match.
const TWEETS_FROM_ZOOM: u8 = 5;
const MAX_TWEETS: usize = 200;
/// A filter for the tweets that have a location.
const WORLD: BoundingBox = BoundingBox { west: -180.0, south: -90.0, east: 180.0, north: 90.0 };

#[derive(Debug)]
struct Map {
    zoom: u8,
}

pub(super) fn read(params: &mut Params) -> Result<Box<dyn Endpoint>, Problem> {
    let zoom = params.number("zoom", 0..=22)?.map(|zoom| zoom as u8);
    Ok(Box::new(Map { zoom: zoom.unwrap_or(WORLD_ZOOM) }))
}

impl Endpoint for Map {
    fn ask(&self, range: &Range, questions: &mut Questions) -> Reply {
        let cells = questions.cells(&range.filter, self.zoom);
        let tweets = (self.zoom >= TWEETS_FROM_ZOOM).then(|| {
            let mut located = range.filter.clone();
            located.bounding_box.get_or_insert(WORLD);
            questions.first(&located, Sort::Newest, MAX_TWEETS)
        });
        Box::new(move |answers| {
            let cells = view::cells(answers.take(cells));
            let hits = tweets.map(|tweets| answers.take(tweets));
            let few = hits.filter(|hits| hits.total <= MAX_TWEETS as u64);
            let tweets = few.map(|hits| view::tweets(hits.documents)).unwrap_or_default();
            json!({ "cells": cells, "tweets": tweets })
        })
    }
}
