//! Log output: text for people, JSON for machines, on standard error.

use std::io::{self, IsTerminal as _, Write};

use helpsync_config::{LogFormat, LogSettings};
use helpsync_model::chain;
use tracing_subscriber::EnvFilter;

use crate::AppError;

/// Starts logging for the whole process; a second call changes nothing.
///
/// # Errors
/// [`AppError::LogFilter`].
pub fn start_logging(settings: &LogSettings) -> Result<(), AppError> {
    let filter = EnvFilter::try_new(&settings.filter).map_err(|error| AppError::LogFilter(chain(&error)))?;
    let as_text = match settings.format {
        LogFormat::Text => true,
        LogFormat::Json => false,
        LogFormat::Auto => std::io::stderr().is_terminal(),
    };
    // Colours are for a terminal whose owner has not said otherwise.
    let has_colours =
        io::stderr().is_terminal() && std::env::var("NO_COLOR").map_or(true, |text| text.is_empty());
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(has_colours)
        .with_writer(|| OneLine(io::stderr()));
    let started = if as_text { builder.try_init() } else { builder.json().flatten_event(true).try_init() };
    // The one error is that a subscriber is there already: that one then gets the lines.
    started.unwrap_or(());
    Ok(())
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
            let builder =
                tracing_subscriber::fmt().with_ansi(false).with_writer(move || OneLine(writer.clone()));
            let log = || {
                tracing::warn!(field = hostile, shown = %hostile, debugged = ?hostile, "{hostile}");
                tracing::warn!(message = hostile, "after");
            };
            if as_text {
                tracing::subscriber::with_default(builder.finish(), log);
            } else {
                tracing::subscriber::with_default(builder.json().flatten_event(true).finish(), log);
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
}
