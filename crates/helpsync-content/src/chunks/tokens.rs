//! Counting tokens, exactly and in linear time.

use bpe_openai::cl100k_base;

/// How many tokens a text has in the vocabulary `cl100k_base`, as OpenAI's own `tiktoken` counts them. Words that name
/// special tokens (`<|endoftext|>`) count like any other text. Linear in the length of the text.
#[must_use]
pub fn count_tokens(text: &str) -> usize {
    #[cfg(test)]
    worked(text.len());
    cl100k_base().count(text)
}

#[cfg(test)]
thread_local! {
    /// Bytes counted and blocks looked at in this thread.
    pub(super) static WORK: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// Tests see that the work is linear, without a clock.
#[cfg(test)]
pub(super) fn worked(steps: usize) {
    WORK.set(WORK.get() + steps);
}

/// Where the tokens of a text end. It is made once for a text, and then tells the size of any part at once.
///
/// A part that begins or ends inside a token, or between whose ends the vocabulary would join differently, can differ
/// from [`count_tokens`] of that part by a few tokens. Whoever needs the exact number counts the part that was chosen.
pub(super) struct TokenIndex {
    /// Ascending, in bytes of the text; the last one is its length.
    ends: Vec<usize>,
}

impl TokenIndex {
    pub(super) fn of(text: &str) -> Self {
        let vocabulary = cl100k_base();
        let mut ends = Vec::new();
        let mut end = 0;
        for piece in vocabulary.split(text) {
            for token in vocabulary.bpe.encode_via_backtracking(piece.as_bytes()) {
                end += vocabulary.bpe.token_len(token);
                ends.push(end);
            }
        }
        Self { ends }
    }

    /// Tokens of the bytes from `start` to `end`; a token that is only partly inside counts.
    pub(super) fn between(&self, start: usize, end: usize) -> usize {
        if end <= start {
            return 0;
        }
        // The tokens that end before `end`, and the one that reaches it.
        self.ends.partition_point(|&it| it < end) + 1 - self.ends.partition_point(|&it| it <= start)
    }

    /// The furthest end of a token such that no more than `tokens` lie between it and `start`. It may lie inside a
    /// character.
    pub(super) fn reach(&self, start: usize, tokens: usize) -> usize {
        let first = self.ends.partition_point(|&it| it <= start);
        match first.saturating_add(tokens).min(self.ends.len()) {
            last if last > first => self.ends[last - 1],
            _ => start,
        }
    }

    /// The nearest start of a token such that no more than `tokens` lie between it and `end`.
    pub(super) fn reach_back(&self, end: usize, tokens: usize) -> usize {
        let last = self.ends.partition_point(|&it| it < end) + 1;
        match last.saturating_sub(tokens) {
            0 => 0,
            first if first > self.ends.len() => end,
            first => self.ends[first - 1].min(end),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tiktoken_rs::cl100k_base_singleton;

    use super::*;

    fn reference(text: &str) -> usize {
        cl100k_base_singleton().count_ordinary(text)
    }

    #[test]
    fn counts_are_those_of_tiktoken_on_texts_made_to_break_tokenizers() {
        let texts = [
            "a".repeat(20_000),
            "aB".repeat(5_000),
            "#".repeat(20_000),
            " ".repeat(5_000),
            " a".repeat(5_000),
            "\n".repeat(5_000),
            " \n\t\r\n".repeat(1_000),
            "\u{6f22}\u{5b57}".repeat(2_000),
            "\u{1f469}\u{200d}\u{1f4bb}\u{fe0f}".repeat(1_000),
            "e\u{301}\u{202e}\u{5e9}".repeat(1_000),
            "1234567890".repeat(1_000),
            "it's we'LL 'sabc ''''s !abc".repeat(300),
            "| --- | :-: |\n".repeat(1_000),
            "<|endoftext|><|fim_prefix|>".to_owned(),
            String::new(),
        ];
        for text in texts {
            let shown: String = text.chars().take(12).collect();
            assert_eq!(count_tokens(&text), reference(&text), "{shown:?}");
            assert_eq!(TokenIndex::of(&text).ends.len(), reference(&text), "{shown:?}");
        }
    }

    #[test]
    fn counts_are_those_of_tiktoken_on_real_articles() {
        let Some(articles) = crate::chunks::tests::real_articles() else { return };
        for article in articles {
            let converted = crate::convert(&article, None, &crate::Limits::default()).unwrap();
            for text in [&article, &converted.markdown, &converted.text] {
                assert_eq!(count_tokens(text), reference(text), "{text}");
            }
        }
    }

    proptest! {
        #[test]
        fn counts_are_those_of_tiktoken_on_any_text(text in "\\PC{0,200}", spaced in "([ \n\t'a-zA-Z0-9.,|#-]{0,9}\\s){0,40}") {
            for text in [text, spaced] {
                prop_assert_eq!(count_tokens(&text), reference(&text));
            }
        }

        #[test]
        fn the_index_reaches_as_far_as_it_says(text in "[ a-z\u{6f22}#\n]{1,80}", start in 0..80_usize, tokens in 0..30_usize) {
            let index = TokenIndex::of(&text);
            let start = start.min(text.len());
            prop_assert_eq!(index.between(0, text.len()), count_tokens(&text));
            let end = index.reach(start, tokens);
            prop_assert!(index.between(start, end) <= tokens);
            prop_assert!(end == text.len() || index.between(start, end + 1) > tokens);
            let from = index.reach_back(start, tokens);
            prop_assert!(index.between(from, start) <= tokens);
            prop_assert!(from == 0 || index.between(from - 1, start) > tokens);
        }
    }
}
