//! What a style says: of each property the last value, or the last important one. How far it raises or lowers text.

use markup5ever_rcdom::Node;

use crate::tree::attribute;

/// The smallest shift that raises or lowers, in points. Less only evens out a line.
const SHIFT_POINTS_MIN: f32 = 1.5;
/// The largest: what is moved further is moved elsewhere, such as the target of a link below a bar.
const SHIFT_POINTS_MAX: f32 = 24.0;
/// The size of a font, in points, where a style speaks of its own font.
const FONT_POINTS: f32 = 12.0;

/// Where text stands besides its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shift {
    Up,
    Down,
}

/// What a style says by properties that say the same, such as `text-decoration` and `text-decoration-line`: the value that
/// counts, without `!important`. Source: CSS Cascading 4.
pub(crate) fn declared<'a>(style: &'a str, names: &[&str]) -> Option<&'a str> {
    let mut counts: Option<(&str, bool)> = None;
    for (name, value) in declarations(style).into_iter().filter_map(|one| one.split_once(':')) {
        if !names.contains(&name.trim()) {
            continue;
        }
        let (value, mark) = value.split_once('!').unwrap_or((value, ""));
        let (value, is_important) = (value.trim(), mark.trim() == "important");
        let gives_way = counts.is_none_or(|(_, was_important)| is_important || !was_important);
        if !value.is_empty() && gives_way {
            counts = Some((value, is_important));
        }
    }
    counts.map(|(value, _)| value)
}

/// Where a style goes on: in a text, in brackets, or in neither.
#[derive(Default)]
struct Within {
    quote: Option<u8>,
    brackets: usize,
}

impl Within {
    fn pass(&mut self, byte: u8) {
        match (self.quote, byte) {
            (Some(quote), _) => self.quote = (quote != byte).then_some(quote),
            (None, b'"' | b'\'') => self.quote = Some(byte),
            (None, b'(') => self.brackets += 1,
            (None, b')') => self.brackets = self.brackets.saturating_sub(1),
            (None, _) => {}
        }
    }

    fn nothing(&self) -> bool {
        self.quote.is_none() && self.brackets == 0
    }
}

/// The declarations of a style, which end with a `;` that stands in no text and no brackets.
fn declarations(style: &str) -> Vec<&str> {
    let (mut within, mut start, mut all) = (Within::default(), 0, Vec::new());
    for (at, byte) in style.bytes().enumerate() {
        if byte == b';' && within.nothing() {
            all.push(&style[start..at]);
            start = at + 1;
        }
        within.pass(byte);
    }
    all.push(&style[start..]);
    all
}

/// An element's style in lower case, without comments.
pub(crate) fn style_of(node: &Node) -> Option<String> {
    let style = attribute(node, "style")?.to_ascii_lowercase();
    if !style.contains("/*") {
        return Some(style);
    }
    let (mut plain, mut within, mut start, mut at) =
        (String::with_capacity(style.len()), Within::default(), 0, 0);
    while let Some(byte) = style.as_bytes().get(at) {
        if within.nothing() && style[at..].starts_with("/*") {
            plain.push_str(&style[start..at]);
            start = style[at..].find("*/").map_or(style.len(), |end| at + end + 2);
            at = start;
        } else {
            within.pass(*byte);
            at += 1;
            // A character may have several bytes, none of which means anything here.
            while !style.is_char_boundary(at) {
                at += 1;
            }
        }
    }
    plain.push_str(&style[start.min(style.len())..]);
    Some(plain)
}

/// Where an element's own style moves its text: by `vertical-align`, by Word's `mso-text-raise`, or by a relative
/// position.
pub(crate) fn shift(node: &Node) -> Option<Shift> {
    let style = style_of(node)?;
    let declared = |name: &str| declared(&style, &[name]);
    let aligned = declared("vertical-align").and_then(|value| match value {
        "super" | "text-top" => Some(Shift::Up),
        "sub" | "text-bottom" => Some(Shift::Down),
        _ => direction(points(value)?),
    });
    let raised = || declared("mso-text-raise").and_then(points).and_then(direction);
    let moved = || {
        declared("position").filter(|position| *position == "relative")?;
        let down = declared("top").and_then(points);
        down.map(|points| -points).or_else(|| declared("bottom").and_then(points)).and_then(direction)
    };
    aligned.or_else(raised).or_else(moved)
}

fn direction(points: f32) -> Option<Shift> {
    match points {
        up if (SHIFT_POINTS_MIN..=SHIFT_POINTS_MAX).contains(&up) => Some(Shift::Up),
        down if (SHIFT_POINTS_MIN..=SHIFT_POINTS_MAX).contains(&-down) => Some(Shift::Down),
        _ => None,
    }
}

/// A length in points.
fn points(length: &str) -> Option<f32> {
    let digits = length.trim_end_matches(|c: char| c.is_ascii_alphabetic() || c == '%');
    let number: f32 = digits.parse().ok()?;
    let unit = match &length[digits.len()..] {
        "pt" => 1.0,
        "px" => 0.75,
        "em" | "rem" => FONT_POINTS,
        "ex" => FONT_POINTS / 2.0,
        "%" => FONT_POINTS / 100.0,
        _ => return None,
    };
    Some(number * unit)
}

