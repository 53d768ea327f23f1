//! Translates filters into Tantivy queries.

use std::ops::Bound;

use ingest::Timestamp;
use tantivy::Term;
use tantivy::query::{
    AllQuery, BooleanQuery, EmptyQuery, Occur, PhraseQuery, Query, RangeQuery, TermQuery,
    TermSetQuery,
};
use tantivy::schema::{Field, IndexRecordOption};

use super::Embedded;
use super::tokenizer::{fold, words};
use crate::store::geo::kept_box;
use crate::store::query::Criterion;
use crate::store::{After, Filter, Keyword, Sort};

impl Embedded {
    /// The documents that match.
    pub(super) fn query(&self, filter: &Filter) -> BooleanQuery {
        // Without `AllQuery`, an empty filter or one with only exclusions would match nothing.
        let mut parts: Vec<(Occur, Box<dyn Query>)> = vec![(Occur::Must, Box::new(AllQuery))];
        for clause in &filter.text.clauses {
            let occur = if clause.negated { Occur::MustNot } else { Occur::Must };
            parts.push((occur, self.criterion(&clause.criterion)));
        }
        if filter.from.is_some() || filter.to.is_some() {
            let term =
                |time: Timestamp| Term::from_field_i64(self.fields.timestamp, time.as_millis());
            let from = filter.from.map_or(Bound::Unbounded, |from| Bound::Included(term(from)));
            let to = filter.to.map_or(Bound::Unbounded, |to| Bound::Excluded(term(to)));
            parts.push((Occur::Must, Box::new(RangeQuery::new(from, to))));
        }
        for (field, values) in &filter.terms {
            let terms = values.iter().map(|value| self.term(*field, value));
            parts.push((Occur::Must, Box::new(TermSetQuery::new(terms))));
        }
        if let Some(bounds) = filter.bounding_box.map(kept_box) {
            let range = |field: Field, from: f64, to: f64| -> Box<dyn Query> {
                let term = |degrees: f64| Bound::Included(Term::from_field_f64(field, degrees));
                Box::new(RangeQuery::new(term(from), term(to)))
            };
            let (lat, lon) = (self.fields.lat, self.fields.lon);
            parts.push((Occur::Must, range(lat, bounds.south, bounds.north)));
            let lon: Box<dyn Query> = if bounds.west <= bounds.east {
                range(lon, bounds.west, bounds.east)
            } else {
                Box::new(BooleanQuery::union(vec![
                    // The box crosses the antimeridian.
                    range(lon, bounds.west, 180.0),
                    range(lon, -180.0, bounds.east),
                ]))
            };
            parts.push((Occur::Must, lon));
        }
        for (field, value) in
            [(self.fields.weekday, filter.weekday), (self.fields.hour, filter.hour)]
        {
            if let Some(value) = value {
                let term = Term::from_field_u64(field, u64::from(value));
                parts.push((Occur::Must, Box::new(TermQuery::new(term, IndexRecordOption::Basic))));
            }
        }
        BooleanQuery::new(parts)
    }

    /// Narrows `query` to the documents that come after a position in the sort order.
    pub(super) fn after(&self, query: Box<dyn Query>, sort: Sort, after: &After) -> Box<dyn Query> {
        let key = |key: f64| match sort {
            Sort::Newest | Sort::Oldest => Term::from_field_i64(self.fields.timestamp, key as i64),
            Sort::Engaged => Term::from_field_u64(self.fields.engagement, key as u64),
            Sort::MostPositive | Sort::MostNegative => {
                Term::from_field_f64(self.fields.compound, key)
            }
        };
        let key = || key(after.key);
        let beyond = match sort.is_descending() {
            true => RangeQuery::new(Bound::Unbounded, Bound::Excluded(key())),
            false => RangeQuery::new(Bound::Excluded(key()), Bound::Unbounded),
        };
        let equal = RangeQuery::new(Bound::Included(key()), Bound::Included(key()));
        // Among equal keys, ids descend: see `page` in `questions.rs`.
        let id = Bound::Excluded(self.term(Keyword::Id, &after.id));
        let lower_id = RangeQuery::new(Bound::Unbounded, id);
        let equal = BooleanQuery::intersection(vec![Box::new(equal), Box::new(lower_id)]);
        let later = BooleanQuery::union(vec![Box::new(beyond), Box::new(equal)]);
        Box::new(BooleanQuery::intersection(vec![query, Box::new(later)]))
    }

    fn criterion(&self, criterion: &Criterion) -> Box<dyn Query> {
        let is = |field: Keyword, value: &str| -> Box<dyn Query> {
            Box::new(TermQuery::new(self.term(field, value), IndexRecordOption::Basic))
        };
        match criterion {
            Criterion::Term(field, value) => is(*field, value),
            Criterion::Account(user) => Box::new(BooleanQuery::union(vec![
                is(Keyword::ScreenName, user),
                is(Keyword::Mentions, user),
            ])),
            Criterion::Phrase(phrase) => {
                let mut terms: Vec<Term> = words(phrase)
                    .iter()
                    .map(|word| Term::from_field_text(self.fields.text, word))
                    .collect();
                match terms.len() {
                    // Nothing but punctuation: Elasticsearch finds nothing either.
                    0 => Box::new(EmptyQuery),
                    1 => Box::new(TermQuery::new(terms.remove(0), IndexRecordOption::Basic)),
                    _ => Box::new(PhraseQuery::new(terms)),
                }
            }
        }
    }

    fn term(&self, field: Keyword, value: &str) -> Term {
        let folded = match field.folds_case() {
            true => fold(value),
            false => value.to_owned(),
        };
        Term::from_field_text(self.fields.keyword(field), &folded)
    }
}
