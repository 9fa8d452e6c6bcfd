//! A chunk's text: its part of the Markdown, and what stands around the part so that it can be read alone. What was open
//! where the part begins is opened again, and what is open where it ends is closed: quotes, items, fences, rows, spans of
//! code, what is struck, links.

use super::blocks::{Block, Kind, heading_level};
use super::containers::ContainerId;
use super::pack::{End, Frame, Packer};
use crate::escape;

/// As much of a line as tells whether it begins a block.
const LINE_START_BYTES: usize = 64;
/// A row of more cells than these goes on without its empty ones: they would fill the chunk.
const CELLS_MAX: usize = 100;

impl Packer<'_> {
    /// The chunk whose part goes from `from` to an end.
    pub(super) fn compose(&self, frame: &Frame, from: usize, end: End) -> String {
        let mut text = [frame.lead.as_str(), &frame.again].concat();
        let part = self.open(frame, from, end.end, &mut text);
        text.push_str(&self.text[part..end.end]);
        if let Some(code) = end.closing {
            if !text.ends_with('\n') {
                text.push('\n');
            }
            let fence = &self.blocks.fences[code];
            text.push_str(&self.blocks.containers.continuation(self.text, fence.inside));
            text.push_str(&fence.marks);
        } else if !frame.is_bare {
            self.close_spans(frame, end.end, &mut text);
        }
        text
    }

    /// What opens the part that is new in the next chunk.
    pub(super) fn opened(&self, frame: &Frame) -> String {
        let mut opened = String::new();
        self.open(frame, self.position, self.text.len(), &mut opened);
        opened
    }

    /// Adds what opens the part that begins at `from`; where the part then begins.
    fn open(&self, frame: &Frame, from: usize, end: usize, out: &mut String) -> usize {
        let block = self.block_at(from);
        if frame.is_bare {
            return from;
        }
        let again = !frame.again.is_empty();
        if from <= block.content {
            if again {
                return from;
            }
            let content = &self.text[block.content..];
            let spaces = content.len() - content.trim_start_matches(' ').len();
            if matches!(block.kind, Kind::Code(_)) {
                out.push_str(&self.opening_before(block.inside, content));
                return block.content.min(end);
            }
            out.push_str(&self.blocks.containers.opening(self.text, block.inside));
            return (block.content + spaces).min(end);
        }
        match block.kind {
            Kind::Code(_) if !again => return from,
            Kind::Code(_) if self.text[..from].ends_with('\n') => return from,
            _ if again => out.push_str(&self.blocks.containers.continuation(self.text, block.inside)),
            _ => out.push_str(&self.blocks.containers.opening(self.text, block.inside)),
        }
        match block.kind {
            Kind::Code(code) => {
                let marks = &self.blocks.fences[code].marks;
                out.push_str(&marks[..marks.len() - marks.trim_start().len()]);
                from
            }
            Kind::Row(_) | Kind::Head(_) => {
                self.open_row(out);
                self.open_spans(frame, from, out);
                from
            }
            _ => {
                let from = self.behind_marks(block, self.behind_spaces(from)).min(end);
                if let Some(level) = heading_level(&self.text[block.content..]) {
                    out.extend(std::iter::repeat_n('#', level.into()));
                    out.push(' ');
                }
                let tags = self.behind_lone_tags(from).filter(|behind| *behind < end);
                if let Some(behind) = tags {
                    self.open_spans(frame, from, out);
                    out.push_str(&self.text[from..behind]);
                    return self.behind_marks(block, self.behind_spaces(behind)).min(end);
                }
                if self.open_spans(frame, from, out) { from } else { self.escape_start(from, end, out) }
            }
        }
    }

    /// What opens containers before a fence. Spaces of its own would be the item's: then it stands on the next line.
    pub(super) fn opening_before(&self, inside: Option<ContainerId>, fence: &str) -> String {
        let opening = self.blocks.containers.opening(self.text, inside);
        if opening.is_empty() || !fence.starts_with(' ') {
            return opening;
        }
        format!("{}\n{}", opening.trim_end(), self.blocks.containers.continuation(self.text, inside))
    }

    /// The cells of a row before the one that the part begins in, without their texts: it stays in its column.
    fn open_row(&self, out: &mut String) {
        if let Some(cells) = self.bars.checked_sub(1).filter(|cells| *cells <= CELLS_MAX) {
            out.push('|');
            out.extend(std::iter::repeat_n(" |", cells));
            out.push(' ');
        }
    }

    /// Opens what is struck or marked otherwise, the link and the span of code that a part begins in; whether there is any.
    fn open_spans(&self, frame: &Frame, from: usize, out: &mut String) -> bool {
        let opening = self.blocks.spans.pairs.opening(self.text, from, frame.pairs);
        out.push_str(&opening);
        // Within brackets it would be the mark of a footnote.
        if opening.ends_with('[') && self.text[from..].starts_with('^') {
            out.push('\\');
        }
        if let Some(span) = self.blocks.spans.around(from) {
            out.push_str(span.marks(self.text));
            out.push_str(if self.text[from..].starts_with('`') { " " } else { "" });
            return true;
        }
        let mut letters = self.text[from..].chars();
        let is_sign = letters.next().is_some_and(is_mark) && letters.next().is_none_or(char::is_whitespace);
        if !opening.is_empty() && is_sign {
            out.push('\\');
        }
        !opening.is_empty()
    }

    /// Behind the tags that a part begins with, where a line break follows them: alone on a line they would begin a block of
    /// HTML.
    fn behind_lone_tags(&self, from: usize) -> Option<usize> {
        let behind = self.blocks.spans.pairs.behind_opening(from);
        let is_alone = behind > from && self.text[behind..].starts_with(char::is_whitespace);
        is_alone.then_some(behind)
    }

    /// Closes them where a part ends.
    fn close_spans(&self, frame: &Frame, end: usize, out: &mut String) {
        let closing = self.blocks.spans.pairs.closing(self.text, end, frame.pairs);
        if let Some(span) = self.blocks.spans.around(end) {
            // A backtick of the code beside those of the span would count as one of them.
            out.push_str(if out.ends_with('`') { " " } else { "" });
            out.push_str(span.marks(self.text));
        } else if !closing.is_empty() {
            // The mark of a quote's next line, in which nothing stands yet.
            let nothing = |letter: char| letter.is_whitespace() || letter == '>';
            while let Some(line) = out.rfind('\n').filter(|line| out[*line..].chars().all(nothing)) {
                out.truncate(out[..line].trim_end().len());
            }
            // A mark beside a sign or a backslash would be read with it.
            let backslashes = out.bytes().rev().take_while(|byte| *byte == b'\\').count();
            let mut letters = out.chars().rev();
            match (letters.next(), letters.next()) {
                _ if backslashes % 2 == 1 => out.push('\\'),
                (Some(sign), Some(before)) if is_mark(sign) && before.is_whitespace() => {
                    out.pop();
                    out.extend(['\\', sign]);
                }
                _ => {}
            }
        }
        out.push_str(&closing);
    }

    /// Spaces before the first word would indent it; in code they are code.
    fn behind_spaces(&self, from: usize) -> usize {
        let rest = &self.text[from..];
        let spaces = rest.len() - rest.trim_start().len();
        if self.blocks.spans.around(from).is_some() { from } else { from + spaces }
    }

    /// Where a line of a paragraph begins, its text without the marks of what contains it.
    fn behind_marks(&self, block: Block, from: usize) -> usize {
        let start = self.text[..from].trim_end_matches(' ').len();
        if !self.text[..start].ends_with('\n') {
            return from;
        }
        let line = &self.text[start..];
        let line = line.find('\n').map_or(line, |end| &line[..end]);
        let marks = self.blocks.containers.marks_of(block.inside, line);
        let spaces = line[marks..].len() - line[marks..].trim_start_matches(' ').len();
        from.max(start + marks + spaces)
    }

    /// What stood within a line is no heading, item or quote where a line begins with it.
    fn escape_start(&self, from: usize, end: usize, out: &mut String) -> usize {
        let seen = self.text.floor_char_boundary((from + LINE_START_BYTES).min(end));
        let line = self.text[from..seen].lines().next().unwrap_or_default();
        let Some(mark) = escape::block_mark(line) else { return from };
        out.push_str(&line[..mark]);
        out.push('\\');
        from + mark
    }

    fn block_at(&self, place: usize) -> Block {
        let next = self.blocks.all.partition_point(|block| block.start <= place);
        self.blocks.all[next.saturating_sub(1)]
    }
}

/// What is only a sign between spaces, and would be one with a mark beside it.
fn is_mark(letter: char) -> bool {
    matches!(letter, '*' | '~')
}
