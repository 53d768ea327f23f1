//! Translates filters into Elasticsearch queries.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use crate::store::geo::kept_box;
use crate::store::query::Criterion;
use crate::store::{Filter, Keyword};

/// The documents that match.
pub(super) fn query(filter: &Filter) -> Json {
    let (mut must, mut must_not) = (Vec::new(), Vec::new());
    for clause in &filter.text.clauses {
        let side = if clause.negated { &mut must_not } else { &mut must };
        side.push(criterion(&clause.criterion));
    }
    if filter.from.is_some() || filter.to.is_some() {
        // Without a format, numbers would be read in the format of the mapping.
        let mut range = BTreeMap::from([("format", json!("epoch_millis"))]);
        range.extend(filter.from.map(|from| ("gte", json!(from.as_millis()))));
        range.extend(filter.to.map(|to| ("lt", json!(to.as_millis()))));
        must.push(json!({ "range": { "@timestamp": range } }));
    }
    for (field, values) in &filter.terms {
        must.push(json!({ "terms": { field.name(): values } }));
    }
    if let Some(bounds) = filter.bounding_box.map(kept_box) {
        must.push(json!({ "geo_bounding_box": { "location": {
            "top": bounds.north, "left": bounds.west, "bottom": bounds.south, "right": bounds.east,
        } } }));
    }
    for (field, value) in [("weekday", filter.weekday), ("hour", filter.hour)] {
        must.extend(value.map(|value| json!({ "term": { field: value } })));
    }
    // As filters: nothing is ranked by how well it matches, and filters can be cached.
    json!({ "bool": { "filter": must, "must_not": must_not } })
}

fn criterion(criterion: &Criterion) -> Json {
    let is = |field: Keyword, value: &str| json!({ "term": { field.name(): value } });
    match criterion {
        Criterion::Term(field, value) => is(*field, value),
        Criterion::Account(user) => json!({ "bool": { "should": [
            is(Keyword::ScreenName, user),
            is(Keyword::Mentions, user),
        ] } }),
        Criterion::Phrase(phrase) => json!({ "match_phrase": { "text": phrase } }),
    }
}
