//! How long to wait before the next connection, and the clock that these waits go by.

use std::time::{Duration, Instant};

use crate::clock;
use crate::stop::Stop;

/// Why a connection ended, or was not made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Trouble {
    /// It was closed after it had delivered something.
    Closed,
    /// No connection, or one that broke.
    Network,
    /// An error of the server.
    Http,
    /// Too many requests (429). With the time at which they are allowed again, in milliseconds since 1970, if the server
    /// says so.
    RateLimit(Option<i64>),
}

/// The waits that X asks for
/// (<https://docs.x.com/x-api/fundamentals/handling-disconnections>): reconnect at once after a connection that worked; 250
/// ms more for each network error, up to 16 s; for errors of the server from 5 s on, doubled up to 320 s; for 429, from a
/// minute on, doubled, and at least until the limit is lifted.
#[derive(Debug, Default)]
pub(super) struct Ladder {
    network: u32,
    http: u32,
    rate_limit: u32,
}

impl Ladder {
    /// The wait before the next attempt. `now` is in milliseconds since 1970.
    pub(super) fn wait(&mut self, trouble: Trouble, now: i64) -> Duration {
        let doubled = |first: u64, times: u32, most: u64| {
            Duration::from_secs(first.saturating_mul(1 << times.min(16)).min(most))
        };
        match trouble {
            Trouble::Closed => Duration::ZERO,
            Trouble::Network => {
                self.network += 1;
                (Duration::from_millis(250) * self.network).min(Duration::from_secs(16))
            }
            Trouble::Http => {
                self.http += 1;
                doubled(5, self.http - 1, 320)
            }
            Trouble::RateLimit(reset) => {
                let Some(reset) = reset else {
                    self.rate_limit += 1;
                    return doubled(60, self.rate_limit - 1, 16 * 60);
                };
                // A time that is past already tells nothing: the clocks differ, or it is another limit.
                let left = reset.saturating_sub(now);
                if left <= 0 {
                    self.rate_limit += 1;
                    return doubled(60, self.rate_limit - 1, 16 * 60);
                }
                // The limit is for fifteen minutes.
                Duration::from_millis(left as u64).min(Duration::from_secs(16 * 60))
            }
        }
    }

    /// Begins anew: a connection works again.
    pub(super) fn works(&mut self) {
        *self = Ladder::default();
    }

    /// The server has accepted a connection, though that did not last.
    pub(super) fn is_answered(&mut self) {
        (self.http, self.rate_limit) = (0, 0);
    }

    /// How many attempts have failed in a row, apart from those that were refused because of the limit.
    pub(super) fn failures(&self) -> u32 {
        self.network + self.http
    }
}

/// The time, which a test can let run faster.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    started: Instant,
    started_at: i64,
    rate: f64,
}

impl Clock {
    /// A clock that runs `rate` times as fast as the real one.
    pub(super) fn new(rate: f64) -> Clock {
        Clock { started: Instant::now(), started_at: clock::now(), rate }
    }

    /// Milliseconds since 1970.
    pub(super) fn now(&self) -> i64 {
        self.started_at + (self.started.elapsed().as_secs_f64() * self.rate * 1000.0) as i64
    }

    /// How long something takes by the real clock.
    pub(super) fn real(&self, time: Duration) -> Duration {
        time.div_f64(self.rate)
    }

    /// Waits for a time by this clock.
    pub(super) async fn sleep(&self, time: Duration) {
        tokio::time::sleep(self.real(time)).await;
    }
}

/// A wait in words.
pub(super) fn seconds(wait: Duration) -> String {
    match wait.as_millis() {
        0 => "0 s".to_owned(),
        millis @ 1..10_000 if millis % 1000 != 0 => format!("{:.2} s", wait.as_secs_f64()),
        _ => format!("{:.0} s", wait.as_secs_f64()),
    }
}

/// Waits for something until the run is stopped; `None` if it was.
pub(super) async fn until_stopped<T>(work: impl Future<Output = T>, stop: &Stop) -> Option<T> {
    until(work, || stop.is_set()).await
}

/// Waits for something until the run is cut off, some time after it was stopped; `None` if it was.
pub(super) async fn until_cut_off<T>(work: impl Future<Output = T>, stop: &Stop) -> Option<T> {
    until(work, || stop.is_set() && stop.is_cut_off()).await
}

async fn until<T>(work: impl Future<Output = T>, is_over: impl Fn() -> bool) -> Option<T> {
    let over = async {
        while !is_over() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::select! {
        done = work => Some(done),
        () = over => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_of_trouble_has_a_ladder_of_its_own() {
        let mut ladder = Ladder::default();
        let mut waits = |trouble, n| -> Vec<u64> {
            (0..n).map(|_| ladder.wait(trouble, 1_000).as_millis() as u64).collect()
        };
        assert_eq!(waits(Trouble::Closed, 2), [0, 0]);
        assert_eq!(waits(Trouble::Network, 4), [250, 500, 750, 1000]);
        assert_eq!(
            waits(Trouble::Http, 8),
            [5, 10, 20, 40, 80, 160, 320, 320].map(|seconds| seconds * 1000)
        );
        assert_eq!(waits(Trouble::Network, 70).last(), Some(&16_000));
        assert_eq!(waits(Trouble::RateLimit(None), 3), [60_000, 120_000, 240_000]);
        assert_eq!(waits(Trouble::RateLimit(Some(4_250)), 1), [3_250]);
        assert_eq!(waits(Trouble::RateLimit(Some(0)), 1), [480_000]);
        ladder.works();
        assert_eq!(ladder.wait(Trouble::Http, 0), Duration::from_secs(5));
    }
}
