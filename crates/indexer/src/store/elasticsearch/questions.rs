//! The typed questions as Elasticsearch's queries and aggregations, of both servers.
//!
//! Shards answer `terms` with their own best only, so that the sum may be wrong: a question is asked
//! again with more of each until the answer itself says that it is exact. Answers that may have more
//! buckets than a cluster gives at once are `composite`s, read page by page.

use std::collections::BTreeMap;

use elasticsearch::http::Method;
use enrich::Document;
use ingest::Timestamp;
use serde_json::{Value as Json, json};

use super::backoff::Patience;
use super::connection::Request;
use super::template::ALIAS;
use super::{ClusterError, Elasticsearch};
use crate::store::buckets::{count, key, labels};
use crate::store::query::Wanted;
use crate::store::{
    Cell, Filter, Hits, Interval, Keyword, SentimentSummary, Sort, TermCount, TermSentiment,
    TimelineBucket, ZOOMS,
};

/// The most hits that a cluster gives at once (`index.max_result_window`), and a good page too.
const WINDOW: usize = 10_000;
const HITS_PAGE: usize = 1_000;
/// Buckets a page; with those of the labels in them, under `search.max_buckets` (65,536).
const BUCKETS_PAGE: usize = 10_000;
/// Of how many more values than asked for each shard tells, at first.
const SHARD_EXTRA: usize = 10_000;

impl Elasticsearch {
    pub(in crate::store) fn count(&self, filter: &Filter) -> Result<u64, ClusterError> {
        let answer = self.search_json(filter, json!({ "size": 0, "track_total_hits": true }))?;
        Ok(total(&answer))
    }

    pub(in crate::store) fn search(
        &self,
        filter: &Filter,
        sort: Sort,
        offset: usize,
        limit: usize,
    ) -> Result<Hits, ClusterError> {
        let mut hits = Hits { total: 0, documents: Vec::new() };
        let (mut from, mut after) = (offset, Json::Null);
        // Beyond the window, a page is found by where the one before it ended.
        while offset > WINDOW - HITS_PAGE && from > 0 {
            let size = from.min(WINDOW);
            let (total, skipped) = self.page(filter, sort, 0, &mut after, size, false)?;
            hits.total = total;
            if skipped.len() < size {
                return Ok(hits);
            }
            from -= size;
        }
        loop {
            let size = (limit - hits.documents.len()).min(HITS_PAGE);
            let (total, found) = self.page(filter, sort, from, &mut after, size, true)?;
            hits.total = total;
            let is_last = found.len() < size;
            for document in found {
                let document: serde_json::Result<Document> = serde_json::from_value(document);
                let mut document = document.map_err(|error| {
                    ClusterError::internal("read a document that indexer did not write", error)
                })?;
                // An earlier version may have left out what follows from other fields.
                document.derive();
                hits.documents.push(document);
            }
            if is_last || hits.documents.len() == limit {
                return Ok(hits);
            }
            from = 0;
        }
    }

    /// How many documents match, and those of a page: from a number on, or from where the last page ended.
    fn page(
        &self,
        filter: &Filter,
        sort: Sort,
        from: usize,
        after: &mut Json,
        size: usize,
        with_source: bool,
    ) -> Result<(u64, Vec<Json>), ClusterError> {
        let mut request = json!({
            "from": from,
            "size": size,
            "track_total_hits": true,
            "_source": with_source,
            "sort": by(sort),
        });
        if !after.is_null() {
            request["search_after"] = after.take();
        }
        let mut answer = self.search_json(filter, request)?;
        let Json::Array(mut hits) = answer["hits"]["hits"].take() else {
            return Ok((total(&answer), Vec::new()));
        };
        if let Some(last) = hits.last_mut() {
            *after = last["sort"].take();
        }
        Ok((total(&answer), hits.into_iter().map(|mut hit| hit["_source"].take()).collect()))
    }

    pub(in crate::store) fn top(
        &self,
        filter: &Filter,
        field: Keyword,
        n: usize,
    ) -> Result<Vec<TermCount>, ClusterError> {
        let buckets = self.terms(filter, field, n, json!({}))?;
        Ok(buckets.iter().map(|b| TermCount { term: key(b), count: count(b) }).collect())
    }

    pub(in crate::store) fn sentiment_by(
        &self,
        filter: &Filter,
        field: Keyword,
        n: usize,
    ) -> Result<Vec<TermSentiment>, ClusterError> {
        let buckets = self.terms(filter, field, n, feelings())?;
        Ok(buckets
            .iter()
            .map(|b| TermSentiment { term: key(b), sentiment: summary(b, count(b)) })
            .collect())
    }

