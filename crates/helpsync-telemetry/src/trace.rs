//! Traces that cross processes, as W3C Trace Context: <https://www.w3.org/TR/trace-context/#traceparent-header>.
//!
//! Without an endpoint for traces no span has an id; every function then answers with `None` and changes nothing.

use opentelemetry::Context;
use opentelemetry::trace::{
    SpanContext, SpanId, Status, TraceContextExt as _, TraceFlags, TraceId, TraceState,
};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// The header that carries a trace over HTTP.
pub const TRACEPARENT: &str = "traceparent";

/// `traceparent` of a span: what those who go on with its work elsewhere name as their parent.
#[must_use]
pub fn parent_of(span: &Span) -> Option<String> {
    let context = span.context();
    let span = context.span();
    let span = span.span_context();
    span.is_valid().then(|| format!("00-{}-{}-{:02x}", span.trace_id(), span.span_id(), span.trace_flags()))
}

/// `traceparent` of the span that is entered now.
#[must_use]
pub fn current() -> Option<String> {
    parent_of(&Span::current())
}

/// Says in a trace how a request over HTTP was answered. In log lines it is not: these say it themselves where it matters.
pub fn answered(span: &Span, status: u16, is_failure: bool) {
    span.set_attribute("http.response.status_code", i64::from(status));
    if is_failure {
        span.set_status(Status::error(""));
    }
}

/// Makes a span go on with the trace of `traceparent`; what cannot be read changes nothing.
pub fn follow(span: &Span, traceparent: &str) {
    if let Some(parent) = read(traceparent) {
        // It fails where nobody takes traces, which is no fault.
        drop(span.set_parent(Context::new().with_remote_span_context(parent)));
    }
}

/// The trace's id out of a `traceparent`, 32 hexadecimal digits, for log lines.
#[must_use]
pub fn id_of(traceparent: &str) -> Option<&str> {
    traceparent.split('-').nth(1).filter(|id| id.len() == 32)
}

fn read(traceparent: &str) -> Option<SpanContext> {
    let mut parts = traceparent.split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    if version == "ff" || version.len() != 2 || trace.len() != 32 || span.len() != 16 {
        return None;
    }
    let context = SpanContext::new(
        TraceId::from_hex(trace).ok()?,
        SpanId::from_hex(span).ok()?,
        TraceFlags::new(u8::from_str_radix(flags, 16).ok()?),
        true,
        TraceState::default(),
    );
    context.is_valid().then_some(context)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_trace_contexts_are_read() {
        let whole = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert_eq!(read(whole).unwrap().trace_id().to_string(), id_of(whole).unwrap());
        for odd in [
            "",
            "00",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "00-0af7651916cd43dd8448eb211c80319x-b7ad6b7169203331-01",
            "00-0af7-b7ad6b7169203331-01",
        ] {
            assert!(read(odd).is_none(), "{odd}");
        }
    }
}
