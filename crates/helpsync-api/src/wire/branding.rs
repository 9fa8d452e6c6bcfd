//! What an organization's pages show and allow, and links to pages.

use helpsync_model::{Subdomain, is_unseen};
use helpsync_pages::{BrandError, Color, LOGO_BYTES_MAX, Logo};
use helpsync_store::Branding;
use serde::{Deserialize, Serialize};
use url::Url;
use utoipa::ToSchema;

use super::Int;
use crate::error::ApiError;
use crate::wire::bounded;

/// The longest name and contact, in characters.
const NAME_CHARS_MAX: usize = 100;
const CONTACT_CHARS_MAX: usize = 300;
/// The longest address that a page may lead back to, in bytes.
const URL_BYTES_MAX: usize = 2_048;
/// Addresses of one organization.
const URLS_MAX: usize = 20;
/// Workspaces that one organization may name.
const SUBDOMAINS_MAX: usize = 1_000;

/// Whose branding.
#[derive(Debug, Deserialize)]
pub(crate) struct BrandingQuery {
    pub(crate) organization: Option<String>,
}

/// A change. What is absent or null stays; an empty text or list takes away.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct BrandingInput {
    /// What pages call the organization, up to 100 characters.
    pub(crate) display_name: Option<String>,
    /// A PNG, JPEG, GIF or WebP image of at most 32 KiB, as `data:image/png;base64,…`.
    pub(crate) logo: Option<String>,
    /// Of the main button, `#rrggbb`. What is written on it is black or white, whichever can be read.
    pub(crate) color: Option<String>,
    /// Whom people turn to with questions: an address or a sentence, up to 300 characters.
    pub(crate) contact: Option<String>,
    /// Addresses that pages may lead back to, with all below them: at most 20, https (http for this machine only), each host
    /// by its own name, without `*`.
    pub(crate) return_urls: Option<Vec<String>>,
    /// Workspaces that customers may connect, at most 1,000. Empty: any.
    pub(crate) subdomains: Option<Vec<String>>,
}

/// What pages show and allow.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct BrandingView {
    /// The organization's.
    pub(crate) name: String,
    pub(crate) display_name: Option<String>,
    pub(crate) logo: Option<String>,
    pub(crate) color: Option<String>,
    pub(crate) contact: Option<String>,
    pub(crate) return_urls: Vec<String>,
    pub(crate) subdomains: Vec<String>,
}

impl BrandingView {
    pub(crate) fn new(name: String, branding: Branding) -> Self {
        let Branding { display_name, logo, color, contact, return_urls, subdomains } = branding;
        Self { name, display_name, logo, color, contact, return_urls, subdomains }
    }
}

/// `null` leaves, an empty text takes away, any other is checked.
fn change<F>(before: Option<String>, given: Option<&str>, check: F) -> Result<Option<String>, ApiError>
where
    F: FnOnce(&str) -> Result<String, ApiError>,
{
    match given.map(str::trim) {
        None => Ok(before),
        Some("") => Ok(None),
        Some(text) => check(text).map(Some),
    }
}

fn plain(field: &'static str, chars_max: usize) -> impl Fn(&str) -> Result<String, ApiError> {
    move |text| {
        // The joiners belong to the writing of some languages, and to emoji.
        let is_wrong = |c: char| is_unseen(c) && !matches!(c, '\u{200c}' | '\u{200d}');
        if text.chars().count() > chars_max || text.chars().any(is_wrong) {
            let wrong = format!(
                "has at most {chars_max} characters, none of them a control or format character that people cannot see"
            );
            return Err(ApiError::field(field, wrong));
        }
        Ok(text.to_owned())
    }
}

impl BrandingInput {
    /// What it makes of what was before.
    pub(crate) fn over(self, before: Branding) -> Result<Branding, ApiError> {
        let wrong_logo = |error| {
            let text = match error {
                BrandError::LogoSize => format!("is larger than {LOGO_BYTES_MAX} bytes"),
                _ => "is no PNG, JPEG, GIF or WebP image as data:image/png;base64,…".to_owned(),
            };
            ApiError::field("logo", text)
        };
        Ok(Branding {
            display_name: change(
                before.display_name,
                self.display_name.as_deref(),
                plain("display_name", NAME_CHARS_MAX),
            )?,
            logo: change(before.logo, self.logo.as_deref(), |text| {
                Logo::parse(text).map(|logo| logo.as_str().to_owned()).map_err(wrong_logo)
            })?,
            color: change(before.color, self.color.as_deref(), |text| {
                let wrong = |_| ApiError::field("color", "is a colour such as #17795e");
                Color::parse(text).map(|color| color.to_string()).map_err(wrong)
            })?,
            contact: change(before.contact, self.contact.as_deref(), plain("contact", CONTACT_CHARS_MAX))?,
            return_urls: match bounded(self.return_urls, "return_urls", URLS_MAX)? {
                None => before.return_urls,
                Some(urls) => urls.iter().map(|url| return_url(url)).collect::<Result<_, _>>()?,
            },
            subdomains: match bounded(self.subdomains, "subdomains", SUBDOMAINS_MAX)? {
                None => before.subdomains,
                Some(names) => names.iter().map(|name| subdomain(name)).collect::<Result<_, _>>()?,
            },
        })
    }
}

