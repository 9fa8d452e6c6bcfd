//! Who asks: a person's browser, or a program.

use axum::http::HeaderMap;
use axum::http::header::{ACCEPT, ACCEPT_LANGUAGE, HeaderName, UPGRADE_INSECURE_REQUESTS, USER_AGENT};

/// Headers that browsers alone send.
const OF_BROWSERS: [HeaderName; 6] = [
    HeaderName::from_static("sec-fetch-site"),
    HeaderName::from_static("sec-fetch-dest"),
    HeaderName::from_static("sec-fetch-user"),
    HeaderName::from_static("sec-ch-ua"),
    HeaderName::from_static("sec-ch-ua-mobile"),
    UPGRADE_INSECURE_REQUESTS,
];
/// The fetch of Node says `cors` here, and sends none of the others. No browser opens an address in that mode.
const FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
/// Words in the names of browsers, graphical or not, in lower case.
const NAMES: [&str; 9] = ["mozilla", "opera", "webkit", "gecko", "chrome", "safari", "lynx", "links", "w3m"];

/// Every value of a header, in lower case; what is no text is odd enough to be there all the same.
fn values(headers: &HeaderMap, name: &HeaderName) -> Vec<String> {
    headers
        .get_all(name)
        .iter()
        .map(|value| String::from_utf8_lossy(value.as_bytes()).to_lowercase())
        .collect()
}

/// Whether the client is certainly a program. Whatever is doubtful is a browser: a person sits there who must be asked.
#[must_use]
pub fn is_program(headers: &HeaderMap) -> bool {
    let has = |name: &HeaderName, test: &dyn Fn(&str) -> bool| {
        values(headers, name).iter().any(|value| test(value))
    };
    let is_browser = OF_BROWSERS.iter().any(|name| headers.contains_key(name))
        || has(&FETCH_MODE, &|mode| mode != "cors")
        || has(&ACCEPT, &|accept| accept.contains("html"))
        // Programs that name a language name any.
        || has(&ACCEPT_LANGUAGE, &|language| language != "*")
        || has(&USER_AGENT, &|agent| NAMES.iter().any(|name| agent.contains(name)));
    !is_browser
}

/// Whether an error is to be shown as a page.
#[must_use]
pub fn wants_page(headers: &HeaderMap) -> bool {
    values(headers, &ACCEPT).iter().any(|accept| accept.contains("text/html"))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        pairs.collect()
    }

    #[test]
    fn sdks_and_scripts_are_programs() {
        for program in [
            &[][..],
            &[("user-agent", "curl/8.5.0"), ("accept", "*/*")],
            &[("user-agent", "Python-urllib/3.12"), ("connection", "close")],
            &[
                ("user-agent", "python-requests/2.32"),
                ("accept", "*/*"),
                ("accept-encoding", "gzip, deflate"),
            ],
            &[
                ("user-agent", "node"),
                ("accept", "*/*"),
                ("accept-language", "*"),
                ("sec-fetch-mode", "cors"),
            ],
            &[("user-agent", "axios/1.7.2"), ("accept", "application/json, text/plain, */*")],
        ] {
            assert!(is_program(&headers(program)), "{program:?}");
        }
    }

    #[test]
    fn whatever_is_doubtful_is_a_browser() {
        for browser in [
            &[("user-agent", "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101 Firefox/140.0")][..],
            &[("accept", "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8")],
            &[("accept", "*/*"), ("accept", "TEXT/HTML")],
            &[("accept", "application/xhtml+xml")],
            &[("sec-fetch-mode", "navigate")],
            &[("sec-fetch-mode", "cors"), ("sec-fetch-mode", "navigate")],
            &[("sec-fetch-mode", "cors"), ("sec-fetch-site", "cross-site")],
            &[("sec-fetch-dest", "document"), ("user-agent", "curl/8.5.0")],
            &[("sec-fetch-user", "?1")],
            &[("sec-ch-ua", "\"Chromium\";v=\"140\"")],
            &[("upgrade-insecure-requests", "1")],
            &[("accept-language", "en-US,en;q=0.9")],
            &[("user-agent", "Lynx/2.9.2 libwww-FM/2.14")],
            &[("user-agent", "App/1 AppleWebKit/605")],
        ] {
            assert!(!is_program(&headers(browser)), "{browser:?}");
        }
        let mut odd = HeaderMap::new();
        odd.insert(ACCEPT, HeaderValue::from_bytes(b"\xfftext/html").unwrap());
        assert!(!is_program(&odd), "bytes that are no text hide nothing");
    }
}
