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
    html! {
        figure class="spark" {
            figcaption { (label) " " strong { (number(now / per)) } " " span class="soft" { (t::at_most(&number(most / per))) } }
            svg viewBox=(format!("0 0 {WIDTH} {HEIGHT}")) preserveAspectRatio="none" role="img"
                aria-label=(t::spark(label, &number(now / per), &number(most / per))) {
                path d=(path(values, most.max(1))) {}
            }
        }
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
        let (x, y) = (at * WIDTH / last, HEIGHT - 2 - value.clamp(&0, &most) * (HEIGHT - 4) / most);
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
        assert_eq!(path(&[Some(0), Some(10), None, Some(10)], 10), "M0 38h1L93 2M280 2h1");
        assert_eq!(path(&[], 1), "");
        assert_eq!(path(&[None], 1), "");
    }
}
