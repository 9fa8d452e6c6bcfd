//! Tables of plain lines.

use std::io::IsTerminal as _;

use comfy_table::presets::NOTHING;
use comfy_table::{ColumnConstraint, Table, Width};
use console::Term;
use helpsync_model::is_unseen;
use serde_json::Value;

/// Blanks between two columns of a table.
const GAP: u16 = 2;
/// No column is cut below this.
const COLUMN_LEAST: u16 = 6;
/// Of a terminal that does not tell.
const WIDTH_UNKNOWN: u16 = 80;

/// The text of a JSON value for a table: strings bare, nothing as a dash. What others have written is shown and not obeyed:
/// ends of lines and tabs are blanks, and what a terminal would do instead of showing it is U+FFFD.
pub(crate) fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => one_line(text),
        other => other.to_string(),
    }
}

/// [`cell`] of a text: what others have written makes no line of its own.
pub(crate) fn one_line(text: &str) -> String {
    text.chars().map(|one| if "\n\r\t".contains(one) { ' ' } else { shown(one) }).collect()
}

/// A text of many lines that others have written, as [`one_line`] shows a short one; its lines stay. Every text that goes to a
/// person passes it once more on its way out.
pub(crate) fn shown_text(text: &str) -> String {
    text.chars().map(|one| if "\n\t".contains(one) { one } else { shown(one) }).collect()
}

fn shown(character: char) -> char {
    // What joins emoji and letters is harmless.
    let joins = matches!(character, '\u{200c}' | '\u{200d}');
    if is_unseen(character) && !joins { char::REPLACEMENT_CHARACTER } else { character }
}

/// Rows under a heading. On a terminal the widest columns are cut until a row is a line; elsewhere columns are as wide as
/// their widest cell, and a row is a line that has all and can be searched.
pub(crate) fn table_text(heading: &[&str], rows: &[Vec<String>]) -> String {
    let out = std::io::stdout();
    let width =
        out.is_terminal().then(|| Term::stdout().size_checked().map_or(WIDTH_UNKNOWN, |(_, width)| width));
    fitted(heading, rows, width)
}

/// As [`table_text`], for lines of at most `width`.
fn fitted(heading: &[&str], rows: &[Vec<String>], width: Option<u16>) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(heading).add_rows(rows);
    for row in table.row_iter_mut() {
        row.max_height(1);
    }
    let headings: Vec<u16> = heading
        .iter()
        .map(|name| u16::try_from(console::measure_text_width(name)).unwrap_or(u16::MAX).max(COLUMN_LEAST))
        .collect();
    let widths = cut(&table.column_max_content_widths(), &headings, width.unwrap_or(u16::MAX));
    for (column, width) in table.column_iter_mut().zip(widths) {
        column.set_padding((0, GAP));
        column.set_constraint(ColumnConstraint::UpperBoundary(Width::Fixed(width.saturating_add(GAP))));
    }
    table.trim_fmt()
}

/// Widths of columns that fit beside each other: the widest one gives way first. None gets narrower than its heading as long
/// as others can give way, and none narrower than [`COLUMN_LEAST`].
fn cut(widths: &[u16], headings: &[u16], room: u16) -> Vec<u16> {
    let fits_headings = narrowed(widths, headings, room);
    narrowed(&fits_headings, &vec![COLUMN_LEAST; widths.len()], room)
}

fn narrowed(widths: &[u16], least: &[u16], room: u16) -> Vec<u16> {
    let mut widths = widths.to_vec();
    let gaps = usize::from(GAP) * widths.len().saturating_sub(1);
    let takes = |widths: &[u16]| gaps + widths.iter().map(|width| usize::from(*width)).sum::<usize>();
    while takes(&widths) > usize::from(room) {
        let can_give = widths.iter_mut().zip(least).filter(|(width, least)| **width > **least);
        let Some((widest, _)) = can_give.max_by_key(|(width, _)| **width) else { break };
        *widest -= 1;
    }
    widths
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_have_written_is_shown_and_not_obeyed() {
        let title = Value::from("red \u{1b}[31m\nor \u{202e}drah\u{200b}");
        assert_eq!(cell(&title), "red \u{fffd}[31m or \u{fffd}drah\u{fffd}");
        assert_eq!(shown_text("a\n\u{1b}]0;x\u{7}\tb"), "a\n\u{fffd}]0;x\u{fffd}\tb");
        assert_eq!(cell(&Value::from("👩\u{200d}🔧")), "👩\u{200d}🔧");
    }

    #[test]
    fn a_row_is_a_line_and_columns_are_as_wide_as_they_look() {
        let rows = [["1", "日本", "done"], ["22", "a", "it failed"]];
        let rows = rows.map(|row| row.map(str::to_owned).to_vec());
        let lines = ["id  name  state", "1   日本  done", "22  a     it failed"];
        assert_eq!(fitted(&["id", "name", "state"], &rows, None), lines.join("\n"));
        assert_eq!(fitted(&["id", "name", "state"], &rows, Some(80)), lines.join("\n"));
    }

    #[test]
    fn on_a_terminal_the_widest_columns_are_cut_and_a_row_stays_a_line() {
        let url = "https://acme.zendesk.com/hc/en-us/articles/1-how-to-begin-with-all-that-there-is";
        let rows = [
            ["1", "How to begin", url].map(str::to_owned).to_vec(),
            ["22", "日本語の記事はここにあります、とても長い題名", "-"].map(str::to_owned).to_vec(),
        ];
        let heading = ["id", "name", "url"];
        let text = fitted(&heading, &rows, Some(60));
        assert_eq!(text.lines().count(), 3, "{text}");
        assert!(text.contains("https://acme.zendesk.com/") && text.contains('…'), "{text}");
        // What is wide counts twice.
        let wide = |line: &str| line.chars().map(|c| if c > '\u{2fff}' { 2 } else { 1 }).sum::<usize>();
        assert!(text.lines().all(|line| wide(line) <= 60), "{text}");
        assert!(text.lines().any(|line| wide(line) > 50), "no more is cut than has to be: {text}");
        assert!(fitted(&heading, &rows, None).contains(url));
        // Narrower than it can be, it is as narrow as it can be.
        assert_eq!(cut(&[2, 30, 80], &[6, 6, 6], 10), [2, 6, 6]);
        assert_eq!(cut(&[2, 30, 80], &[6, 6, 6], 70), [2, 30, 34]);
        // Headings are whole where there is room for them.
        assert_eq!(cut(&[2, 30, 30], &[6, 12, 6], 30), [2, 12, 12]);
        assert_eq!(cut(&[2, 30, 30], &[6, 12, 6], 24), [2, 12, 6]);
        assert_eq!(cut(&[2, 30, 30], &[6, 12, 6], 20), [2, 8, 6]);
    }
}
