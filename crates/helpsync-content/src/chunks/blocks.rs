//! The blocks of a Markdown text, with the quality of the seam before each: where it is best divided.
//!
//! Lines are read once, from first to last. It knows what the converter writes: ATX headings, fenced code, GFM tables,
//! lists and quotes. Anything else is prose, which is always a valid reading for the purpose of dividing a text.

use std::ops::Range;

use super::containers::{ContainerId, Containers, Line};
use super::fence::Fence;
use super::spans::{Spans, settled};
use crate::cells::{HEADER_DASHES, HEADER_ROWS_MAX};

/// A seam so good is before a heading of level 1; of level 2 it is one more, and so on.
const SEAM_HEADING: u8 = 1;
/// Before a paragraph, a list, a table or code.
const SEAM_BLOCK: u8 = 10;
/// Before an item of a list; one more for each column that it is indented.
const SEAM_ITEM: u8 = 20;
/// The deepest indentation that still counts.
const INDENT_MAX: usize = 100;
/// Before a row of a table that says what the rows behind it are.
const SEAM_TITLE: u8 = 199;
/// Before another row of a table.
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
    /// Behind the marks of what contains it, in its first line.
    pub(super) content: usize,
    /// Behind its last character that is not white space.
    pub(super) end: usize,
    pub(super) kind: Kind,
    pub(super) inside: Option<ContainerId>,
    /// The quality of the seam before it: less is better.
    pub(super) seam: u8,
}

/// A table's header.
#[derive(Debug, Clone)]
pub(super) struct Head {
    pub(super) range: Range<usize>,
    /// Behind the marks of what contains it, in its first line.
    pub(super) content: usize,
    pub(super) inside: Option<ContainerId>,
}

/// A text's blocks in order. Between them is only white space.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    pub(super) all: Vec<Block>,
    /// Where each table's header rows and delimiter row stand.
    pub(super) heads: Vec<Head>,
    /// The rows that say what the rows behind them are, as numbers of blocks: first and last of those in a row.
    pub(super) titles: Vec<(usize, usize)>,
    pub(super) fences: Vec<Fence>,
    pub(super) containers: Containers,
    pub(super) spans: Spans,
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
    /// How many further rows the last table's header still has.
    further_heads: usize,
}

pub(super) fn blocks(text: &str) -> Blocks {
    let mut scanner =
        Scanner { found: Blocks::default(), inside: Inside::Nothing, blank: true, further_heads: 0 };
    let mut lines = Lines { text, at: 0 }.peekable();
    while let Some((start, line)) = lines.next() {
        let next = lines.peek().copied();
        if scanner.line(start, line, next) {
            lines.next();
        }
    }
    let mut found = scanner.found;
    for block in &found.all {
        match block.kind {
            Kind::Code(_) => {}
            Kind::Heading(_) | Kind::Prose => found.spans.add(text, block.start..block.end),
            Kind::Head(_) | Kind::Row(_) => {
                for cell in cells(&text[block.start..block.end]) {
                    found.spans.add(text, block.start + cell.start..block.start + cell.end);
                }
            }
        }
    }
    found
}

impl Scanner {
    /// Takes in a line; whether it took the `next` one with it.
    fn line(&mut self, start: usize, line: &str, next: Option<(usize, &str)>) -> bool {
        self.step();
        let end = start + line.trim_end().len();
        if self.inside == Inside::Code {
            if let Some(content) = self.found.containers.continued_by(line) {
                self.code_line(start, line, content, end);
                return false;
            }
            self.inside = Inside::Nothing;
        }
        let at = self.found.containers.read(start, line, self.inside == Inside::Prose);
        let content = &line[at.content..];
        if content.trim().is_empty() {
            self.blank_line(start, end, at);
            return false;
        }
        let seam = seam(line, at, self.blank);
        self.blank = false;
        let (from, inside) = (start + at.content, at.inside);
        let new = |end, kind| Block { start, content: from, end, kind, inside, seam };
        if let Some(fence) = Fence::opened_by(start, line, at) {
            self.push(new(end, Kind::Code(self.found.fences.len())));
            self.found.fences.push(fence);
            self.inside = Inside::Code;
        } else if let Some(level) = heading_level(content) {
            self.push(if inside.is_none() {
                Block { seam: SEAM_HEADING + level - 1, ..new(end, Kind::Heading(level)) }
            } else {
                new(end, Kind::Prose)
            });
            self.inside = Inside::Nothing;
        } else if self.inside != Inside::Table
            && let Some((delimiter, next)) = next
            && let Some(further) = self.further_heads(content, next)
        {
            self.step();
            let end = delimiter + next.trim_end().len();
            self.push(new(end, Kind::Head(self.found.heads.len())));
            self.found.heads.push(Head { range: start..end, content: from, inside });
            self.inside = Inside::Table;
            self.further_heads = further;
            return true;
        } else if self.inside == Inside::Table && !at.is_new {
            self.row(new(end, Kind::Row(self.found.heads.len() - 1)), is_title(content));
        } else if self.inside == Inside::Prose && !at.is_new {
            self.extend(end);
        } else {
            self.push(new(end, Kind::Prose));
            self.inside = Inside::Prose;
        }
        false
    }

