//! A paragraph's pieces with even spaces: one between words, none at the ends, and none inside emphasis or a link at
//! its edge.

use crate::blocks::{Leaf, LeafKind, Style};
use crate::inline::Line;
use crate::spaces::{indent, shown_indent};

/// Collapses white space, joins what is alike, and gives each space the style that both neighbours have: so no style
/// and no link ever begins or ends with one. In a heading, line breaks become spaces. No-break spaces that indent a line
/// stay, outside of every style.
pub(crate) fn tidy(leaves: &[Leaf], line: Line) -> Vec<Leaf> {
    let mut tidy = Tidy { leaves: Vec::new(), pending: None, indent: 0, line };
    for leaf in leaves {
        match &leaf.kind {
            LeafKind::Text(text) if leaf.style.has(Style::CODE) => tidy.code(text, leaf),
            LeafKind::Text(text) => tidy.words(text, leaf),
            LeafKind::Break if line != Line::Heading => {
                tidy.pending = Some(Pending::Break);
                tidy.indent = 0;
            }
            LeafKind::Space | LeafKind::Break => tidy.space(false),
            LeafKind::Image { .. } => tidy.push(leaf.clone()),
        }
    }
    tidy.leaves
}

/// What stands before the next piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pending {
    Space { in_code: bool },
    Break,
}

struct Tidy {
    leaves: Vec<Leaf>,
    pending: Option<Pending>,
    /// How far no-break spaces indent what comes next, if it begins a line.
    indent: usize,
    line: Line,
}

impl Tidy {
    fn space(&mut self, in_code: bool) {
        match self.pending {
            Some(Pending::Break) => {}
            Some(Pending::Space { in_code: before }) => {
                self.pending = Some(Pending::Space { in_code: in_code && before });
            }
            None => self.pending = Some(Pending::Space { in_code }),
        }
    }

    fn words(&mut self, text: &str, like: &Leaf) {
        if text.starts_with(char::is_whitespace) {
            self.space(false);
            self.indent += indent(text);
        }
        let mut words = String::new();
        for word in text.split_whitespace() {
            if !words.is_empty() {
                words.push(' ');
            }
            words.push_str(word);
        }
        if !words.is_empty() {
            self.push(Leaf { kind: LeafKind::Text(words), ..*like });
        }
        if text.ends_with(char::is_whitespace) {
            self.space(false);
        }
    }

    /// Code keeps its spaces, also those at its ends. A line end is a space that only parts: it comes of how the HTML was
    /// written.
    fn code(&mut self, text: &str, like: &Leaf) {
        let ends = |c: char| matches!(c, '\n' | '\r');
        let blank = |part: &str| part.contains(ends);
        let inner = text.trim();
        let (before, after) = if inner.is_empty() {
            (text, "")
        } else {
            let start = text.len() - text.trim_start().len();
            (&text[..start], &text[start + inner.len()..])
        };
        if blank(before) || (inner.is_empty() && !text.is_empty() && !self.continues(like)) {
            self.space(true);
        }
        let kept = |part| if blank(part) { "" } else { part };
        let code: String = [kept(before), inner, kept(after)].concat();
        // A tab may stand in a span, a line end may not.
        let code = code.replace(|c: char| c.is_whitespace() && c != '\t', " ");
        if !inner.is_empty() || (!code.is_empty() && self.continues(like)) {
            self.push(Leaf { kind: LeafKind::Text(code), ..*like });
        }
        if blank(after) {
            self.space(true);
        }
    }

    /// Whether the last piece is code that goes on without a gap.
    fn continues(&self, like: &Leaf) -> bool {
        self.pending.is_none()
            && self.leaves.last().is_some_and(|last| last.style == like.style && last.link == like.link)
    }

    fn push(&mut self, leaf: Leaf) {
        let begins_line = match self.pending {
            Some(Pending::Break) => true,
            _ => self.leaves.is_empty() && self.line == Line::Paragraph,
        };
        let width = shown_indent(std::mem::take(&mut self.indent));
        if begins_line && width > 0 {
            let kind = LeafKind::Text("\u{a0}".repeat(width));
            self.join(Leaf { kind, style: Style::default(), link: None });
        }
        self.join(leaf);
    }

    fn join(&mut self, leaf: Leaf) {
        let pending = self.pending.take();
        let Some(last) = self.leaves.last_mut() else {
            self.leaves.push(leaf);
            return;
        };
        let alike = last.style == leaf.style && last.link == leaf.link;
        let code = leaf.style.has(Style::CODE);
        let gap = match pending {
            None => Some(""),
            Some(Pending::Space { in_code }) if in_code == code => Some(" "),
            Some(_) => None,
        };
        if let (true, Some(gap), LeafKind::Text(before), LeafKind::Text(text)) =
            (alike, gap, &mut last.kind, &leaf.kind)
        {
            before.push_str(gap);
            before.push_str(text);
            return;
        }
        let style = last.style.and(leaf.style).without_code();
        let link = last.link.filter(|link| leaf.link == Some(*link));
        match pending {
            Some(Pending::Break) => self.leaves.push(Leaf { kind: LeafKind::Break, style, link }),
            Some(Pending::Space { .. }) => self.leaves.push(Leaf { kind: LeafKind::Space, style, link }),
            None => {}
        }
        self.leaves.push(leaf);
    }
}
