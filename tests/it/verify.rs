//! Comparing a copy with its help center: every difference is told with its cause, nothing is changed, and what is
//! asked to be mended is.

use std::collections::{BTreeMap, BTreeSet};

use helpsync_model::Plan;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use zendesk_sim::{Change, Fault, FaultBody, FaultRule, Role};

use crate::app::{API_KEY, Shape, TestApp, small};
use crate::copy::ours;
use crate::pages::status;

const CUSTOMER: &str = "ada";

/// The lines of a comparison: differences by article, and the last line.
async fn verify(app: &TestApp, body: Value) -> (BTreeMap<i64, String>, Value) {
    let (lines, last) = compared(app, body).await;
    let causes = lines
        .iter()
        .map(|line| (line["article_id"].as_i64().unwrap(), line["cause"].as_str().unwrap().to_owned()));
    (causes.collect(), last)
}

/// The lines of a comparison as they are, the last one apart.
pub(crate) async fn compared(app: &TestApp, body: Value) -> (Vec<Value>, Value) {
    let request = app.http.post(app.url("/helpsync/v1/verify")).bearer_auth(API_KEY).json(&body);
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    let text = answer.text().await.unwrap();
    let lines = text.lines().filter(|line| !line.is_empty());
    let mut lines: Vec<Value> = lines.map(|line| serde_json::from_str(line).unwrap()).collect();
    let last = lines.pop().unwrap();
    (lines, last)
}

