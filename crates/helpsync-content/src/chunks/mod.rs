//! Dividing Markdown into chunks of a bounded number of tokens, at its own seams.
//!
//! A chunk ends before a heading, a paragraph, an item or a row, in this order of preference, and holds at least half of
//! what it may where such a seam allows. A block that fits into a chunk is never divided: not a code block, not a row, and
//! a paragraph only where the overlap leaves it no room. What alone is too long is divided as its kind allows:
//!
//! - a table between its rows; its header row and delimiter row stand in every chunk that holds a part of it,
//! - code at line ends, and each part is fenced again with the same info string,
//! - anything else at sentence ends, or else at word ends; a word that alone is too long between characters.
//!
//! A chunk reads alone as it reads in the text: the items and quotes that its part stands in are opened again with their
//! own marks, a span of code that is divided is closed and opened again, as is what is struck, strong, emphasized or a link, the rest of a row stays in its columns, and what
//! was the middle of a line is not taken for a heading or an item. Where chunks are too small for that (below some twenty
//! tokens) they hold the bare text.
//!
//! What is repeated (the title, the path of headings, a table's header, a fence) is left out of a chunk where it would take
//! more than half of the room. The same text always has the same chunks, and those before a change stay the same.
//!
//! Tokens are those of `cl100k_base`, the vocabulary of the models that Carbon's default belonged to; it is part of the
//! program and nothing is fetched. Models with another vocabulary count a little differently.

mod blocks;
mod compose;
mod containers;
mod fence;
mod overlap;
mod pack;
mod pairs;
mod part;
mod spans;
mod tokens;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod speed;
#[cfg(test)]
mod tests;

use std::ops::Range;

use sha2::{Digest, Sha256};
use thiserror::Error;

pub use tokens::count_tokens;

/// Tokens of a chunk when nothing else is asked for.
pub const CHUNK_SIZE_DEFAULT: usize = 1_500;
/// Tokens that a chunk shares with the one before it when nothing else is asked for.
pub const CHUNK_OVERLAP_DEFAULT: usize = 20;
/// The most tokens of a chunk: what the usual embedding models take.
pub const CHUNK_SIZE_MAX: usize = 8_191;
/// The most chunks of one text: an article at the bounds, divided at the default size, has a thousand.
pub const CHUNKS_MAX: usize = 20_000;
/// The most characters that are kept of a heading in a chunk's path.
pub const HEADING_CHARS_MAX: usize = 120;

/// How a text is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkOptions {
    /// Tokens of a chunk at most. Only a single character that has more tokens by itself is larger.
    pub size: usize,
    /// Tokens that a chunk repeats of the one before it, at most; less than `size`. At most half of a chunk is repeated.
    pub overlap: usize,
}

impl Default for ChunkOptions {
    fn default() -> Self {
        Self { size: CHUNK_SIZE_DEFAULT, overlap: CHUNK_OVERLAP_DEFAULT }
    }
}

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextChunk {
    /// The part, with all that is repeated before it.
    pub text: String,
    /// Its tokens.
    pub tokens: usize,
    /// SHA-256 of `text`, in lower hex: equal for equal parts.
    pub hash: String,
    /// The headings that the part stands under, outermost first, with those that it begins with; each at most
    /// [`HEADING_CHARS_MAX`] characters of Markdown.
    pub headings: Vec<String>,
    /// Where the part that is new in this chunk stands, in bytes of the Markdown. Between the ranges of two neighbours is
    /// nothing but white space.
    pub range: Range<usize>,
}

/// Why a text cannot be divided.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ChunkError {
    /// The options do not go together.
    #[error("chunks of {size} tokens with {overlap} shared ones cannot be made")]
    Options {
        /// As given.
        size: usize,
        /// As given.
        overlap: usize,
    },
    /// The text would fall into too many parts.
    #[error("the text falls into more than {CHUNKS_MAX} chunks")]
    TooMany,
}

/// The hash of a chunk's text.
#[must_use]
pub fn chunk_hash(text: &str) -> String {
    hex::encode(Sha256::digest(text))
}

/// Divides Markdown. With a `title` every chunk starts with it, an empty line, the path of the headings that stand above
/// the chunk (`Setup > Network`) and another empty line; both count towards the chunk's tokens. A text of nothing but
/// white space has no chunks.
///
/// Pure CPU, linear in the length of the text, under a millisecond for an article of a few kilobytes: call it off the
/// runtime's threads.
///
/// # Errors
/// [`ChunkError`]; the same input always gives the same answer.
pub fn chunks(
    markdown: &str,
    options: ChunkOptions,
    title: Option<&str>,
) -> Result<Vec<TextChunk>, ChunkError> {
    let ChunkOptions { size, overlap } = options;
    if size == 0 || size > CHUNK_SIZE_MAX || overlap >= size {
        return Err(ChunkError::Options { size, overlap });
    }
    let all: Vec<TextChunk> = pack::Packer::new(markdown, options, title).take(CHUNKS_MAX + 1).collect();
    if all.len() > CHUNKS_MAX { Err(ChunkError::TooMany) } else { Ok(all) }
}
