//! From a text to the words that it is found by: one analysis for both databases, for articles and for queries.
//!
//! Case, accents and the many hyphens make no difference; `Wi-Fi`, `WiFi` and `wi‑fi` are one word. Scripts that are
//! written without spaces are found by their pairs of characters. Signs that belong to names are words: `C#`, `C++`, emoji.

use unicode_normalization::UnicodeNormalization as _;
use unicode_normalization::char::is_combining_mark;

/// Longer words count by their start.
pub(crate) const WORD_CHARS_MAX: usize = 40;
/// A compound of more parts is found by its parts only.
const COMPOUND_PARTS_MAX: usize = 6;

/// A word of a text, folded, and how it stood there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Word {
    pub(crate) text: String,
    pub(crate) kind: Kind,
}

/// How a word stands in its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Between spaces or signs.
    Whole,
    /// As a part of a compound, such as `wi` of `wi-fi`.
    Part,
    /// A compound written as one, such as `wifi` of `wi-fi`.
    Joined,
    /// Two characters of a script without spaces, or a single one that stands alone; an emoji.
    Pair,
}

/// One spelling for case, accents and compatible forms (width, ligatures, superscripts). Letters, digits and marks only.
pub(crate) fn fold(word: &str) -> String {
    if word.is_ascii() {
        return word.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    }
    let mut folded = String::with_capacity(word.len());
    let mut base = ' ';
    for c in word.nfkd().flat_map(char::to_lowercase) {
        if is_combining_mark(c) {
            if !is_dropped(base, c) {
                folded.push(c);
            }
            continue;
        }
        base = c;
        match c {
            'ß' => folded.push_str("ss"),
            'æ' => folded.push_str("ae"),
            'œ' => folded.push_str("oe"),
            'þ' => folded.push_str("th"),
            'ø' => folded.push('o'),
            'ł' => folded.push('l'),
            'đ' | 'ð' => folded.push('d'),
            'ı' => folded.push('i'),
            'ς' => folded.push('σ'),
            _ => folded.push(c),
        }
    }
    // A compatible form may bring signs, as that of ¼ does.
    folded.nfc().filter(|c| is_of_word(*c)).collect()
}

/// Whether a mark is an accent that people leave out: in Latin, Greek, Hebrew and Arabic all are; in Cyrillic those that
/// make no other letter; elsewhere marks are vowels.
fn is_dropped(base: char, mark: char) -> bool {
    match u32::from(base) {
        0..=0x3FF | 0x590..=0x6FF | 0x1E00..=0x1FFF => true,
        0x400..=0x52F => mark != '\u{306}',
        _ => false,
    }
}

/// Characters that stand in words without being a part of them: soft hyphens, joiners without width, selectors of
/// a form, and the line that lengthens Arabic words.
const fn is_ignored(c: char) -> bool {
    matches!(c, '\u{AD}' | '\u{200B}'..='\u{200D}' | '\u{2060}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{640}')
}

/// What joins parts to a compound: hyphens, and the sign of `AT&T`.
const fn is_hyphen(c: char) -> bool {
    matches!(c, '-' | '_' | '&' | '\u{FF06}' | '\u{2010}'..='\u{2013}' | '\u{2212}' | '\u{FE63}' | '\u{FF0D}')
}

const fn is_apostrophe(c: char) -> bool {
    matches!(c, '\'' | '\u{2019}' | '\u{2BC}' | '\u{FF07}')
}

/// Pictures that are searched for like words. Arrows and signs of trade are none: they stand in menus and behind names.
const fn is_emoji(c: char) -> bool {
    matches!(c, '\u{1F1E6}'..='\u{1F1FF}' | '\u{1F300}'..='\u{1F3FA}' | '\u{1F400}'..='\u{1FAFF}' | '\u{2600}'..='\u{27BF}'
        | '\u{2B50}' | '\u{2B55}')
}

/// How a sign is written that ends a name, such as that of `C#`.
const fn name_of(sign: char) -> Option<&'static str> {
    match sign {
        '#' | '\u{FF03}' | '\u{266F}' => Some("sharp"),
        '+' | '\u{FF0B}' => Some("plus"),
        _ => None,
    }
}

/// Scripts whose words are not told apart by spaces, and Korean, whose particles hang on its words.
fn is_unspaced(c: char) -> bool {
    matches!(u32::from(c),
        0x0E00..=0x0EFF | 0x1000..=0x109F | 0x1100..=0x11FF | 0x1780..=0x17FF | 0x2E80..=0x2FDF | 0x3005..=0x3007
        | 0x3040..=0x30FF | 0x3130..=0x318F | 0x31F0..=0x31FF | 0x3400..=0x4DBF | 0x4E00..=0x9FFF | 0xAC00..=0xD7AF
        | 0xF900..=0xFAFF | 0xFF66..=0xFF9F | 0x2_0000..=0x3_FFFF)
}

