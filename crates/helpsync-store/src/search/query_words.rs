//! What a query looks for: its words, each in the spellings that the customer's languages give it.

use std::collections::HashSet;

use crate::db::Dialect;
use crate::search::analysis::{Kind, Word, words};
use crate::search::language::{LANGUAGES, Language};
use crate::search::terms::{LEVELS, with_numbers};

/// Words of a query that count; the rest is passed over.
pub const QUERY_WORDS_MAX: usize = 32;
/// Look-ups in the index for one query, so that a customer of many languages has no dearer searches than another.
pub(crate) const LOOKUPS_MAX: usize = 1_024;
/// The last word of a query is found at the start of longer ones if it has so many letters.
const PREFIX_CHARS_MIN: usize = 3;
/// A word that is not found at all is looked for at the start of longer ones if it has so many letters.
const COMPOUND_CHARS_MIN: usize = 4;
/// What finding a word at the start of a longer one counts beside the word itself.
const PREFIX_WORTH: f64 = 0.7;
/// A last word that is not complete may be longer than the stem of what it becomes, by so many letters.
const ENDING_CHARS_MAX: usize = 5;
const STEM_CHARS_MIN: usize = 4;
const STEM_WORTH: f64 = 0.5;
/// Two words of a query that may be one, such as `log in`, are tried as one if one of them is so short, and both are
/// together.
const SHORT_CHARS_MAX: usize = 3;
const PAIR_CHARS_MAX: usize = 8;

/// One thing that a query looks for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Wanted {
    /// What may stand in the index for it.
    pub(crate) spellings: Vec<Spelling>,
    /// The word as it was asked for, to be tried at the start of longer ones when it is not found.
    pub(crate) word: Option<String>,
}

/// A term of the index, or the start of one.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Spelling {
    pub(crate) term: String,
    pub(crate) prefix: bool,
    /// 1 for the word itself.
    pub(crate) worth: f64,
}

impl Spelling {
    /// As the database's own query language wants it. Terms hold letters, digits and marks only.
    pub(crate) fn lookup(&self, dialect: Dialect, customer: i64, level: u8) -> String {
        let Self { term, prefix, .. } = self;
        match (dialect, prefix) {
            (Dialect::Sqlite, false) => format!("\"{customer}:{level}:{term}\""),
            (Dialect::Sqlite, true) => format!("\"{customer}:{level}:{term}\" *"),
            (Dialect::Postgres, false) => format!("'{customer}:{level}:{term}'"),
            (Dialect::Postgres, true) => format!("'{customer}:{level}:{term}':*"),
        }
    }
}

/// The language whose stop words a query has most of. Names and short queries have none.
fn asked_in(query: &[Word]) -> Language {
    let hits = |language: &Language| query.iter().filter(|word| language.is_stop_word(&word.text)).count();
    let most = LANGUAGES.iter().map(hits).max().unwrap_or_default();
    let mut best = LANGUAGES.iter().filter(|language| most > 0 && hits(language) == most);
    match (best.next(), best.next()) {
        (Some(language), None) => *language,
        _ => Language::OTHER,
    }
}

