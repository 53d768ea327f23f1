//! What X's posts cost, and how many may be read.

use crate::config::{Limits, Prices};

use super::super::meter::Meter;

/// What may still be read.
pub(in super::super) struct Budget {
    limits: Limits,
    prices: Prices,
    has_authors: bool,
    posts: u64,
    users: u64,
    other_cost: f64,
}

impl Budget {
    pub(in super::super) fn new(limits: Limits, prices: Prices, has_authors: bool) -> Budget {
        Budget { limits, prices, has_authors, posts: 0, users: 0, other_cost: 0.0 }
    }

    /// What was spent, in dollars.
    pub(in super::super) fn cost(&self) -> f64 {
        self.posts as f64 * self.prices.post
            + self.users as f64 * self.prices.user
            + self.other_cost
    }

    /// Counts what an answer held.
    pub(in super::super) fn spend(&mut self, posts: u64, users: u64, meter: &Meter) {
        self.posts += posts;
        self.users += users;
        meter.posts.inc_by(posts);
        meter.users.inc_by(users);
        meter.cost.set(self.cost());
    }

    /// How many posts the next answer may hold, at most `most`. 0 if the budget is spent.
    pub(in super::super) fn allowance(&self, most: u64) -> u64 {
        let by_number =
            self.limits.max_posts.map_or(u64::MAX, |max| max.saturating_sub(self.posts));
        let each = self.prices.post + if self.has_authors { self.prices.user } else { 0.0 };
        let by_cost = self.limits.max_cost.map_or(u64::MAX, |max| {
            // A tiny amount more, since sums of cents are not exact.
            let left = max - self.cost() + 1e-9;
            if left <= 0.0 { 0 } else { (left / each) as u64 }
        });
        most.min(by_number).min(by_cost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_budget_ends_at_the_number_or_the_cost_that_was_set() {
        let (meter, prices) = (Meter::new(), Prices::default());
        let of = |max_posts, max_cost, has_authors| {
            Budget::new(Limits { max_posts, max_cost }, prices, has_authors)
        };
        let mut budget = of(Some(150), None, false);
        assert_eq!(budget.allowance(100), 100);
        budget.spend(100, 0, &meter);
        assert_eq!((budget.allowance(100), budget.cost()), (50, 0.5));
        budget.spend(50, 0, &meter);
        assert_eq!(budget.allowance(100), 0);
        let mut budget = of(None, Some(1.0), false);
        budget.spend(100, 0, &meter);
        assert_eq!(budget.allowance(1000), 100);
        assert_eq!(of(None, Some(1.5), true).allowance(1000), 100);
        assert_eq!(of(None, Some(0.004), false).allowance(1000), 0);
    }
}
