//! The life of tokens: refreshed once whoever asks, lost answers, grants that are dead.

use futures::future::join_all;
use helpsync_model::{ConnectionState, Subdomain};
use serde_json::json;
use zendesk_sim::{BodyProfile, Fault, FaultRule, GenerateOptions, OauthClient, TokenLifetime};

use crate::app::{CLIENT_ID, CLIENT_SECRET, Shape, TestApp, until};
use crate::copy::{assert_equal, ours};

const CUSTOMER: &str = "ada";
const USERS: usize = 1_000;

fn small(articles: usize) -> GenerateOptions {
    GenerateOptions { articles, body_profile: BodyProfile::Small, ..GenerateOptions::default() }
}

fn refreshes(account: &zendesk_sim::Account) -> usize {
    account.requests().iter().filter(|request| request.path == "/oauth/tokens").count()
}

/// A thousand users of an expired token, spread over the installation's processes.
async fn refreshed_once(shape: Shape) {
    let app = TestApp::of(shape).await;
    let account = app.account("acme", small(5));
    let run = app.connect(CUSTOMER, "acme").await.id;
    let connection = app.connection(CUSTOMER, "acme").await;
    account.expire_access_tokens();
    account.clear_requests();
    let acme = Subdomain::parse("acme").unwrap();
    let counts = join_all((0..USERS).map(|number| {
        let parts = app.processes[number % app.processes.len()].parts();
        let user = parts.accounts.connected(parts.organization, connection, Some(run), &acme, &acme).unwrap();
        // The budget lets four requests in at once; whoever is told to wait asks again.
        async move { until("an answer", async || user.client.count_articles().await.ok()).await.value }
    }));
    assert!(counts.await.into_iter().all(|count| count == 5));
    assert_eq!(refreshes(&account), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_users_of_an_expired_token_refresh_it_once() {
    refreshed_once(Shape::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_users_in_three_processes_refresh_it_once() {
    refreshed_once(Shape::Services).await;
}

/// The answer to a refresh is lost on its way: at Zendesk the old pair is spent, here it is all there is.
#[tokio::test(flavor = "multi_thread")]
async fn a_lost_refresh_answer_costs_nothing_where_zendesk_gives_it_again() {
    let app = TestApp::embedded().await;
    let account = app.account("acme", small(10));
    account.update_settings(|settings| settings.refresh_grace_seconds = 300);
    app.connect(CUSTOMER, "acme").await;
    account.expire_access_tokens();
    account.inject(FaultRule::once(Fault::TruncatedBody { after_bytes: 5 }).on("/oauth/tokens"));
    app.sync(CUSTOMER, "acme").await;
    assert_equal(&app, &account, CUSTOMER).await;
    assert_eq!(refreshes(&account), 3, "the grant, the lost answer, and the same again");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_refresh_answer_ends_in_a_clear_reconnect_where_zendesk_does_not() {
    let app = TestApp::embedded().await;
    let account = app.account("acme", small(10));
    app.connect(CUSTOMER, "acme").await;
    account.expire_access_tokens();
    account.inject(FaultRule::once(Fault::TruncatedBody { after_bytes: 5 }).on("/oauth/tokens"));
    app.post("/helpsync/v1/sync", CUSTOMER, json!({ "customer_id": CUSTOMER })).await;
    let connection = app.connection(CUSTOMER, "acme").await;
    let parts = app.parts();
    let paused = until("the connection to be paused", async || {
        let now = parts.store.admin().connection(parts.organization, connection).await.unwrap();
        (now.state == ConnectionState::Paused).then_some(now)
    })
    .await;
    assert!(paused.pause_reason.unwrap().contains("reconnect the workspace"));
    assert_eq!(ours(&app, CUSTOMER).await.len(), account.truth().len(), "nothing was taken for gone");
    app.connect(CUSTOMER, "acme").await;
    assert_equal(&app, &account, CUSTOMER).await;
}

/// A white-label client of the organization's own, known to the help center too.
async fn white_label(app: &TestApp, account: &zendesk_sim::Account, name: &str) {
    let redirect = app.url("/integrations/zendesk").to_string();
    account.add_client(OauthClient {
        client_id: name.to_owned(),
        client_secret: Some(format!("secret of {name}")),
        redirect_uris: vec![redirect.clone()],
        lifetime: TokenLifetime::Expiring,
    });
    let credentials =
        json!({ "client_id": name, "client_secret": format!("secret of {name}"), "redirect_uri": redirect });
    let record = json!([{ "data_source_type": "ZENDESK", "credentials": credentials }]);
    app.post("/white_label/create", CUSTOMER, record).await;
}

/// What older clients were granted stays theirs: to exchange, when a newer client comes in between, and to refresh.
#[tokio::test(flavor = "multi_thread")]
async fn a_grant_lives_on_with_the_client_that_it_was_made_with() {
    let app = TestApp::embedded().await;
    let account = app.account("acme", small(10));
    app.connect("by the default client", "acme").await;
    white_label(&app, &account, "first").await;
    app.connect("by the first", "acme").await;
    let begun = app.consent(&app.oauth_url("begun by the first", "acme").await).await;
    white_label(&app, &account, "second").await;
    let ended = app.http.get(begun).send().await.unwrap();
    assert!(ended.status().is_success(), "{}", ended.text().await.unwrap());
    let connection = app.connection("begun by the first", "acme").await;
    app.finished(connection).await;
    app.connect("by the second", "acme").await;
    account.expire_access_tokens();
    account.clear_requests();
    for customer in ["by the default client", "by the first", "begun by the first", "by the second"] {
        app.sync(customer, "acme").await;
        assert_equal(&app, &account, customer).await;
    }
    assert_eq!(refreshes(&account), 4);
}

/// Clients from before Zendesk's rotation: no expiry, no refresh token.
#[tokio::test(flavor = "multi_thread")]
async fn an_old_style_token_is_never_refreshed() {
    let app = TestApp::embedded().await;
    let account = app.account("acme", small(10));
    account.add_client(OauthClient {
        client_id: CLIENT_ID.to_owned(),
        client_secret: Some(CLIENT_SECRET.to_owned()),
        redirect_uris: Vec::new(),
        lifetime: TokenLifetime::Never,
    });
    app.connect(CUSTOMER, "acme").await;
    app.sync(CUSTOMER, "acme").await;
    assert_eq!(refreshes(&account), 1, "the grant alone");
    assert_equal(&app, &account, CUSTOMER).await;
}
