//! Tables of plain lines.

use comfy_table::Table;
use comfy_table::presets::NOTHING;
use helpsync_model::is_unseen;
use serde_json::Value;

/// Blanks between two columns of a table.
const GAP: u16 = 2;

/// The text of a JSON value for a table: strings bare, nothing as a dash. What others have written is shown and not obeyed:
/// ends of lines and tabs are blanks, and what a terminal would do instead of showing it is U+FFFD.
pub(crate) fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => {
            text.chars().map(|one| if "\n\r\t".contains(one) { ' ' } else { shown(one) }).collect()
        }
        other => other.to_string(),
    }
}

/// A text of many lines that others have written, as [`cell`] shows a short one; its lines stay.
pub(crate) fn shown_text(text: &str) -> String {
    text.chars().map(|one| if "\n\t".contains(one) { one } else { shown(one) }).collect()
}

fn shown(character: char) -> char {
    // What joins emoji and letters is harmless.
    let joins = matches!(character, '\u{200c}' | '\u{200d}' | '\u{ad}');
    if is_unseen(character) && !joins { char::REPLACEMENT_CHARACTER } else { character }
}

/// Rows under a heading, columns as wide as their widest cell, whatever the width of the terminal: a row stays a line,
/// which can be cut and searched.
pub(crate) fn table_text(heading: &[&str], rows: &[Vec<String>]) -> String {
    let mut table = Table::new();
    table.load_style(NOTHING).set_header(heading).add_rows(rows);
    for column in table.column_iter_mut() {
        column.set_padding((0, GAP));
    }
    table.trim_fmt()
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
        assert_eq!(table_text(&["id", "name", "state"], &rows), lines.join("\n"));
    }
}
