//! Whom a page speaks for.

use helpsync_model::{OrganizationId, chain};
use helpsync_pages::{Brand, Color, Logo, Page};
use helpsync_store::Branding;
use maud::html;
use url::Url;

use super::texts;
use crate::Api;
use crate::routes::oauth_url::is_below;

/// Whom a page speaks for, and what that organization allows.
#[derive(Debug, Clone, Default)]
pub(crate) struct Look {
    pub(crate) brand: Brand,
    pub(crate) contact: Option<String>,
    pub(crate) branding: Branding,
}

/// The look of an organization's pages. A page is shown also when that cannot be read.
pub(crate) async fn look(api: &Api, organization: OrganizationId) -> Look {
    let read = api.store().admin().branding(organization).await;
    let (name, branding) = read.unwrap_or_else(|error| {
        tracing::warn!(error = chain(&error), "how an organization's pages look cannot be read");
        (String::new(), Branding::default())
    });
    // Whoever runs the installation for itself has never named its organization.
    let name = if organization == api.options().operator { String::new() } else { name };
    let name = branding.display_name.clone().filter(|name| !name.is_empty()).unwrap_or(name);
    let brand = Brand {
        name: if name.is_empty() { texts::SOMEBODY.to_owned() } else { name },
        logo: branding.logo.as_deref().and_then(|logo| Logo::parse(logo).ok()),
        color: branding.color.as_deref().and_then(|color| Color::parse(color).ok()),
    };
    Look { brand, contact: branding.contact.clone(), branding }
}

impl Look {
    pub(super) fn name(&self) -> &str {
        &self.brand.name
    }

    /// Gives a page this look.
    pub(super) fn on(&self, page: Page) -> Page {
        let page = page.brand(&self.brand);
        match &self.contact {
            Some(contact) => page.footer(html! { p { (texts::help(self.name(), contact)) } }),
            None => page,
        }
    }

    /// Adds the way back to the application, if there is one. What the organization named when the link was made it may have
    /// taken back since.
    pub(super) fn back(&self, page: Page, address: Option<&str>) -> Page {
        match address.filter(|address| leads_to(&self.branding, address)) {
            Some(address) => {
                page.part(html! { p.row { a.button href=(address) { (texts::back_to(self.name())) } } })
            }
            None => page,
        }
    }
}

/// Whether an address is one that the organization leads people back to, or below it.
fn leads_to(branding: &Branding, address: &str) -> bool {
    let Ok(address) = Url::parse(address) else { return false };
    let mut allowed = branding.return_urls.iter().filter_map(|allowed| Url::parse(allowed).ok());
    allowed.any(|allowed| is_below(&address, &allowed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_back_leads_where_the_organization_says_now() {
        let branding =
            Branding { return_urls: vec!["https://a.example/in".to_owned()], ..Branding::default() };
        assert!(
            leads_to(&branding, "https://a.example/in") && leads_to(&branding, "https://a.example/in/x?y=1")
        );
        for other in ["https://a.example/inside", "https://b.example/in", "http://a.example/in", "x"] {
            assert!(!leads_to(&branding, other), "{other}");
        }
        assert!(!leads_to(&Branding::default(), "https://a.example/in"), "it was taken back");
    }
}
