//! Raised and lowered text. Without a sign 10 to the power of 6 reads 106, and a footnote's number joins its word.

use std::rc::Rc;

use html5ever::tendril::StrTendril;
use markup5ever_rcdom::{Handle, Node, NodeData};

use crate::code;
use crate::tree::{
    is_block, is_lowered, is_own_line, is_preformatted, is_raised, is_shown_as_block, put, tag, text,
};

/// Endings of ordinal numbers: raised for looks, and read with the number.
const ORDINALS: [&str; 15] =
    ["st", "nd", "rd", "th", "er", "ère", "ere", "re", "e", "è", "ème", "eme", "ième", "ieme", "nde"];

/// Raised beside a number, these too are endings of it: primera, primero.
const ORDINAL_LETTERS: [&str; 2] = ["a", "o"];
/// Plus and minus, as they are typed.
const SIGNS: [char; 4] = ['-', '+', '\u{2212}', '\u{2013}'];

/// Bars of fractions.
const BARS: [char; 3] = ['/', '\u{2044}', '\u{2215}'];

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
    before: Before,
    after: Option<char>,
    /// Code changes nowhere but where its letters would make another number.
    in_code: bool,
    /// The number above or below a fraction's bar.
    in_fraction: bool,
    /// Says the same as the element around it, which is marked already, or is a part of the one before.
    repeats: bool,
    /// The last of several that are one, right after each other.
    last: Option<Handle>,
}

/// What stands before a script on its line.
#[derive(Clone, Copy, Default)]
struct Before {
    /// Right before it: a space, too.
    last: Option<char>,
    /// The last letter or sign before the spaces.
    base: Option<char>,
    /// Whether a letter stands before that one.
    in_word: bool,
}

impl Before {
    fn read(&mut self, text: &str) {
        let mut letters = text.trim_end().chars().rev();
        if let Some(base) = letters.next() {
            self.base = Some(base);
            self.in_word = letters.next().or(self.last).is_some_and(char::is_alphabetic);
        }
        self.last = text.chars().next_back().or(self.last);
    }

    /// Whether it can be raised to a power although a space stands between: a number, a bracket's end, a single letter.
    fn is_quantity(self) -> bool {
        self.base.is_some_and(|base| {
            base.is_numeric() || is_bracket_end(base) || base.is_alphabetic() && !self.in_word
        })
    }
}