    /// Where a line is a table's header with the `next` one as its delimiter row: how many rows more are headers.
    fn further_heads(&self, content: &str, next: &str) -> Option<usize> {
        let delimiter = &next[self.found.containers.continued_by(next)?..];
        is_head(content, delimiter).then(|| further_dashes(delimiter))
    }

    /// A line without content ends a paragraph; the marks of a quote or an item in it belong to a block all the same.
    fn blank_line(&mut self, start: usize, end: usize, at: Line) {
        if end > start && (at.is_new || self.found.all.is_empty()) {
            let seam = if at.is_item { SEAM_ITEM } else { SEAM_BLOCK };
            let content = (start + at.content).min(end);
            self.push(Block { start, content, end, kind: Kind::Prose, inside: at.inside, seam });
        } else if end > start {
            self.extend(end);
        }
        self.inside = Inside::Nothing;
        self.blank = true;
    }

    fn row(&mut self, row: Block, is_title: bool) {
        let first = matches!(self.found.all.last().map(|block| block.kind), Some(Kind::Head(_)));
        if first && self.further_heads > 0 {
            self.further_heads -= 1;
            self.extend(row.end);
            if let Some(head) = self.found.heads.last_mut() {
                head.range.end = row.end;
            }
            return;
        }
        let number = self.found.all.len();
        let titles = self.found.titles.last().filter(|(_, last)| last + 1 == number);
        // Many titles in a row head nothing.
        let is_glued =
            first || titles.is_some_and(|(first, _)| !is_title || number - first < HEADER_ROWS_MAX);
        let behind_title = titles.is_some();
        let seam = match is_title {
            _ if is_glued => SEAM_GLUED,
            true => SEAM_TITLE,
            false => SEAM_ROW,
        };
        self.push(Block { seam, ..row });
        match self.found.titles.last_mut() {
            Some((_, last)) if is_title && behind_title => *last = number,
            _ if is_title => self.found.titles.push((number, number)),
            _ => {}
        }
    }

    fn code_line(&mut self, start: usize, line: &str, content: usize, end: usize) {
        let Some(fence) = self.found.fences.last_mut() else { return };
        let closed = fence.is_closed_by(&line[content..]);
        fence.body.end = if closed { start } else { start + line.len() };
        if closed {
            self.inside = Inside::Nothing;
        }
        if end > start {
            self.extend(end);
        }
    }

