//! What is struck, strong or emphasized, and links: where each begins and ends, so that a part of a text that begins or
//! ends inside of one says so. A price whose tildes stand in the chunk before would read as valid.

use std::ops::Range;

/// The longest mark that is written again. A link with a longer address is divided as if it were none: each part would
/// repeat it.
const MARK_BYTES_MAX: usize = 400;
/// The most marks that are open at once. The converter opens five and a link.
const OPEN_MAX: usize = 12;
/// The asterisks of what is strong and emphasized.
const ASTERISKS_MAX: usize = 3;
/// The tildes of what is struck.
const TILDES: usize = 2;
/// The tags that the converter writes with an end of their own.
const TAGS: [&str; 4] = ["del", "strong", "em", "code"];

/// Two marks and what they enclose.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Pair {
    open: Range<usize>,
    close: Range<usize>,
    is_link: bool,
    /// The one around it, by its number.
    outer: Option<usize>,
}

impl Pair {
    /// Whether a place lies between its marks, not in one: where there is no room, marks are divided like words.
    fn encloses(&self, at: usize) -> bool {
        (self.open.end..=self.close.start).contains(&at)
    }
}

/// Which pairs are closed and opened again. There may be no room for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Kept {
    #[default]
    All,
    /// Those but links, which bring their addresses along.
    NoLinks,
    Nothing,
}

impl Kept {
    fn has(self, pair: &Pair) -> bool {
        match self {
            Self::All => true,
            Self::NoLinks => !pair.is_link,
            Self::Nothing => false,
        }
    }
}

/// The pairs of a text, in the order in which they begin.
#[derive(Debug, Default)]
pub(super) struct Pairs(Vec<Pair>);

/// A mark whose end is not found yet.
struct Opened {
    range: Range<usize>,
    kind: Kind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Asterisks,
    Tildes,
    Link,
    Tag(&'static str),
}

impl Pairs {
    /// Adds those of a paragraph, a heading or a cell, `part` of the text; parts are added in order. `behind_code` tells
    /// where a span of code that begins at a place ends.
    pub(super) fn add(
        &mut self,
        text: &str,
        part: Range<usize>,
        mut behind_code: impl FnMut(usize) -> Option<usize>,
    ) {
        let first = self.0.len();
        let mut open: Vec<Opened> = Vec::new();
        let bytes = text.as_bytes();
        let special = |byte: &u8| matches!(byte, b'\\' | b'`' | b'*' | b'~' | b'[' | b']' | b'<');
        let mut at = part.start;
        while let Some(found) = bytes[at..part.end].iter().position(special) {
            at += found;
            at = match bytes[at] {
                b'\\' => (at + 2).min(part.end),
                b'`' => behind_code(at).unwrap_or(at + 1),
                mark @ (b'*' | b'~') => self.run(text, &part, at, mark, &mut open),
                b'[' => {
                    let start = at - usize::from(at > part.start && bytes[at - 1] == b'!');
                    push(&mut open, Opened { range: start..at + 1, kind: Kind::Link });
                    at + 1
                }
                b']' => self.end_of_link(bytes, &part, at, &mut open),
                _ => self.tag(text, &part, at, &mut open),
            };
            if at >= part.end {
                break;
            }
        }
        self.0[first..].sort_by_key(|pair| pair.open.start);
        let mut around: Vec<usize> = Vec::new();
        for number in first..self.0.len() {
            let start = self.0[number].open.start;
            while around.pop_if(|outer| self.0[*outer].close.end <= start).is_some() {}
            self.0[number].outer = around.last().copied();
            around.push(number);
        }
    }

