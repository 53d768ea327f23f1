//! `indexer backfill` and `indexer enrich`: read all that is there, once.

use std::io::{self, BufRead, BufWriter, IsTerminal, Write};
use std::process::ExitCode;

use crate::config::{BackfillConfig, ReadingConfig, ReportFormat};
use crate::failure::{COULD_NOT_RUN, Context, Failure, INTERRUPTED, Result};
use crate::journal::Journal;
use crate::pipeline::{Ended, Output, Run, StoreOutput};
use crate::rejects::Rejects;
use crate::report::Report;
use crate::serve::Dashboard;
use crate::source::Listing;
use crate::stop::{Stop, stop_on_ctrl_c};
use crate::store::Address;

/// Indexes the sources into the store.
pub(crate) fn backfill(config: BackfillConfig) -> Result<ExitCode> {
    let address = config.store.address()?;
    if config.recreate && !config.is_confirmed {
        confirm(&address)?;
    }
    let stop = stop_on_ctrl_c()?;
    // Checked before anything is read: a dashboard that others can reach needs a token.
    let dashboard = match &config.serve {
        Some(listen) => Some(Dashboard::new(address.clone(), listen)?),
        None => None,
    };
    let mut store = StoreOutput {
        address: address.clone(),
        recreate: config.recreate,
        writer: None,
        stop: stop.clone(),
        stays_open: false,
        experience: None,
    };
    let output = if config.dry_run { Output::Nowhere } else { Output::Store(&mut store) };
    let ReadingConfig { sources, objects, options, readers, rejects, report: format } =
        config.reading;
    let mut rejects = Rejects::to_file(rejects, address.beside());
    let sources = listing(Listing::start(sources, objects), &rejects)?;
    let mut journal = match config.resume {
        true => Some(Journal::open(&address, config.recreate)?),
        false => None,
    };
    // Only now, since the sources have been checked: a mistyped name leaves no server behind.
    let dashboard = dashboard.map(|dashboard| dashboard.start(&stop)).transpose()?;
    let run = Run {
        options,
        output,
        rejects: &mut rejects,
        stop: stop.clone(),
        readers,
        journal: journal.as_mut(),
    };
    let Ended { report, failure, .. } = run.over(sources)?;
    let failure = failure.map(Failure::from);
    // A run that gave up still has a report and rejects, which follow.
    if let Some(failure) = &failure {
        failure.log();
    }
    if let Some(path) = rejects.finish()? {
        let hint =
            "fix what the reasons describe, then index the rejects: indexer backfill REJECTS_FILE";
        tracing::warn!(
            rejected = report.rejected,
            hint,
            "{} rejected, see `{}`",
            count(report.rejected),
            path.display()
        );
    }
    report.warn();
    print(&report, format, &mut io::stdout().lock()).context("cannot write the report")?;
    let code = match &failure {
        Some(failure) => ExitCode::from(failure.exit_code()),
        None => exit_code(&report, &stop),
    };
    if let Some(dashboard) = dashboard.filter(|_| failure.is_none() && !stop.is_set()) {
        tracing::info!("the dashboard stays at {} until Ctrl-C", dashboard.url);
        dashboard.wait();
    }
    Ok(code)
}

/// Writes the documents of the sources to standard output.
pub(crate) fn enrich(config: ReadingConfig) -> Result<ExitCode> {
    let ReadingConfig { sources, objects, options, readers, rejects, report: format } = config;
    let stop = stop_on_ctrl_c()?;
    let mut rejects = match rejects {
        Some(path) => Rejects::Pending(path),
        None => Rejects::Stderr,
    };
    let mut out = BufWriter::with_capacity(256 * 1024, io::stdout().lock());
    let sources = listing(Listing::start(sources, objects), &rejects)?;
    let run = Run {
        options,
        output: Output::Lines(&mut out),
        rejects: &mut rejects,
        stop: stop.clone(),
        readers,
        journal: None,
    };
    let Ended { report, .. } = run.over(sources)?;
    rejects.finish()?;
    report.warn();
    // Standard output belongs to the documents.
    print(&report, format, &mut io::stderr().lock()).context("cannot write the report")?;
    Ok(exit_code(&report, &stop))
}

/// Checks the first sources and the rejects file before anything is done. Sources that are found later are checked
/// before they are read.
fn listing(mut sources: Listing, rejects: &Rejects) -> Result<Listing> {
    sources.first_page().flatten().try_for_each(|source| rejects.check_source(source))?;
    rejects.check_file()?;
    Ok(sources)
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

fn confirm(store: &Address) -> Result<()> {
    let refused = |why: &str| {
        let failure = Failure::new(format!("the store {store} was not emptied: {why}"));
        failure.with_hint("use --recreate --yes to empty it without being asked")
    };
    if !io::stdin().is_terminal() {
        return Err(refused("standard input is not a terminal, so nobody can be asked"));
    }
    write!(io::stderr(), "Empty the store {store}? Everything in it is lost. [y/N] ")?;
    let mut answer = String::new();
    io::stdin().lock().read_line(&mut answer)?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(refused("the answer was not yes")),
    }
}
