//! Numbers as bars, with every number in words beside them.

use maud::{Markup, html};

use crate::show::number;

/// Units of the longest bar.
const WIDTH: i64 = 300;

/// A bar for each number, the longest as long as there is room.
pub(crate) fn bars(label: &str, values: &[(String, i64)]) -> Markup {
    let most = values.iter().map(|(_, value)| *value).max().unwrap_or(0).max(1);
    html! {
        table class="bars" {
            caption class="sr" { (label) }
            tbody {
                @for (name, value) in values {
                    tr {
                        th scope="row" { (name) }
                        td class="bar" {
                            svg viewBox=(format!("0 0 {WIDTH} 10")) preserveAspectRatio="none" aria-hidden="true" {
                                rect width=(length(*value, most)) height="10" rx="2" {}
                            }
                        }
                        td class="number" { (number(*value)) }
                    }
                }
            }
        }
    }
}

/// Whatever is there can be seen.
fn length(value: i64, most: i64) -> i64 {
    if value <= 0 { 0 } else { (value.saturating_mul(WIDTH) / most).max(2) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_bar_fills_the_room_and_the_shortest_is_seen() {
        assert_eq!(length(7, 7), WIDTH);
        assert_eq!(length(1, 1_000_000), 2);
        assert_eq!(length(0, 7), 0);
        assert!(bars("ages", &[]).into_string().contains("<caption"));
    }
}
