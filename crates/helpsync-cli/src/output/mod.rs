//! What is said: answers on standard output, everything else on standard error.
//!
//! A reader that leaves early ends a command quietly ([`ReaderGone`]), and nobody who reads standard error is missed.

mod arguments;
mod moment;
mod progress;
mod table;

use std::borrow::Cow;
use std::fmt::Display;
use std::io::{BufRead as _, ErrorKind, IsTerminal, Read as _, Write as _};

use anyhow::Context as _;
use helpsync_model::{chain, seen_json};
use serde_json::{Value, json};

use crate::args::Manner;
use crate::exit::{Exit, ReaderGone};

pub(crate) use arguments::not_understood;
pub(crate) use moment::{moment, moment_of};
pub(crate) use progress::{LOOK_EVERY, Position, Progress, counted, span};
pub(crate) use table::{cell, one_line, shown_text, table_text};

/// The longest answer to a question that is read.
const ANSWER_BYTES_MAX: u64 = 100;

/// How to speak. Cheap to copy.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Output {
    /// Answers are JSON.
    pub(crate) json: bool,
    pub(crate) quiet: bool,
    pub(crate) verbose: u8,
    /// Notes and errors are lines of the log: a log of JSON lines has no other.
    pub(crate) logged: bool,
}

impl From<Manner> for Output {
    fn from(manner: Manner) -> Self {
        Self { json: manner.json, quiet: manner.quiet, verbose: manner.verbose, logged: false }
    }
}

impl Output {
    /// A line of the answer, for people and for pipes: what a terminal would obey is shown instead. In JSON it is spelt as an
    /// escape, which says the same.
    pub(crate) fn answer(self, text: impl Display) -> anyhow::Result<()> {
        let text = format!("{text}\n");
        write_out(&if self.json { seen_json(&text) } else { shown_text(&text).into() })
    }

    /// A JSON document, whatever form answers have.
    pub(crate) fn json_answer(self, json: &str) -> anyhow::Result<()> {
        write_out(&format!("{}\n", seen_json(json)))
    }

    /// An answer that is data: exact wherever it goes but to a terminal.
    pub(crate) fn data(self, text: &str) -> anyhow::Result<()> {
        if std::io::stdout().is_terminal() { self.answer(text) } else { write_out(&format!("{text}\n")) }
    }

    /// The answer: the JSON document, or what `text` makes of it.
    pub(crate) fn show(self, document: &Value, text: impl FnOnce() -> String) -> anyhow::Result<()> {
        if self.json { self.answer(format!("{document:#}")) } else { self.answer(text().trim_end()) }
    }

    /// A line for people beside the answer, on standard output: nobody's with `--quiet` and `--json`.
    pub(crate) fn say(self, text: impl Display) -> anyhow::Result<()> {
        if self.quiet || self.json { Ok(()) } else { self.answer(text) }
    }

    /// A line for people about the way to the answer, on standard error.
    pub(crate) fn note(self, text: impl Display) {
        if self.logged {
            tracing::info!("{text}");
        } else if !self.quiet && !self.json {
            tell(&format!("{text}\n"));
        }
    }

    /// Asks a person at the terminal; `None`: there is none, or the answer is for a machine.
    pub(crate) fn asks(self, what: &str) -> anyhow::Result<Option<bool>> {
        if self.json || self.quiet || !std::io::stdin().is_terminal() || !std::io::stderr().is_terminal() {
            return Ok(None);
        }
        tell(&format!("{what}. Do it? [y/N] "));
        let mut answer = String::new();
        std::io::stdin()
            .lock()
            .take(ANSWER_BYTES_MAX)
            .read_line(&mut answer)
            .context("the answer cannot be read")?;
        Ok(Some(matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")))
    }

    /// A line with `-v`, on standard error.
    pub(crate) fn detail(self, text: impl Display) {
        if self.verbose > 0 {
            tell(&format!("{text}\n"));
        }
    }

    /// What went wrong, said once.
    pub(crate) fn error(self, who: &str, error: &anyhow::Error, exit: Exit) {
        let text = chain(error.as_ref());
        if self.logged {
            tracing::error!(error = text, exit_code = exit as u8, "{who} ends");
        } else if self.json {
            let error = json!({ "error": text, "exit_code": exit as u8 }).to_string();
            write_err(&format!("{}\n", seen_json(&error)));
        } else {
            tell(&format!("{who}: {text}\n"));
        }
    }
}

/// Writes a piece of the answer.
pub(crate) fn write_out(text: &str) -> anyhow::Result<()> {
    let mut out = std::io::stdout().lock();
    written(out.write_all(text.as_bytes()).and_then(|()| out.flush()))
}

/// What became of writing a piece of the answer.
pub(crate) fn written(done: std::io::Result<()>) -> anyhow::Result<()> {
    match done {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Err(ReaderGone.into()),
        done => done.context("standard output cannot be written"),
    }
}

/// Says something to a person on standard error. Much of it others have written: it is shown and not obeyed.
fn tell(text: &str) {
    write_err(&shown_text(text));
}

fn write_err(text: &str) {
    // Whoever does not read it misses nothing that could be told otherwise.
    drop(std::io::stderr().lock().write_all(text.as_bytes()));
}

/// A word of a command that is shown, as a shell takes it.
pub(crate) fn word(text: &str) -> Cow<'_, str> {
    // What no shell can take, a NUL, is in no name of ours.
    shlex::try_quote(text).unwrap_or(Cow::Borrowed(text))
}

/// A customer as an option of a command that is shown.
pub(crate) fn customer_option(name: &str) -> String {
    let sign = if name.starts_with('-') { '=' } else { ' ' };
    format!("--customer{sign}{}", word(name))
}

/// A customer as the argument of a command that is shown.
pub(crate) fn customer_argument(name: &str) -> String {
    if name.starts_with('-') { customer_option(name) } else { word(name).into_owned() }
}

/// Whether colours go there.
pub(crate) fn has_colours(stream: &impl IsTerminal) -> bool {
    let off = |name: &str, is_off: fn(&str) -> bool| std::env::var(name).is_ok_and(|text| is_off(&text));
    stream.is_terminal() && !off("NO_COLOR", |text| !text.is_empty()) && !off("TERM", |text| text == "dumb")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_customer_in_a_shown_command_is_one_word_whatever_it_is_called() {
        for (name, argument, option) in [
            ("ada", "ada", "--customer ada"),
            ("ada b", "'ada b'", "--customer 'ada b'"),
            ("it's", "\"it's\"", "--customer \"it's\""),
            ("-x", "--customer=-x", "--customer=-x"),
            ("-x $y", "--customer='-x $y'", "--customer='-x $y'"),
        ] {
            assert_eq!(
                (customer_argument(name).as_str(), customer_option(name).as_str()),
                (argument, option)
            );
        }
    }
}
