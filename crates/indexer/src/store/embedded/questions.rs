//! The typed questions as Tantivy's queries and its Elasticsearch-like aggregations.
//!
//! Tantivy ignores keys of aggregations that it does not know, so only those are used that
//! `tests/scenarios` holds against expected answers.

use std::ops::Bound;

use enrich::Label;
use ingest::Timestamp;
use serde_json::{Value as Json, json};
use tantivy::aggregation::agg_req::Aggregations;
use tantivy::aggregation::{AggContextParams, AggregationCollector, AggregationLimitsGuard};
use tantivy::collector::sort_key::{SortByStaticFastValue, SortByString};
use tantivy::collector::{Count, TopDocs};
use tantivy::query::{
    AllQuery, BooleanQuery, EmptyQuery, Occur, PhraseQuery, Query, RangeQuery, TermQuery,
    TermSetQuery,
};
use tantivy::schema::{Field, IndexRecordOption, Value};
use tantivy::{DocAddress, Order, Searcher, TantivyDocument, Term};

use super::geo::kept_box;
use super::schema::{COMPOUND, ENGAGEMENT, LAT, LON, TIMESTAMP, keyword_name, tile_name};
use super::tokenizer::{fold, words};
use super::{Embedded, parse_document};
use crate::store::buckets::{buckets, count, key, labels};
use crate::store::query::Wanted;
use crate::store::{
    Cell, Filter, Hits, Interval, Keyword, SentimentSummary, Sort, StoreError, TermCount,
    TermSentiment, TimelineBucket, ZOOMS,
};

/// More buckets than any question has: each asks for all, so that counts are exact and equals are
/// in an order of our own, and cuts afterwards.
const ALL_BUCKETS: u32 = 100_000_000;
/// What the buckets of one question may take, in bytes.
const BUCKET_MEMORY: u64 = 1 << 30;

impl Embedded {
    pub(in crate::store) fn count(&self, filter: &Filter) -> Result<u64, StoreError> {
        let count = self.reader.searcher().search(&self.query(filter), &Count);
        count.map(|n| n as u64).map_err(|error| self.failed(error))
    }

    pub(in crate::store) fn search(
        &self,
        filter: &Filter,
        sort: Sort,
        offset: usize,
        limit: usize,
    ) -> Result<Hits, StoreError> {
        let searcher = self.reader.searcher();
        let query = self.query(filter);
        let found = searcher.search(&query, &Count).and_then(|total| {
            let limit = limit.min(total.saturating_sub(offset));
            let addresses =
                if limit == 0 { Vec::new() } else { page(&searcher, &query, sort, offset, limit)? };
            Ok((total as u64, addresses))
        });
        let (total, addresses) = found.map_err(|error| self.failed(error))?;
        let documents: anyhow::Result<Vec<_>> = addresses
            .into_iter()
            .map(|address| {
                let stored: TantivyDocument = searcher.doc(address)?;
                let json = stored.get_first(self.fields.source).and_then(|value| value.as_bytes());
                let mut document = parse_document(json.unwrap_or_default())?;
                // An earlier version may have left out what follows from other fields.
                document.derive();
                Ok(document)
            })
            .collect();
        match documents {
            Ok(documents) => Ok(Hits { total, documents }),
            Err(source) => Err(StoreError::Io { action: "read", path: self.path.clone(), source }),
        }
    }

    pub(in crate::store) fn top(
        &self,
        filter: &Filter,
        field: Keyword,
        n: usize,
    ) -> Result<Vec<TermCount>, StoreError> {
        let answer = self.aggregate(filter, &json!({ "top": terms(&keyword_name(field)) }))?;
        let mut counts: Vec<TermCount> = buckets(&answer, "top")
            .map(|bucket| TermCount { term: key(bucket), count: count(bucket) })
            .collect();
        counts.sort_unstable_by(|a, b| b.count.cmp(&a.count).then_with(|| a.term.cmp(&b.term)));
        counts.truncate(n);
        Ok(counts)
    }

