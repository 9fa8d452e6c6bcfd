//! `[zendesk]`

use std::time::Duration;

use secrecy::SecretString;

use crate::{BaseUrl, Problem, declare::section};

section! {
    /// The OAuth client of the default organization, and how Zendesk is asked.
    pub struct ZendeskSettings "zendesk";

    /// Template of a workspace's address; `{subdomain}` stands for the workspace. Plain http is accepted only for
    /// loopback hosts.
    "HELPSYNC_ZENDESK__BASE_URL" base_url: BaseUrl = "https://{subdomain}.zendesk.com";
    /// Unique identifier of the default organization's OAuth client.
    "HELPSYNC_ZENDESK__CLIENT_ID" client_id: Option<String>;
    /// Secret of the default organization's OAuth client.
    "HELPSYNC_ZENDESK__CLIENT_SECRET" client_secret: Option<SecretString>;
    /// OAuth scopes asked for when a request names none. `hc:read` covers articles and shows the least on the grant
    /// screen; the granting user's name then stays unknown (that needs `users:read`). Webhooks need `webhooks:read`
    /// and `webhooks:write` as well. Further brands of an account are synced where `read` is among them.
    "HELPSYNC_ZENDESK__SCOPES" scopes: Vec<String> = "hc:read";
    /// Further scopes that a customer may ask for with its access token, beside `hc:read` and those of `zendesk.scopes`.
    /// Requests with an API key may ask for any.
    "HELPSYNC_ZENDESK__CUSTOMER_SCOPES" customer_scopes: Vec<String> = "hc:read";
    /// Requests a minute per account until Zendesk's own headers say what the account may use.
    "HELPSYNC_ZENDESK__REQUESTS_PER_MINUTE" requests_per_minute: u32 = "400", 1..=10_000;
    /// Requests to one account that may be under way at once, over all workers.
    "HELPSYNC_ZENDESK__CONCURRENCY" concurrency: u32 = "4", 1..=64;
    /// Share of an account's budget left for the customer's other integrations.
    "HELPSYNC_ZENDESK__RESERVE_PERCENT" reserve_percent: u8 = "10", 0..=90;
    /// How long an account's limit holds. Zendesk's limits are a minute's; simulators that run faster have shorter
    /// windows, and `zendesk.requests_per_minute` then means requests a window.
    "HELPSYNC_ZENDESK__BUDGET_WINDOW_SECONDS" budget_window: Duration = "60", 1..=300;
    /// How long making a connection may take.
    "HELPSYNC_ZENDESK__CONNECT_TIMEOUT_SECONDS" connect_timeout: Duration = "10", 1..=60;
    /// How long a request may take, body included.
    "HELPSYNC_ZENDESK__REQUEST_TIMEOUT_SECONDS" request_timeout: Duration = "60", 1..=600;
    /// The largest answer that is read.
    "HELPSYNC_ZENDESK__BODY_BYTES_MAX" body_bytes_max: usize = "67108864", 65_536..=1_073_741_824;
    /// The `User-Agent` of every request.
    "HELPSYNC_ZENDESK__USER_AGENT" user_agent: String = "helpsync/0.1";
}

/// What reading articles takes.
const LEAST_SCOPE: &str = "hc:read";

impl ZendeskSettings {
    /// Scopes that a customer's access token may ask for.
    #[must_use]
    pub fn allowed_scopes(&self) -> Vec<String> {
        let mut allowed = vec![LEAST_SCOPE.to_owned()];
        for scope in self.scopes.iter().chain(&self.customer_scopes) {
            if !allowed.contains(scope) {
                allowed.push(scope.clone());
            }
        }
        allowed
    }

    fn problems(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        match (&self.client_id, &self.client_secret) {
            (Some(_), None) => problems.push(Problem::value(
                "HELPSYNC_ZENDESK__CLIENT_SECRET",
                "the client's identifier is set and its secret is not",
                "the secret of the OAuth client, or unset HELPSYNC_ZENDESK__CLIENT_ID",
            )),
            (None, Some(_)) => problems.push(Problem::value(
                "HELPSYNC_ZENDESK__CLIENT_ID",
                "the client's secret is set and its identifier is not",
                "the unique identifier of the OAuth client",
            )),
            _ => {}
        }
        if self.scopes.is_empty() {
            problems.push(Problem::value("HELPSYNC_ZENDESK__SCOPES", "no scope is named", "hc:read"));
        }
        if self.user_agent.is_empty() || !self.user_agent.bytes().all(|b| (0x20..0x7f).contains(&b)) {
            problems.push(Problem::value(
                "HELPSYNC_ZENDESK__USER_AGENT",
                "a header holds printable ASCII only",
                "a name and version",
            ));
        }
        problems
    }
}
