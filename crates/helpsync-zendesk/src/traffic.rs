//! What is told of each exchange: how long it took, as a metric by endpoint and status, and a span of its own in the
//! trace of the work that asked.

use helpsync_telemetry::{metrics as telemetry, trace};
use reqwest::Method;
use tokio::time::Instant;
use tracing::Span;

/// What attachments are called, whatever address their bytes have: an answer chooses it.
pub(crate) const ATTACHMENT: &str = "attachment";

/// The words that paths of ours are made of; what is none of them is an id or a locale.
const WORDS: [&str; 22] = [
    "api",
    "v2",
    "help_center",
    "incremental",
    "articles",
    "sections",
    "categories",
    "attachments",
    "locales",
    "translations",
    "guide",
    "content_tags",
    "webhooks",
    "signing_secret",
    "users",
    "me",
    "oauth",
    "tokens",
    "current",
    "brands",
    "user_segments",
    "authorizations",
];

/// The endpoint that a path of ours belongs to, without ids, locales and what stands before it: there are few.
pub(crate) fn template_of(path: &str) -> String {
    let segments = path.split('/').filter(|segment| !segment.is_empty());
    let mut template = String::new();
    for segment in segments.skip_while(|segment| !matches!(*segment, "api" | "oauth")) {
        template.push('/');
        template.push_str(if WORDS.contains(&segment) { segment } else { "{}" });
    }
    template
}

/// One exchange under way.
pub(crate) struct Exchanging {
    method: &'static str,
    template: String,
    since: Instant,
    span: Span,
}

impl Exchanging {
    pub(crate) fn begin(method: &Method, template: &str) -> Self {
        let method = match *method {
            Method::GET => "GET",
            Method::POST => "POST",
            Method::PUT => "PUT",
            Method::DELETE => "DELETE",
            _ => "other",
        };
        let span = tracing::info_span!(
            "zendesk",
            otel.kind = "client",
            http.request.method = method,
            url.template = template,
        );
        Self { method, template: template.to_owned(), since: Instant::now(), span }
    }

    /// `status`: `None` when no answer came.
    pub(crate) fn end(self, status: Option<u16>) {
        if let Some(status) = status {
            trace::answered(&self.span, status, status >= 400);
        }
        telemetry::request_sent(self.method, self.template, status.unwrap_or(0), self.since.elapsed());
    }
}

#[cfg(test)]
mod tests {
    use super::template_of;

    #[test]
    fn endpoints_are_told_apart_and_ids_are_not() {
        for (path, template) in [
            ("/api/v2/help_center/articles/360001.json", "/api/v2/help_center/articles/{}"),
            (
                "/acme/api/v2/help_center/en-us/sections/7/articles",
                "/api/v2/help_center/{}/sections/{}/articles",
            ),
            ("/acme/api/v2/webhooks/01J/signing_secret", "/api/v2/webhooks/{}/signing_secret"),
            ("/oauth/tokens", "/oauth/tokens"),
            ("/elsewhere", ""),
        ] {
            assert_eq!(template_of(path), template, "{path}");
        }
    }
}
