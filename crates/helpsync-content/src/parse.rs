//! HTML into a tree that is watched while it grows.

use std::borrow::Cow;
use std::cell::Cell;
use std::rc::{Rc, Weak};

use html5ever::interface::{ElementFlags, ExpandedName, NodeOrText, QuirksMode, TreeSink};
use html5ever::tendril::{StrTendril, TendrilSink};
use html5ever::tree_builder::TreeBuilderOpts;
use html5ever::{Attribute, ParseOpts, QualName, parse_document};
use markup5ever_rcdom::{Handle, Node, NodeData, RcDom};

use crate::limits::LOOKED_THROUGH_MAX;
use crate::{ConvertError, Limits};

/// How much is parsed between two looks at the bounds. A piece can open a hundred elements at most, so the bounds
/// are overshot by little.
const PIECE_BYTES: usize = 512;

/// The document of `html`.
pub(crate) fn parse(html: &str, limits: &Limits) -> Result<Parsed, ConvertError> {
    let options = ParseOpts {
        // Readers have scripts switched on: what stands in <noscript> is not what they see.
        tree_builder: TreeBuilderOpts { scripting_enabled: true, ..TreeBuilderOpts::default() },
        ..ParseOpts::default()
    };
    let mut parser = parse_document(Watched::default(), options);
    let mut rest = html;
    while !rest.is_empty() {
        let (piece, tail) = rest.split_at(rest.floor_char_boundary(PIECE_BYTES.min(rest.len())));
        parser.process(StrTendril::from_slice(piece));
        check(&parser.tokenizer.sink.sink, limits)?;
        rest = tail;
    }
    let document = parser.finish();
    // The end of input closes and reconstructs nothing that is not counted, but a bound is only one when it is final.
    if document.nodes > limits.nodes_max {
        return Err(ConvertError::Nodes { nodes_max: limits.nodes_max });
    }
    if depth(&document.root) > limits.depth_max + ROOT_LEVELS {
        return Err(ConvertError::Depth { depth_max: limits.depth_max });
    }
    Ok(document)
}

/// The document, `<html>` and `<body>` that surround every fragment.
const ROOT_LEVELS: usize = 3;

fn check(tree: &Watched, limits: &Limits) -> Result<(), ConvertError> {
    if tree.nodes.get() > limits.nodes_max || tree.looked_through.get() > LOOKED_THROUGH_MAX {
        return Err(ConvertError::Nodes { nodes_max: limits.nodes_max });
    }
    if tree.deepest.get() > limits.depth_max + ROOT_LEVELS {
        return Err(ConvertError::Depth { depth_max: limits.depth_max });
    }
    Ok(())
}

/// The true depth of a finished tree. The parser may move subtrees, which [`Watched`] does not re-measure.
fn depth(root: &Handle) -> usize {
    let mut deepest = 0;
    let mut stack = vec![(Rc::clone(root), 1)];
    while let Some((node, level)) = stack.pop() {
        deepest = deepest.max(level);
        stack.extend(node.children.borrow().iter().map(|child| (Rc::clone(child), level + 1)));
    }
    deepest
}

/// A finished tree.
pub(crate) struct Parsed {
    pub(crate) root: Handle,
    /// How many it was made of.
    pub(crate) nodes: usize,
}

/// htmd's tree, counting.
#[derive(Default)]
struct Watched {
    tree: RcDom,
    nodes: Cell<usize>,
    deepest: Cell<usize>,
    /// Siblings among which a place was looked for.
    looked_through: Cell<usize>,
}

impl Watched {
    /// A place among the children of a node is looked for.
    fn look_among(&self, parent: Option<&Handle>) {
        let siblings = parent.map_or(0, |parent| parent.children.borrow().len());
        self.looked_through.set(self.looked_through.get().saturating_add(siblings));
    }

    fn count(&self) {
        self.nodes.set(self.nodes.get() + 1);
    }

