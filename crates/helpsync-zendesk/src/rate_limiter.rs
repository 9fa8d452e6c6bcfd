//! The account's budget, as this crate sees it.

use std::time::Duration;

use async_trait::async_trait;
use helpsync_model::Timestamp;
use reqwest::header::HeaderMap;

use crate::failure::retry_after;

/// Requests that Zendesk counts together. Source:
/// <https://developer.zendesk.com/api-reference/introduction/rate-limits/>.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// The help center's.
    HelpCenter,
    /// Support's: users, tokens, brands.
    Support,
    /// Those that manage webhooks, of which there are few.
    Webhooks,
}

impl Family {
    /// The one spelling.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::HelpCenter => "help_center",
            Self::Support => "support",
            Self::Webhooks => "webhooks",
        }
    }

    /// Which family a path below the workspace's address belongs to.
    #[must_use]
    pub fn of(path: &str) -> Self {
        if path.contains("/api/v2/webhooks") {
            Self::Webhooks
        } else if path.contains("/api/v2/help_center") || path.contains("/api/v2/guide") {
            Self::HelpCenter
        } else {
            Self::Support
        }
    }
}

/// Permission to send one request; what the gate's owner needs to know it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permit {
    /// Like no other permit's.
    pub id: String,
    /// Whose budget it was taken from.
    pub family: Family,
}

/// No budget now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Throttled {
    /// How long to wait before asking again.
    pub wait: Duration,
    /// Whose limit it is, for logs and status displays.
    pub reason: String,
    /// Whether it is the account's; otherwise nobody could say, for whoever keeps the limits does not answer.
    pub is_account: bool,
}

/// What an answer's headers say about the account's budget.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RateReport {
    /// The HTTP status; `None` when no answer came.
    pub status: Option<u16>,
    /// Requests per minute (`ratelimit-limit` or `X-Rate-Limit`).
    pub limit: Option<u32>,
    /// Requests left in the window (`ratelimit-remaining` or `X-Rate-Limit-Remaining`).
    pub remaining: Option<u32>,
    /// Time until the window ends (`ratelimit-reset`, seconds).
    pub reset_after: Option<Duration>,
    /// `Retry-After`, clamped to [`RETRY_AFTER_MIN`](crate::RETRY_AFTER_MIN) ..=
    /// [`RETRY_AFTER_MAX`](crate::RETRY_AFTER_MAX).
    pub retry_after: Option<Duration>,
}

/// Guards the account's budget. Every request of a [`Client`](crate::Client) passes it.
///
/// A call that is dropped half-way (a cancelled task) never reaches [`RateLimiter::leave`]: permits must expire by themselves.
#[async_trait]
pub trait RateLimiter: Send + Sync {
    /// Asks for one request. Whether a short wait is waited out or handed back is the implementation's choice.
    async fn enter(&self, family: Family) -> Result<Permit, Throttled>;

    /// Returns the permit after the request, with what the answer said.
    async fn leave(&self, permit: Permit, report: RateReport);
}

impl RateReport {
    pub(crate) fn read(status: u16, headers: &HeaderMap, now: Timestamp) -> Self {
        let number = |names: [&str; 2]| {
            names.iter().find_map(|name| headers.get(*name)?.to_str().ok()?.trim().parse::<u32>().ok())
        };
        Self {
            status: Some(status),
            limit: number(["ratelimit-limit", "x-rate-limit"]),
            remaining: number(["ratelimit-remaining", "x-rate-limit-remaining"]),
            reset_after: number(["ratelimit-reset", "ratelimit-reset"])
                .map(|seconds| Duration::from_secs(seconds.into())),
            retry_after: retry_after(headers, now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Family;

    #[test]
    fn paths_are_counted_as_zendesk_counts_them_also_below_a_prefix() {
        for (path, family) in [
            ("/api/v2/help_center/articles", Family::HelpCenter),
            ("/acme/api/v2/guide/content_tags", Family::HelpCenter),
            ("/acme/api/v2/webhooks/01J/signing_secret", Family::Webhooks),
            ("/api/v2/users/me", Family::Support),
            ("/api/v2/oauth/tokens/current", Family::Support),
        ] {
            assert_eq!(Family::of(path), family, "{path}");
        }
    }
}