#[cfg(test)]
mod tests {
    use super::declared;
    use crate::{Limits, convert};

    fn markdown(html: &str) -> String {
        convert(html, None, &Limits::default()).unwrap().markdown
    }

    #[test]
    fn of_one_property_the_last_counts_and_an_important_one_before_it() {
        for (style, counts) in [
            ("display:none", Some("none")),
            (" display : none ! important ;", Some("none")),
            ("display:none;display:inline", Some("inline")),
            ("display:none!important;display:inline", Some("none")),
            ("display:none!important;display:inline!important", Some("inline")),
            ("display:none;display:", Some("none")),
            ("color:red", None),
            ("display", None),
            ("background:url(x;display:none)", None),
            ("font-family:'a;display:none;b';color:red", None),
            ("font-family:'a;';display:none", Some("none")),
        ] {
            assert_eq!(declared(style, &["display"]), counts, "{style}");
        }
        let names = ["text-decoration", "text-decoration-line"];
        assert_eq!(declared("text-decoration:x;text-decoration-line:y", &names), Some("y"));
        assert_eq!(
            declared("text-decoration-line:y;text-decoration:x;text-decoration-color:z", &names),
            Some("x")
        );
    }

    #[test]
    fn what_is_important_and_what_stands_beside_a_comment_is_said_too() {
        for (html, expected) in [
            ("<p><span style='text-decoration:line-through!important'>$100</span> $80", "~~$100~~ $80"),
            ("<p><span style='text-decoration:line-through/**/;'>$100</span> $80", "~~$100~~ $80"),
            ("<p><span style='text-decoration:/*a*/LINE-THROUGH /*'>$100</span> $80", "~~$100~~ $80"),
            (
                "<p><span style='text-decoration:line-through;text-decoration:none'>$100</span> $80",
                "$100 $80",
            ),
            (
                "<p><span style='text-decoration:line-through;text-decoration-line:none'>$100</span> $80",
                "$100 $80",
            ),
            (
                "<p><span style='text-decoration:line-through;text-decoration-color:red'>$100</span> $80",
                "~~$100~~ $80",
            ),
            (
                "<p><span style='background:url(//a/*.png);text-decoration:line-through'>$100</span> $80",
                "~~$100~~ $80",
            ),
            ("<ol type='a' style='list-style-image:none'><li>x</ol>", "1. (a) x"),
            (
                "<ol><li style='list-style-type:lower-alpha'>x<li style='list-style-type:lower-alpha'>y</ol>",
                "1. (a) x\n2. (b) y",
            ),
            ("<ol><li type=A>x<li type=A>y</ol>", "1. (A) x\n2. (B) y"),
            (
                "<ol style='list-style-type:lower-alpha'><li style='list-style-type:upper-roman'>x</ol>",
                "1. (I) x",
            ),
            ("<ul style='list-style-type:lower-alpha'><li>x<li>y</ul>", "- (a) x\n- (b) y"),
            ("<ul type='a'><li>x</ul>", "- x"),
            (
                "x<a style='position:relative;top:-80px' href='https://a.example/y'>link</a>",
                "x[link](https://a.example/y)",
            ),
            ("<p><span style='display:none!important'>0042</span>42 EUR", "42 EUR"),
            ("<ol style='list-style-type:upper-roman!important'><li>x<li>y</ol>", "1. (I) x\n2. (II) y"),
            ("<p style='white-space:pre-wrap!important'>a\nb", "a  \nb"),
            ("x<span style='vertical-align:baseline;vertical-align:super'>2</span>", "x^2"),
            ("x<span style='vertical-align:super!important'>2</span>", "x^2"),
        ] {
            assert_eq!(markdown(html).trim(), expected, "{html}");
        }
    }

    #[test]
    fn hidden_words_join_no_others_whichever_element_of_a_line_hides_them() {
        for html in [
            "1<mark hidden>9</mark>0",
            "1<abbr style=\"display:none\">11</abbr>0",
            "1<sup style='display:none'>1</sup>0",
            "1<label style='display:none'>0</label>0",
            "1<code hidden>9</code>0",
            "1<o:p style='display:none'>9</o:p>0",
            "1<x-y hidden>9</x-y>0",
            "1<input hidden value='9'>0",
            "1<button style='display:none'>9</button>0",
        ] {
            assert_eq!(markdown(html).trim(), "10", "{html}");
        }
    }

    #[test]
    fn a_link_whose_words_are_hidden_says_its_title() {
        for html in [
            "<p><a href='https://a.example/' title='Download'><span style='display:none'>x</span></a>",
            "<p><a href='https://a.example/' title='Download'><i class='icon' hidden>?</i></a>",
        ] {
            let said = markdown(html);
            assert!(said.contains("[Download](https://a.example/"), "{html}: {said}");
        }
    }

    #[test]
    fn what_is_hidden_and_holds_blocks_may_be_opened_and_stays() {
        assert_eq!(markdown("<x-tab hidden><p>a</p></x-tab>").trim(), "a");
        assert_eq!(markdown("<div hidden>a</div>").trim(), "a");
    }
}
