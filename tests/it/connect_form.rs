//! The form of the page before Zendesk's consent: the workspace is chosen there, and what is wrong with it is said there.

use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::app::small;
use crate::browser::Browser;
use crate::pages::{CUSTOMER, brand, started};

#[tokio::test(flavor = "multi_thread")]
async fn the_workspace_is_chosen_on_the_page_and_checked_there() {
    let (app, _account) = started().await;
    app.account("bolt", small(3));
    brand(&app, json!({ "display_name": "Example", "subdomains": ["acme", "bolt"] })).await;
    let url = app.oauth_url(CUSTOMER, "acme").await;
    let browser = Browser::new(&app.http);
    let token = browser.open(&url).await.field("form_token");
    let choose =
        async |workspace: &str| browser.send(&url, &[("form_token", &token), ("workspace", workspace)]).await;
    let see = async |workspace: &str| {
        browser.send_and_see(&url, &[("form_token", &token), ("workspace", workspace)]).await
    };
    let long = "x".repeat(5_000);
    for (workspace, says) in [
        ("", "Enter the name of your workspace"),
        ("a b", "This is no workspace&#39;s name"),
        ("ab", "This is no workspace&#39;s name"),
        (long.as_str(), "This is no workspace&#39;s name"),
        ("elsewhere", "Example does not connect the workspace elsewhere"),
    ] {
        let again = see(workspace).await;
        assert_eq!(again.status, StatusCode::OK, "{workspace}: {}", again.text);
        let text = again.text.replace('\'', "&#39;");
        assert!(text.contains(says) && text.contains("aria-invalid=\"true\""), "{workspace}: {text}");
        let kept: String = workspace.chars().take(100).collect();
        assert_eq!(again.field("workspace"), kept, "what was typed is kept");
    }
    // It is the same page however it is come to again; another browser knows nothing of it.
    assert_eq!(browser.open(&url).await.field("workspace"), "elsewhere");
    assert_eq!(Browser::new(&app.http).open(&url).await.field("workspace"), "acme");
    let other = app.oauth_url("bob", "acme").await;
    assert_eq!(browser.open(&other).await.field("workspace"), "acme", "nor does another link");
    let chosen = choose(" https://BOLT.zendesk.com/ ").await;
    let zendesk = chosen.location.unwrap();
    assert!(zendesk.contains("/bolt/"), "{zendesk}");
    // Back from Zendesk.
    let again = browser.open(&url).await;
    assert!(
        again.field("workspace") == "bolt" && !again.text.contains("aria-invalid=\"true\""),
        "{}",
        again.text
    );
    let callback = browser.open(&zendesk).await.location.unwrap();
    assert_eq!(browser.open(&callback).await.status, StatusCode::SEE_OTHER);
    app.connection(CUSTOMER, "bolt").await;
    // The API holds to the same list.
    let body = json!({ "service": "ZENDESK", "zendesk_subdomain": "elsewhere" });
    let (status, answer) = app.call(Method::POST, "/integrations/oauth_url", "carl", Some(body)).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "{answer}");
}