    fn push(&mut self, block: Block) {
        // What follows a heading belongs to it.
        let seam = match self.found.all.last().map(|block| block.kind) {
            Some(Kind::Heading(above)) if !matches!(block.kind, Kind::Heading(it) if it <= above) => {
                SEAM_GLUED
            }
            _ => block.seam,
        };
        self.found.all.push(Block { seam, ..block });
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

impl Blocks {
    /// The rows of the same table that say what row `number` is: first and last.
    pub(super) fn titles_of(&self, number: usize) -> Option<(usize, usize)> {
        let behind = self.titles.partition_point(|(first, _)| *first <= number);
        let (first, last) = *self.titles.get(behind.checked_sub(1)?)?;
        // One of several titles stands under those before it, the first of them under none.
        let last = last.min(number.checked_sub(1)?);
        (first <= last && self.all[last].kind == self.all[number].kind).then_some((first, last))
    }

    /// Whether a block is such a row.
    pub(super) fn is_title(&self, number: usize) -> bool {
        let behind = self.titles.partition_point(|(first, _)| *first <= number);
        behind.checked_sub(1).is_some_and(|it| self.titles[it].1 >= number)
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
    let end = words.char_indices().nth(super::HEADING_CHARS_MAX).map(|(at, _)| at);
    let end = end.map_or(words.len(), |end| {
        let mut spans = Spans::default();
        spans.add(words, 0..words.len());
        // Not in the middle of code: the rest of it would be markup.
        let end = spans.around(end).map_or_else(|| settled(words, 0, end), |span| span.start);
        // Nor in something struck, as long as anything is left.
        spans.pairs.outermost(end).filter(|start| *start > 0).unwrap_or(end)
    });
    path.push((level, words[..end].to_owned()));
}

fn seam(line: &str, at: Line, blank: bool) -> u8 {
    let indent = line.bytes().take_while(|byte| matches!(byte, b' ' | b'\t')).count().min(INDENT_MAX);
    let indent = u8::try_from(indent).unwrap_or(u8::MAX);
    match (at.is_item, indent) {
        (true, _) => SEAM_ITEM + indent,
        (false, 0) if blank => SEAM_BLOCK,
        // A further paragraph of an item, or a table or code right behind a line of it.
        (false, _) => SEAM_ITEM + indent + 1,
    }
}

/// The level of the heading that a line is.
pub(super) fn heading_level(content: &str) -> Option<u8> {
    let content = content.trim_start_matches(' ');
    let level = content.bytes().take(7).take_while(|byte| *byte == b'#').count();
    let rest = &content[level..];
    ((1..=6).contains(&level) && (rest.is_empty() || rest.starts_with([' ', '\t', '\r', '\n'])))
        .then(|| u8::try_from(level).unwrap_or(1))
}

/// Whether a line is the header of a table whose delimiter row is the `next` one.
fn is_head(content: &str, next: &str) -> bool {
    let mut parts = 0;
    next.contains('|')
        && content.contains('|')
        && cells(next).all(|cell| {
            parts += 1;
            let dashes = next[cell].trim().trim_start_matches(':').trim_end_matches(':');
            !dashes.is_empty() && dashes.bytes().all(|byte| byte == b'-')
        })
        && cells(content).count() == parts
}

/// Whether a row says what the rows behind it are, as the converter tells by an empty cell at its end.
fn is_title(row: &str) -> bool {
    let is_blank = |cell: &Range<usize>| row[cell.clone()].trim().is_empty();
    cells(row).last().is_some_and(|last| is_blank(&last)) && cells(row).any(|cell| !is_blank(&cell))
}

/// How many rows behind a delimiter row are headers too, as the converter tells by its dashes.
fn further_dashes(delimiter: &str) -> usize {
    let Some(first) = cells(delimiter).next() else { return 0 };
    let dashes = delimiter[first].bytes().filter(|byte| *byte == b'-').count();
    dashes.saturating_sub(HEADER_DASHES).min(HEADER_ROWS_MAX - 1)
}

/// Where the cells of a row stand, parted by bars that are not escaped.
pub(super) fn cells(row: &str) -> impl Iterator<Item = Range<usize>> {
    let start = row.len() - row.trim_start().len();
    let start = if row[start..].starts_with('|') { start + 1 } else { start };
    let end = row.trim_end().len().max(start);
    let end =
        if end > start && bars(&row[start..end]).last() == Some(end - 1 - start) { end - 1 } else { end };
    let mut from = start;
    bars(&row[start..end]).map(move |bar| start + bar).chain(std::iter::once(end)).map(move |bar| {
        let cell = from..bar;
        from = bar + 1;
        cell
    })
}

/// The bars of a row that part cells.
pub(super) fn bars(row: &str) -> impl Iterator<Item = usize> {
    let mut escaped = false;
    row.bytes().enumerate().filter_map(move |(at, byte)| {
        let parts = byte == b'|' && !escaped;
        escaped = byte == b'\\' && !escaped;
        parts.then_some(at)
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
