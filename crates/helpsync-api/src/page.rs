//! Small pages for people: self-contained, nothing of tokens or states in them, every text escaped by maud.

use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderName, HeaderValue};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

const STYLE: &str = include_str!("page.css");

/// A page with a title and some lines.
#[derive(Debug)]
pub(crate) struct Page {
    status: StatusCode,
    mark: &'static str,
    title: String,
    lines: Vec<Markup>,
    posts: bool,
}

impl Page {
    /// Something worked.
    pub(crate) fn good(title: &str) -> Self {
        Self {
            status: StatusCode::OK,
            mark: "good",
            title: title.to_owned(),
            lines: Vec::new(),
            posts: false,
        }
    }

    /// Something did not; the lines say what to do.
    pub(crate) fn failed(status: StatusCode, title: &str) -> Self {
        Self { status, mark: "failed", title: title.to_owned(), lines: Vec::new(), posts: false }
    }

    /// Adds a line.
    pub(crate) fn line(mut self, text: &str) -> Self {
        self.lines.push(html! { (text) });
        self
    }

    /// Adds a link within this host.
    pub(crate) fn link(mut self, path: &str, text: &str) -> Self {
        self.lines.push(html! { a href=(path) { (text) } });
        self
    }

    /// Adds a button that posts to the page's own address.
    pub(crate) fn button(mut self, text: &str) -> Self {
        self.lines.push(html! { form method="post" { button type="submit" { (text) } } });
        self.posts = true;
        self
    }

    fn html(&self) -> String {
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    title { (self.title) }
                    style { (PreEscaped(STYLE)) }
                }
                body {
                    main class=(self.mark) {
                        h1 { (self.title) }
                        @for line in &self.lines { p { (line) } }
                    }
                }
            }
        };
        page.into_string()
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
        let form = if self.posts { "'self'" } else { "'none'" };
        let policy = format!(
            "default-src 'none'; style-src 'sha256-{style}'; base-uri 'none'; form-action {form}; frame-ancestors 'none'"
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
        assert!(html.contains("<p>a&amp;b &quot;c&quot; 'd'</p>"));
        assert!(html.contains("<a href=\"/x&quot;onclick=\">&lt;b&gt;</a>"));
        assert!(!html.contains("<script>"));
    }
}
