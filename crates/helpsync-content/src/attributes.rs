//! How many attributes one tag may have.
//!
//! The tokenizer looks at all of a tag's attributes for each new one, and nothing of a tag is seen before its end: a
//! single tag of a few megabytes would keep a core busy for minutes. So the count is bounded before parsing.

use std::ops::ControlFlow;

use memchr::memchr;

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

/// Where each byte leads from each state. A table, because what compilers made of [`step`] for seven states at once took
/// five times as long as all the rest of a conversion.
static STEPS: [[Option<State>; 256]; STATES.len()] = steps();

/// Whether some tag of `html` may have more than `max` attributes.
///
/// Which `<` starts a tag depends on scripts, comments and quotes, and guessing that otherwise than the parser would
/// open a way around the bound. So every `<` before a letter is followed at once, as a set of states with the
/// highest count that leads to each: never too low, and too high only where a text holds `<x` and then `max` words
/// without a `>`.
pub(crate) fn may_exceed(html: &str, max: usize) -> bool {
    let bytes = html.as_bytes();
    let mut from = 0;
    while let Some(found) = memchr(b'<', &bytes[from..]) {
        let behind = from + found + 1;
        let letter = behind + usize::from(bytes.get(behind) == Some(&b'/'));
        from = if bytes.get(letter).is_some_and(u8::is_ascii_alphabetic) {
            let end = match follow_alone(bytes, letter, max) {
                ControlFlow::Break(end) => end,
                ControlFlow::Continue(()) => follow(bytes, letter, max),
            };
            let Some(end) = end else { return true };
            end
        } else {
            behind
        };
    }
    false
}

/// [`follow`] of a tag in which no other may start, as in almost all: it has one state. It breaks off with what
/// [`follow`] would say, unless one may.
fn follow_alone(bytes: &[u8], at: usize, max: usize) -> ControlFlow<Option<usize>> {
    let (mut state, mut count) = (TagName, 0);
    for (at, byte) in bytes.iter().copied().enumerate().skip(at + 1) {
        if byte == b'<' {
            return ControlFlow::Continue(());
        }
        let Some(next) = STEPS[state as usize][usize::from(byte)] else {
            return ControlFlow::Break(Some(at + 1));
        };
        count += usize::from(next == Name && state != Name);
        if count > max {
            return ControlFlow::Break(None);
        }
        state = next;
    }
    ControlFlow::Break(Some(bytes.len()))
}

/// Follows the tag whose name begins at `at`, and those that may start before it ends. Where the last of them has ended;
/// `None` if one may have more than `max` attributes.
fn follow(bytes: &[u8], at: usize, max: usize) -> Option<usize> {
    let mut counts: [Option<usize>; STATES.len()] = [None; STATES.len()];
    for (at, byte) in bytes.iter().copied().enumerate().skip(at) {
        let mut after = [None; STATES.len()];
        for (state, count) in STATES.into_iter().zip(counts) {
            let Some(mut count) = count else { continue };
            let Some(next) = STEPS[state as usize][usize::from(byte)] else { continue };
            count += usize::from(next == Name && state != Name);
            if count > max {
                return None;
            }
            let slot = &mut after[next as usize];
            *slot = (*slot).max(Some(count));
        }
        if byte.is_ascii_alphabetic() && (bytes[at - 1] == b'<' || is_end_tag(bytes, at)) {
            let slot = &mut after[TagName as usize];
            *slot = (*slot).max(Some(0));
        }
        if after.iter().all(Option::is_none) {
            return Some(at + 1);
        }
        counts = after;
    }
    Some(bytes.len())
}

/// Whether the letter at `at` follows `</`: end tags have attributes too, until they are dropped.
fn is_end_tag(bytes: &[u8], at: usize) -> bool {
    at > 1 && &bytes[at - 2..at] == b"</"
}

const fn steps() -> [[Option<State>; 256]; STATES.len()] {
    let mut steps = [[None; 256]; STATES.len()];
    let mut at = 0;
    while at < 256 * STATES.len() {
        steps[at / 256][at % 256] = step(STATES[at / 256], (at % 256) as u8);
        at += 1;
    }
    steps
}

/// Where `byte` leads; `None` at the tag's end.
const fn step(state: State, byte: u8) -> Option<State> {
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

    /// Both ways of following a tag say the same.
    #[test]
    fn a_tag_that_stands_alone_is_followed_as_any() {
        let bytes = b"a /='\">x\n";
        for number in 0..bytes.len().pow(6) {
            let mut left = number;
            let mut tag = b"<b".to_vec();
            for _ in 0..6 {
                tag.push(bytes[left % bytes.len()]);
                left /= bytes.len();
            }
            let ControlFlow::Break(alone) = follow_alone(&tag, 1, 2) else { panic!("{tag:?}") };
            assert_eq!(alone, follow(&tag, 1, 2), "{}", String::from_utf8_lossy(&tag));
        }
        assert_eq!(follow_alone(b"<a b='<c d e f>", 1, 2), ControlFlow::Continue(()));
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
