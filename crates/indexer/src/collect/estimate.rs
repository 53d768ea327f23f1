//! `collect search --estimate`: what a search would cost.

use std::io::{self, Write};

use serde_json::Value;

use super::meter::dollars;
use super::x::{Api, search};
use crate::config::{Prices, XSearchConfig};
use crate::failure::{Context, Result};
use crate::stop::Stop;

/// Prints how many posts each query would find, and what they would cost.
pub(super) fn print(config: &XSearchConfig, mark: Value, api: &Api, stop: &Stop) -> Result<()> {
    let counts = search::estimate(config, mark, api, stop)?;
    let Prices { post, user, count } = config.x.prices;
    let each = post + if config.x.has_authors { user } else { 0.0 };
    let mut out = io::stdout().lock();
    let mut total = 0;
    let mut write = || -> io::Result<()> {
        writeln!(out, "{:>10}  {:>10}  query", "posts", "cost")?;
        for (query, posts) in &counts {
            let posts = config.limit.map_or(*posts, |limit| search::read_for(limit).min(*posts));
            total += posts;
            writeln!(out, "{posts:>10}  {:>10}  {}", dollars(posts as f64 * each), query.name)?;
        }
        writeln!(out, "{total:>10}  {:>10}  total", dollars(total as f64 * each))?;
        writeln!(
            out,
            "Upper bound at the prices of {}: {} per post{}. This estimate cost {}.",
            Prices::AS_OF,
            dollars(post),
            match config.x.has_authors {
                true => format!(" and {} per author", dollars(user)),
                false => String::new(),
            },
            dollars(counts.len() as f64 * count),
        )
    };
    write().context("cannot write to stdout")
}