/// Reads a query for a customer whose chunks are in `languages`.
pub(crate) fn wanted(text: &str, languages: &[Language]) -> Vec<Wanted> {
    let asked = asked_in(&words(text, false));
    // A short query shows no language: an apostrophe may join two words of one that the customer has, or belong to one.
    let may_elide = asked == Language::OTHER && languages.iter().any(|language| language.elides);
    let mut read = words(text, asked.elides || may_elide);
    let open = text.chars().next_back().is_some_and(|c| !c.is_whitespace() && !c.is_ascii_punctuation());
    let last = read.last().filter(|_| open).map(|word| word.text.clone());
    if may_elide {
        let whole = words(text, false).into_iter().filter(|word| !read.iter().any(|it| it.text == word.text));
        let whole: Vec<Word> = whole.collect();
        read.extend(whole);
    }
    let says_nothing = |word: &Word| {
        asked.is_stop_word(&word.text)
            || (asked == Language::OTHER
                && !languages.is_empty()
                && languages.iter().all(|language| language.is_stop_word(&word.text)))
    };
    let kept: Vec<Word> = with_numbers(&read).filter(|word| !says_nothing(word)).collect();
    // A query of nothing else is asked for by titles.
    let kept = if kept.is_empty() { read.clone() } else { kept };
    let mut seen = HashSet::new();
    let mut found: Vec<Wanted> = kept
        .iter()
        .map(|word| (word, spellings(word, languages, Some(&word.text) == last.as_ref())))
        .chain(pairs(&read, asked).iter().map(|word| (word, spellings(word, languages, false))))
        .filter(|(_, spellings)| seen.insert(spellings[0].term.clone()))
        .map(|(word, spellings)| {
            let long = word.kind == Kind::Whole && word.text.chars().count() >= COMPOUND_CHARS_MIN;
            Wanted { spellings, word: long.then(|| word.text.clone()) }
        })
        .take(QUERY_WORDS_MAX)
        .collect();
    let mut lookups = 0;
    found.retain(|one| {
        lookups += one.spellings.len() * usize::from(LEVELS);
        lookups <= LOOKUPS_MAX
    });
    found
}

/// Neighbours that may be one word elsewhere: `wi fi`, `e mail`, `log in`.
fn pairs(read: &[Word], asked: Language) -> Vec<Word> {
    let letters = |word: &Word| word.text.chars().count();
    let fits = |pair: &&[Word]| {
        pair.iter().all(|word| word.kind == Kind::Whole)
            && pair.iter().any(|word| letters(word) <= SHORT_CHARS_MAX)
            && pair.iter().any(|word| !asked.is_stop_word(&word.text))
            && pair.iter().map(letters).sum::<usize>() <= PAIR_CHARS_MAX
    };
    let joined = |pair: &[Word]| {
        let text = pair.iter().map(|word| word.text.as_str()).collect();
        Word { text, kind: Kind::Joined }
    };
    read.windows(2).filter(fits).map(joined).collect()
}

fn spellings(word: &Word, languages: &[Language], last: bool) -> Vec<Spelling> {
    let mut found: Vec<Spelling> = Vec::new();
    let mut add = |term: String, prefix: bool, worth: f64| {
        if !found.iter().any(|one| one.term == term && one.prefix == prefix) {
            found.push(Spelling { term, prefix, worth });
        }
    };
    for language in languages {
        add(language.stem(&word.text), false, 1.0);
    }
    if languages.is_empty() {
        add(word.text.clone(), false, 1.0);
    }
    let letters: Vec<char> = word.text.chars().collect();
    if word.kind == Kind::Pair {
        if letters.len() == 1 {
            add(word.text.clone(), true, 1.0);
        }
    } else if last && letters.len() >= PREFIX_CHARS_MIN {
        add(word.text.clone(), true, PREFIX_WORTH);
        let shortest = letters.len().saturating_sub(ENDING_CHARS_MAX).max(STEM_CHARS_MIN);
        for length in (shortest..letters.len()).rev() {
            add(letters[..length].iter().collect(), false, STEM_WORTH);
        }
    }
    found
}