    pub(in crate::store) fn sentiment(
        &self,
        filter: &Filter,
    ) -> Result<SentimentSummary, ClusterError> {
        let request = json!({ "size": 0, "track_total_hits": true, "aggs": feelings() });
        let answer = self.search_json(filter, request)?;
        Ok(summary(&answer["aggregations"], total(&answer)))
    }

    pub(in crate::store) fn timeline(
        &self,
        filter: &Filter,
        interval: Interval,
    ) -> Result<Vec<TimelineBucket>, ClusterError> {
        let histogram = json!({
            "field": "@timestamp",
            "fixed_interval": format!("{}ms", interval.as_millis()),
            "offset": format!("{}ms", interval.offset_millis()),
        });
        let source = json!({ "date_histogram": histogram });
        let buckets = self.composite(filter, &source, &json!({ "labels": by_label() }))?;
        let bucket = |bucket: &Json| TimelineBucket {
            start: Timestamp::from_millis(bucket["key"]["by"].as_i64().unwrap_or(0)),
            count: count(bucket),
            labels: labels(bucket),
        };
        Ok(buckets.iter().map(bucket).collect())
    }

    pub(in crate::store) fn distinct(
        &self,
        filter: &Filter,
        field: Keyword,
    ) -> Result<u64, ClusterError> {
        // The most that it can be made exact for.
        let cardinality = json!({ "field": field.name(), "precision_threshold": 40_000 });
        let request = json!({ "size": 0, "aggs": { "distinct": { "cardinality": cardinality } } });
        let answer = self.search_json(filter, request)?;
        Ok(answer["aggregations"]["distinct"]["value"].as_u64().unwrap_or(0))
    }

    pub(in crate::store) fn map(
        &self,
        filter: &Filter,
        zoom: u8,
    ) -> Result<Vec<Cell>, ClusterError> {
        let zoom = ZOOMS.into_iter().find(|kept| *kept >= zoom).unwrap_or(ZOOMS[ZOOMS.len() - 1]);
        let source = json!({ "geotile_grid": { "field": "location", "precision": zoom } });
        let inner = json!({
            "mean": mean(),
            "centre": { "geo_centroid": { "field": "location" } },
        });
        let buckets = self.composite(filter, &source, &inner)?;
        let cell = |bucket: &Json| {
            let at = |axis: &str| bucket["centre"]["location"][axis].as_f64().unwrap_or(0.0);
            Cell {
                tile: bucket["key"]["by"].as_str().unwrap_or_default().to_owned(),
                count: count(bucket),
                mean: bucket["mean"]["value"].as_f64().unwrap_or(0.0),
                lat: at("lat"),
                lon: at("lon"),
            }
        };
        let mut cells: Vec<Cell> = buckets.iter().map(cell).collect();
        cells.sort_unstable_by(|a, b| b.count.cmp(&a.count).then_with(|| a.tile.cmp(&b.tile)));
        Ok(cells)
    }

    /// The `n` most frequent values with exact counts; of equals, the first by name.
    fn terms(
        &self,
        filter: &Filter,
        field: Keyword,
        n: usize,
        inner: Json,
    ) -> Result<Vec<Json>, ClusterError> {
        if n == 0 {
            return Ok(Vec::new());
        }
        let mut extra = SHARD_EXTRA;
        loop {
            let terms = json!({
                "field": field.name(),
                "size": n,
                "shard_size": n + extra,
                "order": [{ "_count": "desc" }, { "_key": "asc" }],
                "show_term_doc_count_error": true,
            });
            let request = json!({ "size": 0, "aggs": { "by": { "terms": terms, "aggs": inner } } });
            let mut answer = self.search_json(filter, request)?;
            let by = &mut answer["aggregations"]["by"];
            // What a value may have that no shard told of.
            let unseen = by["doc_count_error_upper_bound"].as_u64().unwrap_or(0);
            let Json::Array(buckets) = by["buckets"].take() else { return Ok(Vec::new()) };
            let is_exact = |bucket: &Json| {
                bucket["doc_count_error_upper_bound"].as_i64() == Some(0)
                    && (unseen == 0 || count(bucket) > unseen)
            };
            if buckets.iter().all(is_exact) {
                return Ok(buckets);
            }
            if extra > SHARD_EXTRA {
                break;
            }
            extra *= 8;
        }
        // So many values that they are counted one and all.
        let source = json!({ "terms": { "field": field.name() } });
        let mut buckets = self.composite(filter, &source, &inner)?;
        for bucket in &mut buckets {
            bucket["key"] = bucket["key"]["by"].take();
        }
        buckets.sort_unstable_by(|a, b| count(b).cmp(&count(a)).then_with(|| key(a).cmp(&key(b))));
        buckets.truncate(n);
        Ok(buckets)
    }

