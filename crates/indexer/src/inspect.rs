//! `indexer inspect`: what sources are taken for, and what their first tweets become, before anything is indexed.

use std::io::{self, Write};
use std::ops::ControlFlow;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

use enrich::{Document, Origin, enrich};
use ingest::{Batch, Description, Error, Item, Options, Rejected};
use serde::Serialize;

use crate::config::InspectConfig;
use crate::failure::{COULD_NOT_RUN, Failure, Result};
use crate::report::Report;
use crate::source::{Listed, Listing, Member, Source};
use crate::stdout::shown;
use crate::stop::{Stop, stop_on_ctrl_c};

/// How many tweets, and how many rejects, are shown.
const SHOWN: usize = 3;
/// How many members of an archive are.
const MEMBERS: usize = 5;

/// What is found out about a source, from its first records.
#[derive(Serialize)]
struct Inspection {
    source: String,
    #[serde(flatten)]
    description: Description,
    /// What became of the records that were looked at.
    report: Report,
    /// One value of each field that could not be read.
    unread_examples: Vec<(String, String)>,
    /// The first tweets, as they would be indexed.
    documents: Vec<Document>,
    /// The first records that would be rejected.
    rejected: Vec<Rejected>,
}

/// Prints what each source is taken for.
pub(crate) fn run(config: InspectConfig) -> Result<ExitCode> {
    let InspectConfig { sources, objects, options, as_json } = config;
    let stop = stop_on_ctrl_c()?;
    let mut listing = Listing::start(sources, objects);
    let mut code = ExitCode::SUCCESS;
    let mut is_first = true;
    while !stop.is_set() {
        let source = match listing.next(Duration::from_millis(50)) {
            Listed::Pending => continue,
            Listed::End => break,
            Listed::Source(source) => source,
        };
        let mut show = |inspection: Result<Inspection>| {
            let inspection = match inspection {
                Ok(inspection) => inspection,
                Err(failure) => {
                    failure.log();
                    code = ExitCode::from(COULD_NOT_RUN);
                    return Ok(());
                }
            };
            let mut out = io::stdout().lock();
            let written = match as_json {
                true => serde_json::to_string(&inspection)
                    .map_err(io::Error::from)
                    .and_then(|json| writeln!(out, "{json}")),
                false => inspection.print(&mut out, !std::mem::take(&mut is_first)),
            };
            shown(written)
        };
        let inspected = source.and_then(|source| inspect(&source, &options, &stop, &mut show));
        if let Err(failure) = inspected {
            failure.log();
            code = ExitCode::from(COULD_NOT_RUN);
        }
    }
    Ok(code)
}

/// Looks at the first members of a source, and hands what it finds to `show`.
fn inspect(
    source: &Source,
    options: &Arc<Options>,
    stop: &Stop,
    show: &mut dyn FnMut(Result<Inspection>) -> Result<()>,
) -> Result<()> {
    let name = source.name();
    let mut n_shown = 0;
    let mut shown = Ok(());
    let read = source.read(options, &Arc::new(AtomicU64::new(0)), stop, None, &mut |member| {
        shown = show(look_at(member));
        n_shown += 1;
        match shown.is_err() || n_shown == MEMBERS || stop.is_set() {
            true => ControlFlow::Break(()),
            false => ControlFlow::Continue(()),
        }
    });
    shown?;
    read.map_err(|failure| failure.context(format!("cannot read `{name}`")))
}

fn look_at(member: Member<'_>) -> Result<Inspection> {
    let Member { name, batches, written_at } = member;
    let unreadable = |error: Error| Failure::from(error).context(format!("cannot read `{name}`"));
    let mut batches = batches.map_err(unreadable)?;
    let first = batches.next().transpose().map_err(unreadable)?;
    let mut inspection = Inspection {
        description: first.as_ref().map(|first| batches.describe(first)).unwrap_or_default(),
        source: name.clone(),
        report: Report::default(),
        unread_examples: Vec::new(),
        documents: Vec::new(),
        rejected: Vec::new(),
    };
    let origin = Origin { source: &name, received_at: written_at };
    if let Some(first) = first {
        inspection.look(&first, origin);
    }
    Ok(inspection)
}

impl Inspection {
    fn look(&mut self, batch: &Batch, origin: Origin<'_>) {
        self.report.add_overlooked(batch);
        batch.read(|item| match item {
            Item::Tweet { tweet, .. } => {
                self.report.add_tweet(&tweet);
                for unread in &tweet.unread {
                    let field = unread.field.name();
                    if self.unread_examples.iter().all(|(known, _)| known != field) {
                        self.unread_examples.push((field.to_owned(), unread.value.clone()));
                    }
                }
                let document = enrich(tweet, origin);
                self.report.add_document(&document);
                if self.documents.len() < SHOWN {
                    self.documents.push(document);
                }
            }
            Item::Document { .. } => self.report.read += 1,
            Item::Notice { .. } => {
                self.report.read += 1;
                self.report.notices += 1;
            }
            Item::Rejected(mut rejected) => {
                self.report.read += 1;
                self.report.rejected += 1;
                if self.rejected.len() < SHOWN {
                    self.source.clone_into(&mut rejected.source);
                    self.rejected.push(rejected);
                }
            }
        });
    }

    fn print(&self, out: &mut dyn Write, is_another: bool) -> io::Result<()> {
        if is_another {
            writeln!(out)?;
        }
        writeln!(out, "{}", self.source)?;
        writeln!(out, "{:<14}{}", "format", self.description.format)?;
        for detail in &self.description.details {
            writeln!(out, "{:<14}{}", detail.name, detail.value)?;
        }
        if !self.description.columns.is_empty() {
            writeln!(out, "columns")?;
        }
        let widest = self.description.columns.iter().map(|column| column.name.chars().count());
        let width = widest.max().unwrap_or(0).min(40);
        for column in &self.description.columns {
            let fields = match (column.fields.is_empty(), column.resembles) {
                (true, Some(field)) => format!("(not used; it may be {field})"),
                (true, None) => "(not used)".to_owned(),
                (false, _) => column.fields.join(", "),
            };
            writeln!(out, "  {:<width$}  {fields}", column.name)?;
        }
        let Report { read, notices, rejected, .. } = &self.report;
        let tweets = read - notices - rejected;
        writeln!(
            out,
            "{:<14}{read}: {tweets} tweets, {notices} notices, {rejected} rejected",
            "first records"
        )?;
        for (field, example) in &self.unread_examples {
            let count = self.report.unread.get(field.as_str()).copied().unwrap_or(0);
            writeln!(out, "{:<14}{field}: {count}, such as `{example}`", "unread")?;
        }
        for document in &self.documents {
            writeln!(out, "{}", serde_json::to_string_pretty(document)?)?;
        }
        for rejected in &self.rejected {
            writeln!(out, "rejected, line {}: {}", rejected.line, rejected.reason)?;
        }
        self.report.warn();
        Ok(())
    }
}
