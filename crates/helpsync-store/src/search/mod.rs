//! Chunks: made, embedded, and found.

mod analysis;
pub(crate) mod chunk_rows;
pub(crate) mod chunking;
pub(crate) mod chunks;
pub(crate) mod embedding;
pub(crate) mod in_turn;
pub(crate) mod index;
pub(crate) mod keyword;
mod language;
pub(crate) mod query;
pub(crate) mod query_words;
mod readable;
mod stop_words;
pub(crate) mod store_chunks;
pub(crate) mod terms;
pub(crate) mod uploads;
