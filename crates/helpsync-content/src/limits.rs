//! How much of an article is converted.

use thiserror::Error;

/// The longest HTML by default. The longest of 2,400 real bodies had 290 kB.
pub const INPUT_BYTES_MAX: usize = 8 * 1024 * 1024;
/// The deepest nesting by default. Real bodies stay below 40; the writers recurse this deep on the thread's stack.
pub const DEPTH_MAX: usize = 200;
/// The most nodes of the parsed tree by default, of an article of up to 32 bytes for each; a longer one may have more.
/// Misnested formatting can multiply a few kilobytes into millions.
pub const NODES_MAX: usize = 100_000;
/// A longer article may have a node more for each so many bytes. Real ones have one for 40 to 60.
pub(crate) const BYTES_OF_A_NODE: usize = 32;
/// The most siblings that are looked through for the places of misplaced nodes: content misplaced in tables costs the square of
/// its number.
pub(crate) const LOOKED_THROUGH_MAX: usize = NODES_MAX * NODES_MAX / 2;
/// The most attributes of one tag by default.
pub const ATTRIBUTES_MAX: usize = 2_000;
/// The longest Markdown or text by default.
pub const OUTPUT_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The most bytes of an article's tables by default: what their cells say, and two for each empty one. Nothing is padded.
pub const TABLE_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The bounds of one conversion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// See [`INPUT_BYTES_MAX`].
    pub input_bytes_max: usize,
    /// See [`DEPTH_MAX`]. Above some 400 a thread of 2 MiB may not have the stack.
    pub depth_max: usize,
    /// See [`NODES_MAX`].
    pub nodes_max: usize,
    /// See [`ATTRIBUTES_MAX`].
    pub attributes_max: usize,
    /// See [`OUTPUT_BYTES_MAX`].
    pub output_bytes_max: usize,
    /// See [`TABLE_BYTES_MAX`].
    pub table_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            input_bytes_max: INPUT_BYTES_MAX,
            depth_max: DEPTH_MAX,
            nodes_max: NODES_MAX,
            attributes_max: ATTRIBUTES_MAX,
            output_bytes_max: OUTPUT_BYTES_MAX,
            table_bytes_max: TABLE_BYTES_MAX,
        }
    }
}

impl Limits {
    /// The most nodes of an article of so many bytes.
    pub(crate) fn nodes_of(&self, bytes: usize) -> usize {
        // As many times the bound as the article is longer than what the bound is meant for.
        let longer = bytes / BYTES_OF_A_NODE;
        if longer > NODES_MAX { self.nodes_max.saturating_mul(longer) / NODES_MAX } else { self.nodes_max }
    }

    pub(crate) fn check_output(&self, bytes: usize) -> Result<(), ConvertError> {
        let bytes_max = self.output_bytes_max;
        if bytes > bytes_max { Err(ConvertError::OutputBytes { bytes_max }) } else { Ok(()) }
    }
}

/// Why an article was not converted. Fit to be shown to the customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum ConvertError {
    /// The HTML is too long.
    #[error("the article has {bytes} bytes, more than {bytes_max}")]
    InputBytes {
        /// How long it is.
        bytes: usize,
        /// The bound.
        bytes_max: usize,
    },
    /// Elements are nested too deeply.
    #[error("the article nests elements more than {depth_max} deep")]
    Depth {
        /// The bound.
        depth_max: usize,
    },
    /// There are too many elements and texts.
    #[error("the article has more than {nodes_max} elements")]
    Nodes {
        /// The bound.
        nodes_max: usize,
    },
    /// A tag has too many attributes.
    #[error("the article has a tag of more than {attributes_max} attributes")]
    Attributes {
        /// The bound.
        attributes_max: usize,
    },
    /// The Markdown or text is too long.
    #[error("the article converts to more than {bytes_max} bytes")]
    OutputBytes {
        /// The bound.
        bytes_max: usize,
    },
    /// Its tables are too long.
    #[error("the article's tables come to more than {bytes_max} bytes")]
    TableBytes {
        /// The bound.
        bytes_max: usize,
    },
    /// The HTML parser gave up on it.
    #[error("the article's html cannot be parsed")]
    Parser,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::convert;

    #[test]
    fn a_long_article_may_have_as_many_more_nodes_as_it_is_longer() {
        let paragraph = format!("<p>{}</p>\n", "words of a long article ".repeat(8));
        let long = paragraph.repeat(NODES_MAX / 2);
        assert!(convert(&long, None, &Limits { input_bytes_max: long.len(), ..Limits::default() }).is_ok());
        let limits = Limits { nodes_max: 100, input_bytes_max: long.len(), ..Limits::default() };
        let nodes_max = 100 * (long.len() / BYTES_OF_A_NODE) / NODES_MAX;
        assert_eq!(convert(&long, None, &limits), Err(ConvertError::Nodes { nodes_max }));
    }

    #[test]
    fn misplaced_content_of_a_long_article_is_bounded_by_what_it_costs() {
        // Each stands before the table, and its place is looked for among all others.
        let misplaced = format!("<table>{}{}", "x<br>".repeat(NODES_MAX), " ".repeat(8 * 1024 * 1024));
        let limits = Limits { input_bytes_max: misplaced.len(), ..Limits::default() };
        let too_many = convert(&misplaced, None, &limits);
        assert!(
            matches!(too_many, Err(ConvertError::Nodes { .. })),
            "{:?}",
            too_many.map(|all| all.text.len())
        );
    }
}
