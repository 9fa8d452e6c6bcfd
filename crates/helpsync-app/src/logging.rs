//! Log output: text for people, JSON for machines, on standard error.

use std::io::{self, IsTerminal as _, Write};

use helpsync_config::{LogFormat, LogSettings, TelemetrySettings};
use helpsync_model::chain;
use tracing::Subscriber;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::JsonFields;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer};

use crate::asked_anew::AskedAnew;
use crate::json_lines::JsonLines;
use crate::text_fields::{TextFields, write_seen};
use crate::{AppError, traces};

/// What colours begin with.
const ESCAPE: char = '\x1b';
/// Parsers.
const CONTENTS: [&str; 4] = ["html5ever", "markup5ever", "xml5ever", "htmd"];

/// Whether the log is lines of JSON: where nobody says which, it is text on a terminal only.
#[must_use]
pub fn logs_json(format: LogFormat) -> bool {
    match format {
        LogFormat::Text => false,
        LogFormat::Json => true,
        LogFormat::Auto => !std::io::stderr().is_terminal(),
    }
}

/// Starts the log of the whole process, and its traces where the settings say where they go; `service` names it there. A
/// second call changes nothing.
///
/// # Errors
/// [`AppError::LogFilter`], [`AppError::Traces`].
pub fn start_logging(
    log: &LogSettings,
    telemetry: &TelemetrySettings,
    service: &'static str,
) -> Result<(), AppError> {
    let filter = AskedAnew(without_contents(&log.filter)?);
    let as_text = !logs_json(log.format);
    let tracer = traces::tracer(telemetry, service)?;
    let traced = tracer.map(|tracer| {
        tracing_opentelemetry::layer()
            .with_tracer(tracer)
            .with_location(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_filter(AskedAnew(spans_of_ours()))
    });
    let registry = tracing_subscriber::registry().with(traced);
    let started = if as_text {
        // Colours are for a terminal whose owner has not said otherwise.
        let has_colours =
            io::stderr().is_terminal() && std::env::var("NO_COLOR").map_or(true, |text| text.is_empty());
        let writer = move || OneLine { writer: io::stderr(), has_colours };
        registry.with(text(writer, has_colours).with_filter(filter)).try_init()
    } else {
        registry.with(json(|| OneLine::plain(io::stderr())).with_filter(filter)).try_init()
    };
    // The one error is that a subscriber is there already: that one then gets the lines.
    started.unwrap_or(());
    Ok(())
}

/// The filter, but for what reads articles and bodies: it logs piece by piece what stands in them.
fn without_contents(filter: &str) -> Result<EnvFilter, AppError> {
    let filter = EnvFilter::try_new(filter).map_err(|error| AppError::LogFilter(chain(&error)))?;
    CONTENTS.into_iter().try_fold(filter, |filter, target| {
        let off = format!("{target}=off").parse();
        Ok(filter.add_directive(off.map_err(|error| AppError::LogFilter(chain(&error)))?))
    })
}

/// What is traced, whatever is logged.
fn spans_of_ours() -> Targets {
    Targets::new().with_target("helpsync", LevelFilter::INFO)
}

/// Lines for people.
fn text<S, W>(writer: W, has_colours: bool) -> impl Layer<S> + Send + Sync
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    tracing_subscriber::fmt::layer().fmt_fields(TextFields).with_ansi(has_colours).with_writer(writer)
}

/// Lines for machines.
fn json<S, W>(writer: W) -> impl Layer<S> + Send + Sync
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    tracing_subscriber::fmt::layer().fmt_fields(JsonFields::new()).event_format(JsonLines).with_writer(writer)
}

/// Keeps every event on one line of its own, whatever its fields hold: the formatter hands it over in one piece, with the
/// line's end as its last byte. Fields are escaped where they are formatted; this holds for what is printed as it is.
struct OneLine<W> {
    writer: W,
    /// Whether the formatter colours lines.
    has_colours: bool,
}

impl<W> OneLine<W> {
    const fn plain(writer: W) -> Self {
        Self { writer, has_colours: false }
    }
}

