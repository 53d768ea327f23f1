//! The only crate that does I/O: sources in, stores out, and the command line over both.
//!
//! Start reading at [`cli`], which is a table of contents, then at [`pipeline`], through which every
//! record flows.

// In reading order.
pub mod cli;
mod backfill;
mod lambda;
mod source;
mod aws;
pub mod pipeline;
mod rejects;
mod journal;
pub mod report;
pub mod store;
mod score;
mod search;
mod serve;
mod setup;
pub mod sample;
mod progress;
mod logging;
pub mod stop;
mod runtime;
mod clock;
mod failure;
