//! The fields of the embedded index, and how a document fills them.

use enrich::Document;
use tantivy::TantivyDocument;
use tantivy::schema::{
    BytesOptions, Field, IndexRecordOption, NumericOptions, Schema, TextFieldIndexing, TextOptions,
};

use super::tokenizer::{FOLDED, WORDS};
use crate::store::geo::kept;
use crate::store::{Keyword, ZOOMS, tile};

/// The fields by what they hold.
#[derive(Clone)]
pub(super) struct Fields {
    pub(super) text: Field,
    /// Milliseconds since the Unix epoch.
    pub(super) timestamp: Field,
    pub(super) compound: Field,
    pub(super) engagement: Field,
    pub(super) weekday: Field,
    pub(super) hour: Field,
    pub(super) lat: Field,
    pub(super) lon: Field,
    /// The whole document, as JSON.
    pub(super) source: Field,
    keywords: Vec<(Keyword, Field)>,
    tiles: Vec<(u8, Field)>,
}

pub(super) const TIMESTAMP: &str = "timestamp";
pub(super) const COMPOUND: &str = "compound";
pub(super) const ENGAGEMENT: &str = "engagement";
pub(super) const WEEKDAY: &str = "weekday";
pub(super) const HOUR: &str = "hour";
pub(super) const LAT: &str = "lat";
pub(super) const LON: &str = "lon";

/// The name of a keyword's field. Tantivy would take a dot in the name for a path into an object.
pub(super) fn keyword_name(keyword: Keyword) -> String {
    format!("{}_keyword", keyword.name().replace('.', "_"))
}

/// The name of the field that holds the map tiles of a zoom level.
pub(super) fn tile_name(zoom: u8) -> String {
    format!("tile_{zoom}")
}

/// The schema of the index. Any change to it makes stores of earlier versions unreadable.
pub(super) fn schema() -> (Schema, Fields) {
    let mut builder = Schema::builder();
    let words = TextFieldIndexing::default()
        .set_tokenizer(WORDS)
        .set_index_option(IndexRecordOption::WithFreqsAndPositions);
    let exact = |tokenizer: &str| {
        TextFieldIndexing::default()
            .set_tokenizer(tokenizer)
            // Exact values are filtered and counted, but never ranked.
            .set_index_option(IndexRecordOption::Basic)
            .set_fieldnorms(false)
    };
    let keyword = |keyword: &Keyword| {
        let tokenizer = if keyword.folds_case() { FOLDED } else { "raw" };
        TextOptions::default().set_indexing_options(exact(tokenizer)).set_fast(tokenizer)
    };
    let fast = NumericOptions::default().set_fast();
    let fields = Fields {
        text: builder.add_text_field("text", TextOptions::default().set_indexing_options(words)),
        timestamp: builder.add_i64_field(TIMESTAMP, fast.clone()),
        compound: builder.add_f64_field(COMPOUND, fast.clone()),
        engagement: builder.add_u64_field(ENGAGEMENT, fast.clone()),
        weekday: builder.add_u64_field(WEEKDAY, fast.clone().set_indexed()),
        hour: builder.add_u64_field(HOUR, fast.clone().set_indexed()),
        lat: builder.add_f64_field(LAT, fast.clone()),
        lon: builder.add_f64_field(LON, fast),
        // The document as JSON, like Elasticsearch's `_source`.
        source: builder.add_bytes_field("source", BytesOptions::default().set_stored()),
        keywords: Keyword::ALL
            .iter()
            .map(|k| (*k, builder.add_text_field(&keyword_name(*k), keyword(k))))
            .collect(),
        tiles: ZOOMS
            .map(|zoom| {
                (
                    zoom,
                    builder
                        .add_text_field(&tile_name(zoom), TextOptions::default().set_fast("raw")),
                )
            })
            .to_vec(),
    };
    (builder.build(), fields)
}

impl Fields {
    /// The field of a keyword.
    pub(super) fn keyword(&self, keyword: Keyword) -> Field {
        // `keywords` is in the order of `Keyword::ALL`, which is the order of the variants.
        self.keywords[keyword as usize].1
    }

    /// Converts a document into its indexed form. `json` is the same document serialized, which is stored along with
    /// it.
    pub(super) fn index(&self, document: &Document, json: &[u8]) -> TantivyDocument {
        let mut indexed = TantivyDocument::default();
        indexed.add_text(self.text, &document.text);
        indexed.add_i64(self.timestamp, document.timestamp.as_millis());
        // Elasticsearch indexes the score as a 32-bit `float`; with the same rounding, means are the same in both
        // stores.
        indexed.add_f64(self.compound, f64::from(document.sentiment.compound as f32));
        indexed.add_u64(self.engagement, document.engagement.unwrap_or(0));
        indexed.add_u64(self.weekday, u64::from(document.weekday));
        indexed.add_u64(self.hour, u64::from(document.hour));
        if let Some(at) = document.location {
            let (lat, lon) = kept(at.lat, at.lon);
            indexed.add_f64(self.lat, lat);
            indexed.add_f64(self.lon, lon);
            for (zoom, field) in &self.tiles {
                indexed.add_text(*field, tile(lat, lon, *zoom));
            }
        }
        for (keyword, field) in &self.keywords {
            for value in keyword.values(document) {
                indexed.add_text(*field, value);
            }
        }
        indexed.add_bytes(self.source, json);
        indexed
    }
}
