#![allow(missing_docs)]
//! x
