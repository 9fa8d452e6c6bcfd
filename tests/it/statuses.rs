//! Statuses that Zendesk does not answer with on a good day, on each endpoint that a sync reads. The run waits, says why
//! it gave up, or does without; what is published stays; and the run after it is exact.

use std::collections::BTreeMap;

use futures::future::join_all;
use helpsync_model::{Lane, RunKind, RunParams, RunState, Trigger};
use helpsync_store::{Run, RunRequest};
use serde_json::json;
use zendesk_sim::{Account, BodyProfile, Change, Fault, FaultBody, FaultRule, GenerateOptions, Role};

use crate::app::{Shape, TestApp, real_time, until};
use crate::copy::{assert_equal, held_locales, truth};

const STATUSES: [u16; 11] = [402, 410, 418, 423, 451, 500, 502, 503, 504, 520, 525];
/// Few, so that what gives up does so soon.
const ATTEMPTS: &str = "2";
/// Changes before each run.
const CHANGES: u32 = 6;

/// How a run ends, or does not.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Done,
    /// It goes on by itself, and says when.
    Waits,
    /// Zendesk counts what it does not show.
    Incomplete,
    /// It says this.
    Failed(&'static str),
}

use End::{Done, Failed, Incomplete, Waits};

/// An endpoint, and what a sync makes of its statuses.
struct Endpoint {
    name: &'static str,
    path: &'static str,
    role: Role,
    /// Whether the run lists everything; else it is a delta.
    audit: bool,
    prepare: fn(&Account),
    ends: fn(u16) -> End,
}

const UNAVAILABLE: End = Failed("zendesk is not available");
const REJECTED: End = Failed("zendesk rejects the request with");

fn suspended_or(status: u16, other: End) -> End {
    if matches!(status, 402 | 423) { Waits } else { other }
}

/// Where a refusal is no trouble, and an outage is one.
fn told_or_not(status: u16) -> End {
    suspended_or(status, if status < 500 { Done } else { UNAVAILABLE })
}

fn always_done(_status: u16) -> End {
    Done
}

fn nothing(_account: &Account) {}

/// Lists leave some out, which then are asked for by id.
fn omit(account: &Account) {
    let ids: Vec<i64> = account.truth().iter().map(|article| article.id).take(3).collect();
    for list in ["/help_center/articles", "/incremental/articles"] {
        account.inject(FaultRule::always(Fault::OmitArticles { ids: ids.clone() }).on(list));
    }
}

fn no_sideload(account: &Account) {
    let fault = Fault::NoSideload { member: "translations".to_owned() };
    account.inject(FaultRule::always(fault).on("articles"));
}

fn endpoints() -> Vec<Endpoint> {
    let agent =
        |name, path, audit, ends| Endpoint { name, path, role: Role::Agent, audit, prepare: nothing, ends };
    vec![
        agent("export", "/incremental/articles", false, |status| suspended_or(status, Done)),
        Endpoint {
            role: Role::EndUser,
            ..agent("list", "articles", false, |status| match status {
                410 => Failed("the help center is disabled"),
                402 | 423 => Waits,
                418 | 451 => REJECTED,
                _ => UNAVAILABLE,
            })
        },
        Endpoint {
            prepare: omit,
            ..agent("article", "/help_center/articles/", true, |status| match status {
                410 => Incomplete,
                status => told_or_not(status),
            })
        },
        Endpoint { prepare: no_sideload, ..agent("translations", "/translations", false, told_or_not) },
        Endpoint { role: Role::EndUser, ..agent("locales", "/locales", true, always_done) },
        agent("sections", "/sections", false, told_or_not),
        agent("categories", "/categories", true, told_or_not),
        agent("brands", "/api/v2/brands", true, always_done),
    ]
}

async fn start(app: &TestApp, endpoint: &Endpoint) {
    let name = endpoint.name;
    if !endpoint.audit {
        app.post("/helpsync/v1/sync", name, json!({ "customer_id": name })).await;
        return;
    }
    let request = RunRequest {
        connection: app.connection(name, name).await,
        kind: Some(RunKind::Delta),
        trigger: Trigger::Request,
        lane: Lane::OnDemand,
        request_id: "r".to_owned(),
        upload_id: "r".to_owned(),
        params: RunParams::audit(),
    };
    let parts = app.parts();
    parts.store.admin().request_run(parts.organization, &request).await.unwrap();
    parts.wake.notify_one();
}

/// The newest run once it has ended, or says that it waits for Zendesk.
async fn settled(app: &TestApp, endpoint: &Endpoint) -> (Run, bool) {
    let connection = app.connection(endpoint.name, endpoint.name).await;
    let parts = app.parts();
    until("a run to end or to wait", async || {
        let run = parts
            .store
            .admin()
            .runs(parts.organization, Some(connection), 1)
            .await
            .unwrap()
            .into_iter()
            .next()?;
        let waits = run.waiting_for.as_deref().is_some_and(|what| what.contains("Zendesk is asked again at"));
        (waits || !run.state.is_active()).then_some((run, waits))
    })
    .await
}

