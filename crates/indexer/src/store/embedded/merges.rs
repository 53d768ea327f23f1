//! Which segments are merged: few enough to search fast, small enough to merge in bounded memory.
//!
//! Merging maps all its segments into memory. Tantivy's own policy merges up to ten million documents
//! at once, which took 350 MB here for 840,000 tweets and grows with the store.

use tantivy::SegmentMeta;
use tantivy::indexer::{MergeCandidate, MergePolicy};

/// As many documents as a merged segment may have, about 75 MB of it; those of more than a quarter are
/// left alone.
const MAX_DOCUMENTS: u32 = 200_000;
/// Merging pays from so many segments on.
const MIN_SEGMENTS: usize = 8;

/// Merges the smallest segments, up to [`MAX_DOCUMENTS`] at a time; a segment of which half is deleted is
/// written anew.
#[derive(Debug)]
pub(super) struct BoundedMerges;

impl MergePolicy for BoundedMerges {
    /// One merge at a time: asked again when that has ended.
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
