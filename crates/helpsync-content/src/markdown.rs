//! The tree as Markdown.

use std::rc::Rc;

use htmd::HtmlToMarkdown;
use htmd::options::{BulletListMarker, Options};
use markup5ever_rcdom::{Handle, NodeData};

use crate::{ConvertError, Limits};

/// Writes the cleaned tree as Markdown.
pub(crate) fn markdown(document: &Handle, limits: &Limits) -> Result<String, ConvertError> {
    check_tables(document, limits)?;
    let options = Options {
        bullet_list_marker: BulletListMarker::Dash,
        ul_bullet_spacing: 1,
        ol_number_spacing: 1,
        ..Options::default()
    };
    let markdown = HtmlToMarkdown::builder().options(options).build().tree_to_markdown(document);
    Ok(markdown.trim().to_owned())
}

/// Bounds what htmd's padding of columns can come to: for each table, its rows times the sum of its columns' widths,
/// where a column is at most as wide as the longest cell.
fn check_tables(document: &Handle, limits: &Limits) -> Result<(), ConvertError> {
    let mut total = 0usize;
    let mut stack = vec![Rc::clone(document)];
    while let Some(node) = stack.pop() {
        if is(&node, "table") {
            total = total.saturating_add(padded(&node));
            if total > limits.table_bytes_max {
                return Err(ConvertError::TableBytes { bytes_max: limits.table_bytes_max });
            }
        }
        stack.extend(node.children.borrow().iter().cloned());
    }
    Ok(())
}

/// An upper bound of one table's padded size, in bytes.
fn padded(table: &Handle) -> usize {
    let mut rows = 0usize;
    let mut widths: Vec<usize> = Vec::new();
    let mut stack: Vec<Handle> = table.children.borrow().iter().cloned().collect();
    while let Some(node) = stack.pop() {
        if is(&node, "table") {
            continue;
        }
        if is(&node, "tr") {
            rows += 1;
            let cells = node.children.borrow();
            for (column, cell) in cells.iter().filter(|cell| is(cell, "td") || is(cell, "th")).enumerate() {
                let width = weight(cell);
                match widths.get_mut(column) {
                    Some(widest) => *widest = width.max(*widest),
                    None => widths.push(width),
                }
            }
        }
        stack.extend(node.children.borrow().iter().cloned());
    }
    // Three more for each cell's bar and spaces.
    (rows + 1).saturating_mul(widths.iter().map(|width| width + 3).sum())
}

/// About what a subtree comes to in Markdown: its texts and addresses, and a little for each element.
fn weight(node: &Handle) -> usize {
    let mut bytes = 0;
    let mut stack = vec![Rc::clone(node)];
    while let Some(node) = stack.pop() {
        bytes += match &node.data {
            NodeData::Text { contents } => contents.borrow().len(),
            NodeData::Element { attrs, .. } => {
                4 + attrs.borrow().iter().map(|attr| attr.value.len()).sum::<usize>()
            }
            _ => 0,
        };
        stack.extend(node.children.borrow().iter().cloned());
    }
    bytes
}

fn is(node: &Handle, tag: &str) -> bool {
    matches!(&node.data, NodeData::Element { name, .. } if &*name.local == tag)
}
