//! Foreign text that both databases can keep: without NUL, which Postgres refuses, and without halves of surrogate pairs,
//! which are no characters. Real texts hold both: scripts cut them in the middle of an emoji.

use std::borrow::Cow;

use memchr::memchr;
use unicode_general_category::{GeneralCategory, get_general_category};

/// Whether a character is none that people see: a control or format character (what turns the direction of a line around,
/// what has no width), the end of a line or paragraph, or one that means nothing. Two names that look alike may differ by
/// one, and a terminal may do what one says.
#[must_use]
pub fn is_unseen(character: char) -> bool {
    is_blank_letter(character)
        || matches!(
            get_general_category(character),
            GeneralCategory::Control
                | GeneralCategory::Format
                | GeneralCategory::LineSeparator
                | GeneralCategory::ParagraphSeparator
                | GeneralCategory::PrivateUse
                | GeneralCategory::Surrogate
                | GeneralCategory::Unassigned
        )
}

/// Letters and marks that show nothing by themselves: the grapheme joiner, and the fillers of Hangul and Khmer. Source: Unicode's
/// `Default_Ignorable_Code_Point`, without the variation selectors, which say how an emoji looks.
const fn is_blank_letter(character: char) -> bool {
    matches!(
        character,
        '\u{34f}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{3164}' | '\u{ffa0}'
    )
}

/// An address as it may be told: what stands behind its question mark or number sign is often a secret.
#[must_use]
pub fn without_query(address: &str) -> &str {
    address.split(['?', '#']).next().unwrap_or_default()
}

/// The same JSON with escapes in the place of what nobody sees, which stands in strings only; ends of lines stay.
#[must_use]
pub fn seen_json(json: &str) -> Cow<'_, str> {
    let is_hidden = |character: char| character != '\n' && is_unseen(character);
    let Some(first) = json.find(is_hidden) else { return Cow::Borrowed(json) };
    let (seen, rest) = json.split_at(first);
    let mut seen = seen.to_owned();
    for character in rest.chars() {
        if is_hidden(character) {
            let mut units = [0; 2];
            seen.extend(character.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        } else {
            seen.push(character);
        }
    }
    Cow::Owned(seen)
}

/// A JSON text without NUL, spelt or raw, and with U+FFFD for each half of a surrogate pair that stands alone. Anything
/// else stays byte for byte, also what is no JSON. For what others send and nobody can ask to be sent better.
#[must_use]
pub fn sound_json(bytes: &[u8]) -> Cow<'_, [u8]> {
    if !bytes.contains(&0) {
        return without_odd_escapes(bytes).map_or(Cow::Borrowed(bytes), Cow::Owned);
    }
    // Raw ones first: an escape may be split by one, and would be whole without it.
    let bytes: Vec<u8> = bytes.iter().copied().filter(|byte| *byte != 0).collect();
    Cow::Owned(without_odd_escapes(&bytes).unwrap_or(bytes))
}

