//! The terms that a chunk is found by, and how much each of them says about it.
//!
//! What a term is worth in a chunk is reckoned once, when the chunk is stored, and rounded to one of [`LEVELS`]: an index
//! by level needs no second look at the text to rank (impact-ordered indexes: Anh, de Kretser and Moffat 2001; Lin and
//! Trotman 2015). In the body it is BM25 with a fixed mean length; title, labels and headings add to it.

use std::collections::HashMap;

use serde_json::json;

use crate::search::analysis::{Kind, Word, words};
use crate::search::language::Language;
use crate::search::readable::{Readable, readable};

/// How many steps there are. A term's level is 1 at least.
pub(crate) const LEVELS: u8 = 8;
/// Terms of one chunk; of more, those that are worth the most.
pub(crate) const TERMS_MAX: usize = 2_000;
/// What the lowest level is worth, and how much more each next one.
const LEVEL_FIRST: f64 = 0.35;
const LEVEL_STEP: f64 = std::f64::consts::SQRT_2;
/// How fast more of the same word stops counting, and how much length counts: the usual values.
const BM25_K: f64 = 1.2;
const BM25_B: f64 = 0.6;
/// Words of a body of middle length.
const BODY_WORDS: f64 = 200.0;
/// What standing in the title adds; half of it for a title of so many words.
const TITLE: f64 = 3.0;
const TITLE_WORDS: f64 = 12.0;
/// What standing in a label adds.
const LABEL: f64 = 2.0;
/// A word of a heading counts as so many of the body.
const HEADING: f64 = 3.0;
/// A part of a compound counts less than a word.
const PART: f64 = 0.5;

/// What a chunk's search index holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ChunkWords {
    /// The language that it was analysed as.
    pub(crate) language: &'static str,
    /// Level and term, sorted: `3:invoic`.
    pub(crate) terms: Vec<String>,
}

impl ChunkWords {
    /// Analyses a chunk of Markdown. `labels` and `title` are of its article and translation. Linear; a millisecond for
    /// a long chunk.
    #[must_use]
    pub fn of(locale: &str, title: &str, labels: &[String], markdown: &str) -> Self {
        let language = Language::of(locale);
        let mut counts = Counts { language, of: HashMap::new() };
        let Readable { headings, body } = readable(markdown);
        let headings = words(&headings, language.elides);
        let body = words(&body, language.elides);
        counts.add(&headings, HEADING, false);
        counts.add(&body, 1.0, false);
        let length = (headings.len() + body.len()) as f64;
        let damped = BM25_K * (1.0 - BM25_B + BM25_B * length / BODY_WORDS);
        for (count, worth) in counts.of.values_mut() {
            *worth = *count * (BM25_K + 1.0) / (*count + damped);
        }
        let title = words(title, language.elides);
        counts.give(&title, TITLE / (1.0 + title.len() as f64 / TITLE_WORDS));
        for label in labels {
            counts.give(&words(label, language.elides), LABEL);
        }
        let mut terms: Vec<(String, f64)> =
            counts.of.into_iter().map(|(term, (_, worth))| (term, worth)).collect();
        terms.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        terms.truncate(TERMS_MAX);
        let mut terms: Vec<String> =
            terms.into_iter().map(|(term, worth)| format!("{}:{term}", level(worth))).collect();
        terms.sort_unstable();
        Self { language: language.code, terms }
    }

    /// As the index takes them: each behind its customer, so that a look-up meets one customer's chunks only.
    pub(crate) fn lexemes(&self, customer: i64) -> String {
        let mut lexemes = every(customer);
        for term in &self.terms {
            lexemes.push_str(&format!(" {customer}:{term}"));
        }
        lexemes
    }

    /// Equal for chunks that are found by the same words.
    pub(crate) fn hash(&self) -> String {
        use sha2::{Digest as _, Sha256};
        let digest = Sha256::digest(json!([self.language, self.terms]).to_string());
        hex::encode(&digest[..16])
    }
}

/// The lexeme that every chunk of a customer has.
pub(crate) fn every(customer: i64) -> String {
    format!("{customer}:0")
}

/// The level of a term by what it is worth.
fn level(worth: f64) -> u8 {
    (1..LEVELS).find(|level| worth < value(*level) * LEVEL_STEP.sqrt()).unwrap_or(LEVELS)
}

/// What a term of a level is worth.
pub(crate) fn value(level: u8) -> f64 {
    LEVEL_FIRST * LEVEL_STEP.powi(i32::from(level) - 1)
}

struct Counts {
    language: Language,
    /// How often each term stands in the body, and what it is worth.
    of: HashMap<String, (f64, f64)>,
}

impl Counts {
    fn add(&mut self, words: &[Word], weight: f64, stop_words: bool) {
        for word in with_numbers(words) {
            if stop_words || !self.language.is_stop_word(&word.text) {
                let weight = if word.kind == Kind::Part { weight * PART } else { weight };
                self.of.entry(self.language.stem(&word.text)).or_default().0 += weight;
            }
        }
    }