async fn a_comparison_tells_every_difference_and_changes_nothing(shape: Shape) {
    let app = TestApp::of(shape).await;
    let acme = app.account("acme", small(250));
    let run = app.connect(CUSTOMER, "acme").await;
    let whole = json!({ "customer_id": CUSTOMER });
    acme.clear_requests();
    let (differences, last) = verify(&app, whole.clone()).await;
    assert!(differences.is_empty(), "{differences:?}");
    assert_eq!((&last["totals"]["shown"], &last["totals"]["requests"]), (&json!(250), &json!(1)));
    assert_eq!(acme.requests().len(), 1, "the fewest requests: one page of the export");

    let ids = acme.article_ids();
    acme.apply(Change::Edit { id: ids[0], title: None, body: Some("<p>New.</p>".to_owned()) }).unwrap();
    acme.apply(Change::Delete { id: ids[1] }).unwrap();
    acme.apply(Change::Unpublish { id: ids[2], locale: None }).unwrap();
    acme.apply(Change::Restrict { id: ids[3] }).unwrap();
    let (title, body) = ("One more".to_owned(), "<p>More.</p>".to_owned());
    acme.apply(Change::Create { section_id: None, title, body, draft: false }).unwrap();
    let new: Vec<i64> = acme.article_ids().into_iter().filter(|id| !ids.contains(id)).collect();
    let before = ours(&app, CUSTOMER).await;
    let (differences, last) = verify(&app, whole.clone()).await;
    let expected = [
        (ids[0], "newer_there"),
        (ids[1], "not_shown"),
        (ids[2], "draft"),
        (ids[3], "not_shown"),
        (new[0], "missing_here"),
    ];
    let expected: BTreeMap<i64, String> =
        expected.into_iter().map(|(id, cause)| (id, cause.to_owned())).collect();
    assert_eq!(differences, expected);
    assert_eq!(last["totals"]["by_cause"]["not_shown"], 2);
    assert!(last["repaired_by_run"].is_null(), "{last}");
    assert_eq!(ours(&app, CUSTOMER).await, before, "it changes nothing");
    let (_, runs) = app.call(Method::GET, "/helpsync/v1/runs", CUSTOMER, None).await;
    assert_eq!(runs["runs"].as_array().unwrap().len(), 1, "and starts nothing");

    let (_, last) = verify(&app, json!({ "customer_id": CUSTOMER, "repair": true })).await;
    assert!(last["repaired_by_run"].is_i64(), "{last}");
    app.finished(run.connection).await;
    let (differences, _) = verify(&app, whole).await;
    assert!(differences.is_empty(), "{differences:?}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn embedded_a_comparison_tells_every_difference_and_changes_nothing() {
    a_comparison_tells_every_difference_and_changes_nothing(Shape::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn services_a_comparison_tells_every_difference_and_changes_nothing() {
    a_comparison_tells_every_difference_and_changes_nothing(Shape::Services).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_comparison_that_breaks_off_says_why_in_its_last_line() {
    let app = TestApp::embedded().await;
    let acme = app.account("acme", small(30));
    app.connect(CUSTOMER, "acme").await;
    let whole = json!({ "customer_id": CUSTOMER });
    let estimate = format!("/helpsync/v1/estimate?customer_id={CUSTOMER}");
    acme.inject(FaultRule::always(status(400)).on("help_center"));
    let (_, last) = compared(&app, whole.clone()).await;
    assert_eq!(last["broke_off"]["cause"], "other", "{last}");
    assert!(last["broke_off"]["reason"].as_str().unwrap().contains("400"), "{last}");
    assert_eq!(app.call(Method::GET, &estimate, CUSTOMER, None).await.0, StatusCode::CONFLICT);
    acme.clear_faults();
    acme.inject(FaultRule::always(status(500)).on("help_center"));
    let (answered, answer) = app.call(Method::GET, &estimate, CUSTOMER, None).await;
    assert_eq!(answered, StatusCode::SERVICE_UNAVAILABLE, "{answer}");
    assert!(answer["detail"].as_str().unwrap().ends_with(": try again in some minutes"), "{answer}");
    acme.clear_faults();
    acme.revoke_tokens();
    let (_, last) = compared(&app, whole).await;
    assert_eq!(last["broke_off"]["cause"], "grant", "{last}");
    app.stop().await;
}

/// Whoever has the export can work out what the receipt says of it.
#[tokio::test(flavor = "multi_thread")]
async fn the_digest_of_a_receipt_is_that_of_the_export() {
    let app = TestApp::embedded().await;
    app.account("acme", small(40));
    let run = app.connect(CUSTOMER, "acme").await;
    let request = app.http.get(app.url("/helpsync/v1/export")).bearer_auth(API_KEY);
    let text = request.header("customer-id", CUSTOMER).send().await.unwrap().text().await.unwrap();
    let mut held = BTreeMap::new();
    for line in text.lines() {
        let file: Value = serde_json::from_str(line).unwrap();
        let article: i64 = file["external_file_id"].as_str().unwrap().parse().unwrap();
        held.insert(article, file["content_hash"].as_str().unwrap().to_owned());
    }
    let lines: String = held.iter().map(|(article, hash)| format!("{article}:{hash}\n")).collect();
    let (_, receipt) = app.call(Method::GET, &format!("/helpsync/v1/runs/{}", run.id), CUSTOMER, None).await;
    assert_eq!(receipt["digest"], hex::encode(Sha256::digest(lines)));
    assert_eq!(receipt["files"], 40);
    app.stop().await;
}

/// What a first sync took by its own receipt, and what is estimated.
async fn taken_and_estimated(app: &TestApp, name: &str, plan: Plan) -> (i64, i64) {
    let run = app.connect(name, name).await;
    assert_eq!(run.plan, Some(plan), "{run:?}");
    let (_, estimate) =
        app.call(Method::GET, &format!("/helpsync/v1/estimate?customer_id={name}"), name, None).await;
    let one = &estimate["help_centers"][0];
    assert_eq!(one["plan"], plan.as_str(), "{estimate}");
    (run.counters.requests, one["requests"].as_i64().unwrap())
}

/// Not every grant shows brands, and articles may bring the whole tree: each is asked for or not. Names of tags are asked for
/// by each shard that meets them first.
const ESTIMATE_DIFFERS_MAX: i64 = 3;

#[tokio::test(flavor = "multi_thread")]
async fn an_estimate_is_what_a_first_sync_takes_whatever_the_plan() {
    let app = TestApp::embedded().await;
    for (name, articles, role, locale_required, plan) in [
        ("exported", 2_600, Role::Agent, None, Plan::Export),
        ("small", 30, Role::Agent, None, Plan::Export),
        ("numbered", 1_250, Role::EndUser, None, Plan::OffsetPages),
        ("by-locale", 420, Role::EndUser, Some(404), Plan::Locales),
    ] {
        let account = app.account(name, small(articles));
        account.update_settings(|settings| {
            settings.grant_as = role;
            settings.locale_required = locale_required;
        });
        let (taken, estimated) = taken_and_estimated(&app, name, plan).await;
        assert!(
            taken.abs_diff(estimated) <= ESTIMATE_DIFFERS_MAX.unsigned_abs(),
            "{name}: {taken}, {estimated}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_estimate_starts_nothing_and_freshness_tells_when_a_copy_was_complete() {
    let app = TestApp::embedded().await;
    let acme = app.account("acme", small(250));
    app.connect(CUSTOMER, "acme").await;
    acme.clear_requests();
    let path = format!("/helpsync/v1/estimate?customer_id={CUSTOMER}");
    let (status, estimate) = app.call(Method::GET, &path, CUSTOMER, None).await;
    assert_eq!(status, StatusCode::OK, "{estimate}");
    let one = &estimate["help_centers"][0];
    assert_eq!(
        (&one["articles"], &one["requests"], &one["plan"]),
        (&json!(250), &json!(7), &json!("export"))
    );
    assert!(one["requests_per_minute"].as_i64().unwrap() > 0 && one["seconds"].as_i64().unwrap() >= 1);
    assert_eq!(acme.requests().len(), 1);

    let path = format!("/helpsync/v1/freshness?customer_id={CUSTOMER}");
    let (_, freshness) = app.call(Method::GET, &path, CUSTOMER, None).await;
    let copy = &freshness["copies"][0];
    assert_eq!(copy["workspace"], "acme");
    assert!(copy["complete_at"].is_string() && copy["age_seconds"].as_i64().unwrap() < 600, "{copy}");
    assert!(copy["oldest_missing_at"].is_null(), "{copy}");
    let (_, status) = app.call(Method::GET, "/helpsync/v1/status", CUSTOMER, None).await;
    assert_eq!(status["oldest"][0]["customer_id"], CUSTOMER);
    for path in ["verify", "estimate?customer_id=nobody", "freshness?customer_id=nobody"] {
        let method = if path == "verify" { Method::POST } else { Method::GET };
        let body = (path == "verify").then(|| json!({ "customer_id": "nobody" }));
        let (status, answer) = app.call(method, &format!("/helpsync/v1/{path}"), CUSTOMER, body).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}: {answer}");
    }
    let unique: BTreeSet<&str> =
        status["oldest"].as_array().unwrap().iter().map(|one| one["workspace"].as_str().unwrap()).collect();
    assert_eq!(unique.len(), 1);
    app.stop().await;
}

/// All of these articles for this cause.
fn all_for(cause: &str, articles: &[i64]) -> BTreeMap<i64, String> {
    articles.iter().map(|id| (*id, cause.to_owned())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_a_person_is_told_as_held_and_no_run_is_started_for_it() {
    let app = TestApp::embedded().await;
    let acme = app.account("acme", small(400));
    app.connect(CUSTOMER, "acme").await;
    let gone: Vec<i64> = acme.article_ids().into_iter().take(250).collect();
    for id in &gone {
        acme.apply(Change::Delete { id: *id }).unwrap();
    }
    let run = app.sync(CUSTOMER, "acme").await;
    assert_eq!(run.counters.held, 250, "{run:?}");
    let (differences, last) = verify(&app, json!({ "customer_id": CUSTOMER, "repair": true })).await;
    assert_eq!(differences, all_for("held", &gone));
    assert_eq!((&last["totals"]["mendable"], &last["repaired_by_run"]), (&json!(0), &Value::Null), "{last}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_limit_or_a_reason_keeps_out_is_told_with_that() {
    let extra = [("HELPSYNC_SYNC__ARTICLE_BYTES_MAX", "65536")];
    let app = TestApp::start(Shape::Embedded, &extra, crate::app::real_time()).await;
    let acme = app.account("acme", small(30));
    let known = acme.article_ids();
    let body = format!("<p>{}</p>", "Too long. ".repeat(10_000));
    acme.apply(Change::Create { section_id: None, title: "Long".to_owned(), body, draft: false }).unwrap();
    let long: Vec<i64> = acme.article_ids().into_iter().filter(|id| !known.contains(id)).collect();
    app.connect(CUSTOMER, "acme").await;
    let (lines, last) = compared(&app, json!({ "customer_id": CUSTOMER, "repair": true })).await;
    assert_eq!(lines.len(), 1, "{lines:?}");
    assert_eq!((&lines[0]["article_id"], &lines[0]["cause"]), (&json!(long[0]), &json!("skipped")));
    assert!(lines[0]["detail"].as_str().unwrap().contains("65536"), "{lines:?}");
    assert_eq!(last["repaired_by_run"], Value::Null, "no run can mend it: {last}");

    let two = app.account("two", small(30));
    app.post("/update_users", "bob", json!({ "customer_ids": ["bob"], "max_files": 20 })).await;
    app.connect("bob", "two").await;
    let here = ours(&app, "bob").await;
    let kept_out: Vec<i64> = two.article_ids().into_iter().filter(|id| !here.contains_key(id)).collect();
    assert_eq!(kept_out.len(), 10);
    let (differences, last) = verify(&app, json!({ "customer_id": "bob", "repair": true })).await;
    assert_eq!(differences, all_for("over_limit", &kept_out));
    assert_eq!(last["repaired_by_run"], Value::Null, "{last}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_selection_leaves_out_by_now_is_told_and_mended() {
    let app = TestApp::embedded().await;
    let acme = app.account("acme", small(120));
    let run = app.connect(CUSTOMER, "acme").await;
    let truth = acme.truth();
    let category = truth[0].category_id;
    let other = truth.iter().find(|article| article.category_id != category).unwrap();
    let selection = json!({ "category_ids": [category] });
    app.call(Method::PUT, "/helpsync/v1/selection", CUSTOMER, Some(selection)).await;
    app.finished(run.connection).await;
    let whole = json!({ "customer_id": CUSTOMER });
    let (differences, _) = verify(&app, whole.clone()).await;
    assert!(differences.is_empty(), "what is left out and not here is no difference: {differences:?}");
    let moved = truth[0].id;
    acme.apply(Change::Move { id: moved, section_id: other.section_id }).unwrap();
    let (differences, _) = verify(&app, whole.clone()).await;
    assert_eq!(differences, all_for("unselected", &[moved]));
    let (_, last) = verify(&app, json!({ "customer_id": CUSTOMER, "repair": true })).await;
    assert!(last["repaired_by_run"].is_i64(), "{last}");
    app.finished(run.connection).await;
    let (differences, _) = verify(&app, whole).await;
    assert!(differences.is_empty(), "{differences:?}");
}

/// Times tell whole seconds: what changed twice within one looks the same by its time.
#[tokio::test(flavor = "multi_thread")]
async fn what_differs_at_one_time_is_mended_and_what_is_older_there_is_told() {
    let app = TestApp::embedded().await;
    let acme = app.account("acme", small(40));
    let run = app.connect(CUSTOMER, "acme").await;
    let ids = acme.article_ids();
    let edit = |id: i64, text: &str| {
        acme.apply(Change::Edit { id, title: None, body: Some(format!("<p>{text}</p>")) }).unwrap();
    };
    let now = app.sim.clock().now();
    app.sim.clock().freeze_at(now);
    edit(ids[0], "First.");
    edit(ids[1], "First.");
    app.sync(CUSTOMER, "acme").await;
    edit(ids[0], "Second, in the same second.");
    app.sim.clock().freeze_at(now - 3_600);
    edit(ids[1], "Restored from a backup.");
    app.sim.clock().freeze_at(now);
    app.sim.clock().thaw();
    let whole = json!({ "customer_id": CUSTOMER });
    let (differences, _) = verify(&app, whole.clone()).await;
    let expected = [(ids[0], "differs".to_owned()), (ids[1], "older_there".to_owned())];
    assert_eq!(differences, BTreeMap::from(expected));
    verify(&app, json!({ "customer_id": CUSTOMER, "repair": true })).await;
    app.finished(run.connection).await;
    // A page that arrives late must not bring an old text back.
    let (differences, _) = verify(&app, whole).await;
    assert_eq!(differences, all_for("older_there", &[ids[1]]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_comparison_that_waits_is_not_silent() {
    let app = TestApp::embedded().await;
    let account = app.account("acme", small(5));
    app.connect(CUSTOMER, "acme").await;
    let wait = Fault::Status { code: 429, retry_after: Some("20".to_owned()), body: FaultBody::Json };
    account.inject(FaultRule::always(wait).on("help_center").times(1));
    let request = app.http.post(app.url("/helpsync/v1/verify")).bearer_auth(API_KEY);
    let text = request.json(&json!({ "customer_id": CUSTOMER })).send().await.unwrap().text().await.unwrap();
    assert!(text.starts_with('\n'), "an empty line while nothing is known: {text:?}");
    let last: Value = serde_json::from_str(text.lines().last().unwrap()).unwrap();
    assert_eq!((&last["totals"]["shown"], &last["workspace"]), (&json!(5), &json!("acme")), "{last}");
}
