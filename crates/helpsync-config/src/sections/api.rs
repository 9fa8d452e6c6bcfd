//! `[api]`

use std::{net::SocketAddr, time::Duration};

use helpsync_model::TrustedProxies;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::{Problem, declare::section};

section! {
    /// The HTTP API: where it listens, what it accepts and how long its grants last.
    pub struct ApiSettings "api";

    /// Address and port that the HTTP API listens on.
    "HELPSYNC_API__LISTEN" listen: SocketAddr = "127.0.0.1:8080";
    /// Base of redirect and presigned URLs as browsers see it, for example `https://sync.example.com`. When it is not
    /// set, `http://` and the address of `api.listen`.
    "HELPSYNC_API__PUBLIC_URL" public_url: Option<Url>;
    /// An API key of at least 16 characters, created at the first start for the default organization.
    "HELPSYNC_API__BOOTSTRAP_KEY" bootstrap_key: Option<SecretString>;
    /// The largest request body that is read.
    "HELPSYNC_API__BODY_BYTES_MAX" body_bytes_max: usize = "1048576", 1_024..=67_108_864;
    /// How long a client may take to send the head of its first request; then its connection is closed. This and the
    /// next three hold for the health addresses as well.
    "HELPSYNC_API__HEADER_SECONDS" header_timeout: Duration = "20", 1..=3_600;
    /// How long a connection is kept open between two requests, and how long the head of the second may take. Longer than
    /// a proxy in front keeps it.
    "HELPSYNC_API__IDLE_SECONDS" idle_timeout: Duration = "75", 1..=3_600;
    /// Connections open at once. For one more, the oldest that waits for a request is closed; if all are being answered,
    /// the new one is.
    "HELPSYNC_API__CONNECTIONS_MAX" connections_max: usize = "512", 1..=100_000;
    /// Connections open at once from one address (of IPv6, from a network of 64 bits), likewise. `api.trusted_proxies` are not
    /// bound by it.
    "HELPSYNC_API__CONNECTIONS_PER_ADDRESS_MAX" connections_per_address_max: usize = "256", 1..=100_000;
    /// Whether HTTP/2 is answered too, where a client begins with it (without TLS, of which a proxy in front takes care).
    "HELPSYNC_API__HTTP2" http2: bool = "false";
    /// Requests a minute of one API key and all of its access tokens: as many at once, then evenly. Further ones are answered
    /// 429. The tokens of one customer have a quarter of them.
    "HELPSYNC_API__REQUESTS_PER_MINUTE_OF_KEY" requests_per_minute_of_key: u32 = "6000", 1..=1_000_000;
    /// Requests a minute of one address (of IPv6, of a network of 64 bits), with whatever credentials, likewise. Behind
    /// a proxy that `api.trusted_proxies` does not name, all come from the proxy's address.
    "HELPSYNC_API__REQUESTS_PER_MINUTE_OF_ADDRESS" requests_per_minute_of_address: u32 = "12000", 1..=1_000_000;
    /// Addresses and networks of the proxies in front, such as `10.0.0.0/8` or `192.0.2.7`. Who connects from one of them is
    /// whom `X-Forwarded-For` names: its last address that is not one of these. Everybody else's header is ignored. Name
    /// only what sets the header itself: what is named here may give a client any address.
    "HELPSYNC_API__TRUSTED_PROXIES" trusted_proxies: TrustedProxies = "";
    /// Whether a program that opens a URL of `/integrations/oauth_url` is led to Zendesk at once, as SDKs and scripts
    /// expect. What such a program began, no browser can end. If not, everybody is shown our page first.
    "HELPSYNC_API__PROGRAMS_MAY_CONNECT" programs_may_connect: bool = "true";
    /// How long an access token from `/auth/v1/access_token` is good for. It ends before that with the
    /// API key that it was made with.
    "HELPSYNC_API__ACCESS_TOKEN_TTL_SECONDS" access_token_ttl: Duration = "3600", 60..=604_800;
    /// The longest life a caller may ask for in a presigned URL.
    "HELPSYNC_API__PRESIGNED_URL_TTL_MAX_SECONDS" presigned_url_ttl_max: Duration = "86400", 60..=604_800;
    /// How long the audit log keeps who changed what.
    "HELPSYNC_API__AUDIT_LOG_DAYS" audit_log: Duration = "365", 1..=3_650;
    /// Origins whose pages may call the API from a browser, such as `https://app.example.com` where Carbon's widget is, or
    /// `*` for all, as Carbon had it: no cookie is sent along, so a page has what its token gives. `none`: no page may.
    "HELPSYNC_API__CORS_ORIGINS" cors_origins: Vec<String> = "*";
}

/// A shorter bootstrap key could be guessed.
const BOOTSTRAP_KEY_CHARACTERS_MIN: usize = 16;

impl ApiSettings {
    /// The base of redirect and presigned URLs: `public_url`, else `http://` and the address listened on.
    ///
    /// # Panics
    /// Never: an address and port always make a URL.
    #[must_use]
    pub fn base(&self) -> Url {
        self.public_url.clone().unwrap_or_else(|| {
            Url::parse(&format!("http://{}", self.listen)).expect("an address makes a URL")
        })
    }

    fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if let Some(url) = &self.public_url {
            let plain = url.username().is_empty()
                && url.password().is_none()
                && url.query().is_none()
                && url.fragment().is_none();
            if !matches!(url.scheme(), "http" | "https") || !url.has_host() || !plain {
                problems.push(Problem::value(
                    "HELPSYNC_API__PUBLIC_URL",
                    "it must be an http or https URL without user, query or fragment",
                    "for example https://sync.example.com",
                ));
            }
        }
        if self
            .cors_origins
            .iter()
            .any(|origin| !["*", "none"].contains(&origin.as_str()) && !is_origin(origin))
        {
            problems.push(Problem::value(
                "HELPSYNC_API__CORS_ORIGINS",
                "one of them is no origin: a scheme and a host, without a path",
                "for example https://app.example.com https://admin.example.com, or *, or none",
            ));
        }
        if self
            .bootstrap_key
            .as_ref()
            .is_some_and(|key| key.expose_secret().len() < BOOTSTRAP_KEY_CHARACTERS_MIN)
        {
            problems.push(Problem::value(
                "HELPSYNC_API__BOOTSTRAP_KEY",
                format!("it has fewer than {BOOTSTRAP_KEY_CHARACTERS_MIN} characters"),
                "a long random text (openssl rand -hex 32)",
            ));
        }
        problems
    }
}

/// As browsers send it.
fn is_origin(text: &str) -> bool {
    Url::parse(text).is_ok_and(|url| {
        matches!(url.scheme(), "http" | "https") && url.origin().ascii_serialization() == text
    })
}
