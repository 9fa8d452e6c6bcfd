//! Filling chunks with blocks, from the first to the last.

use std::ops::Range;

use super::blocks::{Block, Blocks, Kind, SEAM_GLUED, bars, blocks, step_into};
use super::pairs::Kept;
use super::part::split;
use super::spans::settled;
use super::tokens::{TokenIndex, count_tokens};
use super::{ChunkOptions, TextChunk, chunk_hash};
use crate::escape::{self, Place};

/// What stands between the headings of a path.
const PATH_SEPARATOR: &str = " > ";
/// After so many tries that were a little too long, the next one has half of the room.
const TRIES_MAX: usize = 4;

/// The chunks of a text, one after the other.
pub(super) struct Packer<'a> {
    pub(super) text: &'a str,
    pub(super) size: usize,
    overlap: usize,
    /// Not longer than half of a chunk.
    title: String,
    pub(super) index: TokenIndex,
    pub(super) blocks: Blocks,
    /// The headings above the next block, with their levels.
    path: Vec<(u8, String)>,
    /// The block that the next chunk begins with, or in.
    pub(super) at: usize,
    /// Where it begins.
    pub(super) position: usize,
    /// Where the part of the chunk before stands.
    pub(super) before: Range<usize>,
    /// Where the next chunk begins within a row: the bars of that row before it.
    pub(super) bars: usize,
}

/// What stands around a chunk's part of the text.
#[derive(Debug, Default, Clone)]
pub(super) struct Frame {
    /// The title and the path.
    pub(super) lead: String,
    /// A table's header, or a fence's opening line.
    pub(super) again: String,
    /// Whether not even containers and spans of code are opened again: there is no room for them.
    pub(super) is_bare: bool,
    /// Which pairs are opened again.
    pub(super) pairs: Kept,
    lead_tokens: usize,
    again_tokens: usize,
}

/// Where a chunk ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct End {
    /// Behind the last byte of its part of the text.
    pub(super) end: usize,
    /// The block that the next one begins with, or in.
    pub(super) next: usize,
    /// Where that begins.
    pub(super) position: usize,
    /// Whether the part ends within fenced code, which is to be closed: the code's number.
    pub(super) closing: Option<usize>,
}

impl Iterator for Packer<'_> {
    type Item = TextChunk;

    fn next(&mut self) -> Option<TextChunk> {
        let first = *self.blocks.all.get(self.at)?;
        let above = self.above(first.kind);
        let mut frame = self.frame(&above);
        let opened = count_tokens(&self.opened(&frame));
        let mut room = (self.size - frame.lead_tokens - frame.again_tokens).saturating_sub(opened);
        let mut from = self.overlap_from(self.overlap.min(room / 2));
        let mut tries = 0;
        let (text, tokens, end) = loop {
            let Some(end) = self.choose(from, room, &frame) else {
                from = self.position;
                continue;
            };
            let text = self.compose(&frame, from, end);
            let tokens = count_tokens(&text);
            if tokens <= self.size {
                break (text, tokens, end);
            }
            tries += 1;
            let over = tokens - self.size;
            if room > 0 {
                room = if tries > TRIES_MAX { room / 2 } else { room.saturating_sub(over) };
            } else if from < self.position {
                from = self.position;
            } else if let Some(less) = self.less(&frame, end) {
                frame = less;
                room = self.size - frame.lead_tokens - frame.again_tokens;
                tries = 0;
            } else {
                // One character, and even that is too long.
                break (text, tokens, end);
            }
        };
        let range = self.position..end.end;
        let headings = self.headings(above, end);
        self.advance(end);
        if self.text[range.clone()].trim().is_empty() {
            // Blank lines of code.
            return self.next();
        }
        Some(TextChunk { hash: chunk_hash(&text), text, tokens, headings, range })
    }
}

impl<'a> Packer<'a> {
    pub(super) fn new(text: &'a str, options: ChunkOptions, title: Option<&str>) -> Self {
        let ChunkOptions { size, overlap } = options;
        let blocks = blocks(text);
        let position = blocks.all.first().map_or(0, |block| block.start);
        let title = title.map_or_else(String::new, |title| shortened(&as_line(title), size / 2));
        let index = TokenIndex::of(text);
        Self {
            text,
            size,
            overlap,
            title,
            index,
            blocks,
            path: Vec::new(),
            at: 0,
            position,
            before: position..position,
            bars: 0,
        }
    }

