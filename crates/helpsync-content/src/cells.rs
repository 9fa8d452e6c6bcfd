//! A table's rows as Markdown. A cell is one line: its paragraphs, items and lines of code stand apart by `<br>`.

use crate::blocks::{Block, Leaf, LeafKind, List, Slot, Style, Table};
use crate::escape::{self, Place};
use crate::inline::{Inline, Line};

/// The longest words of a cell that are repeated wherever it spans. So each row says by itself what it belongs to; a long
/// cell says it once.
const REPEATED_BYTES_MAX: usize = 80;
/// What begins markup in a cell.
const MARKUP: [char; 5] = ['[', '`', '*', '~', '<'];
/// The dashes under the first name of a column. Markdown knows one row of headers: for each further one there is a dash
/// more, which readers pass over, so that chunks of the table repeat those rows too.
pub(crate) const HEADER_DASHES: usize = 3;
/// The most rows of headers that are told in dashes.
pub(crate) const HEADER_ROWS_MAX: usize = 12;
/// The end of a row that says what the rows behind it are.
const EMPTY_CELL: &str = " |";
/// Between two lines of a cell.
const BREAK: &str = "<br>";
/// Before a nested item, for each level.
const INDENT: &str = "&emsp;";
/// The deepest level that is indented.
const INDENTS_MAX: usize = 4;

/// The table's lines, header and delimiter first. No cell is padded, and what is empty at the end of a row is left out. Rows
/// that say what follows end with one empty cell: readers pass over it, and chunks of the table repeat them.
/// `repeat_bytes_left` bounds what spans add.
pub(crate) fn rows(table: &Table, inline: &Inline<'_>, repeat_bytes_left: &mut usize) -> Vec<String> {
    let cells: Vec<String> = table.cells.iter().map(|cell| line(&cell.blocks, inline)).collect();
    let mut labels: Vec<Option<String>> = vec![None; cells.len()];
    for slot in table.rows.iter().flatten() {
        if let Slot::Spanned(cell) = slot
            && labels[*cell].is_none()
        {
            labels[*cell] = Some(label(&table.cells[*cell].blocks, &cells[*cell], inline));
        }
    }
    let mut lines = Vec::with_capacity(table.rows.len() + 2);
    let mut rows = table.rows.iter().zip(&table.titles);
    let header = if table.header_rows > 0 { rows.next().map(|(slots, _)| slots.as_slice()) } else { None };
    lines.push(row(header.unwrap_or_default(), (&cells, &labels), table.columns, repeat_bytes_left));
    let further = table.header_rows.saturating_sub(1).min(HEADER_ROWS_MAX - 1);
    lines.push(format!("| {}{}", "-".repeat(further), "--- | ".repeat(table.columns).trim_end()));
    for (number, (slots, is_title)) in rows.enumerate() {
        let mut line = row(slots, (&cells, &labels), 1, repeat_bytes_left);
        if *is_title && number + 1 >= table.header_rows {
            line.push_str(EMPTY_CELL);
        }
        lines.push(line);
    }
    lines
}

/// What is repeated of a cell: its words without marks, for a link or an emphasis is shown once. Nothing of a long one,
/// and of one that holds more than lines of words; nor of what is struck, which without its marks would read as valid.
fn label(blocks: &[Block], text: &str, inline: &Inline<'_>) -> String {
    let mut lines = Vec::new();
    if text.contains(MARKUP) {
        for block in blocks {
            let (Block::Paragraph(leaves) | Block::Heading(_, leaves)) = block else { return String::new() };
            if leaves.iter().any(|leaf| leaf.style.has(Style::STRUCK)) {
                return String::new();
            }
            let plain = |leaf: &Leaf| {
                // A picture parts the words around it, and is shown once.
                let is_image = matches!(leaf.kind, LeafKind::Image { .. });
                let kind = if is_image { LeafKind::Space } else { leaf.kind.clone() };
                Leaf { kind, style: Style::default(), link: None }
            };
            lines.push(inline.write(&leaves.iter().map(plain).collect::<Vec<_>>(), Line::Cell));
        }
    }
    let label = if lines.is_empty() { text.to_owned() } else { lines.join(BREAK) };
    if label.len() <= REPEATED_BYTES_MAX { label } else { String::new() }
}