fn is_of_word(c: char) -> bool {
    !is_apostrophe(c) && (c.is_alphanumeric() || is_combining_mark(c))
}

/// Cuts a text into words. `elides`: an apostrophe ends a word, as in `l'article`.
pub(crate) fn words(text: &str, elides: bool) -> Vec<Word> {
    let mut reader = Reader {
        elides,
        words: Vec::new(),
        parts: Vec::new(),
        part: String::new(),
        sign: ' ',
        run: String::new(),
    };
    let mut chars = text.chars().filter(|c| !is_ignored(*c)).peekable();
    let mut before = ' ';
    while let Some(c) = chars.next() {
        let next = chars.peek().copied().unwrap_or(' ');
        if let Some(name) = name_of(c).filter(|_| before.is_alphabetic() && !is_unspaced(before)) {
            let twice = next == c && chars.next().is_some();
            let behind = chars.peek().copied().unwrap_or(' ');
            reader.signed(name, twice, behind);
            before = c;
            continue;
        }
        if is_emoji(c) {
            reader.end_compound();
            reader.end_run();
            reader.push(&format!("u{:x}", u32::from(c)), Kind::Pair);
        } else if is_unspaced(c) || (is_combining_mark(c) && !reader.run.is_empty()) {
            reader.end_compound();
            reader.run.push(c);
        } else if is_of_word(c) {
            reader.end_run();
            reader.part.push(c);
        } else {
            let between =
                is_of_word(before) && is_of_word(next) && !is_unspaced(before) && !is_unspaced(next);
            let number = matches!(c, '.' | ',') && before.is_ascii_digit() && next.is_ascii_digit();
            if between && (is_hyphen(c) || is_apostrophe(c) || number) {
                reader.end_part(c);
            } else {
                reader.end_compound();
                reader.end_run();
            }
        }
        before = c;
    }
    reader.end_compound();
    reader.end_run();
    reader.words
}

struct Reader {
    elides: bool,
    words: Vec<Word>,
    /// Of the compound that is being read, each with the sign before it.
    parts: Vec<(String, char)>,
    part: String,
    sign: char,
    /// Characters of a script without spaces.
    run: String,
}

impl Reader {
    fn push(&mut self, text: &str, kind: Kind) {
        if !text.is_empty() {
            let text = match text.char_indices().nth(WORD_CHARS_MAX) {
                Some((end, _)) => text[..end].to_owned(),
                None => text.to_owned(),
            };
            self.words.push(Word { text, kind });
        }
    }

    /// Ends a part; `sign` stands before the next one.
    fn end_part(&mut self, sign: char) {
        let text = fold(&std::mem::take(&mut self.part));
        let before = std::mem::replace(&mut self.sign, sign);
        if !text.is_empty() {
            self.parts.push((text, before));
        }
    }

    /// Ends a compound behind which a sign stands, once or twice: it is a word with the sign's name and without. A
    /// letter `behind` the sign makes it one between words, as in `a+b`.
    fn signed(&mut self, name: &str, twice: bool, behind: char) {
        let is_name = !behind.is_alphabetic() && (twice || !behind.is_alphanumeric());
        let word = fold(&self.part);
        self.end_compound();
        if is_name && !word.is_empty() {
            let word = format!("{word}{}", name.repeat(1 + usize::from(twice)));
            self.push(&word, Kind::Joined);
        }
    }

    fn end_compound(&mut self) {
        self.end_part(' ');
        let mut parts = std::mem::take(&mut self.parts);
        // "Arduino's" and "don't": the first is the word itself, the second is one word.
        if !self.elides {
            let mut place = 1;
            while place < parts.len() {
                if is_apostrophe(parts[place].1) {
                    let (text, _) = parts.remove(place);
                    if text != "s" {
                        parts[place - 1].0.push_str(&text);
                    }
                } else {
                    place += 1;
                }
            }
        }
        if let [(text, _)] = parts.as_slice() {
            return self.push(text, Kind::Whole);
        }
        if parts.iter().skip(1).all(|(_, sign)| is_apostrophe(*sign)) {
            for (text, _) in parts.iter().filter(|(text, _)| text.chars().count() > 1) {
                self.push(text, Kind::Whole);
            }
            return;
        }
        if parts.len() <= COMPOUND_PARTS_MAX {
            let joined: String = parts.iter().map(|(text, _)| text.as_str()).collect();
            self.push(&joined, Kind::Joined);
        }
        for (text, _) in &parts {
            self.push(text, Kind::Part);
        }
    }

