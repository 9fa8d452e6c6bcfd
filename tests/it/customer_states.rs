//! How customers stand, and what a person decides: held removals, pauses, lanes. For whom, and for nobody else.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use zendesk_sim::Change;

use crate::app::{Shape, TestApp, make_key, small, until};
use crate::copy::{assert_equal, ours};
use crate::dashboard::told::says_that_it_waits_for_a_person;

/// An id that must stay one segment of a path.
const CUSTOMER: &str = "ada/1";
const PLACE: &str = "/helpsync/v1/customers/ada%2F1";
const OTHER_KEY: &str = "another-key-of-enough-length";

async fn get(app: &TestApp, path: &str) -> Value {
    let (status, answer) = app.call(Method::GET, path, CUSTOMER, None).await;
    assert_eq!(status, StatusCode::OK, "{path}: {answer}");
    answer
}

async fn post(app: &TestApp, path: &str) -> Value {
    app.post(path, CUSTOMER, json!({})).await
}

/// Answers to a key, or to none.
async fn status_with(app: &TestApp, method: Method, path: &str, key: Option<&str>) -> StatusCode {
    let mut request = app.http.request(method, app.url(path));
    if let Some(key) = key {
        request = request.bearer_auth(key);
    }
    request.send().await.unwrap().status()
}

