//! Translates questions into searches and aggregations for Elasticsearch and OpenSearch.
//!
//! Several questions are asked in one `_msearch` request. For `terms`, each shard returns only its own most frequent
//! values, so the sums may be wrong: such a question is asked again, with more values per shard, until the answer
//! itself says that it is exact, or else all values are counted. Answers that may have more buckets than a cluster
//! returns at once use `composite`, which is read page by page.

use elasticsearch::http::Method;
use enrich::Document;
use ingest::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value as Json, json};

use super::aggregations::{
    cell, feelings, in_place, in_tile, in_tiles, in_time, over_time, place, summary,
    timeline_bucket,
};
use super::backoff::Patience;
use super::connection::{NDJSON, Request};
use super::query::query;
use super::response::{RequestError, Response, reason};
use super::template::ALIAS;
use super::{ClusterError, Elasticsearch};
use crate::store::buckets::{count, key, number, peak_hours};
use crate::store::{
    After, Answer, Ask, Bounds, Cell, Filter, Hits, Keyword, Question, Sort, TermCount,
    TermSentiment,
};

/// The most hits that a cluster returns at once (`index.max_result_window`).
const WINDOW: usize = 10_000;
/// How many hits are requested per page.
const HITS_PAGE: usize = 1_000;
/// How many buckets are requested per page. Together with the label buckets in each of them, they stay below
/// `search.max_buckets` (65,536).
const BUCKETS_PAGE: usize = 10_000;
/// How many more values than asked for each shard returns, in the first attempt.
const SHARD_EXTRA: usize = 10_000;

impl Elasticsearch {
    /// Answers questions with one request, and further ones where an answer has more pages or is not exact yet.
    pub(in crate::store) fn ask(&self, asks: &[Ask]) -> Result<Vec<Answer>, ClusterError> {
        let firsts: Vec<(&Filter, Json)> =
            asks.iter().map(|ask| (&ask.filter, first_request(&ask.question))).collect();
        let firsts = match asks.len() {
            0 | 1 => firsts
                .into_iter()
                .map(|(filter, request)| self.search_json(filter, request))
                .collect::<Result<_, _>>()?,
            _ => self.search_all(firsts)?,
        };
        asks.iter().zip(firsts).map(|(ask, first)| self.answer(ask, first)).collect()
    }

    /// Turns the response to a question's first request into its answer, requesting whatever is still missing.
    fn answer(&self, ask: &Ask, first: Json) -> Result<Answer, ClusterError> {
        let Ask { filter, question } = ask;
        Ok(match *question {
            Question::Count => Answer::Count(total(&first)),
            Question::Search { sort, offset, limit, .. } => {
                Answer::Hits(self.hits(filter, sort, offset, limit, first)?)
            }
            Question::Top { field, n } => {
                let buckets = self.terms(filter, field, n, &json!({}), first)?;
                let term = |b| TermCount { term: key(b), count: count(b) };
                Answer::Terms(buckets.iter().map(term).collect())
            }
            Question::SentimentBy { field, n } => {
                let buckets = self.terms(filter, field, n, &feelings(), first)?;
                let term = |b| TermSentiment { term: key(b), sentiment: summary(b, count(b)) };
                Answer::SentimentBy(buckets.iter().map(term).collect())
            }
            Question::Sentiment => {
                Answer::Sentiment(summary(&first["aggregations"], total(&first)))
            }
            Question::Timeline { interval } => {
                let buckets =
                    self.composite(filter, &over_time(interval), &in_time(), Some(first))?;
                Answer::Timeline(buckets.iter().map(timeline_bucket).collect())
            }
            Question::PeakHours => Answer::PeakHours(peak_hours(&first["aggregations"])),
            Question::Places { n } => {
                let buckets = self.terms(filter, Keyword::PlaceName, n, &in_place(), first)?;
                Answer::Places(buckets.iter().map(place).collect())
            }
            Question::Map { zoom } => {
                let buckets = self.composite(filter, &in_tiles(zoom), &in_tile(), Some(first))?;
                let mut cells: Vec<Cell> = buckets.iter().map(cell).collect();
                // Composite buckets come in the order of their keys; the embedded store has the fullest first.
                cells.sort_unstable_by(|a, b| {
                    b.count.cmp(&a.count).then_with(|| a.tile.cmp(&b.tile))
                });
                Answer::Cells(cells)
            }
            Question::Distinct { .. } => {
                Answer::Count(number(&first["aggregations"], "distinct").unwrap_or(0.0) as u64)
            }
            Question::Bounds => {
                let bound = |name| {
                    number(&first["aggregations"], name)
                        .map(|millis| Timestamp::from_millis(millis as i64))
                };
                // Without documents, both are null.
                let bounds = bound("from").zip(bound("to"));
                Answer::Bounds(bounds.map(|(from, to)| Bounds { from, to }))
            }
        })
    }