    fn end_run(&mut self) {
        if self.run.is_empty() {
            return;
        }
        let run: Vec<char> = fold(&std::mem::take(&mut self.run)).chars().collect();
        if let [single] = run.as_slice() {
            return self.push(&single.to_string(), Kind::Pair);
        }
        for pair in run.windows(2) {
            self.push(&pair.iter().collect::<String>(), Kind::Pair);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(text: &str) -> Vec<String> {
        words(text, false).into_iter().map(|word| word.text).collect()
    }

    #[test]
    fn hyphens_case_and_accents_make_no_difference() {
        for spelling in ["Wi-Fi", "WI\u{2011}FI", "wi\u{2010}fi", "wi\u{2013}fi", "\u{ff37}i\u{2212}Fi"] {
            assert_eq!(texts(spelling), ["wifi", "wi", "fi"], "{spelling}");
        }
        assert_eq!(texts("wi\u{ad}fi WIFI"), ["wifi", "wifi"]);
        assert_eq!(
            texts("Menü MENU\u{308} Straße ΆΛΦΑΣ Ёлка Crème \u{fb01}le"),
            ["menu", "menu", "strasse", "αλφασ", "елка", "creme", "file"]
        );
        assert_eq!(texts("\u{130}stanbul Æble Łódź Ørsted"), ["istanbul", "aeble", "lodz", "orsted"]);
        assert_eq!(fold("война"), "война");
    }

    #[test]
    fn apostrophes_join_or_part_as_the_language_has_it() {
        assert_eq!(texts("Arduino's don\u{2019}t 'quoted'"), ["arduino", "dont", "quoted"]);
        let french: Vec<String> =
            words("l'imprimante d\u{2019}eau", true).into_iter().map(|it| it.text).collect();
        assert_eq!(french, ["imprimante", "eau"]);
    }

    #[test]
    fn numbers_and_versions_stay_together_and_are_found_by_their_parts() {
        assert_eq!(
            texts("3.3V, 1.8.19. End.Next"),
            ["33v", "3", "3v", "1819", "1", "8", "19", "end", "next"]
        );
        assert_eq!(texts("R&D a/b c:d -x- --"), ["rd", "r", "d", "a", "b", "c", "d", "x"]);
        let long = ["a"; COMPOUND_PARTS_MAX + 1].join("-");
        assert!(texts(&long).iter().all(|text| text == "a"));
        assert_eq!(texts(&["a"; COMPOUND_PARTS_MAX].join("-"))[0], "a".repeat(COMPOUND_PARTS_MAX));
    }

    #[test]
    fn signs_that_belong_to_names_are_words() {
        assert_eq!(texts("AT&T a & b"), ["att", "at", "t", "a", "b"]);
        assert_eq!(
            texts("C# C++, F\u{266f}. Disney+"),
            ["c", "csharp", "c", "cplusplus", "f", "fsharp", "disney", "disneyplus"]
        );
        assert_eq!(
            texts("c++11 a+b nr#5 #tag 1+ C#D"),
            ["c", "cplusplus", "11", "a", "b", "nr", "5", "tag", "1", "c", "d"]
        );
        assert_eq!(
            texts("ok\u{1f44d}\u{1f3fd} \u{2764}\u{fe0f} a \u{2192} b\u{2122}"),
            ["ok", "u1f44d", "u2764", "a", "b"]
        );
        assert_eq!(texts("\u{6771}#\u{4eac}+"), ["\u{6771}", "\u{4eac}"]);
    }

    #[test]
    fn scripts_without_spaces_are_cut_into_pairs() {
        assert_eq!(texts("東京都 x 雨"), ["東京", "京都", "x", "雨"]);
        assert_eq!(texts("USBケーブル"), ["usb", "ケー", "ーブ", "ブル"]);
        assert_eq!(texts("한국어"), ["한국", "국어"]);
        assert_eq!(texts("ไทย"), ["ไท", "ทย"]);
        assert_eq!(texts("हिन्दी"), ["हिन्दी"]);
    }

    #[test]
    fn long_words_count_by_their_start() {
        let long = "ä".repeat(WORD_CHARS_MAX + 5);
        assert_eq!(texts(&long), ["a".repeat(WORD_CHARS_MAX)]);
    }

    proptest! {
        #[test]
        fn words_hold_letters_digits_and_marks_only_within_their_bound(text in "\\PC{0,60}", elides: bool) {
            for word in words(&text, elides) {
                prop_assert!(!word.text.is_empty() && word.text.chars().count() <= WORD_CHARS_MAX);
                prop_assert!(word.text.chars().all(|c| c.is_alphanumeric() || is_combining_mark(c)), "{:?}", word);
            }
        }
    }
}
