//! Small pages for people: self-contained, nothing of tokens or states in them, every text escaped.

use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

const STYLE: &str = include_str!("page.css");

/// A page with a title and some lines.
#[derive(Debug)]
pub(crate) struct Page {
    status: StatusCode,
    mark: &'static str,
    title: String,
    /// HTML, escaped already.
    lines: Vec<String>,
}

/// Text as HTML.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

impl Page {
    /// Something worked.
    pub(crate) fn good(title: &str) -> Self {
        Self { status: StatusCode::OK, mark: "good", title: title.to_owned(), lines: Vec::new() }
    }

    /// Something did not; the lines say what to do.
    pub(crate) fn failed(status: StatusCode, title: &str) -> Self {
        Self { status, mark: "failed", title: title.to_owned(), lines: Vec::new() }
    }

    /// Adds a line.
    pub(crate) fn line(mut self, text: &str) -> Self {
        self.lines.push(escape(text));
        self
    }

    /// Adds a link within this host.
    pub(crate) fn link(mut self, path: &str, text: &str) -> Self {
        self.lines.push(format!("<a href=\"{}\">{}</a>", escape(path), escape(text)));
        self
    }

    fn html(&self) -> String {
        let title = escape(&self.title);
        let lines: String = self.lines.iter().map(|line| format!("<p>{line}</p>")).collect();
        format!(
            "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><title>{title}</title>\
             <style>{STYLE}</style></head><body><main class=\"{}\"><h1>{title}</h1>{lines}</main></body></html>",
            self.mark
        )
    }
}

impl From<Page> for Response {
    fn from(page: Page) -> Self {
        page.into_response()
    }
}

impl IntoResponse for Page {
    fn into_response(self) -> Response {
        let style = STANDARD.encode(Sha256::digest(STYLE));
        let policy = format!(
            "default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        );
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        // The address holds a code and a state: it goes nowhere else.
        headers.insert(HeaderName::from_static("referrer-policy"), HeaderValue::from_static("no-referrer"));
        if let Ok(policy) = HeaderValue::from_str(&policy) {
            headers.insert(CONTENT_SECURITY_POLICY, policy);
        }
        (self.status, headers, self.html()).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_said_on_a_page_becomes_part_of_it() {
        let html = Page::good("<script>").line("a&b \"c\" 'd'").link("/x\"onclick=", "<b>").html();
        assert!(html.contains("<h1>&lt;script&gt;</h1>"));
        assert!(html.contains("<p>a&amp;b &quot;c&quot; &#39;d&#39;</p>"));
        assert!(html.contains("<a href=\"/x&quot;onclick=\">&lt;b&gt;</a>"));
        assert!(!html.contains("<script>"));
    }
}
