//! Addresses of the services Helpsync talks to.

use std::fmt;
use std::net::IpAddr;

use secrecy::{ExposeSecret, SecretString};
use url::{Host, Url};

use crate::setting::{REDACTED, Secrecy, Setting, Value};

/// Characters of a parameter's name that is shown.
const PARAMETER_NAME_MAX: usize = 32;

/// Whether a URL's host can only be this machine: the loopback addresses, `localhost` and names under it.
pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        // Schemes other than those of browsers leave addresses written as text.
        Some(Host::Domain(name)) => is_near(name),
        None => false,
    }
}

/// [`is_loopback`] for a host by itself.
fn is_near(host: &str) -> bool {
    let host = host.to_ascii_lowercase();
    match host.parse::<IpAddr>() {
        Ok(address) => address.is_loopback(),
        Err(_it_is_a_name) => host == "localhost" || host.ends_with(".localhost"),
    }
}

/// The query parameters that the driver of Postgres reads, besides `options[…]`. It logs any other with its value, which may be
/// a password. Source: sqlx-postgres 0.9, `PgConnectOptions::parse_from_url`.
const POSTGRES_PARAMETERS: [&str; 18] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "statement-cache-capacity",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
];

fn is_postgres_parameter(name: &str) -> bool {
    let option = name.strip_prefix("options[").and_then(|rest| rest.strip_suffix(']'));
    POSTGRES_PARAMETERS.contains(&name) || option.is_some_and(|option| !option.is_empty())
}

/// The name of a parameter as it may be shown. What has no value, or does not look like a name, may be a piece of a password
/// that holds an `&` or a `?`.
fn shown_parameter(name: &str, value: &str) -> Option<String> {
    let is_name = !name.is_empty()
        && name.len() <= PARAMETER_NAME_MAX
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'_' | b'-'));
    (is_name && !value.is_empty()).then(|| format!("{name:?}"))
}

fn insists_on_tls(postgres: &Url) -> bool {
    let modes = postgres.query_pairs().filter(|(name, _)| matches!(&**name, "sslmode" | "ssl-mode"));
    let mode = modes.last().map(|(_, mode)| mode.to_ascii_lowercase());
    matches!(mode.as_deref(), Some("require" | "verify-ca" | "verify-full"))
}

/// The machine that the driver connects to; `None`: a socket of this one. Query parameters win, as in libpq; where the URL
/// names none, the driver looks into the process's environment.
fn postgres_host(url: &Url, environment: impl Fn(&str) -> Option<String>) -> Option<String> {
    let is_path = |host: &str| host.starts_with('/') || host.to_ascii_lowercase().starts_with("%2f");
    let named = url.query_pairs().filter(|(name, _)| matches!(&**name, "host" | "hostaddr"));
    let hosts: Vec<String> = url
        .host_str()
        .map(|host| host.trim_matches(['[', ']']).to_owned())
        .into_iter()
        .chain(named.map(|(_, host)| host.into_owned()))
        .collect();
    if hosts.iter().any(|host| is_path(host)) {
        return None;
    }
    let named = hosts.into_iter().next_back().filter(|host| !host.is_empty());
    let from_environment = || ["PGHOSTADDR", "PGHOST"].into_iter().find_map(environment);
    named.or_else(|| from_environment().filter(|host| !host.is_empty() && !is_path(host)))
}

/// The URL of a store, broker or coordinator. It may hold a password, so printing it hides that.
#[derive(Clone)]
pub struct ConnectionUrl(SecretString);

impl ConnectionUrl {
    /// The URL as it was given, password included: for the driver that connects, never for a log.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// Whether what is said to the service may be read on the way: it leaves this machine, and TLS is not insisted on. Of
    /// Postgres, `sslmode=prefer`, which is its default, is content without.
    #[must_use]
    pub fn is_readable_on_the_way(&self) -> bool {
        self.is_readable_where(|name| std::env::var(name).ok())
    }

    fn is_readable_where(&self, environment: impl Fn(&str) -> Option<String>) -> bool {
        let Ok(url) = Url::parse(self.expose()) else { return true };
        match url.scheme() {
            "sqlite" | "amqps" | "rediss" => false,
            "postgres" | "postgresql" => {
                !insists_on_tls(&url) && !postgres_host(&url, environment).is_none_or(|it| is_near(&it))
            }
            "amqp" | "redis" | "http" => !is_loopback(&url),
            _ => false,
        }
    }

