//! The tree as plain text.

use std::rc::Rc;

use markup5ever_rcdom::{Handle, NodeData};

use crate::code;
use crate::tree::{is_shown_as_block, is_struck, keeps_lines, tag};

/// Around what is struck through.
const MARK: &str = "~~";

/// Something on the way through the tree.
enum Step {
    Enter(Handle),
    Break(Gap),
    EndPreformatted,
    EndStruck,
}

/// What separates two pieces of text; the widest asked for wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Gap {
    Nothing,
    Space,
    Tab,
    Line,
    Paragraph,
}

/// Writes what a reader sees: paragraphs apart by an empty line, list items, rows and lines on their own, cells apart
/// by a tab, preformatted text as it stands, and nowhere more than one space. What is struck through stands between `~~`:
/// without a mark it would read as valid.
pub(crate) fn text(document: &Handle) -> String {
    let mut out = Writer { text: String::new(), gap: Gap::Nothing, struck: 0, marked: false, unmarked_at: 0 };
    let mut stack = vec![Step::Enter(Rc::clone(document))];
    // How many of the elements around us are <pre>.
    let mut preformatted = 0usize;
    while let Some(step) = stack.pop() {
        let node = match step {
            Step::Enter(node) => node,
            Step::EndPreformatted => {
                preformatted -= 1;
                continue;
            }
            Step::EndStruck => {
                out.end_struck();
                continue;
            }
            Step::Break(gap) => {
                out.part(gap);
                continue;
            }
        };
        match &node.data {
            NodeData::Text { contents } if preformatted > 0 => out.verbatim(&contents.borrow()),
            NodeData::Text { contents } => out.words(&contents.borrow()),
            NodeData::Element { .. } => {
                let tag = tag(&node);
                let gap = if tag == "code" && preformatted == 0 && code::is_block(&node) {
                    Gap::Line
                } else if preformatted > 0 && code::is_passed_over(tag) {
                    Gap::Nothing
                } else if is_shown_as_block(&node) && !code::is_passed_over(tag) {
                    gap_around(tag).max(if preformatted > 0 { Gap::Line } else { Gap::Paragraph })
                } else {
                    gap_around(tag)
                };
                out.part(gap);
                if gap > Gap::Nothing {
                    stack.push(Step::Break(gap));
                }
                if keeps_lines(&node) {
                    preformatted += 1;
                    stack.push(Step::EndPreformatted);
                }
                if is_struck(&node) && preformatted == 0 {
                    out.struck += 1;
                    stack.push(Step::EndStruck);
                }
            }
            _ => {}
        }
        stack.extend(node.children.borrow().iter().rev().map(|child| Step::Enter(Rc::clone(child))));
    }
    out.text
}

fn gap_around(tag: &str) -> Gap {
    match tag {
        "br" | "li" | "tr" | "dt" | "dd" | "caption" | "figcaption" | "summary" | "option" | "legend"
        | "label" => Gap::Line,
        "td" | "th" => Gap::Tab,
        // A picture stands between its neighbours, and its words are no text.
        "img" | "image" | "button" | "video" | "audio" => Gap::Space,
        "address" | "article" | "aside" | "blockquote" | "center" | "details" | "div" | "dl" | "fieldset"
        | "figure" | "footer" | "form" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "header" | "hr"
        | "hgroup" | "listing" | "main" | "menu" | "nav" | "ol" | "p" | "plaintext" | "pre" | "section"
        | "table" | "ul" | "xmp" => Gap::Paragraph,
        _ => Gap::Nothing,
    }
}

struct Writer {
    text: String,
    /// Owed before the next piece; never written at the start or the end.
    gap: Gap,
    /// How many of the elements around us strike through.
    struck: usize,
    /// Whether the mark of what is struck is written.
    marked: bool,
    /// Where the last such mark ended.
    unmarked_at: usize,
}

impl Writer {
    fn part(&mut self, gap: Gap) {
        self.gap = self.gap.max(gap);
    }

    fn settle(&mut self) {
        let gap = std::mem::replace(&mut self.gap, Gap::Nothing);
        if !self.text.is_empty() {
            self.text.push_str(match gap {
                Gap::Nothing => "",
                Gap::Space => " ",
                Gap::Tab => "\t",
                Gap::Line => "\n",
                Gap::Paragraph => "\n\n",
            });
        }
        if self.struck > 0 && !self.marked {
            if self.text.len() == self.unmarked_at && self.unmarked_at > 0 {
                // Parts of one thing that is struck.
                self.text.truncate(self.unmarked_at - MARK.len());
            } else {
                self.text.push_str(MARK);
            }
            self.marked = true;
        }
    }

    fn end_struck(&mut self) {
        self.struck -= 1;
        if self.struck == 0 && self.marked {
            self.text.push_str(MARK);
            self.unmarked_at = self.text.len();
            self.marked = false;
        }
    }

    fn words(&mut self, text: &str) {
        if text.starts_with(char::is_whitespace) {
            self.part(Gap::Space);
        }
        for (index, word) in text.split_whitespace().enumerate() {
            if index > 0 {
                self.part(Gap::Space);
            }
            self.settle();
            self.text.push_str(word);
        }
        if text.ends_with(char::is_whitespace) {
            self.part(Gap::Space);
        }
    }

    fn verbatim(&mut self, text: &str) {
        let text = if self.text.is_empty() { text.trim_start_matches(['\n', '\r']) } else { text };
        let body = text.trim_end_matches(['\n', '\r']);
        if !body.is_empty() {
            self.settle();
            // Code that was typed with no-break spaces runs only with plain ones.
            self.text.push_str(&body.replace('\u{a0}', " "));
        }
        if body.len() < text.len() {
            self.part(Gap::Line);
        }
    }
}
