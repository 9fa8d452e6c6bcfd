//! Choosing what is kept: by category, section, label, locale and audience.

use helpsync_model::EventKind;
use helpsync_store::Run;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use zendesk_sim::{Account, BodyProfile, Change, GenerateOptions, Role, TruthArticle, TruthSelectionFilter};

use crate::app::{Shape, TestApp, until};
use crate::copy::{assert_equal, assert_same, ours, selected};

const CUSTOMER: &str = "ada";
const PATH: &str = "/helpsync/v1/selection";

fn center(articles: usize) -> GenerateOptions {
    GenerateOptions {
        articles,
        restricted_fraction: 0.2,
        body_profile: BodyProfile::Small,
        ..GenerateOptions::default()
    }
}

fn body(selection: &TruthSelectionFilter) -> Value {
    json!({
        "category_ids": selection.categories, "section_ids": selection.sections, "labels": selection.labels,
        "locales": selection.locales, "public_only": selection.public_only,
    })
}

/// Selects, and waits for the run that this starts.
async fn select(app: &TestApp, selection: &TruthSelectionFilter) -> (Value, Run) {
    let (status, answer) = app.call(Method::PUT, PATH, CUSTOMER, Some(body(selection))).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert!(answer["run_id"].is_i64(), "{answer}");
    let run = app.finished(app.connection(CUSTOMER, "acme").await).await;
    (answer, run)
}

async fn assert_selected(app: &TestApp, account: &Account, selection: &TruthSelectionFilter) {
    assert_same(&selected(account, selection), &ours(app, CUSTOMER).await);
}

async fn deleted_events(app: &TestApp) -> usize {
    let parts = app.parts();
    let mut after = 0;
    let mut found = 0;
    loop {
        let events = parts.store.webhooks().events(parts.organization, after, 500).await.unwrap();
        let Some(last) = events.last() else { return found };
        after = last.id;
        found += events.iter().filter(|event| event.kind == EventKind::FileDeleted).count();
    }
}

/// The category that most articles are in, and another.
fn categories(account: &Account) -> (i64, i64) {
    let truth = account.truth();
    let mut all: Vec<i64> = truth.iter().map(|article| article.category_id).collect();
    all.sort_unstable();
    all.dedup();
    let size = |id: &i64| truth.iter().filter(|article| article.category_id == *id).count();
    all.sort_by_key(|id| std::cmp::Reverse(size(id)));
    (all[0], all[1])
}

fn find(account: &Account, fits: impl Fn(&TruthArticle) -> bool) -> TruthArticle {
    account.truth().into_iter().find(fits).unwrap()
}

