//! A request to the API, understood: which tweets it is about, and which endpoint is to answer.

use super::endpoint::Endpoint;
use super::endpoints::Read;
use super::params::Params;
use super::problem::Problem;
use crate::store::Filter;

/// A request to the API.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) filter: Filter,
    pub(super) endpoint: Box<dyn Endpoint>,
}

impl Call {
    /// Understands the query string of a request to the endpoint that `read` is of; `now` is the time, in milliseconds
    /// since 1970.
    pub(super) fn parse(read: Read, query: &str, now: i64) -> Result<Call, Problem> {
        let mut params = Params::parse(query)?;
        let filter = params.filter(now)?;
        let endpoint = read(&mut params)?;
        params.finish()?;
        Ok(Call { filter, endpoint })
    }

    /// Text that two calls share if they have the same answer.
    pub(super) fn key(&self) -> String {
        format!("{self:?}")
    }
}
