//! Small questions to the parsed tree, and small pieces for it.

use std::cell::RefCell;
use std::rc::{Rc, Weak};

use html5ever::tendril::StrTendril;
use html5ever::{Attribute, LocalName, QualName, ns};
use markup5ever_rcdom::{Handle, Node, NodeData};

use crate::styles::{Shift, declared, style_of};

/// The name of an element; empty for everything else.
pub(crate) fn tag(node: &Node) -> &str {
    match &node.data {
        NodeData::Element { name, .. } => &name.local,
        _ => "",
    }
}

/// An attribute's value.
pub(crate) fn attribute(node: &Node, name: &str) -> Option<StrTendril> {
    match &node.data {
        NodeData::Element { attrs, .. } => value(&attrs.borrow(), name),
        _ => None,
    }
}

/// An attribute's value among others.
pub(crate) fn value(attrs: &[Attribute], name: &str) -> Option<StrTendril> {
    attrs.iter().find(|attr| &*attr.name.local == name).map(|attr| attr.value.clone())
}

/// An attribute's text when there is any.
pub(crate) fn words_of(node: &Node, name: &str) -> Option<StrTendril> {
    attribute(node, name).filter(|value| !value.trim().is_empty())
}

/// Sets an attribute, or takes it away.
pub(crate) fn set(node: &Node, name: &str, value: Option<String>) {
    let NodeData::Element { attrs, .. } = &node.data else { return };
    let mut attrs = attrs.borrow_mut();
    attrs.retain(|attr| &*attr.name.local != name);
    if let Some(value) = value {
        let name = QualName::new(None, ns!(), LocalName::from(name));
        attrs.push(Attribute { name, value: StrTendril::from(value) });
    }
}

/// A text.
pub(crate) fn text(words: &str) -> Handle {
    Node::new(NodeData::Text { contents: RefCell::new(StrTendril::from(words)) })
}

/// An element around children.
pub(crate) fn element(local: LocalName, children: Vec<Handle>) -> Handle {
    let element = Node::new(NodeData::Element {
        name: QualName::new(None, ns!(html), local),
        attrs: RefCell::new(vec![]),
        template_contents: RefCell::new(None),
        mathml_annotation_xml_integration_point: false,
    });
    for child in children {
        put(&element, usize::MAX, child);
    }
    element
}

/// Puts a child at a place, or at the end when there is no such place.
pub(crate) fn put(parent: &Handle, at: usize, child: Handle) {
    let above: Weak<Node> = Rc::downgrade(parent);
    child.parent.set(Some(above));
    let mut children = parent.children.borrow_mut();
    let at = at.min(children.len());
    children.insert(at, child);
}

/// The texts of a subtree, as they stand.
pub(crate) fn all_text(node: &Handle) -> String {
    let mut out = String::new();
    let mut stack = vec![Rc::clone(node)];
    while let Some(node) = stack.pop() {
        if let NodeData::Text { contents } = &node.data {
            out.push_str(&contents.borrow());
        }
        stack.extend(node.children.borrow().iter().rev().cloned());
    }
    out
}

/// Whether an element's style holds a declaration, like `text-decoration` with `line-through`; also by the property that says
/// the same alone.
pub(crate) fn declares(node: &Node, property: &str, value: &str) -> bool {
    declares_any(node, property, &[value])
}

/// [`declares`] of any of these values.
pub(crate) fn declares_any(node: &Node, property: &str, wanted: &[&str]) -> bool {
    let names = match property {
        "text-decoration" => [property, "text-decoration-line"],
        "list-style" => [property, "list-style-type"],
        property => [property, property],
    };
    style_of(node).is_some_and(|style| {
        declared(&style, &names)
            .is_some_and(|values| values.split_ascii_whitespace().any(|it| wanted.contains(&it)))
    })
}

/// Words within a line that no browser shows. What a page opens stands in blocks, and stays.
pub(crate) fn is_hidden_within_a_line(node: &Node) -> bool {
    const WORDS: [&str; 44] = [
        "a", "abbr", "acronym", "b", "bdi", "bdo", "big", "blink", "button", "cite", "code", "data", "del",
        "dfn", "em", "font", "i", "input", "ins", "kbd", "label", "mark", "math", "meter", "nobr", "output",
        "q", "rt", "ruby", "s", "samp", "select", "small", "span", "strike", "strong", "sub", "sup", "svg",
        "textarea", "time", "tt", "u", "var",
    ];
    let name = tag(node);
    let is_hidden = || attribute(node, "hidden").is_some() || declares(node, "display", "none");
    match WORDS.contains(&name) {
        true => is_hidden(),
        // Of an application, or of Word.
        false => name.contains(['-', ':']) && is_hidden() && !holds_a_block(node),
    }
}