/// One row of at least `least` cells, of which there are the texts and what is repeated of them.
fn row(
    slots: &[Slot],
    (cells, labels): (&[String], &[Option<String>]),
    least: usize,
    repeat_bytes_left: &mut usize,
) -> String {
    // A cell over the whole row is a heading of what follows: once is enough.
    let whole = |cell: usize| {
        slots.iter().all(|slot| matches!(slot, Slot::Own(it) | Slot::Spanned(it) if *it == cell))
    };
    let mut texts: Vec<&str> = Vec::with_capacity(slots.len());
    for slot in slots {
        texts.push(match slot {
            Slot::Own(cell) => &cells[*cell],
            Slot::Spanned(cell) => {
                let text = labels[*cell].as_deref().unwrap_or_default();
                match repeat_bytes_left.checked_sub(text.len()) {
                    Some(left) if !whole(*cell) => {
                        *repeat_bytes_left = left;
                        text
                    }
                    _ => "",
                }
            }
        });
    }
    while texts.len() > least && texts.last().is_some_and(|text| text.is_empty()) {
        texts.pop();
    }
    texts.resize(texts.len().max(least), "");
    let mut line = String::from("|");
    for text in texts {
        if !text.is_empty() {
            line.push(' ');
            line.push_str(text);
        }
        line.push_str(" |");
    }
    line
}

/// Blocks on one line.
pub(crate) fn line(blocks: &[Block], inline: &Inline<'_>) -> String {
    let mut lines = Vec::new();
    for block in blocks {
        block_lines(block, 0, inline, &mut lines);
    }
    lines.join(BREAK)
}

fn block_lines(block: &Block, level: usize, inline: &Inline<'_>, lines: &mut Vec<String>) {
    match block {
        Block::Paragraph(leaves) | Block::Heading(_, leaves) => lines.push(inline.write(leaves, Line::Cell)),
        Block::Rule => {}
        Block::Quote(blocks) => {
            for block in blocks {
                block_lines(block, level, inline, lines);
            }
        }
        Block::Definition(blocks) => {
            let first = lines.len();
            for block in blocks {
                block_lines(block, level, inline, lines);
            }
            if let Some(line) = lines.get_mut(first) {
                line.insert_str(0, ": ");
            }
        }
        Block::Code { code, link, .. } => lines.extend(code.split('\n').map(|code| {
            let mut span = String::new();
            if code.trim().is_empty() {
                return span;
            }
            escape::code_span(code, true, &mut span);
            match link {
                Some(link) => inline.linked(*link, &span, Line::Cell),
                None => span,
            }
        })),
        Block::List(list) => list_lines(list, level, inline, lines),
        Block::Table(table) => {
            for slots in &table.rows {
                // What a span reaches stays a place, or what follows would stand in another column.
                let mut texts: Vec<String> = Vec::with_capacity(slots.len());
                for slot in slots {
                    texts.push(match slot {
                        Slot::Own(cell) => line(&table.cells[*cell].blocks, inline),
                        Slot::Spanned(_) => String::new(),
                    });
                }
                let own = slots.iter().rposition(|slot| matches!(slot, Slot::Own(_)));
                texts.truncate(own.map_or(0, |last| last + 1));
                let mut bar = String::new();
                escape::text(" | ", Place { cell: true, ..Place::default() }, &mut bar);
                lines.push(texts.join(&bar));
            }
        }
    }
}

fn list_lines(list: &List, level: usize, inline: &Inline<'_>, lines: &mut Vec<String>) {
    for item in &list.items {
        let first = lines.len();
        for block in &item.blocks {
            block_lines(block, level + 1, inline, lines);
        }
        let mark = if list.ordered { format!("{}. ", item.number) } else { "- ".to_owned() };
        let indent = INDENT.repeat(level.min(INDENTS_MAX));
        match lines.get_mut(first) {
            Some(line) => *line = format!("{indent}{mark}{line}"),
            None => lines.push(format!("{indent}{}", mark.trim_end())),
        }
    }
}
