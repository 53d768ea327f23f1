//! Log lines on standard error: `error: …` and `hint: …` for people, JSON for machines.

use std::fmt::{self, Write as _};
use std::io;

use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

use crate::progress;

/// How log lines are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// Lines such as `error: …` and `hint: …`, for people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// What is logged, and how.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Logging {
    /// The least important level that is logged.
    pub(crate) level: Level,
    /// How lines are written.
    pub(crate) format: LogFormat,
}

/// Sends log lines to standard error from now on, panics among them.
pub(crate) fn start(logging: Logging) {
    // If a line cannot be written, an error message about that could not be written either, and trying it would
    // panic.
    let layer = tracing_subscriber::fmt::layer().with_writer(Stderr).log_internal_errors(false);
    // Log only what this program says: libraries log whole requests, including the secrets in them.
    let ours = Targets::new().with_target("indexer", logging.level);
    let registry = tracing_subscriber::registry().with(ours);
    // A second start, as in a test of several commands, changes nothing.
    let _ = match logging.format {
        LogFormat::Text => registry.with(layer.event_format(ForPeople)).try_init(),
        LogFormat::Json => {
            registry.with(layer.json().flatten_event(true).with_target(false)).try_init()
        }
    };
    std::panic::set_hook(Box::new(|panic| {
        let location = panic.location().map(ToString::to_string).unwrap_or_default();
        let message = panic.payload_as_str().unwrap_or("no message");
        let hint =
            "this is a bug in indexer: please report it with this line and what was being read";
        tracing::error!(hint, "internal error at {location}: {message}");
    }));
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
            Level::ERROR => writeln!(writer, "error: {}", line.message)?,
            Level::WARN => writeln!(writer, "warning: {}", line.message)?,
            _ => writeln!(writer, "{}", line.message)?,
        }
        match line.hint.is_empty() {
            true => Ok(()),
            false => writeln!(writer, "hint: {}", line.hint),
        }
    }
}

/// What people see of an event. Its message can be read alone, so of the other fields only the hint is shown.
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