fn holds_a_block(node: &Node) -> bool {
    let mut stack: Vec<Handle> = node.children.borrow().iter().cloned().collect();
    while let Some(node) = stack.pop() {
        if is_block(tag(&node)) {
            return true;
        }
        stack.extend(node.children.borrow().iter().cloned());
    }
    false
}

/// Whether an element strikes its text through: what it says is no longer so.
pub(crate) fn is_struck(node: &Node) -> bool {
    matches!(tag(node), "del" | "s" | "strike") || declares(node, "text-decoration", "line-through")
}

/// Whether an element only looks like bold: pasted documents stand in a `<b>` that says it is none.
pub(crate) fn is_not_bold(node: &Node) -> bool {
    declares_any(node, "font-weight", &["normal", "400"])
}

/// Whether an element raises its text.
pub(crate) fn is_raised(node: &Node) -> bool {
    tag(node) == "sup" || crate::styles::shift(node) == Some(Shift::Up)
}

/// Whether an element lowers its text.
pub(crate) fn is_lowered(node: &Node) -> bool {
    tag(node) == "sub" || crate::styles::shift(node) == Some(Shift::Down)
}

/// Whether the style of an element of a line makes it a block.
pub(crate) fn is_shown_as_block(node: &Node) -> bool {
    !is_block(tag(node)) && declares_any(node, "display", &["block", "flex", "grid", "table", "list-item"])
}

/// Whether a text is shown as it stands, line ends included.
pub(crate) fn is_preformatted(tag: &str) -> bool {
    matches!(tag, "pre" | "listing" | "xmp" | "plaintext")
}

/// The same of an element: code may be styled so.
pub(crate) fn keeps_lines(node: &Node) -> bool {
    let styled = || declares_any(node, "white-space", &["pre", "pre-wrap", "pre-line", "break-spaces"]);
    is_preformatted(tag(node)) || (tag(node) == "code" && styled())
}

/// Elements that readers do not see, or that are only machinery.
const UNSEEN: [&str; 13] = [
    "script", "style", "noscript", "template", "head", "link", "meta", "noframes", "noembed", "datalist",
    "rp", "param", "track",
];

/// Whether readers never see an element of this name.
pub(crate) fn is_unseen(tag: &str) -> bool {
    UNSEEN.contains(&tag)
}

/// Whether an element of a line stands on lines of its own.
pub(crate) fn is_own_line(tag: &str) -> bool {
    matches!(tag, "option" | "label" | "legend" | "textarea")
}

/// Whether something stands below a node that readers see: words, a picture, a film.
pub(crate) fn says_something(node: &Handle) -> bool {
    says_something_with(node, &|picture| attribute(picture, "src").is_some())
}

/// The same where not every picture is shown.
pub(crate) fn says_something_with(node: &Handle, is_shown: &dyn Fn(&Node) -> bool) -> bool {
    let mut stack = vec![Rc::clone(node)];
    while let Some(node) = stack.pop() {
        match &node.data {
            NodeData::Text { contents } if !contents.borrow().trim().is_empty() => return true,
            NodeData::Element { .. } => match tag(&node) {
                "svg" | "math" if is_hidden_within_a_line(&node) => continue,
                "img" | "image" if is_shown(&node) => return true,
                "svg" | "video" | "iframe" | "object" | "math" => return true,
                unseen if is_unseen(unseen) => continue,
                _ if is_hidden_within_a_line(&node) => continue,
                _ => {}
            },
            _ => {}
        }
        stack.extend(node.children.borrow().iter().cloned());
    }
    false
}

/// Whether an element begins and ends on lines of its own.
pub(crate) fn is_block(tag: &str) -> bool {
    is_preformatted(tag)
        || matches!(
            tag,
            "address"
                | "article"
                | "aside"
                | "blockquote"
                | "body"
                | "caption"
                | "center"
                | "dd"
                | "details"
                | "dialog"
                | "dir"
                | "div"
                | "dl"
                | "dt"
                | "fieldset"
                | "figcaption"
                | "figure"
                | "footer"
                | "form"
                | "h1"
                | "h2"
                | "h3"
                | "h4"
                | "h5"
                | "h6"
                | "header"
                | "hgroup"
                | "hr"
                | "html"
                | "li"
                | "main"
                | "menu"
                | "nav"
                | "ol"
                | "p"
                | "search"
                | "section"
                | "summary"
                | "table"
                | "tbody"
                | "td"
                | "tfoot"
                | "th"
                | "thead"
                | "tr"
                | "ul"
        )
}
