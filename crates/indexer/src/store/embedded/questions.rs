//! Answers questions with Tantivy's collectors and its Elasticsearch-like aggregations.
//!
//! Tantivy silently ignores aggregation options that it does not know, so this module uses only options whose results
//! `tests/scenarios` checks.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use enrich::Label;
use ingest::Timestamp;
use serde_json::{Value as Json, json};
use tantivy::aggregation::agg_req::Aggregations;
use tantivy::aggregation::{AggContextParams, AggregationCollector, AggregationLimitsGuard};
use tantivy::collector::sort_key::{SortByStaticFastValue, SortByString};
use tantivy::collector::{Count, TopDocs};
use tantivy::query::Query;
use tantivy::schema::Value;
use tantivy::{DocAddress, Order, Searcher, TantivyDocument};

use super::matches::Matches;
use super::schema::{
    COMPOUND, ENGAGEMENT, HOUR, LAT, LON, TIMESTAMP, WEEKDAY, keyword_name, tile_name,
};
use super::{Embedded, parse_document};
use crate::failure::{Failure, Result};
use crate::store::buckets::{buckets, count, key, labels, number, peak_hours};
use crate::store::{
    After, Answer, Ask, Bounds, Cell, Filter, Hits, HourCount, Interval, Keyword, PlaceCount,
    Question, SentimentSummary, Sort, StoreError, TermCount, TermSentiment, TimelineBucket,
    kept_zoom,
};

/// More buckets than any answer has. Each question asks for all of them, so that counts are exact and values with equal
/// counts can be sorted by name, and cuts the list afterwards.
const ALL_BUCKETS: u32 = 100_000_000;
/// The most memory that the buckets of one question may take, in bytes.
const BUCKET_MEMORY: u64 = 1 << 30;

impl Embedded {
    /// Answers questions in parallel, all from the same commit.
    pub(in crate::store) fn ask(&self, asks: &[Ask]) -> Result<Vec<Answer>, StoreError> {
        let searcher = self.reader.searcher();
        let filters: Vec<(&Filter, OnceLock<tantivy::Result<Matches>>)> =
            repeated(asks).into_iter().map(|filter| (filter, OnceLock::new())).collect();
        let query = |filter: &Filter| -> tantivy::Result<Box<dyn Query>> {
            let query = self.query(filter);
            match filters.iter().find(|(other, _)| *other == filter) {
                None => Ok(Box::new(query)),
                Some((_, found)) => {
                    let found = found.get_or_init(|| Matches::find(&searcher, &query));
                    found.clone().map(|found| Box::new(found) as Box<dyn Query>)
                }
            }
        };
        let n_threads = std::thread::available_parallelism().map_or(1, |n| n.get().min(asks.len()));
        let answers: Vec<Mutex<Option<Result<Answer>>>> =
            asks.iter().map(|_| Mutex::new(None)).collect();
        let next = AtomicUsize::new(0);
        let work = || {
            while let Some((Ask { filter, question }, room)) = {
                let next = next.fetch_add(1, Ordering::Relaxed);
                asks.get(next).zip(answers.get(next))
            } {
                let answer = query(filter).map_err(Failure::from).and_then(|query| {
                    Asked { store: self, searcher: &searcher, query }.answer(question)
                });
                *room.lock().unwrap_or_else(PoisonError::into_inner) = Some(answer);
            }
        };
        std::thread::scope(|scope| {
            for _ in 1..n_threads {
                scope.spawn(work);
            }
            work();
        });
        let answers = answers
            .into_iter()
            .filter_map(|room| room.into_inner().unwrap_or_else(PoisonError::into_inner));
        answers.collect::<Result<_>>().map_err(|source| self.failed(source))
    }
}

/// The filters that more than one question has, apart from the one that matches everything: their matches are worth
/// finding once and sharing.
fn repeated(asks: &[Ask]) -> Vec<&Filter> {
    let mut filters: Vec<&Filter> = Vec::new();
    for (at, Ask { filter, .. }) in asks.iter().enumerate() {
        let comes_again = asks[at + 1..].iter().any(|other| other.filter == *filter);
        if comes_again && *filter != Filter::default() && !filters.contains(&filter) {
            filters.push(filter);
        }
    }
    filters
}

