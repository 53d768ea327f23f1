//! Deletes single documents. In which index each lies is asked first, since an id does not always tell.

use elasticsearch::http::Method;
use serde_json::{Value, json};

use super::ClusterError;
use super::backoff::Patience;
use super::connection::{Connection, NDJSON, Request};
use super::response::RequestError;

/// How many documents are deleted with one request.
const PAGE: usize = 1_000;

impl Connection {
    /// Deletes the documents with these ids, as far as they are there.
    pub(super) async fn delete(
        &self,
        ids: &[String],
        patience: &Patience,
    ) -> Result<(), ClusterError> {
        let action = "delete tweets";
        // A document that was just written is found only after a refresh.
        let refresh = self.ask(Request::new(Method::Post, "/tweets/_refresh"), patience).await?;
        if refresh.status == 404 {
            // There is no index yet.
            return Ok(());
        }
        refresh.ok().map_err(|failure| self.refused(action, failure))?;
        for ids in ids.chunks(PAGE) {
            let search =
                json!({ "size": PAGE, "_source": false, "query": { "ids": { "values": ids } } });
            let search = Request::json(Method::Post, "/tweets/_search", &search);
            let found = self.ask(search, patience).await?;
            let found = found.ok().map_err(|failure| self.refused(action, failure))?;
            let found = found.json().unwrap_or_default();
            let hits = found["hits"]["hits"].as_array();
            let Some(hits) = hits.filter(|_| found["_shards"]["failed"].as_u64() == Some(0)) else {
                let reason = "the tweets to delete could not be looked up in all shards".to_owned();
                return Err(self.refused(action, RequestError::Items { reason }));
            };
            let deletes = hits.iter().map(|hit| {
                json!({ "delete": { "_index": hit["_index"], "_id": hit["_id"] } }).to_string()
                    + "\n"
            });
            let body: String = deletes.collect();
            if body.is_empty() {
                continue;
            }
            let bulk = Request {
                body: Some(body.into()),
                content_type: NDJSON,
                ..Request::new(Method::Post, "/_bulk")
            };
            let answer = self.ask(bulk, patience).await?;
            let answer = answer.ok().map_err(|failure| self.refused(action, failure))?;
            let answer = answer.json().unwrap_or_default();
            let items = answer["items"].as_array().map(Vec::as_slice).unwrap_or_default();
            let is_done =
                |item: &&Value| matches!(item["delete"]["status"].as_u64(), Some(200 | 404));
            if items.iter().filter(is_done).count() < hits.len() {
                let refused = items.iter().find(|item| !is_done(item));
                let reason = refused.map_or("no answer", |item| {
                    item["delete"]["error"]["reason"].as_str().unwrap_or("no reason")
                });
                let failure = RequestError::Items { reason: reason.to_owned() };
                return Err(self.refused(action, failure));
            }
        }
        Ok(())
    }
}
