//! The commands of `helpsync`, and the start of its one-role binaries.
//!
//! Commands either run roles (`up`, `demo`) or are clients of a running Helpsync: they speak its HTTP API (and
//! `enqueue` its broker), so they work the same against a laptop and a cluster.

mod args;
mod client;
mod commands;
mod output;
mod role;

pub use args::{Cli, Command};
pub use commands::run;
pub use role::run_role;
