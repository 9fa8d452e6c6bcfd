//! Cutting Markdown into chunks of a bounded number of tokens, at its own seams: headings first, then paragraphs, list
//! items, sentences and words.
//!
//! Tokens are those of `cl100k_base`, the vocabulary of the models that Carbon's default belonged to; it is part of the
//! program and nothing is fetched. Models with another vocabulary count a little differently.

use std::panic::{AssertUnwindSafe, catch_unwind};

use sha2::{Digest, Sha256};
use text_splitter::{ChunkConfig, ChunkSizer, MarkdownSplitter};
use thiserror::Error;
use tiktoken_rs::cl100k_base_singleton;

/// Tokens of a chunk when nothing else is asked for.
pub const CHUNK_SIZE_DEFAULT: usize = 1_500;
/// Tokens that a chunk shares with the one before it when nothing else is asked for.
pub const CHUNK_OVERLAP_DEFAULT: usize = 20;
/// The most tokens of a chunk: what the usual embedding models take.
pub const CHUNK_SIZE_MAX: usize = 8_191;
/// The most chunks of one text: an article at the bounds, cut at the default size, has a thousand.
pub const CHUNKS_MAX: usize = 20_000;
/// Where the vocabulary's own way of counting fails, a token counts as so many characters.
const CHARACTERS_PER_TOKEN: usize = 4;

/// How a text is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChunkOptions {
    /// Tokens of a chunk at most.
    pub size: usize,
    /// Tokens that a chunk repeats of the one before it; less than `size`.
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
    /// The part, with the prefix that was asked for.
    pub text: String,
    /// Its tokens.
    pub tokens: usize,
    /// SHA-256 of `text`, in lower hex: equal for equal parts.
    pub hash: String,
}

/// Why a text cannot be cut.
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
    /// The library gave up on this text.
    #[error("the text cannot be cut")]
    Splitter,
}

/// How many tokens a text has.
#[must_use]
pub fn count_tokens(text: &str) -> usize {
    // Other people's code on foreign text: where an assertion of theirs fails, the length is good enough.
    catch_unwind(AssertUnwindSafe(|| cl100k_base_singleton().count_ordinary(text)))
        .unwrap_or_else(|_panic| text.chars().count().div_ceil(CHARACTERS_PER_TOKEN))
}

/// The hash of a chunk's text.
#[must_use]
pub fn chunk_hash(text: &str) -> String {
    hex::encode(Sha256::digest(text))
}

struct Tokens;

impl ChunkSizer for Tokens {
    fn size(&self, chunk: &str) -> usize {
        count_tokens(chunk)
    }
}

