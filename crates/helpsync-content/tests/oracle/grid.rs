//! Tables as a reader sees them.

use std::collections::BTreeMap;

use markup5ever_rcdom::Handle;

use crate::dom::{attribute, children, own_text, tag};
use crate::facts::{is_inline, words};

/// The words of each place, and whether a cell begins there or reaches there.
#[derive(Debug, Default)]
pub(crate) struct Grid {
    rows: Vec<BTreeMap<usize, (String, bool)>>,
}

impl Grid {
    /// The words of every row, place by place.
    pub(crate) fn rows(&self) -> Vec<Vec<String>> {
        self.rows.iter().map(|row| row.values().map(|(words, _)| words.clone()).collect()).collect()
    }

    /// The first place whose words differ. An empty header of the copy's is no row; a place that a cell reaches may
    /// hold its words or none.
    pub(crate) fn difference(&self, copy: &Self) -> Option<String> {
        let empty = |row: &BTreeMap<usize, (String, bool)>| row.values().all(|(words, _)| words.is_empty());
        let headless = copy.rows.len() == self.rows.len() + 1 && copy.rows.first().is_some_and(empty);
        let copied = if headless { &copy.rows[1..] } else { &copy.rows[..] };
        if copied.len() != self.rows.len() {
            return Some(format!("{} rows became {}:\n{self:#?}\n{copy:#?}", self.rows.len(), copied.len()));
        }
        for (number, (row, copied)) in self.rows.iter().zip(copied).enumerate() {
            let columns = row.keys().chain(copied.keys()).max().map_or(0, |last| last + 1);
            for column in 0..columns {
                let none = (String::new(), true);
                let (words, begins) = row.get(&column).unwrap_or(&none);
                let (copy, _) = copied.get(&column).unwrap_or(&none);
                if words != copy && (*begins || !copy.is_empty()) {
                    return Some(format!("row {number}, column {column}: {words:?} became {copy:?}"));
                }
            }
        }
        None
    }
}

/// The grid of a table; `None` where it says nothing.
pub(crate) fn grid(table: &Handle) -> Option<Grid> {
    let mut parts: Vec<Handle> = Vec::new();
    for name in ["thead", "tbody", "tfoot"] {
        parts.extend(children(table).into_iter().filter(|child| tag(child) == name));
    }
    let mut grid = Grid::default();
    for part in &parts {
        let rows: Vec<Handle> = children(part).into_iter().filter(|child| tag(child) == "tr").collect();
        let mut places: Vec<BTreeMap<usize, (String, bool)>> = vec![BTreeMap::new(); rows.len()];
        for (number, row) in rows.iter().enumerate() {
            let mut column = 0;
            for cell in children(row).iter().filter(|cell| matches!(tag(cell), "td" | "th")) {
                while places[number].contains_key(&column) {
                    column += 1;
                }
                let span =
                    |name: &str| attribute(cell, name).and_then(|it| it.parse().ok()).unwrap_or(1usize);
                let text = cell_words(cell).join(" ");
                let (wide, high) = (span("colspan").max(1), span("rowspan").max(1));
                let mut reach = 0;
                while reach < wide && (reach == 0 || !places[number].contains_key(&(column + reach))) {
                    reach += 1;
                    for below in places.iter_mut().skip(number).take(high) {
                        below.insert(column + reach - 1, (text.clone(), false));
                    }
                }
                places[number].insert(column, (text, true));
                column += reach;
            }
        }
        grid.rows.extend(places);
    }
    // Columns in which no cell begins are none.
    let begun =
        |column: &usize| grid.rows.iter().any(|row| row.get(column).is_some_and(|(_, begins)| *begins));
    let last = grid.rows.iter().filter_map(|row| row.keys().max().copied()).max().unwrap_or(0);
    let columns: Vec<usize> = (0..=last).filter(begun).collect();
    for row in &mut grid.rows {
        let narrowed =
            columns.iter().enumerate().filter_map(|(to, from)| row.remove(from).map(|place| (to, place)));
        *row = narrowed.collect();
    }
    let says = grid.rows.iter().flat_map(BTreeMap::values).any(|(words, _)| !words.is_empty());
    says.then_some(grid)
}

/// The words of a cell; an item of an ordered list begins with its number.
fn cell_words(node: &Handle) -> Vec<String> {
    fn gather(node: &Handle, out: &mut String) {
        let mut number = attribute(node, "start").and_then(|it| it.parse::<i64>().ok()).unwrap_or(1);
        for child in children(node) {
            if let Some(text) = own_text(&child) {
                out.push_str(&text);
                continue;
            }
            let inline = is_inline(tag(&child));
            if !inline {
                out.push(' ');
            }
            if tag(node) == "ol" && tag(&child) == "li" {
                out.push_str(&format!("{number}. "));
                number += 1;
            }
            gather(&child, out);
            if !inline {
                out.push(' ');
            }
        }
    }
    let mut out = String::new();
    gather(node, &mut out);
    words(&out)
}
