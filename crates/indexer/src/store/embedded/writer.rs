//! Writing to the embedded store: documents are gathered, merged with what is there, and committed in
//! large steps. A crash loses at most the step that was being gathered, never a part of a document.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::{Path, PathBuf};

use enrich::Document;
use tantivy::indexer::IndexWriterOptions;
use tantivy::schema::Value;
use tantivy::{
    DocAddress, DocSet, Index, IndexWriter, ReloadPolicy, Searcher, TERMINATED, TantivyDocument,
    TantivyError, Term,
};

use super::merges::BoundedMerges;
use super::schema::Fields;
use super::{failed, io, open_or_create_index, parse_document};
use crate::failure::{Failure, Result};
use crate::store::{Delivery, Keyword, StoreError, Written};

/// A step is committed once it has this many documents, or takes up this many bytes.
const STEP_DOCUMENTS: usize = 16_000;
const STEP_BYTES: usize = 24 * 1024 * 1024;
/// What an indexing thread may gather in memory, in bytes.
const THREAD_MEMORY: usize = 16 * 1024 * 1024;

/// An embedded store opened for writing, which only one process can do at a time.
pub struct EmbeddedWriter {
    path: PathBuf,
    index: Index,
    writer: IndexWriter,
    fields: Fields,
    /// The documents of the step that is being gathered, by id.
    step: HashMap<String, Document>,
    step_bytes: usize,
    /// How many deliveries were taken in, and how many of them committed.
    taken: u64,
    committed: u64,
}

impl EmbeddedWriter {
    /// Opens the store in the folder `path`, making it if it is not there.
    ///
    /// # Errors
    ///
    /// If it cannot be made or opened, if another process is writing to it, or if it was made by
    /// another version and is not to be recreated.
    pub fn open(path: &Path, recreate: bool) -> Result<EmbeddedWriter, StoreError> {
        let opened = match open_or_create_index(path) {
            // Such an index cannot be opened to be emptied, so its files are removed.
            Err(StoreError::OtherVersion { .. } | StoreError::Io { .. }) if recreate => {
                remove_index(path)?;
                open_or_create_index(path)
            }
            opened => opened,
        };
        let (index, fields) = opened?;
        let fail = |error| failed("write to", path, error);
        let n_threads = std::thread::available_parallelism().map_or(1, |n| n.get().min(4));
        let options = IndexWriterOptions::builder()
            .num_worker_threads(n_threads)
            .memory_budget_per_thread(THREAD_MEMORY)
            .num_merge_threads(1)
            .build();
        let writer: IndexWriter = index.writer_with_options(options).map_err(fail)?;
        writer.set_merge_policy(Box::new(BoundedMerges));
        let mut writer = EmbeddedWriter {
            path: path.to_owned(),
            index,
            writer,
            fields,
            step: HashMap::new(),
            step_bytes: 0,
            taken: 0,
            committed: 0,
        };
        if recreate {
            writer.clear().map_err(fail)?;
        }
        Ok(writer)
    }

    fn clear(&mut self) -> tantivy::Result<()> {
        self.writer.delete_all_documents()?;
        self.writer.commit()?;
        Ok(())
    }

    /// Takes documents in; see [`Writer::write`](crate::store::Writer::write).
    ///
    /// # Errors
    ///
    /// If the store cannot be written.
    pub fn write(
        &mut self,
        deliveries: Vec<Delivery>,
        written: &mut Written,
    ) -> Result<(), StoreError> {
        for Delivery { document, .. } in deliveries {
            self.step_bytes += weight(&document);
            self.taken += 1;
            // Documents of one step are merged here, those of earlier steps when the step is written.
            match self.step.entry(document.id.clone()) {
                Entry::Occupied(mut there) => {
                    there.get_mut().merge(document);
                    written.updated += 1;
                }
                Entry::Vacant(room) => {
                    room.insert(document);
                }
            }
            if self.step.len() >= STEP_DOCUMENTS || self.step_bytes >= STEP_BYTES {
                self.flush(written)?;
            }
        }
        Ok(())
    }

    /// Deletes documents; see [`Writer::delete`](crate::store::Writer::delete).
    ///
    /// # Errors
    ///
    /// If the store cannot be written.
    pub fn delete(&mut self, ids: &[String]) -> Result<(), StoreError> {
        for id in ids {
            self.writer.delete_term(Term::from_field_text(self.fields.keyword(Keyword::Id), id));
        }
        let committed = self.writer.commit();
        committed.map_err(|error| failed("write to", &self.path, error)).map(drop)
    }

    /// How many documents were taken in.
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// How many of them are committed.
    pub fn settled(&self) -> u64 {
        self.committed
    }

    /// Commits what was gathered.
    ///
    /// # Errors
    ///
    /// If the store cannot be written.
    pub fn flush(&mut self, written: &mut Written) -> Result<(), StoreError> {
        *written += self.commit()?;
        self.committed = self.taken;
        Ok(())
    }

