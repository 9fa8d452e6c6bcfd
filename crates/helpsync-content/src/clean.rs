//! Takes out of the tree what is not content, before anything is written.

use std::cell::RefCell;
use std::rc::{Rc, Weak};

use html5ever::tendril::StrTendril;
use html5ever::{Attribute, LocalName, QualName, local_name, ns};
use markup5ever_rcdom::{Handle, Node, NodeData};

/// Elements that readers do not see, or that are only machinery.
const DROPPED: [LocalName; 9] = [
    local_name!("script"),
    local_name!("style"),
    local_name!("noscript"),
    local_name!("template"),
    local_name!("svg"),
    local_name!("object"),
    local_name!("head"),
    local_name!("link"),
    local_name!("meta"),
];

/// Drops scripts, styles, comments and `data:` images; turns frames into links; evens out the spaces.
pub(crate) fn clean(document: &Handle) {
    let mut stack = vec![Rc::clone(document)];
    while let Some(parent) = stack.pop() {
        let children = std::mem::take(&mut *parent.children.borrow_mut());
        let kept: Vec<Handle> = children
            .into_iter()
            .filter_map(|child| match kept(&child) {
                Kept::No => None,
                Kept::AsIs => Some(child),
                Kept::As(other) => {
                    other.parent.set(Some(Rc::downgrade(&parent)));
                    Some(other)
                }
            })
            .collect();
        stack.extend(kept.iter().cloned());
        *parent.children.borrow_mut() = kept;
    }
}

enum Kept {
    No,
    AsIs,
    As(Handle),
}

fn kept(node: &Handle) -> Kept {
    match &node.data {
        NodeData::Comment { .. } | NodeData::Doctype { .. } | NodeData::ProcessingInstruction { .. } => {
            Kept::No
        }
        NodeData::Document => Kept::AsIs,
        NodeData::Text { contents } => {
            let evened = even(&contents.borrow());
            if let Some(evened) = evened {
                contents.replace(StrTendril::from(evened));
            }
            Kept::AsIs
        }
        NodeData::Element { name, attrs, .. } => {
            if DROPPED.contains(&name.local) {
                return Kept::No;
            }
            if name.local == local_name!("iframe") {
                return linked(&attrs.borrow()).map_or(Kept::No, Kept::As);
            }
            let mut attrs = attrs.borrow_mut();
            let unsafe_image = name.local == local_name!("img") && address(&attrs, "src").is_none();
            if unsafe_image {
                return Kept::No;
            }
            // A link that runs a script, or that carries a whole file, keeps its words and loses its target.
            attrs.retain(|attr| !(&*attr.name.local == "href" && is_inert(&attr.value)));
            Kept::AsIs
        }
    }
}

/// A frame's source as a link of its own block; most are videos.
fn linked(attrs: &[Attribute]) -> Option<Handle> {
    let source = address(attrs, "src")?;
    let title = attrs.iter().find(|attr| &*attr.name.local == "title").map(|attr| attr.value.clone());
    let words = title.filter(|title| !title.trim().is_empty()).unwrap_or_else(|| source.clone());
    let href = Attribute { name: QualName::new(None, ns!(), local_name!("href")), value: source };
    let text = Node::new(NodeData::Text { contents: RefCell::new(words) });
    Some(with_child(local_name!("p"), vec![], with_child(local_name!("a"), vec![href], text)))
}

fn with_child(local: LocalName, attrs: Vec<Attribute>, child: Handle) -> Handle {
    let element = Node::new(NodeData::Element {
        name: QualName::new(None, ns!(html), local),
        attrs: RefCell::new(attrs),
        template_contents: RefCell::new(None),
        mathml_annotation_xml_integration_point: false,
    });
    let parent: Weak<Node> = Rc::downgrade(&element);
    child.parent.set(Some(parent));
    element.children.borrow_mut().push(child);
    element
}

/// An attribute's address, when it leads anywhere.
fn address(attrs: &[Attribute], name: &str) -> Option<StrTendril> {
    let value = &attrs.iter().find(|attr| &*attr.name.local == name)?.value;
    (!value.trim().is_empty() && !is_inert(value)).then(|| value.clone())
}

/// Whether an address is a `data:`, `javascript:` or `vbscript:` one, as lenient as browsers read schemes.
fn is_inert(address: &str) -> bool {
    let scheme: String = address
        .chars()
        .filter(|c| !c.is_control() && !c.is_whitespace())
        .take_while(|c| *c != ':')
        .take("javascript".len() + 1)
        .collect();
    ["data", "javascript", "vbscript"].iter().any(|inert| scheme.eq_ignore_ascii_case(inert))
        && address.contains(':')
}

/// Non-breaking spaces as spaces, zero-width characters and stray controls gone; `None` when there are none.
fn even(text: &str) -> Option<String> {
    let odd = |c: char| is_blank(c) || is_invisible(c);
    text.contains(odd).then(|| {
        text.chars().filter(|c| !is_invisible(*c)).map(|c| if is_blank(c) { ' ' } else { c }).collect()
    })
}

/// No-break, figure and narrow no-break space.
fn is_blank(c: char) -> bool {
    matches!(c, '\u{a0}' | '\u{2007}' | '\u{202f}')
}

/// Zero-width space, word joiner, byte-order mark, soft hyphen, and controls other than tab and line ends. The
/// zero-width joiners stay: they are spelling in several scripts, and hold emoji together.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}' | '\u{2060}' | '\u{feff}' | '\u{ad}')
        || (c.is_control() && !matches!(c, '\t' | '\n' | '\r'))
}
