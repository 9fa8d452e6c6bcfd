//! Author names and content tag names come along, at next to no request.

use reqwest::Method;
use serde_json::{Value, json};
use zendesk_sim::{Account, BodyProfile, Fault, FaultBody, FaultRule, GenerateOptions, Role};

use crate::app::TestApp;

const CUSTOMER: &str = "ada";
const TAGS: &str = "/api/v2/guide/content_tags";

fn center() -> GenerateOptions {
    GenerateOptions { articles: 120, body_profile: BodyProfile::Small, ..GenerateOptions::default() }
}

fn asked(account: &Account) -> usize {
    account.requests().iter().filter(|request| request.path.ends_with(TAGS)).count()
}

/// Every file with its names.
async fn details(app: &TestApp) -> Vec<Value> {
    let mut request = app.http.request(Method::GET, app.url("/helpsync/v1/export"));
    request = request.bearer_auth(crate::app::API_KEY).header("customer-id", CUSTOMER);
    let text = request.send().await.unwrap().text().await.unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

async fn names_are_those_of_the_help_center(role: Role) {
    let app = TestApp::embedded().await;
    let account = app.account("acme", center());
    account.update_settings(|settings| settings.grant_as = role);
    app.connect(CUSTOMER, "acme").await;
    let truth = account.truth();
    let details = details(&app).await;
    assert_eq!(details.len(), truth.len());
    let mut tagged = 0;
    for article in &truth {
        let id = article.id.to_string();
        let held = details.iter().find(|held| held["external_file_id"] == json!(id)).unwrap();
        assert_eq!(held["author_name"], json!(account.user_name(article.author_id)), "{id}");
        let tags: Vec<Value> =
            article.content_tags.iter().map(|(id, name)| json!({ "id": id, "name": name })).collect();
        assert_eq!(held["content_tags"], json!(tags), "{id}");
        tagged += tags.len();
    }
    assert!(tagged > 0);
    assert!(!details[0].to_string().contains("@"), "no address of anybody: {}", details[0]);
    assert!((1..=3).contains(&asked(&account)), "{}", asked(&account));

    app.post("/helpsync/v1/sync", CUSTOMER, json!({ "customer_id": CUSTOMER, "full": true })).await;
    app.finished(app.connection(CUSTOMER, "acme").await).await;
    assert!(asked(&account) <= 3, "known tags are not asked for again");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_those_of_the_help_center_by_export() {
    names_are_those_of_the_help_center(Role::Agent).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_those_of_the_help_center_by_list() {
    names_are_those_of_the_help_center(Role::EndUser).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tags_that_are_not_told_hinder_nothing_and_are_asked_for_once() {
    let app = TestApp::embedded().await;
    let account = app.account("acme", center());
    let refused = Fault::Status { code: 403, retry_after: None, body: FaultBody::Json };
    account.inject(FaultRule::always(refused).on(TAGS));
    app.connect(CUSTOMER, "acme").await;
    crate::copy::assert_equal(&app, &account, CUSTOMER).await;
    let details = details(&app).await;
    let tag = details.iter().find_map(|held| held["content_tags"].get(0)).unwrap();
    assert!(tag["id"].is_string() && tag["name"].is_null(), "{tag}");
    let before = asked(&account);
    assert!((1..=3).contains(&before), "{before}");
    app.post("/helpsync/v1/sync", CUSTOMER, json!({ "customer_id": CUSTOMER, "full": true })).await;
    app.finished(app.connection(CUSTOMER, "acme").await).await;
    assert_eq!(asked(&account), before);
}