/// `None`: there is nothing to mend, or it is no JSON.
fn without_odd_escapes(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut sound: Option<Vec<u8>> = None;
    let (mut copied, mut at) = (0, 0);
    while let Some(found) = memchr(b'\\', bytes.get(at..)?) {
        at += found;
        let instead: &[u8] = match (bytes.get(at + 1)?, unit(bytes, at), unit(bytes, at + 6)) {
            (b'u', Some(0), _) => b"",
            (b'u', Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => {
                at += 12;
                continue;
            }
            (b'u', Some(0xD800..=0xDFFF), _) => b"\\ufffd",
            (b'u', Some(_), _) => {
                at += 6;
                continue;
            }
            // No escape at all. What is taken out behind it might make it one.
            (b'u', None, _) => return None,
            // The character after the backslash must not be taken for the start of another escape.
            _ => {
                at += 2;
                continue;
            }
        };
        let sound = sound.get_or_insert_with(|| Vec::with_capacity(bytes.len()));
        sound.extend_from_slice(&bytes[copied..at]);
        sound.extend_from_slice(instead);
        at += 6;
        copied = at;
    }
    let mut sound = sound?;
    sound.extend_from_slice(&bytes[copied..]);
    Some(sound)
}

/// Whether [`sound_json`] would leave it as it is. For what a caller sends, who is told to send it better.
#[must_use]
pub fn is_sound_json(bytes: &[u8]) -> bool {
    matches!(sound_json(bytes), Cow::Borrowed(_))
}

/// The UTF-16 unit that is spelt `\uXXXX` here.
fn unit(bytes: &[u8], at: usize) -> Option<u16> {
    let digits = bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
    let mut unit = 0;
    for digit in digits {
        let value = char::from(*digit).to_digit(16)?;
        unit = unit << 4 | u16::try_from(value).ok()?;
    }
    Some(unit)
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_turns_a_line_around_or_has_no_width_is_not_seen() {
        for unseen in
            ['\0', '\u{1b}', '\u{7f}', '\u{85}', '\u{ad}', '\u{200b}', '\u{200d}', '\u{2028}', '\u{202e}']
        {
            assert!(super::is_unseen(unseen), "{unseen:?}");
        }
        for unseen in ['\u{2066}', '\u{feff}', '\u{e000}', '\u{e0041}', '\u{10ffff}', '\u{34f}', '\u{3164}'] {
            assert!(super::is_unseen(unseen), "{unseen:?}");
        }
        for seen in ['a', ' ', '\u{a0}', 'é', '\u{301}', '日', 'ع', '🙂', '\u{fe0f}'] {
            assert!(!super::is_unseen(seen), "{seen:?}");
        }
    }

    #[test]
    fn json_with_escapes_says_the_same_and_shows_all_of_it() {
        let value = serde_json::json!({ "a": "x\u{202e}y\u{e0041}\n\u{7f}\u{3164}é日🙂" });
        let shown = r#"{"a":"x\u202ey\udb40\udc41\n\u007f\u3164é日🙂"}"#;
        assert_eq!(seen_json(&value.to_string()), shown);
        assert_eq!(serde_json::from_str::<serde_json::Value>(shown).unwrap(), value);
        assert_eq!(seen_json("{\n  \"a\": 1\n}"), "{\n  \"a\": 1\n}");
    }

    use proptest::prelude::*;

    use super::*;

    fn sound(json: &str) -> String {
        String::from_utf8(sound_json(json.as_bytes()).into_owned()).unwrap()
    }

    #[test]
    fn nul_goes_and_half_a_pair_costs_one_character() {
        for (given, kept) in [
            (r#""x\ud83dy""#, r#""x\ufffdy""#),
            (r#""\udc00\uD83D""#, r#""\ufffd\ufffd""#),
            (r#""\ud83d\ud83d\ude00""#, r#""\ufffd\ud83d\ude00""#),
            (r#""a\u0000b""#, r#""ab""#),
            // What is left of a pair with NUL in its middle is two halves.
            (r#""\ud83d\u0000\ude00""#, r#""\ufffd\ufffd""#),
            ("\"a\0b\"\0", "\"ab\""),
            ("\"\\u0\x00000\\\0u0000\"", "\"\""),
            (r#"{"k\u0000":1}"#, r#"{"k":1}"#),
        ] {
            assert_eq!(sound(given), kept, "{given}");
            assert!(!is_sound_json(given.as_bytes()), "{given}");
        }
    }

    #[test]
    fn what_only_looks_alike_stays() {
        for given in [
            r#""\\u0000""#,
            r#""\\ud83d""#,
            r#""\ud83d\ude00""#,
            r#""\u0041\n\"\u00""#,
            r#""\u00000""#.replace("\\u00000", "\\u00010").as_str(),
            "\\",
            "\\u",
            "\\ud83",
            "",
            // No JSON, and not to become any.
            r#""\u00\u000000""#,
        ] {
            assert!(is_sound_json(given.as_bytes()), "{given}");
        }
    }

    proptest! {
        #[test]
        fn sound_text_stays_and_odd_text_becomes_readable(text in "[^\0]*", odd in "(\\\\u[dD][89a-fA-F][0-9]{2}|\\\\u0000|x|\\\\\\\\|é){0,9}") {
            let json = serde_json::to_string(&text).unwrap();
            prop_assert!(is_sound_json(json.as_bytes()));
            let odd = format!("\"{odd}\"");
            let read: String = serde_json::from_slice(&sound_json(odd.as_bytes())).unwrap();
            prop_assert!(!read.contains('\0'), "{}", odd);
            let once = sound_json(odd.as_bytes()).into_owned();
            prop_assert!(is_sound_json(&once));
        }

        #[test]
        fn whatever_comes_is_sound_afterwards(bytes in "(\\\\|u|0|\0|d8|x|\"){0,24}".prop_map(String::into_bytes)) {
            prop_assert!(is_sound_json(&sound_json(&bytes)));
        }
    }
}