    pub(in crate::store) fn sentiment_by(
        &self,
        filter: &Filter,
        field: Keyword,
        n: usize,
    ) -> Result<Vec<TermSentiment>, StoreError> {
        let mut by = terms(&keyword_name(field));
        by["aggs"] = json!({ "mean": { "avg": { "field": COMPOUND } }, "labels": by_label() });
        let answer = self.aggregate(filter, &json!({ "by": by }))?;
        let mut sentiments: Vec<TermSentiment> = buckets(&answer, "by")
            .map(|bucket| {
                let sentiment = SentimentSummary {
                    count: count(bucket),
                    mean: bucket["mean"]["value"].as_f64(),
                    labels: labels(bucket),
                };
                TermSentiment { term: key(bucket), sentiment }
            })
            .collect();
        sentiments.sort_unstable_by(|a, b| {
            b.sentiment.count.cmp(&a.sentiment.count).then_with(|| a.term.cmp(&b.term))
        });
        sentiments.truncate(n);
        Ok(sentiments)
    }

    pub(in crate::store) fn sentiment(
        &self,
        filter: &Filter,
    ) -> Result<SentimentSummary, StoreError> {
        let mean = json!({ "avg": { "field": COMPOUND } });
        let answer = self.aggregate(filter, &json!({ "mean": mean, "labels": by_label() }))?;
        let mut labels = labels(&answer);
        let count = Label::ALL.map(|label| *labels.of(label)).iter().sum();
        Ok(SentimentSummary { count, mean: answer["mean"]["value"].as_f64(), labels })
    }

    pub(in crate::store) fn timeline(
        &self,
        filter: &Filter,
        interval: Interval,
    ) -> Result<Vec<TimelineBucket>, StoreError> {
        let histogram = json!({
            "field": TIMESTAMP,
            "interval": interval.as_millis() as f64,
            "offset": interval.offset_millis() as f64,
            "min_doc_count": 1,
        });
        let request =
            json!({ "timeline": { "histogram": histogram, "aggs": { "labels": by_label() } } });
        let answer = self.aggregate(filter, &request)?;
        let bucket = |bucket: &Json| TimelineBucket {
            start: Timestamp::from_millis(bucket["key"].as_f64().unwrap_or(0.0) as i64),
            count: count(bucket),
            labels: labels(bucket),
        };
        Ok(buckets(&answer, "timeline").map(bucket).collect())
    }

    pub(in crate::store) fn distinct(
        &self,
        filter: &Filter,
        field: Keyword,
    ) -> Result<u64, StoreError> {
        let request = json!({ "distinct": { "cardinality": { "field": keyword_name(field) } } });
        let answer = self.aggregate(filter, &request)?;
        Ok(answer["distinct"]["value"].as_f64().unwrap_or(0.0).round() as u64)
    }

    pub(in crate::store) fn map(&self, filter: &Filter, zoom: u8) -> Result<Vec<Cell>, StoreError> {
        let zoom = ZOOMS.into_iter().find(|kept| *kept >= zoom).unwrap_or(ZOOMS[ZOOMS.len() - 1]);
        let mut cells = terms(&tile_name(zoom));
        let mean = |field: &str| json!({ "avg": { "field": field } });
        cells["aggs"] = json!({ "mean": mean(COMPOUND), "lat": mean(LAT), "lon": mean(LON) });
        let answer = self.aggregate(filter, &json!({ "cells": cells }))?;
        let cell = |bucket: &Json| Cell {
            tile: key(bucket),
            count: count(bucket),
            mean: bucket["mean"]["value"].as_f64().unwrap_or(0.0),
            lat: bucket["lat"]["value"].as_f64().unwrap_or(0.0),
            lon: bucket["lon"]["value"].as_f64().unwrap_or(0.0),
        };
        let mut cells: Vec<Cell> = buckets(&answer, "cells").map(cell).collect();
        cells.sort_unstable_by(|a, b| b.count.cmp(&a.count).then_with(|| a.tile.cmp(&b.tile)));
        Ok(cells)
    }

