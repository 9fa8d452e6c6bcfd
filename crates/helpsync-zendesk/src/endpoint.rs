//! Where a workspace's API lives.

use helpsync_model::Subdomain;
use thiserror::Error;
use url::{Host, Url};

/// Zendesk's own addresses.
pub const DEFAULT_TEMPLATE: &str = "https://{subdomain}.zendesk.com";

/// Where Zendesk keeps what users upload. Its pages do not name the domain; integrators see redirects lead there
/// (reminia/zendesk-mcp-server#21).
const STORAGE_DOMAIN: &str = "zdusercontent.com";

const PLACEHOLDER: &str = "{subdomain}";

/// The one scheme, host, port and path prefix that a workspace's token may be sent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Never ends in a slash except for the bare root, never has a query, fragment or user.
    base: Url,
}

/// Why a template gives no endpoint. A mistake of the operator's settings.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum EndpointError {
    /// `{subdomain}` stands in it more than once.
    #[error("the zendesk base url may hold {{subdomain}} only once")]
    Placeholder,
    /// Not a URL, or one with a user, query, fragment, backslash or white space.
    #[error("the zendesk base url must be scheme://host[:port][/path] and nothing else")]
    Form,
    /// Neither https nor http.
    #[error("the zendesk base url must be https")]
    Scheme,
    /// http to another machine: tokens would travel in the clear.
    #[error("the zendesk base url may be plain http only for a loopback host")]
    Plaintext,
    /// The parsed host is not the one that the template spells.
    #[error("the zendesk base url does not keep the host that its template names")]
    Host,
}

