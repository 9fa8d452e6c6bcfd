//! How one account behaves. Everything here can be changed while the simulator runs.

use serde::{Deserialize, Serialize};

/// Who a grant acts as. What a list shows, and whether the incremental export answers at all, depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Administrator: sees drafts, and segments that include staff.
    Admin,
    /// Agent: the same view of the help center as an administrator here.
    Agent,
    /// End user: published articles only, and no incremental export.
    EndUser,
}

impl Role {
    /// Agents and administrators see drafts and may export.
    pub fn is_staff(self) -> bool {
        matches!(self, Self::Admin | Self::Agent)
    }

    /// The word in `users/me`: Zendesk writes `end-user` with a hyphen.
    pub(crate) fn wire_name(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Agent => "agent",
            Self::EndUser => "end-user",
        }
    }
}

/// What happens when a browser asks for `/oauth/authorizations/new`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Consent {
    /// Show the page with Allow and Deny.
    PermitRequest,
    /// Redirect at once with a code.
    Allow,
    /// Redirect at once with `error=access_denied`.
    Deny,
}

/// Which of the three bodies seen in the field a 429 carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RateLimitBody {
    /// Plain text, the commonest.
    Text,
    /// `{"error":"APIRateLimitExceeded", ...}`
    Json,
    /// `{"errors":[{"code":"RateLimitExceeded", ...}]}`
    JsonErrors,
}

/// Refusal of an incremental `start_time` that lies too close to now, as Support's exports do it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecentStartRefusal {
    /// Youngest age accepted, in seconds. The Support exports want 60.
    pub min_age_seconds: i64,
    /// Status of the refusal: 400 or 422.
    pub status: u16,
}

/// Changes that happen by themselves while a client walks, counted in requests so that tests need no timers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Churn {
    /// Change something on every n-th help center request (before it is answered). At least 1.
    pub every_requests: u32,
    /// How many random changes each time.
    pub changes: u32,
    /// Seed of the changes.
    pub seed: u64,
}

/// Behaviour of one account. `Default` is a well-behaved account on an Enterprise plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// Requests per minute, for the help center and for Support each. Default 700.
    pub limit_per_minute: u32,
    /// Part of every window (0 to 1) that the customer's other integrations use up, evenly over the minute.
    pub other_integration_share: f64,
    /// Body of a 429.
    pub rate_limit_body: RateLimitBody,
    /// `false`: every help center call answers 404, as when the help center is disabled.
    pub help_center_enabled: bool,
    /// `true`: every API call answers 423 with a page, as a suspended account might.
    pub suspended: bool,
    /// What the authorization page does.
    pub consent: Consent,
    /// Who is signed in when the browser arrives, and whose view [`crate::Account::truth`] tells. Default: the agent.
    pub grant_as: Role,
    /// Answer the token request with 201, as documented, in place of 200, as seen.
    pub token_status_created: bool,
    /// For so many seconds a spent refresh token gives the same new pair again. Default 0: dead at once.
    pub refresh_grace_seconds: i64,
    /// Articles per page of the incremental export. Default 1,000.
    pub incremental_page_size: usize,
    /// Refuse young start times, when set.
    pub refuse_recent_start: Option<RecentStartRefusal>,
    /// What end users are answered who name no locale in the path of articles, sections and categories: 400, 403, 404 or 422.
    /// `None`: what they may see, in its source locale. Default: 404.
    pub locale_required: Option<u16>,
    /// Lists of articles ignore `sort_by`, and are in their default order.
    pub sort_by_ignored: bool,
    /// Keep `links.next` on the last cursor page, as one integrator saw it.
    pub links_next_on_last_page: bool,
    /// Editing a translation in another locale than the source moves the article's `updated_at`. Unconfirmed at Zendesk.
    pub translation_edit_moves_article: bool,
    /// Changes while clients walk.
    pub churn: Option<Churn>,
    /// Every help center request deletes the newest article before it is answered.
    pub shrinks: bool,
    /// Tries after the first for a webhook delivery that failed. Default 3.
    pub webhook_retries: u32,
    /// Wait between those tries, in milliseconds of real time. Default 50, to keep tests quick.
    pub webhook_retry_delay_ms: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            limit_per_minute: 700,
            other_integration_share: 0.0,
            rate_limit_body: RateLimitBody::Text,
            help_center_enabled: true,
            suspended: false,
            consent: Consent::Allow,
            grant_as: Role::Agent,
            token_status_created: false,
            refresh_grace_seconds: 0,
            incremental_page_size: 1000,
            refuse_recent_start: None,
            locale_required: Some(404),
            sort_by_ignored: false,
            links_next_on_last_page: false,
            translation_edit_moves_article: true,
            churn: None,
            shrinks: false,
            webhook_retries: 3,
            webhook_retry_delay_ms: 50,
        }
    }
}