    fn aggregate(&self, filter: &Filter, request: &Json) -> Result<Json, StoreError> {
        let ask = || -> anyhow::Result<Json> {
            let aggregations: Aggregations = serde_json::from_value(request.clone())?;
            let limits = AggregationLimitsGuard::new(Some(BUCKET_MEMORY), Some(ALL_BUCKETS));
            let context = AggContextParams::new(limits, self.index.tokenizers().clone());
            let collector = AggregationCollector::from_aggs(aggregations, context);
            Ok(serde_json::to_value(
                self.reader.searcher().search(&self.query(filter), &collector)?,
            )?)
        };
        ask().map_err(|source| StoreError::Io { action: "read", path: self.path.clone(), source })
    }

    fn query(&self, filter: &Filter) -> BooleanQuery {
        let mut parts: Vec<(Occur, Box<dyn Query>)> = vec![(Occur::Must, Box::new(AllQuery))];
        for clause in &filter.text.clauses {
            let occur = if clause.negated { Occur::MustNot } else { Occur::Must };
            parts.push((occur, self.wanted(&clause.wanted)));
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
                    range(lon, bounds.west, 180.0),
                    range(lon, -180.0, bounds.east),
                ]))
            };
            parts.push((Occur::Must, lon));
        }
        BooleanQuery::new(parts)
    }

    fn wanted(&self, wanted: &Wanted) -> Box<dyn Query> {
        let is = |field: Keyword, value: &str| -> Box<dyn Query> {
            Box::new(TermQuery::new(self.term(field, value), IndexRecordOption::Basic))
        };
        match wanted {
            Wanted::Term(field, value) => is(*field, value),
            Wanted::Account(user) => Box::new(BooleanQuery::union(vec![
                is(Keyword::ScreenName, user),
                is(Keyword::Mentions, user),
            ])),
            Wanted::Phrase(phrase) => {
                let mut terms: Vec<Term> = words(phrase)
                    .iter()
                    .map(|word| Term::from_field_text(self.fields.text, word))
                    .collect();
                match terms.len() {
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

fn page(
    searcher: &Searcher,
    query: &dyn Query,
    sort: Sort,
    offset: usize,
    limit: usize,
) -> tantivy::Result<Vec<DocAddress>> {
    let top = || TopDocs::with_limit(limit).and_offset(offset);
    let by_id = || (SortByString::for_field(keyword_name(Keyword::Id)), Order::Desc);
    let by_time = |order| ((SortByStaticFastValue::<i64>::for_field(TIMESTAMP), order), by_id());
    let by_compound = |order| ((SortByStaticFastValue::<f64>::for_field(COMPOUND), order), by_id());
    let by_engagement =
        || ((SortByStaticFastValue::<u64>::for_field(ENGAGEMENT), Order::Desc), by_id());
    fn addresses<K>(hits: Vec<(K, DocAddress)>) -> Vec<DocAddress> {
        hits.into_iter().map(|(_, address)| address).collect()
    }
    match sort {
        Sort::Newest => {
            searcher.search(query, &top().order_by(by_time(Order::Desc))).map(addresses)
        }
        Sort::Oldest => searcher.search(query, &top().order_by(by_time(Order::Asc))).map(addresses),
        Sort::Engaged => searcher.search(query, &top().order_by(by_engagement())).map(addresses),
        Sort::MostPositive => {
            searcher.search(query, &top().order_by(by_compound(Order::Desc))).map(addresses)
        }
        Sort::MostNegative => {
            searcher.search(query, &top().order_by(by_compound(Order::Asc))).map(addresses)
        }
    }
}

fn terms(field: &str) -> Json {
    json!({ "terms": { "field": field, "size": ALL_BUCKETS, "segment_size": ALL_BUCKETS } })
}

fn by_label() -> Json {
    terms(&keyword_name(Keyword::Label))
}