    /// Takes in a run of asterisks or tildes; where it ends.
    fn run(&mut self, text: &str, part: &Range<usize>, at: usize, mark: u8, open: &mut Vec<Opened>) -> usize {
        let bytes = text.as_bytes();
        let end = at + bytes[at..part.end].iter().take_while(|byte| **byte == mark).count();
        let kind = if mark == b'*' { Kind::Asterisks } else { Kind::Tildes };
        let before = Beside::of(text[part.start..at].chars().next_back());
        let after = Beside::of(text[end..part.end].chars().next());
        let may_open = after == Beside::Word || after == Beside::Sign && before != Beside::Word;
        let may_close = before == Beside::Word || before == Beside::Sign && after != Beside::Word;
        let mut from = at;
        while may_close && from < end {
            let Some(Opened { range, .. }) = last_of(kind, open) else { break };
            let length = range.len().min(end - from);
            self.pair(range.end - length..range.end, from..from + length, false);
            from += length;
            if range.len() > length {
                open.push(Opened { range: range.start..range.end - length, kind });
            }
        }
        let fits = match kind {
            Kind::Asterisks => end - from <= ASTERISKS_MAX,
            // A single tilde is a word's.
            _ => end - from == TILDES,
        };
        if may_open && from < end && fits {
            push(open, Opened { range: from..end, kind });
        }
        end
    }

    /// Takes in the bracket that may end a link's words; where what it ends is over.
    fn end_of_link(&mut self, bytes: &[u8], part: &Range<usize>, at: usize, open: &mut Vec<Opened>) -> usize {
        let Some(place) = open.iter().rposition(|it| it.kind == Kind::Link) else { return at + 1 };
        open.truncate(place + 1);
        let Some(Opened { range, .. }) = open.pop() else { return at + 1 };
        if at + 1 >= part.end || bytes[at + 1] != b'(' {
            return at + 1;
        }
        let Some(length) = target(&bytes[at + 1..part.end]) else { return at + 1 };
        let end = at + 1 + length;
        self.pair(range, at..end, true);
        end
    }

    /// Takes in what may be a tag; where it ends.
    fn tag(&mut self, text: &str, part: &Range<usize>, at: usize, open: &mut Vec<Opened>) -> usize {
        let rest = &text[at + 1..part.end];
        let (rest, closes) = rest.strip_prefix('/').map_or((rest, false), |rest| (rest, true));
        let named = |name: &&&str| rest.strip_prefix(**name).is_some_and(|rest| rest.starts_with('>'));
        let Some(name) = TAGS.iter().find(named) else { return at + 1 };
        let end = at + 2 + usize::from(closes) + name.len();
        let kind = Kind::Tag(name);
        if !closes {
            push(open, Opened { range: at..end, kind });
        } else if let Some(Opened { range, .. }) = last_of(kind, open) {
            self.pair(range, at..end, false);
        }
        end
    }

    fn pair(&mut self, open: Range<usize>, close: Range<usize>, is_link: bool) {
        if open.len().max(close.len()) <= MARK_BYTES_MAX {
            self.0.push(Pair { open, close, is_link, outer: None });
        }
    }

    /// The pairs that a place lies inside of, behind the first byte and before the last one: innermost first.
    fn around(&self, at: usize) -> impl Iterator<Item = &Pair> {
        let next = self.0.partition_point(|pair| pair.open.start < at);
        let outer = |number: &usize| self.0[*number].outer;
        std::iter::successors(next.checked_sub(1), outer)
            .map(|number| &self.0[number])
            .filter(move |pair| at < pair.close.end)
    }

    /// Where a text that would begin or end at a place does so without leaving a mark alone.
    pub(super) fn settled(&self, text: &str, at: usize, kept: Kept) -> usize {
        let mut at = at;
        // Marks may stand side by side.
        for _ in 0..=OPEN_MAX {
            let moved =
                self.around(at).filter(|pair| kept.has(pair)).find_map(|Pair { open, close, .. }| {
                    let blank = |part: Range<usize>| text.get(part).is_none_or(|it| it.trim().is_empty());
                    if at >= close.start || blank(at.max(open.end)..close.start) {
                        Some(close.end)
                    } else if at <= open.end || blank(open.end..at) {
                        Some(open.start)
                    } else {
                        None
                    }
                });
            match moved {
                Some(moved) => at = moved,
                None => break,
            }
        }
        at
    }

    /// Behind the links that a place lies inside of.
    pub(super) fn behind_links(&self, at: usize) -> usize {
        self.around(at).filter(|pair| pair.is_link).last().map_or(at, |pair| pair.close.end)
    }

    /// Whether any pair stands between two places, or around the first.
    pub(super) fn any_between(&self, start: usize, end: usize) -> bool {
        let next = self.0.partition_point(|pair| pair.open.start < start);
        self.around(start).next().is_some() || self.0.get(next).is_some_and(|pair| pair.open.start < end)
    }

