//! What an endpoint of the API is: the questions that it has, and what it makes of their answers.

use std::fmt;

use serde_json::Value as Json;

use super::questions::{Answers, Questions};
use super::range::Range;

/// A request to one endpoint, with its parameters. Two requests that print the same have the same answer.
pub(super) trait Endpoint: fmt::Debug + Send + Sync {
    /// Whether its questions depend on when the tweets of the store were written.
    fn needs_bounds(&self) -> bool {
        false
    }

    /// Puts its questions about the tweets of a range. All of them are answered at once, and then the reply is made.
    fn ask(&self, range: &Range, questions: &mut Questions) -> Reply;
}

/// Makes the JSON of an endpoint out of the answers to its questions.
pub(super) type Reply = Box<dyn FnOnce(&mut Answers) -> Json>;
