//! How far a style raises or lowers text.

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

/// Where an element's own style moves its text: by `vertical-align`, by Word's `mso-text-raise`, or by a relative
/// position.
pub(crate) fn shift(node: &Node) -> Option<Shift> {
    let style = attribute(node, "style")?.to_ascii_lowercase();
    let declared = |name: &str| {
        style.split(';').filter_map(|it| it.split_once(':')).find_map(|(property, value)| {
            (property.trim() == name).then(|| value.trim().trim_end_matches("!important").trim_end())
        })
    };
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
