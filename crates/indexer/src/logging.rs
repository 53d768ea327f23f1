//! Log lines on stderr: `error: …` and `hint: …` for people, JSON for machines.

use std::fmt::{self, Write as _};
use std::io;

use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

use crate::cli::LogFormat;
use crate::progress;

/// Sends log lines to stderr from now on.
pub(crate) fn start(format: LogFormat) {
    let layer = tracing_subscriber::fmt::layer().with_writer(Stderr);
    // What libraries say is about their requests, with all that is in them.
    let ours = Targets::new().with_target("indexer", tracing::Level::INFO);
    let registry = tracing_subscriber::registry().with(ours);
    // A second start, as in a test of several commands, changes nothing.
    let _ = match format {
        LogFormat::Text => registry.with(layer.event_format(ForPeople)).try_init(),
        LogFormat::Json => {
            registry.with(layer.json().flatten_event(true).with_target(false)).try_init()
        }
    };
}

struct Stderr;

impl<'w> MakeWriter<'w> for Stderr {
    type Writer = Stderr;

    fn make_writer(&'w self) -> Stderr {
        Stderr
    }
}

impl io::Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        progress::aside(|| io::stderr().write_all(bytes))?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

struct ForPeople;

impl<S, N> FormatEvent<S, N> for ForPeople
where
    S: Subscriber + for<'l> LookupSpan<'l>,
    N: for<'w> FormatFields<'w> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = Line::default();
        event.record(&mut line);
        match *event.metadata().level() {
            tracing::Level::ERROR => writeln!(writer, "error: {}", line.message)?,
            tracing::Level::WARN => writeln!(writer, "warning: {}", line.message)?,
            _ => writeln!(writer, "{}", line.message)?,
        }
        match line.hint.is_empty() {
            true => Ok(()),
            false => writeln!(writer, "hint: {}", line.hint),
        }
    }
}

/// The message reads alone, so of the other fields only the hint is shown.
#[derive(Default)]
struct Line {
    message: String,
    hint: String,
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "hint" {
            self.hint.push_str(value);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            let _ = write!(self.message, "{value:?}");
        }
    }
}
