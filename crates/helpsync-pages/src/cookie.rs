//! Cookies of pages, and where a form was posted from.

use axum::http::HeaderMap;
use axum::http::header::{COOKIE, HeaderName, ORIGIN};

/// Says where a request was made from; browsers alone send it.
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
/// Cookies of one request that are looked at.
const COOKIES_MAX: usize = 64;

/// The full name of a cookie. Over https it begins with `__Host-`: no other host, and nothing over http, can set it.
#[must_use]
pub fn name(base: &str, is_https: bool) -> String {
    if is_https { format!("__Host-{base}") } else { base.to_owned() }
}

/// A `Set-Cookie` value that scripts cannot read, that other sites' requests do not carry (but links to us do), and that ends
/// after so many seconds; 0 takes the cookie away.
#[must_use]
pub fn set(base: &str, value: &str, is_https: bool, seconds: u64) -> String {
    let name = name(base, is_https);
    let secure = if is_https { "; Secure" } else { "" };
    format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}")
}

/// The values of a cookie, usually one.
pub fn read<'a>(headers: &'a HeaderMap, base: &str, is_https: bool) -> impl Iterator<Item = &'a str> {
    let name = name(base, is_https);
    let all = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs = all.flat_map(|line| line.split(';')).take(COOKIES_MAX);
    pairs.filter_map(move |pair| {
        let (known, value) = pair.trim().split_once('=')?;
        (known == name).then_some(value)
    })
}

/// Whether a form may have been posted from a page of this origin (`https://sync.example.com`): nothing says otherwise.
/// Browsers say where a form comes from; whoever says nothing is none, and must know the form's token all the same.
#[must_use]
pub fn is_from(headers: &HeaderMap, origin: &str) -> bool {
    let all_are = |name: &HeaderName, right: &str| headers.get_all(name).iter().all(|value| value == right);
    all_are(&FETCH_SITE, "same-origin") && all_are(&ORIGIN, origin)
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn a_cookie_is_bound_to_its_host_over_https() {
        assert_eq!(set("a", "b", true, 60), "__Host-a=b; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure");
        assert_eq!(set("a", "b", false, 60), "a=b; Path=/; Max-Age=60; HttpOnly; SameSite=Lax");
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, HeaderValue::from_static("x=1; __Host-a=2;a=3"));
        headers.append(COOKIE, HeaderValue::from_static("__Host-a=4; __Host-ab=5"));
        assert_eq!(read(&headers, "a", true).collect::<Vec<_>>(), ["2", "4"]);
        assert_eq!(read(&headers, "a", false).collect::<Vec<_>>(), ["3"]);
    }

    #[test]
    fn a_form_of_another_site_is_told_from_ours() {
        let from = |site: Option<&'static str>, origin: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            site.map(|site| headers.insert(FETCH_SITE, HeaderValue::from_static(site)));
            origin.map(|origin| headers.insert(ORIGIN, HeaderValue::from_static(origin)));
            is_from(&headers, "https://sync.example.com")
        };
        let ours = Some("https://sync.example.com");
        assert!(from(Some("same-origin"), ours) && from(None, ours) && from(None, None));
        for (site, origin) in [
            (Some("cross-site"), ours),
            (Some("same-site"), ours),
            (Some("none"), ours),
            (None, Some("null")),
            (None, Some("https://sync.example.com:8443")),
            (Some("same-origin"), Some("https://evil.example.com")),
        ] {
            assert!(!from(site, origin), "{site:?} {origin:?}");
        }
    }
}
