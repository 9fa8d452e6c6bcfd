//! Code between words, and the marks of pairs around it: where they stand, so that no part of a text shows code as
//! markup, or a mark alone.

use std::collections::HashMap;
use std::ops::Range;

use super::pairs::{Kept, Pairs};

/// Spans of more backticks are divided as if they were none: each part would repeat them all.
const BACKTICKS_MAX: usize = 100;

/// A span of code: backticks, the code, as many backticks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: usize,
    /// Between the backticks.
    pub(super) code: Range<usize>,
    pub(super) end: usize,
}

impl Span {
    /// Its backticks.
    pub(super) fn marks<'a>(&self, text: &'a str) -> &'a str {
        &text[self.start..self.code.start]
    }
}

/// The spans of a text, in order.
#[derive(Debug, Default)]
pub(super) struct Spans {
    all: Vec<Span>,
    pub(super) pairs: Pairs,
}

impl Spans {
    /// Adds those of a paragraph, a heading or a cell, `part` of the text; parts are added in order.
    pub(super) fn add(&mut self, text: &str, part: Range<usize>) {
        self.add_code(text, part.clone());
        let all = &self.all;
        self.pairs.add(text, part, |at| {
            all.binary_search_by_key(&at, |span| span.start).ok().map(|number| all[number].end)
        });
    }

    fn add_code(&mut self, text: &str, part: Range<usize>) {
        let runs = runs(text, part);
        // The places of runs of a length, from the last to the first.
        let mut places: HashMap<usize, Vec<usize>> = HashMap::new();
        for run in runs.iter().rev() {
            places.entry(run.len()).or_default().push(run.start);
        }
        let mut behind = 0;
        for run in runs {
            let escaped = text[..run.start].bytes().rev().take_while(|it| *it == b'\\').count();
            let opening = run.start + escaped % 2..run.end;
            if run.start < behind || opening.is_empty() {
                continue;
            }
            let Some(places) = places.get_mut(&opening.len()) else { continue };
            while places.last().is_some_and(|it| *it < opening.end) {
                places.pop();
            }
            if let Some(close) = places.last() {
                behind = close + opening.len();
                if opening.len() > BACKTICKS_MAX {
                    continue;
                }
                self.all.push(Span { start: opening.start, code: opening.end..*close, end: behind });
            }
        }
    }

    /// The span that a place lies inside of: behind its first byte and before its end.
    pub(super) fn around(&self, at: usize) -> Option<&Span> {
        let next = self.all.partition_point(|span| span.start < at);
        self.all[..next].last().filter(|span| at < span.end)
    }

    /// Where a text that would be divided at a place behind `floor` is divided without leaving a mark alone; nothing where there is no such place between `floor` and the end of the span.
    pub(super) fn settled(&self, text: &str, floor: usize, at: usize, kept: Kept) -> Option<usize> {
        let settled = self.settled_start(text, at, kept);
        (settled >= at || settled > floor).then_some(settled)
    }

    /// Where a text that would begin at a place begins without leaving a mark alone: before the span or the pair, behind
    /// it, or in it.
    pub(super) fn settled_start(&self, text: &str, at: usize, kept: Kept) -> usize {
        self.pairs.settled(text, self.settled_in_code(text, at), kept)
    }

    fn settled_in_code(&self, text: &str, at: usize) -> usize {
        let Some(span) = self.around(at) else { return at };
        let Range { start, end } = span.code;
        if at >= end || text[at.max(start)..end].trim().is_empty() {
            span.end
        } else if at <= start || text[start..at].trim().is_empty() {
            span.start
        } else {
            at
        }
    }
}

/// How far a place is moved to stay clear of a mark.
const MARK_BYTES_MAX: usize = 48;

/// The last place behind `floor` and not behind `at` that divides no escape, no entity, no tag and no run of backticks. It
/// is `at` itself where there is none, or behind the escape that stands there.
pub(super) fn settled(text: &str, floor: usize, at: usize) -> usize {
    let bytes = text.as_bytes();
    let low = at.saturating_sub(MARK_BYTES_MAX).max(floor);
    let mut to = at;
    if let Some(mark) = bytes[low..at].iter().rposition(|byte| matches!(byte, b'&' | b'<')) {
        let inner = &bytes[low + mark + 1..at];
        if inner.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'#' | b'/')) {
            to = low + mark;
        }
    }
    while to > low && bytes[to - 1] == b'`' && bytes.get(to) == Some(&b'`') {
        to -= 1;
    }
    let escapes = bytes[low..to].iter().rev().take_while(|byte| **byte == b'\\').count() % 2;
    let is_escape = escapes == 1 && bytes.get(to).is_some_and(u8::is_ascii_punctuation);
    match to - usize::from(is_escape) {
        to if to > floor => to,
        _ if is_escape => to + 1,
        _ => at,
    }
}

/// The runs of backticks in a part of the text.
fn runs(text: &str, part: Range<usize>) -> Vec<Range<usize>> {
    let bytes = text.as_bytes();
    let mut all: Vec<Range<usize>> = Vec::new();
    for (at, _) in text[part.clone()].match_indices('`') {
        let at = part.start + at;
        match all.last_mut() {
            Some(run) if run.end == at && bytes[at - 1] == b'`' => run.end += 1,
            _ => all.push(at..at + 1),
        }
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_those_of_commonmark() {
        for (text, codes) in [
            ("a `b` c", vec!["b"]),
            ("``a`b`` `c`", vec!["a`b", "c"]),
            ("\\`a` b`", vec![" b"]),
            ("\\\\`a`", vec!["a"]),
            ("`a\\` b", vec!["a\\"]),
            ("``a` b", vec![]),
            ("`a``b` `c", vec!["a``b"]),
            ("", vec![]),
        ] {
            let mut spans = Spans::default();
            spans.add(text, 0..text.len());
            let found: Vec<&str> = spans.all.iter().map(|span| &text[span.code.clone()]).collect();
            assert_eq!(found, codes, "{text}");
        }
    }
}
