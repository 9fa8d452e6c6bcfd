//! The blocks of a Markdown text, with the quality of the seam before each: where it is best divided.
//!
//! Lines are read once, from first to last. It knows what the converter writes: ATX headings, fenced code, GFM tables,
//! lists and quotes. Anything else is prose, which is always a valid reading for the purpose of dividing a text.

use std::ops::Range;

use super::fence::Fence;

/// A seam so good is before a heading of level 1; of level 2 it is one more, and so on.
const SEAM_HEADING: u8 = 1;
/// Before a paragraph, a list, a table or code.
const SEAM_BLOCK: u8 = 10;
/// Before an item of a list; one more for each column that it is indented.
const SEAM_ITEM: u8 = 20;
/// The deepest indentation that still counts.
const INDENT_MAX: usize = 100;
/// Before a row of a table.
const SEAM_ROW: u8 = 200;
/// Between a heading and what it heads, or a table's header and its first row: only where nothing else is left.
pub(super) const SEAM_GLUED: u8 = u8::MAX;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A heading of this level, outside of lists and quotes.
    Heading(u8),
    /// A paragraph, an item of a list, anything else.
    Prose,
    /// A table's header row and delimiter row: the table of this number.
    Head(usize),
    /// One row of the table of this number.
    Row(usize),
    /// The fenced code of this number, from its opening line to its closing one.
    Code(usize),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Block {
    /// The first byte of its first line.
    pub(super) start: usize,
    /// Behind its last character that is not white space.
    pub(super) end: usize,
    pub(super) kind: Kind,
    /// The quality of the seam before it: less is better.
    pub(super) seam: u8,
}

/// A text's blocks in order. Between them is only white space.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    pub(super) all: Vec<Block>,
    /// Where each table's header row and delimiter row stand.
    pub(super) heads: Vec<Range<usize>>,
    pub(super) fences: Vec<Fence>,
    /// How many lines were looked at: tests compare it with the number of lines.
    #[cfg(test)]
    pub(super) steps: usize,
}

/// What the scanner is inside of.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    Nothing,
    Prose,
    Table,
    Code,
}

struct Scanner {
    found: Blocks,
    inside: Inside,
    /// Whether the line before was blank, or there was none.
    blank: bool,
}

pub(super) fn blocks(text: &str) -> Blocks {
    let mut scanner = Scanner { found: Blocks::default(), inside: Inside::Nothing, blank: true };
    let mut lines = Lines { text, at: 0 }.peekable();
    while let Some((start, line)) = lines.next() {
        let next = lines.peek().copied();
        if scanner.line(start, line, next) {
            lines.next();
        }
    }
    scanner.found
}

impl Scanner {
    /// Takes in a line; whether it took the `next` one with it.
    fn line(&mut self, start: usize, line: &str, next: Option<(usize, &str)>) -> bool {
        self.step();
        let end = start + line.trim_end().len();
        if self.inside == Inside::Code && self.found.fences.last().is_some_and(|it| it.is_left_by(line)) {
            self.inside = Inside::Nothing;
        }
        if self.inside == Inside::Code {
            self.code_line(start, line, end);
            return false;
        }
        if end == start {
            self.inside = Inside::Nothing;
            self.blank = true;
            return false;
        }
        let (container, content) = container(line);
        let seam = seam(container, self.blank);
        self.blank = false;
        let continues = !has_marker(container);
        if let Some(fence) = Fence::opened_by(start, line, container, content) {
            self.push(start, end, Kind::Code(self.found.fences.len()), seam);
            self.found.fences.push(fence);
            self.inside = Inside::Code;
        } else if let Some(level) = heading_level(content).filter(|_| container.trim().is_empty()) {
            self.push(start, end, Kind::Heading(level), SEAM_HEADING + level - 1);
            self.inside = Inside::Nothing;
        } else if self.inside != Inside::Table
            && let Some((delimiter, next)) = next
            && is_head(content, next)
        {
            self.step();
            let end = delimiter + next.trim_end().len();
            self.push(start, end, Kind::Head(self.found.heads.len()), seam);
            self.found.heads.push(start..end);
            self.inside = Inside::Table;
            return true;
        } else if self.inside == Inside::Table && continues {
            let first = matches!(self.found.all.last().map(|block| block.kind), Some(Kind::Head(_)));
            let seam = if first { SEAM_GLUED } else { SEAM_ROW };
            self.push(start, end, Kind::Row(self.found.heads.len() - 1), seam);
        } else if self.inside == Inside::Prose && continues {
            self.extend(end);
        } else {
            self.push(start, end, Kind::Prose, seam);
            self.inside = Inside::Prose;
        }
        false
    }

    fn code_line(&mut self, start: usize, line: &str, end: usize) {
        let Some(fence) = self.found.fences.last_mut() else { return };
        let closed = fence.is_closed_by(line);
        fence.body.end = if closed { start } else { start + line.len() };
        if closed {
            self.inside = Inside::Nothing;
        }
        if end > start {
            self.extend(end);
        }
    }