/// Puts a `^` before raised and a `_` before lowered text wherever it would read as something else.
pub(crate) fn scripts(document: &Handle) {
    let mut scripts = Vec::new();
    let steps = steps(document, &mut scripts);
    if scripts.is_empty() {
        return;
    }
    let mut before = Before::default();
    let mut open: Vec<usize> = Vec::new();
    for step in &steps {
        match step {
            Step::Text(node) => {
                let NodeData::Text { contents } = &node.data else { continue };
                let contents = contents.borrow();
                for script in &open {
                    scripts[*script].words.push_str(&contents);
                }
                before.read(&contents);
            }
            Step::Edge => before = Before::default(),
            Step::Open(script) => {
                scripts[*script].before = before;
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
    joined(&steps, &mut scripts);
    for script in &scripts {
        script.mark();
    }
}

/// Finds raised digits, a bar and lowered digits: a fraction. Its bar becomes a slash, which every font has.
fn fractions(steps: &[Step], scripts: &mut [Script]) {
    for (at, step) in steps.iter().enumerate() {
        let Step::Close(upper) = step else { continue };
        let (bar, lower) = match &steps[at + 1..] {
            [Step::Text(bar), Step::Open(lower), ..] => (Some(bar), *lower),
            [Step::Open(lower), ..] => (None, *lower),
            _ => continue,
        };
        let above = &scripts[*upper];
        if !above.raised || scripts[lower].raised || above.in_code {
            continue;
        }
        let (above, below) = (above.words.trim(), scripts[lower].words.trim());
        let is_fraction = match bar.map(|bar| &bar.data) {
            Some(NodeData::Text { contents }) => {
                let is_fraction = is_bar(contents.borrow().trim()) && is_digits(above) && is_digits(below);
                if is_fraction {
                    contents.replace(StrTendril::from("/"));
                }
                is_fraction
            }
            _ => {
                above.strip_suffix(BARS).is_some_and(is_digits) && is_digits(below)
                    || is_digits(above) && below.strip_prefix(BARS).is_some_and(is_digits)
            }
        };
        if is_fraction {
            scripts[*upper].in_fraction = true;
            scripts[lower].in_fraction = true;
        }
    }
}

/// Finds raised or lowered elements right after each other that are one exponent or one index. Raised numbers after a word
/// are several notes.
fn joined(steps: &[Step], scripts: &mut [Script]) {
    // The first of those that are one, by the last of them.
    let mut chain: Option<(usize, usize)> = None;
    for pair in steps.windows(2) {
        let [Step::Close(before), Step::Open(next)] = pair else { continue };
        let first = chain.filter(|(_, last)| last == before).map_or(*before, |(first, _)| first);
        let (one, other) = (&scripts[first], &scripts[*next]);
        let is_one = one.raised == other.raised
            && !one.in_fraction
            && !other.in_fraction
            && !one.repeats
            && (!one.raised || one.before.is_quantity());
        if !is_one {
            continue;
        }
        let (words, node, after) = (other.words.clone(), Rc::clone(&other.node), other.after);
        scripts[*next].repeats = true;
        let one = &mut scripts[first];
        one.words.push_str(&words);
        one.last = Some(node);
        one.after = after;
        chain = Some((first, *next));
    }
}

fn is_bar(text: &str) -> bool {
    text.strip_prefix(BARS) == Some("")
}

fn is_digits(words: &str) -> bool {
    let words = words.trim();
    !words.is_empty() && words.chars().all(|c| c.is_ascii_digit())
}

fn steps(document: &Handle, scripts: &mut Vec<Script>) -> Vec<Step> {
    enum Walk {
        Enter(Handle),
        Leave(Step),
        LeaveCode { is_block: bool },
    }
    let mut steps = Vec::new();
    let (mut nested, mut codes, mut blocks) = (0usize, 0usize, 0usize);
    let mut stack = vec![Walk::Enter(Rc::clone(document))];
    while let Some(walk) = stack.pop() {
        let node = match walk {
            Walk::Leave(step) => {
                nested -= usize::from(matches!(step, Step::Close(_)));
                steps.push(step);
                continue;
            }
            Walk::LeaveCode { is_block } => {
                codes -= 1;
                blocks -= usize::from(is_block);
                continue;
            }
            Walk::Enter(node) => node,
        };
        if matches!(node.data, NodeData::Text { .. }) {
            steps.push(Step::Text(node));
            continue;
        }
        let tag = tag(&node);
        let is_pre = is_preformatted(tag);
        if is_pre || tag == "code" {
            let is_block = is_pre || code::is_block(&node);
            codes += 1;
            blocks += usize::from(is_block);
            stack.push(Walk::LeaveCode { is_block });
        }
        // A style within a block of code moves numbers of lines and the like.
        let moves =
            |it: &Node, is: fn(&Node) -> bool| is(it) && (blocks == 0 || matches!(tag, "sup" | "sub"));
        if is_block(tag) || is_shown_as_block(&node) || matches!(tag, "br" | "img") || is_own_line(tag) {
            steps.push(Step::Edge);
            stack.push(Walk::Leave(Step::Edge));
        } else if nested < NESTED_MAX && (moves(&node, is_raised) || moves(&node, is_lowered)) {
            let raised = is_raised(&node);
            scripts.push(Script {
                node: Rc::clone(&node),
                raised,
                words: String::new(),
                before: Before::default(),
                after: None,
                in_code: codes > 0,
                in_fraction: false,
                repeats: false,
                last: None,
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
            let beside = if self.raised { self.before.last } else { self.after };
            if beside.is_some_and(char::is_alphanumeric) {
                put(&self.node, if self.raised { 0 } else { usize::MAX }, text(" "));
            }
            return;
        }
        let last = self.before.last;
        let alone = last.is_none_or(char::is_whitespace) || self.words.starts_with(char::is_whitespace);
        if self.in_code && (alone || !last.is_some_and(char::is_alphanumeric)) {
            return;
        }
        let Some(sign) = (if alone { self.sign_alone(words) } else { self.sign(words) }) else { return };
        // A space between the sign and its words would part them.
        let spaced = !self.in_code && self.last.is_none() && trim(&self.node);
        let whole = is_whole(words);
        put(&self.node, 0, text(&if whole { sign.to_owned() } else { format!("{sign}(") }));
        let letters_follow = self.after.is_some_and(char::is_alphanumeric);
        let gap = if letters_follow || spaced { " " } else { "" };
        let last = self.last.as_ref().unwrap_or(&self.node);
        put(last, usize::MAX, text(&format!("{}{gap}", if whole { "" } else { ")" })));
    }

    /// The sign of a script that stands at nothing, or apart: a footnote's number, or an exponent.
    fn sign_alone(&self, words: &str) -> Option<&'static str> {
        (self.raised && (is_digits(words) || self.is_exponent(words))).then_some("^")
    }

    /// Whether it is the power of what stands before the space: it has a sign, or it reckons at something that can have a
    /// power.
    fn is_exponent(&self, words: &str) -> bool {
        let base = self.before.base;
        let Some(base) = base.filter(|base| base.is_alphanumeric() || is_bracket_end(*base)) else {
            return false;
        };
        let unsigned = words.trim_matches(SIGNS).trim();
        let number = |c: char| c.is_ascii_digit() || matches!(c, '.' | ',');
        let is_number = !unsigned.is_empty() && unsigned.chars().all(number);
        if unsigned.len() < words.len() && (is_number || is_formula(unsigned)) {
            return true;
        }
        let is_fraction = || words.split('/').count() == 2 && words.split('/').all(is_digits);
        let beside_number = base.is_numeric() && (is_ordinal(words) || is_fraction());
        self.before.is_quantity() && !beside_number && is_formula(words)
    }

    fn sign(&self, words: &str) -> Option<&'static str> {
        let before = self.before.last?;
        if words.is_empty() {
            return None;
        }
        if self.raised {
            let ordinal = before.is_numeric() && ORDINALS.contains(&words.to_lowercase().as_str());
            let symbols = !words.contains(|c: char| {
                c.is_alphanumeric()
                    || is_mathematical(c)
                    || SIGNS.contains(&c)
                    || matches!(c, '(' | '/' | '.' | ',')
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

/// Whether no brackets are needed to see where it ends.
fn is_whole(words: &str) -> bool {
    let single = words.strip_prefix(SIGNS).unwrap_or(words);
    let single = single.strip_suffix(SIGNS).unwrap_or(single);
    let bracketed = words.strip_prefix('(').and_then(|words| words.strip_suffix(')'));
    single.chars().all(char::is_alphanumeric)
        || single.chars().count() == 1
        || bracketed.is_some_and(|inner| !inner.contains(['(', ')']))
}

fn is_bracket_end(c: char) -> bool {
    matches!(c, ')' | ']' | '}')
}

fn is_ordinal(words: &str) -> bool {
    let words = words.to_lowercase();
    ORDINALS.contains(&words.as_str()) || ORDINAL_LETTERS.contains(&words.as_str())
}

/// Infinity and its like. Signs that footnotes and degrees are marked with are none.
fn is_mathematical(c: char) -> bool {
    matches!(c, '\u{2200}'..='\u{22ff}') && !matches!(c, '\u{2217}'..='\u{2219}')
}

/// Whether it can be an exponent: numbers, single letters and what stands between them.
fn is_formula(words: &str) -> bool {
    let says = |c: char| c.is_alphanumeric() || is_mathematical(c);
    let joins = |c: char| {
        SIGNS.contains(&c)
            || matches!(c, '(' | ')' | '.' | ',' | '/' | '*' | '\u{b7}' | '\u{d7}' | '=' | '^' | ' ')
    };
    let is_word = |run: &str| run.chars().nth(1).is_some();
    words.contains(says)
        && words.chars().all(|c| says(c) || joins(c))
        && !words.split(|c: char| !c.is_alphabetic()).any(is_word)
}

/// Takes the spaces from both ends of a node's text; whether there were any at its end.
fn trim(node: &Handle) -> bool {
    let mut texts = Vec::new();
    let mut stack = vec![Rc::clone(node)];
    while let Some(node) = stack.pop() {
        stack.extend(node.children.borrow().iter().rev().cloned());
        texts.push(node);
    }
    texts.retain(|node| matches!(node.data, NodeData::Text { .. }));
    let trimmed = |node: &Handle, trim: fn(&str) -> &str| {
        let NodeData::Text { contents } = &node.data else { return (false, false) };
        let kept = StrTendril::from(trim(&contents.borrow()));
        let shorter = kept.len() < contents.borrow().len();
        let says = !kept.is_empty();
        contents.replace(kept);
        (shorter, says)
    };
    for node in &texts {
        if trimmed(node, str::trim_start).1 {
            break;
        }
    }
    let mut spaced = false;
    for node in texts.iter().rev() {
        let (shorter, says) = trimmed(node, str::trim_end);
        spaced |= shorter;
        if says {
            break;
        }
    }
    spaced
}
