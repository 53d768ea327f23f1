//! `indexer setup`: installs what a cluster needs before tweets are written to it, and what Kibana needs to show them.

use std::collections::HashMap;
use std::io::{self, Write};
use std::process::ExitCode;

use ingest::Timestamp;
use url::Url;

use crate::clock::now;
use crate::config::{KibanaConfig, Print, SetupConfig};
use crate::failure::{Context, Failure, Result};
use crate::runtime::runtime;
use crate::store::{
    Address, Cluster, Filter, Index, IndexBy, Installed, SetUp, Sort, Store, StoreError,
    TEMPLATE_NAME, set_up, template,
};

mod kibana;
mod objects;

use kibana::{Imported, Kibana};
use objects::{IMPORT_FILE, SavedObject, TimeRange, saved_objects};

/// Installs the index template and the dashboards, or shows them.
pub(crate) fn run(config: &SetupConfig) -> Result<ExitCode> {
    let mut out = io::stdout().lock();
    match config.print {
        Some(Print::Template) => {
            let template = template(config.index_by.unwrap_or_default());
            writeln!(out, "{}", serde_json::to_string_pretty(&template)?).context(CANNOT_WRITE)?;
            return Ok(ExitCode::SUCCESS);
        }
        Some(Print::Dashboards) => {
            out.write_all(IMPORT_FILE.as_bytes()).context(CANNOT_WRITE)?;
            return Ok(ExitCode::SUCCESS);
        }
        None => {}
    }
    let address = config.store.address()?;
    let Address::Cluster(cluster) = &address else {
        return Err(Failure::new(format!("{address} needs no setup"))
            .with_hint("name a cluster: --store http://localhost:9200"));
    };
    let target = config.kibana.as_ref().map(|kibana| Target::new(kibana, cluster)).transpose()?;
    let done = set_up(cluster, config.dry_run)?;
    report(&done, config.dry_run, &mut out).context(CANNOT_WRITE)?;
    // An index that only lacks new fields gets them here; any other difference means that its tweets have to be indexed
    // again.
    let fits = |index: &Index| index.difference.is_none() || index.lacks().is_some();
    let mut is_all_well = done.indices.iter().all(fits);
    if let Some(target) = target {
        let range = time_range(&address);
        is_all_well &= target.install(range.as_ref(), config.dry_run, &mut out)?;
    }
    Ok(ExitCode::from(u8::from(!is_all_well)))
}

const CANNOT_WRITE: &str = "cannot write to stdout";

/// The time range of the tweets in the store, except for those that are dated in the future. `None` if there are no
/// tweets, or if the store cannot be asked.
fn time_range(address: &Address) -> Option<TimeRange> {
    let now = Timestamp::from_millis(now());
    let filter = Filter { to: Some(now), ..Filter::default() };
    let first = |store: &Store, sort| -> Result<Option<Timestamp>, StoreError> {
        let hits = store.search(&filter, sort, 0, 1)?;
        Ok(hits.documents.first().map(|document| document.timestamp))
    };
    let span = || -> Result<_, StoreError> {
        let store = Store::open(address)?;
        Ok(first(&store, Sort::Oldest)?.zip(first(&store, Sort::Newest)?))
    };
    match span() {
        Ok(span) => span.map(|(oldest, newest)| TimeRange::of(oldest, newest, now)),
        Err(error) => {
            tracing::warn!(
                "cannot find out when the tweets were written, so dashboards open on the last five years: {error}"
            );
            None
        }
    }
}

/// The Kibana that the dashboards go to.
struct Target<'a> {
    kibana: Kibana,
    config: &'a KibanaConfig,
    /// What links to the dashboards begin with, if people reach Kibana at another address than this program does.
    public_url: Option<String>,
}

