//! Lists, legal and illegal.

use markup5ever_rcdom::Handle;

use crate::blocks::{Block, Item, List, Style};
use crate::build::{Around, Builder, Flow};
use crate::tree::{attribute, is_block, is_own_line, is_struck, tag};

impl Builder {
    pub(crate) fn list(&mut self, node: &Handle, tag: &str, around: Around, flow: &mut Flow) {
        let ordered = tag == "ol";
        let step = if attribute(node, "reversed").is_some() { -1 } else { 1 };
        let start = number(node, "start").unwrap_or(if step < 0 { count(node) } else { 1 });
        let mut list = Growing {
            items: Vec::new(),
            before: Vec::new(),
            stray: Flow::default(),
            next: start,
            step,
            ordered,
        };
        self.items(node, around, &mut list);
        list.end_stray();
        let Growing { mut items, before, .. } = list;
        flow.blocks.extend(before);
        // Empty points say nothing; empty numbers count for those that follow.
        items.retain(|item| ordered || !item.blocks.is_empty());
        while items.pop_if(|item| item.blocks.is_empty()).is_some() {}
        if items.iter().all(|item| item.bare) {
            // Only there to indent.
            flow.blocks.extend(items.into_iter().flat_map(|item| item.blocks));
        } else if items.iter().any(|item| !item.blocks.is_empty()) {
            flow.blocks.push(Block::List(List { ordered, stray: false, items }));
        }
    }

    fn items(&mut self, node: &Handle, around: Around, list: &mut Growing) {
        for child in node.children.borrow().iter() {
            match tag(child) {
                "li" => {
                    list.end_stray();
                    let number = number(child, "value").unwrap_or(list.next);
                    list.next = number.saturating_add(list.step);
                    let blocks = self.item(child, around);
                    list.items.push(Item { number, blocks, bare: false });
                }
                "ul" | "ol" | "menu" | "dir" => {
                    list.end_stray();
                    let mut flow = Flow::default();
                    self.node(child, around, &mut flow);
                    list.append(flow.done());
                }
                // A wrapper between a list and its items.
                wrapper if child.children.borrow().iter().any(|it| tag(it) == "li") => {
                    let is_apart = is_block(wrapper) || is_own_line(wrapper);
                    if is_apart {
                        list.end_stray();
                    }
                    let around = self.around(child, wrapper, around);
                    self.items(child, around, list);
                    if is_apart {
                        list.end_stray();
                    }
                }
                _ => self.node(child, around, &mut list.stray),
            }
        }
    }

    fn item(&mut self, node: &Handle, around: Around) -> Vec<Block> {
        let mut flow = Flow::default();
        // As any element: an item may be struck as a whole.
        let struck = is_struck(node);
        let style = if struck { around.style.with(Style::STRUCK) } else { around.style };
        self.children(node, Around { style, ..around }, &mut flow);
        flow.done()
    }
}

/// A list that is being read.
struct Growing {
    items: Vec<Item>,
    /// What stands before the first item.
    before: Vec<Block>,
    /// What stands between items.
    stray: Flow,
    next: i64,
    step: i64,
    ordered: bool,
}

impl Growing {
    /// Text between two items belongs to the one before.
    fn end_stray(&mut self) {
        let blocks = std::mem::take(&mut self.stray).done();
        match self.items.last_mut() {
            Some(last) => last.blocks.extend(blocks),
            None => self.before.extend(blocks),
        }
    }

    /// A list that stands between items belongs to the one before, too.
    fn append(&mut self, blocks: Vec<Block>) {
        if blocks.is_empty() {
            return;
        }
        match self.items.last_mut() {
            Some(last) => last.blocks.extend(blocks),
            // No number could stand for it.
            None if self.ordered => self.before.extend(blocks),
            None => self.items.push(Item { number: self.next, blocks, bare: true }),
        }
    }
}

/// A whole number, as HTML reads one: what follows the digits is ignored.
pub(crate) fn number(node: &Handle, name: &str) -> Option<i64> {
    let value = attribute(node, name)?;
    let value = value.trim();
    let unsigned = value.strip_prefix(['-', '+']).unwrap_or(value);
    let digits = unsigned.bytes().take_while(u8::is_ascii_digit).count();
    let length = value.len() - unsigned.len() + digits;
    value[..length].parse::<i32>().ok().map(i64::from)
}

pub(crate) fn count(node: &Handle) -> i64 {
    let items = node.children.borrow().iter().filter(|child| tag(child) == "li").count();
    i64::try_from(items).unwrap_or(i64::MAX)
}
