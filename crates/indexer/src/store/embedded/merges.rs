//! Decides which segments are merged, so that there are few enough for fast searches, and each merge needs only a
//! limited amount of memory.
//!
//! A merge maps all the segments that it reads into memory. Tantivy's default policy merges up to ten million documents
//! at once, which took 350 MB for 840,000 tweets and grows with the store.

use tantivy::SegmentMeta;
use tantivy::indexer::{MergeCandidate, MergePolicy};

/// The most documents that a merged segment may have; merging that many takes about 75 MB of memory. Segments with more
/// than a quarter of this number are not merged any further.
const MAX_DOCUMENTS: u32 = 200_000;
/// Fewer small segments than this are not worth merging.
const MIN_SEGMENTS: usize = 8;

/// Merges the smallest segments, up to [`MAX_DOCUMENTS`] at a time, and rewrites a segment of which more than half is
/// deleted.
#[derive(Debug)]
pub(super) struct BoundedMerges;

impl MergePolicy for BoundedMerges {
    /// Proposes one merge at a time: Tantivy asks again when it has finished.
    fn compute_merge_candidates(&self, segments: &[SegmentMeta]) -> Vec<MergeCandidate> {
        let hollow = segments.iter().find(|s| s.num_deleted_docs() > s.num_docs());
        if let Some(segment) = hollow {
            return vec![MergeCandidate(vec![segment.id()])];
        }
        let mut small: Vec<&SegmentMeta> =
            segments.iter().filter(|s| s.num_docs() <= MAX_DOCUMENTS / 4).collect();
        small.sort_by_key(|segment| segment.num_docs());
        let mut n_documents = 0;
        small.retain(|segment| {
            n_documents += segment.num_docs();
            n_documents <= MAX_DOCUMENTS
        });
        if small.len() >= MIN_SEGMENTS {
            vec![MergeCandidate(small.iter().map(|segment| segment.id()).collect())]
        } else {
            Vec::new()
        }
    }
}