impl Target<'_> {
    fn new<'a>(config: &'a KibanaConfig, cluster: &Cluster) -> Result<Target<'a>> {
        let space = config.space.as_deref();
        let is_allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_".contains(&b);
        if let Some(space) = space.filter(|space| !space.bytes().all(is_allowed)) {
            return Err(Failure::new(format!("`{space}` is not the identifier of a space"))
                .with_hint("use the part of the space's URL after /s/, in lower case"));
        }
        let kibana = Kibana::new(&kibana_url("--kibana", &config.url)?, space, cluster)?;
        let public = config.public_url.as_deref();
        let public = public.map(|url| kibana_url("--kibana-public-url", url)).transpose()?;
        let path = space.map_or(String::new(), |space| format!("/s/{space}"));
        let public_url = public.map(|url| format!("{}{path}", url.as_str().trim_end_matches('/')));
        Ok(Target { kibana, config, public_url })
    }

    /// Imports the dashboards and reports the result. Returns whether all of them are in Kibana now, or would be.
    fn install(
        &self,
        range: Option<&TimeRange>,
        dry_run: bool,
        out: &mut impl Write,
    ) -> Result<bool> {
        let objects = saved_objects(range)?;
        let runtime = runtime().context("cannot start threads")?;
        let version = runtime.block_on(self.kibana.wait(self.config.wait))?;
        let version = version.map_or(String::new(), |version| format!(" {version}"));
        writeln!(out, "Kibana{version} at {}", self.kibana.url()).context(CANNOT_WRITE)?;
        if dry_run {
            self.tell(&objects, range, out).context(CANNOT_WRITE)?;
            return Ok(true);
        }
        let done = runtime.block_on(self.kibana.import(&objects, self.config.overwrite))?;
        self.report(&done, range, out).context(CANNOT_WRITE)?;
        for failed in &done.failed {
            tracing::error!("Kibana did not import {failed}");
        }
        self.list_dashboards(&objects, &done.other_ids, out).context(CANNOT_WRITE)?;
        Ok(done.failed.is_empty())
    }

    /// Reports what would be done.
    fn tell(
        &self,
        objects: &[SavedObject],
        range: Option<&TimeRange>,
        out: &mut impl Write,
    ) -> io::Result<()> {
        for object in objects {
            let (kind, id) = (object.kind(), object.id());
            writeln!(out, "would import {kind} `{id}`: {}", object.title())?;
        }
        let what = if self.config.overwrite { "replaced" } else { "left as it is" };
        writeln!(out, "those of them that are there already would be {what}")?;
        if let Some(TimeRange { from, to }) = range {
            writeln!(out, "dashboards would open on the time of the tweets: {from} to {to}")?;
        }
        self.list_dashboards(objects, &HashMap::new(), out)
    }

    /// Reports what was done.
    fn report(
        &self,
        done: &Imported,
        range: Option<&TimeRange>,
        out: &mut impl Write,
    ) -> io::Result<()> {
        writeln!(out, "imported {} saved objects", done.n_imported)?;
        if done.n_kept > 0 {
            let n_kept = done.n_kept;
            writeln!(
                out,
                "{n_kept} were there already and were left as they are: --overwrite replaces them"
            )?;
        } else if let Some(TimeRange { from, to }) = range {
            writeln!(out, "dashboards open on the time of the tweets: {from} to {to}")?;
        }
        Ok(())
    }

    /// Lists the dashboards with links, at the address at which people reach Kibana.
    fn list_dashboards(
        &self,
        objects: &[SavedObject],
        other_ids: &HashMap<String, String>,
        out: &mut impl Write,
    ) -> io::Result<()> {
        let url = self.public_url.as_deref().unwrap_or(self.kibana.url());
        for object in objects.iter().filter(|object| object.kind() == "dashboard") {
            let id = other_ids.get(object.id()).map_or(object.id(), String::as_str);
            writeln!(out, "{:<34} {url}/app/dashboards#/view/{id}", object.title())?;
        }
        Ok(())
    }
}

/// Reads an address of Kibana.
fn kibana_url(option: &str, text: &str) -> Result<Url> {
    if text.contains('@') {
        // The message must not repeat the address.
        return Err(Failure::new(format!("the address of {option} has a user or a password in it")).with_hint(
            "leave it out: set ELASTICSEARCH_USERNAME and ELASTICSEARCH_PASSWORD, or ELASTICSEARCH_API_KEY",
        ));
    }
    let is_plain = |url: &Url| {
        matches!(url.scheme(), "http" | "https")
            && url.has_host()
            && url.query().is_none()
            && url.fragment().is_none()
    };
    Url::parse(text).ok().filter(is_plain).ok_or_else(|| {
        Failure::new(format!("cannot use the address `{text}` of {option}"))
            .with_hint("write it as http://localhost:5601")
    })
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
            format!("was installed by a later indexer (version {version}) and was left as it is")
        }
    };
    writeln!(
        out,
        "index template `{TEMPLATE_NAME}`: {what}; an index for each {}",
        index_by.as_str()
    )?;
    for index in indices {
        let Index { name, difference, has_alias, .. } = index;
        if let Some(fields) = index.lacks() {
            let (fields, what) = (fields.join("`, `"), if dry_run { "would get" } else { "got" });
            writeln!(
                out,
                "index `{name}`: {what} the new fields `{fields}`, for tweets from now on; to fill them for older tweets, index these again"
            )?;
            continue;
        }
        match difference {
            Some(difference) => writeln!(out, "index `{name}`: has another mapping: {difference}")?,
            None if *has_alias => writeln!(out, "index `{name}`: fits")?,
            None if dry_run => {
                writeln!(out, "index `{name}`: fits, and would be added to the alias")?
            }
            None => writeln!(out, "index `{name}`: fits, and was added to the alias")?,
        }
    }
    Ok(())
}
