//! Brands: each has an address and a help center of its own. Source:
//! <https://developer.zendesk.com/api-reference/ticketing/account-configuration/brands/>.

use helpsync_model::{Subdomain, chain};

use crate::client::{Answer, Client};
use crate::envelope::{Envelope, Next, text};
use crate::fields::Fields;
use crate::{Failure, Rejected};

/// The longest page of a list.
const BRANDS_PAGE: &str = "100";

/// A brand of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Brand {
    /// Its id.
    pub id: i64,
    /// What people call it.
    pub name: String,
    /// Where it is.
    pub subdomain: Subdomain,
    /// It is in use, and has a help center that somebody may read.
    pub has_articles: bool,
    /// Zendesk says that it was deleted.
    pub deleted: bool,
}

/// One page of brands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrandsPage {
    /// The brands.
    pub brands: Vec<Brand>,
    /// Brands that could not be read.
    pub rejected: Vec<Rejected>,
    /// Where the list goes on.
    pub next: Next,
}

impl Brand {
    fn read(fields: &Fields) -> Result<Self, String> {
        let id = fields.id("id").ok_or("id is missing or no number")?;
        let subdomain = fields.some_text("subdomain").ok_or("subdomain is missing")?;
        let subdomain = Subdomain::parse(&subdomain).map_err(|error| chain(&error))?;
        let told = |key: &str, silent: bool| fields.flag(key).unwrap_or(silent);
        let deleted = told("is_deleted", false);
        let open = told("has_help_center", false) && !fields.is_text("help_center_state", "disabled");
        Ok(Self {
            id,
            name: fields.text("name"),
            subdomain,
            has_articles: open && told("active", true) && !deleted,
            deleted,
        })
    }
}

impl Client {
    /// A page of the account's brands; `at` is where the page before said that the list goes on. It is asked for by
    /// cursor, as documented, and read by number where the answer is such a page, as it was recorded. An agent may be
    /// shown some brands only.
    ///
    /// # Errors
    /// [`Failure`].
    pub async fn brands(&self, at: Option<&Next>) -> Result<Answer<BrandsPage>, Failure> {
        let (mut after, mut number) = (None, None);
        match at {
            Some(Next::Cursor(cursor)) => after = Some(cursor.as_str()),
            Some(Next::Offset(page)) => number = Some((*page, page.to_string())),
            _ => {}
        }
        let pairs = match (&number, after) {
            (Some((_, page)), _) => vec![("page", page.as_str()), ("per_page", BRANDS_PAGE)],
            (None, Some(after)) => vec![("page[size]", BRANDS_PAGE), ("page[after]", after)],
            (None, None) => vec![("page[size]", BRANDS_PAGE)],
        };
        self.get("/api/v2/brands", &pairs).await?.try_map(|body| {
            let text = text(&body);
            let envelope = Envelope::read(&text)?;
            let (brands, rejected) = envelope.records("brands", |fields| Brand::read(fields))?;
            let next = if envelope.object("meta").is_ok() {
                envelope.next_cursor(self.endpoint(), after)?
            } else {
                envelope.next_offset(self.endpoint(), number.as_ref().map_or(1, |(page, _)| *page))?
            };
            Ok(BrandsPage { brands, rejected, next })
        })
    }

    /// One brand.
    ///
    /// # Errors
    /// [`Failure`]; [`Failure::NotFound`] when there is none such.
    pub async fn brand(&self, id: i64) -> Result<Answer<Brand>, Failure> {
        self.get(&format!("/api/v2/brands/{id}"), &[]).await?.try_map(|body| {
            let text = text(&body);
            let fields = Envelope::read(&text)?.object("brand")?;
            Brand::read(&fields).map_err(|wrong| Failure::malformed(&wrong))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn brand(json: &str) -> Result<Brand, String> {
        Brand::read(&Fields::parse(json)?)
    }

    #[test]
    fn a_brand_has_articles_when_its_help_center_is_open_and_it_is_in_use() {
        let of =
            |more: &str| brand(&format!(r#"{{"id":7,"name":"Two","subdomain":"acme-two"{more}}}"#)).unwrap();
        assert!(of(r#","has_help_center":true,"help_center_state":"enabled","active":true"#).has_articles);
        assert!(of(r#","has_help_center":true,"help_center_state":"restricted","active":true"#).has_articles);
        for closed in [
            "",
            r#","has_help_center":false"#,
            r#","has_help_center":true,"help_center_state":"disabled""#,
            r#","has_help_center":true,"active":false"#,
            r#","has_help_center":true,"is_deleted":true"#,
        ] {
            assert!(!of(closed).has_articles, "{closed}");
        }
        assert!(of(r#","is_deleted":true"#).deleted);
    }

    #[test]
    fn an_address_that_could_lead_elsewhere_is_no_brand() {
        for subdomain in ["evil.com/#", "a.b", "", "127.0.0.1"] {
            assert!(brand(&format!(r#"{{"id":7,"subdomain":"{subdomain}"}}"#)).is_err(), "{subdomain:?}");
        }
    }
}
