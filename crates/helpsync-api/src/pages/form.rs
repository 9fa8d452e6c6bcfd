//! Forms: posted by the person who sees them, and by nobody else.
//!
//! A page with a form gives the browser a cookie of random letters, and the form a token that is bound to them and to the
//! address that the form stands for. A form of another site lacks both: its requests do not carry the cookie, and it
//! cannot read the token.

use std::collections::HashMap;
use std::time::Duration;

use axum::body::Body;
use axum::http::{HeaderMap, StatusCode};
use helpsync_pages::{Forms, Page, cookie};
use maud::{Markup, html};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use url::Url;

use super::texts;
use crate::Api;
use crate::body::read;
use crate::error::ApiError;
use crate::signing::Purpose;

const COOKIE: &str = "helpsync-page";
const COOKIE_BYTES: usize = 16;
/// The field of a form that holds its token.
const TOKEN: &str = "form_token";
/// A page may be open this long before its form is sent.
const FORM_LIFE: Duration = Duration::from_secs(2 * 3_600);
/// The longest body of a form. A selection of a thousand sections has some 30 kB.
pub(super) const FORM_BYTES_MAX: usize = 256 * 1024;
/// Fields of one form at most.
const FIELDS_MAX: usize = 4_000;

#[derive(Serialize, Deserialize)]
struct FormClaim {
    /// SHA-256 of the browser's cookie.
    b: String,
    /// SHA-256 of the address that the form stands for.
    f: String,
}

fn hash(text: &str) -> String {
    hex::encode(Sha256::digest(text))
}

/// What a form needs: its token, and the cookie that goes with it.
pub(super) struct Guard {
    token: String,
    cookie: String,
}

impl Guard {
    /// For a form that stands for `link`, on a page below `base`.
    pub(super) fn new(api: &Api, headers: &HeaderMap, link: &str, base: &Url) -> Self {
        let is_https = base.scheme() == "https";
        let ours =
            |value: &&str| value.len() == 2 * COOKIE_BYTES && value.bytes().all(|b| b.is_ascii_hexdigit());
        let known = cookie::read(headers, COOKIE, is_https).find(ours).map(ToOwned::to_owned);
        let browser = known.unwrap_or_else(|| {
            let mut bytes = [0; COOKIE_BYTES];
            api.entropy().fill(&mut bytes);
            hex::encode(bytes)
        });
        let claim = FormClaim { b: hash(&browser), f: hash(link) };
        let token = api.signer().sign(Purpose::Form, claim, api.ends_in(FORM_LIFE));
        Self { token, cookie: cookie::set(COOKIE, &browser, is_https, FORM_LIFE.as_secs()) }
    }

    /// The hidden field.
    pub(super) fn field(&self) -> Markup {
        html! { input type="hidden" name=(TOKEN) value=(self.token); }
    }

    /// Lets the page have its forms.
    pub(super) fn on(self, page: Page, forms: Forms) -> Page {
        page.forms(forms).cookie(self.cookie)
    }
}

/// The fields of a form that was posted.
pub(super) struct Fields(Vec<(String, String)>);

impl Fields {
    /// Reads a form's body, whoever sent it.
    ///
    /// # Errors
    /// Too long, or too slow.
    pub(super) async fn read(body: Body) -> Result<Self, ApiError> {
        let bytes = read(body, FORM_BYTES_MAX).await?;
        let pairs = url::form_urlencoded::parse(&bytes).take(FIELDS_MAX);
        Ok(Self(pairs.map(|(name, value)| (name.into_owned(), value.into_owned())).collect()))
    }

    /// The first value of a field.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Every value of each field that may come several times.
    pub(super) fn lists(&self) -> HashMap<&str, Vec<&str>> {
        let mut lists: HashMap<&str, Vec<&str>> = HashMap::new();
        for (name, value) in &self.0 {
            lists.entry(name).or_default().push(value);
        }
        lists
    }

    /// Whether the form is the one that [`Guard::new`] made for `link` and this browser.
    pub(super) fn is_ours(&self, api: &Api, headers: &HeaderMap, link: &str, base: &Url) -> bool {
        let token = self.get(TOKEN).unwrap_or_default();
        let claim = api.signer().read::<FormClaim>(Purpose::Form, token, api.now_ms());
        let mut browsers = cookie::read(headers, COOKIE, base.scheme() == "https");
        cookie::is_from(headers, &base.origin().ascii_serialization())
            && claim.is_some_and(|claim| {
                claim.f == hash(link) && browsers.any(|browser| hash(browser) == claim.b)
            })
    }
}

/// What a person is told whose form was not sent from the page.
pub(super) fn not_from_page(address: &str) -> Page {
    Page::failed(StatusCode::FORBIDDEN, texts::NOT_FROM_PAGE)
        .line(texts::NOTHING_CHANGED)
        .line(texts::NOT_FROM_PAGE_WHY)
        .link(address, texts::OPEN_PAGE_AGAIN)
}
