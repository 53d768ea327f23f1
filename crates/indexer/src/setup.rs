//! `indexer setup`: what a cluster needs before tweets are written to it.

use std::io::{self, Write};
use std::process::ExitCode;

use anyhow::Context;

use crate::cli::Setup;
use crate::failure::with_hint;
use crate::store::{
    Address, Index, IndexBy, Installed, Load, SetUp, TEMPLATE_NAME, set_up, template,
};

/// Installs the index template, or shows it.
pub(crate) fn run(args: &Setup) -> anyhow::Result<ExitCode> {
    let mut out = io::stdout().lock();
    if args.print {
        let template = template(args.index_by.index_by.unwrap_or_default());
        serde_json::to_writer_pretty(&mut out, &template)?;
        writeln!(out).context("cannot write to stdout")?;
        return Ok(ExitCode::SUCCESS);
    }
    let load = Load { index_by: args.index_by.index_by, ..Load::default() };
    let Address::Cluster(cluster) = args.store.address(load)? else {
        let error = anyhow::anyhow!("the folder `{}` needs no setup", args.store.store);
        return Err(with_hint(error, "name a cluster: --store http://localhost:9200"));
    };
    let done = set_up(&cluster)?;
    report(&done, &mut out).context("cannot write to stdout")?;
    Ok(ExitCode::from(u8::from(done.indices.iter().any(|index| index.difference.is_some()))))
}

fn report(done: &SetUp, out: &mut impl Write) -> io::Result<()> {
    let SetUp { server, template: installed, index_by, indices } = done;
    writeln!(out, "{server}")?;
    let version = template(IndexBy::default())["version"].clone();
    let what = match installed {
        Installed::Created => format!("installed, version {version}"),
        Installed::Updated { from } => format!("updated from version {from} to {version}"),
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
    for Index { name, difference, has_alias, .. } in indices {
        match difference {
            Some(difference) => writeln!(out, "index `{name}`: has another mapping: {difference}")?,
            None if *has_alias => writeln!(out, "index `{name}`: fits")?,
            None => writeln!(out, "index `{name}`: fits, and is found under the alias now")?,
        }
    }
    Ok(())
}
