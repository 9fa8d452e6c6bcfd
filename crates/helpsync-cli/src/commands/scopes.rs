//! Whether OAuth scopes are ones that Zendesk knows. It takes a request with any, and what a token of a wrong one may then
//! do is nothing: <https://developer.zendesk.com/api-reference/ticketing/oauth/grant_type_tokens/#scopes>.

use helpsync_app::Finding;
use helpsync_config::Settings;

const NAME: &str = "scopes";
/// Covers articles, or everything.
const ARTICLES: [&str; 2] = ["hc:read", "read"];
/// Scopes that name no resource.
const BROAD: [&str; 3] = ["read", "write", "impersonate"];
/// What stands before `:read` or `:write`.
const RESOURCES: [&str; 17] = [
    "any_channel",
    "apps",
    "auditlogs",
    "automations",
    "dynamic_content",
    "hc",
    "macros",
    "organizations",
    "requests",
    "satisfaction_ratings",
    "security",
    "targets",
    "tickets",
    "triggers",
    "users",
    "web_widget",
    "webhooks",
];

/// What is wrong with those of the settings; nothing is said of what is right.
pub(crate) fn findings(settings: &Settings) -> Vec<Finding> {
    let scopes = &settings.zendesk.scopes;
    let mut found = Vec::new();
    if !scopes.iter().any(|scope| ARTICLES.contains(&scope.as_str())) {
        let text = format!("the scopes {} do not cover articles", scopes.join(" "));
        found.push(Finding::wrong(NAME, text, "put hc:read into HELPSYNC_ZENDESK__SCOPES"));
    }
    for (setting, scopes) in [
        ("HELPSYNC_ZENDESK__SCOPES", scopes),
        ("HELPSYNC_ZENDESK__CUSTOMER_SCOPES", &settings.zendesk.customer_scopes),
    ] {
        let unknown: Vec<&str> = scopes.iter().map(String::as_str).filter(|scope| !is_known(scope)).collect();
        if !unknown.is_empty() {
            found.push(Finding::warning(
                NAME,
                format!("Zendesk documents no scope {} ({setting})", unknown.join(", ")),
                format!(
                    "write read, write or RESOURCE:read with one of {}: Zendesk grants an unknown scope, and refuses every \
                     request afterwards",
                    RESOURCES.join(", ")
                ),
            ));
        }
    }
    found
}

fn is_known(scope: &str) -> bool {
    BROAD.contains(&scope)
        || matches!(scope.split_once(':'), Some((resource, "read" | "write")) if RESOURCES.contains(&resource))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scopes_are_words_or_a_resource_with_what_is_done_to_it() {
        for known in ["read", "hc:read", "webhooks:write", "impersonate"] {
            assert!(is_known(known), "{known}");
        }
        for unknown in ["guide:read", "hc", "hc:", "hc:reed", "HC:read", "read:hc", ""] {
            assert!(!is_known(unknown), "{unknown}");
        }
    }
}