/// Cuts Markdown. With a `prefix` every chunk starts with it and an empty line, and stays within `size` with it, unless
/// the prefix alone takes more than half of that. A text of nothing but space has no chunks.
///
/// Pure CPU, some milliseconds for an article of a few kilobytes: call it off the runtime's threads.
///
/// # Errors
/// [`ChunkError`]; the same input always gives the same answer.
pub fn chunks(
    markdown: &str,
    options: ChunkOptions,
    prefix: Option<&str>,
) -> Result<Vec<TextChunk>, ChunkError> {
    let ChunkOptions { size, overlap } = options;
    let wrong = ChunkError::Options { size, overlap };
    if size == 0 || size > CHUNK_SIZE_MAX || overlap >= size {
        return Err(wrong);
    }
    let prefix = prefix.map(|prefix| format!("{prefix}\n\n"));
    let taken = prefix.as_deref().map_or(0, count_tokens);
    let room = size.saturating_sub(taken).max(size.div_ceil(2));
    let config = ChunkConfig::new(room)
        .with_sizer(Tokens)
        .with_overlap(overlap.min(room - 1))
        .map_err(|_refused| wrong.clone())?;
    let cut = catch_unwind(AssertUnwindSafe(|| {
        MarkdownSplitter::new(config)
            .chunks(markdown)
            .take(CHUNKS_MAX + 1)
            .map(str::to_owned)
            .collect::<Vec<String>>()
    }))
    .map_err(|_panic| ChunkError::Splitter)?;
    if cut.len() > CHUNKS_MAX {
        return Err(ChunkError::TooMany);
    }
    let whole = |part: String| match &prefix {
        Some(prefix) => format!("{prefix}{part}"),
        None => part,
    };
    Ok(cut
        .into_iter()
        .filter(|part| !part.trim().is_empty())
        .map(|part| {
            let text = whole(part);
            TextChunk { tokens: count_tokens(&text), hash: chunk_hash(&text), text }
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cut(text: &str, size: usize, overlap: usize) -> Vec<TextChunk> {
        chunks(text, ChunkOptions { size, overlap }, None).unwrap()
    }

    fn article(sections: usize) -> String {
        (0..sections)
            .map(|it| format!("## Part {it}\n\nWords of part {it}, {}.\n\n", "more ".repeat(30)))
            .collect()
    }

    #[test]
    fn a_short_text_is_one_chunk_and_an_empty_one_is_none() {
        let one = cut("# Title\n\nHello, world.\n", 100, 20);
        assert_eq!(one.len(), 1);
        assert_eq!(one[0].tokens, count_tokens(&one[0].text));
        assert_eq!(one[0].hash, chunk_hash(&one[0].text));
        assert!(cut(" \n\n\t", 100, 20).is_empty());
    }

    #[test]
    fn no_chunk_is_larger_than_asked_for_and_nothing_is_lost() {
        let text = article(20);
        for (size, overlap) in [(1, 0), (10, 3), (50, 0), (50, 20), (200, 20)] {
            let cut = cut(&text, size, overlap);
            assert!(cut.iter().all(|chunk| chunk.tokens <= size), "{size}");
            for number in 0..20 {
                let word = format!("{number}");
                assert!(cut.iter().any(|chunk| chunk.text.contains(&word)), "{size} {number}");
            }
        }
    }

    #[test]
    fn text_is_cut_at_its_headings_and_an_edit_changes_one_chunk() {
        let before = cut(&article(6), 45, 0);
        assert!(before.iter().all(|chunk| chunk.text.starts_with("## Part")), "{before:#?}");
        let after = cut(&article(6).replace("Words of part 3", "Other of part 3"), 45, 0);
        let changed = before.iter().zip(&after).filter(|(old, new)| old.hash != new.hash).count();
        assert_eq!((before.len(), changed), (after.len(), 1));
    }

    #[test]
    fn overlap_repeats_the_end_of_the_chunk_before() {
        let cut = cut(&(0..200).map(|it| format!("w{it} ")).collect::<String>(), 40, 10);
        assert!(cut.len() > 2);
        for pair in cut.windows(2) {
            let first = pair[1].text.split(' ').next().unwrap();
            assert!(pair[0].text.contains(first), "{pair:#?}");
        }
    }

    #[test]
    fn a_prefix_stands_before_every_chunk_and_counts() {
        let options = ChunkOptions { size: 45, overlap: 0 };
        let cut = chunks(&article(4), options, Some("How to")).unwrap();
        assert!(cut.len() >= 4);
        assert!(
            cut.iter().all(|chunk| chunk.text.starts_with("How to\n\n") && chunk.tokens <= 45),
            "{cut:#?}"
        );
        let long = "title ".repeat(100);
        assert!(!chunks("text", options, Some(&long)).unwrap().is_empty());
    }

    #[test]
    fn bounds_are_reached() {
        for (size, overlap) in [(0, 0), (10, 10), (CHUNK_SIZE_MAX + 1, 0)] {
            let options = ChunkOptions { size, overlap };
            assert_eq!(chunks("x", options, None), Err(ChunkError::Options { size, overlap }));
        }
        assert!(
            chunks("x", ChunkOptions { size: CHUNK_SIZE_MAX, overlap: CHUNK_SIZE_MAX - 1 }, None).is_ok()
        );
        let most = "a\n\n".repeat(CHUNKS_MAX);
        let options = ChunkOptions { size: 1, overlap: 0 };
        assert_eq!(chunks(&most, options, None).unwrap().len(), CHUNKS_MAX);
        assert_eq!(chunks(&format!("{most}a"), options, None), Err(ChunkError::TooMany));
    }

    #[test]
    fn hostile_texts_are_cut_in_bearable_time() {
        for text in
            ["a".repeat(300_000), " a".repeat(150_000), "\u{6f22}".repeat(100_000), "[".repeat(100_000)]
        {
            let began = std::time::Instant::now();
            let cut = cut(&text, CHUNK_SIZE_DEFAULT, CHUNK_OVERLAP_DEFAULT);
            println!("{} chunks of {} bytes in {:?}", cut.len(), text.len(), began.elapsed());
            assert!(cut.iter().all(|chunk| chunk.tokens <= CHUNK_SIZE_DEFAULT));
        }
        assert!(count_tokens(&" ".repeat(300_000)) > 0);
        assert!(cut("<|endoftext|> is a word like any other", 100, 0)[0].text.contains("endoftext"));
    }
}
