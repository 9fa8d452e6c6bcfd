//! Addresses of the services Helpsync talks to.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};
use url::{Host, Url};

use crate::setting::{REDACTED, Secrecy, Setting, Value};

/// Whether a URL's host can only be this machine: the loopback addresses, `localhost` and names under it.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

/// The URL of a store, broker or coordinator. It may hold a password, so printing it hides that.
#[derive(Clone)]
pub struct ConnectionUrl(SecretString);

impl ConnectionUrl {
    /// The URL as it was given, password included: for the driver that connects, never for a log.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// What stands before the first colon, for example `postgres`.
    #[must_use]
    pub fn scheme(&self) -> &str {
        self.expose().split_once(':').map_or("", |(scheme, _)| scheme)
    }
}

impl fmt::Display for ConnectionUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ok(mut url) = Url::parse(self.expose()) else { return f.write_str(REDACTED) };
        if url.password().is_some() && url.set_password(Some(REDACTED)).is_err() {
            return f.write_str(REDACTED);
        }
        // Drivers take passwords and tokens as query parameters too; which ones is theirs to know.
        if url.query().is_some() {
            url.set_query(Some(REDACTED));
        }
        f.write_str(url.as_str())
    }
}

impl fmt::Debug for ConnectionUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Value for ConnectionUrl {
    const SECRECY: Secrecy = Secrecy::Password;

    fn parse(text: &str, _: &Setting) -> Result<Self, String> {
        // The text is not quoted: it may hold a password.
        Url::parse(text).map_err(|reason| format!("it is not a URL ({reason})"))?;
        Ok(Self(text.into()))
    }
    fn show(&self, _: &Setting) -> Option<String> {
        Some(self.to_string())
    }
}

/// The template of a workspace's address: an `https` URL with one `{subdomain}`, with or without a path.
/// Plain `http` is for simulators on loopback hosts only, since a token goes with every request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl(String);

impl BaseUrl {
    /// Stands for the workspace's name in the template.
    pub const PLACEHOLDER: &str = "{subdomain}";

    /// Reads a template.
    ///
    /// # Errors
    /// A text saying which rule it breaks.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.matches(Self::PLACEHOLDER).count() != 1 {
            return Err(format!("it must hold {} exactly once", Self::PLACEHOLDER));
        }
        let sample = Url::parse(&text.replace(Self::PLACEHOLDER, "sample"))
            .map_err(|reason| format!("it is not a URL ({reason})"))?;
        if !sample.username().is_empty() || sample.password().is_some() {
            return Err("it must not hold a user or password".to_owned());
        }
        if sample.query().is_some() || sample.fragment().is_some() {
            return Err("it must end with the host or a path, without ? or #".to_owned());
        }
        match sample.scheme() {
            "https" => {}
            "http" if is_loopback(&sample) => {}
            "http" => return Err("plain http is accepted only for loopback hosts".to_owned()),
            other => return Err(format!("the scheme {other:?} is not https")),
        }
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }

    /// The template, without a trailing slash.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Value for BaseUrl {
    fn parse(text: &str, _: &Setting) -> Result<Self, String> {
        Self::parse(text)
    }
    fn show(&self, _: &Setting) -> Option<String> {
        Some(self.0.clone())
    }
}
