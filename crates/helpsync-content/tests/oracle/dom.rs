//! HTML and rendered Markdown as trees.

use html5ever::tendril::TendrilSink as _;
use html5ever::{ParseOpts, parse_document};
use markup5ever_rcdom::{Handle, NodeData, RcDom};
use pulldown_cmark::{Options, Parser, html};

/// The tree of HTML.
pub(crate) fn parsed(html: &str) -> Handle {
    parse_document(RcDom::default(), ParseOpts::default()).one(html).document
}

/// The tree of Markdown, raw HTML allowed.
pub(crate) fn rendered(markdown: &str) -> Handle {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_FOOTNOTES;
    let mut out = String::new();
    html::push_html(&mut out, Parser::new_ext(markdown, options));
    parsed(&out)
}

pub(crate) fn tag(node: &Handle) -> &str {
    match &node.data {
        NodeData::Element { name, .. } => &name.local,
        _ => "",
    }
}

pub(crate) fn attributes(node: &Handle) -> Vec<(String, String)> {
    match &node.data {
        NodeData::Element { attrs, .. } => {
            attrs.borrow().iter().map(|it| (it.name.local.to_string(), it.value.to_string())).collect()
        }
        _ => vec![],
    }
}

pub(crate) fn attribute(node: &Handle, name: &str) -> Option<String> {
    attributes(node).into_iter().find(|(it, _)| it == name).map(|(_, value)| value)
}

pub(crate) fn children(node: &Handle) -> Vec<Handle> {
    node.children.borrow().clone()
}

/// A node and everything below it, in order.
pub(crate) fn all(node: &Handle) -> Vec<Handle> {
    let mut out = Vec::new();
    let mut stack = vec![node.clone()];
    while let Some(node) = stack.pop() {
        stack.extend(children(&node).into_iter().rev());
        out.push(node);
    }
    out
}

pub(crate) fn own_text(node: &Handle) -> Option<String> {
    match &node.data {
        NodeData::Text { contents } => Some(contents.borrow().to_string()),
        _ => None,
    }
}
