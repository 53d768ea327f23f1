//! A parsed request to the API: which tweets it is about, and which endpoint is to answer it.

use super::endpoint::Endpoint;
use super::endpoints::Read;
use super::params::Params;
use super::problem::Problem;
use crate::store::Filter;

/// A request to the API, with all its parameters.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) filter: Filter,
    pub(super) endpoint: Box<dyn Endpoint>,
}

impl Call {
    /// Parses the query string of a request. `read` reads the parameters of its endpoint; `now` is the current time, in
    /// milliseconds since 1970.
    pub(super) fn parse(read: Read, query: &str, now: i64) -> Result<Call, Problem> {
        let mut params = Params::parse(query)?;
        let filter = params.filter(now)?;
        let endpoint = read(&mut params)?;
        params.finish()?;
        Ok(Call { filter, endpoint })
    }

    /// The key of its answer in the cache: calls with the same key have the same answer.
    pub(super) fn key(&self) -> String {
        format!("{self:?}")
    }
}
