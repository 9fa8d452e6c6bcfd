//! Servers of a test's own, to be killed, restarted and cut off: the machine's shared ones must not be.
//!
//! Everything lives in temporary folders and on free ports, and ends with its handle, also when the test fails.
#![expect(clippy::unwrap_used, reason = "a test ends at its first surprise")]

mod embeddings;
mod launch;
mod proxy;
mod server;

pub use embeddings::{DIMENSIONS, EmbeddingsServer, Misbehavior, vector};
pub use proxy::Proxy;
pub use server::{Death, OwnServer, Service};