    /// What stands around a part where so much takes too much room, down to nothing.
    fn less(&self, frame: &Frame, end: End) -> Option<Frame> {
        let has_pairs = || self.blocks.spans.pairs.any_between(self.position, end.end);
        if frame.pairs == Kept::All && has_pairs() {
            Some(Frame { pairs: Kept::NoLinks, ..frame.clone() })
        } else if frame.lead_tokens + frame.again_tokens > 0 {
            Some(Frame { pairs: frame.pairs, ..Frame::default() })
        } else if !frame.is_bare && frame.pairs != Kept::Nothing && has_pairs() {
            Some(Frame { pairs: Kept::Nothing, ..Frame::default() })
        } else if !frame.is_bare {
            Some(Frame { is_bare: true, pairs: Kept::Nothing, ..Frame::default() })
        } else {
            None
        }
    }

    /// The headings that a chunk which begins with such a block stands under.
    fn above(&self, first: Kind) -> Vec<(u8, String)> {
        let mut path = self.path.clone();
        if let Kind::Heading(level) = first {
            path.retain(|(above, _)| *above < level);
        }
        path
    }

    /// Those above a chunk, and those that it begins with.
    fn headings(&self, above: Vec<(u8, String)>, end: End) -> Vec<String> {
        let mut path = above;
        let last = end.next.max(self.at + 1);
        for block in &self.blocks.all[self.at..last] {
            let Kind::Heading(level) = block.kind else { break };
            step_into(&mut path, level, &self.text[block.start..block.end]);
        }
        path.into_iter().map(|(_, heading)| heading).collect()
    }

    fn frame(&self, above: &[(u8, String)]) -> Frame {
        let mut frame = Frame::default();
        let above: Vec<&str> = above.iter().map(|(_, heading)| heading.as_str()).collect();
        if !self.title.is_empty() {
            let leads = (0..=above.len()).map(|outer| match &above[outer..] {
                [] => format!("{}\n\n", self.title),
                path => {
                    let path = path.join(PATH_SEPARATOR);
                    format!("{}\n\n{}\n\n", self.title, escape::line_start(&path))
                }
            });
            // Where not all of the path fits, the innermost headings say most.
            for lead in leads {
                frame.lead_tokens = count_tokens(&lead);
                if frame.lead_tokens <= self.size / 2 {
                    frame.lead = lead;
                    break;
                }
                frame.lead_tokens = 0;
            }
        }
        let room = (self.size - frame.lead_tokens) / 2;
        let block = self.blocks.all[self.at];
        let again = match block.kind {
            Kind::Row(table) if self.head_tokens(table) <= room => self.head_again(table, self.at, room),
            Kind::Code(code) if self.position >= self.blocks.fences[code].body.start => {
                self.opening(code, room)
            }
            _ => String::new(),
        };
        let tokens = count_tokens(&again);
        if tokens <= room {
            frame.again_tokens = tokens;
            frame.again = again;
        }
        frame
    }

    /// A table's header for a chunk that begins with a row, or in one; and the titles that the row stands under, where they
    /// fit into `room` with it.
    fn head_again(&self, table: usize, row: usize, room: usize) -> String {
        let head = &self.blocks.heads[table];
        let opening = self.blocks.containers.opening(self.text, head.inside);
        let again = format!("{opening}{}\n", self.text[head.content..head.range.end].trim_start());
        let titles = self.titles_again(table, row, room);
        let with = titles.map(|titles| format!("{again}{}\n", &self.text[titles]));
        with.filter(|with| count_tokens(with) <= room).unwrap_or(again)
    }

    /// The titles that a row stands under, where they fit into `room` with the table's header.
    fn titles_again(&self, table: usize, row: usize, room: usize) -> Option<Range<usize>> {
        let (first, last) = self.blocks.titles_of(row)?;
        let titles = self.blocks.all[first].start..self.blocks.all[last].end;
        let tokens = self.index.between(titles.start, titles.end);
        (self.head_tokens(table) + tokens < room).then_some(titles)
    }

    /// The tokens of what a chunk repeats that begins with a row.
    fn again_tokens(&self, table: usize, row: usize, room: usize) -> usize {
        let head = self.head_tokens(table);
        let titles = self.titles_again(table, row, room);
        let titles = titles.map_or(0, |titles| self.index.between(titles.start, titles.end));
        if head <= room { head + titles } else { 0 }
    }

    fn head_tokens(&self, table: usize) -> usize {
        let head = &self.blocks.heads[table].range;
        self.index.between(head.start, head.end)
    }

    /// The opening line of a further part of code; without the info string where that leaves no room, and nothing where
    /// the fence alone leaves none.
    fn opening(&self, code: usize, room: usize) -> String {
        let fence = &self.blocks.fences[code];
        let marks = &fence.marks;
        let opening = self.opening_before(fence.inside, marks);
        // A line of a megabyte is not even looked at.
        if self.index.between(fence.opened_at, fence.body.start) <= room {
            format!("{opening}{marks}{}\n", fence.info)
        } else if marks.len() <= room {
            format!("{opening}{marks}\n")
        } else {
            String::new()
        }
    }

