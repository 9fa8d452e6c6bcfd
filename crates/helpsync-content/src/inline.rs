//! A paragraph's pieces as Markdown.

use std::cell::Cell;

use crate::address::destination;
use crate::blocks::{Leaf, LeafKind, Link, LinkId, Style};
use crate::escape::{self, Place};
use crate::tidy::tidy;

/// Where a paragraph is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Line {
    Paragraph,
    Heading,
    Cell,
}

/// Writes paragraphs.
pub(crate) struct Inline<'a> {
    pub links: &'a [Link],
    /// Bytes of addresses that may still be written: a link around a thousand paragraphs repeats its address in each.
    pub address_bytes_left: Cell<usize>,
}

/// What stands beside emphasis, as CommonMark's rules on its delimiters see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Beside {
    Space,
    Punctuation,
    Word,
    /// Symbols, emoji, marks: parsers disagree.
    Other,
}

impl Beside {
    fn of(c: Option<char>) -> Self {
        match c {
            None => Self::Space,
            Some(c) if c.is_whitespace() => Self::Space,
            Some(c) if c.is_ascii_punctuation() => Self::Punctuation,
            Some(c) if c.is_alphanumeric() => Self::Word,
            Some(_) => Self::Other,
        }
    }

    /// Whether a delimiter between `self` (outside) and `inside` is one.
    fn admits(self, inside: Self) -> bool {
        inside == Self::Word || (inside != Self::Space && matches!(self, Self::Space | Self::Punctuation))
    }

    /// Whether a delimiter between `self` (outside) and `inside` can be nothing else.
    fn admits_one_way(self, inside: Self) -> bool {
        self == Self::Space || (self == Self::Punctuation && inside == Self::Word)
    }
}

/// What is open around the pieces that are written.
#[derive(Clone, Copy)]
struct Open {
    style: Style,
    link: Option<LinkId>,
    /// The delimiters right around the pieces are asterisks, or tildes.
    marks: Option<Marks>,
    before: Beside,
    after: Beside,
    line: Line,
}

/// Emphasis of one kind of delimiter; delimiters of the same kind side by side are read as one.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Marks {
    Asterisks,
    Tildes,
}

