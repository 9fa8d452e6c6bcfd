//! Progress: a bar on a terminal, a line now and then elsewhere, nothing for who asked for nothing.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::{Output, has_colours, shown_text, write_out};

/// How often progress is looked at.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(200);
/// Where there is no terminal, a line is written at least so often, and whenever something else is done.
const LINE_EVERY: Duration = Duration::from_secs(10);
/// From here on a rate has no decimals.
const RATE_WHOLE: f64 = 10.0;
/// Nothing is said of rate and time left before: the first moments tell nothing.
const MEASURED_AFTER: Duration = Duration::from_secs(1);
/// The text is cut where the terminal ends: a second line would stay behind.
const BAR: &str = "  {bar:20} {wide_msg}";
const BAR_COLOURED: &str = "  {bar:20.cyan/dim} {wide_msg}";
const SPINNER: &str = "  {spinner} {wide_msg}";

/// Where something stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Position {
    /// What is done now, for people.
    pub(crate) doing: String,
    /// So much of it.
    pub(crate) done: u64,
    /// Of so much, once that is known.
    pub(crate) total: Option<u64>,
    /// What it waits for.
    pub(crate) waits: Option<String>,
}

enum Way {
    Bar(ProgressBar),
    Lines(Output),
    Silent,
}

/// Shows positions one after the other.
pub(crate) struct Progress {
    way: Way,
    output: Output,
    /// When counting of what is done now began, and at what.
    since: Option<(String, Instant, u64)>,
    last_line: Option<(Instant, String)>,
}

impl Progress {
    pub(crate) fn start(output: Output) -> Self {
        let way = if output.json || output.quiet {
            Way::Silent
        } else if std::io::stderr().is_terminal() {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            // The form that bars have otherwise is a full one at 0/0.
            bar.set_style(
                ProgressStyle::with_template(SPINNER).unwrap_or_else(|_| ProgressStyle::default_spinner()),
            );
            Way::Bar(bar)
        } else {
            Way::Lines(output)
        };
        Self { way, output, since: None, last_line: None }
    }

    pub(crate) fn set(&mut self, position: &Position) {
        let began = |position: &Position| (position.doing.clone(), Instant::now(), position.done);
        let since = self.since.take().filter(|(doing, ..)| *doing == position.doing);
        let (_, began, first) = self.since.insert(since.unwrap_or_else(|| began(position)));
        let text = described(position, position.done.saturating_sub(*first), began.elapsed());
        match &self.way {
            Way::Silent => {}
            Way::Bar(bar) => draw(bar, position, &text),
            Way::Lines(output) => {
                let what = format!("{} {:?}", position.doing, position.waits);
                let is_due = self
                    .last_line
                    .as_ref()
                    .is_none_or(|(at, last)| *last != what || at.elapsed() >= LINE_EVERY);
                if is_due {
                    output.note(format_args!("  {text}"));
                    self.last_line = Some((Instant::now(), what));
                }
            }
        }
    }

    /// The end, in one line of the answer. `wants_person`: it is not over with that.
    pub(crate) fn end(self, line: &str, wants_person: bool) -> anyhow::Result<()> {
        self.clear();
        if self.output.json {
            return Ok(());
        }
        let mark = match (wants_person, has_colours(&std::io::stdout())) {
            (false, true) => "\u{1b}[32m✓\u{1b}[0m",
            (false, false) => "ok",
            (true, true) => "\u{1b}[33m!\u{1b}[0m",
            (true, false) => "!",
        };
        write_out(&format!("  {mark} {}\n", shown_text(line)))
    }

    pub(crate) fn clear(&self) {
        if let Way::Bar(bar) = &self.way {
            bar.finish_and_clear();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}

fn draw(bar: &ProgressBar, position: &Position, text: &str) {
    let template = match position.total {
        None => SPINNER,
        Some(_) if has_colours(&std::io::stderr()) => BAR_COLOURED,
        Some(_) => BAR,
    };
    // The text and the numbers first: a new form must not show the old ones.
    bar.set_message(shown_text(text));
    if let Some(total) = position.total {
        bar.set_length(total.max(position.done));
        bar.set_position(position.done);
    }
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style.progress_chars("━╸ "));
    }
    bar.tick();
}

