//! Tables as grids: every text in its own column.

use std::rc::Rc;

use markup5ever_rcdom::{Handle, Node};

use crate::blocks::{Block, Cell, Leaf, LeafKind, Slot, Style, Table};
use crate::build::{Around, Builder, Flow};
use crate::lists::number;
use crate::tree::{attribute, is_struck, tag};

/// The widest span of columns that HTML knows.
const COLUMN_SPAN_MAX: usize = 1_000;
/// The longest span of rows that HTML knows.
const ROW_SPAN_MAX: usize = 65_534;
/// The widest grid in which spans count.
const COLUMNS_MAX: usize = 1_000;
/// Where spans would leave more places empty than so many for each cell, they are not followed.
const EMPTY_PER_CELL_MAX: usize = 16;
/// The most bytes of a cell that is short.
const SHORT_BYTES_MAX: usize = 80;
/// Empty places that are always allowed.
const EMPTY_FREE: usize = 256;

/// Writes a table's caption and its grid. A table that only arranges blocks which no cell can hold is written as those
/// blocks.
pub(crate) fn table(builder: &mut Builder, node: &Handle, around: Around, flow: &mut Flow) {
    let mut reading = Reading::default();
    reading.part(builder, node, around, flow);
    let Reading { cells, nodes, rows, after } = reading;
    let says = cells.iter().any(|cell| !cell.blocks.is_empty());
    if says {
        let empty_max = cells.len() * EMPTY_PER_CELL_MAX + EMPTY_FREE;
        let grid = grid(&rows, true, empty_max).or_else(|| grid(&rows, false, 0)).unwrap_or_default();
        let columns = grid.iter().map(Vec::len).max().unwrap_or(0);
        if arranges(node, &rows, &cells, columns) {
            flow.blocks.extend(cells.into_iter().flat_map(|cell| cell.blocks));
        } else {
            for (column, slot) in grid.iter().flat_map(|slots| slots.iter().enumerate()) {
                if let Slot::Own(cell) = slot {
                    builder.columns.insert(nodes[*cell], column);
                }
            }
            let header_rows = header_rows(&rows, &cells, &grid, columns);
            let titles = titles(&rows, &cells, &grid, columns);
            flow.blocks.push(Block::Table(Table { cells, rows: grid, columns, header_rows, titles }));
        }
    }
    flow.blocks.extend(after);
}

/// A row as it is read.
struct Row {
    cells: Vec<Read>,
    in_head: bool,
    /// Of which `<thead>`, `<tbody>` or `<tfoot>`: no span reaches out of it.
    group: usize,
}

/// A cell as it is read.
struct Read {
    cell: usize,
    header: bool,
    columns: usize,
    rows: usize,
}

#[derive(Default)]
struct Reading {
    cells: Vec<Cell>,
    /// Where each cell lies in the tree.
    nodes: Vec<*const Node>,
    rows: Vec<Row>,
    /// A caption that stands after rows.
    after: Vec<Block>,
}

impl Reading {
    fn part(&mut self, builder: &mut Builder, node: &Handle, around: Around, flow: &mut Flow) {
        let mut group = self.rows.last().map_or(0, |row| row.group + 1);
        for child in node.children.borrow().iter() {
            let around = struck(child, around);
            match tag(child) {
                "thead" | "tbody" | "tfoot" => {
                    self.part(builder, child, around, flow);
                    group = self.rows.last().map_or(0, |row| row.group + 1);
                }
                "tr" => {
                    let in_head = tag(node) == "thead";
                    let mut row = Row { cells: Vec::new(), in_head, group };
                    self.row(builder, child, around, &mut row);
                    self.rows.push(row);
                }
                "caption" if self.rows.is_empty() => builder.children(child, around, flow),
                "caption" => self.after.extend(builder.inside(child, around)),
                "colgroup" | "col" => {}
                // The parser moves everything else out of tables, forms and the like excepted.
                _ => self.part(builder, child, around, flow),
            }
            flow.end();
        }
    }

    fn row(&mut self, builder: &mut Builder, node: &Handle, around: Around, row: &mut Row) {
        for child in node.children.borrow().iter() {
            let around = struck(child, around);
            match tag(child) {
                "td" | "th" => {
                    let span = |name: &str, most: usize| {
                        let value = number(child, name).and_then(|value| usize::try_from(value).ok());
                        value.unwrap_or(1).min(most)
                    };
                    row.cells.push(Read {
                        cell: self.cells.len(),
                        header: tag(child) == "th",
                        columns: span("colspan", COLUMN_SPAN_MAX).max(1),
                        // Zero: as far as its group.
                        rows: match span("rowspan", ROW_SPAN_MAX) {
                            0 => ROW_SPAN_MAX,
                            rows => rows,
                        },
                    });
                    self.cells.push(Cell { blocks: builder.inside(child, around) });
                    self.nodes.push(Rc::as_ptr(child));
                }
                _ => self.row(builder, child, around, row),
            }
        }
    }
}

