//! Code, byte for byte.

use std::ops::Range;

use markup5ever_rcdom::{Handle, NodeData};

use crate::tree::{
    all_text, attribute, is_block as is_block_tag, is_own_line, is_shown_as_block, is_struck, keeps_lines,
    tag,
};

/// The longest name of a language.
const LANGUAGE_BYTES_MAX: usize = 30;

/// Whether `<code>` outside of `<pre>` has several lines, and so is a block.
pub(crate) fn is_block(code: &Handle) -> bool {
    fn holds(node: &Handle, found: &dyn Fn(&str) -> bool) -> bool {
        node.children.borrow().iter().any(|child| found(tag(child)) || holds(child, found))
    }
    let text = text(code);
    text.trim().contains('\n')
        && (keeps_lines(code) || holds(code, &|tag| tag == "br"))
        && !holds(code, &|tag| tag == "a" || is_passed_over(tag))
}

/// Whether an element stands beside its neighbours in a line, but adds nothing of its own to a block of code.
pub(crate) fn is_passed_over(tag: &str) -> bool {
    matches!(tag, "img" | "image" | "button" | "video" | "audio")
}

/// A block of code.
pub(crate) struct Code {
    pub language: String,
    /// Without line ends at its end.
    pub text: String,
    /// What of it is struck, in bytes of the text, in order.
    pub struck: Vec<Range<usize>>,
}

/// Reads a block of code; `None` when it is blank.
pub(crate) fn block(node: &Handle) -> Option<Code> {
    let (mut text, mut struck) = (String::new(), Vec::new());
    append(node, &mut text, &mut struck);
    text.truncate(text.trim_end_matches('\n').len());
    if text.trim().is_empty() {
        return None;
    }
    Some(Code { language: language(node).unwrap_or_default(), text, struck })
}

/// Whether a link inside of code says more than its words.
pub(crate) fn link_matters(link: &Handle) -> bool {
    attribute(link, "href").is_some_and(|href| *href != *all_text(link).trim())
}

/// The text with line ends where lines end: at `<br>` and around blocks.
fn text(node: &Handle) -> String {
    let mut out = String::new();
    append(node, &mut out, &mut Vec::new());
    out
}

/// Adds the text below a node, and where it is struck.
fn append(node: &Handle, out: &mut String, struck: &mut Vec<Range<usize>>) {
    for child in node.children.borrow().iter() {
        if let NodeData::Text { contents } = &child.data {
            // Spans of code keep their no-break spaces until here: they may indent.
            out.push_str(&contents.borrow().replace('\u{a0}', " "));
            continue;
        }
        let tag = tag(child);
        let block =
            is_block_tag(tag) || (is_shown_as_block(child) && !is_passed_over(tag)) || is_own_line(tag);
        let on_new_line = |out: &mut String| {
            if block && !out.is_empty() && !out.ends_with('\n') {
                out.push('\n');
            }
        };
        on_new_line(out);
        match tag {
            "br" => out.push('\n'),
            _ => {
                let (start, first) = (out.len(), struck.len());
                append(child, out, struck);
                if is_struck(child) && out.len() > start {
                    struck.truncate(first);
                    struck.push(start..out.len());
                }
            }
        }
        on_new_line(out);
    }
}

/// The language that a highlighter's class names.
fn language(node: &Handle) -> Option<String> {
    let class = attribute(node, "class").unwrap_or_default();
    let own = class.split_ascii_whitespace().find_map(|class| {
        let name = class.strip_prefix("language-").or_else(|| class.strip_prefix("lang-"))?;
        let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '#' | '.' | '_');
        (!name.is_empty() && name.len() <= LANGUAGE_BYTES_MAX && name.chars().all(legal))
            .then(|| name.to_owned())
    });
    own.or_else(|| node.children.borrow().iter().filter(|child| tag(child) == "code").find_map(language))
}
