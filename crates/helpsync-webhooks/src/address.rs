//! Which addresses events may be sent to.

use std::net::SocketAddr;

use helpsync_model::is_public;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use thiserror::Error;
use url::{Host, Url};

/// The longest address of a webhook.
const URL_BYTES_MAX: usize = 2_048;

/// Why an address cannot be a webhook's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum UrlRefused {
    /// It is no URL.
    #[error("it is not a URL: send the whole address, for example https://app.example.com/hooks")]
    Form,
    /// It is too long.
    #[error("it is longer than {URL_BYTES_MAX} bytes")]
    TooLong,
    /// It is not http.
    #[error("its scheme must be https or http")]
    Scheme,
    /// It carries a user or a password.
    #[error("it must hold no user and no password: verify the signature of deliveries instead")]
    Credentials,
    /// It has a fragment.
    #[error("it must have no fragment (#...)")]
    Fragment,
    /// It is not on the public internet.
    #[error(
        "it is a private address: only addresses on the public internet are called, unless the operator sets \
         webhooks.allow_private"
    )]
    Private,
}

/// A name that resolved to private addresses only.
#[derive(Debug, Error)]
#[error("the host is at a private address")]
pub(crate) struct PrivateHost;

/// Checks the address of a webhook. Names are resolved when deliveries are sent, and checked then.
///
/// # Errors
/// [`UrlRefused`].
pub fn check_url(text: &str, allow_private: bool) -> Result<Url, UrlRefused> {
    if text.len() > URL_BYTES_MAX {
        return Err(UrlRefused::TooLong);
    }
    // The parser reads over line breaks and the like, and the text is kept and shown as it is.
    let is_of_urls = |c: char| (c.is_ascii_graphic() && c != '\\') || (!c.is_ascii() && c.is_alphanumeric());
    if !text.chars().all(is_of_urls) {
        return Err(UrlRefused::Form);
    }
    let Ok(url) = Url::parse(text) else { return Err(UrlRefused::Form) };
    if !matches!(url.scheme(), "http" | "https") {
        return Err(UrlRefused::Scheme);
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(UrlRefused::Credentials);
    }
    if url.fragment().is_some() {
        return Err(UrlRefused::Fragment);
    }
    let public = match url.host() {
        None => return Err(UrlRefused::Form),
        Some(Host::Ipv4(address)) => is_public(address.into()),
        Some(Host::Ipv6(address)) => is_public(address.into()),
        Some(Host::Domain(name)) => {
            let name = name.trim_end_matches('.');
            name != "localhost" && !name.ends_with(".localhost")
        }
    };
    if public || allow_private { Ok(url) } else { Err(UrlRefused::Private) }
}

/// Resolves names and lets nothing private through: the connection goes to what was checked, so a name that changes its
/// address in between gains nothing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Guard {
    pub(crate) allow_private: bool,
}

impl Guard {
    pub(crate) fn admitted(
        self,
        found: impl Iterator<Item = SocketAddr>,
    ) -> Result<Vec<SocketAddr>, PrivateHost> {
        let admitted: Vec<SocketAddr> =
            found.filter(|address| self.allow_private || is_public(address.ip())).collect();
        if admitted.is_empty() { Err(PrivateHost) } else { Ok(admitted) }
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let guard = *self;
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let admitted = guard.admitted(found)?;
            Ok(Box::new(admitted.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_refused_with_its_reason() {
        for (text, why) in [
            ("", UrlRefused::Form),
            ("app.example.com/hooks", UrlRefused::Form),
            ("https://", UrlRefused::Form),
            ("https://app.example.com/\r\nx", UrlRefused::Form),
            ("https://app.example.com/\u{1b}[31m", UrlRefused::Form),
            ("https://app.example.com/\u{202e}x", UrlRefused::Form),
            ("https:\\\\app.example.com", UrlRefused::Form),
            ("ftp://app.example.com", UrlRefused::Scheme),
            ("file:///etc/passwd", UrlRefused::Scheme),
            ("https://me:secret@app.example.com", UrlRefused::Credentials),
            ("https://app.example.com/#x", UrlRefused::Fragment),
            ("http://127.0.0.1:8080/", UrlRefused::Private),
            ("http://127.1/", UrlRefused::Private),
            ("http://2130706433/", UrlRefused::Private),
            ("http://0x7f.0.0.1/", UrlRefused::Private),
            ("http://0177.0.0.1/", UrlRefused::Private),
            ("http://[::1]/", UrlRefused::Private),
            ("http://[::ffff:a9fe:a9fe]/", UrlRefused::Private),
            ("https://LOCALHOST./", UrlRefused::Private),
            ("https://x.localhost/", UrlRefused::Private),
        ] {
            assert_eq!(check_url(text, false), Err(why), "{text}");
            let allowed = check_url(text, true);
            assert_eq!(allowed.is_ok(), why == UrlRefused::Private, "{text}");
        }
        let long = format!("https://app.example.com/{}", "x".repeat(URL_BYTES_MAX));
        assert_eq!(check_url(&long, true), Err(UrlRefused::TooLong));
        for good in ["https://app.example.com/hooks?x=1", "http://8.8.8.8:81/", "https://[2606:4700::1111]/"]
        {
            assert_eq!(check_url(good, false).unwrap().as_str(), good);
        }
    }

    #[tokio::test]
    async fn a_name_at_a_private_address_is_not_resolved_unless_that_is_allowed() {
        let resolve = async |allow_private| {
            let found = Guard { allow_private }.resolve("localhost".parse().unwrap()).await;
            found.map(Iterator::count)
        };
        let refused = resolve(false).await.unwrap_err();
        assert!(refused.downcast_ref::<PrivateHost>().is_some(), "{refused}");
        assert!(resolve(true).await.unwrap() > 0);
        // Of a mixed answer only the public part is used.
        let mixed = ["127.0.0.1:0", "8.8.8.8:0", "[::1]:0"].map(|text| text.parse().unwrap());
        let admitted = Guard { allow_private: false }.admitted(mixed.into_iter()).unwrap();
        assert_eq!(admitted, ["8.8.8.8:0".parse().unwrap()]);
    }
}
