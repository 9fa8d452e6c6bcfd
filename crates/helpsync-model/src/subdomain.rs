//! The name of a Zendesk workspace.

use serde::Serialize;
use thiserror::Error;

/// A Zendesk subdomain: one lower-case DNS label of 3 to 63 letters, digits and inner hyphens.
///
/// The only thing a request's host is ever built from, so it can hold nothing that changes a URL's meaning.
/// Source: <https://developer.zendesk.com/api-reference/ticketing/account-configuration/brands/>; what Zendesk accepts in a name is not written down.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Subdomain(String);

/// Why a text is not a Zendesk subdomain.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SubdomainError {
    /// Nothing was left after trimming.
    #[error("zendesk_subdomain is missing: send the part before .zendesk.com, for example \"acme\"")]
    Missing,
    /// Too short or too long for a label.
    #[error("zendesk_subdomain must have 3 to 63 characters, this one has {0}")]
    Length(usize),
    /// Something that is not a letter, digit or inner hyphen.
    #[error(
        "zendesk_subdomain may hold only letters, digits and inner hyphens: send the part before .zendesk.com, for example \"acme\""
    )]
    Characters,
}

impl Subdomain {
    /// Reads what a person or widget sends: a bare label, or the address of a workspace.
    ///
    /// Surrounding space, `https://` or `http://`, `www.`, `.zendesk.com` and one trailing slash are taken off
    /// (as Carbon's widget does), then what is left must be exactly one DNS label.
    ///
    /// # Errors
    /// [`SubdomainError`] says what to send instead; its text never repeats the input.
    pub fn parse(input: &str) -> Result<Self, SubdomainError> {
        let lower = input.trim().to_ascii_lowercase();
        let mut rest = lower.as_str();
        for scheme in ["https://", "http://"] {
            rest = rest.strip_prefix(scheme).unwrap_or(rest);
        }
        rest = rest.strip_prefix("www.").unwrap_or(rest);
        rest = rest.strip_suffix('/').unwrap_or(rest);
        rest = rest.strip_suffix(".zendesk.com").unwrap_or(rest);
        if rest.is_empty() {
            return Err(SubdomainError::Missing);
        }
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if !rest.chars().all(allowed) || rest.starts_with('-') || rest.ends_with('-') {
            return Err(SubdomainError::Characters);
        }
        if !(3..=63).contains(&rest.len()) {
            return Err(SubdomainError::Length(rest.len()));
        }
        Ok(Self(rest.to_owned()))
    }

    /// The label itself.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Subdomain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for Subdomain {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_paste_is_reduced_to_the_label() {
        for given in
            ["acme", " ACME ", "https://acme.zendesk.com/", "http://www.acme.zendesk.com", "acme.zendesk.com"]
        {
            assert_eq!(Subdomain::parse(given).unwrap().as_str(), "acme", "{given:?}");
        }
        assert_eq!(Subdomain::parse("d3v-acme").unwrap().as_str(), "d3v-acme");
    }

    #[test]
    fn nothing_that_could_change_a_url_passes() {
        let long = "a".repeat(64);
        for given in [
            "",
            "  ",
            "ab",
            &long,
            "a.b",
            "evil.com/#",
            "evil.com/#.zendesk.com",
            "127.0.0.1",
            "[::1]",
            "a@b",
            "acme:443",
            "acme%2f",
            "ac me",
            "acme\\",
            "-acme",
            "acme-",
            "äcme",
            "acme?x",
            "acme\0",
            "a_b",
            "https://https://acme/x",
        ] {
            assert!(Subdomain::parse(given).is_err(), "{given:?} was accepted");
        }
    }
}