async fn a_selection_is_kept_through_changes_and_taken_back(shape: Shape) {
    let app = TestApp::of(shape).await;
    let account = app.account("acme", center(600));
    app.connect(CUSTOMER, "acme").await;
    let all = ours(&app, CUSTOMER).await.len();

    let (category, other) = categories(&account);
    let section = find(&account, |article| article.category_id == other).section_id;
    let some = TruthSelectionFilter {
        categories: vec![category],
        sections: vec![section],
        locales: vec!["en-us".to_owned(), "fr".to_owned()],
        ..TruthSelectionFilter::default()
    };
    let (answer, run) = select(&app, &some).await;
    assert_selected(&app, &account, &some).await;
    let kept = ours(&app, CUSTOMER).await.len();
    // Far beyond the ceiling of removals: a person said what is to go.
    assert!(kept < all / 2, "{kept} of {all}");
    assert_eq!(run.counters.held, 0, "{run:?}");
    assert!(usize::try_from(run.counters.unselected).unwrap() >= all - kept, "{run:?}");
    assert!(answer["removed"].as_i64() > Some(0), "{answer}");
    assert_eq!(deleted_events(&app).await, all - kept);

    // The ledger has what is left out as well: removals are found by count and rank, and only ours are removed.
    account.apply_random(150, 5);
    let run = app.sync(CUSTOMER, "acme").await;
    assert_selected(&app, &account, &some).await;
    assert_eq!(run.counters.held, 0, "{run:?}");

    let (_, shown) = app.call(Method::GET, PATH, CUSTOMER, None).await;
    assert_eq!(shown["category_ids"], json!([category]));
    assert_eq!(shown["locales"], json!(["en-us", "fr"]));
    let (status, same) = app.call(Method::PUT, PATH, CUSTOMER, Some(body(&some))).await;
    assert_eq!((status, &same["run_id"]), (StatusCode::OK, &Value::Null), "nothing changed: {same}");

    select(&app, &TruthSelectionFilter::default()).await;
    assert_equal(&app, &account, CUSTOMER).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_selection_is_kept_through_changes_and_taken_back_embedded() {
    a_selection_is_kept_through_changes_and_taken_back(Shape::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_selection_is_kept_through_changes_and_taken_back_on_services() {
    a_selection_is_kept_through_changes_and_taken_back(Shape::Services).await;
}

/// A section's move shows in no article: each sync looks where the sections stand, at one request.
async fn what_moves_in_comes_and_what_moves_out_goes(role: Role) {
    let app = TestApp::embedded().await;
    let account = app.account("acme", center(250));
    account.update_settings(|settings| settings.grant_as = role);
    app.connect(CUSTOMER, "acme").await;
    let (category, other) = categories(&account);
    let some = TruthSelectionFilter { categories: vec![category], ..TruthSelectionFilter::default() };
    select(&app, &some).await;
    assert_selected(&app, &account, &some).await;

    let inside = find(&account, |article| article.category_id == category);
    let outside = find(&account, |article| article.category_id == other);
    let out = *inside.sections.last().unwrap();
    account.apply(Change::MoveSection { section_id: out, category_id: other }).unwrap();
    app.sync(CUSTOMER, "acme").await;
    assert!(!ours(&app, CUSTOMER).await.contains_key(&inside.id));
    assert_selected(&app, &account, &some).await;

    let into = *outside.sections.last().unwrap();
    account.apply(Change::MoveSection { section_id: into, category_id: category }).unwrap();
    let run = app.sync(CUSTOMER, "acme").await;
    assert!(ours(&app, CUSTOMER).await.contains_key(&outside.id), "{run:?}");
    assert_selected(&app, &account, &some).await;

    // Reading everything was for once.
    account.clear_requests();
    let run = app.sync(CUSTOMER, "acme").await;
    let spent = account.requests().iter().filter(|one| one.path.contains("/help_center/")).count();
    // By locale, each of three has its latest changes and its count.
    let most = if role == Role::EndUser { 2 + 2 * 3 } else { 4 };
    assert!(spent <= most, "an unchanged delta of selected places took {spent} requests");
    assert_eq!((run.counters.created, run.counters.removed), (0, 0), "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn sections_that_move_are_noticed_by_the_export() {
    what_moves_in_comes_and_what_moves_out_goes(Role::Agent).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sections_that_move_are_noticed_by_the_list() {
    what_moves_in_comes_and_what_moves_out_goes(Role::EndUser).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn articles_that_lose_what_they_were_chosen_for_go_at_the_next_delta_or_fetch() {
    let app = TestApp::embedded().await;
    let account = app.account("acme", center(200));
    app.connect(CUSTOMER, "acme").await;
    let label = find(&account, |article| !article.labels.is_empty()).labels[0].clone();
    let some = TruthSelectionFilter { labels: vec![label.clone()], ..TruthSelectionFilter::default() };
    select(&app, &some).await;
    assert_selected(&app, &account, &some).await;
    let kept: Vec<i64> = ours(&app, CUSTOMER).await.into_keys().collect();
    assert!(kept.len() >= 2, "{kept:?}");

    account.clear_requests();
    app.sync(CUSTOMER, "acme").await;
    let spent = account.requests().iter().filter(|one| one.path.contains("/help_center/")).count();
    assert!(spent <= 4, "labels cost no request more: {spent}");

    account.apply(Change::Relabel { id: kept[0], labels: vec!["other".to_owned()] }).unwrap();
    let new = find(&account, |article| !kept.contains(&article.id)).id;
    account.apply(Change::Relabel { id: new, labels: vec![label] }).unwrap();
    app.sync(CUSTOMER, "acme").await;
    let now = ours(&app, CUSTOMER).await;
    assert!(!now.contains_key(&kept[0]) && now.contains_key(&new));
    assert_selected(&app, &account, &some).await;

    // One article, asked for by itself.
    account.apply(Change::Relabel { id: kept[1], labels: Vec::new() }).unwrap();
    let files = app
        .post(
            "/user_files_v2",
            CUSTOMER,
            json!({ "filters": { "external_file_ids": [kept[1].to_string()] } }),
        )
        .await;
    app.post("/resync_file", CUSTOMER, json!({ "file_id": files["results"][0]["id"] })).await;
    until("the article to go", async || (!ours(&app, CUSTOMER).await.contains_key(&kept[1])).then_some(()))
        .await;
    assert_selected(&app, &account, &some).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_article_of_a_section_that_nobody_knew_is_placed_before_it_is_judged() {
    let app = TestApp::embedded().await;
    let account = app.account("acme", center(60));
    app.connect(CUSTOMER, "acme").await;
    let (category, _) = categories(&account);
    let some = TruthSelectionFilter { categories: vec![category], ..TruthSelectionFilter::default() };
    select(&app, &some).await;
    let article = find(&account, |article| article.category_id == category);
    let files = app
        .post(
            "/user_files_v2",
            CUSTOMER,
            json!({ "filters": { "external_file_ids": [article.id.to_string()] } }),
        )
        .await;
    let section = account.apply(Change::AddSection { category_id: category }).unwrap().article;
    account.apply(Change::Move { id: article.id, section_id: section }).unwrap();
    app.post("/resync_file", CUSTOMER, json!({ "file_id": files["results"][0]["id"] })).await;
    let connection = app.connection(CUSTOMER, "acme").await;
    app.finished(connection).await;
    assert_selected(&app, &account, &some).await;
    assert!(ours(&app, CUSTOMER).await.contains_key(&article.id));
}

#[tokio::test(flavor = "multi_thread")]
async fn in_public_mode_what_is_for_some_is_neither_kept_nor_stored() {
    let app = TestApp::embedded().await;
    let account = app.account("acme", center(200));
    app.connect(CUSTOMER, "acme").await;
    let before = ours(&app, CUSTOMER).await.len();
    let public = TruthSelectionFilter { public_only: true, ..TruthSelectionFilter::default() };
    let (answer, _) = select(&app, &public).await;
    assert_selected(&app, &account, &public).await;
    let now = ours(&app, CUSTOMER).await.len();
    assert!(now < before);
    assert_eq!(answer["removed"], json!(before - now), "at once, not when the run comes to it");
    assert_eq!(deleted_events(&app).await, before - now);

    let id = find(&account, |article| article.user_segment_id.is_none()).id;
    account.apply(Change::Restrict { id }).unwrap();
    app.sync(CUSTOMER, "acme").await;
    assert_selected(&app, &account, &public).await;

    select(&app, &TruthSelectionFilter::default()).await;
    assert_equal(&app, &account, CUSTOMER).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_selections_are_refused_with_the_field_and_change_nothing() {
    let app = TestApp::embedded().await;
    app.account("acme", center(5));
    let (status, answer) = app.call(Method::PUT, PATH, CUSTOMER, Some(json!({}))).await;
    assert_eq!(status, StatusCode::CONFLICT, "nothing is connected: {answer}");
    app.connect(CUSTOMER, "acme").await;
    for (wrong, field) in [
        (json!({ "category_ids": [-1] }), "category_ids"),
        (json!({ "section_ids": "all" }), "section_ids"),
        (json!({ "labels": [" "] }), "labels"),
        (json!({ "locales": ["../x"] }), "locales"),
        (json!({ "brand_ids": [1] }), "brand_ids"),
    ] {
        let (status, answer) = app.call(Method::PUT, PATH, CUSTOMER, Some(wrong.clone())).await;
        assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong}");
        assert!(answer.to_string().contains(field), "{wrong}: {answer}");
    }
    let (status, shown) = app.call(Method::GET, PATH, CUSTOMER, None).await;
    assert_eq!((status, &shown["category_ids"]), (StatusCode::OK, &json!([])));
    // A customer's token may look and not select.
    let token = app.http.get(app.url("/auth/v1/access_token")).bearer_auth(crate::app::API_KEY);
    let token: Value = token.header("customer-id", CUSTOMER).send().await.unwrap().json().await.unwrap();
    let token = format!("Token {}", token["access_token"].as_str().unwrap());
    let by_token = |method: Method| {
        app.http.request(method, app.url(PATH)).header("authorization", &token).json(&json!({})).send()
    };
    assert_eq!(by_token(Method::GET).await.unwrap().status(), StatusCode::OK);
    assert_eq!(by_token(Method::PUT).await.unwrap().status(), StatusCode::FORBIDDEN);
    let nobody = app.http.put(app.url(PATH)).json(&json!({})).send().await.unwrap();
    assert_eq!(nobody.status(), StatusCode::UNAUTHORIZED);
}