/// What is tried for words that were not found: longer ones that begin with them.
pub(crate) fn longer(word: &str) -> Spelling {
    Spelling { term: word.to_owned(), prefix: true, worth: PREFIX_WORTH }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(text: &str, languages: &[&str]) -> Vec<Vec<String>> {
        let languages: Vec<Language> = languages.iter().map(|code| Language::of(code)).collect();
        let shown = |one: &Spelling| format!("{}{}", one.term, if one.prefix { "*" } else { "" });
        wanted(text, &languages).iter().map(|one| one.spellings.iter().map(shown).collect()).collect()
    }

    #[test]
    fn words_take_the_stems_of_the_customers_languages() {
        assert_eq!(terms("resetting passwords?", &["en"]), [["reset"], ["password"]]);
        assert_eq!(terms("Rechnungen.", &["en", "de"]), [["rechnungen", "rechnung"]]);
        assert_eq!(terms("Rechnungen.", &[]), [["rechnungen"]]);
    }

    #[test]
    fn stop_words_of_the_language_that_is_asked_in_are_left_out() {
        assert_eq!(terms("Wie kann ich die Rechnung zahlen?", &["en", "de"]).len(), 2);
        assert_eq!(terms("how do I configure?", &["en"]), [["configur"]]);
        assert_eq!(terms("what we do?", &["en"]).len(), 3, "nothing else: the words of a title");
    }

    #[test]
    fn a_word_behind_an_apostrophe_is_found_also_where_the_query_shows_no_language() {
        let found = terms("l'adresse ", &["fr", "en"]).concat();
        assert_eq!(found, ["adress", "ladress"]);
        assert!(terms("dell'account ", &["it"]).concat().contains(&"account".to_owned()));
        assert_eq!(terms("o'brien ", &["en"]), [["obrien"]]);
    }

    #[test]
    fn the_last_word_may_be_a_beginning_unless_the_query_ends_behind_it() {
        assert_eq!(terms("rese", &["en"]), [["rese", "rese*"]]);
        assert_eq!(terms("re", &["en"]), [["re"]]);
        assert_eq!(terms("rese ", &["en"]), [["rese"]]);
        assert_eq!(terms("configurat", &["en"])[0][1..4], ["configurat*", "configura", "configur"]);
        assert_eq!(terms("\u{96e8}", &["ja"]), [["\u{96e8}", "\u{96e8}*"]]);
    }

    #[test]
    fn words_that_may_be_one_are_tried_as_one() {
        assert!(terms("wi fi.", &["en"]).contains(&vec!["wifi".to_owned()]));
        assert!(terms("wi-fi.", &["en"]).contains(&vec!["wifi".to_owned()]));
        assert!(terms("nano 33.", &["en"]).contains(&vec!["nano33".to_owned()]));
        assert!(terms("board cable.", &["en"]).iter().all(|one| one != &["boardcable"]));
    }

    #[test]
    fn names_with_signs_are_looked_for_as_they_are_stored() {
        assert!(terms("AT&T", &["en"]).contains(&vec!["att".to_owned()]));
        assert!(terms("C# course ", &["en"]).contains(&vec!["csharp".to_owned()]));
        assert!(terms("c++", &["en"]).contains(&vec!["cplusplus".to_owned()]));
        assert_eq!(terms("\u{1f389}", &["en"]), [["u1f389"]]);
    }

    #[test]
    fn words_and_look_ups_are_bounded_and_signs_are_nothing() {
        let many: Vec<String> = (0..=QUERY_WORDS_MAX).map(|it| format!("word{it}")).collect();
        assert_eq!(terms(&many.join(", "), &["en"]).len(), QUERY_WORDS_MAX);
        let languages = LANGUAGES.map(|language| language.code);
        let long: Vec<String> = ('a'..='z').map(|it| format!("{it}ationernas")).collect();
        let lookups =
            terms(&long.join(" "), &languages).iter().map(Vec::len).sum::<usize>() * usize::from(LEVELS);
        assert!(lookups <= LOOKUPS_MAX && lookups > LOOKUPS_MAX / 2, "{lookups}");
        assert!(terms("' | & ! ( ) * : -- \" \\ NEAR(", &["en"]).len() == 1);
        assert!(terms("?! \"", &["en"]).is_empty());
    }

    #[test]
    fn look_ups_are_quoted_as_each_database_wants() {
        let one = longer("pass");
        assert_eq!(one.lookup(Dialect::Sqlite, 7, 3), "\"7:3:pass\" *");
        assert_eq!(one.lookup(Dialect::Postgres, 7, 3), "'7:3:pass':*");
        let exact = Spelling { prefix: false, ..one };
        assert_eq!(exact.lookup(Dialect::Sqlite, 7, 3), "\"7:3:pass\"");
        assert_eq!(exact.lookup(Dialect::Postgres, 7, 3), "'7:3:pass'");
    }
}
