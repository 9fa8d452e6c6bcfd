//! A help center article's HTML as Markdown and plain text, and the hash that tells whether it changed.
//!
//! Pure computation, no IO: an article of a few kilobytes takes well under a millisecond, one at the bounds up to
//! seconds. Async callers run [`convert`] on a blocking thread.
//!
//! The HTML is foreign and may be hostile. It is parsed once, in small pieces, into a tree whose depth and size are
//! watched while it grows; cleaned of what is not content; then written out twice. Every bound is in [`Limits`] and
//! ends in a [`ConvertError`] that can be shown to the customer; nothing recurses deeper than the bound on depth, and a
//! parser's panic is an error, not a crash.

mod address;
mod attributes;
mod blocks;
mod build;
mod cells;
mod chunks;
mod clean;
mod code;
mod controls;
mod escape;
mod frames;
mod hash;
mod inline;
mod letters;
mod limits;
mod lists;
mod markdown;
mod math;
mod parse;
mod scripts;
mod spaces;
mod styles;
mod table;
mod text;
mod tidy;
mod tree;

#[cfg(test)]
mod tests;

use std::panic::{AssertUnwindSafe, catch_unwind};

pub use address::external_url;
pub use chunks::{
    CHUNK_OVERLAP_DEFAULT, CHUNK_SIZE_DEFAULT, CHUNK_SIZE_MAX, CHUNKS_MAX, ChunkError, ChunkOptions,
    HEADING_CHARS_MAX, TextChunk, chunk_hash, chunks, count_tokens,
};
pub use hash::content_hash;
pub use limits::{
    ATTRIBUTES_MAX, ConvertError, DEPTH_MAX, INPUT_BYTES_MAX, Limits, NODES_MAX, OUTPUT_BYTES_MAX,
    TABLE_BYTES_MAX,
};

/// The version of what [`convert`] makes of the same HTML. Raise it with every change of that: whatever was stored by
/// another version is converted again.
pub const CONVERTER_VERSION: u32 = 11;

/// An article's body in the two forms that are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Converted {
    /// CommonMark with GitHub's tables and strikethrough. What was text or an attribute is never markup in it; the
    /// only tags are `<br>` in cells, `<strong>`, `<em>` and `<del>` where asterisks would not be read as such, and
    /// `<code>` in cells. `docs/conversion.md` says what becomes what.
    pub markdown: String,
    /// What a reader sees: blocks on lines of their own, no markup, single spaces but for indents. A row is one line, with a
    /// tab before each further column.
    pub text: String,
    /// Where its links lead, in their order.
    pub links: Vec<String>,
    /// Where its pictures are, in their order.
    pub images: Vec<String>,
}

/// Converts an article's HTML (a fragment or a whole page).
///
/// Links and images are resolved against `url`, the article's own address; they stay as they are where it is `None` or
/// no address of the web.
///
/// # Errors
/// [`ConvertError`] when a bound of `limits` is passed; the same input always gives the same answer, so trying again
/// is useless.
pub fn convert(html: &str, url: Option<&str>, limits: &Limits) -> Result<Converted, ConvertError> {
    if html.len() > limits.input_bytes_max {
        return Err(ConvertError::InputBytes { bytes: html.len(), bytes_max: limits.input_bytes_max });
    }
    // The parser is other people's code on hostile input: an assertion of theirs that fails costs one article. It
    // shares nothing with the next call, so nothing is left half-done.
    catch_unwind(AssertUnwindSafe(|| convert_unguarded(html, url, limits)))
        .unwrap_or(Err(ConvertError::Parser))
}

fn convert_unguarded(html: &str, url: Option<&str>, limits: &Limits) -> Result<Converted, ConvertError> {
    if attributes::may_exceed(html, limits.attributes_max) {
        return Err(ConvertError::Attributes { attributes_max: limits.attributes_max });
    }
    let limits = &Limits { nodes_max: limits.nodes_of(html.len()), ..*limits };
    let parsed = parse::parse(html, limits)?;
    let base = clean::base_of(&parsed.root, url.and_then(address::web));
    if frames::may_hold(html) {
        frames::open(&parsed, limits)?;
    }
    let document = parsed.root;
    clean::clean(&document, base.as_ref());
    let article = build::article(&document);
    let text = text::text(&document, &article.columns);
    limits.check_output(text.len())?;
    // The tree is several times its text, and no more is read from it.
    drop(document);
    let markdown = markdown::markdown(&article, html.len(), limits)?;
    limits.check_output(markdown.len())?;
    let links = article.links.into_iter().map(|link| link.address).collect();
    Ok(Converted { markdown, text, links, images: article.images })
}
