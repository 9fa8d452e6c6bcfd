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
use crate::{AppError, traces};

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
        registry.with(text(|| OneLine(io::stderr()), has_colours).with_filter(filter)).try_init()
    } else {
        registry.with(json(|| OneLine(io::stderr())).with_filter(filter)).try_init()
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
    tracing_subscriber::fmt::layer().with_ansi(has_colours).with_writer(writer)
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
struct OneLine<W>(W);

impl<W: Write> Write for OneLine<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        // A log that nobody reads any more stops no work: the formatter would end the task that had something to say.
        drop(self.0.write_all(&on_one_line(event)));
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Control characters within the event as `\u{…}`; those of colours stay.
fn on_one_line(event: &[u8]) -> Vec<u8> {
    let (text, end) = match event.strip_suffix(b"\n") {
        Some(text) => (text, b"\n".as_slice()),
        None => (event, b"".as_slice()),
    };
    let mut line = Vec::with_capacity(event.len());
    for byte in text {
        match byte {
            b'\t' | b'\x1b' => line.push(*byte),
            byte if byte.is_ascii_control() => line.extend(format!("\\u{{{byte:x}}}").into_bytes()),
            byte => line.push(*byte),
        }
    }
    line.extend(end);
    line
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

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

    #[test]
    fn an_event_is_one_line_whatever_its_fields_hold() {
        let hostile = "a\n2026-01-01T00:00:00Z ERROR forged\r\u{b}b\",\"level\":\"ERROR";
        for as_text in [true, false] {
            let kept = Kept::default();
            let writer = kept.clone();
            let registry = tracing_subscriber::registry();
            let log = || {
                tracing::warn!(field = hostile, shown = %hostile, debugged = ?hostile, "{hostile}");
                tracing::warn!(message = hostile, "after");
            };
            let writer = move || OneLine(writer.clone());
            if as_text {
                tracing::subscriber::with_default(registry.with(text(writer, false)), log);
            } else {
                tracing::subscriber::with_default(registry.with(json(writer)), log);
            }
            let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
            assert_eq!(text.lines().count(), 2, "{text}");
            assert!(!text.contains('\r') && !text.contains('\u{b}'), "{text}");
            if !as_text {
                let first: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
                assert_eq!(first["level"], "WARN");
            }
        }
    }

    /// As sqlx asks by the log crate after each statement, and then says nothing.
    #[test]
    fn nothing_is_lost_after_a_question_that_nothing_follows() {
        let (logged, traced) = (Kept::default(), Kept::default());
        let (log_writer, trace_writer) = (logged.clone(), traced.clone());
        let filter = without_contents("info,helpsync_worker=debug").unwrap();
        let registry = tracing_subscriber::registry()
            .with(json(move || OneLine(trace_writer.clone())).with_filter(AskedAnew(spans_of_ours())))
            .with(json(move || OneLine(log_writer.clone())).with_filter(AskedAnew(filter)));
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
        let registry = tracing_subscriber::registry().with(json(move || OneLine(writer.clone())));
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
