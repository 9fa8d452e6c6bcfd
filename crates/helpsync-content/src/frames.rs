//! Frames whose page stands in an attribute of theirs (`srcdoc`): readers see it, so it is a part of the article.

use std::rc::Rc;

use html5ever::local_name;

use crate::attributes::may_exceed;
use crate::parse::{Parsed, parse};
use crate::tree::{element, says_something, set, tag, words_of};
use crate::{ConvertError, Limits};

/// Puts the page of each such frame in the frame's place. A page that shows nothing is left out, and the frame is as any
/// other. All pages together are held to the bounds of the article: a page within a page is read once for each.
///
/// # Errors
/// Bytes, attributes of a tag, depth or number of nodes.
pub(crate) fn open(document: &Parsed, limits: &Limits) -> Result<(), ConvertError> {
    let mut nodes_left = limits.nodes_max.saturating_sub(document.nodes);
    let mut bytes = 0;
    let mut stack = vec![(Rc::clone(&document.root), 0)];
    while let Some((parent, level)) = stack.pop() {
        let mut children = parent.children.take();
        for child in &mut children {
            let Some(page) = words_of(child, "srcdoc").filter(|_| tag(child) == "iframe") else { continue };
            bytes += page.len();
            if bytes > limits.input_bytes_max {
                return Err(ConvertError::InputBytes { bytes, bytes_max: limits.input_bytes_max });
            }
            if may_exceed(&page, limits.attributes_max) {
                return Err(ConvertError::Attributes { attributes_max: limits.attributes_max });
            }
            let bounds = Limits {
                nodes_max: nodes_left,
                depth_max: limits.depth_max.saturating_sub(level),
                ..*limits
            };
            let page = parse(&page, &bounds).map_err(|refused| match refused {
                ConvertError::Nodes { .. } => ConvertError::Nodes { nodes_max: limits.nodes_max },
                ConvertError::Depth { .. } => ConvertError::Depth { depth_max: limits.depth_max },
                other => other,
            })?;
            nodes_left -= page.nodes;
            if says_something(&page.root) {
                let shown = element(local_name!("div"), page.root.children.take());
                shown.parent.set(Some(Rc::downgrade(&parent)));
                *child = shown;
            } else {
                set(child, "srcdoc", None);
            }
        }
        stack.extend(children.iter().map(|child| (Rc::clone(child), level + 1)));
        parent.children.replace(children);
    }
    Ok(())
}

/// Whether HTML may hold such a frame at all.
pub(crate) fn may_hold(html: &str) -> bool {
    const NAME: &[u8] = b"srcdoc";
    html.as_bytes().windows(NAME.len()).any(|window| window.eq_ignore_ascii_case(NAME))
}
