//! `indexer search`: a look into the store.

use std::io::{self, BufWriter, IsTerminal, Write};
use std::process::ExitCode;

use anyhow::Context;
use enrich::{Document, Label, canonical_marketplace};

use crate::cli::Search;
use crate::store::{Filter, Hits, Keyword, Load, Store, TextQuery};

/// Asks the store and writes what it answers.
pub(crate) fn run(args: &Search) -> anyhow::Result<ExitCode> {
    let store = Store::open(&args.store.address(Load::default())?)?;
    let mut terms = Vec::new();
    if let Some(marketplace) = &args.marketplace {
        let name = canonical_marketplace(marketplace).unwrap_or(marketplace);
        terms.push((Keyword::Marketplace, vec![name.to_owned()]));
    }
    if let Some(label) = args.sentiment {
        terms.push((Keyword::Label, vec![Label::from(label).as_str().to_owned()]));
    }
    let filter = Filter {
        text: TextQuery::parse(&args.query),
        from: args.from,
        to: args.to,
        terms,
        bounding_box: args.bbox,
        ..Filter::default()
    };
    let hits = store.search(&filter, args.sort.into(), 0, args.limit)?;
    let mut out = BufWriter::new(io::stdout().lock());
    let written = if args.json { lines(&hits, &mut out) } else { table(&hits, &mut out) };
    written.and_then(|()| out.flush()).context("cannot write to stdout")?;
    Ok(ExitCode::SUCCESS)
}

fn lines(hits: &Hits, out: &mut impl Write) -> io::Result<()> {
    for document in &hits.documents {
        serde_json::to_writer(&mut *out, document)?;
        out.write_all(b"\n")?;
    }
    Ok(())
}

fn table(hits: &Hits, out: &mut impl Write) -> io::Result<()> {
    let tweets = if hits.total == 1 { "tweet" } else { "tweets" };
    match hits.documents.len() as u64 {
        shown if 0 < shown && shown < hits.total => {
            writeln!(out, "{} {tweets}, the first {shown}:", hits.total)?
        }
        _ => writeln!(out, "{} {tweets}", hits.total)?,
    }
    let width = if io::stdout().is_terminal() { 72 } else { usize::MAX };
    for document in &hits.documents {
        let Document { timestamp, id, sentiment, marketplace, .. } = document;
        let time = timestamp.to_string();
        let text = one_line(&document.text, width);
        let (label, compound) = (sentiment.label.as_str(), sentiment.compound);
        let (id, marketplace) = (printable(id), printable(&marketplace.join(",")));
        writeln!(
            out,
            "{}  {id:<19}  {label:<8} {compound:>7.4}  {marketplace:<9}  {text}",
            &time[..16]
        )?;
    }
    Ok(())
}

/// Without what would make a terminal do things: control characters and marks that turn text around.
fn printable(text: &str) -> String {
    let is_mark =
        |c: char| c.is_control() || matches!(c, '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    text.replace(is_mark, "\u{FFFD}")
}

fn one_line(text: &str, width: usize) -> String {
    let line = printable(&text.split_whitespace().collect::<Vec<_>>().join(" "));
    match line.char_indices().nth(width) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tweet_cannot_drive_the_terminal() {
        assert_eq!(
            one_line("a\u{1b}[31m\nb \u{202E}c\u{7}", 72),
            "a\u{FFFD}[31m b \u{FFFD}c\u{FFFD}"
        );
        assert_eq!(one_line("日本語 🚀 long", 5), "日本語 🚀…");
    }
}
