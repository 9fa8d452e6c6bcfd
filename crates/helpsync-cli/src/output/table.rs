//! Tables of plain lines.

use comfy_table::Table;
use comfy_table::presets::NOTHING;
use serde_json::Value;

/// Blanks between two columns of a table.
const GAP: u16 = 2;

/// The text of a JSON value for a table: strings bare, nothing as a dash.
pub(crate) fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
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
    fn a_row_is_a_line_and_columns_are_as_wide_as_they_look() {
        let rows = [["1", "日本", "done"], ["22", "a", "it failed"]];
        let rows = rows.map(|row| row.map(str::to_owned).to_vec());
        let lines = ["id  name  state", "1   日本  done", "22  a     it failed"];
        assert_eq!(table_text(&["id", "name", "state"], &rows), lines.join("\n"));
    }
}
