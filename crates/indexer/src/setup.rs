//! `indexer setup`: what a cluster needs before tweets are written to it, and Kibana to show them.

use std::collections::HashMap;
use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Context;
use clap::ValueEnum;
use ingest::Timestamp;

use crate::cli::{Setup, ToKibana};
use crate::clock::now;
use crate::failure::with_hint;
use crate::runtime::runtime;
use crate::store::{
    Address, Cluster, Filter, Index, IndexBy, Installed, Load, SetUp, Sort, Store, TEMPLATE_NAME,
    set_up, template,
};

mod kibana;
mod objects;

use kibana::{Imported, Kibana};
use objects::{IMPORT_FILE, Object, TimeRange, objects};

/// What can be shown of what would be installed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Print {
    /// The index template.
    #[default]
    Template,
    /// The file that Kibana imports.
    Dashboards,
}

/// Installs the index template and the dashboards, or shows them.
pub(crate) fn run(args: &Setup) -> anyhow::Result<ExitCode> {
    let mut out = io::stdout().lock();
    let written = "cannot write to stdout";
    match args.print {
        Some(Print::Template) => {
            let template = template(args.index_by.index_by.unwrap_or_default());
            serde_json::to_writer_pretty(&mut out, &template)?;
            writeln!(out).context(written)?;
            return Ok(ExitCode::SUCCESS);
        }
        Some(Print::Dashboards) => {
            out.write_all(IMPORT_FILE.as_bytes()).context(written)?;
            return Ok(ExitCode::SUCCESS);
        }
        None => {}
    }
    let load = Load { index_by: args.index_by.index_by, ..Load::default() };
    let address = args.store.address(load)?;
    let Address::Cluster(cluster) = &address else {
        let error = anyhow::anyhow!("the folder `{}` needs no setup", args.store.store);
        return Err(with_hint(error, "name a cluster: --store http://localhost:9200"));
    };
    let done = set_up(cluster, args.dry_run)?;
    report(&done, args.dry_run, &mut out).context(written)?;
    let mut is_all_well = done.indices.iter().all(|index| index.difference.is_none());
    if args.kibana.kibana.is_some() {
        let range = time_range(&address)?;
        is_all_well &= install_dashboards(&args.kibana, cluster, range, args.dry_run, &mut out)?;
    }
    Ok(ExitCode::from(u8::from(!is_all_well)))
}

/// When the tweets are from that are there; none if there are none, or we may not look.
fn time_range(address: &Address) -> anyhow::Result<Option<TimeRange>> {
    let store = Store::open(address)?;
    let first = |sort| {
        let hits = store.search(&Filter::default(), sort, 0, 1).ok()?;
        hits.documents.first().map(|document| document.timestamp)
    };
    let (oldest, newest) = (first(Sort::Oldest), first(Sort::Newest));
    Ok(oldest
        .zip(newest)
        .map(|(oldest, newest)| TimeRange::of(oldest, newest, Timestamp::from_millis(now()))))
}

/// Imports the dashboards, and tells what became of them; whether all is well.
fn install_dashboards(
    args: &ToKibana,
    cluster: &Cluster,
    range: Option<TimeRange>,
    dry_run: bool,
    out: &mut impl Write,
) -> anyhow::Result<bool> {
    let Some(url) = &args.kibana else { return Ok(true) };
    let kibana = Kibana::new(url, args.space.as_deref(), cluster)?;
    let objects = objects(range.as_ref())?;
    let runtime = runtime().context("cannot start threads")?;
    let version = runtime.block_on(kibana.wait(args.kibana_wait))?;
    let version = version.map_or(String::new(), |version| format!(" {version}"));
    let written = "cannot write to stdout";
    writeln!(out, "Kibana{version} at {}", kibana.url()).context(written)?;
    let mut done = Imported::default();
    if dry_run {
        for object in &objects {
            writeln!(out, "would import {} `{}`: {}", object.kind(), object.id(), object.title())
                .context(written)?;
        }
        let what = if args.overwrite { "replaced" } else { "left as they are" };
        writeln!(out, "those that are there already would be {what}").context(written)?;
    } else {
        done = runtime.block_on(kibana.import(&objects, args.overwrite))?;
        writeln!(out, "imported {} saved objects", done.n_imported).context(written)?;
        if done.n_kept > 0 {
            writeln!(
                out,
                "{} were there already and were left as they are: --overwrite replaces them",
                done.n_kept
            )
            .context(written)?;
        }
        for failed in &done.failed {
            tracing::error!("Kibana did not import {failed}");
        }
    }
    if let Some(TimeRange { from, to }) = range {
        writeln!(out, "dashboards open on the time of the tweets that are there: {from} to {to}")
            .context(written)?;
    }
    list_dashboards(&objects, &done.other_ids, args, kibana.url(), out).context(written)?;
    Ok(done.failed.is_empty())
}

/// Where they are found, as whoever looks at them reaches Kibana.
fn list_dashboards(
    objects: &[Object],
    other_ids: &HashMap<String, String>,
    args: &ToKibana,
    url: &str,
    out: &mut impl Write,
) -> io::Result<()> {
    let space = args.space.as_ref().map_or(String::new(), |space| format!("/s/{space}"));
    let public = args.kibana_public_url.as_ref();
    let base = public.map(|public| format!("{}{space}", public.as_str().trim_end_matches('/')));
    let base = base.as_deref().unwrap_or(url);
    for object in objects.iter().filter(|object| object.kind() == "dashboard") {
        let id = other_ids.get(object.id()).map_or(object.id(), String::as_str);
        let link = format!("{base}/app/dashboards#/view/{id}");
        writeln!(out, "{:<34} {link}", object.title())?;
    }
    Ok(())
}

fn report(done: &SetUp, dry_run: bool, out: &mut impl Write) -> io::Result<()> {
    let SetUp { server, template: installed, index_by, indices } = done;
    writeln!(out, "{server}")?;
    let version = template(IndexBy::default())["version"].clone();
    let would = if dry_run { "would be " } else { "" };
    let what = match installed {
        Installed::Created => format!("{would}installed, version {version}"),
        Installed::Updated { from } => format!("{would}updated from version {from} to {version}"),
        Installed::Current => format!("is there already, version {version}"),
        Installed::Newer { version } => {
            format!("is of a later indexer (version {version}) and was left as it is")
        }
    };
    writeln!(
        out,
        "index template `{TEMPLATE_NAME}`: {what}; an index for each {}",
        index_by.as_str()
    )?;
    for Index { name, difference, has_alias, is_earlier, .. } in indices {
        match difference {
            Some(_) if dry_run && *is_earlier => {
                writeln!(out, "index `{name}`: would get the fields that it lacks")?;
            }
            Some(difference) => writeln!(out, "index `{name}`: has another mapping: {difference}")?,
            None if *has_alias => writeln!(out, "index `{name}`: fits")?,
            None if dry_run => {
                writeln!(out, "index `{name}`: fits, and would be put under the alias")?
            }
            None => writeln!(out, "index `{name}`: fits, and is found under the alias now")?,
        }
    }
    Ok(())
}
