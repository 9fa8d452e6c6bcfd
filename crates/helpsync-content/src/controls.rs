//! What the controls of a form say without being touched.

use html5ever::local_name;
use markup5ever_rcdom::{Handle, Node};

use crate::tree::{attribute, element, put, says_something, tag, text, words_of};

/// What an `<input>` says: its mark, or the words in it. A reader sees no password, and nothing of what is hidden.
pub(crate) fn said_by(input: &Node) -> Option<String> {
    let kind = attribute(input, "type").unwrap_or_default().trim().to_ascii_lowercase();
    let checked = attribute(input, "checked").is_some();
    match kind.as_str() {
        "checkbox" => Some(if checked { "\u{2611}" } else { "\u{2610}" }.to_owned()),
        "radio" => Some(if checked { "\u{25c9}" } else { "\u{25cb}" }.to_owned()),
        "image" => attribute(input, "alt").or_else(|| attribute(input, "value")).map(String::from),
        "hidden" | "password" | "file" | "color" | "range" => None,
        _ => attribute(input, "value").map(String::from),
    }
}

/// Writes the `label` of an option, or of a group of them, where readers see it.
pub(crate) fn name(node: &Handle) {
    let Some(label) = words_of(node, "label") else { return };
    if tag(node) == "optgroup" {
        put(node, 0, element(local_name!("label"), vec![text(&label)]));
    } else if !says_something(node) {
        put(node, 0, text(&label));
    }
}
