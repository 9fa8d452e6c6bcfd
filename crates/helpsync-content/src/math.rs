//! Formulas on one line.

use markup5ever_rcdom::{Handle, NodeData};

use crate::tree::{all_text, attribute, tag, words_of};

/// A `<math>` element as a line: in TeX where it says so, else with signs for what stands above and below.
pub(crate) fn linear(math: &Handle) -> String {
    words_of(math, "alttext").map(String::from).or_else(|| tex(math)).unwrap_or_else(|| part(math))
}

/// The TeX that a formula was made from.
fn tex(node: &Handle) -> Option<String> {
    if tag(node) == "annotation" {
        let encoding = attribute(node, "encoding").unwrap_or_default().to_ascii_lowercase();
        return encoding.contains("tex").then(|| all_text(node));
    }
    node.children.borrow().iter().find_map(tex)
}

fn part(node: &Handle) -> String {
    if let NodeData::Text { contents } = &node.data {
        return contents.borrow().trim().to_owned();
    }
    let parts = node.children.borrow().iter().filter(|it| !is_space(it)).map(part).collect::<Vec<_>>();
    let group = |at: usize| {
        let part = parts.get(at).map_or("", String::as_str);
        if part.chars().all(char::is_alphanumeric) { part.to_owned() } else { format!("({part})") }
    };
    match (tag(node), parts.len()) {
        ("msup", 2) => format!("{}^{}", group(0), group(1)),
        ("msub", 2) => format!("{}_{}", group(0), group(1)),
        ("msubsup", 3) => format!("{}_{}^{}", group(0), group(1), group(2)),
        ("mfrac", 2) => format!("{}/{}", group(0), group(1)),
        ("mroot", 2) => format!("{}^(1/{})", group(0), group(1)),
        ("msqrt", _) => format!("\u{221a}({})", parts.concat()),
        ("mtr", _) => format!("{}; ", parts.join(", ")),
        ("annotation" | "annotation-xml", _) => String::new(),
        _ => parts.concat(),
    }
}

fn is_space(node: &Handle) -> bool {
    matches!(&node.data, NodeData::Text { contents } if contents.borrow().trim().is_empty())
}