fn struck(node: &Handle, around: Around) -> Around {
    let style = if is_struck(node) { around.style.with(Style::STRUCK) } else { around.style };
    Around { style, ..around }
}

/// What reaches into a column from above.
#[derive(Clone, Copy, Default)]
struct Above {
    rows_left: usize,
    cell: usize,
}

/// Puts every cell into its places. Columns in which no cell begins are left out. `None` where more than `empty_max`
/// places would only be reached by spans: that is known before they are made.
fn grid(rows: &[Row], spans: bool, empty_max: usize) -> Option<Vec<Vec<Slot>>> {
    let mut begins: Vec<bool> = Vec::new();
    let mut seen = |_row: usize, column: usize, slot: Slot| {
        if matches!(slot, Slot::Own(_)) {
            begins.resize(begins.len().max(column + 1), false);
            begins[column] = true;
        }
        true
    };
    places(rows, spans, &mut seen);
    let mut grid: Vec<Vec<Slot>> = Vec::new();
    grid.resize_with(rows.len(), Vec::new);
    let mut empty = 0;
    let mut keep = |row: usize, column: usize, slot: Slot| {
        if begins.get(column) == Some(&true) {
            empty += usize::from(matches!(slot, Slot::Spanned(_)));
            if empty > empty_max {
                return false;
            }
            grid[row].push(slot);
            #[cfg(test)]
            SLOTS.set(SLOTS.get() + 1);
        }
        true
    };
    places(rows, spans, &mut keep).then_some(grid)
}

