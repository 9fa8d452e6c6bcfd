//! Blocks as Markdown: CommonMark with the tables and strikethrough of GitHub's flavour, and tags where it has no other
//! means: `<br>` in cells, emphasis beside letters.

use std::cell::Cell;

use crate::blocks::{Article, Block, Item, Leaf, LeafKind, List, Table};
use crate::cells::rows;
use crate::inline::{Inline, Line};
use crate::{ConvertError, Limits, escape};

/// The longest prefix of a line in nested lists and quotes. Deeper ones are written without their own marks: each line
/// would cost the whole depth. Real articles nest four lists.
const PREFIX_BYTES_MAX: usize = 40;
/// The largest number that CommonMark takes for a list's.
const NUMBER_MAX: i64 = 999_999_999;
/// Addresses may come to so many times the HTML, and [`ADDRESS_BYTES_FREE`]: made absolute they grow, and they are
/// repeated where a link goes over several paragraphs. Beyond that only a link's words are written.
const ADDRESS_FACTOR: usize = 4;
/// See [`ADDRESS_FACTOR`].
const ADDRESS_BYTES_FREE: usize = 4 * 1024;
/// The prefixes of lines in nested lists and quotes may come to so many times the HTML, and [`PREFIX_BYTES_FREE`]:
/// each line of code in a quote repeats it. What would cost more is written without its own marks.
const PREFIX_FACTOR: usize = 4;
/// See [`PREFIX_FACTOR`].
const PREFIX_BYTES_FREE: usize = 4 * 1024;

/// Writes an article that came from `html_bytes` of HTML.
pub(crate) fn markdown(
    article: &Article,
    html_bytes: usize,
    limits: &Limits,
) -> Result<String, ConvertError> {
    let address_bytes = html_bytes.saturating_mul(ADDRESS_FACTOR).saturating_add(ADDRESS_BYTES_FREE);
    let inline = Inline { links: &article.links, address_bytes_left: Cell::new(address_bytes) };
    let mut writer = Writer {
        inline,
        out: String::with_capacity(html_bytes / 2),
        prefix: String::new(),
        first: None,
        table_bytes_left: limits.table_bytes_max,
        repeat_bytes_left: html_bytes,
        prefix_bytes_left: html_bytes.saturating_mul(PREFIX_FACTOR).saturating_add(PREFIX_BYTES_FREE),
        in_meaning: false,
    };
    writer
        .blocks(&article.blocks, Inside::Page)
        .map_err(|TablesTooLong| ConvertError::TableBytes { bytes_max: limits.table_bytes_max })?;
    writer.out.truncate(writer.out.trim_end().len());
    Ok(writer.out)
}

/// The tables come to more than their bound.
struct TablesTooLong;

struct Writer<'a> {
    inline: Inline<'a>,
    out: String,
    /// Of every line: what the surrounding quotes and items ask for.
    prefix: String,
    /// Instead of `prefix` on the next line, at the start of an item or quote.
    first: Option<String>,
    table_bytes_left: usize,
    /// Bytes that cells may come to which are repeated along their span.
    repeat_bytes_left: usize,
    prefix_bytes_left: usize,
    /// Whether the lines stand in a meaning, with no item or quote between.
    in_meaning: bool,
}

/// What blocks stand in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    /// The article, or a quote.
    Page,
    Item,
    /// A term's meaning, which is a paragraph for Markdown.
    Meaning,
}

/// How the marks of a list look. A list right after another takes the other look, or they would be one.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Marks {
    ordered: bool,
    second: bool,
}

