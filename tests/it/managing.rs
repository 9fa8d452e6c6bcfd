//! Pages once access is granted: how the sync goes, live; what is synced, and changing it; all of it in a browser.

use std::process::Stdio;

use helpsync_model::{KeyScope, OrganizationId};
use helpsync_store::NewApiKey;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use zendesk_sim::{Consent, Fault, FaultRule};

use crate::app::{API_KEY, LATE, Shape, TestApp, real_time, small, until};
use crate::browser::Browser;
use crate::copy::ours;
use crate::pages::{CUSTOMER, sources, started, status};
use crate::sdk::{node, root};

/// Streams of one workspace, as the API bounds them.
const STREAMS_OF_ONE: usize = 8;

/// The page's address, by a key of the organization.
pub(crate) async fn manage_url(app: &TestApp, key: &str) -> String {
    let request =
        app.http.post(app.url("/helpsync/v1/manage_url")).bearer_auth(key).header("customer-id", CUSTOMER);
    let answer: Value = request.json(&json!({})).send().await.unwrap().json().await.unwrap();
    answer["manage_url"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_managing_page_syncs_selects_and_disconnects_and_only_when_its_buttons_are_pressed() {
    let (app, _account) = started().await;
    app.connect(CUSTOMER, "acme").await;
    let connection = app.connection(CUSTOMER, "acme").await;
    let url = manage_url(&app, API_KEY).await;
    let browser = Browser::new(&app.http);
    let runs = async || {
        app.parts().store.admin().runs(OrganizationId(1), Some(connection), 100).await.unwrap().len()
    };
    let before = runs().await;
    let page = browser.open(&url).await;
    assert_eq!(page.status, StatusCode::OK, "{}", page.text);
    for acts in ["&do=sync", "&do=disconnect", "&done=disconnect"] {
        let page = browser.open(&format!("{url}{acts}")).await;
        assert!(!page.text.contains("role=\"status\""), "nobody can have it say so: {}", page.text);
    }
    assert_eq!((runs().await, sources(&app).await), (before, 1), "nothing acts on GET");
    let token = page.field("form_token");
    let press = async |fields: &[(&str, &str)]| {
        let mut all = vec![("form_token", token.as_str())];
        all.extend_from_slice(fields);
        browser.send(&url, &all).await
    };
    let disconnect = [("form_token", token.as_str()), ("do", "disconnect")];
    let evil = browser.send_from(&url, &disconnect, "cross-site", "https://evil.example");
    assert_eq!(evil.await.status, StatusCode::FORBIDDEN);
    let stranger = Browser::new(&app.http).send(&url, &[("form_token", &token), ("do", "disconnect")]).await;
    assert_eq!(stranger.status, StatusCode::FORBIDDEN);

    assert_eq!(press(&[("do", "sync")]).await.status, StatusCode::SEE_OTHER);
    app.finished(connection).await;
    assert_eq!(runs().await, before + 1);

    let section = page.fields("section").pop().unwrap();
    let chosen = [
        ("do", "select"),
        ("section", section.as_str()),
        ("labels", "a, B\r\nc"),
        ("locales", "DE"),
        ("public_only", "yes"),
        ("sure", "1"),
    ];
    assert_eq!(press(&chosen).await.status, StatusCode::SEE_OTHER);
    let (_, kept) = app.call(Method::GET, "/helpsync/v1/selection", CUSTOMER, None).await;
    assert_eq!(kept["section_ids"][0].to_string(), section);
    assert_eq!(
        (&kept["labels"], &kept["locales"], &kept["public_only"]),
        (&json!(["a, B", "c"]), &json!(["de"]), &json!(true))
    );
    app.ended(connection).await;
    let refused =
        [("form_token", token.as_str()), ("do", "select"), ("locales", "e n"), ("labels", "typed\nonce")];
    let wrong = browser.send_and_see(&url, &refused).await;
    assert_eq!(wrong.status, StatusCode::OK);
    for kept in ["That could not be saved. Languages: ", ">e n</textarea>", ">typed\nonce</textarea>"] {
        assert!(wrong.text.contains(kept), "{kept}: {}", wrong.text);
    }
    let is_chosen = |page: &str| page.contains(&format!("name=\"section\" value=\"{section}\" checked"));
    let saved = Browser::new(&app.http).open(&url).await.text;
    assert!(is_chosen(&saved) && !is_chosen(&wrong.text), "the form is as it was posted: {}", wrong.text);
    assert!(browser.open(&url).await.text.contains(">e n</textarea>"));
    // What is too long for a cookie is shown at once.
    let long = "x".repeat(5_000);
    let direct = press(&[("do", "select"), ("locales", "e n"), ("labels", &long)]).await;
    assert_eq!(direct.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert!(direct.text.contains(&long) && direct.text.contains("That could not be saved"));
    assert_eq!(press(&chosen).await.status, StatusCode::SEE_OTHER);
    assert!(!browser.open(&url).await.text.contains("That could not be saved"), "it was put right");

    let asked = browser.send_and_see(&url, &[("form_token", token.as_str()), ("do", "ask")]).await;
    assert!(asked.text.contains("Disconnect acme?") && sources(&app).await == 1, "{}", asked.text);
    let gone = press(&[("do", "disconnect")]).await;
    let gone = browser.open(&format!("{}{}", url.split('?').next().unwrap(), gone.location.unwrap())).await;
    assert!(gone.text.contains("role=\"status\"") && gone.text.contains("disconnected"), "{}", gone.text);
    let (_, state) = app.call(Method::GET, "/helpsync/v1/customers/ada", CUSTOMER, None).await;
    assert_eq!(state["workspace"], Value::Null, "{state}");
    assert!(browser.open(&url).await.text.contains("No Zendesk workspace is connected"));
}

#[tokio::test(flavor = "multi_thread")]
async fn files_go_by_a_selection_only_when_the_person_has_seen_how_many() {
    let (app, _account) = started().await;
    app.connect(CUSTOMER, "acme").await;
    let url = manage_url(&app, API_KEY).await;
    let browser = Browser::new(&app.http);
    let token = browser.open(&url).await.field("form_token");
    let files = ours(&app, CUSTOMER).await.len();
    let typed = [("form_token", token.as_str()), ("do", "select"), ("labels", "no-such\nlabel")];
    let asked = browser.send(&url, &typed).await;
    assert_eq!(asked.status, StatusCode::OK, "{:?}", asked.location);
    assert!(asked.text.contains(&format!("{files} articles")), "{}", asked.text);
    assert_eq!(ours(&app, CUSTOMER).await.len(), files, "nothing is gone yet");
    // Whoever goes back finds what was typed.
    let back = browser.send_and_see(&url, &[&typed[..], &[("back", "1")]].concat()).await;
    assert!(back.text.contains(">no-such\nlabel</textarea>"), "{}", back.text);
    assert_eq!(ours(&app, CUSTOMER).await.len(), files);
    let sure = browser.send(&url, &[&typed[..], &[("sure", "1")]].concat()).await;
    assert_eq!(sure.status, StatusCode::SEE_OTHER);
    assert!(ours(&app, CUSTOMER).await.is_empty());
    assert!(!browser.open(&url).await.text.contains("Save removes"), "it is done");
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_paused_is_not_told_that_all_goes_well() {
    let (app, _account) = started().await;
    app.connect(CUSTOMER, "acme").await;
    let url = manage_url(&app, API_KEY).await;
    let browser = Browser::new(&app.http);
    for place in ["customers/ada", "lanes/on_demand"] {
        app.post(&format!("/helpsync/v1/{place}/pause"), CUSTOMER, json!({})).await;
        let page = browser.open(&url).await;
        let sent = [("form_token", page.field("form_token")), ("do", "sync".to_owned())];
        let sent = sent.each_ref().map(|(name, value)| (*name, value.as_str()));
        let told = browser.send_and_see(&url, &sent).await.text;
        assert!(told.contains("It is paused") && !told.contains("A sync was started"), "{place}: {told}");
        assert!(!told.contains("up to date") && !told.contains("being synced"), "{place}: {told}");
        let watch = told.split("href=\"progress?").nth(1).unwrap().split('"').next().unwrap();
        let progress = app.url(&format!("/integrations/zendesk/progress?{watch}"));
        let progress = browser.open(progress.as_str()).await.text;
        assert!(
            progress.contains("It is paused") && !progress.contains("in a moment"),
            "{place}: {progress}"
        );
        app.post(&format!("/helpsync/v1/{place}/resume"), CUSTOMER, json!({})).await;
        app.finished(app.connection(CUSTOMER, "acme").await).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_managing_link_ends_with_its_key_and_is_for_one_customer() {
    let (app, _account) = started().await;
    app.connect(CUSTOMER, "acme").await;
    let admin = app.parts().store.admin();
    let key =
        NewApiKey { name: "k".to_owned(), scope: KeyScope::Admin, expires_at: None, prefix: String::new() };
    let secret = "a-second-key-of-enough-length";
    let made = admin
        .create_api_key(app.parts().organization, &key, &secret.to_owned().into())
        .await
        .unwrap()
        .unwrap();
    let url = manage_url(&app, secret).await;
    let browser = Browser::new(&app.http);
    assert_eq!(browser.open(&url).await.status, StatusCode::OK);
    assert!(admin.revoke_api_key(app.parts().organization, made.id).await.unwrap());
    assert_eq!(browser.open(&url).await.status, StatusCode::GONE);
    for forged in ["", "?token=", "?token=x.y"] {
        let address = app.url(&format!("/integrations/zendesk/manage{forged}"));
        let page = browser.open(address.as_str()).await;
        assert_eq!(page.status, StatusCode::BAD_REQUEST, "{forged}");
        assert!(page.text.contains("is not valid"), "{}", page.text);
    }
    for seconds in [59, 604_801, -1] {
        let body = json!({ "expires_in_seconds": seconds });
        let (status, _) = app.call(Method::POST, "/helpsync/v1/manage_url", CUSTOMER, Some(body)).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{seconds}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_tell_how_the_sync_goes_and_are_bounded() {
    let (app, account) = started().await;
    let browser = Browser::new(&app.http);
    // Zendesk does not answer the sync yet: it stays under way.
    account.inject(FaultRule::always(status(503)).on("/help_center/"));
    let end = browser.open(&browser.press(&app.oauth_url(CUSTOMER, "acme").await).await).await;
    let events = end.location.unwrap().replace("/progress?", "/progress/events?");
    let mut open = Vec::new();
    for _ in 0..STREAMS_OF_ONE {
        let mut stream = app.http.get(&events).send().await.unwrap();
        assert_eq!(stream.headers()["content-type"], "text/event-stream");
        let first = String::from_utf8(stream.chunk().await.unwrap().unwrap().to_vec()).unwrap();
        assert!(first.contains("event: state") && first.contains("acme is connected"), "{first}");
        open.push(stream);
    }
    assert_eq!(app.http.get(&events).send().await.unwrap().status(), StatusCode::SERVICE_UNAVAILABLE);
    account.clear_faults();
    let mut last = String::new();
    let mut stream = open.pop().unwrap();
    while let Some(piece) = stream.chunk().await.unwrap() {
        last += &String::from_utf8_lossy(&piece);
    }
    assert!(
        last.contains("event: end") && last.contains("Everything is here"),
        "it tells the end, and ends: {last}"
    );
    drop(open);
    until("room for another", async || {
        let answer = app.http.get(&events).send().await.unwrap();
        (answer.status() == StatusCode::OK).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_connects_watches_changes_and_disconnects_in_a_browser() {
    let app = TestApp::embedded().await;
    let account = app.account("acme", small(60));
    account.update_settings(|settings| settings.consent = Consent::PermitRequest);
    let pictures = root().join("target/pages");
    std::fs::create_dir_all(&pictures).unwrap();
    let url = app.url("/").to_string();
    let output = node(&root().join("tests/browser/pages.js"))
        .env("HELPSYNC_URL", url.trim_end_matches('/'))
        .env("HELPSYNC_KEY", API_KEY)
        .env("HELPSYNC_CUSTOMER", CUSTOMER)
        .env("HELPSYNC_SUBDOMAIN", "acme")
        .env("HELPSYNC_ZENDESK", app.sim.base_url_template().replace("{subdomain}", "acme"))
        .env("HELPSYNC_BACK", "https://app.example.com/settings")
        .env("HELPSYNC_SCREENSHOTS", pictures)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(LATE, output).await.expect("the browser ends in time").unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sync_that_a_disabled_help_center_stopped_says_so_on_the_managing_page_and_on_that_of_its_progress()
{
    let app =
        TestApp::start(Shape::Embedded, &[("HELPSYNC_WORKER__SHARD_ATTEMPTS_MAX", "1")], real_time()).await;
    let account = app.account("acme", small(5));
    app.connect(CUSTOMER, "acme").await;
    let connection = app.connection(CUSTOMER, "acme").await;
    account.inject(FaultRule::always(Fault::HelpCenterDisabled).on("help_center"));
    let url = manage_url(&app, API_KEY).await;
    let browser = Browser::new(&app.http);
    let page = browser.open(&url).await;
    let token = page.field("form_token");
    let pressed = browser.send(&url, &[("form_token", token.as_str()), ("do", "sync")]).await;
    assert_eq!(pressed.status, StatusCode::SEE_OTHER);
    app.ended(connection).await;
    let said = "Zendesk shows no help center in this account";
    let page = browser.open(&url).await;
    assert!(page.text.contains(said), "{}", page.text);
    let progress = page.text.split("progress?token=").nth(1).and_then(|rest| rest.split('"').next());
    let progress = format!("/integrations/zendesk/progress?token={}", progress.unwrap());
    let page = browser.open(app.url(&progress).as_str()).await;
    assert!(page.text.contains(said) && page.text.contains("stopped"), "{}", page.text);
}