    /// Adds to what each of the words is worth, once. Here stop words count too: "What we do" is a title.
    fn give(&mut self, words: &[Word], weight: f64) {
        let mut here = Self { language: self.language, of: HashMap::new() };
        here.add(words, 1.0, true);
        for (term, (count, _)) in here.of {
            self.of.entry(term).or_default().1 += weight * count.min(1.0);
        }
    }
}

/// The words, and each word with the number that follows it as one: `Nano 33` is found as `nano33` too.
pub(crate) fn with_numbers(words: &[Word]) -> impl Iterator<Item = Word> {
    let numbered = words.windows(2).filter_map(|pair| {
        let [name, number] = pair else { return None };
        let fits = name.kind == Kind::Whole
            && number.kind == Kind::Whole
            && name.text.bytes().all(|byte| byte.is_ascii_alphabetic())
            && number.text.bytes().all(|byte| byte.is_ascii_digit());
        fits.then(|| Word { text: format!("{}{}", name.text, number.text), kind: Kind::Part })
    });
    words.iter().cloned().chain(numbered)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn level_of(words: &ChunkWords, term: &str) -> Option<u8> {
        words.terms.iter().find_map(|it| it.strip_suffix(term)?.strip_suffix(':')?.parse().ok())
    }

    #[test]
    fn titles_count_most_then_labels_and_headings_then_the_body() {
        let labels = ["Billing".to_owned()];
        let words = ChunkWords::of("en-us", "Pay the invoice", &labels, "## Refunds\nA card is charged.");
        let level = |term| level_of(&words, term).unwrap();
        assert!(level("invoic") > level("refund"), "{words:?}");
        assert!(level("refund") > level("card"), "{words:?}");
        assert!(level("bill") > level("card"), "{words:?}");
        assert_eq!(words.language, "en");
    }

    #[test]
    fn stop_words_are_found_in_titles_only() {
        let words = ChunkWords::of("en", "What we do", &[], "What we make is the best");
        assert!(level_of(&words, "what").is_some() && level_of(&words, "best").is_some());
        assert!(level_of(&words, "the").is_none(), "{words:?}");
    }

    #[test]
    fn addresses_of_links_are_no_words_and_their_texts_are() {
        let text = "See [the shop](https://shop.test/x_y \"Open it\") and ![a board](img/photo.png)\n#hash";
        let words = ChunkWords::of("en", "", &[], text);
        for term in ["shop", "open", "board", "hash"] {
            assert!(level_of(&words, term).is_some(), "{term} {words:?}");
        }
        for term in ["https", "img", "png", "photo"] {
            assert!(level_of(&words, term).is_none(), "{term} {words:?}");
        }
    }

    #[test]
    fn markup_is_no_word_and_parts_none() {
        let text = "# **S**etup\n**W**ireless<br>&emsp;net AT&T C# `a](b) kept` x](y) kept2 \u{1f389}";
        let words = ChunkWords::of("en", "", &[], text);
        for term in ["setup", "wireless", "net", "att", "csharp", "kept", "kept2", "u1f389"] {
            assert!(level_of(&words, term).is_some(), "{term} {words:?}");
        }
        for term in ["br", "emsp", "ireless", "etup"] {
            assert!(level_of(&words, term).is_none(), "{term} {words:?}");
        }
    }

    #[test]
    fn levels_follow_what_a_term_is_worth_within_their_bounds() {
        assert_eq!((level(0.0), level(1e9)), (1, LEVELS));
        for step in 1..=LEVELS {
            assert_eq!(level(value(step)), step);
        }
    }

    #[test]
    fn a_chunk_of_too_many_terms_keeps_those_that_say_the_most() {
        let text: String = (0..=TERMS_MAX).map(|number| format!("word{number} ")).collect();
        let words = ChunkWords::of("en", "Zebra", &[], &text);
        assert_eq!(words.terms.len(), TERMS_MAX);
        assert!(level_of(&words, "zebra").is_some());
    }

    #[test]
    fn a_name_and_its_number_are_one_word_too() {
        let words = ChunkWords::of("en", "", &[], "Nano 33 boards, R3");
        assert!(level_of(&words, "nano33").is_some() && level_of(&words, "33").is_some(), "{words:?}");
        assert_eq!(words.lexemes(7).split(' ').next(), Some("7:0"));
        assert!(words.lexemes(7).split(' ').all(|lexeme| lexeme.starts_with("7:")));
    }

    #[test]
    fn the_hash_follows_title_labels_and_text() {
        let of =
            |title: &str, labels: &[String], text: &str| ChunkWords::of("en", title, labels, text).hash();
        let labels = ["x".to_owned()];
        assert_eq!(of("a", &labels, "text"), of("a", &labels, "text"));
        assert_ne!(of("a", &labels, "text"), of("b", &labels, "text"));
        assert_ne!(of("a", &labels, "text"), of("a", &[], "text"));
        assert_ne!(of("a", &labels, "text"), of("a", &labels, "texture"));
    }
}
