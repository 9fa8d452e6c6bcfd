//! The form of the page before Zendesk's consent: the workspace is chosen there, and what is wrong with it is said there.

use reqwest::{Method, StatusCode};
use serde_json::json;
use zendesk_sim::{Fault, FaultRule};

use crate::app::small;
use crate::browser::Browser;
use crate::pages::{CUSTOMER, brand, started, status};

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
    // A link that is out holds to the list as it is when it comes back, whoever has begun it.
    let mut address = app.oauth_url("dan", "acme").await;
    let page = app.oauth_url("eve", "acme").await;
    let pressed = browser.press(&page).await;
    brand(&app, json!({ "subdomains": ["bolt"] })).await;
    let ended = loop {
        let answer = app.http.get(&address).send().await.unwrap();
        match answer.headers().get("location") {
            Some(next) => address = next.to_str().unwrap().to_owned(),
            None => break answer.status(),
        }
    };
    assert_eq!([ended, browser.open(&pressed).await.status], [StatusCode::FORBIDDEN; 2]);
    assert_eq!(app.post("/user_data_sources", "dan", json!({})).await["count"], 0);
    // The API holds to the same list.
    let body = json!({ "service": "ZENDESK", "zendesk_subdomain": "elsewhere" });
    let (status, answer) = app.call(Method::POST, "/integrations/oauth_url", "carl", Some(body)).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_workspace_that_nobody_has_is_found_out_before_zendesk_is_opened() {
    let (app, account) = started().await;
    let browser = Browser::new(&app.http);
    let url = app.oauth_url(CUSTOMER, "acmee").await;
    let token = browser.open(&url).await.field("form_token");
    let again = browser.send_and_see(&url, &[("form_token", &token), ("workspace", "acmee")]).await;
    assert!(again.text.contains("Zendesk has no workspace acmee"), "{}", again.text);
    assert_eq!(again.field("workspace"), "acmee");
    // Whatever else is answered, or nothing at all: the person goes on.
    let late = Fault::Delay { ms: 8_000 };
    let fields = [("form_token", token.as_str()), ("workspace", "acme")];
    for fault in [status(404), status(423), status(500), Fault::Reset, late] {
        account.clear_faults();
        account.inject(FaultRule::always(fault.clone()).on("/users/me"));
        let gone_on = browser.send(&url, &fields).await;
        assert!(gone_on.location.is_some_and(|zendesk| zendesk.contains("/acme/oauth/")), "{fault:?}");
    }
    account.clear_faults();
    let before = account.requests().len();
    assert_eq!(browser.send(&url, &fields).await.status, StatusCode::SEE_OTHER);
    let asked: Vec<_> = account.requests().into_iter().skip(before).collect();
    assert!(asked.len() == 1 && asked[0].path == "/api/v2/users/me", "one question a form: {asked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_form_is_no_way_to_search_zendesk_for_names() {
    let (app, _account) = started().await;
    let browser = Browser::new(&app.http);
    let url = app.oauth_url(CUSTOMER, "acme").await;
    let token = browser.open(&url).await.field("form_token");
    let mut told = 0;
    for number in 0..30 {
        let name = format!("nobody-{number}");
        let sent = browser.send(&url, &[("form_token", &token), ("workspace", &name)]).await;
        told += usize::from(!sent.location.unwrap().contains("/oauth/"));
    }
    assert!((10..=12).contains(&told), "ten in a minute, then Zendesk has to be opened: {told}");
}
