//! The endpoints below `/api`, one file each: which parameters it takes, what it asks the store, and what it answers.
//!
//! To add one, add its file, an entry in [`ENDPOINTS`], and its description in `openapi.json`.

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

/// The endpoints by their names in the path, each with the function that reads its parameters.
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