impl Endpoint {
    /// Puts `subdomain` into `template` (such as [`DEFAULT_TEMPLATE`], or `http://127.0.0.1:9100/{subdomain}` for a
    /// simulator).
    ///
    /// # Errors
    /// [`EndpointError`] when the template is unsafe or malformed.
    pub fn new(template: &str, subdomain: &Subdomain) -> Result<Self, EndpointError> {
        if template.matches(PLACEHOLDER).count() > 1 {
            return Err(EndpointError::Placeholder);
        }
        let text = template.replace(PLACEHOLDER, subdomain.as_str());
        if text.contains(|c: char| c.is_whitespace() || c.is_control() || "\\@?#{}%".contains(c)) {
            return Err(EndpointError::Form);
        }
        let mut base = Url::parse(&text).map_err(|_not_a_url| EndpointError::Form)?;
        if base.host().is_none() {
            return Err(EndpointError::Form);
        }
        match base.scheme() {
            "https" => {}
            "http" if is_loopback(&base) => {}
            "http" => return Err(EndpointError::Plaintext),
            _ => return Err(EndpointError::Scheme),
        }
        // A host that the parser read otherwise than a person would (0x7f.1, full-width letters) is refused.
        let spelled = text.split("://").nth(1).and_then(|rest| rest.split('/').next()).unwrap_or_default();
        let spelled_host = match spelled.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|b| b.is_ascii_digit()) => host,
            _ => spelled,
        };
        if base.host_str() != Some(spelled_host.to_ascii_lowercase().as_str()) {
            return Err(EndpointError::Host);
        }
        let prefix = base.path().trim_end_matches('/').to_owned();
        base.set_path(&prefix);
        Ok(Self { base })
    }

    /// The base URL: scheme, host, port and path prefix.
    #[must_use]
    pub fn base(&self) -> &Url {
        &self.base
    }

    /// Whether `url` is under this endpoint: same scheme, host, port and path prefix, and no user in it.
    #[must_use]
    pub fn owns(&self, url: &Url) -> bool {
        let prefix = self.prefix();
        url.origin() == self.base.origin()
            && url.username().is_empty()
            && url.password().is_none()
            && url.path().strip_prefix(prefix).is_some_and(|rest| rest.starts_with('/'))
    }

    /// Whether `url` is where Zendesk keeps files: they may be read there, without the token. For a workspace on the
    /// loopback, which is a simulator, that is any address of the loopback.
    pub(crate) fn stores(&self, url: &Url) -> bool {
        if !url.username().is_empty() || url.password().is_some() {
            return false;
        }
        let is_simulated = is_loopback(&self.base) && is_loopback(url);
        let is_storage = url
            .host_str()
            .and_then(|host| host.strip_suffix(STORAGE_DOMAIN))
            .is_some_and(|label| label.is_empty() || label.ends_with('.'));
        is_simulated || (is_storage && url.scheme() == "https" && url.port().is_none())
    }

    /// The address of `path` (which starts with a slash) with these query parameters.
    pub(crate) fn url(&self, path: &str, query: &[(&str, &str)]) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!("{}{path}", self.prefix()));
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    fn prefix(&self) -> &str {
        self.base.path().trim_end_matches('/')
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acme() -> Subdomain {
        Subdomain::parse("acme").unwrap()
    }

    #[test]
    fn the_default_template_gives_zendesks_own_host_over_tls() {
        let endpoint = Endpoint::new(DEFAULT_TEMPLATE, &acme()).unwrap();
        let url = endpoint.url("/api/v2/help_center/articles", &[("page[size]", "100")]);
        assert_eq!(url.as_str(), "https://acme.zendesk.com/api/v2/help_center/articles?page%5Bsize%5D=100");
    }

    #[test]
    fn a_path_prefix_is_kept_and_guarded() {
        let endpoint = Endpoint::new("http://127.0.0.1:9100/{subdomain}/", &acme()).unwrap();
        assert_eq!(endpoint.url("/x", &[]).as_str(), "http://127.0.0.1:9100/acme/x");
        for (text, owned) in [
            ("http://127.0.0.1:9100/acme/y?z=1", true),
            ("http://127.0.0.1:9100/acmeother/y", false),
            ("http://127.0.0.1:9100/other/y", false),
            ("http://127.0.0.1:9100/acme/../other/y", false),
            ("http://127.0.0.1:9101/acme/y", false),
            ("https://127.0.0.1:9100/acme/y", false),
            ("http://user@127.0.0.1:9100/acme/y", false),
        ] {
            assert_eq!(endpoint.owns(&Url::parse(text).unwrap()), owned, "{text}");
        }
    }

    #[test]
    fn only_zendesks_own_storage_is_storage() {
        let endpoint = Endpoint::new(DEFAULT_TEMPLATE, &acme()).unwrap();
        for (text, stored) in [
            ("https://p16.zdusercontent.com/attachment/1?token=x", true),
            ("https://zdusercontent.com/x", true),
            ("http://p16.zdusercontent.com/x", false),
            ("https://p16.zdusercontent.com:8443/x", false),
            ("https://user@p16.zdusercontent.com/x", false),
            ("https://evilzdusercontent.com/x", false),
            ("https://zdusercontent.com.evil.example/x", false),
            ("https://acme.zendesk.com/x", false),
            ("http://127.0.0.1:9/x", false),
        ] {
            assert_eq!(endpoint.stores(&Url::parse(text).unwrap()), stored, "{text}");
        }
        let simulated = Endpoint::new("http://127.0.0.1:9100/{subdomain}", &acme()).unwrap();
        assert!(simulated.stores(&Url::parse("http://127.0.0.1:9/x").unwrap()));
    }

    #[test]
    fn unsafe_templates_are_refused() {
        for (template, error) in [
            ("http://{subdomain}.zendesk.com", EndpointError::Plaintext),
            ("http://example.com/{subdomain}", EndpointError::Plaintext),
            ("ftp://{subdomain}.zendesk.com", EndpointError::Scheme),
            ("https://{subdomain}.{subdomain}.com", EndpointError::Placeholder),
            ("https://evil.com/#{subdomain}.zendesk.com", EndpointError::Form),
            ("https://{subdomain}@evil.com", EndpointError::Form),
            ("https://evil.com\\{subdomain}", EndpointError::Form),
            ("https://{other}.zendesk.com", EndpointError::Form),
            ("https:{subdomain}.zendesk.com", EndpointError::Host),
            ("http://0x7f.1/{subdomain}", EndpointError::Host),
            ("nonsense", EndpointError::Form),
        ] {
            assert_eq!(Endpoint::new(template, &acme()), Err(error), "{template}");
        }
    }

    #[test]
    fn loopback_hosts_may_be_plain() {
        for template in ["http://localhost:1/{subdomain}", "http://[::1]:1/{subdomain}", "http://127.0.0.1:1"]
        {
            assert!(Endpoint::new(template, &acme()).is_ok(), "{template}");
        }
    }
}
