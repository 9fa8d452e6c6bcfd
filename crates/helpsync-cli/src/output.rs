//! What a person sees: a bar on a terminal, plain lines elsewhere.

use std::io::IsTerminal as _;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::Value;

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

/// Prints rows under a heading, columns as wide as their widest cell.
pub(crate) fn table(heading: &[&str], rows: &[Vec<String>]) {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain(heading.get(column).map(|name| name.len())).max().unwrap_or(0)
    };
    let print = |cells: Vec<&str>| {
        let padded: Vec<String> =
            cells.iter().enumerate().map(|(column, cell)| format!("{cell:<0$}", width(column))).collect();
        println!("{}", padded.join("  ").trim_end());
    };
    print(heading.to_vec());
    for row in rows {
        print(row.iter().map(String::as_str).collect());
    }
}