#[cfg(test)]
thread_local! {
    /// Places made in this thread: tests see that they are bounded, without looking at memory.
    static SLOTS: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

/// Tells of every place its row, its column and whose it is, until the answer is no; whether it never was.
fn places(rows: &[Row], spans: bool, found: &mut dyn FnMut(usize, usize, Slot) -> bool) -> bool {
    let mut above: Vec<Above> = Vec::new();
    let mut group = 0;
    for (number, row) in rows.iter().enumerate() {
        if row.group != group {
            above.clear();
            group = row.group;
        }
        let mut column = 0;
        for read in &row.cells {
            if !take_above(number, &mut column, &above, found) {
                return false;
            }
            let room = COLUMNS_MAX.saturating_sub(column).max(1);
            let columns = if spans { read.columns.min(room) } else { 1 };
            for offset in 0..columns {
                // Where a cell from above is met, the span ends.
                if offset > 0 && above.get(column).is_some_and(|above| above.rows_left > 0) {
                    break;
                }
                let slot = if offset == 0 { Slot::Own(read.cell) } else { Slot::Spanned(read.cell) };
                if !found(number, column, slot) {
                    return false;
                }
                if spans && read.rows > 1 && column < COLUMNS_MAX {
                    if above.len() <= column {
                        above.resize(column + 1, Above::default());
                    }
                    above[column] = Above { rows_left: read.rows, cell: read.cell };
                }
                column += 1;
            }
        }
        if !take_above(number, &mut column, &above, found) {
            return false;
        }
        // What began in this row counts from the next on.
        for above in &mut above {
            above.rows_left = above.rows_left.saturating_sub(1);
        }
    }
    true
}

/// Fills the places that cells from above hold, up to the first free one.
fn take_above(
    row: usize,
    column: &mut usize,
    above: &[Above],
    found: &mut dyn FnMut(usize, usize, Slot) -> bool,
) -> bool {
    while let Some(above) = above.get(*column).filter(|above| above.rows_left > 0) {
        if !found(row, *column, Slot::Spanned(above.cell)) {
            return false;
        }
        *column += 1;
    }
    true
}

/// How many rows from the first on name columns. Those of a `<thead>` do; without one the first does where it says so, and
/// where no row begins with a name of its own, and those behind it where they say so. A corner that is empty says
/// nothing. A cell over the whole row is the title of a section, not a name of columns, where it is not the only one.
fn header_rows(rows: &[Row], cells: &[Cell], grid: &[Vec<Slot>], columns: usize) -> usize {
    let named = |row: &Row| row.cells.first().is_some_and(|cell| cell.header);
    let all_name = |cells: &[Read]| !cells.is_empty() && cells.iter().all(|cell| cell.header);
    let says_so = |row: &Row| {
        let behind_corner = match row.cells.split_first() {
            Some((corner, behind)) if !corner.header && cells[corner.cell].blocks.is_empty() => behind,
            _ => &row.cells,
        };
        row.in_head || all_name(behind_corner)
    };
    let names_itself = |row: &Row| named(row) && row.cells.iter().any(|cell| !cell.header);
    let names = |number: &usize| says_so(&rows[*number]) && !is_section(&grid[*number], columns);
    let count = rows.len();
    let in_head = rows.iter().take_while(|row| row.in_head).count();
    let titles = grid.iter().take_while(|slots| is_section(slots, columns)).count();
    let is_blank = |row: &Row| row.cells.iter().all(|read| cells[read.cell].blocks.is_empty());
    if in_head > titles && !rows[..in_head].iter().all(is_blank) {
        return in_head;
    }
    let behind = |first: usize| first + (first..count).take_while(names).count();
    if in_head > titles {
        // An empty head names nothing: the names stand behind it.
        return behind(in_head);
    }
    if titles > 0 {
        // Over rows of another section the title would be wrong.
        let headers = behind(titles);
        let is_only_one = titles == 1 && !grid[headers..].iter().any(|slots| is_section(slots, columns));
        return if is_only_one { headers } else { in_head };
    }
    match rows {
        [] => 0,
        [first, ..] if !says_so(first) && rows.iter().any(names_itself) => 0,
        _ => behind(1),
    }
}

/// Which rows say what those behind them are: titles of sections, and rows of nothing but names.
fn titles(rows: &[Row], cells: &[Cell], grid: &[Vec<Slot>], columns: usize) -> Vec<bool> {
    let says = |row: &Row| row.cells.iter().any(|read| !cells[read.cell].blocks.is_empty());
    let names = |row: &Row| row.cells.iter().all(|read| read.header);
    // A cell that is alone in its row, but does not reach over it, is a cell with nothing behind it.
    let is_section = |slots: &[Slot]| slots.len() > 1 && is_section(slots, columns);
    let is_title =
        |(row, slots): (&Row, &Vec<Slot>)| columns > 1 && says(row) && (names(row) || is_section(slots));
    rows.iter().zip(grid).map(is_title).collect()
}

/// Whether one cell takes the whole row, where there are several columns.
fn is_section(slots: &[Slot], columns: usize) -> bool {
    let cell = |slot: &Slot| match slot {
        Slot::Own(cell) | Slot::Spanned(cell) => *cell,
    };
    columns > 1
        && slots.first().is_some_and(|first| {
            matches!(first, Slot::Own(_)) && slots.iter().all(|slot| cell(slot) == cell(first))
        })
}

/// Whether a table only arranges: one row or one column, or no names at all, around blocks that no cell holds. Where most
/// cells are short, it is a table of data of which one cell holds more.
fn arranges(node: &Handle, rows: &[Row], cells: &[Cell], columns: usize) -> bool {
    let named = rows.iter().any(|row| row.in_head || row.cells.iter().any(|cell| cell.header));
    if named {
        return false;
    }
    let presents = attribute(node, "role").is_some_and(|role| matches!(role.trim(), "presentation" | "none"));
    let blocks = || cells.iter().flat_map(|cell| &cell.blocks);
    let large = |block: &Block| !matches!(block, Block::Paragraph(_) | Block::Rule);
    let inner_table =
        |block: &Block| matches!(block, Block::Table(table) if table.columns > 1 && table.rows.len() > 1);
    if columns == 1 || rows.len() == 1 || presents {
        return blocks().any(large);
    }
    let short = cells.iter().filter(|cell| is_short(&cell.blocks)).count();
    let is_data = short * 2 > cells.len() && !blocks().any(|block| matches!(block, Block::Heading(..)));
    blocks().any(inner_table) && !is_data
}

/// Whether a cell holds no more than a few words.
fn is_short(blocks: &[Block]) -> bool {
    let bytes = |leaf: &Leaf| match &leaf.kind {
        LeafKind::Text(text) => text.len(),
        _ => 1,
    };
    match blocks {
        [] => true,
        [Block::Paragraph(leaves)] => leaves.iter().map(bytes).sum::<usize>() <= SHORT_BYTES_MAX,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_bounded_while_they_are_made() {
        let tall = format!("<table><tr>{}<td>x{}", "<td rowspan=65534>".repeat(999), "<tr>".repeat(20_000));
        let wide = format!("<table>{}", "<tr><td colspan=1000>x".repeat(10_000));
        let dense = format!("<table><tr>{}{}", "<td>x".repeat(900), "<tr><td colspan=1000>x".repeat(5_000));
        for html in [tall, wide, dense] {
            SLOTS.set(0);
            crate::convert(&html, None, &crate::Limits::default()).unwrap();
            let cells = html.matches("<td").count();
            // Once with spans, and once without.
            let most = cells * (EMPTY_PER_CELL_MAX + 2) + EMPTY_FREE;
            assert!((cells..=most).contains(&SLOTS.get()), "{} of {most}", SLOTS.get());
        }
    }
}
