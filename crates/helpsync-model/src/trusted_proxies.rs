//! Whose word about a client's address is taken.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use ipnet::IpNet;

/// Addresses of `X-Forwarded-For` that are looked at, from the last one on. Proxies in a row are a few.
pub const FORWARDED_HOPS_MAX: usize = 16;

/// Bits before the IPv4 address in an IPv6 address that stands for one (`::ffff:192.0.2.1`).
const MAPPED_BITS: u8 = 96;

/// A network of proxies, such as `10.0.0.0/8`; a single address is one too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProxyNetwork(IpNet);

impl FromStr for ProxyNetwork {
    type Err = String;

    /// The error says what is wrong with it.
    fn from_str(text: &str) -> Result<Self, String> {
        let unreadable = || format!("{text:?} is neither an IP address nor a network such as 10.0.0.0/8");
        let (address, bits) = match text.split_once('/') {
            Some((address, bits)) => (address, Some(bits.parse::<u8>().map_err(|_no_number| unreadable())?)),
            None => (text, None),
        };
        let mut written: IpNet = address.parse::<IpAddr>().map_err(|_no_address| unreadable())?.into();
        if let Some(bits) = bits {
            let whole = written.max_prefix_len();
            written = IpNet::new(written.addr(), bits)
                .map_err(|_too_many| format!("{text:?} has more than the {whole} bits of its address"))?;
        }
        let network = unmapped(written);
        if network.prefix_len() == 0 {
            // Everybody could give themselves any address.
            return Err(format!("{text:?} is everybody: name the proxies' own networks"));
        }
        if network.trunc() != network {
            let whole = Self(network.trunc());
            return Err(format!("{text:?} is an address within the network {whole}: name one of the two"));
        }
        Ok(Self(network))
    }
}

/// Networks of IPv4 that are written as such of IPv6, as what they are.
fn unmapped(network: IpNet) -> IpNet {
    let address = network.addr().to_canonical();
    let bits = network.prefix_len().checked_sub(MAPPED_BITS).filter(|_| address != network.addr());
    bits.and_then(|bits| IpNet::new(address, bits).ok()).unwrap_or(network)
}

impl fmt::Display for ProxyNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(network) = self;
        if network.prefix_len() == network.max_prefix_len() {
            write!(f, "{}", network.addr())
        } else {
            write!(f, "{network}")
        }
    }
}

/// The proxies whose `X-Forwarded-For` is believed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies(Vec<ProxyNetwork>);

impl TrustedProxies {
    /// Those networks.
    #[must_use]
    pub fn new(networks: Vec<ProxyNetwork>) -> Self {
        Self(networks)
    }

    /// The networks, as they were given.
    pub fn networks(&self) -> impl Iterator<Item = &ProxyNetwork> {
        self.0.iter()
    }

    /// Whether this is the address of one of them.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|ProxyNetwork(network)| network.contains(&address))
    }

    /// Who asks: `peer`, and where that is one of these proxies, the last address of `forwarded` that is not (the values of
    /// `X-Forwarded-For`, the last one first). Each proxy appends whom it was asked by, so what stands before that address is
    /// hearsay. Where all are proxies, it is the first of them. Where one cannot be read, or they are more than
    /// [`FORWARDED_HOPS_MAX`], nobody knows, and it is the peer.
    #[must_use]
    pub fn client<'a>(&self, peer: IpAddr, forwarded: impl Iterator<Item = &'a [u8]>) -> IpAddr {
        let peer = peer.to_canonical();
        if !self.contains(peer) {
            return peer;
        }
        let mut found = peer;
        let hops = forwarded.flat_map(|line| line.rsplit(|byte| *byte == b','));
        for (number, hop) in hops.enumerate() {
            let hop = hop.trim_ascii();
            match forwarded_address(hop) {
                _ if number >= FORWARDED_HOPS_MAX => return peer,
                Some(address) if self.contains(address) => found = address,
                Some(address) => return address,
                // An empty element of a list says nothing.
                None if hop.is_empty() => {}
                None => return peer,
            }
        }
        found
    }
}