impl Inline<'_> {
    /// The pieces as one line, or several with hard breaks between them; in a cell always one.
    pub(crate) fn write(&self, leaves: &[Leaf], line: Line) -> String {
        let leaves = tidy(leaves, line);
        let mut out = String::new();
        let (before, after) = (Beside::Space, Beside::Space);
        self.pieces(
            &leaves,
            Open { style: Style::default(), link: None, marks: None, before, after, line },
            &mut out,
        );
        out
    }

    /// Written words as a link.
    pub(crate) fn linked(&self, link: LinkId, words: &str, line: Line) -> String {
        let mut out = String::new();
        self.link(link, words, line, &mut out);
        out
    }

    /// A link around a block of code, which holds none: called by its title or else its address. `None` when too many
    /// addresses are written.
    pub(crate) fn link_of_code(&self, link: LinkId) -> Option<String> {
        let Link { address, title } = &self.links[link.0];
        let name = title.as_deref().unwrap_or(address);
        let left = self.address_bytes_left.get().checked_sub(name.len())?;
        self.address_bytes_left.set(left);
        let mut words = String::new();
        escape::text(&one_line(name), Place { brackets: true, ..Place::default() }, &mut words);
        let linked = self.linked(link, &words, Line::Paragraph);
        (linked != words).then_some(linked)
    }

    fn pieces(&self, leaves: &[Leaf], open: Open, out: &mut String) {
        // Whether the last thing written was the end of emphasis, whose delimiters would run into the next ones.
        let mut closed = false;
        let mut at = 0;
        while let Some(leaf) = leaves.get(at) {
            let Some((group, length)) = widest(&leaves[at..], open) else {
                leaf_alone(leaf, open, out);
                closed = false;
                at += 1;
                continue;
            };
            let (inside, rest) = leaves[at..].split_at(length);
            // At an edge what stands outside counts, unless delimiters of another kind stand between.
            let marks = match group {
                Group::Style(Style::STRUCK) => Marks::Tildes,
                _ => Marks::Asterisks,
            };
            let alike = open.marks.is_none_or(|outer| outer == marks);
            let edge = |outside: Beside| if alike { outside } else { Beside::Punctuation };
            let before = if out.is_empty() { edge(open.before) } else { Beside::of(out.chars().next_back()) };
            let after = rest.first().map_or(edge(open.after), |next| beside(next, open));
            at += length;
            let mut inner = String::new();
            match group {
                Group::Link(link) => {
                    let (before, after) = (Beside::Punctuation, Beside::Punctuation);
                    self.pieces(
                        inside,
                        Open { link: Some(link), marks: None, before, after, ..open },
                        &mut inner,
                    );
                    self.link(link, &inner, open.line, out);
                    closed = false;
                }
                Group::Style(style) => {
                    let within =
                        Open { style: open.style.with(style), marks: Some(marks), before, after, ..open };
                    self.pieces(inside, within, &mut inner);
                    let starred = style != Style::STRUCK && open.style.is_starred();
                    closed = emphasize(style, &inner, (before, after), starred, closed, out);
                }
            }
        }
    }

    fn link(&self, link: LinkId, words: &str, line: Line, out: &mut String) {
        let Link { address, title } = &self.links[link.0];
        let bytes = address.len() + title.as_ref().map_or(0, String::len);
        let Some(left) = self.address_bytes_left.get().checked_sub(bytes) else {
            out.push_str(words);
            return;
        };
        self.address_bytes_left.set(left);
        out.push('[');
        not_a_footnote(words, out);
        out.push_str(words);
        target(address, title.as_deref(), line, out);
    }
}

enum Group {
    Link(LinkId),
    Style(Style),
}

/// The link or style that reaches furthest from the first of `leaves`, and how far. What reaches further stands outside,
/// so that nothing is opened twice where once will do; of two alike, the link.
fn widest(leaves: &[Leaf], open: Open) -> Option<(Group, usize)> {
    let first = leaves.first()?;
    let run = |holds: &dyn Fn(&Leaf) -> bool| leaves.iter().take_while(|leaf| holds(leaf)).count();
    let link = match (open.link, first.link) {
        (None, Some(link)) => Some((Group::Link(link), run(&|leaf| leaf.link == Some(link)))),
        _ => None,
    };
    let mut widest = link;
    for style in Style::PAIRED {
        if open.style.has(style) || !first.style.has(style) {
            continue;
        }
        let mut length = run(&|leaf| leaf.style.has(style));
        // A style that ends inside a link ends before it, or the link would be written twice.
        let cut_link = leaves.get(length).and_then(|next| next.link).filter(|_| open.link.is_none());
        if let Some(cut) = cut_link {
            let before = leaves[..length].iter().rev().take_while(|leaf| leaf.link == Some(cut)).count();
            length -= before;
            // No space at an edge.
            while length > 0 && matches!(leaves[length - 1].kind, LeafKind::Space | LeafKind::Break) {
                length -= 1;
            }
        }
        if length > 0 && widest.as_ref().is_none_or(|(_, reach)| length > *reach) {
            widest = Some((Group::Style(style), length));
        }
    }
    widest
}

/// How a piece begins that is written next.
fn beside(leaf: &Leaf, open: Open) -> Beside {
    let opens = Style::PAIRED.iter().any(|style| leaf.style.has(*style) && !open.style.has(*style))
        || (leaf.link.is_some() && leaf.link != open.link)
        || leaf.style.has(Style::CODE);
    match &leaf.kind {
        _ if opens => Beside::Punctuation,
        LeafKind::Text(text) => Beside::of(text.chars().next()),
        LeafKind::Image { .. } => Beside::Punctuation,
        LeafKind::Break if open.line == Line::Cell => Beside::Punctuation,
        LeafKind::Space | LeafKind::Break => Beside::Space,
    }
}

