//! Which spaces and line ends of a text count.

use std::rc::Rc;

use html5ever::local_name;
use markup5ever_rcdom::{Handle, Node, NodeData};

use crate::tree::{declares_any, element, tag, text};

/// Fewer no-break spaces at the start of a line only move it a little.
const INDENT_MIN: usize = 2;
/// The widest indent that is kept.
const INDENT_MAX: usize = 40;
/// How many spaces a tab is.
const TAB_SPACES: usize = 4;

/// What a style keeps of the spaces of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Kept {
    #[default]
    Nothing,
    Lines,
    /// And what stands before the words of a line.
    LinesAndIndents,
}

/// What an element says of the spaces in it; `None` where it says nothing.
pub(crate) fn kept_by(node: &Node) -> Option<Kept> {
    let says = |values: &[&str]| declares_any(node, "white-space", values);
    if says(&["pre", "pre-wrap", "break-spaces"]) {
        Some(Kept::LinesAndIndents)
    } else if says(&["pre-line"]) {
        Some(Kept::Lines)
    } else if says(&["normal", "nowrap"]) {
        Some(Kept::Nothing)
    } else {
        (tag(node) == "textarea").then_some(Kept::LinesAndIndents)
    }
}

/// Whether a child is a text that is shown: spaces between rows, items and options are not.
pub(crate) fn is_line_of(parent: &Node, child: &Node) -> bool {
    let NodeData::Text { contents } = &child.data else { return false };
    let holds_no_text = matches!(
        tag(parent),
        "" | "html"
            | "table"
            | "thead"
            | "tbody"
            | "tfoot"
            | "tr"
            | "colgroup"
            | "ul"
            | "ol"
            | "menu"
            | "dir"
            | "dl"
            | "select"
            | "optgroup"
    );
    !holds_no_text || !contents.borrow().trim().is_empty()
}

/// A text as lines with breaks between them, as long as any are left.
pub(crate) fn lines(node: &Handle, kept: Kept, lines_left: &mut usize) -> Vec<Handle> {
    let NodeData::Text { contents } = &node.data else { return vec![Rc::clone(node)] };
    let contents = contents.borrow();
    let mut rest = &**contents;
    let line = |line: &str| match kept {
        Kept::LinesAndIndents => text(&indented(line)),
        _ => text(line),
    };
    let mut shown = Vec::new();
    while let Some(end) = rest.find('\n').filter(|_| *lines_left > 0) {
        *lines_left -= 1;
        shown.extend([line(&rest[..end]), element(local_name!("br"), vec![])]);
        rest = &rest[end + 1..];
    }
    shown.push(line(rest));
    shown
}

/// A line whose spaces and tabs at the start are no-break spaces.
fn indented(line: &str) -> String {
    let words = line.trim_start();
    let width = |c: char| if c == '\t' { TAB_SPACES } else { 1 };
    let width: usize = line[..line.len() - words.len()].chars().map(width).sum();
    if width < INDENT_MIN {
        line.to_owned()
    } else {
        format!("{}{words}", "\u{a0}".repeat(width.min(INDENT_MAX)))
    }
}

/// How far the no-break spaces indent that a text begins with. They count where a line begins with the text.
pub(crate) fn indent(text: &str) -> usize {
    text.chars().take_while(|c| c.is_whitespace()).filter(|c| *c == '\u{a0}').count()
}

/// How much of an indent is kept.
pub(crate) fn shown_indent(width: usize) -> usize {
    if width < INDENT_MIN { 0 } else { width.min(INDENT_MAX) }
}

/// Non-breaking spaces as spaces, every line end as a line feed, zero-width characters and stray controls gone; `None` when
/// there are none.
pub(crate) fn even(text: &str) -> Option<String> {
    evened(text, is_blank)
}

/// As [`even`], but no-break spaces stay, because they may indent.
pub(crate) fn even_text(text: &str) -> Option<String> {
    evened(text, |c| c != '\u{a0}' && is_blank(c))
}

fn evened(text: &str, is_blank: impl Fn(char) -> bool) -> Option<String> {
    // Nothing of ASCII is odd but controls, and most texts are that.
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~' | b'\n' | b'\t')) {
        return None;
    }
    let odd = |c: char| is_blank(c) || is_invisible(c) || is_line_end(c);
    text.contains(odd).then(|| {
        let text = text.replace("\r\n", "\n");
        let shown = text.chars().filter(|c| !is_invisible(*c));
        shown
            .map(|c| {
                if is_line_end(c) {
                    '\n'
                } else if is_blank(c) {
                    ' '
                } else {
                    c
                }
            })
            .collect()
    })
}

/// Line ends other than the line feed, which references such as `&#13;` bring. To Markdown a carriage return is one, so it
/// would lead out of a quote, a list or a cell. The vertical tab is what Word makes of a line break.
fn is_line_end(c: char) -> bool {
    matches!(c, '\r' | '\u{b}' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

/// No-break, figure and narrow no-break space, and the form feed, which is a space in HTML.
fn is_blank(c: char) -> bool {
    matches!(c, '\u{a0}' | '\u{2007}' | '\u{202f}' | '\u{c}')
}

/// Zero-width space, word joiner, byte-order mark, soft hyphen, and controls other than tabs and line ends. The
/// zero-width joiners stay: they are spelling in several scripts, and hold emoji together.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}' | '\u{2060}' | '\u{feff}' | '\u{ad}')
        || (c.is_control() && !is_line_end(c) && !matches!(c, '\t' | '\n' | '\u{c}'))
}

#[cfg(test)]
mod tests {
    use crate::clean::LINES_MAX;

    #[test]
    fn lines_that_a_style_keeps_are_bounded() {
        let lines = |count: usize| format!("<p style='white-space: pre-line'>{}</p>", "x\n".repeat(count));
        let kept = |html: &str| {
            crate::convert(html, None, &crate::Limits::default()).unwrap().text.matches('\n').count()
        };
        assert_eq!(kept(&lines(LINES_MAX)), LINES_MAX - 1);
        assert_eq!(kept(&lines(LINES_MAX + 9)), LINES_MAX);
    }
}
