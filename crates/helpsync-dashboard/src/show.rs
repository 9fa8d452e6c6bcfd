//! How numbers, times and states are shown.

use helpsync_model::Timestamp;
use maud::{Markup, PreEscaped, html};

use crate::text as t;

/// 1234567 as `1,234,567`.
pub(crate) fn number(value: i64) -> String {
    let digits = value.unsigned_abs().to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if value < 0 { format!("-{text}") } else { text }
}

/// So many seconds, to two units at most.
pub(crate) fn duration(seconds: i64) -> String {
    let seconds = seconds.max(0);
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, minutes) => format!("{minutes} min"),
        (0, hours, 0) => format!("{hours} h"),
        (0, hours, minutes) => format!("{hours} h {minutes} min"),
        (days, 0, _) => format!("{days} d"),
        (days, hours, _) => format!("{days} d {hours} h"),
    }
}

/// Short times to a tenth of a second.
pub(crate) fn seconds(ms: i64) -> String {
    if ms < 60_000 { format!("{}.{} s", ms / 1_000, ms % 1_000 / 100) } else { duration(ms / 1_000) }
}

/// Bytes, by the thousand.
pub(crate) fn bytes(value: i64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB"];
    let (mut left, mut unit) = (value.max(0), 0);
    while left >= 10_000 && unit + 1 < units.len() {
        left /= 1_000;
        unit += 1;
    }
    format!("{} {}", number(left), units[unit])
}

/// ms since 1970 of a time of the API.
pub(crate) fn millis(time: &str) -> Option<i64> {
    time.parse::<Timestamp>().ok().map(Timestamp::as_millisecond)
}

/// What a run waits for: the kind of it and, below, the reason in words.
pub(crate) fn waits_for(kind: Option<&str>, reason: &str) -> Markup {
    match t::waits_for(kind) {
        Some(kind) => html! { (kind) br; span class="soft" { (reason) } },
        None => html! { (reason) },
    }
}

/// A time as people say it: `5 min ago`, `in 2 h`. The whole of it is in its title.
pub(crate) fn when(time: &str, now_ms: i64) -> Markup {
    let text = match millis(time) {
        None => time.to_owned(),
        Some(then) if then > now_ms => t::ahead(&duration((then - now_ms) / 1_000)),
        Some(then) => t::ago(&duration((now_ms - then) / 1_000)),
    };
    html! { time datetime=(time) title=(time) { (text) } }
}

/// [`when`], or a dash.
pub(crate) fn when_if_any(time: Option<&str>, now_ms: i64) -> Markup {
    html! { @match time { Some(time) => (when(time, now_ms)), None => (t::NONE) } }
}

/// A state as a badge. Its colour says whether somebody has to look; the word says which it is.
pub(crate) fn badge(state: &str) -> Markup {
    let tone = match state {
        "READY" | "done" | "delivered" | "ACTIVE" | "active" | "alive" => "good",
        "SYNC_ERROR" | "failed" | "dead" | "FLAGGED" | "silent" => "bad",
        "incomplete" | "held" | "paused" | "reconnect" => "warn",
        "SYNCING" | "running" | "finalizing" => "busy",
        _ => "idle",
    };
    html! { span class={ "badge " (tone) } { (t::state(state)) } }
}

/// A term with what it is.
pub(crate) fn fact(term: &str, value: &Markup) -> Markup {
    html! { div { dt { (term) } dd { (value) } } }
}

/// A number with what it counts, for the top of a page.
pub(crate) fn figure(label: &str, value: &str, tone: &str) -> Markup {
    html! { div class={ "figure " (tone) } { span class="value" { (value) } span class="label" { (label) } } }
}

/// A table that scrolls by itself where it is too wide. Where there is little room, its rows stand below each other with the
/// name of its column before each value; the roles say what it is there as well.
pub(crate) fn table(label: &str, columns: &[&str], rows: &Markup) -> Markup {
    html! {
        div class="scroll" role="region" aria-label=(label) tabindex="0" {
            table class="rows" role="table" {
                thead role="rowgroup" {
                    tr role="row" { @for column in columns { th scope="col" role="columnheader" { (column) } } }
                }
                tbody role="rowgroup" { (labelled(columns, &rows.0)) }
            }
        }
    }
}

/// Rows whose cells hold the name of their column. In what is escaped no `<` stands but that of a tag.
fn labelled(columns: &[&str], rows: &str) -> Markup {
    let mut text = String::with_capacity(rows.len() * 2);
    let mut column = 0;
    for piece in rows.split_inclusive('<') {
        let is_tag = |name: &str| piece.strip_prefix(name).is_some_and(|rest| rest.starts_with(['>', ' ']));
        if is_tag("tr") {
            column = 0;
            text.push_str("tr role=\"row\"");
            text.push_str(&piece[2..]);
        } else if is_tag("td") {
            let name = columns.get(column).copied().unwrap_or_default();
            column += 1;
            text.push_str(&html! { td role="cell" data-label=(name) {} }.0[1..].replace("></td>", ""));
            text.push_str(&piece[2..]);
        } else {
            text.push_str(piece);
        }
    }
    PreEscaped(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_durations_and_bytes_are_short() {
        assert_eq!(number(1_234_567), "1,234,567");
        assert_eq!(number(-1_000), "-1,000");
        assert_eq!(number(999), "999");
        assert_eq!(duration(59), "59 s");
        assert_eq!(duration(3_600), "1 h");
        assert_eq!(duration(90_000), "1 d 1 h");
        assert_eq!(bytes(9_999), "9,999 B");
        assert_eq!(bytes(12_345_678), "12 MB".to_owned());
    }

    #[test]
    fn cells_hold_the_names_of_their_columns_and_nothing_that_is_said_becomes_one() {
        let rows = html! {
            @for at in 0..2 { tr { td class="number" { (at) } td { "<td>" br; "x" } td { table; } } }
        };
        let shown = table("Things", &["How \"many\"", "What"], &rows).into_string();
        assert_eq!(
            shown.matches("<td role=\"cell\" data-label=\"How &quot;many&quot;\" class=\"number\">").count(),
            2
        );
        assert_eq!(
            shown.matches("<td role=\"cell\" data-label=\"What\">&lt;td&gt;<br>x</td>").count(),
            2,
            "{shown}"
        );
        assert_eq!(shown.matches("<tr role=\"row\">").count(), 3);
        assert_eq!(shown.matches("<table").count(), 3);
    }

    #[test]
    fn times_are_told_from_now() {
        let said = |now| when("2026-01-01T00:00:00Z", now).into_string();
        let then = millis("2026-01-01T00:00:00Z").unwrap();
        assert!(said(then + 300_000).contains("5 min ago"));
        assert!(said(then - 7_200_000).contains("in 2 h"));
    }
}