/// The documents that a question is about, in one commit of the store.
struct Asked<'s> {
    store: &'s Embedded,
    searcher: &'s Searcher,
    query: Box<dyn Query>,
}

impl Asked<'_> {
    fn answer(self, question: &Question) -> Result<Answer> {
        Ok(match *question {
            Question::Count => Answer::Count(self.searcher.search(&self.query, &Count)? as u64),
            Question::Search { sort, ref after, offset, limit } => {
                Answer::Hits(self.hits(sort, after.as_ref(), offset, limit)?)
            }
            Question::Top { field, n } => Answer::Terms(self.top(field, n)?),
            Question::SentimentBy { field, n } => Answer::SentimentBy(self.sentiment_by(field, n)?),
            Question::Sentiment => Answer::Sentiment(self.sentiment()?),
            Question::Timeline { interval } => Answer::Timeline(self.timeline(interval)?),
            Question::PeakHours => Answer::PeakHours(self.peak_hours()?),
            Question::Places { n } => Answer::Places(self.places(n)?),
            Question::Map { zoom } => Answer::Cells(self.map(zoom)?),
            Question::Distinct { field } => Answer::Count(self.distinct(field)?),
            Question::Bounds => Answer::Bounds(self.bounds()?),
        })
    }

    fn hits(self, sort: Sort, after: Option<&After>, offset: usize, limit: usize) -> Result<Hits> {
        let total = self.searcher.search(&self.query, &Count)?;
        // Tantivy reserves memory for as many hits as the limit allows, so it is lowered to what there is.
        let limit = limit.min(total.saturating_sub(offset));
        let query = match after {
            Some(after) => self.store.after(self.query, sort, after),
            None => self.query,
        };
        let addresses = match limit {
            0 => Vec::new(),
            limit => page(self.searcher, &query, sort, offset, limit)?,
        };
        let documents = addresses.into_iter().map(|address| {
            let stored: TantivyDocument = self.searcher.doc(address)?;
            let source = self.store.fields.source;
            let json = stored.get_first(source).and_then(|value| value.as_bytes());
            let mut document = parse_document(json.unwrap_or_default())?;
            // A document written by an earlier version may lack fields that are derived from others.
            document.derive();
            Ok(document)
        });
        Ok(Hits { total: total as u64, documents: documents.collect::<Result<_>>()? })
    }

    fn top(&self, field: Keyword, n: usize) -> Result<Vec<TermCount>> {
        let answer = self.aggregate(&json!({ "top": terms(&keyword_name(field)) }))?;
        let mut counts: Vec<TermCount> = buckets(&answer, "top")
            .map(|bucket| TermCount { term: key(bucket), count: count(bucket) })
            .collect();
        counts.sort_unstable_by(|a, b| b.count.cmp(&a.count).then_with(|| a.term.cmp(&b.term)));
        counts.truncate(n);
        Ok(counts)
    }

    fn sentiment_by(&self, field: Keyword, n: usize) -> Result<Vec<TermSentiment>> {
        let mut by = terms(&keyword_name(field));
        by["aggs"] = json!({ "mean": mean(COMPOUND), "labels": by_label() });
        let answer = self.aggregate(&json!({ "by": by }))?;
        let mut sentiments: Vec<TermSentiment> = buckets(&answer, "by")
            .map(|bucket| {
                let sentiment = SentimentSummary {
                    count: count(bucket),
                    mean: number(bucket, "mean"),
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

    fn sentiment(&self) -> Result<SentimentSummary> {
        let answer = self.aggregate(&json!({ "mean": mean(COMPOUND), "labels": by_label() }))?;
        let mut labels = labels(&answer);
        let count = Label::ALL.map(|label| *labels.of(label)).iter().sum();
        Ok(SentimentSummary { count, mean: number(&answer, "mean"), labels })
    }

    fn timeline(&self, interval: Interval) -> Result<Vec<TimelineBucket>> {
        let histogram = json!({
            "field": TIMESTAMP,
            "interval": interval.as_millis() as f64,
            "offset": interval.offset_millis() as f64,
            "min_doc_count": 1,
        });
        let request =
            json!({ "timeline": { "histogram": histogram, "aggs": { "labels": by_label() } } });
        let answer = self.aggregate(&request)?;
        let bucket = |bucket: &Json| TimelineBucket {
            start: Timestamp::from_millis(bucket["key"].as_f64().unwrap_or(0.0) as i64),
            count: count(bucket),
            labels: labels(bucket),
        };
        Ok(buckets(&answer, "timeline").map(bucket).collect())
    }

    fn peak_hours(&self) -> Result<Vec<HourCount>> {
        let mut by = terms(WEEKDAY);
        by["aggs"] = json!({ "hours": terms(HOUR) });
        let answer = self.aggregate(&json!({ "weekdays": by }))?;
        Ok(peak_hours(&answer))
    }

    fn places(&self, n: usize) -> Result<Vec<PlaceCount>> {
        let mut by = terms(&keyword_name(Keyword::PlaceName));
        by["aggs"] = json!({
            "countries": terms(&keyword_name(Keyword::Country)),
            "mean": mean(COMPOUND),
            "lat": mean(LAT),
            "lon": mean(LON),
        });
        let answer = self.aggregate(&json!({ "places": by }))?;
        let country = |place: &Json| {
            let countries = buckets(place, "countries");
            // Of equally frequent countries, the first by name.
            let most = countries.max_by(|a, b| count(a).cmp(&count(b)).then(key(b).cmp(&key(a))));
            most.map(key)
        };
        let mut places: Vec<PlaceCount> = buckets(&answer, "places")
            .map(|place| PlaceCount {
                name: key(place),
                country: country(place),
                count: count(place),
                mean: number(place, "mean").unwrap_or(0.0),
                lat: number(place, "lat"),
                lon: number(place, "lon"),
            })
            .collect();
        places.sort_unstable_by(|a, b| b.count.cmp(&a.count).then_with(|| a.name.cmp(&b.name)));
        places.truncate(n);
        Ok(places)
    }

    fn distinct(&self, field: Keyword) -> Result<u64> {
        let request = json!({ "distinct": { "cardinality": { "field": keyword_name(field) } } });
        let answer = self.aggregate(&request)?;
        Ok(number(&answer, "distinct").unwrap_or(0.0).round() as u64)
    }

    fn bounds(&self) -> Result<Option<Bounds>> {
        let bound = |which: &str| json!({ which: { "field": TIMESTAMP } });
        let answer = self.aggregate(&json!({ "from": bound("min"), "to": bound("max") }))?;
        let bound = |name| Some(Timestamp::from_millis(number(&answer, name)? as i64));
        Ok(bound("from").zip(bound("to")).map(|(from, to)| Bounds { from, to }))
    }

    fn map(&self, zoom: u8) -> Result<Vec<Cell>> {
        let mut cells = terms(&tile_name(kept_zoom(zoom)));
        cells["aggs"] = json!({ "mean": mean(COMPOUND), "lat": mean(LAT), "lon": mean(LON) });
        let answer = self.aggregate(&json!({ "cells": cells }))?;
        let cell = |bucket: &Json| Cell {
            tile: key(bucket),
            count: count(bucket),
            mean: number(bucket, "mean").unwrap_or(0.0),
            lat: number(bucket, "lat").unwrap_or(0.0),
            lon: number(bucket, "lon").unwrap_or(0.0),
        };
        let mut cells: Vec<Cell> = buckets(&answer, "cells").map(cell).collect();
        cells.sort_unstable_by(|a, b| b.count.cmp(&a.count).then_with(|| a.tile.cmp(&b.tile)));
        Ok(cells)
    }

    fn aggregate(&self, request: &Json) -> Result<Json> {
        let aggregations: Aggregations = serde_json::from_value(request.clone())?;
        let limits = AggregationLimitsGuard::new(Some(BUCKET_MEMORY), Some(ALL_BUCKETS));
        let tokenizers = self.store.index.tokenizers().clone();
        let context = AggContextParams::new(limits, tokenizers);
        let collector = AggregationCollector::from_aggs(aggregations, context);
        Ok(serde_json::to_value(self.searcher.search(&self.query, &collector)?)?)
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
    // Ids break ties, or tweets of one moment could change places from page to page.
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

fn mean(field: &str) -> Json {
    json!({ "avg": { "field": field } })
}

fn by_label() -> Json {
    terms(&keyword_name(Keyword::Label))
}
