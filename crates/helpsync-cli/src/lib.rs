//! The commands of `helpsync`, and the start of its one-role binaries.
//!
//! Commands either run roles (`up`, `demo`) or are clients of a running Helpsync: they speak its HTTP API (and
//! `enqueue` its broker), so they work the same against a laptop and a cluster.

// Printing macros panic when nobody reads: everything is said by `output`.
#![deny(clippy::print_stdout, clippy::print_stderr)]

mod args;
mod client;
mod commands;
mod exit;
mod output;
mod role;
mod unknown;

pub use commands::main;
pub use exit::Exit;
pub use role::role_main;
