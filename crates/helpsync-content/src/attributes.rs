//! How many attributes one tag may have.
//!
//! The tokenizer looks at all of a tag's attributes for each new one, and nothing of a tag is seen before its end: a
//! single tag of a few megabytes would keep a core busy for minutes. So the count is bounded before parsing.

/// Where a reader of a tag may be, after the HTML standard's tokenizer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    TagName,
    BeforeName,
    Name,
    BeforeValue,
    DoubleQuoted,
    SingleQuoted,
    Unquoted,
}

use State::{BeforeName, BeforeValue, DoubleQuoted, Name, SingleQuoted, TagName, Unquoted};

const STATES: [State; 7] = [TagName, BeforeName, Name, BeforeValue, DoubleQuoted, SingleQuoted, Unquoted];

/// Whether some tag of `html` may have more than `max` attributes.
///
/// Which `<` starts a tag depends on scripts, comments and quotes, and guessing that otherwise than the parser would
/// open a way around the bound. So every `<` before a letter is followed at once, as a set of states with the
/// highest count that leads to each: never too low, and too high only where a text holds `<x` and then `max` words
/// without a `>`.
pub(crate) fn may_exceed(html: &str, max: usize) -> bool {
    let bytes = html.as_bytes();
    let mut counts: [Option<usize>; 7] = [None; 7];
    for (at, byte) in bytes.iter().copied().enumerate() {
        let starts = byte.is_ascii_alphabetic() && at > 0 && (bytes[at - 1] == b'<' || is_end_tag(bytes, at));
        if counts == [None; 7] && !starts {
            continue;
        }
        let mut after: [Option<usize>; 7] = [None; 7];
        for (state, count) in STATES.into_iter().zip(counts) {
            let Some(mut count) = count else { continue };
            let Some(next) = step(state, byte) else { continue };
            count += usize::from(next == Name && state != Name);
            if count > max {
                return true;
            }
            let slot = &mut after[next as usize];
            *slot = (*slot).max(Some(count));
        }
        if starts {
            let slot = &mut after[TagName as usize];
            *slot = (*slot).max(Some(0));
        }
        counts = after;
    }
    false
}

/// Whether the letter at `at` follows `</`: end tags have attributes too, until they are dropped.
fn is_end_tag(bytes: &[u8], at: usize) -> bool {
    at > 1 && &bytes[at - 2..at] == b"</"
}

/// Where `byte` leads; `None` at the tag's end.
fn step(state: State, byte: u8) -> Option<State> {
    let blank = byte.is_ascii_whitespace();
    Some(match (state, byte) {
        (DoubleQuoted, b'"') | (SingleQuoted, b'\'') => BeforeName,
        (DoubleQuoted | SingleQuoted, _) => state,
        (_, b'>') => return None,
        (TagName | Name | BeforeName, b'/') => BeforeName,
        (TagName | BeforeName | Unquoted, _) if blank => BeforeName,
        (TagName, _) => TagName,
        // "After attribute name" is the same as before one, but for `=`, which `BeforeName` takes as a value's start.
        (Name, _) if blank => BeforeName,
        (Name | BeforeName, b'=') => BeforeValue,
        (Name | BeforeName, _) => Name,
        (BeforeValue, b'"') => DoubleQuoted,
        (BeforeValue, b'\'') => SingleQuoted,
        (BeforeValue, _) if blank => BeforeValue,
        (BeforeValue | Unquoted, _) => Unquoted,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes_are_counted_in_every_spelling() {
        for html in [
            "<a b c d>",
            "<a b=1 c=2 d=3>",
            "<a/b/c/d>",
            r#"<a b="1"c="2"d="3">"#,
            "<a b='x'c='y'd>",
            "</a b c d>",
            "<a\nb\tc\u{c}d",
            "<a b = c d = e f>",
            "x<y<a b c d",
            "<a b=c=\"d c d e>",
            "<a b\"c d\" e>",
            "<script>x<y z=\"</script><a b c d>",
            "<!-- <x y=' --><a b c d>",
        ] {
            assert!(may_exceed(html, 2), "{html}");
            assert!(!may_exceed(html, 8), "{html}");
        }
    }

    #[test]
    fn values_and_texts_are_not_attributes() {
        for html in [
            "<a b=\"1 2 3 4 5\" c='1 2 3 4 5'>",
            "<a b=1><a b=2><a b=3>",
            "1 < 2 and so on and on and on",
            "<img src=data:image/png;base64,a/b/c/d/e>",
            "<p>many many many words</p>",
            "<a b=\"x > y\" c>",
        ] {
            assert!(!may_exceed(html, 2), "{html}");
        }
    }
}