    /// Where the outermost pair begins that a place lies inside of.
    pub(super) fn outermost(&self, at: usize) -> Option<usize> {
        self.around(at).last().map(|pair| pair.open.start)
    }

    /// Behind all marks that begin at a place.
    pub(super) fn behind_opening(&self, at: usize) -> usize {
        let first = self.0.partition_point(|pair| pair.open.start < at);
        let mut behind = at;
        for pair in &self.0[first..] {
            if pair.open.start != behind {
                break;
            }
            behind = pair.open.end;
        }
        behind
    }

    /// The marks that open again what is open at a place.
    pub(super) fn opening(&self, text: &str, at: usize, kept: Kept) -> String {
        let pairs = self.around(at).filter(|pair| kept.has(pair) && pair.encloses(at));
        let mut marks: Vec<&str> = pairs.map(|pair| &text[pair.open.clone()]).collect();
        marks.reverse();
        marks.concat()
    }

    /// The marks that close what is open at a place.
    pub(super) fn closing(&self, text: &str, at: usize, kept: Kept) -> String {
        self.around(at)
            .filter(|pair| kept.has(pair) && pair.encloses(at))
            .map(|pair| &text[pair.close.clone()])
            .collect()
    }
}

/// What stands beside a run of marks, as CommonMark's rules see it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Beside {
    Space,
    Sign,
    Word,
}

impl Beside {
    fn of(letter: Option<char>) -> Self {
        match letter {
            None => Self::Space,
            Some(letter) if letter.is_whitespace() => Self::Space,
            Some(letter) if letter.is_alphanumeric() => Self::Word,
            Some(_) => Self::Sign,
        }
    }
}

/// Takes the last mark of a kind, and what is open within it. Links and tags are not ended from within.
fn last_of(kind: Kind, open: &mut Vec<Opened>) -> Option<Opened> {
    let place = open.iter().rposition(|it| it.kind == kind)?;
    let within = |it: &Opened| matches!(it.kind, Kind::Link | Kind::Tag(_));
    if matches!(kind, Kind::Asterisks | Kind::Tildes) && open[place + 1..].iter().any(within) {
        return None;
    }
    open.truncate(place + 1);
    open.pop()
}

/// Of too many marks the outermost count.
fn push(open: &mut Vec<Opened>, opened: Opened) {
    if open.len() < OPEN_MAX {
        open.push(opened);
    }
}

/// How long the target of a link is, from its bracket to its bracket. Brackets in an address are escaped.
fn target(bytes: &[u8]) -> Option<usize> {
    let mut escaped = false;
    let mut quoted = false;
    for (at, byte) in bytes.iter().enumerate().take(MARK_BYTES_MAX) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => quoted = !quoted,
            b')' if !quoted => return Some(at + 1),
            b'(' if !quoted && at > 0 => return None,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(&str, &str)> {
        let mut pairs = Pairs::default();
        pairs.add(text, 0..text.len(), |_| None);
        pairs.0.iter().map(|pair| (&text[pair.open.clone()], &text[pair.close.clone()])).collect()
    }

    #[test]
    fn pairs_are_those_that_the_converter_writes() {
        for (text, expected) in [
            ("a ~~b c~~ d", vec![("~~", "~~")]),
            ("**a *b***", vec![("**", "**"), ("*", "*")]),
            ("***a** b*", vec![("*", "*"), ("**", "**")]),
            ("***a***", vec![("***", "***")]),
            ("~~**a**~~", vec![("~~", "~~"), ("**", "**")]),
            ("[a **b**](/c \"d \\\" )\") e", vec![("[", "](/c \"d \\\" )\")"), ("**", "**")]),
            ("![a](/b\\)c)", vec![("![", "](/b\\)c)")]),
            ("<del>a <em>b</em></del>", vec![("<del>", "</del>"), ("<em>", "</em>")]),
            ("**s[\\*a\\**b `c` d*](/e)**", vec![("**", "**"), ("[", "](/e)"), ("*", "*")]),
            ("a**b**c", vec![("**", "**")]),
            ("* a \\*b* \\~~c~~ [d] 2 * 3 <b>", vec![]),
        ] {
            assert_eq!(found(text), expected, "{text}");
        }
    }
}
