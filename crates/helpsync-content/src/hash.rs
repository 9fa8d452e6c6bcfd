//! Whether an article changed.

use sha2::{Digest, Sha256};

/// The lower-case hexadecimal SHA-256 of the title's bytes, a zero byte, and the HTML's bytes.
///
/// The zero byte keeps a title's end apart from a body's start. Zendesk's timestamps move without the content moving;
/// this does not.
#[must_use]
pub fn content_hash(title: &str, html: &str) -> String {
    let digest = Sha256::new().chain_update(title).chain_update([0]).chain_update(html).finalize();
    hex::encode(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_that_of_title_zero_html() {
        // printf 'a\0b' | sha256sum
        assert_eq!(
            content_hash("a", "b"),
            "59b271ae1bbcb1d31d41929817f4b16fb439eb4f31520b5ad1d5ce98920a7138"
        );
    }

    #[test]
    fn moving_text_between_title_and_body_changes_the_hash() {
        assert_ne!(content_hash("ab", "c"), content_hash("a", "bc"));
        assert_ne!(content_hash("", "x"), content_hash("x", ""));
    }
}
