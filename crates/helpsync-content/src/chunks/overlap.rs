//! What a chunk repeats of the one before it.

use super::blocks::Kind;
use super::pack::Packer;
use super::pairs::Kept;
use super::tokens::count_tokens;

impl Packer<'_> {
    /// Where the text of the next chunk begins, such that it repeats no more than `tokens` of the chunk before: whole rows
    /// of the same table, whole lines of the same code, or whole words.
    pub(super) fn overlap_from(&self, tokens: usize) -> usize {
        let mut room = tokens;
        loop {
            if room == 0 || self.before.is_empty() {
                return self.position;
            }
            let from = self.start_of_overlap(room);
            let from = self.clear_of_marks(from).min(self.position);
            let repeated = self.text[from..self.position].trim_end();
            // The marks of a quote alone would be a word of it.
            if repeated.chars().all(|letter| letter == '>' || letter.is_whitespace()) {
                return self.position;
            }
            let exact = count_tokens(repeated);
            if exact <= tokens {
                return from;
            }
            room = room.saturating_sub(exact - tokens);
        }
    }

    /// A place near `from` that parts no marks. A link is written whole or not at all: its address would take more room than
    /// its words.
    fn clear_of_marks(&self, from: usize) -> usize {
        let spans = &self.blocks.spans;
        let clear = spans.pairs.behind_links(spans.settled_start(self.text, from, Kept::All));
        let clear = if clear > from { spans.settled_start(self.text, clear, Kept::All) } else { clear };
        if clear <= from {
            return clear;
        }
        // Behind the last mark of a block begins the next one.
        let rest = &self.text[clear..];
        clear + (rest.len() - rest.trim_start().len())
    }

    fn start_of_overlap(&self, tokens: usize) -> usize {
        let all = &self.blocks.all;
        let block = all[self.at];
        let lowest = self.index.reach_back(self.before.end, tokens).max(self.before.start);
        let lowest = self.text.ceil_char_boundary(lowest);
        match block.kind {
            Kind::Row(table) if self.position == block.start => {
                // Of what the row stands under only the titles are repeated, and these anyway.
                let first = self.blocks.titles_of(self.at).map_or(0, |(_, last)| last + 1);
                let first = if self.blocks.is_title(self.at) { self.at } else { first };
                let rows = all[first..self.at].iter().rev();
                let fits = |row: &&super::blocks::Block| row.kind == Kind::Row(table) && row.start >= lowest;
                rows.take_while(fits).last().map_or(self.position, |row| row.start)
            }
            Kind::Code(code) if self.position > block.start => {
                let lowest = lowest.max(self.blocks.fences[code].body.start).min(self.position);
                let line = self.after(lowest, |letter| letter == '\n');
                let line_end = self.text[..self.position].ends_with('\n');
                if line < self.position || line_end { line } else { self.word_from(lowest) }
            }
            // The rest of a row stands in its own columns, and a section begins with its heading.
            Kind::Row(_) if self.position > block.start => self.position,
            Kind::Heading(_) => self.position,
            _ if self.position > block.start => self.word_from(lowest.max(block.start)),
            _ => {
                let before = all[..self.at].iter().rev();
                let first = before.take_while(|it| it.kind == Kind::Prose && it.end > lowest).last();
                first.map_or(self.position, |it| self.word_from(lowest.max(it.start)))
            }
        }
    }

    /// The first start of a word from `lowest` on; inside a word without one, `lowest`.
    fn word_from(&self, lowest: usize) -> usize {
        let start = self.after(lowest, char::is_whitespace);
        let rest = &self.text[start..self.position];
        let start = start + (rest.len() - rest.trim_start().len());
        let inside = !self.text[..self.position].ends_with(char::is_whitespace);
        let start_of_block = self.blocks.all[self.at].start;
        if start >= self.position && inside && self.position > start_of_block {
            // An escape is not parted from what it escapes.
            let escapes =
                self.text[start_of_block..lowest].bytes().rev().take_while(|it| *it == b'\\').count();
            let next = self.text[lowest..].chars().next().map_or(0, char::len_utf8);
            return (lowest + escapes % 2 * next).min(self.position);
        }
        start
    }

    /// `lowest` where such a character stands before it, or else the first place behind such a character.
    fn after(&self, lowest: usize, is_seam: impl Fn(char) -> bool + Copy) -> usize {
        if self.text[..lowest].chars().next_back().is_none_or(is_seam) {
            return lowest;
        }
        let found = self.text[lowest..self.position].find(is_seam);
        let start = found.map_or(self.position, |at| lowest + at);
        let behind = self.text[start..].chars().next().map_or(start, |it| start + it.len_utf8());
        behind.min(self.position)
    }
}
