//! Log lines for machines: one flat object a line. Fields of the spans around an event stand beside its own, each once;
//! of one name the innermost counts.

use std::fmt;

use helpsync_model::is_unseen;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::{JsonFields, Writer};
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormattedFields};
use tracing_subscriber::registry::{LookupSpan, Scope};

/// Fields of spans that only say how a trace shows them.
const OF_TRACES: &str = "otel.";

/// Writes an event as one flat object. Its spans' fields have to be formatted by [`JsonFields`].
pub(crate) struct JsonLines;

impl<S> FormatEvent<S, JsonFields> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, JsonFields>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut line = Line::default();
        for span in context.event_scope().into_iter().flat_map(Scope::from_root) {
            let extensions = span.extensions();
            let fields = extensions.get::<FormattedFields<JsonFields>>();
            let fields = fields.and_then(|fields| serde_json::from_str::<Map<String, Value>>(fields).ok());
            let shown = fields.into_iter().flatten().filter(|(name, _)| !name.starts_with(OF_TRACES));
            line.0.extend(shown);
        }
        event.record(&mut line);
        let mut time = String::new();
        SystemTime.format_time(&mut Writer::new(&mut time))?;
        let metadata = event.metadata();
        line.put("timestamp", time);
        line.put("level", metadata.level().as_str());
        line.put("target", metadata.target());
        write_seen(&mut writer, &Value::Object(line.0).to_string())?;
        writeln!(writer)
    }
}

/// What nobody sees, such as what turns the direction of a line around, is spelt as an escape. It stands in strings only.
fn write_seen(writer: &mut Writer<'_>, json: &str) -> fmt::Result {
    let mut units = [0; 2];
    let mut rest = json;
    while let Some(at) = rest.find(is_unseen) {
        writer.write_str(&rest[..at])?;
        let mut behind = rest[at..].chars();
        for unit in behind.next().into_iter().flat_map(|unseen| unseen.encode_utf16(&mut units).to_vec()) {
            write!(writer, "\\u{unit:04x}")?;
        }
        rest = behind.as_str();
    }
    writer.write_str(rest)
}

/// The fields of a line.
#[derive(Default)]
struct Line(Map<String, Value>);

impl Line {
    fn put(&mut self, name: &str, value: impl Into<Value>) {
        self.0.insert(name.strip_prefix("r#").unwrap_or(name).to_owned(), value.into());
    }
}

impl Visit for Line {
    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field.name(), value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field.name(), value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field.name(), value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field.name(), value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field.name(), value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field.name(), format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_sees_is_escaped_and_reads_as_it_was() {
        let value = serde_json::json!({ "a": "x\u{202e}y\u{e0041}\n\u{7f}é日🙂" });
        let mut line = String::new();
        write_seen(&mut Writer::new(&mut line), &value.to_string()).unwrap();
        assert_eq!(line, r#"{"a":"x\u202ey\udb40\udc41\n\u007fé日🙂"}"#);
        assert_eq!(serde_json::from_str::<Value>(&line).unwrap(), value);
    }
}