    /// Whether code that is divided is fenced again: not where its fences alone fill a chunk.
    pub(super) fn is_fenced_again(&self, code: usize, frame: &Frame) -> bool {
        let inside = self.position >= self.blocks.fences[code].body.start;
        let room = (self.size - frame.lead_tokens) / 2;
        if inside && matches!(self.blocks.all[self.at].kind, Kind::Code(it) if it == code) {
            !frame.again.is_empty()
        } else {
            !self.opening(code, room).is_empty()
        }
    }

    /// The best end for a chunk whose text begins at `from` and has `room` tokens; nothing where it is to be tried
    /// without overlap.
    fn choose(&self, from: usize, room: usize, frame: &Frame) -> Option<End> {
        let all = &self.blocks.all;
        let mut best: Option<(u8, usize)> = None;
        let mut last = None;
        let mut glued = None;
        let mut next = self.at;
        loop {
            #[cfg(test)]
            super::tokens::worked(1);
            let tokens = self.index.between(from, all[next].end);
            if tokens > room {
                break;
            }
            next += 1;
            let Some(block) = all.get(next) else { return Some(self.end_before(next)) };
            if block.seam == SEAM_GLUED {
                glued = glued.or(Some(next));
            } else if tokens * 2 < room {
                last = Some(next);
            } else if best.is_none_or(|(seam, _)| block.seam <= seam) {
                best = Some((block.seam, next));
            }
        }
        if let Some((_, next)) = best {
            return Some(self.end_before(next));
        }
        let block = all[next];
        let inside = || split(self, next, from, room, frame);
        let too_long = self.is_too_long(next, frame);
        if too_long && let Some(end) = inside() {
            return Some(end);
        }
        if let Some(next) = last {
            return Some(self.end_before(next));
        }
        if !matches!(block.kind, Kind::Code(_) | Kind::Row(_) | Kind::Head(_))
            && let Some(end) = inside()
        {
            return Some(end);
        }
        if from < self.position {
            return None;
        }
        // A block that fits alone begins the next chunk; one that does not is divided, at the next character if need be.
        glued
            .map(|next| self.end_before(next))
            .or_else(inside)
            .or_else(|| glued.map(|it| self.end_before(it)))
    }

    fn end_before(&self, next: usize) -> End {
        let end = self.blocks.all[next - 1].end;
        let position = self.blocks.all.get(next).map_or(end, |block| block.start);
        End { end, next, position, closing: None }
    }

    /// Whether a block, or what is left of it, does not fit into a chunk of its own.
    fn is_too_long(&self, number: usize, frame: &Frame) -> bool {
        let Block { start, end, kind, .. } = self.blocks.all[number];
        let own = self.index.between(start.max(self.position), end);
        let room = self.size - frame.lead_tokens;
        let with = match kind {
            Kind::Row(table) => self.again_tokens(table, number, room / 2),
            Kind::Code(_) if number == self.at => frame.again_tokens,
            _ => 0,
        };
        own + with > room
    }

    fn advance(&mut self, end: End) {
        for block in &self.blocks.all[self.at..end.next] {
            if let Kind::Heading(level) = block.kind {
                step_into(&mut self.path, level, &self.text[block.start..block.end]);
            }
        }
        self.bars = self.bars_before(end);
        self.before = self.position..end.end;
        self.at = end.next;
        self.position = end.position;
    }

    /// The bars of a row before the place in it where the next chunk begins.
    fn bars_before(&self, end: End) -> usize {
        let Some(row) = self.blocks.all.get(end.next) else { return 0 };
        if !matches!(row.kind, Kind::Row(_) | Kind::Head(_)) || end.position <= row.content {
            return 0;
        }
        let goes_on = end.next == self.at && self.position > row.content;
        let (before, from) = if goes_on { (self.bars, self.position) } else { (0, row.content) };
        before + bars(&self.text[from..end.position]).count()
    }
}

/// A title as a line of Markdown.
fn as_line(title: &str) -> String {
    let mut line = String::with_capacity(title.len());
    // The line end says that nothing follows.
    escape::text(&format!("{}\n", title.trim()), Place::default(), &mut line);
    escape::line_start(line.trim_end()).into_owned()
}

/// The first words of a title that take, with an empty line, no more than `tokens`.
fn shortened(title: &str, tokens: usize) -> String {
    let mut title = title.trim();
    let whole = |title: &str| count_tokens(&format!("{title}\n\n"));
    let mut room = tokens;
    while !title.is_empty() && whole(title) > tokens {
        room = room.saturating_sub(1);
        let end = title.floor_char_boundary(TokenIndex::of(title).reach(0, room));
        title = title[..settled(title, 0, end)].trim_end();
    }
    title.to_owned()
}