/// `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:80`.
fn forwarded_address(hop: &[u8]) -> Option<IpAddr> {
    let text = std::str::from_utf8(hop).ok()?;
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    let address = text.parse::<IpAddr>().ok().or_else(with_port).or_else(bracketed)?;
    Some(address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proxies(networks: &[&str]) -> TrustedProxies {
        TrustedProxies::new(networks.iter().map(|text| text.parse().unwrap()).collect())
    }

    fn client(trusted: &TrustedProxies, peer: &str, lines: &[&str]) -> String {
        let last_first = lines.iter().rev().map(|line| line.as_bytes());
        trusted.client(peer.parse().unwrap(), last_first).to_string()
    }

    #[test]
    fn a_proxy_that_is_trusted_says_who_asks_and_nobody_else_does() {
        let trusted = proxies(&["10.0.0.0/8", "2001:db8:1::/48", "192.0.2.7"]);
        for (peer, lines, found) in [
            ("10.0.0.1", &["203.0.113.9"][..], "203.0.113.9"),
            ("::ffff:10.0.0.1", &["203.0.113.9"], "203.0.113.9"),
            ("2001:db8:1::5", &["2001:db8:9::1"], "2001:db8:9::1"),
            // Whoever is not trusted says nothing of others.
            ("203.0.113.1", &["198.51.100.1"], "203.0.113.1"),
            ("192.0.2.8", &["198.51.100.1"], "192.0.2.8"),
            ("::ffff:192.0.2.8", &["198.51.100.1"], "192.0.2.8"),
            // What the client itself sent stands before what a proxy appended.
            ("10.0.0.1", &["198.51.100.1, 203.0.113.9"], "203.0.113.9"),
            ("10.0.0.1", &["198.51.100.1", "203.0.113.9"], "203.0.113.9"),
            ("10.0.0.1", &["nonsense, 203.0.113.9 "], "203.0.113.9"),
            // Proxies in a row.
            ("10.0.0.1", &["198.51.100.1, 203.0.113.9, 192.0.2.7", "10.2.3.4"], "203.0.113.9"),
            ("10.0.0.1", &["203.0.113.9,::ffff:10.2.3.4, ,"], "203.0.113.9"),
            ("10.0.0.1", &["10.9.9.9, 10.2.3.4"], "10.9.9.9"),
            // Other forms.
            ("10.0.0.1", &["203.0.113.9:4711"], "203.0.113.9"),
            ("10.0.0.1", &["[2001:db8:9::1]:4711"], "2001:db8:9::1"),
            ("10.0.0.1", &["[2001:db8:9::1]"], "2001:db8:9::1"),
            ("10.0.0.1", &["::ffff:203.0.113.9"], "203.0.113.9"),
            // What says nothing, or nothing that can be read.
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &[""], "10.0.0.1"),
            ("10.0.0.1", &["unknown"], "10.0.0.1"),
            ("10.0.0.1", &["203.0.113.9, nonsense, 10.0.0.2"], "10.0.0.1"),
            ("10.0.0.1", &["203.0.113.9, 1.2.3.4.5"], "10.0.0.1"),
        ] {
            assert_eq!(client(&trusted, peer, lines), found, "{peer} {lines:?}");
        }
        assert_eq!(
            trusted.client("10.0.0.1".parse().unwrap(), [&b"\xff"[..]].into_iter()).to_string(),
            "10.0.0.1"
        );
        assert_eq!(client(&TrustedProxies::default(), "10.0.0.1", &["203.0.113.9"]), "10.0.0.1");
    }

    #[test]
    fn so_many_hops_are_looked_at_and_no_more() {
        let trusted = proxies(&["10.0.0.0/8"]);
        let through = |proxies: usize| format!("203.0.113.9{}", ", 10.0.0.2".repeat(proxies));
        let found = |proxies| client(&trusted, "10.0.0.1", &[&through(proxies)]);
        assert_eq!(found(FORWARDED_HOPS_MAX - 1), "203.0.113.9");
        assert_eq!(found(FORWARDED_HOPS_MAX), "10.0.0.1");
        assert_eq!(client(&trusted, "10.0.0.1", &[&",".repeat(1_000_000)]), "10.0.0.1");
    }

    #[test]
    fn networks_are_read_and_what_is_none_is_refused() {
        for (text, shown) in [
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("192.0.2.7", "192.0.2.7"),
            ("192.0.2.7/32", "192.0.2.7"),
            ("2001:db8::/32", "2001:db8::/32"),
            ("::1", "::1"),
            ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
            ("::ffff:192.0.2.7", "192.0.2.7"),
            ("0.0.0.0/1", "0.0.0.0/1"),
        ] {
            assert_eq!(text.parse::<ProxyNetwork>().unwrap().to_string(), shown);
        }
        for (bad, why) in [
            ("", "neither"),
            ("proxy.example.com", "neither"),
            ("10.0.0.0/", "neither"),
            ("10.0.0.0/x", "neither"),
            ("10.0.0/8", "neither"),
            ("10.0.0.1:80", "neither"),
            ("10.0.0.0/33", "more than the 32 bits"),
            ("::/129", "more than the 128 bits"),
            ("0.0.0.0/0", "everybody"),
            ("::/0", "everybody"),
            ("::ffff:0.0.0.0/96", "everybody"),
            ("10.0.0.1/8", "within the network 10.0.0.0/8"),
        ] {
            let refused = bad.parse::<ProxyNetwork>().unwrap_err();
            assert!(refused.contains(why), "{bad}: {refused}");
        }
        let trusted = proxies(&["0.0.0.0/1", "::ffff:192.0.2.0/120"]);
        for (address, is_trusted) in
            [("127.0.0.1", true), ("128.0.0.1", false), ("192.0.2.9", true), ("::1", false)]
        {
            assert_eq!(trusted.contains(address.parse().unwrap()), is_trusted, "{address}");
        }
    }
}