fn return_url(text: &str) -> Result<String, ApiError> {
    let fits = |url: &Url| {
        let is_plain = url.username().is_empty() && url.password().is_none() && url.fragment().is_none();
        let is_safe = url.scheme() == "https" || (url.scheme() == "http" && is_loopback(url));
        is_plain && is_safe && url.query().is_none() && text.len() <= URL_BYTES_MAX
    };
    let Some(url) = Url::parse(text.trim()).ok().filter(fits) else {
        return Err(ApiError::field(
            "return_urls",
            "holds addresses such as https://app.example.com/settings, without user, query or fragment",
        ));
    };
    if is_pattern(&url) {
        return Err(ApiError::field(
            "return_urls",
            "holds no patterns, and `*` stands for nothing: give each host by its own name, such as \
             https://app.example.com/; all below an address is allowed with it",
        ));
    }
    Ok(url.into())
}

/// Whether an address is meant to stand for several: it holds a `*`, or its host begins with a dot. It would be taken
/// literally, and lead nowhere.
pub(crate) fn is_pattern(url: &Url) -> bool {
    url.as_str().contains('*') || url.host_str().is_some_and(|host| host.starts_with('.'))
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn subdomain(text: &str) -> Result<String, ApiError> {
    let wrong = |_| ApiError::field("subdomains", "holds names of workspaces, such as acme");
    Subdomain::parse(text).map(|subdomain| subdomain.as_str().to_owned()).map_err(wrong)
}

/// For how long the link is to be good.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ManageUrlInput {
    /// 60 to 604,800; 3,600 unless told.
    #[schema(value_type = Option<i64>)]
    pub(crate) expires_in_seconds: Option<Int>,
}

/// A link to a page.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ManageUrl {
    /// To be opened by the customer's administrator.
    pub(crate) manage_url: String,
    pub(crate) expires_at: String,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn over(before: &Branding, change: serde_json::Value) -> Result<Branding, ApiError> {
        serde_json::from_value::<BrandingInput>(change).unwrap().over(before.clone())
    }

    #[test]
    fn a_change_leaves_what_it_does_not_name_and_takes_away_what_is_empty() {
        let first =
            json!({ "display_name": " Acme ", "color": "#17795E", "return_urls": ["https://a.example"] });
        let first = over(&Branding::default(), first).unwrap();
        assert_eq!(first.display_name.as_deref(), Some("Acme"));
        assert_eq!(first.return_urls, ["https://a.example/"]);
        let second =
            over(&first, json!({ "display_name": "", "color": null, "subdomains": ["Acme"] })).unwrap();
        assert_eq!((second.display_name, second.color), (None, Some("#17795e".to_owned())));
        assert_eq!(second.subdomains, ["acme"]);
    }

    #[test]
    fn nonsense_is_refused() {
        for wrong in [
            json!({ "display_name": "x".repeat(NAME_CHARS_MAX + 1) }),
            json!({ "contact": "a\nb" }),
            json!({ "display_name": "A\u{202e}cme" }),
            json!({ "color": "red" }),
            json!({ "logo": "https://example.com/logo.png" }),
            json!({ "return_urls": ["javascript:alert(1)"] }),
            json!({ "return_urls": ["http://example.com/"] }),
            json!({ "return_urls": ["https://user@example.com/"] }),
            json!({ "return_urls": vec!["https://a.example"; URLS_MAX + 1] }),
            json!({ "return_urls": ["https://a.example", "https://*.example.com/"] }),
            json!({ "return_urls": ["https://%2A.example.com/"] }),
            json!({ "return_urls": ["https://.example.com/"] }),
            json!({ "return_urls": ["https://app.example.com/*"] }),
            json!({ "subdomains": ["a b"] }),
        ] {
            assert!(over(&Branding::default(), wrong.clone()).is_err(), "{wrong}");
        }
        assert!(over(&Branding::default(), json!({ "return_urls": ["http://localhost:3000/"] })).is_ok());
    }

    #[test]
    fn whoever_gives_a_pattern_is_told_what_to_give_instead() {
        let error = over(&Branding::default(), json!({ "return_urls": ["https://*.example.com/"] }));
        let text = error.unwrap_err().text();
        assert!(
            text.contains("each host by its own name") && text.contains("https://app.example.com/"),
            "{text}"
        );
    }
}
