//! Fields of log lines for people: as the formatter shows them by itself, but for what nobody sees. A colour in a value
//! would be taken for one of the formatter's own.

use std::fmt::{self, Debug, Write};

use helpsync_model::is_unseen;
use tracing::field::{Field, Visit};
use tracing_subscriber::field::RecordFields;
use tracing_subscriber::fmt::FormatFields;
use tracing_subscriber::fmt::format::Writer;

/// What is the line itself, not a value beside a name.
const MESSAGE: &str = "message";
/// Fields in which lines of the log crate carry where they come from.
const OF_LOG_CRATE: &str = "log.";

/// Writes fields as `name=value`, with nothing unseen in a value.
pub(crate) struct TextFields;

impl<'w> FormatFields<'w> for TextFields {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'w>, fields: R) -> fmt::Result {
        let mut shown = Shown { writer, has_some: false, result: Ok(()) };
        fields.record(&mut shown);
        shown.result
    }
}

struct Shown<'w> {
    writer: Writer<'w>,
    has_some: bool,
    result: fmt::Result,
}

impl Shown<'_> {
    fn show(&mut self, field: &Field, value: &dyn Debug) -> fmt::Result {
        if self.has_some {
            self.writer.write_char(' ')?;
        }
        self.has_some = true;
        if field.name() != MESSAGE {
            let name = field.name().strip_prefix("r#").unwrap_or(field.name());
            if self.writer.has_ansi_escapes() {
                write!(self.writer, "\x1b[3m{name}\x1b[0m\x1b[2m=\x1b[0m")?;
            } else {
                write!(self.writer, "{name}=")?;
            }
        }
        write!(Seen(&mut self.writer), "{value:?}")
    }
}

impl Visit for Shown<'_> {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == MESSAGE {
            self.record_debug(field, &format_args!("{value}"));
        } else {
            self.record_debug(field, &value);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        if self.result.is_ok() && !field.name().starts_with(OF_LOG_CRATE) {
            self.result = self.show(field, value);
        }
    }
}

/// A writer of what everybody sees.
struct Seen<'a, W>(&'a mut W);

impl<W: Write> Write for Seen<'_, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        write_seen(self.0, text)
    }
}

/// Writes a text, and what nobody sees in it as `\u{…}`: what ends a line, what a terminal obeys, what turns the direction
/// of a line around. Tabs stay.
pub(crate) fn write_seen(writer: &mut impl Write, text: &str) -> fmt::Result {
    let mut rest = text;
    while let Some(at) = rest.find(|c| c != '\t' && is_unseen(c)) {
        writer.write_str(&rest[..at])?;
        let mut behind = rest[at..].chars();
        if let Some(unseen) = behind.next() {
            write!(writer, "\\u{{{:x}}}", u32::from(unseen))?;
        }
        rest = behind.as_str();
    }
    writer.write_str(rest)
}
