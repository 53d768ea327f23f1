//! The events that have come lately, so that those that come again after a reconnection are left out.

use std::collections::{HashSet, VecDeque};

/// How many events are remembered: a minute of a busy network.
const REMEMBERED: usize = 200_000;

/// The keys of the last events.
#[derive(Default)]
pub(super) struct Recent {
    order: VecDeque<u64>,
    known: HashSet<u64>,
}

impl Recent {
    /// Remembers a key. Returns whether it is new.
    pub(super) fn is_new(&mut self, key: u64) -> bool {
        if !self.known.insert(key) {
            return false;
        }
        self.order.push_back(key);
        if self.order.len() > REMEMBERED
            && let Some(oldest) = self.order.pop_front()
        {
            self.known.remove(&oldest);
        }
        true
    }
}