    /// Commits what is left; see [`Writer::finish`](crate::store::Writer::finish).
    ///
    /// # Errors
    ///
    /// If the store cannot be written.
    pub fn finish(mut self, written: &mut Written) -> Result<(), StoreError> {
        self.flush(written)?;
        let path = self.path;
        self.writer.wait_merging_threads().map_err(|error| failed("write to", &path, error))
    }

    fn commit(&mut self) -> Result<Written, StoreError> {
        if self.step.is_empty() {
            return Ok(Written::default());
        }
        let mut step: Vec<Document> = std::mem::take(&mut self.step).into_values().collect();
        self.step_bytes = 0;
        // Sorted by id, which is the order of the terms to look up, and roughly the order of time.
        step.sort_unstable_by(|a, b| a.id.cmp(&b.id));
        self.write_step(step).map_err(|failure| {
            let path = self.path.clone();
            match failure {
                StepError::Tantivy(error) => failed("write to", &path, error),
                StepError::Other(source) => StoreError::Io { action: "write to", path, source },
            }
        })
    }

    fn write_step(&mut self, step: Vec<Document>) -> Result<Written, StepError> {
        let id_field = self.fields.keyword(Keyword::Id);
        // Opened anew for each step: a reader keeps the files it has read mapped into memory for as long as it lives.
        let reader = self.index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?;
        let searcher = reader.searcher();
        let mut written = Written::default();
        for document in step {
            let term = Term::from_field_text(id_field, &document.id);
            let document = match find(&searcher, &term)? {
                None => {
                    written.created += 1;
                    document
                }
                Some(address) => {
                    written.updated += 1;
                    let before = self.stored(&searcher, address)?;
                    let mut after = before.clone();
                    after.merge(document);
                    if after == before {
                        continue;
                    }
                    self.writer.delete_term(term);
                    after
                }
            };
            let json = serde_json::to_vec(&document).map_err(Failure::from)?;
            self.writer.add_document(self.fields.index(&document, &json))?;
        }
        self.writer.commit()?;
        let Written { created, updated, .. } = written;
        tracing::debug!(
            "committed a step: {created} new tweets, {updated} that were there already"
        );
        Ok(written)
    }

    fn stored(&self, searcher: &Searcher, address: DocAddress) -> Result<Document, StepError> {
        let stored: TantivyDocument = searcher.doc(address)?;
        let json = stored.get_first(self.fields.source).and_then(|value| value.as_bytes());
        Ok(parse_document(json.unwrap_or_default())?)
    }
}

/// Why a step could not be written. Tantivy's errors are kept separate, because some of them have a [`StoreError`] of
/// their own.
enum StepError {
    Tantivy(TantivyError),
    Other(Failure),
}

impl From<TantivyError> for StepError {
    fn from(error: TantivyError) -> StepError {
        StepError::Tantivy(error)
    }
}

impl From<Failure> for StepError {
    fn from(failure: Failure) -> StepError {
        StepError::Other(failure)
    }
}

/// About how many bytes a document takes in memory, with its JSON.
fn weight(document: &Document) -> usize {
    let lists = [
        &document.hashtags,
        &document.mentions,
        &document.cashtags,
        &document.urls,
        &document.domains,
    ];
    let listed: usize = lists.into_iter().flatten().map(|item| item.len() + 24).sum();
    let name = document.user.name.as_ref().map_or(0, String::len);
    800 + 2 * (document.text.len() + listed + name)
}

/// The address of the document that has `term` and is not deleted, if there is one.
fn find(searcher: &Searcher, term: &Term) -> tantivy::Result<Option<DocAddress>> {
    for (ord, segment) in searcher.segment_readers().iter().enumerate() {
        let inverted = segment.inverted_index(term.field())?;
        let Some(info) = inverted.get_term_info(term)? else { continue };
        let mut postings = inverted
            .read_postings_from_terminfo(&info, tantivy::schema::IndexRecordOption::Basic)?;
        while postings.doc() != TERMINATED {
            if !segment.is_deleted(postings.doc()) {
                return Ok(Some(DocAddress::new(ord as u32, postings.doc())));
            }
            postings.advance();
        }
    }
    Ok(None)
}

/// Removes the files of an index, and only those.
fn remove_index(path: &Path) -> Result<(), StoreError> {
    let entries = path.read_dir().map_err(|error| io("recreate", path, error))?;
    for entry in entries {
        let file = entry.map_err(|error| io("recreate", path, error))?.path();
        let name = file.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let is_segment = name
            .split('.')
            .next()
            .is_some_and(|id| id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit()));
        if is_segment || name == "meta.json" || name == ".managed.json" {
            std::fs::remove_file(&file).map_err(|error| io("recreate", path, error))?;
        }
    }
    Ok(())
}