/// Writes `inner` emphasized, by tags where delimiters would not be read as such. Returns whether it ends with
/// delimiters. `starred` says that asterisks are open already, `closed` that delimiters end right before.
fn emphasize(
    style: Style,
    inner: &str,
    (before, after): (Beside, Beside),
    starred: bool,
    closed: bool,
    out: &mut String,
) -> bool {
    let (mark, tag) = match style {
        Style::STRUCK => ("~~", "del"),
        Style::STRONG => ("**", "strong"),
        _ => ("*", "em"),
    };
    let first = Beside::of(inner.chars().next());
    let last = Beside::of(inner.chars().next_back());
    // Between other asterisks those that could begin and end something might end the wrong one.
    let only_begins_and_ends = before.admits_one_way(first) && after.admits_one_way(last);
    let fits = before.admits(first) && after.admits(last) && !closed && (!starred || only_begins_and_ends);
    if fits {
        out.extend([mark, inner, mark]);
    } else {
        out.extend(["<", tag, ">", inner, "</", tag, ">"]);
    }
    fits
}

fn leaf_alone(leaf: &Leaf, open: Open, out: &mut String) {
    let cell = open.line == Line::Cell;
    match &leaf.kind {
        LeafKind::Text(code) if leaf.style.has(Style::CODE) => {
            // Code after code would read as one.
            if out.ends_with('`') {
                out.push(' ');
            }
            escape::code_span(code, cell, out);
        }
        LeafKind::Text(text) => {
            escape::text(text, Place { cell, brackets: open.link.is_some(), title: false }, out);
        }
        LeafKind::Space => out.push(' '),
        LeafKind::Break => out.push_str(if cell { "<br>" } else { "  \n" }),
        LeafKind::Image { address, alt, title } => {
            out.push_str("![");
            let alt = one_line(alt);
            not_a_footnote(&alt, out);
            escape::text(&alt, Place { cell, brackets: true, title: false }, out);
            target(address, title.as_deref(), open.line, out);
        }
    }
}

/// Words in brackets that begin with a caret would be the mark of a footnote.
fn not_a_footnote(words: &str, out: &mut String) {
    if words.starts_with('^') {
        out.push('\\');
    }
}

/// The end of a link or an image, from the bracket that closes its words.
fn target(address: &str, title: Option<&str>, line: Line, out: &mut String) {
    let cell = line == Line::Cell;
    out.push_str("](");
    out.push_str(&destination(address, cell));
    if let Some(title) = title {
        out.push_str(" \"");
        let mut escaped = String::new();
        escape::text(&one_line(title), Place { cell, brackets: true, title: true }, &mut escaped);
        let escaped = escaped.replace('"', "\\\"");
        match escaped.strip_suffix("\\\\") {
            // GitHub's parser looks for the longest title: it takes an escaped backslash and the end for an escaped quote.
            Some(before) => out.push_str(&format!("{before}&#92;")),
            None => out.push_str(&escaped),
        }
        out.push('"');
    }
    out.push(')');
}

/// An attribute's text on one line.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use crate::{Limits, convert};

    /// GitHub's parser looks for the longest title, and takes an escaped backslash with the end for an escaped quote.
    #[test]
    fn a_title_that_ends_with_a_backslash_ends_there() {
        for (title, written) in [("C:\\", "C:&#92;"), ("C:\\x", "C:\\x"), ("\\\\", "\\\\&#92;"), ("a", "a")] {
            let html = format!("<p><a href='https://a.example/' title='{title}'>x</a> is \"new\"");
            let markdown = convert(&html, None, &Limits::default()).unwrap().markdown;
            assert_eq!(
                markdown.trim(),
                format!("[x](https://a.example/ \"{written}\") is \"new\""),
                "{title}"
            );
        }
    }
}