    fn hits(
        &self,
        filter: &Filter,
        sort: Sort,
        offset: usize,
        limit: usize,
        first: Json,
    ) -> Result<Hits, ClusterError> {
        let mut hits = Hits { total: total(&first), documents: Vec::new() };
        let mut page = Page::of(first);
        // A page beyond the window can only be requested by where the previous page ended.
        let mut to_skip = if is_deep(offset) { offset } else { 0 };
        loop {
            let is_last = page.documents.len() < page_size(limit, to_skip, &hits);
            if to_skip > 0 {
                to_skip = to_skip.saturating_sub(page.documents.len());
            } else {
                for document in page.documents {
                    let document: serde_json::Result<Document> = serde_json::from_value(document);
                    let mut document = document.map_err(|error| {
                        ClusterError::internal("read a document that indexer did not write", error)
                    })?;
                    // A document written by an earlier version may lack fields that are derived from others.
                    document.derive();
                    hits.documents.push(document);
                }
            }
            if is_last || hits.documents.len() >= limit {
                return Ok(hits);
            }
            let size = page_size(limit, to_skip, &hits);
            let request = page_request(sort, 0, size, to_skip == 0, page.last);
            page = Page::of(self.search_json(filter, request)?);
        }
    }

    /// The `n` most frequent values with exact counts; values with equal counts are sorted by name.
    fn terms(
        &self,
        filter: &Filter,
        field: Keyword,
        n: usize,
        inner: &Json,
        first: Json,
    ) -> Result<Vec<Json>, ClusterError> {
        if n == 0 {
            return Ok(Vec::new());
        }
        let (mut answer, mut extra) = (first, SHARD_EXTRA);
        loop {
            let by = &mut answer["aggregations"]["by"];
            // The most documents that a value can have which no shard returned.
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
            answer = self.search_json(filter, terms_request(field, n, inner, extra))?;
        }
        // There are so many values that the only exact way is to count all of them.
        let source = json!({ "terms": { "field": field.name() } });
        let mut buckets = self.composite(filter, &source, inner, None)?;
        for bucket in &mut buckets {
            bucket["key"] = bucket["key"]["by"].take();
        }
        buckets.sort_unstable_by(|a, b| count(b).cmp(&count(a)).then_with(|| key(a).cmp(&key(b))));
        buckets.truncate(n);
        Ok(buckets)
    }