/// Every language of `before` that is published still is held.
async fn nothing_is_lost(
    app: &TestApp,
    account: &Account,
    name: &str,
    before: &BTreeMap<i64, Vec<String>>,
    status: u16,
) {
    let (now, right) = (held_locales(app, name).await, truth(account));
    for (id, locales) in before.iter().filter(|(id, _)| right.contains_key(id)) {
        let held = now.get(id).cloned().unwrap_or_default();
        let lost: Vec<_> = locales.iter().filter(|locale| !held.contains(locale)).collect();
        assert!(lost.is_empty(), "{name} {status}: {lost:?} of {id} are lost");
    }
}

/// With a grant that shows brands too.
async fn connect(app: &TestApp, name: &str) {
    let scopes = ["hc:read", "brands:read"];
    let body = json!({ "service": "ZENDESK", "zendesk_subdomain": name, "scopes": scopes });
    let answer = app.post("/integrations/oauth_url", name, body).await;
    let callback = app.consent(answer["oauth_url"].as_str().unwrap()).await;
    assert!(app.http.get(callback).send().await.unwrap().status().is_success());
    app.finished(app.connection(name, name).await).await;
}

async fn play(app: &TestApp, endpoint: Endpoint) {
    let name = endpoint.name;
    let generate = GenerateOptions {
        articles: 40,
        translated_fraction: 0.6,
        body_profile: BodyProfile::Small,
        ..GenerateOptions::default()
    };
    let account = app.account(name, generate);
    account.update_settings(|settings| settings.grant_as = endpoint.role);
    connect(app, name).await;
    for status in STATUSES {
        let before = held_locales(app, name).await;
        // Titles and bodies only: what is gone has tests of its own.
        for article in account.truth().iter().step_by(account.truth().len() / CHANGES as usize) {
            let title = Some(format!("Edited for {status}"));
            account.apply(Change::Edit { id: article.id, title, body: None }).unwrap();
        }
        let fault = Fault::Status { code: status, retry_after: None, body: FaultBody::Json };
        account.inject(FaultRule::always(fault).on(endpoint.path));
        (endpoint.prepare)(&account);
        account.clear_requests();
        start(app, &endpoint).await;
        let (run, waits) = settled(app, &endpoint).await;
        let said = run.error.clone().unwrap_or_default();
        match (endpoint.ends)(status) {
            Waits => assert!(waits, "{name} {status}: {run:?}"),
            Incomplete => assert_eq!(run.state, RunState::Incomplete, "{name} {status}: {run:?}"),
            Done => assert_eq!(run.state, RunState::Done, "{name} {status}: {run:?}"),
            Failed(why) => {
                assert_eq!(run.state, RunState::Failed, "{name} {status}: {run:?}");
                assert!(said.contains(why), "{name} {status}: {said}");
            }
        }
        let met = account.requests().iter().any(|seen| seen.status == status);
        assert!(met, "{name} {status}: the endpoint was not asked");
        // An article that answers 410 is gone, says whoever has it.
        if (name, status) != ("article", 410) {
            nothing_is_lost(app, &account, name, &before, status).await;
        }
        account.clear_faults();
        app.sync(name, name).await;
        assert_eq!(app.audit(name, name).await.state, RunState::Done, "{name} {status}");
        assert_equal(app, &account, name).await;
    }
    let asked = account.requests().iter().any(|seen| seen.path.contains("user_segments"));
    assert!(!asked, "segments are read off the articles");
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_an_endpoint_answers_the_run_ends_as_documented_and_heals() {
    let extra = [("HELPSYNC_WORKER__SHARD_ATTEMPTS_MAX", ATTEMPTS), ("HELPSYNC_WORKER__CONCURRENCY", "16")];
    let app = TestApp::start(Shape::Embedded, &extra, real_time()).await;
    join_all(endpoints().into_iter().map(|endpoint| play(&app, endpoint))).await;
}

/// Names of tags are no more than names: without them a sync is as good, and they come with a later one.
#[tokio::test(flavor = "multi_thread")]
async fn tags_whose_names_are_not_told_cost_nothing_and_get_them_later() {
    let app = &TestApp::embedded().await;
    let played = STATUSES.map(|status| async move {
        let name = format!("tags-{status}");
        let account = app.account(&name, crate::app::small(40));
        let fault = Fault::Status { code: status, retry_after: None, body: FaultBody::Json };
        account.inject(FaultRule::always(fault).on("/content_tags"));
        app.connect(&name, &name).await;
        assert_equal(app, &account, &name).await;
        account.clear_faults();
        account.clear_requests();
        app.post("/helpsync/v1/sync", &name, json!({ "customer_id": name, "full": true })).await;
        app.finished(app.connection(&name, &name).await).await;
        // Who refuses is asked again a week later.
        let asked = account.requests().iter().any(|seen| seen.path.ends_with("/content_tags"));
        assert_eq!(asked, !matches!(status, 410 | 418 | 451), "{status}");
    });
    join_all(played).await;
}