    /// Of Postgres, which parameter the driver does not know, without its value; `None`: it knows all of them.
    pub(crate) fn unknown_parameter(&self) -> Option<String> {
        let url = Url::parse(self.expose()).ok()?;
        let (name, value) = url.query_pairs().find(|(name, _)| !is_postgres_parameter(name))?;
        Some(shown_parameter(&name, &value).unwrap_or_else(|| "that is not shown here".to_owned()))
    }

    /// What stands before the first colon, for example `postgres`.
    #[must_use]
    pub fn scheme(&self) -> &str {
        self.expose().split_once(':').map_or("", |(scheme, _)| scheme)
    }
}

impl fmt::Display for ConnectionUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Ok(mut url) = Url::parse(self.expose()) else { return f.write_str(REDACTED) };
        if url.password().is_some() && url.set_password(Some(REDACTED)).is_err() {
            return f.write_str(REDACTED);
        }
        // Drivers take passwords and tokens as query parameters too; which ones is theirs to know.
        if url.query().is_some() {
            url.set_query(Some(REDACTED));
        }
        f.write_str(url.as_str())
    }
}

impl fmt::Debug for ConnectionUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Value for ConnectionUrl {
    const SECRECY: Secrecy = Secrecy::Password;

    fn parse(text: &str, _: &Setting) -> Result<Self, String> {
        // The text is not quoted: it may hold a password.
        let url = Url::parse(text).map_err(|reason| format!("it is not a URL ({reason})"))?;
        // What the driver would take for something else is not hidden, and may be a piece of a password.
        if url.scheme() == "sqlite" {
            if !url.username().is_empty() || url.password().is_some() {
                return Err("sqlite: names a file, without a user and a password".to_owned());
            }
        } else if !text.contains("://") {
            return Err(format!("{}: has to be followed by //", url.scheme()));
        } else if url.fragment().is_some() || url.path().contains('@') {
            return Err(
                "in a user name or a password # is to be written as %23, / as %2F and @ as %40, and nothing with # follows"
                    .to_owned(),
            );
        }
        Ok(Self(text.into()))
    }
    fn show(&self, _: &Setting) -> Option<String> {
        Some(self.to_string())
    }
}

/// The template of a workspace's address: an `https` URL with one `{subdomain}`, with or without a path.
/// Plain `http` is for simulators on loopback hosts only, since a token goes with every request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl(String);

impl BaseUrl {
    /// Stands for the workspace's name in the template.
    pub const PLACEHOLDER: &str = "{subdomain}";

