//! A day as a small line, with its present and its greatest value in words.

use std::fmt::Write as _;

use maud::{Markup, html};

use crate::show::number;
use crate::text as t;

const WIDTH: usize = 280;
const HEIGHT: i64 = 40;

/// A line through the values; nothing is drawn where nothing was noted. `per`: what values are divided by.
pub(crate) fn spark(label: &str, values: &[Option<i64>], per: i64) -> Markup {
    let per = per.max(1);
    let most = values.iter().flatten().copied().max().unwrap_or(0);
    let now = values.iter().rev().take(2).flatten().next().copied().unwrap_or(0);
    let (now, greatest) = (shared(now, per), shared(most, per));
    html! {
        figure class="spark" {
            figcaption { (label) " " strong { (now) } " " span class="soft" { (t::at_most(&greatest)) } }
            svg viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) preserveAspectRatio="none" role="img"
                aria-label=(t::spark(label, &now, &greatest)) {
                path d=(path(values, most.max(1))) {}
            }
        }
    }
}

/// `value` over `per`, to the nearest whole number. A little is not nothing.
fn shared(value: i64, per: i64) -> String {
    match value {
        1.. if value < per => t::UNDER_ONE.to_owned(),
        _ => number(value.saturating_add(per / 2) / per),
    }
}

fn path(values: &[Option<i64>], most: i64) -> String {
    let mut path = String::new();
    let mut is_down = false;
    let last = values.len().saturating_sub(1).max(1);
    for (at, value) in values.iter().enumerate() {
        let Some(value) = value else {
            is_down = false;
            continue;
        };
        // The last one has room for its step too.
        let (x, y) = (at * (WIDTH - 1) / last, HEIGHT - 2 - value.clamp(&0, &most) * (HEIGHT - 4) / most);
        // A line alone would not be seen where both neighbours are missing.
        let step = if is_down { format!("L{x} {y}") } else { format!("M{x} {y}h1") };
        // Writing into a text never fails.
        let _written = write!(path, "{step}");
        is_down = true;
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_in_the_values_is_a_gap_in_the_line() {
        assert_eq!(path(&[Some(0), Some(10), None, Some(10)], 10), "M0 38h1L93 2M279 2h1");
        assert_eq!(path(&[], 1), "");
        assert_eq!(path(&[None], 1), "");
    }

    #[test]
    fn a_little_is_not_nothing() {
        let said: Vec<String> = [0, 2, 5, 7, 8, 5_000].iter().map(|value| shared(*value, 5)).collect();
        assert_eq!(said, ["0", "under 1", "1", "1", "2", "1,000"]);
        let drawn = spark("429 a minute", &[Some(2), Some(0)], 5).into_string();
        assert!(drawn.contains("at most under 1"), "{drawn}");
    }
}
