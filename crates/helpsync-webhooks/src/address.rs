//! Which addresses events may be sent to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use thiserror::Error;
use url::{Host, Url};

/// The longest address of a webhook.
const URL_BYTES_MAX: usize = 2_048;

/// IPv4 blocks that are not the public internet (IANA's special-purpose registry), as network and prefix length.
const PRIVATE_V4: [([u8; 4], u32); 16] = [
    ([0, 0, 0, 0], 8),        // this network
    ([10, 0, 0, 0], 8),       // private
    ([100, 64, 0, 0], 10),    // shared with carriers
    ([127, 0, 0, 0], 8),      // loopback
    ([168, 63, 129, 16], 32), // Azure's host agent
    ([169, 254, 0, 0], 16),   // link-local, metadata of clouds
    ([172, 16, 0, 0], 12),    // private
    ([192, 0, 0, 0], 24),     // protocol assignments
    ([192, 0, 2, 0], 24),     // documentation
    ([192, 88, 99, 0], 24),   // 6to4 relays
    ([192, 168, 0, 0], 16),   // private
    ([198, 18, 0, 0], 15),    // benchmarks
    ([198, 51, 100, 0], 24),  // documentation
    ([203, 0, 113, 0], 24),   // documentation
    ([224, 0, 0, 0], 4),      // multicast
    ([240, 0, 0, 0], 4),      // reserved, broadcast
];

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

/// Whether an address is on the public internet. IPv6 addresses that stand for an IPv4 address are as public as that.
#[must_use]
pub fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    !PRIVATE_V4.iter().any(|(network, length)| {
        let mask = u32::MAX << (32 - length);
        u32::from(address) & mask == u32::from_be_bytes(*network)
    })
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let [a, b, c, d, e, f, high, low] = address.segments();
    let embedded = || {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match (a, b) {
        // ::ffff:0:0/96 is IPv4 itself; 64:ff9b::/96 is IPv4 behind NAT64.
        (0, 0) if (c, d, e, f) == (0, 0, 0, 0xffff) => embedded(),
        (0x64, 0xff9b) if (c, d, e, f) == (0, 0, 0, 0) => embedded(),
        // Tunnels and protocol assignments (2001::/23), documentation, 6to4: never a receiver's address.
        (0x2001, ..0x200) | (0x2001, 0xdb8) | (0x2002, _) | (0x3fff, ..0x1000) => false,
        // All global unicast there is so far.
        (0x2000..=0x3fff, _) => true,
        _ => false,
    }
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
    fn private_addresses_are_told_from_public_ones() {
        let private = [
            "0.0.0.0",
            "0.1.2.3",
            "10.0.0.1",
            "100.64.0.1",
            "100.127.255.255",
            "127.0.0.1",
            "127.9.9.9",
            "168.63.129.16",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.0.2.1",
            "192.88.99.1",
            "192.168.1.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.7",
            "203.0.113.7",
            "224.0.0.1",
            "239.255.255.255",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "::7f00:1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::ffff:169.254.169.254",
            "::ffff:0:127.0.0.1",
            "64:ff9b::7f00:1",
            "64:ff9b::a00:1",
            "64:ff9b:1::1",
            "100::1",
            "2001::1",
            "2001:0:7f00:1::",
            "2001:20::1",
            "2001:db8::1",
            "2002:7f00:1::",
            "2002:808:808::1",
            "3fff::1",
            "5f00::1",
            "fc00::1",
            "fd00:ec2::254",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "4000::1",
        ];
        for text in private {
            assert!(!is_public(text.parse().unwrap()), "{text}");
        }
        let public = [
            "1.1.1.1",
            "8.8.8.8",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "168.63.129.17",
            "169.253.255.255",
            "172.15.255.255",
            "172.32.0.0",
            "192.0.1.0",
            "192.167.0.1",
            "198.17.255.255",
            "198.20.0.0",
            "223.255.255.255",
            "::ffff:8.8.8.8",
            "64:ff9b::808:808",
            "2001:200::1",
            "2001:4860:4860::8888",
            "2606:4700::1111",
            "2a00:1450::1",
            "3ffe::1",
        ];
        for text in public {
            assert!(is_public(text.parse().unwrap()), "{text}");
        }
    }

    #[test]
    fn an_address_is_refused_with_its_reason() {
        for (text, why) in [
            ("", UrlRefused::Form),
            ("app.example.com/hooks", UrlRefused::Form),
            ("https://", UrlRefused::Form),
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