    /// Reads a template.
    ///
    /// # Errors
    /// A text saying which rule it breaks.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.matches(Self::PLACEHOLDER).count() != 1 {
            return Err(format!("it must hold {} exactly once", Self::PLACEHOLDER));
        }
        let sample = Url::parse(&text.replace(Self::PLACEHOLDER, "sample"))
            .map_err(|reason| format!("it is not a URL ({reason})"))?;
        if !sample.username().is_empty() || sample.password().is_some() {
            return Err("it must not hold a user or password".to_owned());
        }
        if sample.query().is_some() || sample.fragment().is_some() {
            return Err("it must end with the host or a path, without ? or #".to_owned());
        }
        match sample.scheme() {
            "https" => {}
            "http" if is_loopback(&sample) => {}
            "http" => return Err("plain http is accepted only for loopback hosts".to_owned()),
            other => return Err(format!("the scheme {other:?} is not https")),
        }
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }

    /// Whether the workspaces are on this machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        Url::parse(&self.0.replace(Self::PLACEHOLDER, "sample")).is_ok_and(|url| is_loopback(&url))
    }

    /// The template, without a trailing slash.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Value for BaseUrl {
    fn parse(text: &str, _: &Setting) -> Result<Self, String> {
        Self::parse(text)
    }
    fn show(&self, _: &Setting) -> Option<String> {
        Some(self.0.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leaves_the_machine_without_tls_may_be_read_on_the_way() {
        for (url, is_readable) in [
            ("sqlite:helpsync.db", false),
            ("postgres://u:p@db/x", true),
            ("postgres://u:p@db/x?sslmode=prefer", true),
            ("postgres://u:p@db/x?sslmode=disable", true),
            ("postgres://u:p@db/x?sslmode=require&sslmode=disable", true),
            ("postgres://u:p@db/x?sslmode=require", false),
            ("postgres://u:p@db/x?sslmode=verify-full", false),
            ("postgresql://u:p@db/x?ssl-mode=VERIFY-CA", false),
            ("postgres://u:p@127.0.0.1:5432/x", false),
            ("postgres://u:p@[::1]/x", false),
            ("postgres://u:p@localhost/x", false),
            ("postgres://u:p@127.0.0.1.evil.example/x", true),
            ("postgres://u:p@localhost.evil.example/x", true),
            ("postgres://u:p@10.0.0.1/x", true),
            ("postgres:///x?host=/run/postgresql", false),
            ("postgres://%2Frun%2Fpostgresql/x", false),
            ("postgres://localhost/x?host=db", true),
            ("postgres://localhost/x?hostaddr=10.0.0.1", true),
            ("postgres:///x", false),
            ("amqp://u:p@mq:5672/%2f", true),
            ("amqp://127.0.0.1", false),
            ("amqp://[::1]:5672", false),
            ("amqps://mq", false),
            ("redis://:p@cache:6379", true),
            ("redis://localhost:6379", false),
            ("redis://127.0.0.2", false),
            ("rediss://cache", false),
            ("http://u:p@mq:15672", true),
            ("http://localhost:15672", false),
            ("https://mq:15671", false),
        ] {
            assert_eq!(ConnectionUrl(url.into()).is_readable_where(|_| None), is_readable, "{url}");
        }
        for (host, is_readable) in
            [("192.0.2.2", true), ("db", true), ("127.0.0.1", false), ("/run/pg", false), ("", false)]
        {
            for name in ["PGHOST", "PGHOSTADDR"] {
                let environment = |asked: &str| (asked == name).then(|| host.to_owned());
                let url = ConnectionUrl("postgres:///x?user=u&password=p".into());
                assert_eq!(url.is_readable_where(environment), is_readable, "{name}={host}");
                let url = ConnectionUrl("postgres://127.0.0.1/x".into());
                assert!(!url.is_readable_where(environment), "the URL's own host wins");
            }
        }
    }

    #[test]
    fn what_may_be_a_piece_of_a_password_is_refused_and_not_told() {
        let (env, secrecy) = ("HELPSYNC_STORE__URL", Secrecy::Password);
        let setting = Setting { env, default: None, range: None, secrecy, bare: false, meaning: "" };
        for url in [
            "amqps://u:12#MARK@h/",
            "amqps://u:12/MARK@h/",
            "postgres:u:MARK@h/db",
            "postgres:/u:MARK@h/db",
            "postgres://u:p@h/db?sslmode=require#MARK",
            "sqlite://u:MARK@h/db",
            "rediss://h/#MARK",
        ] {
            let told = ConnectionUrl::parse(url, &setting).unwrap_err();
            assert!(!told.contains("MARK"), "{told}");
        }
        for url in [
            "sqlite:a@b#c.db",
            "sqlite:///a/b.db?mode=ro",
            "postgres:///x?host=/run",
            "amqp://u:p%23%40@h/%2f",
        ] {
            assert!(ConnectionUrl::parse(url, &setting).is_ok(), "{url}");
        }
    }

    #[test]
    fn parameters_that_the_driver_does_not_know_are_named_without_what_may_be_a_password() {
        let known = POSTGRES_PARAMETERS.map(|name| format!("{name}=1")).join("&");
        for (query, unknown) in [
            (known.as_str(), None),
            ("options[statement_timeout]=1", None),
            ("options%5Bsearch_path%5D=x", None),
            ("sslmode=require&sslpassword=hidden", Some("\"sslpassword\"")),
            ("channel_binding=require", Some("\"channel_binding\"")),
            ("SSLMODE=require", Some("that is not shown here")),
            ("options[=hidden", Some("that is not shown here")),
            ("password=one&hidden", Some("that is not shown here")),
            ("password=one&Hidden2=x", Some("that is not shown here")),
            ("34@host/hidden", Some("that is not shown here")),
        ] {
            let url = ConnectionUrl(format!("postgres://u@db/x?{query}").into());
            assert_eq!(url.unknown_parameter().as_deref(), unknown, "{query}");
        }
        assert_eq!(ConnectionUrl("postgres://u@db/x".into()).unknown_parameter(), None);
    }
}
