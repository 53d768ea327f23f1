//! The documents that match a filter, found once and shared by all questions with that filter: a page of the dashboard
//! asks a dozen questions, and matching a phrase or an excluded word costs more than answering any of them.

use std::collections::HashMap;
use std::sync::Arc;

use tantivy::index::SegmentId;
use tantivy::query::{
    BitSetDocSet, ConstScorer, EmptyScorer, EnableScoring, Explanation, Query, Scorer, Weight,
};
use tantivy::{BitSet, DocId, Score, Searcher, SegmentReader};

/// A query whose results are already known: the matching documents of each segment.
#[derive(Debug, Clone)]
pub(super) struct Matches(Arc<HashMap<SegmentId, BitSet>>);

impl Matches {
    /// Finds the documents that match a query.
    pub(super) fn find(searcher: &Searcher, query: &dyn Query) -> tantivy::Result<Matches> {
        let weight = query.weight(EnableScoring::disabled_from_searcher(searcher))?;
        let segments = searcher.segment_readers().iter().map(|segment| {
            let mut found = BitSet::with_max_value(segment.max_doc());
            weight.for_each_no_score(segment, &mut |documents| {
                for document in documents {
                    found.insert(*document);
                }
            })?;
            Ok((segment.segment_id(), found))
        });
        Ok(Matches(Arc::new(segments.collect::<tantivy::Result<_>>()?)))
    }
}

impl Query for Matches {
    fn weight(&self, _: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        Ok(Box::new(self.clone()))
    }
}

impl Weight for Matches {
    fn scorer(&self, segment: &SegmentReader, boost: Score) -> tantivy::Result<Box<dyn Scorer>> {
        Ok(match self.0.get(&segment.segment_id()) {
            Some(found) => Box::new(ConstScorer::new(BitSetDocSet::from(found.clone()), boost)),
            None => Box::new(EmptyScorer),
        })
    }

    fn explain(&self, _: &SegmentReader, _: DocId) -> tantivy::Result<Explanation> {
        Ok(Explanation::new("a document that was found before", 1.0))
    }
}