    /// All buckets of a `composite` aggregation with one source, in the order of their keys. `first` is the response
    /// with the first page, if it has been requested already.
    fn composite(
        &self,
        filter: &Filter,
        source: &Json,
        inner: &Json,
        mut first: Option<Json>,
    ) -> Result<Vec<Json>, ClusterError> {
        let mut all = Vec::new();
        let mut after = Json::Null;
        loop {
            let mut answer = match first.take() {
                Some(answer) => answer,
                None => self.search_json(filter, composite_request(source, inner, after))?,
            };
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
        // Fail if a shard does, rather than return a partial answer.
        asked.query = &[("allow_partial_search_results", "false")];
        let answer = self.runtime.block_on(self.connection.ask(asked, &Patience::none()))?;
        if answer.status == 404 {
            return Err(self.is_empty());
        }
        let answer = answer.ok().map_err(|failure| self.refused(failure))?;
        answer.json().ok_or_else(|| self.is_none(&answer))
    }

    /// The answers to several searches, asked in one request.
    fn search_all(&self, searches: Vec<(&Filter, Json)>) -> Result<Vec<Json>, ClusterError> {
        #[derive(Deserialize)]
        struct Responses<'a> {
            #[serde(borrow)]
            responses: Vec<&'a RawValue>,
        }
        let mut body = String::new();
        for (filter, mut request) in searches {
            request["query"] = query(filter);
            let header = json!({ "allow_partial_search_results": false });
            body.push_str(&format!("{header}\n{request}\n"));
        }
        // With the index in the path, permission to read that index is enough.
        let path = format!("{ALIAS}/_msearch");
        let mut asked = Request::new(Method::Post, &path);
        (asked.content_type, asked.body) = (NDJSON, Some(body.into()));
        let answer = self.runtime.block_on(self.connection.ask(asked, &Patience::none()))?;
        let answer = answer.ok().map_err(|failure| self.refused(failure))?;
        let parsed: Option<Responses<'_>> = serde_json::from_slice(&answer.body).ok();
        let responses = parsed.ok_or_else(|| self.is_none(&answer))?.responses;
        responses
            .into_iter()
            .map(|response| {
                let response: Json =
                    serde_json::from_str(response.get()).map_err(|_| self.is_none(&answer))?;
                match response["status"].as_u64().unwrap_or(200) {
                    200..300 => Ok(response),
                    404 => Err(self.is_empty()),
                    status => Err(self.refused(RequestError::Status {
                        status: status as u16,
                        reason: reason(&response["error"]),
                        retry_after: None,
                        blocked: false,
                    })),
                }
            })
            .collect()
    }

    fn is_empty(&self) -> ClusterError {
        ClusterError::Empty { url: self.connection.url.clone() }
    }

    fn refused(&self, failure: RequestError) -> ClusterError {
        self.connection.refused("search the tweets", failure)
    }

    fn is_none(&self, answer: &Response) -> ClusterError {
        ClusterError::NotElasticsearch {
            url: self.connection.url.clone(),
            answer: format!("it answered {}", answer.beginning()),
        }
    }
}

/// The first request for a question, without its filter.
fn first_request(question: &Question) -> Json {
    let aggregate = |aggregations: Json| json!({ "size": 0, "aggs": aggregations });
    match question {
        Question::Count => json!({ "size": 0, "track_total_hits": true }),
        Question::Search { sort, after, offset, limit } => {
            let to_skip = if is_deep(*offset) { *offset } else { 0 };
            let from = if is_deep(*offset) { 0 } else { *offset };
            let nothing = Hits { total: 0, documents: Vec::new() };
            let size = page_size(*limit, to_skip, &nothing);
            let after = after.as_ref().map_or(Json::Null, |After { key, id }| match sort {
                Sort::MostPositive | Sort::MostNegative => json!([key, id]),
                _ => json!([*key as i64, id]),
            });
            page_request(*sort, from, size, to_skip == 0, after)
        }
        Question::Top { field, n } => terms_request(*field, *n, &json!({}), SHARD_EXTRA),
        Question::SentimentBy { field, n } => terms_request(*field, *n, &feelings(), SHARD_EXTRA),
        Question::Sentiment => {
            json!({ "size": 0, "track_total_hits": true, "aggs": feelings() })
        }
        Question::Timeline { interval } => {
            composite_request(&over_time(*interval), &in_time(), Json::Null)
        }
        Question::PeakHours => {
            let hours = json!({ "terms": { "field": "hour", "size": 24 } });
            let by =
                json!({ "terms": { "field": "weekday", "size": 7 }, "aggs": { "hours": hours } });
            aggregate(json!({ "weekdays": by }))
        }
        Question::Places { n } => terms_request(Keyword::PlaceName, *n, &in_place(), SHARD_EXTRA),
        Question::Map { zoom } => composite_request(&in_tiles(*zoom), &in_tile(), Json::Null),
        Question::Distinct { field } => {
            // The highest threshold that the server supports.
            let cardinality = json!({ "field": field.name(), "precision_threshold": 40_000 });
            aggregate(json!({ "distinct": { "cardinality": cardinality } }))
        }
        Question::Bounds => {
            let bound = |which: &str| json!({ which: { "field": "@timestamp" } });
            aggregate(json!({ "from": bound("min"), "to": bound("max") }))
        }
    }
}

