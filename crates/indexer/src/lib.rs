//! The only crate that does I/O: reads sources, writes stores, and is the command line over both.
//!
//! Start reading at [`run`], which shows what the program can do, then at `pipeline`, through which every record flows.
//! The modules are layers: each may use those below it, and ARCHITECTURE.md has them in order.

// In the order of the layers, from top to bottom.
pub mod run;
mod cli;
mod backfill;
mod collect;
mod inspect;
mod lambda;
mod serve;
mod setup;
mod search;
mod score;
pub mod sample;
pub mod config;
mod pipeline;
mod journal;
mod rejects;
pub mod report;
mod source;
pub mod store;
mod aws;
mod logging;
mod progress;
mod stdout;
mod runtime;
mod clock;
mod stop;
mod foreign;
pub mod failure;
