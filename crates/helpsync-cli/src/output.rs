//! What a person sees: a bar on a terminal, plain lines elsewhere.

use std::io::IsTerminal as _;
use std::time::Duration;

use comfy_table::Table;
use comfy_table::presets::NOTHING;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::Value;

/// Blanks between two columns of a table.
const GAP: u16 = 2;
/// How often progress is looked at.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(200);

/// A progress bar; on something else than a terminal it draws nothing, and [`Progress::end`] prints one line.
pub(crate) struct Progress {
    bar: ProgressBar,
    terminal: bool,
}

impl Progress {
    pub(crate) fn start(what: &str) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let target = if terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let bar = ProgressBar::with_draw_target(Some(0), target);
        let style = ProgressStyle::with_template("  {msg:32} {bar:30.cyan/dim} {pos}/{len} {per_sec} {eta}");
        if let Ok(style) = style {
            bar.set_style(style.progress_chars("━╸ "));
        }
        bar.set_message(what.to_owned());
        Self { bar, terminal }
    }

    pub(crate) fn set(&self, done: u64, total: u64, says: Option<String>) {
        self.bar.set_length(total.max(done));
        self.bar.set_position(done);
        if let Some(says) = says {
            self.bar.set_message(says);
        }
    }

    pub(crate) fn end(self, line: &str) {
        self.bar.finish_and_clear();
        let mark = if self.terminal { "\u{1b}[32m✓\u{1b}[0m" } else { "ok" };
        println!("  {mark} {line}");
    }
}

/// The text of a JSON value for a table: strings bare, nothing as a dash.
pub(crate) fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Prints rows under a heading, columns as wide as their widest cell, whatever the width of the terminal: a row stays a
/// line, which can be cut and searched.
pub(crate) fn table(heading: &[&str], rows: &[Vec<String>]) {
    println!("{}", table_text(heading, rows));
}

fn table_text(heading: &[&str], rows: &[Vec<String>]) -> String {
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
