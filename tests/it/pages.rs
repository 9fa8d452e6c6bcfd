//! Pages for the customer's administrator: a grant is for whoever pressed our button, and nobody else.

use std::time::Duration;

use helpsync_model::GrantBegunBy;
use helpsync_store::NewGrant;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use zendesk_sim::{Account, Fault, FaultBody, FaultRule, Role};

use crate::app::{CLIENT_ID, Shape, TestApp, real_time, small};
use crate::browser::Browser;

pub(crate) const CUSTOMER: &str = "ada";

pub(crate) async fn started() -> (TestApp, Account) {
    let app = TestApp::embedded().await;
    let account = app.account("acme", small(5));
    (app, account)
}

pub(crate) async fn sources(app: &TestApp) -> i64 {
    app.post("/user_data_sources", CUSTOMER, json!({})).await["count"].as_i64().unwrap()
}

pub(crate) async fn brand(app: &TestApp, branding: Value) {
    let (status, answer) = app.call(Method::PUT, "/helpsync/v1/branding", CUSTOMER, Some(branding)).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_is_asked_on_our_page_and_ends_on_the_one_that_shows_the_sync() {
    let (app, _account) = started().await;
    brand(&app, json!({ "display_name": "Example & Co", "color": "#123456", "contact": "help@example.com" }))
        .await;
    let url = app.oauth_url(CUSTOMER, "acme").await;
    assert!(url.starts_with(app.url("/integrations/zendesk/connect?").as_str()), "{url}");
    let browser = Browser::new(&app.http);
    let page = browser.open(&url).await;
    assert_eq!((page.status, &page.location), (StatusCode::OK, &None), "{}", page.text);
    for said in [
        "Connect Zendesk to Example &amp; Co",
        CUSTOMER,
        "value=\"acme\"",
        "help@example.com",
        "#123456",
        "Tickets",
    ] {
        assert!(page.text.contains(said), "{said}: {}", page.text);
    }
    assert!(page.policy.contains("default-src 'none'") && page.policy.contains("frame-ancestors 'none'"));
    assert!(
        page.set_cookies.iter().all(|cookie| cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"))
    );

    let callback = browser.press(&url).await;
    let end = browser.open(&callback).await;
    assert_eq!(end.status, StatusCode::SEE_OTHER, "{}", end.text);
    let progress = end.location.unwrap();
    assert!(!progress.contains("code=") && !progress.contains("state="), "{progress}");
    assert!(browser.cookies.lock().unwrap().keys().all(|name| !name.contains("grant")), "its cookie is gone");
    app.finished(app.connection(CUSTOMER, "acme").await).await;
    let shown = browser.open(&progress).await;
    assert!(
        shown.text.contains("acme is connected") && shown.text.contains("Everything is here"),
        "{}",
        shown.text
    );
    assert!(shown.text.contains("5 articles are here."), "{}", shown.text);
    // Neither a schedule nor Zendesk's events are set up.
    assert!(shown.text.contains("taken over when your application asks"), "{}", shown.text);
    app.post(
        "/update_users",
        CUSTOMER,
        json!({ "customer_ids": [CUSTOMER], "auto_sync_enabled_sources": ["ZENDESK"], "auto_sync_interval": 3 }),
    )
    .await;
    assert!(browser.open(&progress).await.text.contains("taken over from now on"));
    // A state works once, and who comes back is told by whom and for what.
    for used in [callback, url] {
        let ended = browser.open(&used).await;
        assert_eq!(ended.status, StatusCode::GONE);
        assert!(ended.text.contains("help@example.com") && ended.text.contains("#123456"), "{}", ended.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_grant_comes_back_to_the_browser_that_began_it_and_to_no_other() {
    let (app, _account) = started().await;
    let (own, other) = (Browser::new(&app.http), Browser::new(&app.http));
    let url = app.oauth_url(CUSTOMER, "acme").await;
    let callback = own.press(&url).await;
    // The thief's own browser has begun one too, with a cookie of its own.
    other.press(&app.oauth_url("mallory", "acme").await).await;
    let refused = other.open(&callback).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.text);
    assert!(refused.text.contains("not begun in this browser"), "{}", refused.text);
    let program = app.http.get(&callback).send().await.unwrap();
    assert_eq!(program.status(), StatusCode::FORBIDDEN, "nor to a program");
    assert_eq!(sources(&app).await, 0);
    assert_eq!(own.open(&callback).await.status, StatusCode::SEE_OTHER, "the right one still can");
    assert_eq!(sources(&app).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_program_began_ends_in_no_browser() {
    let (app, _account) = started().await;
    let url = app.oauth_url(CUSTOMER, "acme").await;
    // A thief's script takes Zendesk's address out of our link, and has a victim's browser open it.
    let callback = app.consent(&url).await;
    let victim = Browser::new(&app.http);
    let refused = victim.open(&callback).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.text);
    for (name, value) in
        [("accept", "text/html"), ("user-agent", "Mozilla/5.0"), ("sec-fetch-mode", "navigate")]
    {
        let doubtful = app.http.get(&callback).header(name, value).send().await.unwrap();
        assert_eq!(doubtful.status(), StatusCode::FORBIDDEN, "{name}: {value}");
    }
    assert_eq!(sources(&app).await, 0);
    assert_eq!(
        app.http.get(&callback).send().await.unwrap().status(),
        StatusCode::OK,
        "the program itself may"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_nobody_began_ends_in_no_browser() {
    let (app, account) = started().await;
    let url = app.oauth_url(CUSTOMER, "acme").await;
    let state = url.split("state=").nth(1).unwrap();
    // An address of Zendesk's made by hand, without our page and without PKCE.
    let redirect = app.url("/integrations/zendesk");
    let made = format!(
        "{}/oauth/authorizations/new?response_type=code&client_id={CLIENT_ID}&scope=read&state={state}&redirect_uri={redirect}",
        app.sim.base_url_template().replace("{subdomain}", &account.subdomain())
    );
    let victim = Browser::new(&app.http);
    let callback = victim.open(&made).await.location.unwrap();
    assert!(callback.contains("code="), "{callback}");
    assert_eq!(victim.open(&callback).await.status, StatusCode::FORBIDDEN);
    assert_eq!(sources(&app).await, 0);
    // It is good for its own purpose all the same.
    let callback = victim.press(&url).await;
    assert_eq!(victim.open(&callback).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_may_make_zendesks_address_by_itself() {
    let (app, account) = started().await;
    let url = app.oauth_url(CUSTOMER, "acme").await;
    let state = url.split("state=").nth(1).unwrap();
    let redirect = app.url("/integrations/zendesk");
    let made = format!(
        "{}/oauth/authorizations/new?response_type=code&client_id={CLIENT_ID}&scope=hc:read&state={state}&redirect_uri={redirect}",
        app.sim.base_url_template().replace("{subdomain}", &account.subdomain())
    );
    let sent_back = app.http.get(&made).send().await.unwrap();
    let callback = sent_back.headers()["location"].to_str().unwrap();
    assert_eq!(app.http.get(callback).send().await.unwrap().status(), StatusCode::OK);
    assert_eq!(sources(&app).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_takes_over_what_a_program_looked_at_and_never_the_other_way() {
    let (app, _account) = started().await;
    let url = app.oauth_url(CUSTOMER, "acme").await;
    // A mail scanner follows the link before the person does.
    let scanned = app.consent(&url).await;
    let person = Browser::new(&app.http);
    let callback = person.press(&url).await;
    assert_eq!(app.http.get(&scanned).send().await.unwrap().status(), StatusCode::FORBIDDEN);
    let again = app.http.get(&url).send().await.unwrap();
    assert_eq!(
        (again.status(), again.headers().get("location")),
        (StatusCode::OK, None),
        "a page, from now on"
    );
    assert_eq!(person.open(&callback).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_button_is_pressed_on_the_page_itself_or_not_at_all() {
    let (app, _account) = started().await;
    let (url, other_url) = (app.oauth_url(CUSTOMER, "acme").await, app.oauth_url("bob", "acme").await);
    let browser = Browser::new(&app.http);
    let page = browser.open(&url).await;
    let (token, of_other) = (page.field("form_token"), browser.open(&other_url).await.field("form_token"));
    let origin = app.url("/").origin().ascii_serialization();
    let right = [("form_token", token.as_str()), ("workspace", "acme")];
    for (fields, site, from) in [
        (&right[..], "cross-site", "https://evil.example"),
        (&right[..], "same-site", origin.as_str()),
        (&right[..], "same-origin", "null"),
        (&[("workspace", "acme")][..], "same-origin", origin.as_str()),
        (&[("form_token", of_other.as_str())][..], "same-origin", origin.as_str()),
        (&[("form_token", "x.y")][..], "same-origin", origin.as_str()),
    ] {
        let refused = browser.send_from(&url, fields, site, from).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{fields:?} {site} {from}: {}", refused.text);
        assert!(refused.location.is_none());
    }
    // Another browser has not the cookie that goes with the token.
    let stranger = Browser::new(&app.http);
    assert_eq!(stranger.send(&url, &right).await.status, StatusCode::FORBIDDEN);
    stranger.open(&url).await;
    assert_eq!(stranger.send(&url, &right).await.status, StatusCode::FORBIDDEN);
    assert_eq!(browser.send(&url, &right).await.status, StatusCode::SEE_OTHER);
    // A form that is too long is not read.
    let long = "x".repeat(300 * 1024);
    assert_eq!(browser.send(&url, &[("workspace", &long)]).await.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_has_another_workspace_is_told_which_and_whom_to_ask() {
    let (app, _account) = started().await;
    app.account("bolt", small(3));
    brand(&app, json!({ "display_name": "Example" })).await;
    let browser = Browser::new(&app.http);
    // Both begin before either is there: the page cannot know yet.
    // The grant of the first shows whose it is.
    let body = json!({ "service": "ZENDESK", "zendesk_subdomain": "acme", "scopes": ["read"] });
    let first =
        app.post("/integrations/oauth_url", CUSTOMER, body).await["oauth_url"].as_str().unwrap().to_owned();
    let second = app.oauth_url(CUSTOMER, "bolt").await;
    let late = browser.press(&second).await;
    let callback = browser.press(&first).await;
    assert_eq!(browser.open(&callback).await.status, StatusCode::SEE_OTHER);
    let third = browser.open(&late).await;
    assert_eq!(third.status, StatusCode::CONFLICT);
    for said in ["Already connected to acme", "It was connected by ", "Ask Example to disconnect acme first"]
    {
        assert!(third.text.contains(said), "{said}: {}", third.text);
    }
    assert!(!third.text.contains("/revoke") && !third.text.contains("/integrations"), "{}", third.text);
    // And the page knows by now.
    let fourth = app.oauth_url(CUSTOMER, "acme").await;
    let token = browser.open(&fourth).await.field("form_token");
    let again = browser.send_and_see(&fourth, &[("form_token", &token), ("workspace", "bolt")]).await;
    assert!(again.text.contains("a customer has one workspace") && again.field("workspace") == "bolt");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_way_back_is_one_that_the_organization_named() {
    let (app, _account) = started().await;
    brand(&app, json!({ "display_name": "Example", "return_urls": ["https://app.example.com/settings"] }))
        .await;
    let ask = async |return_url: &str| {
        let body = json!({ "service": "ZENDESK", "zendesk_subdomain": "acme", "return_url": return_url });
        app.call(Method::POST, "/integrations/oauth_url", CUSTOMER, Some(body)).await
    };
    let (status, answer) = ask("https://evil.example/").await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{answer}");
    let back = "https://app.example.com/settings/zendesk?tab=1";
    let (_, answer) = ask(back).await;
    let browser = Browser::new(&app.http);
    let link = format!("href=\"{back}\"");
    let url = answer["oauth_url"].as_str().unwrap();
    assert!(browser.open(url).await.text.contains(&link));
    let end = browser.open(&browser.press(url).await).await.location.unwrap();
    assert!(browser.open(&end).await.text.contains(&link));
    // What it takes back no page leads to any more.
    brand(&app, json!({ "return_urls": [] })).await;
    assert!(!browser.open(&end).await.text.contains(&link));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_programs_may_not_connect_everybody_is_shown_the_page() {
    let closed = [("HELPSYNC_API__PROGRAMS_MAY_CONNECT", "false")];
    let app = TestApp::start(Shape::Embedded, &closed, real_time()).await;
    app.account("acme", small(5));
    let url = app.oauth_url(CUSTOMER, "acme").await;
    let answer = app.http.get(&url).send().await.unwrap();
    assert_eq!((answer.status(), answer.headers().get("location")), (StatusCode::OK, None));
    let browser = Browser::new(&app.http);
    assert_eq!(browser.open(&browser.press(&url).await).await.status, StatusCode::SEE_OTHER);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_of_the_version_before_works_as_it_did() {
    let (app, account) = started().await;
    let parts = app.parts();
    let customer = parts.store.admin().customer(parts.organization, CUSTOMER).await.unwrap();
    let redirect = app.url("/integrations/zendesk").to_string();
    let grant = |begun_by| NewGrant {
        organization: parts.organization,
        customer: customer.id,
        customer_external_id: CUSTOMER.to_owned(),
        subdomain: "acme".to_owned(),
        client_id: CLIENT_ID.to_owned(),
        redirect_uri: redirect.clone(),
        verifier: "v".repeat(64).into(),
        sync_options: json!({}),
        tags: json!({}),
        scopes: Vec::new(),
        return_url: None,
        begun_by,
        api_key: None,
    };
    let life = Duration::from_secs(60);
    let browser = Browser::new(&app.http);
    for (state, begun_by, status) in
        [("new", Some(GrantBegunBy::Nobody), StatusCode::FORBIDDEN), ("old", None, StatusCode::OK)]
    {
        parts
            .store
            .admin()
            .put_pending_grant(&state.to_owned().into(), &grant(begun_by), life)
            .await
            .unwrap();
        let made = format!(
            "{}/oauth/authorizations/new?response_type=code&client_id={CLIENT_ID}&scope=read&state={state}&redirect_uri={redirect}",
            app.sim.base_url_template().replace("{subdomain}", &account.subdomain())
        );
        let callback = browser.open(&made).await.location.unwrap();
        assert_eq!(browser.open(&callback).await.status, status, "{state}");
    }
    let page = browser.open(app.url("/integrations/zendesk/connect?state=old").as_str()).await;
    assert_eq!(page.status, StatusCode::GONE, "used");
}

#[tokio::test(flavor = "multi_thread")]
async fn people_are_told_before_it_surprises() {
    let (app, account) = started().await;
    let browser = Browser::new(&app.http);
    account.update_settings(|settings| settings.grant_as = Role::EndUser);
    let end = browser.open(&browser.press(&app.oauth_url(CUSTOMER, "acme").await).await).await;
    app.finished(app.connection(CUSTOMER, "acme").await).await;
    let page = browser.open(&end.location.unwrap()).await.text;
    assert!(page.contains("Everything is here") && page.contains("no list of all changes"), "{page}");

    // Where the grant shows whose it is, it is said at once.
    let body = json!({ "service": "ZENDESK", "zendesk_subdomain": "acme", "scopes": ["read"] });
    let url =
        app.post("/integrations/oauth_url", "bob", body).await["oauth_url"].as_str().unwrap().to_owned();
    assert!(browser.open(&url).await.text.contains("a wider permission"));
    let end = browser.open(&browser.press(&url).await).await;
    let page = browser.open(&end.location.unwrap()).await.text;
    assert!(page.contains("granted by an end user"), "{page}");

    account.inject(FaultRule::always(status(404)).on("/help_center/"));
    let end = browser.open(&browser.press(&app.oauth_url("carl", "acme").await).await).await;
    let progress = end.location.unwrap();
    let page = browser.open(&progress).await.text;
    assert!(page.contains("no help center in this account"), "{page}");
    assert!(page.contains("arrive by themselves"), "it still goes on: {page}");
    let connection = app.connection("carl", "acme").await;
    app.post("/integrations/items/sync/cancel", "carl", json!({ "data_source_id": connection.0 })).await;
    let page = browser.open(&progress).await.text;
    assert!(page.contains("to sync again") && !page.contains("arrive by themselves"), "{page}");
}

pub(crate) fn status(code: u16) -> Fault {
    Fault::Status { code, retry_after: None, body: FaultBody::Html }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_a_page_for_people_and_an_envelope_for_programs() {
    let (app, _account) = started().await;
    let browser = Browser::new(&app.http);
    let page = browser.open(app.url("/no/such/path").as_str()).await;
    assert_eq!(page.status, StatusCode::NOT_FOUND);
    assert!(page.text.contains("There is no such page") && page.policy.contains("default-src 'none'"));
    let page = browser.open(app.url("/integrations/zendesk/connect?state=%00").as_str()).await;
    assert_eq!(page.status, StatusCode::BAD_REQUEST);
    assert!(page.text.contains("This link does not work"), "{}", page.text);
    let (status, answer) = app.call(Method::GET, "/no/such/path", CUSTOMER, None).await;
    assert_eq!((status, answer), (StatusCode::NOT_FOUND, json!({ "detail": "path not found" })));
    let icon = app.http.get(app.url("/favicon.ico")).send().await.unwrap();
    assert_eq!(
        (icon.status(), icon.headers()["content-type"].to_str().unwrap()),
        (StatusCode::OK, "image/svg+xml")
    );
}