/// `reading articles  1,200 of 2,000  310/s  3 s left  waits for the account's budget`. `gained` in `elapsed` is what the
/// rate comes from.
fn described(position: &Position, gained: u64, elapsed: Duration) -> String {
    let mut parts = vec![position.doing.clone()];
    match position.total {
        Some(total) => {
            parts.push(format!("{} of {}", grouped(position.done), grouped(total.max(position.done))));
        }
        None if position.done > 0 => parts.push(grouped(position.done)),
        None => {}
    }
    if gained > 0 && elapsed >= MEASURED_AFTER {
        #[expect(clippy::cast_precision_loss, reason = "a rate for people")]
        let (rate, left) = (
            gained as f64 / elapsed.as_secs_f64(),
            position.total.map(|total| total.saturating_sub(position.done) as f64),
        );
        parts.push(if rate < RATE_WHOLE { format!("{rate:.1}/s") } else { format!("{rate:.0}/s") });
        if let Some(left) = left.filter(|left| *left > 0.0) {
            parts.push(format!("{} left", span(Duration::from_secs_f64((left / rate).ceil()))));
        }
    }
    if let Some(waits) = &position.waits {
        parts.push(format!("waits for {waits}"));
    }
    parts.join("  ")
}

/// A time for people: two units at most.
pub(crate) fn span(time: Duration) -> String {
    let seconds = time.as_secs();
    match (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60, seconds % 60) {
        (0, 0, 0, seconds) => format!("{seconds} s"),
        (0, 0, minutes, seconds) if minutes < 10 && seconds > 0 => format!("{minutes} min {seconds} s"),
        (0, 0, minutes, _) => format!("{minutes} min"),
        (0, hours, 0, _) => format!("{hours} h"),
        (0, hours, minutes, _) => format!("{hours} h {minutes} min"),
        (days, 0, _, _) => format!("{days} d"),
        (days, hours, _, _) => format!("{days} d {hours} h"),
    }
}

/// `1 request`, `1,200 requests`.
pub(crate) fn counted(number: u64, what: &str) -> String {
    format!("{} {what}{}", grouped(number), if number == 1 { "" } else { "s" })
}

/// `1,234,567`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn position(done: u64, total: Option<u64>) -> Position {
        Position { doing: "reading articles".to_owned(), done, total, waits: None }
    }

    #[test]
    fn a_position_says_how_much_how_fast_how_long_and_what_it_waits_for() {
        let two = Duration::from_secs(2);
        assert_eq!(described(&position(0, None), 0, two), "reading articles");
        assert_eq!(described(&position(126, None), 126, two), "reading articles  126  63/s");
        assert_eq!(
            described(&position(7, Some(1_000)), 7, two),
            "reading articles  7 of 1,000  3.5/s  4 min 44 s left"
        );
        assert_eq!(
            described(&position(1_000, Some(1_000)), 1_000, two),
            "reading articles  1,000 of 1,000  500/s"
        );
        // More than was counted: the count was of a moment before.
        assert_eq!(described(&position(5, Some(3)), 0, two), "reading articles  5 of 5");
        let waits = Position { waits: Some("budget".to_owned()), ..position(0, Some(3)) };
        assert_eq!(described(&waits, 0, two), "reading articles  0 of 3  waits for budget");
    }

    #[test]
    fn times_and_numbers_are_read_at_a_glance() {
        let spans =
            [(0, "0 s"), (59, "59 s"), (60, "1 min"), (61, "1 min 1 s"), (601, "10 min"), (3_600, "1 h")];
        for (seconds, text) in spans.into_iter().chain([(90 * 60, "1 h 30 min"), (90_000, "1 d 1 h")]) {
            assert_eq!(span(Duration::from_secs(seconds)), text);
        }
        assert_eq!([0, 1, 1_200].map(|number| counted(number, "file")), ["0 files", "1 file", "1,200 files"]);
        assert_eq!([0, 999, 1_000, 1_234_567].map(grouped), ["0", "999", "1,000", "1,234,567"]);
    }
}
