//! Chunks: made, embedded, and found.

pub(crate) mod chunk_rows;
pub(crate) mod chunking;
pub(crate) mod chunks;
pub(crate) mod embedding;
pub(crate) mod query;
pub(crate) mod uploads;