    /// All buckets of a source of one value, in the order of their keys.
    fn composite(
        &self,
        filter: &Filter,
        source: &Json,
        inner: &Json,
    ) -> Result<Vec<Json>, ClusterError> {
        let mut all = Vec::new();
        let mut after = Json::Null;
        loop {
            let mut composite = json!({ "size": BUCKETS_PAGE, "sources": [{ "by": source }] });
            if !after.is_null() {
                composite["after"] = after.take();
            }
            let by = json!({ "composite": composite, "aggs": inner });
            let request = json!({ "size": 0, "aggs": { "by": by } });
            let mut answer = self.search_json(filter, request)?;
            let by = &mut answer["aggregations"]["by"];
            after = by["after_key"].take();
            let Json::Array(buckets) = by["buckets"].take() else { break };
            let is_last = buckets.len() < BUCKETS_PAGE || after.is_null();
            all.extend(buckets);
            if is_last {
                break;
            }
        }
        Ok(all)
    }

    fn search_json(&self, filter: &Filter, mut request: Json) -> Result<Json, ClusterError> {
        request["query"] = query(filter);
        let path = format!("{ALIAS}/_search");
        let mut asked = Request::json(Method::Post, &path, &request);
        // A part of the answer is no answer.
        asked.query = &[("allow_partial_search_results", "false")];
        let url = || self.connection.url.clone();
        let answer = self.runtime.block_on(self.connection.ask(asked, &Patience::none()))?;
        if answer.status == 404 {
            return Err(ClusterError::Empty { url: url() });
        }
        let answer =
            answer.ok().map_err(|failure| self.connection.refused("search the tweets", failure))?;
        answer.json().ok_or_else(|| ClusterError::NotElasticsearch {
            url: url(),
            answer: format!("it answered {}", answer.beginning()),
        })
    }
}

fn query(filter: &Filter) -> Json {
    let (mut must, mut must_not) = (Vec::new(), Vec::new());
    for clause in &filter.text.clauses {
        let side = if clause.negated { &mut must_not } else { &mut must };
        side.push(wanted(&clause.wanted));
    }
    if filter.from.is_some() || filter.to.is_some() {
        let mut range = BTreeMap::from([("format", json!("epoch_millis"))]);
        range.extend(filter.from.map(|from| ("gte", json!(from.as_millis()))));
        range.extend(filter.to.map(|to| ("lt", json!(to.as_millis()))));
        must.push(json!({ "range": { "@timestamp": range } }));
    }
    for (field, values) in &filter.terms {
        must.push(json!({ "terms": { field.name(): values } }));
    }
    if let Some(bounds) = filter.bounding_box {
        must.push(json!({ "geo_bounding_box": { "location": {
            "top": bounds.north, "left": bounds.west, "bottom": bounds.south, "right": bounds.east,
        } } }));
    }
    json!({ "bool": { "filter": must, "must_not": must_not } })
}

fn wanted(wanted: &Wanted) -> Json {
    let is = |field: Keyword, value: &str| json!({ "term": { field.name(): value } });
    match wanted {
        Wanted::Term(field, value) => is(*field, value),
        Wanted::Account(user) => json!({ "bool": { "should": [
            is(Keyword::ScreenName, user),
            is(Keyword::Mentions, user),
        ] } }),
        Wanted::Phrase(phrase) => json!({ "match_phrase": { "text": phrase } }),
    }
}

fn by(sort: Sort) -> Json {
    let (field, order) = match sort {
        Sort::Newest => ("@timestamp", "desc"),
        Sort::Oldest => ("@timestamp", "asc"),
        Sort::Engaged => ("engagement", "desc"),
        Sort::MostPositive => ("sentiment.compound", "desc"),
        Sort::MostNegative => ("sentiment.compound", "asc"),
    };
    let missing = if sort == Sort::Engaged { json!(0) } else { json!("_last") };
    json!([{ field: { "order": order, "missing": missing } }, { "id": "desc" }])
}

fn mean() -> Json {
    json!({ "avg": { "field": "sentiment.compound" } })
}

fn by_label() -> Json {
    json!({ "terms": { "field": Keyword::Label.name() } })
}

fn feelings() -> Json {
    json!({ "mean": mean(), "labels": by_label() })
}

fn summary(answer: &Json, count: u64) -> SentimentSummary {
    SentimentSummary { count, mean: answer["mean"]["value"].as_f64(), labels: labels(answer) }
}

fn total(answer: &Json) -> u64 {
    answer["hits"]["total"]["value"].as_u64().unwrap_or(0)
}
