//! `indexer backfill` and `indexer enrich`: everything that there is, once.

use std::io::{self, BufRead, BufWriter, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::Context;
use ingest::Options;

use crate::cli::{Backfill, Enrich, Records, ReportFormat};
use crate::failure::{self, COULD_NOT_RUN, INTERRUPTED, with_hint};
use crate::journal::Journal;
use crate::pipeline::{Ended, Output, Run, StoreOutput};
use crate::rejects::Rejects;
use crate::report::Report;
use crate::serve::Dashboard;
use crate::source::expand;
use crate::stop::{Stop, stop_on_ctrl_c};
use crate::store::{Address, Load};

/// Indexes the sources into the store.
pub(crate) fn backfill(args: Backfill) -> anyhow::Result<ExitCode> {
    let address = args.store.address(args.load.load(Load::default()))?;
    if args.recreate && !args.yes {
        confirm(&address)?;
    }
    let stop = stop_on_ctrl_c()?;
    let dashboard = match args.serve {
        true => Some(Dashboard::new(address.clone(), &args.listen)?),
        false => None,
    };
    let mut store = StoreOutput {
        address: address.clone(),
        recreate: args.recreate,
        writer: None,
        stop: stop.clone(),
        stays_open: false,
        learned: None,
    };
    let output = if args.dry_run { Output::Nowhere } else { Output::Store(&mut store) };
    let mut rejects = Rejects::to_file(args.reading.rejects.clone(), address.beside());
    let mut sources = expand(&args.reading.sources, &args.reading.objects);
    rejects.check(&sources)?;
    let mut journal = None;
    if args.resume {
        let journal = journal.insert(Journal::open(&address, args.recreate)?);
        let n_sources = sources.len();
        sources.retain(|source| source.as_ref().map_or(true, |source| !journal.has(source)));
        tracing::info!("{} of {n_sources} sources were read before", n_sources - sources.len());
    }
    let dashboard = dashboard.map(|dashboard| dashboard.start(&stop)).transpose()?;
    let run = Run {
        options: args.reading.records.options(),
        output,
        rejects: &mut rejects,
        stop: stop.clone(),
        readers: args.reading.readers,
        journal: journal.as_mut(),
    };
    let Ended { report, failure, .. } = run.over(sources)?;
    let failure = failure.map(|error| failure::exit_code(&error.into()));
    if let Some(path) = rejects.finish()? {
        let hint = "mend what the reasons say, then index them: indexer backfill REJECTS_FILE";
        tracing::warn!(
            rejected = report.rejected,
            hint,
            "{} rejected, see `{}`",
            count(report.rejected),
            path.display()
        );
    }
    let mut out = io::stdout().lock();
    print(&report, args.reading.report, &mut out).context("cannot write the report")?;
    drop(out);
    let has_failed = failure.is_some();
    let code = failure.unwrap_or_else(|| exit_code(&report, &stop));
    if let Some(dashboard) = dashboard.filter(|_| !has_failed && !stop.is_set()) {
        tracing::info!("the dashboard stays at {} until Ctrl-C", dashboard.url);
        dashboard.wait();
    }
    Ok(code)
}

/// Writes the sources' documents to stdout.
pub(crate) fn enrich(args: Enrich) -> anyhow::Result<ExitCode> {
    let stop = stop_on_ctrl_c()?;
    let mut rejects = match args.reading.rejects.clone() {
        Some(path) => Rejects::Pending(path),
        None => Rejects::Stderr,
    };
    let mut out = BufWriter::with_capacity(256 * 1024, io::stdout().lock());
    let sources = expand(&args.reading.sources, &args.reading.objects);
    rejects.check(&sources)?;
    let run = Run {
        options: args.reading.records.options(),
        output: Output::Lines(&mut out),
        rejects: &mut rejects,
        stop: stop.clone(),
        readers: args.reading.readers,
        journal: None,
    };
    let Ended { report, .. } = run.over(sources)?;
    rejects.finish()?;
    // Stdout is the documents'.
    print(&report, args.reading.report, &mut io::stderr().lock())
        .context("cannot write the report")?;
    Ok(exit_code(&report, &stop))
}

impl Records {
    pub(crate) fn options(&self) -> Arc<Options> {
        Arc::new(Options {
            columns: self
                .columns
                .iter()
                .map(|column| (column.field, column.name.clone()))
                .collect(),
            timestamp: self.timestamp,
            marketplace: self.marketplace.clone(),
        })
    }
}

fn print(report: &Report, format: ReportFormat, out: &mut dyn Write) -> io::Result<()> {
    match format {
        ReportFormat::Human => write!(out, "{report}"),
        ReportFormat::Json => writeln!(out, "{}", serde_json::to_string(report)?),
    }
}

fn count(rejected: u64) -> String {
    match rejected {
        1 => "1 record was".to_owned(),
        n => format!("{n} records were"),
    }
}

fn exit_code(report: &Report, stop: &Stop) -> ExitCode {
    if stop.is_set() {
        ExitCode::from(INTERRUPTED)
    } else if report.failed_sources > 0 {
        ExitCode::from(COULD_NOT_RUN)
    } else {
        ExitCode::from(u8::from(report.rejected > 0))
    }
}

fn confirm(store: &Address) -> anyhow::Result<()> {
    let refused = |why: &str| {
        let error = anyhow::anyhow!("the store {store} was not emptied: {why}");
        with_hint(error, "say --recreate --yes to empty it without being asked")
    };
    if !io::stdin().is_terminal() {
        return Err(refused("there is no terminal to ask on"));
    }
    write!(io::stderr(), "Empty the store {store}? Everything in it is lost. [y/N] ")?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(refused("the answer was not yes")),
    }
}
