//! What a style says: of each property the last value, or the last important one. How far it raises or lowers text.

use std::borrow::Cow;
use std::collections::HashMap;

use markup5ever_rcdom::Node;

use crate::tree::attribute;

/// The smallest shift that raises or lowers, in points. Less only evens out a line.
const SHIFT_POINTS_MIN: f32 = 1.5;
/// The size of a font, in points, where a style speaks of its own font.
const FONT_POINTS: f32 = 12.0;

/// Where text stands besides its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shift {
    Up,
    Down,
}

/// What an element's style says of the properties whose names begin so, such as `text-decoration` and
/// `text-decoration-line`: by name, in lower case, without `!important`. Source: CSS Cascading 4, CSS Syntax 3 (comments).
pub(crate) fn declared<'a>(style: &'a str, beginning: &str) -> HashMap<&'a str, &'a str> {
    let mut all: HashMap<&str, (&str, bool)> = HashMap::new();
    for (name, value) in style.split(';').filter_map(|declaration| declaration.split_once(':')) {
        let name = name.trim();
        if !name.starts_with(beginning) {
            continue;
        }
        let (value, mark) = value.split_once('!').unwrap_or((value, ""));
        let is_important = mark.trim() == "important";
        let before = all.get(name).is_some_and(|(_, is_important)| *is_important);
        if is_important || !before {
            all.insert(name, (value.trim(), is_important));
        }
    }
    all.into_iter().map(|(name, (value, _))| (name, value)).collect()
}

/// An element's style in lower case, without comments.
pub(crate) fn style_of(node: &Node) -> Option<String> {
    let style = attribute(node, "style")?;
    let mut rest = &*style;
    let mut plain = Cow::Borrowed("");
    while let Some((before, comment)) = rest.split_once("/*") {
        plain.to_mut().push_str(before);
        rest = comment.split_once("*/").map_or("", |(_, behind)| behind);
    }
    plain += rest;
    Some(plain.to_ascii_lowercase())
}

/// Where an element's own style moves its text: by `vertical-align`, by Word's `mso-text-raise`, or by a relative
/// position.
pub(crate) fn shift(node: &Node) -> Option<Shift> {
    let style = style_of(node)?;
    let declared = |name: &str| declared(&style, name).remove(name);
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
        up if up >= SHIFT_POINTS_MIN => Some(Shift::Up),
        down if down <= -SHIFT_POINTS_MIN => Some(Shift::Down),
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
        let of = |style: &'static str| declared(style, "display").remove("display");
        for (style, counts) in [
            ("display:none", Some("none")),
            (" display : none ! important ;", Some("none")),
            ("display:none;display:inline", Some("inline")),
            ("display:none!important;display:inline", Some("none")),
            ("display:none!important;display:inline!important", Some("inline")),
            ("color:red", None),
            ("display", None),
        ] {
            assert_eq!(of(style), counts, "{style}");
        }
        assert_eq!(declared("text-decoration-line:x;text-decoration:y", "text-decoration").len(), 2);
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
        ] {
            assert_eq!(markdown(html).trim(), "10", "{html}");
        }
    }
}