impl<W: Write> Write for OneLine<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        // A log that nobody reads any more stops no work: the formatter would end the task that had something to say.
        drop(
            self.writer.write_all(on_one_line(&String::from_utf8_lossy(event), self.has_colours).as_bytes()),
        );
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

/// What nobody sees within the event as `\u{…}`. The formatter's colours stay where there are any: fields hold none.
fn on_one_line(event: &str, has_colours: bool) -> String {
    let (text, end) = event.strip_suffix('\n').map_or((event, ""), |text| (text, "\n"));
    let mut line = String::with_capacity(event.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let colour = if has_colours { colour(rest) } else { "" };
        let next = if colour.is_empty() {
            // Up to the next that may begin a colour; what the rest begins with is none.
            let behind = first.len_utf8();
            let next = rest[behind..].find(ESCAPE).map_or(rest.len(), |at| behind + at);
            // Into a text nothing fails.
            write_seen(&mut line, &rest[..next]).unwrap_or(());
            next
        } else {
            line.push_str(colour);
            colour.len()
        };
        rest = &rest[next..];
    }
    line + end
}

/// The colour that a text begins with, or nothing.
fn colour(text: &str) -> &str {
    let Some(numbers) = text.strip_prefix("\x1b[") else { return "" };
    let end = numbers.find(|c: char| !c.is_ascii_digit() && c != ';').unwrap_or(numbers.len());
    if numbers[end..].starts_with('m') { &text[..text.len() - numbers.len() + end + 1] } else { "" }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use helpsync_model::is_unseen;

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Ends of lines, what a terminal obeys (ESC, and the one-character CSI of C1), what turns the direction of a line
    /// around, what has no width.
    const HOSTILE: &str = "a\n2026-01-01T00:00:00Z ERROR forged\r\u{b}b\",\"level\":\"ERROR \u{1b}[8m\u{1b}[2J\u{1b}]0;x\u{7}\
        \u{7f}\u{85}\u{9b}31m\u{2028}\u{2029}\u{202e}\u{2066}\u{200b}\u{200f}\u{feff}\u{ad}\u{e0041} Zoë 日 🙂";

    /// What is printed of events that hold it as a value, in a span and as message.
    fn printed<L: Layer<tracing_subscriber::Registry> + Send + Sync>(layer: impl Fn(Kept) -> L) -> String {
        let kept = Kept::default();
        tracing::subscriber::with_default(tracing_subscriber::registry().with(layer(kept.clone())), || {
            let _span = tracing::info_span!("s", span_field = HOSTILE, span_shown = %HOSTILE).entered();
            tracing::warn!(field = HOSTILE, shown = %HOSTILE, debugged = ?HOSTILE, "{HOSTILE}");
            tracing::warn!(message = HOSTILE, "after");
        });
        let bytes = kept.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    /// Without the colours that the formatter itself has for lines: no other begins as these do.
    fn without_own_colours(text: &str) -> String {
        ["0", "1", "2", "3", "33"]
            .iter()
            .fold(text.to_owned(), |text, number| text.replace(&format!("\u{1b}[{number}m"), ""))
    }

    #[test]
    fn an_event_is_one_line_whatever_its_fields_hold() {
        let coloured = |kept: Kept| text(move || OneLine { writer: kept.clone(), has_colours: true }, true);
        let as_text = printed(|kept| text(move || OneLine::plain(kept.clone()), false));
        let as_json = printed(|kept| json(move || OneLine::plain(kept.clone())));
        let with_colours = printed(coloured);
        assert!(with_colours.contains("\u{1b}[33m"), "{with_colours:?}");
        for text in [&as_text, &as_json, &without_own_colours(&with_colours)] {
            assert_eq!(text.lines().count(), 2, "{text:?}");
            let raw: Vec<char> = text.chars().filter(|c| *c != '\n' && is_unseen(*c)).collect();
            assert!(raw.is_empty(), "{raw:?} in {text:?}");
            assert!(text.contains("Zoë 日 🙂"), "{text:?}");
        }
        for line in as_json.lines() {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            assert_eq!((&line["level"], &line["message"]), (&"WARN".into(), &HOSTILE.into()));
            assert_eq!((&line["span_field"], &line["span_shown"]), (&HOSTILE.into(), &HOSTILE.into()));
        }
    }

    #[test]
    fn colours_stay_where_there_are_any_and_nothing_else_that_a_terminal_obeys() {
        let event = "\u{1b}[2mx\u{1b}[0m\t\u{1b}[38;5;1my \u{1b}[2J \u{1b}c \u{1b}[1\n";
        let shown = "\u{1b}[2mx\u{1b}[0m\t\u{1b}[38;5;1my \\u{1b}[2J \\u{1b}c \\u{1b}[1\n";
        assert_eq!(on_one_line(event, true), shown);
        assert_eq!(on_one_line(event, false), shown.replace('\u{1b}', "\\u{1b}"));
        assert_eq!(on_one_line("a\nb", false), "a\\u{a}b");
    }

    /// As sqlx asks by the log crate after each statement, and then says nothing.
    #[test]
    fn nothing_is_lost_after_a_question_that_nothing_follows() {
        let (logged, traced) = (Kept::default(), Kept::default());
        let (log_writer, trace_writer) = (logged.clone(), traced.clone());
        let filter = without_contents("info,helpsync_worker=debug").unwrap();
        let registry = tracing_subscriber::registry()
            .with(json(move || OneLine::plain(trace_writer.clone())).with_filter(AskedAnew(spans_of_ours())))
            .with(json(move || OneLine::plain(log_writer.clone())).with_filter(AskedAnew(filter)));
        tracing::subscriber::with_default(registry, || {
            let question = tracing::debug_span!(target: "sqlx::query", "question");
            let question = question.metadata().unwrap();
            let ask = || tracing::dispatcher::get_default(|dispatch| dispatch.enabled(question));
            ask();
            let shard = tracing::info_span!(target: "helpsync_worker", "shard", run = 7).entered();
            ask();
            tracing::info!(target: "helpsync_worker", "a run is done");
            ask();
            tracing::debug!(target: "helpsync_worker", "shard started");
            drop(shard);
        });
        let lines = |kept: &Kept| -> Vec<(serde_json::Value, serde_json::Value)> {
            let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
            let lines = text.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap());
            lines.map(|line| (line["message"].clone(), line["run"].clone())).collect()
        };
        let line = |message: &str| (serde_json::json!(message), serde_json::json!(7));
        assert_eq!(lines(&logged), [line("a run is done"), line("shard started")]);
        assert_eq!(lines(&traced), [line("a run is done")]);
    }

    #[test]
    fn a_line_for_machines_has_the_fields_of_its_spans_and_each_once() {
        let kept = Kept::default();
        let writer = kept.clone();
        let registry = tracing_subscriber::registry().with(json(move || OneLine::plain(writer.clone())));
        tracing::subscriber::with_default(registry, || {
            let outer = tracing::info_span!(
                "outer",
                run = 7,
                shard = "old",
                otel.kind = "server",
                late = tracing::field::Empty
            );
            outer.record("late", "told");
            let _outer = outer.entered();
            let _inner = tracing::info_span!("inner", shard = 8).entered();
            tracing::info!(shard = %9, r#type = "x", level = "none", "it {}", "works");
        });
        let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        let line: serde_json::Value = serde_json::from_str(&text).unwrap();
        for (name, value) in [
            ("run", serde_json::json!(7)),
            ("shard", serde_json::json!("9")),
            ("late", serde_json::json!("told")),
            ("type", serde_json::json!("x")),
            ("level", serde_json::json!("INFO")),
            ("message", serde_json::json!("it works")),
        ] {
            assert_eq!(line[name], value, "{name}");
            assert_eq!(text.matches(&format!("\"{name}\":")).count(), 1, "{name}");
        }
        assert!(line["timestamp"].is_string() && line["target"].is_string() && line["otel.kind"].is_null());
    }
}