    /// Measures where something is put. Walking up is cheap: no further than the bound on depth and one piece.
    fn measure(&self, parent: &Handle) {
        let mut level = 2;
        let mut node = Rc::clone(parent);
        while let Some(above) = parent_of(&node) {
            level += 1;
            node = above;
        }
        self.deepest.set(self.deepest.get().max(level));
    }
}

fn parent_of(node: &Node) -> Option<Handle> {
    let weak = node.parent.take();
    let above = weak.as_ref().and_then(Weak::upgrade);
    node.parent.set(weak);
    above
}

impl TreeSink for Watched {
    type Handle = Handle;
    type Output = Parsed;
    type ElemName<'a> = ExpandedName<'a>;

    fn finish(self) -> Parsed {
        Parsed { root: Rc::clone(&self.tree.document), nodes: self.nodes.get() }
    }

    /// Errors are not kept: hostile input has as many as bytes.
    fn parse_error(&self, _message: Cow<'static, str>) {}

    fn get_document(&self) -> Handle {
        self.tree.get_document()
    }

    fn elem_name<'a>(&'a self, target: &'a Handle) -> ExpandedName<'a> {
        self.tree.elem_name(target)
    }

    fn create_element(&self, name: QualName, attrs: Vec<Attribute>, flags: ElementFlags) -> Handle {
        self.count();
        self.tree.create_element(name, attrs, flags)
    }

    fn create_comment(&self, _text: StrTendril) -> Handle {
        self.count();
        self.tree.create_comment(StrTendril::new())
    }

    fn create_pi(&self, _target: StrTendril, _data: StrTendril) -> Handle {
        // An empty comment: htmd's walk knows no processing instructions.
        self.create_comment(StrTendril::new())
    }

    fn append(&self, parent: &Handle, child: NodeOrText<Handle>) {
        // Text after text grows one node; each entity comes as a piece of its own.
        let grows =
            || parent.children.borrow().last().is_some_and(|last| matches!(last.data, NodeData::Text { .. }));
        if matches!(child, NodeOrText::AppendText(_)) && !grows() {
            self.count();
        }
        self.measure(parent);
        self.tree.append(parent, child);
    }

    fn append_based_on_parent_node(&self, element: &Handle, previous: &Handle, child: NodeOrText<Handle>) {
        self.count();
        self.measure(element);
        self.look_among(parent_of(element).as_ref());
        self.tree.append_based_on_parent_node(element, previous, child);
    }

    fn append_doctype_to_document(&self, name: StrTendril, public_id: StrTendril, system_id: StrTendril) {
        self.tree.append_doctype_to_document(name, public_id, system_id);
    }

    fn get_template_contents(&self, target: &Handle) -> Handle {
        self.tree.get_template_contents(target)
    }

    fn same_node(&self, x: &Handle, y: &Handle) -> bool {
        self.tree.same_node(x, y)
    }

    fn set_quirks_mode(&self, mode: QuirksMode) {
        self.tree.set_quirks_mode(mode);
    }

    fn append_before_sibling(&self, sibling: &Handle, child: NodeOrText<Handle>) {
        self.count();
        self.measure(sibling);
        self.look_among(parent_of(sibling).as_ref());
        self.tree.append_before_sibling(sibling, child);
    }

    fn add_attrs_if_missing(&self, target: &Handle, attrs: Vec<Attribute>) {
        self.tree.add_attrs_if_missing(target, attrs);
    }

    fn remove_from_parent(&self, target: &Handle) {
        self.look_among(parent_of(target).as_ref());
        self.tree.remove_from_parent(target);
    }

    fn reparent_children(&self, node: &Handle, new_parent: &Handle) {
        self.look_among(Some(node));
        self.tree.reparent_children(node, new_parent);
    }

    fn is_mathml_annotation_xml_integration_point(&self, target: &Handle) -> bool {
        self.tree.is_mathml_annotation_xml_integration_point(target)
    }

    /// A page's live `<select>` shows a copy of the chosen option; an article's text has no use for copies, and
    /// copying subtrees is a way to multiply them.
    fn maybe_clone_an_option_into_selectedcontent(&self, _option: &Handle) {}
}
