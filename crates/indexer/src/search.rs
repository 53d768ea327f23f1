//! `indexer search`: finds tweets in the store and prints them.

use std::io::{self, BufWriter, IsTerminal, Write};
use std::process::ExitCode;

use enrich::Document;

use crate::config::SearchConfig;
use crate::failure::Result;
use crate::stdout::shown;
use crate::store::{Hits, Store};

/// Asks the store, and writes the tweets that it finds to standard output.
pub(crate) fn run(config: &SearchConfig) -> Result<ExitCode> {
    let store = Store::open(&config.store.address()?)?;
    let hits = store.search(&config.filter, config.sort, 0, config.limit)?;
    let mut out = BufWriter::new(io::stdout().lock());
    let written = if config.json { lines(&hits, &mut out) } else { table(&hits, &mut out) };
    shown(written.and_then(|()| out.flush()))?;
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

/// Replaces what could control the terminal: control characters, and marks that change the direction of text.
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
