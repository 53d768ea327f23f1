//! The endpoints below `/api`, a file each: what it takes, what it asks of the store, and what it answers.
//!
//! Whoever adds one adds its file, a line to [`ENDPOINTS`], and its description to `openapi.json`.

use super::endpoint::Endpoint;
use super::params::Params;
use super::problem::Problem;

mod dashboard;
mod hashtags;
mod locations;
mod map;
mod marketplaces;
mod mentions;
mod summary;
mod timeline;
mod top;
mod topics;
mod tweets;

/// Reads the parameters that an endpoint takes besides the filters.
pub(super) type Read = fn(&mut Params) -> Result<Box<dyn Endpoint>, Problem>;

/// Their names in the path, and how their parameters are read.
pub(super) const ENDPOINTS: [(&str, Read); 11] = [
    ("dashboard", DASHBOARD),
    ("summary", summary::read),
    ("hashtags", hashtags::read),
    ("mentions", mentions::read),
    ("locations", locations::read),
    ("map", map::read),
    ("timeline", timeline::read),
    ("marketplaces", marketplaces::read),
    ("topics", topics::read),
    ("tweets", tweets::read),
    ("top", top::read),
];

/// What every visitor of the dashboard asks for first.
pub(super) const DASHBOARD: Read = dashboard::read;
