//! What a language asks of the analysis of words: its stemmer, its stop words, and how its accents are written.

use rust_stemmers::{Algorithm, Stemmer};

use crate::search::stop_words;

/// A language whose words are stemmed. Anything else is analysed as [`Language::OTHER`]: whole words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Language {
    /// The primary subtag of BCP 47, or empty.
    pub(crate) code: &'static str,
    algorithm: Option<Algorithm>,
    stop_words: &'static [&'static str],
    /// An apostrophe ends a word of its own here, as in `l'article`.
    pub(crate) elides: bool,
}

const fn stemmed(code: &'static str, algorithm: Algorithm, stop_words: &'static [&'static str]) -> Language {
    Language { code, algorithm: Some(algorithm), stop_words, elides: false }
}

const fn eliding(language: Language) -> Language {
    Language { elides: true, ..language }
}

/// The languages that have a Snowball stemmer, as Postgres' own configurations have.
pub(crate) static LANGUAGES: [Language; 20] = [
    stemmed("ar", Algorithm::Arabic, &[]),
    stemmed("da", Algorithm::Danish, &[]),
    stemmed("de", Algorithm::German, stop_words::GERMAN),
    stemmed("el", Algorithm::Greek, &[]),
    stemmed("en", Algorithm::English, stop_words::ENGLISH),
    stemmed("es", Algorithm::Spanish, stop_words::SPANISH),
    stemmed("fi", Algorithm::Finnish, &[]),
    eliding(stemmed("fr", Algorithm::French, stop_words::FRENCH)),
    stemmed("hu", Algorithm::Hungarian, &[]),
    eliding(stemmed("it", Algorithm::Italian, stop_words::ITALIAN)),
    stemmed("nb", Algorithm::Norwegian, &[]),
    stemmed("nl", Algorithm::Dutch, stop_words::DUTCH),
    stemmed("nn", Algorithm::Norwegian, &[]),
    stemmed("no", Algorithm::Norwegian, &[]),
    stemmed("pt", Algorithm::Portuguese, stop_words::PORTUGUESE),
    stemmed("ro", Algorithm::Romanian, &[]),
    stemmed("ru", Algorithm::Russian, &[]),
    stemmed("sv", Algorithm::Swedish, &[]),
    stemmed("ta", Algorithm::Tamil, &[]),
    stemmed("tr", Algorithm::Turkish, &[]),
];

impl Language {
    /// Words as they are written.
    pub(crate) const OTHER: Self = Self { code: "", algorithm: None, stop_words: &[], elides: false };

    /// The language of a locale such as `de`, `en-us` or `pt_BR`.
    pub(crate) fn of(locale: &str) -> Self {
        let primary = locale.split(['-', '_']).next().unwrap_or_default();
        let found = LANGUAGES.iter().find(|language| primary.eq_ignore_ascii_case(language.code));
        found.copied().unwrap_or(Self::OTHER)
    }

    /// Whether a folded word says too little to be searched for.
    pub(crate) fn is_stop_word(self, folded: &str) -> bool {
        self.stop_words.binary_search(&folded).is_ok()
    }

    /// The stem of a folded word, folded. Digits stay as they are: `r3` and `esp32` are names.
    pub(crate) fn stem(self, folded: &str) -> String {
        let Some(algorithm) = self.algorithm else { return folded.to_owned() };
        if folded.bytes().any(|byte| byte.is_ascii_digit()) {
            return folded.to_owned();
        }
        let written = self.written(folded);
        let stemmer = Stemmer::create(algorithm);
        let stem = crate::search::analysis::fold(&stemmer.stem(&written));
        if stem.is_empty() { folded.to_owned() } else { stem }
    }

    /// The accents that folding took and that the stemmer looks for, where an ending tells them.
    fn written(self, folded: &str) -> String {
        let ending = |from: &str, to: &str| folded.strip_suffix(from).map(|start| format!("{start}{to}"));
        let restored = match self.code {
            "es" => ending("cion", "ción").or_else(|| ending("sion", "sión")),
            "pt" => ending("coes", "ções").or_else(|| ending("cao", "ção")),
            // The other way of writing an umlaut.
            "de" => Some(folded.replace("ae", "a").replace("oe", "o").replace("ue", "u")),
            _ => None,
        };
        restored.unwrap_or_else(|| folded.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn locales_are_read_by_their_first_part_in_any_spelling() {
        for (locale, code) in [("de", "de"), ("en-us", "en"), ("pt_BR", "pt"), ("EN-GB", "en"), ("nb", "nb")]
        {
            assert_eq!(Language::of(locale).code, code, "{locale}");
        }
        for other in ["", "ja", "zh-cn", "th", "english", "-"] {
            assert_eq!(Language::of(other), Language::OTHER, "{other}");
        }
    }

    #[test]
    fn words_of_one_meaning_have_one_stem_in_their_language() {
        for (locale, words) in [
            ("en", ["subscription", "subscriptions"]),
            ("en", ["installing", "installed"]),
            ("de", ["rechnung", "rechnungen"]),
            ("de", ["gerat", "geraet"]),
            ("es", ["configuracion", "configuraciones"]),
            ("pt", ["instalacao", "instalacoes"]),
            ("fr", ["imprimante", "imprimantes"]),
        ] {
            let language = Language::of(locale);
            assert_eq!(language.stem(words[0]), language.stem(words[1]), "{locale} {words:?}");
        }
        assert_eq!(Language::OTHER.stem("subscriptions"), "subscriptions");
        assert_eq!(Language::of("en").stem("esp32s"), "esp32s");
    }

    #[test]
    fn lists_of_stop_words_and_languages_are_sorted_and_folded() {
        assert!(LANGUAGES.is_sorted_by_key(|language| language.code));
        for language in &LANGUAGES {
            let words = language.stop_words;
            assert!(
                words.is_sorted_by(|a, b| a < b),
                "{}: {:?}",
                language.code,
                words.windows(2).find(|pair| pair[0] >= pair[1])
            );
            for word in words {
                assert_eq!(*word, crate::search::analysis::fold(word), "{}", language.code);
            }
        }
    }

    proptest! {
        #[test]
        fn no_stemmer_breaks_on_any_word(word in "\\PC{0,24}") {
            let folded = crate::search::analysis::fold(&word);
            for language in &LANGUAGES {
                language.stem(&folded);
            }
        }
    }
}