#[tokio::test(flavor = "multi_thread")]
async fn held_removals_are_shown_and_a_person_refuses_or_approves_them() {
    for shape in [Shape::Embedded, Shape::Services] {
        let app = TestApp::of(shape).await;
        let account = app.account("acme", small(400));
        app.connect(CUSTOMER, "acme").await;
        for id in account.article_ids().into_iter().take(250) {
            account.apply(Change::Delete { id }).unwrap();
        }
        app.sync(CUSTOMER, "acme").await;
        let state = get(&app, PLACE).await;
        assert_eq!((&state["workspace"]["held"], &state["files"]), (&json!(250), &json!(400)), "{state}");
        let held = get(&app, &format!("{PLACE}/held?limit=2")).await;
        assert_eq!(held["held"].as_array().unwrap().len(), 2, "{held}");
        let rest = get(&app, &format!("{PLACE}/held?limit=1000&after={}", held["next"])).await;
        assert_eq!((rest["held"].as_array().unwrap().len(), &rest["next"]), (248, &Value::Null));

        assert_eq!(post(&app, &format!("{PLACE}/refuse_removals")).await["kept"], 250);
        assert_eq!(get(&app, PLACE).await["workspace"]["held"], 0);
        assert_eq!(ours(&app, CUSTOMER).await.len(), 400);
        app.audit(CUSTOMER, "acme").await;
        assert_eq!(get(&app, PLACE).await["workspace"]["held"], 250, "found missing again");

        let run = post(&app, &format!("{PLACE}/approve_removals")).await["run_id"].as_i64().unwrap();
        let ended = app.finished(app.connection(CUSTOMER, "acme").await).await;
        assert_eq!((ended.id.0, ended.counters.removed), (run, 250), "{ended:?}");
        assert_equal(&app, &account, CUSTOMER).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn paused_work_waits_for_a_person_and_then_goes_on() {
    for shape in [Shape::Embedded, Shape::Services] {
        let app = TestApp::of(shape).await;
        app.account("acme", small(20));
        app.connect(CUSTOMER, "acme").await;
        for (pause, resume) in [
            (format!("{PLACE}/pause"), format!("{PLACE}/resume")),
            (
                "/helpsync/v1/lanes/on_demand/pause".to_owned(),
                "/helpsync/v1/lanes/on_demand/resume".to_owned(),
            ),
        ] {
            post(&app, &pause).await;
            let answer = app.post("/helpsync/v1/sync", CUSTOMER, json!({ "customer_id": CUSTOMER })).await;
            let run = get(&app, &format!("/helpsync/v1/runs/{}", answer["run_id"])).await;
            assert_eq!((&run["customer_id"], &run["workspace"]), (&json!(CUSTOMER), &json!("acme")));
            assert_eq!(run["state"], "queued", "{run}");
            says_that_it_waits_for_a_person(&app, CUSTOMER, &answer["run_id"]).await;
            // What is asked for after it and has another way to go does go: the tick has passed over what is paused.
            post(&app, &resume).await;
            app.finished(app.connection(CUSTOMER, "acme").await).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_process_is_seen_until_it_says_goodbye() {
    let mut app = TestApp::of(Shape::Services).await;
    let processes = async |app: &TestApp| get(app, "/helpsync/v1/workers").await["processes"].clone();
    let roles = until("three processes", async || {
        let processes = processes(&app).await;
        let mut roles: Vec<String> = processes
            .as_array()
            .unwrap()
            .iter()
            .filter(|one| one["alive"] == true)
            .map(|one| one["role"].as_str().unwrap().to_owned())
            .collect();
        roles.sort();
        (roles.len() == 3).then_some(roles)
    });
    assert_eq!(roles.await, ["dispatcher", "worker", "worker"]);
    app.processes.pop().unwrap().stop().await;
    until("two processes", async || (processes(&app).await.as_array().unwrap().len() == 2).then_some(()))
        .await;
    app.account("acme", small(20));
    app.connect(CUSTOMER, "acme").await;
    let budgets = get(&app, "/helpsync/v1/budgets").await;
    assert_eq!(budgets["budgets"][0]["workspace"], "acme", "{budgets}");
    assert!(budgets["budgets"][0]["granted"].as_u64().unwrap() > 0, "{budgets}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_sees_or_steers_a_customer_or_the_installation() {
    let app = TestApp::embedded().await;
    app.account("acme", small(20));
    app.connect(CUSTOMER, "acme").await;
    let admin = app.parts().store.admin();
    let other = admin.ensure_organization("other").await.unwrap();
    make_key(admin, other, OTHER_KEY).await;
    let of_customer = ["", "/held", "/approve_removals", "/refuse_removals", "/pause", "/resume"];
    let of_all = ["workers", "lanes", "lanes/backfill/pause", "lanes/backfill/resume"];
    let places = of_customer
        .map(|end| (format!("{PLACE}{end}"), StatusCode::NOT_FOUND))
        .into_iter()
        .chain(of_all.map(|end| (format!("/helpsync/v1/{end}"), StatusCode::FORBIDDEN)));
    for (path, refused) in places {
        let reads = path == PLACE || ["held", "workers", "lanes"].iter().any(|end| path.ends_with(end));
        let method = if reads { Method::GET } else { Method::POST };
        assert_eq!(status_with(&app, method.clone(), &path, Some(OTHER_KEY)).await, refused, "{path}");
        assert_eq!(status_with(&app, method, &path, None).await, StatusCode::UNAUTHORIZED, "{path}");
    }
    assert_eq!(get(&app, PLACE).await["paused_at"], Value::Null);
    let (_, lanes) = app.call(Method::GET, "/helpsync/v1/lanes", CUSTOMER, None).await;
    assert!(lanes["lanes"].as_array().unwrap().iter().all(|lane| lane["paused_at"].is_null()), "{lanes}");
    for (path, status) in [
        ("/helpsync/v1/customers/nobody", StatusCode::NOT_FOUND),
        ("/helpsync/v1/customers/nobody/held", StatusCode::NOT_FOUND),
        ("/helpsync/v1/customers?after=x", StatusCode::UNPROCESSABLE_ENTITY),
    ] {
        assert_eq!(app.call(Method::GET, path, CUSTOMER, None).await.0, status, "{path}");
    }
    for path in ["/helpsync/v1/customers/nobody/pause", "/helpsync/v1/lanes/slow/pause"] {
        assert_eq!(app.call(Method::POST, path, CUSTOMER, None).await.0, StatusCode::NOT_FOUND, "{path}");
    }
}