/// A page of hits.
struct Page {
    documents: Vec<Json>,
    /// The sort values of its last hit, after which the next page begins.
    last: Json,
}

impl Page {
    fn of(mut answer: Json) -> Page {
        let Json::Array(mut hits) = answer["hits"]["hits"].take() else {
            return Page { documents: Vec::new(), last: Json::Null };
        };
        let last = hits.last_mut().map_or(Json::Null, |last| last["sort"].take());
        Page { documents: hits.into_iter().map(|mut hit| hit["_source"].take()).collect(), last }
    }
}

/// Whether a page at this offset may reach beyond the window.
fn is_deep(offset: usize) -> bool {
    offset > WINDOW - HITS_PAGE
}

/// The size of the next page: of the hits to skip while there are any, or else of those to return.
fn page_size(limit: usize, to_skip: usize, hits: &Hits) -> usize {
    match to_skip {
        0 => (limit - hits.documents.len()).min(HITS_PAGE),
        to_skip => to_skip.min(WINDOW),
    }
}

fn page_request(sort: Sort, from: usize, size: usize, with_source: bool, after: Json) -> Json {
    let mut request = json!({
        "from": from,
        "size": size,
        "track_total_hits": true,
        "_source": with_source,
        "sort": by(sort),
    });
    if !after.is_null() {
        request["search_after"] = after;
    }
    request
}

fn terms_request(field: Keyword, n: usize, inner: &Json, extra: usize) -> Json {
    let terms = json!({
        "field": field.name(),
        // Servers refuse a size of 0.
        "size": n.max(1),
        "shard_size": n + extra,
        "order": [{ "_count": "desc" }, { "_key": "asc" }],
        "show_term_doc_count_error": true,
    });
    json!({ "size": 0, "aggs": { "by": { "terms": terms, "aggs": inner } } })
}

fn composite_request(source: &Json, inner: &Json, after: Json) -> Json {
    let mut composite = json!({ "size": BUCKETS_PAGE, "sources": [{ "by": source }] });
    if !after.is_null() {
        composite["after"] = after;
    }
    json!({ "size": 0, "aggs": { "by": { "composite": composite, "aggs": inner } } })
}

fn by(sort: Sort) -> Json {
    let (field, order) = match sort {
        Sort::Newest => ("@timestamp", "desc"),
        Sort::Oldest => ("@timestamp", "asc"),
        Sort::Engaged => ("engagement", "desc"),
        Sort::MostPositive => ("sentiment.compound", "desc"),
        Sort::MostNegative => ("sentiment.compound", "asc"),
    };
    // The embedded store also counts a missing engagement as 0.
    let missing = if sort == Sort::Engaged { json!(0) } else { json!("_last") };
    json!([{ field: { "order": order, "missing": missing } }, { "id": "desc" }])
}

fn total(answer: &Json) -> u64 {
    answer["hits"]["total"]["value"].as_u64().unwrap_or(0)
}
