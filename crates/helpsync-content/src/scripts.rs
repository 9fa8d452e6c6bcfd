//! Raised and lowered text. Without a sign 10 to the power of 6 reads 106, and a footnote's number joins its word.

use std::rc::Rc;

use html5ever::tendril::StrTendril;
use markup5ever_rcdom::{Handle, NodeData};

use crate::tree::{
    all_text, is_block, is_lowered, is_preformatted, is_raised, is_shown_as_block, put, tag, text,
};

/// Endings of ordinal numbers: raised for looks, and read with the number.
const ORDINALS: [&str; 15] =
    ["st", "nd", "rd", "th", "er", "ère", "ere", "re", "e", "è", "ème", "eme", "ième", "ieme", "nde"];

/// What an article's text is, in its order.
enum Step {
    Text(Handle),
    /// The edge of a block, a line break, a picture.
    Edge,
    Open(usize),
    Close(usize),
}

/// A raised or lowered element.
struct Script {
    node: Handle,
    raised: bool,
    words: String,
    before: Option<char>,
    after: Option<char>,
    /// The number above or below a fraction's bar.
    in_fraction: bool,
    /// Says the same as the element around it, which is marked already.
    repeats: bool,
}

/// Puts a `^` before raised and a `_` before lowered text wherever it would read as something else.
pub(crate) fn scripts(document: &Handle) {
    let mut scripts = Vec::new();
    let steps = steps(document, &mut scripts);
    if scripts.is_empty() {
        return;
    }
    let mut last: Option<char> = None;
    let mut open: Vec<usize> = Vec::new();
    for step in &steps {
        match step {
            Step::Text(node) => {
                let NodeData::Text { contents } = &node.data else { continue };
                let contents = contents.borrow();
                for script in &open {
                    scripts[*script].words.push_str(&contents);
                }
                last = contents.chars().next_back().or(last);
            }
            Step::Edge => last = None,
            Step::Open(script) => {
                scripts[*script].before = last;
                open.push(*script);
            }
            Step::Close(script) => {
                open.pop();
                if let Some(outer) = open.last() {
                    let (outer, inner) = (&scripts[*outer], &scripts[*script]);
                    let repeats = outer.raised == inner.raised && outer.words == inner.words;
                    scripts[*script].repeats = repeats;
                }
            }
        }
    }
    let mut next: Option<char> = None;
    for step in steps.iter().rev() {
        match step {
            Step::Text(node) => {
                let NodeData::Text { contents } = &node.data else { continue };
                next = contents.borrow().chars().next().or(next);
            }
            Step::Edge => next = None,
            Step::Close(script) => scripts[*script].after = next,
            Step::Open(_) => {}
        }
    }
    fractions(&steps, &mut scripts);
    for script in &scripts {
        script.mark();
    }
}

/// Finds raised digits, a bar and lowered digits: a fraction. Its bar becomes a slash, which every font has.
fn fractions(steps: &[Step], scripts: &mut [Script]) {
    for window in steps.windows(3) {
        let [Step::Close(upper), Step::Text(bar), Step::Open(lower)] = window else { continue };
        let NodeData::Text { contents } = &bar.data else { continue };
        let is_bar = matches!(contents.borrow().trim(), "/" | "\u{2044}" | "\u{2215}");
        let (upper, lower) = (*upper, *lower);
        if is_bar
            && scripts[upper].raised
            && !scripts[lower].raised
            && is_digits(&scripts[upper].words)
            && is_digits(&scripts[lower].words)
        {
            contents.replace(StrTendril::from("/"));
            scripts[upper].in_fraction = true;
            scripts[lower].in_fraction = true;
        }
    }
}

fn is_digits(words: &str) -> bool {
    let words = words.trim();
    !words.is_empty() && words.chars().all(|c| c.is_ascii_digit())
}

