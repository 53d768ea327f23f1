//! Shows how far a run has come: with a progress bar on a terminal, else with a log line every few seconds.

use std::io::{self, IsTerminal};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};

static BAR: OnceLock<ProgressBar> = OnceLock::new();

/// How often a line is logged where there is no terminal.
const LOG_EVERY: Duration = Duration::from_secs(10);

/// Shows how far a run has come.
pub(crate) struct Progress {
    bar: Option<ProgressBar>,
    started: Instant,
    logged: Instant,
}

impl Progress {
    /// Starts to show progress. `total` is the number of bytes that will be read, if it is known.
    pub(crate) fn start(total: Option<u64>) -> Progress {
        let now = Instant::now();
        let is_shown = io::stderr().is_terminal() && tracing::enabled!(tracing::Level::INFO);
        let bar = is_shown.then(|| {
            let template = match total {
                Some(_) => "{bar:30} {percent:>3} %  {msg}  {bytes_per_sec}  {eta} left",
                None => "{spinner} {bytes}  {msg}  {bytes_per_sec}",
            };
            let style = ProgressStyle::with_template(template)
                .unwrap_or_else(|_| ProgressStyle::default_bar());
            let bar = match total {
                Some(total) => ProgressBar::new(total),
                None => ProgressBar::new_spinner(),
            };
            bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(5));
            bar.set_style(style);
            BAR.get_or_init(|| bar).clone()
        });
        Progress { bar, started: now, logged: now }
    }

    /// Starts to show the progress of something that has no end.
    pub(crate) fn start_counting() -> Progress {
        let now = Instant::now();
        let is_shown = io::stderr().is_terminal() && tracing::enabled!(tracing::Level::INFO);
        let bar = is_shown.then(|| {
            let style = ProgressStyle::with_template("{spinner} {msg}")
                .unwrap_or_else(|_| ProgressStyle::default_spinner());
            let bar = ProgressBar::new_spinner();
            bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(5));
            bar.set_style(style);
            BAR.get_or_init(|| bar).clone()
        });
        Progress { bar, started: now, logged: now }
    }

    /// Shows a line that says how far it has come.
    pub(crate) fn tell(&mut self, line: impl FnOnce() -> String) {
        if let Some(bar) = &self.bar {
            bar.set_message(line());
            bar.tick();
        } else if self.logged.elapsed() >= LOG_EVERY {
            self.logged = Instant::now();
            tracing::info!("{}", line());
        }
    }

    /// Shows how many bytes and records have been read so far.
    pub(crate) fn at(&mut self, bytes: u64, records: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(bytes);
            bar.set_message(format!("{} tweets", HumanCount(records)));
        } else if self.logged.elapsed() >= LOG_EVERY {
            self.logged = Instant::now();
            let per_second = records as f64 / self.started.elapsed().as_secs_f64();
            tracing::info!(bytes, records, "{records} tweets read, {per_second:.0} a second");
        }
    }

    /// Removes the bar from the terminal.
    pub(crate) fn finish(self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

/// Writes something to the terminal without damaging the bar.
pub(crate) fn aside<T>(write: impl FnOnce() -> T) -> T {
    match BAR.get() {
        Some(bar) => bar.suspend(write),
        None => write(),
    }
}
