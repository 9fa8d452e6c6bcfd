//! Forms: posted by the person who sees them, and by nobody else.
//!
//! A page with a form gives the browser a cookie of random letters, and the form a token that is bound to them and to the
//! address that the form stands for. A form of another site lacks both: its requests do not carry the cookie, and it
//! cannot read the token.

use std::time::Duration;

use axum::extract::{FromRequest, Request};
use axum::http::{HeaderMap, StatusCode};
use helpsync_pages::{FORM_BYTES_MAX, Fields, Forms, Page, cookie};
use maud::{Markup, html};
use serde::{Deserialize, Serialize};
use url::Url;

use super::callback::broken;
use super::refusal::hash;
use super::texts;
use crate::Api;
use crate::body::read;
use crate::signing::Purpose;

const COOKIE: &str = "helpsync-page";
const COOKIE_BYTES: usize = 16;
/// The field of a form that holds its token.
pub(super) const TOKEN: &str = "form_token";
/// A page may be open this long before its form is sent.
const FORM_LIFE: Duration = Duration::from_secs(2 * 3_600);

#[derive(Serialize, Deserialize)]
struct FormClaim {
    /// SHA-256 of the browser's cookie.
    b: String,
    /// SHA-256 of the address that the form stands for.
    f: String,
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

/// A form that was posted, whoever sent it.
pub(super) struct Posted {
    pub(super) headers: HeaderMap,
    pub(super) fields: Fields,
}

impl FromRequest<Api> for Posted {
    type Rejection = Page;

    async fn from_request(request: Request, _api: &Api) -> Result<Self, Page> {
        let (parts, body) = request.into_parts();
        let bytes = read(body, FORM_BYTES_MAX).await.map_err(broken)?;
        Ok(Self { headers: parts.headers, fields: Fields::parse(&bytes) })
    }
}

impl Posted {
    /// Whether the form is the one that [`Guard::new`] made for `link` and this browser.
    pub(super) fn is_ours(&self, api: &Api, link: &str, base: &Url) -> bool {
        let token = self.fields.one(TOKEN).unwrap_or_default();
        let claim = api.signer().read::<FormClaim>(Purpose::Form, token, api.now_ms());
        let mut browsers = cookie::read(&self.headers, COOKIE, base.scheme() == "https");
        cookie::is_from(&self.headers, &base.origin().ascii_serialization())
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