fn steps(document: &Handle, scripts: &mut Vec<Script>) -> Vec<Step> {
    enum Walk {
        Enter(Handle),
        Leave(Step),
    }
    let mut steps = Vec::new();
    let mut nested = 0usize;
    let mut stack = vec![Walk::Enter(Rc::clone(document))];
    while let Some(walk) = stack.pop() {
        let node = match walk {
            Walk::Leave(step) => {
                nested -= usize::from(matches!(step, Step::Close(_)));
                steps.push(step);
                continue;
            }
            Walk::Enter(node) => node,
        };
        if matches!(node.data, NodeData::Text { .. }) {
            steps.push(Step::Text(node));
            continue;
        }
        let tag = tag(&node);
        // Code stays byte for byte, but something raised may follow it.
        if is_preformatted(tag) || tag == "code" {
            steps.push(if tag == "code" { Step::Text(text(&all_text(&node))) } else { Step::Edge });
            continue;
        }
        if is_block(tag)
            || is_shown_as_block(&node)
            || matches!(tag, "br" | "img" | "option" | "label" | "legend")
        {
            steps.push(Step::Edge);
            stack.push(Walk::Leave(Step::Edge));
        } else if nested < NESTED_MAX && (is_raised(&node) || is_lowered(&node)) {
            let raised = is_raised(&node);
            scripts.push(Script {
                node: Rc::clone(&node),
                raised,
                words: String::new(),
                before: None,
                after: None,
                in_fraction: false,
                repeats: false,
            });
            steps.push(Step::Open(scripts.len() - 1));
            stack.push(Walk::Leave(Step::Close(scripts.len() - 1)));
            nested += 1;
        }
        stack.extend(node.children.borrow().iter().rev().map(|child| Walk::Enter(Rc::clone(child))));
    }
    steps
}

/// The most raised and lowered elements in each other that are looked at.
const NESTED_MAX: usize = 4;

impl Script {
    fn mark(&self) {
        if self.repeats {
            return;
        }
        let words = self.words.trim();
        if self.in_fraction {
            let beside = if self.raised { self.before } else { self.after };
            if beside.is_some_and(char::is_alphanumeric) {
                put(&self.node, if self.raised { 0 } else { usize::MAX }, text(" "));
            }
            return;
        }
        let alone =
            self.before.is_none_or(char::is_whitespace) || self.words.starts_with(char::is_whitespace);
        let Some(sign) = (if alone { self.sign_alone(words) } else { self.sign(words) }) else { return };
        let single = words.strip_prefix(['-', '+', '\u{2212}']).unwrap_or(words);
        let single = single.strip_suffix(['-', '+', '\u{2212}']).unwrap_or(single);
        let whole = single.chars().all(char::is_alphanumeric);
        put(&self.node, 0, text(&if whole { sign.to_owned() } else { format!("{sign}(") }));
        let letters_follow = self.after.is_some_and(char::is_alphanumeric);
        let end = format!("{}{}", if whole { "" } else { ")" }, if letters_follow { " " } else { "" });
        put(&self.node, usize::MAX, text(&end));
    }

    /// The sign of a script that stands at nothing: a footnote's number before its text.
    fn sign_alone(&self, words: &str) -> Option<&'static str> {
        (self.raised && !words.is_empty() && words.chars().all(|c| c.is_ascii_digit())).then_some("^")
    }

    fn sign(&self, words: &str) -> Option<&'static str> {
        let before = self.before?;
        if words.is_empty() {
            return None;
        }
        if self.raised {
            let ordinal = before.is_numeric() && ORDINALS.contains(&words.to_lowercase().as_str());
            let symbols = !words.contains(|c: char| {
                c.is_alphanumeric() || matches!(c, '-' | '+' | '\u{2212}' | '(' | '/' | '.' | ',')
            });
            let bracketed = words.starts_with('[');
            let ends = self.after.is_none_or(|after| !after.is_alphanumeric());
            return (!(symbols || bracketed || ordinal && ends)).then_some("^");
        }
        let digits = words.chars().all(|c| c.is_ascii_digit());
        let at_symbol = before.is_ascii_alphabetic() || matches!(before, ')' | ']');
        let apart = self.after.is_none_or(|after| !after.is_numeric());
        (!(digits && at_symbol && apart)).then_some("_")
    }
}
