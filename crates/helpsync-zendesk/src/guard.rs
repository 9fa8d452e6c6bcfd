//! Which machines are connected to: a name in the domain of a help center may lead anywhere, and a token goes with the
//! request.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use helpsync_model::is_public;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use thiserror::Error;
use url::{Host, Url};

/// Where reqwest finds a proxy for https, in either spelling.
const PROXY_VARIABLES: [&str; 2] = ["HTTPS_PROXY", "ALL_PROXY"];

/// Which addresses are connected to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// The public internet.
    Public,
    /// This machine.
    Loopback,
    /// Every address: the workspaces are on this machine.
    Anywhere,
}

impl Reach {
    pub(crate) fn admits(self, address: IpAddr) -> bool {
        match self {
            Self::Public => is_public(address),
            Self::Loopback => address.to_canonical().is_loopback(),
            Self::Anywhere => true,
        }
    }

    /// Whether a URL may be asked at all, as far as its spelling tells: the resolver is not asked about numbers.
    pub(crate) fn admits_host(self, url: &Url) -> bool {
        match url.host() {
            Some(Host::Ipv4(address)) => self.admits(address.into()),
            Some(Host::Ipv6(address)) => self.admits(address.into()),
            Some(Host::Domain(_)) => true,
            None => false,
        }
    }
}

/// A name that resolved to no address that may be connected to.
#[derive(Debug, Error)]
#[error("the host is at an address that workspaces are not at")]
pub(crate) struct OutOfReach;

/// Resolves names and lets through what is within reach: the connection goes to what was checked, so a name that changes
/// its address in between gains nothing. A proxy of the settings resolves names by itself; it is the operator's, and may
/// be anywhere.
#[derive(Debug, Clone)]
pub(crate) struct Guard {
    reach: Reach,
    proxies: BTreeSet<String>,
}

impl Guard {
    pub(crate) fn new(reach: Reach) -> Self {
        let named = PROXY_VARIABLES.iter().flat_map(|name| [(*name).to_owned(), name.to_ascii_lowercase()]);
        let proxies = named.filter_map(|name| {
            let text = std::env::var(name).ok()?;
            let url = Url::parse(&text)
                .ok()
                .filter(Url::has_host)
                .or_else(|| Url::parse(&format!("http://{text}")).ok())?;
            url.host_str().map(str::to_ascii_lowercase)
        });
        Self { reach, proxies: proxies.collect() }
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = if self.proxies.contains(&name.as_str().to_ascii_lowercase()) {
            Reach::Anywhere
        } else {
            self.reach
        };
        Box::pin(async move {
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let admitted: Vec<SocketAddr> = found.filter(|address| reach.admits(address.ip())).collect();
            if admitted.is_empty() {
                return Err(OutOfReach.into());
            }
            Ok(Box::new(admitted.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_checked_as_names_are() {
        for (url, public, loopback) in [
            ("https://127.0.0.1/", false, true),
            ("https://[::1]/", false, true),
            ("https://[::ffff:127.0.0.1]/", false, true),
            ("https://10.0.0.8/", false, false),
            ("https://169.254.169.254/", false, false),
            ("https://8.8.8.8/", true, false),
            ("https://acme.zendesk.com/", true, true),
        ] {
            let url = Url::parse(url).unwrap();
            assert_eq!(Reach::Public.admits_host(&url), public, "{url}");
            assert_eq!(Reach::Loopback.admits_host(&url), loopback, "{url}");
            assert!(Reach::Anywhere.admits_host(&url));
        }
    }

    #[tokio::test]
    async fn a_name_at_a_private_address_is_resolved_only_where_that_is_within_reach() {
        for (reach, is_found) in [(Reach::Public, false), (Reach::Loopback, true), (Reach::Anywhere, true)] {
            let guard = Guard { reach, proxies: BTreeSet::new() };
            let found = guard.resolve("localhost".parse().unwrap()).await;
            assert_eq!(found.is_ok(), is_found, "{reach:?}");
        }
        let guard = Guard { reach: Reach::Public, proxies: BTreeSet::from(["localhost".to_owned()]) };
        assert!(guard.resolve("LOCALHOST".parse().unwrap()).await.is_ok(), "the operator's own proxy");
    }
}
