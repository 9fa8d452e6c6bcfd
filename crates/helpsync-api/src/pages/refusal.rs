//! What was refused of a form, until it is put right. The answer to such a form leads back to its page, which shows what is
//! wrong and what was typed. So the page is no answer to a form: going back, going on and loading again send nothing twice.
//!
//! A cookie of the browser that posted the form keeps it: signed, bound to the form's link, short of life and of size.
//! Nothing of it is in an address.

use std::time::Duration;

use axum::http::header::{CACHE_CONTROL, LOCATION, SET_COOKIE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use helpsync_pages::{Fields, cookie};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::form::TOKEN;
use crate::Api;
use crate::signing::Purpose;

/// How long the page shows it.
const LIFE: Duration = Duration::from_secs(10 * 60);
/// Browsers keep no cookie of more than 4,096 bytes, its name and attributes included.
const VALUE_BYTES_MAX: usize = 3_800;
/// What is shown of the link, so that several forms in one browser have a cookie each.
const COOKIE_CHARS: usize = 16;

/// A form that was refused.
pub(super) struct Refusal {
    pub(super) wrong: String,
    pub(super) typed: Fields,
}

#[derive(Serialize, Deserialize)]
struct RefusalClaim {
    /// SHA-256 of the link.
    f: String,
    /// What is wrong.
    w: String,
    /// What was typed: fields with their names.
    t: Vec<(String, String)>,
}

/// SHA-256 of a link, for claims that are bound to it.
pub(super) fn hash(link: &str) -> String {
    hex::encode(Sha256::digest(link))
}

fn cookie_name(link: &str) -> String {
    let hash = hash(link);
    format!("helpsync-refused-{}", hash.get(..COOKIE_CHARS).unwrap_or_default())
}

impl Refusal {
    /// What was refused last of the form that stands for `link`, in this browser.
    pub(super) fn read(api: &Api, headers: &HeaderMap, link: &str, is_https: bool) -> Option<Self> {
        let (name, hash) = (cookie_name(link), hash(link));
        let claim = cookie::read(headers, &name, is_https)
            .filter_map(|value| api.signer().read::<RefusalClaim>(Purpose::Refusal, value, api.now_ms()))
            .find(|claim| claim.f == hash)?;
        Some(Self { wrong: claim.w, typed: claim.t.into_iter().collect() })
    }

    /// Leads back to the form's page at `address`, which then shows this. `None`: it is too long for a cookie.
    pub(super) fn led_back(&self, api: &Api, link: &str, is_https: bool, address: &str) -> Option<Response> {
        let typed = self.typed.iter().filter(|(name, _)| *name != TOKEN);
        let claim = RefusalClaim {
            f: hash(link),
            w: self.wrong.clone(),
            t: typed.map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        };
        let value = api.signer().sign(Purpose::Refusal, claim, api.ends_in(LIFE));
        let fits = value.len() <= VALUE_BYTES_MAX;
        let set = fits.then(|| cookie::set(&cookie_name(link), &value, is_https, LIFE.as_secs()))?;
        Some(see(address, Some(&set)))
    }
}

/// Takes the cookie away, once the form was taken.
pub(super) fn forget(link: &str, is_https: bool) -> String {
    cookie::set(&cookie_name(link), "", is_https, 0)
}

/// Leads the browser on from a form, with a cookie.
pub(super) fn see(address: &str, cookie: Option<&str>) -> Response {
    let mut headers = HeaderMap::new();
    for (name, value) in [(LOCATION, Some(address)), (SET_COOKIE, cookie)] {
        if let Some(value) = value.and_then(|value| HeaderValue::from_str(value).ok()) {
            headers.insert(name, value);
        }
    }
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    (StatusCode::SEE_OTHER, headers).into_response()
}
