//! `indexer score`: the sentiment of texts, one per line.

use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::process::ExitCode;

use enrich::{Label, Method, Sentiment, judge, vader};
use serde::Serialize;

use crate::config::ScoreConfig;
use crate::failure::{Context, Failure, Result};

#[derive(Serialize)]
struct Scored {
    label: Label,
    method: Method,
    pos: f64,
    neu: f64,
    neg: f64,
    compound: f64,
}

/// Scores each line of the file.
pub(crate) fn run(config: &ScoreConfig) -> Result<ExitCode> {
    let name = &config.file;
    let mut input: Box<dyn BufRead> = match name.as_str() {
        "-" => Box::new(io::stdin().lock()),
        path => {
            let file = File::open(path).with_context(|| format!("cannot read `{path}`"));
            Box::new(BufReader::new(
                file.map_err(|error: Failure| error.with_hint("check the name"))?,
            ))
        }
    };
    let mut out = BufWriter::new(io::stdout().lock());
    let mut line = Vec::new();
    loop {
        line.clear();
        if input.read_until(b'\n', &mut line).with_context(|| format!("cannot read `{name}`"))? == 0
        {
            break;
        }
        let text = String::from_utf8_lossy(line.strip_suffix(b"\n").unwrap_or(&line));
        let text = text.strip_suffix('\r').unwrap_or(&text);
        // A line may also be a JSON string, so that a text can have line breaks.
        let decoded =
            text.starts_with('"').then(|| serde_json::from_str::<String>(text).ok()).flatten();
        let text = decoded.as_deref().unwrap_or(text);
        let scored = if config.raw { raw(text) } else { as_read(text) };
        serde_json::to_writer(&mut out, &scored)
            .map_err(io::Error::from)
            .context("cannot write to stdout")?;
        out.write_all(b"\n").context("cannot write to stdout")?;
    }
    out.flush().context("cannot write to stdout")?;
    Ok(ExitCode::SUCCESS)
}

fn as_read(text: &str) -> Scored {
    let Sentiment { label, method, compound, positive, neutral, negative } = judge(text, |_| {});
    Scored { label, method, pos: positive, neu: neutral, neg: negative, compound }
}

fn raw(text: &str) -> Scored {
    let vader::Scores { pos, neu, neg, compound } = vader::score(text);
    Scored { label: enrich::label_of(compound), method: Method::Lexicon, pos, neu, neg, compound }
}
