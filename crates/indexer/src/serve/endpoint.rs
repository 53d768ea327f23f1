//! The trait of the API's endpoints: what each asks the store, and what it makes of the answers.

use std::fmt;

use serde_json::Value as Json;

use super::questions::{Answers, Questions};
use super::range::Range;

/// A request to one endpoint, with its parameters. Requests with the same `Debug` output must have the same answer,
/// since the cache tells them apart by it.
pub(super) trait Endpoint: fmt::Debug + Send + Sync {
    /// Whether its questions depend on when the first and the last tweet of the store were written
    /// ([`Range::bounds`]).
    fn needs_bounds(&self) -> bool {
        false
    }

    /// Adds its questions about the tweets of a range to `questions`. The store answers all of them in one round trip;
    /// then the returned function makes the reply.
    fn ask(&self, range: &Range, questions: &mut Questions) -> Reply;
}

/// Makes the JSON of an endpoint out of the answers to its questions.
pub(super) type Reply = Box<dyn FnOnce(&mut Answers) -> Json>;