    fn push(&mut self, start: usize, end: usize, kind: Kind, seam: u8) {
        // What follows a heading belongs to it.
        let seam = match self.found.all.last().map(|block| block.kind) {
            Some(Kind::Heading(above)) if !matches!(kind, Kind::Heading(it) if it <= above) => SEAM_GLUED,
            _ => seam,
        };
        self.found.all.push(Block { start, end, kind, seam });
    }

    fn extend(&mut self, end: usize) {
        if let Some(block) = self.found.all.last_mut() {
            block.end = end;
        }
    }

    fn step(&mut self) {
        #[cfg(test)]
        {
            self.found.steps += 1;
        }
    }
}

/// The path of headings, outermost first, after a heading of `level` has come.
pub(super) fn step_into(path: &mut Vec<(u8, String)>, level: u8, heading: &str) {
    path.retain(|(above, _)| *above < level);
    let words = heading.trim().trim_start_matches('#').trim();
    let words = words.strip_suffix('#').map_or(words, |rest| {
        let rest = rest.trim_end_matches('#');
        if rest.ends_with(' ') { rest.trim_end() } else { words }
    });
    path.push((level, words.chars().take(super::HEADING_CHARS_MAX).collect()));
}

/// A line's white space and markers of quotes and list items, and the rest.
fn container(line: &str) -> (&str, &str) {
    let bytes = line.as_bytes();
    let mut at = 0;
    loop {
        while bytes.get(at).is_some_and(|byte| matches!(byte, b' ' | b'\t' | b'>')) {
            at += 1;
        }
        let digits = bytes[at..].iter().take(10).take_while(|byte| byte.is_ascii_digit()).count();
        let marker = match (digits, bytes.get(at + digits)) {
            (0, Some(b'-' | b'*' | b'+')) => 1,
            (1..=9, Some(b'.' | b')')) => digits + 1,
            _ => break,
        };
        match bytes.get(at + marker) {
            Some(b' ' | b'\t') => at += marker + 1,
            _ => break,
        }
    }
    line.split_at(at)
}

/// What begins the further lines: the marker of an item stands once, after it they are indented by its width.
pub(super) fn continued(container: &str) -> String {
    container.chars().map(|it| if it == '>' { '>' } else { ' ' }).collect()
}

/// A table's header row and delimiter row as they stand before a further part of it.
pub(super) fn head_again(head: &str) -> String {
    let (marker, rest) = container(head);
    format!("{}{rest}\n", continued(marker))
}

fn has_marker(container: &str) -> bool {
    container.bytes().any(|byte| !matches!(byte, b' ' | b'\t' | b'>'))
}

fn seam(container: &str, blank: bool) -> u8 {
    let indent = container.bytes().take_while(|byte| matches!(byte, b' ' | b'\t')).count().min(INDENT_MAX);
    let indent = u8::try_from(indent).unwrap_or(u8::MAX);
    match (has_marker(container), indent) {
        (true, _) => SEAM_ITEM + indent,
        (false, 0) if blank => SEAM_BLOCK,
        // A further paragraph of an item, or a table or code right behind a line of it.
        (false, _) => SEAM_ITEM + indent + 1,
    }
}

fn heading_level(content: &str) -> Option<u8> {
    let level = content.bytes().take(7).take_while(|byte| *byte == b'#').count();
    let rest = &content[level..];
    ((1..=6).contains(&level) && (rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n'])))
        .then(|| u8::try_from(level).unwrap_or(1))
}

/// Whether a line is the header of a table whose delimiter row is the `next` one.
fn is_head(content: &str, next: &str) -> bool {
    let (container, delimiter) = container_of_row(next);
    let mut parts = 0;
    delimiter.contains('|')
        && content.contains('|')
        && !has_marker(container)
        && cells(delimiter).all(|cell| {
            parts += 1;
            let dashes = cell.trim().trim_start_matches(':').trim_end_matches(':');
            !dashes.is_empty() && dashes.bytes().all(|byte| byte == b'-')
        })
        && cells(content).count() == parts
}

/// As [`container`], without markers: a delimiter row may begin with a dash.
fn container_of_row(line: &str) -> (&str, &str) {
    line.split_at(line.len() - line.trim_start_matches([' ', '\t', '>']).len())
}

/// The cells of a row, parted by pipes that are not escaped.
fn cells(row: &str) -> impl Iterator<Item = &str> {
    let row = row.trim();
    let row = row.strip_prefix('|').unwrap_or(row);
    let row = match row.strip_suffix('|') {
        Some(shorter) if !shorter.ends_with('\\') => shorter,
        _ => row,
    };
    let mut escaped = false;
    row.split(move |letter| {
        let parts = letter == '|' && !escaped;
        escaped = letter == '\\' && !escaped;
        parts
    })
}

/// Lines with their ends, and where each begins.
struct Lines<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Iterator for Lines<'a> {
    type Item = (usize, &'a str);

    fn next(&mut self) -> Option<Self::Item> {
        let start = self.at;
        let rest = &self.text[start..];
        let length = rest.find('\n').map_or(rest.len(), |at| at + 1);
        self.at += length;
        (length > 0).then(|| (start, &rest[..length]))
    }
}
