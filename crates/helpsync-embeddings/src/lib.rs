//! What makes stored texts searchable: cutting them into chunks, and having those embedded.
//!
//! Both are work of their own, done after an article is stored and never in its way. What is still to be done stands in
//! the store; any number of processes take parts of it under leases, and a process that dies leaves its part to the next.
//! An unchanged chunk is neither stored nor embedded again. Without an endpoint chunks are cut and wait for one.

mod client;
mod cutter;
mod embedder;
mod processing;

#[cfg(test)]
mod tests;

pub use client::{Client, ClientError, ClientOptions, EmbedFailure};
pub use cutter::Chunker;
pub use embedder::{Embedder, EmbedderOptions};
pub use processing::Processing;
