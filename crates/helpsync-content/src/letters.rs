//! The letters of ordered lists. Markdown has numbers only, but texts refer to "step b".

use std::rc::Rc;

use markup5ever_rcdom::Handle;

use crate::lists::{count, number};
use crate::tree::{attribute, declares_any, is_block, put, says_something, tag, text};

/// The largest number that is written in Roman numerals.
const ROMAN_MAX: i64 = 3_999;
/// How many letters there are.
const LETTERS: i64 = 26;
const ROMAN: [(i64, &str); 13] = [
    (1000, "m"),
    (900, "cm"),
    (500, "d"),
    (400, "cd"),
    (100, "c"),
    (90, "xc"),
    (50, "l"),
    (40, "xl"),
    (10, "x"),
    (9, "ix"),
    (5, "v"),
    (4, "iv"),
    (1, "i"),
];

/// How a list counts other than in numbers.
#[derive(Clone, Copy)]
enum Counting {
    Letters,
    Roman,
}

/// Writes the letter of each item before its words, wherever a list or an item counts in letters.
pub(crate) fn letters(document: &Handle) {
    let mut stack = vec![Rc::clone(document)];
    while let Some(node) = stack.pop() {
        if matches!(tag(&node), "ol" | "ul") {
            list(&node);
        }
        stack.extend(node.children.borrow().iter().cloned());
    }
}

/// How a list or an item counts, and whether in capitals; `Some(None)`: in numbers, or not at all. `None`: it does not say.
fn counting(node: &Handle) -> Option<Option<(Counting, bool)>> {
    let styled = |names: &[&str]| declares_any(node, "list-style", names);
    // Of an unordered list the attribute names bullets only.
    let kind = attribute(node, "type").filter(|_| tag(node) != "ul").unwrap_or_default();
    match kind.trim() {
        _ if styled(&["lower-alpha", "lower-latin"]) => Some(Some((Counting::Letters, false))),
        _ if styled(&["upper-alpha", "upper-latin"]) => Some(Some((Counting::Letters, true))),
        _ if styled(&["lower-roman"]) => Some(Some((Counting::Roman, false))),
        _ if styled(&["upper-roman"]) => Some(Some((Counting::Roman, true))),
        _ if styled(&["decimal", "none", "disc"]) => Some(None),
        "a" => Some(Some((Counting::Letters, false))),
        "A" => Some(Some((Counting::Letters, true))),
        "i" => Some(Some((Counting::Roman, false))),
        "I" => Some(Some((Counting::Roman, true))),
        "1" => Some(None),
        _ => None,
    }
}

fn list(list: &Handle) {
    let of_list = counting(list).flatten();
    let step = if attribute(list, "reversed").is_some() { -1 } else { 1 };
    let mut next = number(list, "start").unwrap_or(if step < 0 { count(list) } else { 1 });
    let mut items = Vec::new();
    items_of(list, &mut items);
    for item in items {
        let place = number(&item, "value").unwrap_or(next);
        next = place.saturating_add(step);
        let Some((counting, upper)) = counting(&item).unwrap_or(of_list) else { continue };
        let letters = match counting {
            Counting::Letters => alphabetic(place),
            Counting::Roman => roman(place),
        };
        if let Some(letters) = letters.filter(|_| says_something(&item)) {
            let letters = if upper { letters.to_uppercase() } else { letters };
            put_before_words(&item, &format!("({letters}) "));
        }
    }
}

/// The items of a list, also those in a wrapper.
fn items_of(node: &Handle, items: &mut Vec<Handle>) {
    for child in node.children.borrow().iter() {
        match tag(child) {
            "li" => items.push(Rc::clone(child)),
            "ul" | "ol" | "menu" | "dir" => {}
            _ if child.children.borrow().iter().any(|it| tag(it) == "li") => items_of(child, items),
            _ => {}
        }
    }
}

/// Where an item begins with a paragraph, the letter stands in it.
fn put_before_words(item: &Handle, words: &str) {
    let mut around = Rc::clone(item);
    loop {
        let (place, first) = {
            let children = around.children.borrow();
            let place = children.iter().position(says_something).unwrap_or_default();
            (place, children.get(place).cloned())
        };
        match first {
            Some(block) if is_block(tag(&block)) && !has_own_shape(tag(&block)) => around = block,
            _ => return put(&around, place, text(words)),
        }
    }
}

/// Whether a block is more than words on lines of their own.
fn has_own_shape(tag: &str) -> bool {
    matches!(
        tag,
        "pre"
            | "listing"
            | "xmp"
            | "plaintext"
            | "table"
            | "ul"
            | "ol"
            | "menu"
            | "dir"
            | "dl"
            | "blockquote"
    )
}

/// a to z, then aa.
fn alphabetic(place: i64) -> Option<String> {
    let mut letters = Vec::new();
    let mut left = place;
    while left > 0 {
        let letter = u8::try_from((left - 1) % LETTERS).ok()?;
        letters.push(char::from(b'a' + letter));
        left = (left - 1) / LETTERS;
    }
    (!letters.is_empty()).then(|| letters.iter().rev().collect())
}

fn roman(place: i64) -> Option<String> {
    if !(1..=ROMAN_MAX).contains(&place) {
        return None;
    }
    let mut numeral = String::new();
    let mut left = place;
    for (value, letters) in ROMAN {
        while left >= value {
            numeral.push_str(letters);
            left -= value;
        }
    }
    Some(numeral)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_become_letters_and_numerals() {
        for (place, expected) in
            [(0, None), (1, Some("a")), (26, Some("z")), (27, Some("aa")), (703, Some("aaa"))]
        {
            assert_eq!(alphabetic(place).as_deref(), expected, "{place}");
        }
        assert!(alphabetic(i64::MAX).is_some_and(|letters| letters.len() < 20));
        for (place, expected) in [(0, None), (4, Some("iv")), (1994, Some("mcmxciv")), (ROMAN_MAX + 1, None)]
        {
            assert_eq!(roman(place).as_deref(), expected, "{place}");
        }
    }
}