impl Writer<'_> {
    fn line(&mut self, text: &str) {
        let start = self.out.len();
        match self.first.take() {
            Some(first) => self.out.push_str(&first),
            None => self.out.push_str(&self.prefix),
        }
        self.out.push_str(text);
        if text.is_empty() {
            let kept = self.out[start..].trim_end().len();
            self.out.truncate(start + kept);
        }
        self.out.push('\n');
    }

    /// An empty line, unless an item or quote has just begun.
    fn gap(&mut self) {
        if self.first.is_none() && !self.out.is_empty() {
            self.line("");
        }
    }

    fn blocks(&mut self, blocks: &[Block], inside: Inside) -> Result<(), TablesTooLong> {
        let mut before: Option<&Block> = None;
        let mut marks: Option<Marks> = None;
        for block in blocks {
            let joined = match (before, block) {
                (Some(Block::Paragraph(_)), Block::List(list)) => inside == Inside::Item && interrupts(list),
                (Some(Block::Paragraph(_)), Block::Definition(_)) => true,
                (Some(Block::Definition(meaning)), Block::Definition(_)) => {
                    matches!(meaning.last(), Some(Block::Paragraph(_)))
                }
                _ => false,
            };
            if before.is_some() && !joined {
                self.gap();
            }
            if !matches!(block, Block::List(_)) {
                marks = None;
            }
            match block {
                Block::List(list) => marks = Some(self.list(list, marks)?),
                Block::Definition(meaning) => self.definition(meaning)?,
                Block::Quote(quoted) => self.nested("> ", "> ", quoted, Inside::Page)?,
                Block::Table(table) => self.table(table)?,
                _ => self.plain(block),
            }
            before = Some(block);
        }
        Ok(())
    }

    /// A block without blocks inside.
    fn plain(&mut self, block: &Block) {
        match block {
            Block::Paragraph(leaves) => {
                let text = self.inline.write(leaves, Line::Paragraph);
                for line in text.split('\n') {
                    self.line(&escape::line_start(line));
                }
            }
            Block::Heading(level, leaves) => {
                let text = self.inline.write(leaves, Line::Heading);
                self.line(&format!("{} {}", "#".repeat(*level), escape::heading_end(&text)));
            }
            Block::Code { language, code, link } => {
                let fence = escape::fence(code);
                self.line(&format!("{fence}{language}"));
                for line in code.split('\n') {
                    self.line(line);
                }
                self.line(&fence);
                if let Some(link) = link.and_then(|link| self.inline.link_of_code(link)) {
                    self.gap();
                    self.line(&link);
                }
            }
            // Dashes after a dash would be one rule instead of an item with a rule.
            Block::Rule => {
                self.line(if self.prefix.is_empty() && self.first.is_none() { "---" } else { "___" });
            }
            _ => {}
        }
    }

    /// Writes the blocks inside an item, a quote or a meaning: `first` before the first line, `rest` before the others.
    fn nested(
        &mut self,
        first: &str,
        rest: &str,
        blocks: &[Block],
        inside: Inside,
    ) -> Result<(), TablesTooLong> {
        if self.prefix.len() + rest.len() > PREFIX_BYTES_MAX {
            return self.blocks(blocks, inside);
        }
        let cost = lines(blocks).saturating_mul(rest.len());
        let Some(left) = self.prefix_bytes_left.checked_sub(cost) else {
            return self.blocks(blocks, inside);
        };
        self.prefix_bytes_left = left;
        let outer = self.prefix.len();
        let begun = self.first.take().unwrap_or_else(|| self.prefix.clone());
        self.first = Some(format!("{begun}{first}"));
        self.prefix.push_str(rest);
        let in_meaning = std::mem::replace(&mut self.in_meaning, inside == Inside::Meaning);
        let written = self.blocks(blocks, inside);
        self.in_meaning = in_meaning;
        if self.first.is_some() {
            self.line("");
        }
        self.prefix.truncate(outer);
        written
    }

    /// A meaning that begins with no paragraph stands under its mark: after a colon a fence would be none. One within
    /// another is indented no further: four spaces would make code of what stands in it.
    fn definition(&mut self, meaning: &[Block]) -> Result<(), TablesTooLong> {
        let indent = if self.in_meaning { "" } else { "  " };
        if matches!(meaning.first(), Some(Block::Paragraph(_))) {
            return self.nested(": ", indent, meaning, Inside::Meaning);
        }
        self.line(":");
        self.line("");
        self.nested(indent, indent, meaning, Inside::Meaning)
    }

    fn list(&mut self, list: &List, before: Option<Marks>) -> Result<Marks, TablesTooLong> {
        let second = before.is_some_and(|marks| marks.ordered == list.ordered && !marks.second);
        let mut marks = Marks { ordered: list.ordered, second };
        let mut last: Option<&Item> = None;
        for item in &list.items {
            // Markdown counts on by itself: another number begins another list.
            let jumps = list.ordered && last.is_some_and(|last| item.number != last.number + 1);
            if jumps {
                marks.second = !marks.second;
            }
            if jumps || last.is_some_and(|last| matches!(last.blocks.last(), Some(Block::Table(_)))) {
                self.gap();
            }
            self.item(item, marks)?;
            last = Some(item);
        }
        Ok(marks)
    }

    fn item(&mut self, item: &Item, marks: Marks) -> Result<(), TablesTooLong> {
        let mark = match marks {
            Marks { ordered: false, second: false } => "- ".to_owned(),
            Marks { ordered: false, second: true } => "* ".to_owned(),
            Marks { second, .. } if (0..=NUMBER_MAX).contains(&item.number) => {
                format!("{}{} ", item.number, if second { ')' } else { '.' })
            }
            // No number of Markdown's: as words of an item without one.
            Marks { second, .. } => format!("{} {}: ", if second { '*' } else { '-' }, item.number),
        };
        let width = if marks.ordered && !(0..=NUMBER_MAX).contains(&item.number) { 2 } else { mark.len() };
        self.nested(&mark, &" ".repeat(width), &item.blocks, Inside::Item)
    }

    fn table(&mut self, table: &Table) -> Result<(), TablesTooLong> {
        let rows = rows(table, &self.inline, &mut self.repeat_bytes_left);
        for row in rows {
            self.table_bytes_left = self.table_bytes_left.checked_sub(row.len()).ok_or(TablesTooLong)?;
            self.line(&row);
        }
        Ok(())
    }
}

/// Whether a list needs no empty line after a paragraph.
fn interrupts(list: &List) -> bool {
    list.items.first().is_some_and(|item| !item.blocks.is_empty() && (!list.ordered || item.number == 1))
}

/// How many lines blocks come to, with those between them.
fn lines(blocks: &[Block]) -> usize {
    let breaks = |leaves: &[Leaf]| leaves.iter().filter(|leaf| leaf.kind == LeafKind::Break).count();
    let own = |block: &Block| match block {
        Block::Paragraph(leaves) => 1 + breaks(leaves),
        Block::Heading(..) | Block::Rule => 1,
        Block::Code { code, .. } => 5 + code.bytes().filter(|byte| *byte == b'\n').count(),
        Block::Quote(inner) => lines(inner),
        Block::Definition(inner) => 2 + lines(inner),
        Block::List(list) => list.items.iter().map(|item| 1 + lines(&item.blocks)).sum(),
        Block::Table(table) => 2 + table.rows.len(),
    };
    blocks.iter().map(|block| 1 + own(block)).sum()
}
