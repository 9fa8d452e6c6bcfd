//! Addresses of links and images: made absolute, and refused when they run or carry something.

use std::borrow::Cow;

use url::Url;

/// Schemes that run a script, carry a whole document, or lead into the reader's own machine.
const REFUSED: [&str; 15] = [
    "javascript",
    "vbscript",
    "livescript",
    "mocha",
    "data",
    "blob",
    "file",
    "filesystem",
    "about",
    "view-source",
    "jar",
    "mhtml",
    "res",
    "feed",
    "wyciwyg",
];

/// The address of a page on the web, absolute, by http or https; `None` for every other text.
///
/// For addresses that come from outside and are shown as links, like an article's `html_url`.
#[must_use]
pub fn external_url(address: &str) -> Option<String> {
    let address = trimmed(address);
    web(&address).map(|_url| address.into_owned())
}

/// An absolute http or https address, parsed.
pub(crate) fn web(address: &str) -> Option<Url> {
    Url::parse(address).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
}

/// An address as it is kept: absolute where `base` is known, as it was written when it is absolute already; `None`
/// when it is empty or has a refused scheme.
pub(crate) fn resolved(address: &str, base: Option<&Url>) -> Option<String> {
    let address = trimmed(address);
    if address.is_empty() || is_refused(&address) {
        return None;
    }
    match scheme(&address) {
        // A drive of the writer's own machine.
        Some(drive) if drive.len() == 1 => return None,
        // Browsers read backslashes of the web as slashes.
        Some(scheme) if address.contains('\\') && is_of_web(scheme) => {
            return Url::parse(&address).ok().map(String::from);
        }
        Some(_) => return Some(address.into_owned()),
        None => {}
    }
    match base {
        Some(base) => base.join(&address).ok().map(String::from),
        None => Some(address.into_owned()),
    }
}

/// Without what browsers take out of an address: tabs, line ends, and blanks and controls around it. Blanks inside
/// become `%20`.
fn trimmed(address: &str) -> Cow<'_, str> {
    let outer = address.trim_matches(|c: char| c.is_whitespace() || c.is_control());
    if !outer.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Cow::Borrowed(outer);
    }
    let mut kept = String::with_capacity(outer.len());
    for c in outer.chars() {
        match c {
            '\t' | '\n' | '\r' => {}
            _ if c.is_whitespace() => kept.push_str("%20"),
            _ if c.is_control() => {}
            _ => kept.push(c),
        }
    }
    Cow::Owned(kept)
}

/// The part before the first colon, when it can be a scheme.
fn scheme(address: &str) -> Option<&str> {
    let (scheme, _rest) = address.split_once(':')?;
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    (scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.chars().all(legal)).then_some(scheme)
}

fn is_of_web(scheme: &str) -> bool {
    scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https")
}

/// As lenient as old browsers read schemes: whatever is neither letter nor digit is looked through.
fn is_refused(address: &str) -> bool {
    let Some((before, _after)) = address.split_once(':') else { return false };
    if before.contains(['/', '?', '#']) {
        return false;
    }
    let bare: String =
        before.replace("%20", "").chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').collect();
    REFUSED.iter().any(|refused| bare.eq_ignore_ascii_case(refused))
}

/// An address as the destination of a Markdown link.
pub(crate) fn destination(address: &str, in_cell: bool) -> String {
    let mut out = String::with_capacity(address.len());
    for (at, c) in address.char_indices() {
        match c {
            '(' | ')' => out.extend(['\\', c]),
            '<' => out.push_str("%3C"),
            '>' => out.push_str("%3E"),
            '"' => out.push_str("%22"),
            '`' => out.push_str("%60"),
            '\\' => out.push_str("%5C"),
            '|' if in_cell => out.push_str("\\|"),
            // Only where an entity would be read. Some parsers read entities before escapes: no backslash would help.
            '&' if crate::escape::is_entity(&address[at..]) => out.push_str("&amp;"),
            _ => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_made_absolute() {
        let base = Url::parse("https://acme.example.com/hc/en-us/articles/1").unwrap();
        for (address, expected) in [
            ("/hc/en-us/articles/2", "https://acme.example.com/hc/en-us/articles/2"),
            ("2-Next", "https://acme.example.com/hc/en-us/articles/2-Next"),
            ("#usage", "https://acme.example.com/hc/en-us/articles/1#usage"),
            ("//v.example/1", "https://v.example/1"),
            ("?page=2", "https://acme.example.com/hc/en-us/articles/1?page=2"),
            (" https://a.example \n", "https://a.example"),
            ("https://a.example/x y", "https://a.example/x%20y"),
            ("mailto:help@acme.example", "mailto:help@acme.example"),
            ("tel:+1 555", "tel:+1%20555"),
            ("myapp://settings", "myapp://settings"),
            ("https:\\\\a.example\\b", "https://a.example/b"),
            ("https://a.example\\@b.example/", "https://a.example/@b.example/"),
        ] {
            assert_eq!(resolved(address, Some(&base)).as_deref(), Some(expected), "{address}");
        }
        assert_eq!(resolved("../b", None).as_deref(), Some("../b"));
    }

    #[test]
    fn addresses_that_run_or_carry_something_are_refused() {
        for address in [
            "javascript:alert(1)",
            "\u{1}JavaScript:alert(1)",
            "java\tscript:x",
            "java script:x",
            "data:text/html,x",
            "vbscript:x",
            "blob:https://a.example/1",
            "file:///C:/Users/me",
            "C:\\Users\\me",
            "d:/manual.pdf",
            "view-source:javascript:x",
            "",
            " ",
        ] {
            assert_eq!(resolved(address, None), None, "{address:?}");
            assert_eq!(external_url(address), None, "{address:?}");
        }
        assert_eq!(resolved("/data:x", None).as_deref(), Some("/data:x"));
        assert_eq!(resolved("?q=data:x", None).as_deref(), Some("?q=data:x"));
    }

    #[test]
    fn an_external_url_is_a_page_of_the_web() {
        assert_eq!(external_url(" https://a.example/hc ").as_deref(), Some("https://a.example/hc"));
        for address in ["/hc", "ftp://a.example", "https://", "mailto:a@b.example", "a.example"] {
            assert_eq!(external_url(address), None, "{address}");
        }
    }

    #[test]
    fn a_destination_cannot_end_early() {
        assert_eq!(destination("/a) <img>\"`\\", false), "/a\\) %3Cimg%3E%22%60%5C");
        assert_eq!(destination("?a=1&lt=2&lt;", true), "?a=1&lt=2&amp;lt;");
        assert_eq!(destination("/a|b", true), "/a\\|b");
    }
}
