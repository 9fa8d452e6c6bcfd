//! Attachments of help centers that are odd: what comes in place of the file, what is said of it, and what its list answers.

use futures::future::join_all;
use serde_json::{Value, json};
use zendesk_sim::{Account, Fault, FaultBody, FaultRule};

use crate::app::{Shape, TestApp, real_time, until};
use crate::attachments::{kept_of, one_attached, the_one, truth, want};

/// As long as a page that names its kind, so that a length that agrees proves nothing.
const TEXT: &str = "the right bytes";
const PAGE: &str = "<!DOCTYPE html>";
const BYTES: &str = "/hc/article_attachments";
/// Their list.
const LIST: &str = "/attachments";

fn instead(content_type: &str, body: &str) -> FaultRule {
    let (content_type, body) = (content_type.to_owned(), body.to_owned());
    FaultRule::always(Fault::Instead { content_type, body }).on(BYTES)
}

fn status(code: u16) -> Fault {
    Fault::Status { code, retry_after: None, body: FaultBody::Html }
}

fn listed_with(member: &str, value: Value) -> FaultRule {
    let at = format!("/article_attachments/*/{member}");
    FaultRule::always(Fault::Member { at, every: 1, value }).on(LIST)
}

fn listed_without(member: &str) -> FaultRule {
    let at = format!("/article_attachments/*/{member}");
    FaultRule::always(Fault::NoMember { at, every: 1 }).on(LIST)
}

fn right(account: &Account) -> Vec<u8> {
    truth(account).into_values().next().unwrap()
}

async fn sync(app: &TestApp, name: &str) {
    app.post("/helpsync/v1/sync", name, json!({ "customer_id": name })).await;
}

async fn comes(app: &TestApp, account: &Account, name: &str) {
    until(&format!("the bytes of {name} to come"), async || {
        (the_one(app, name).await.ok()? == right(account)).then_some(())
    })
    .await;
}

/// It is left out with this reason, and a later sync brings it though nothing has changed.
async fn is_left_out(app: &TestApp, name: &str, rules: Vec<FaultRule>, says: &str) {
    let name = &format!("case-{name}");
    let account = one_attached(app, name, TEXT).await;
    for rule in rules {
        account.inject(rule);
    }
    want(app, name).await;
    let reason = the_one(app, name).await.unwrap_err();
    assert!(reason.contains(says), "{name}: {reason}");
    account.clear_faults();
    sync(app, name).await;
    comes(app, &account, name).await;
}

/// An address of the attachments' own that leads to itself.
fn to_itself(app: &TestApp, name: &str) -> Fault {
    Fault::Redirect { location: format!("http://{}/{name}/hc/article_attachments/1", app.sim.address()) }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_the_file_is_left_out_and_comes_with_a_later_sync() {
    let app = TestApp::embedded().await;
    let elsewhere =
        |location: &str| FaultRule::always(Fault::Redirect { location: location.to_owned() }).on(BYTES);
    let cases = [
        ("longer", vec![instead("application/pdf", "the right bytes, and more")], "and it has no more"),
        ("shorter", vec![instead("application/pdf", "the right")], "9 bytes came, and it has 15"),
        ("page", vec![instead("application/pdf", PAGE)], "a page came"),
        ("untyped", vec![instead("application/octet-stream", PAGE)], "a page came"),
        ("typed", vec![instead("text/html; charset=utf-8", PAGE)], "the answer is text/html"),
        (
            "unsized",
            vec![listed_without("size"), instead("application/pdf", "<!-- proxy --><html>")],
            "a page came",
        ),
        ("nothing", vec![listed_with("size", Value::Null), instead("application/pdf", "")], "no bytes came"),
        ("other", vec![elsewhere("https://login.example/sso")], "login.example"),
        ("loop", vec![FaultRule::always(to_itself(&app, "case-loop")).on(BYTES)], "redirects without end"),
        ("nowhere", vec![elsewhere("http://[")], "redirects nowhere"),
        ("404", vec![FaultRule::always(status(404)).on(BYTES)], "zendesk finds nothing there"),
        ("410", vec![FaultRule::always(status(410)).on(BYTES)], "zendesk finds nothing there"),
        ("418", vec![FaultRule::always(status(418)).on(BYTES)], "rejects the request with 418"),
        ("451", vec![FaultRule::always(status(451)).on(BYTES)], "rejects the request with 451"),
    ];
    join_all(cases.map(|(name, rules, says)| is_left_out(&app, name, rules, says))).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_file_is_taken_however_it_is_described() {
    let app = &TestApp::embedded().await;
    let cases = [
        ("parameters", vec![listed_with("content_type", json!("Application/PDF; name=\"x.pdf\""))]),
        ("answered", vec![instead("application/pdf; charset=binary", TEXT)]),
        ("text", vec![listed_with("size", json!("15"))]),
        ("unsized", vec![listed_without("size")]),
        ("negative", vec![listed_with("size", json!(-1))]),
        ("untyped", vec![listed_without("content_type")]),
        ("by-path", vec![listed_without("content_url"), FaultRule::once(status(451)).on(BYTES)]),
        ("by-id", vec![listed_without("relative_path")]),
        ("chain", vec![FaultRule::always(to_itself(app, "case-chain")).on(BYTES).times(3)]),
    ];
    let played = cases.map(|(name, rules)| async move {
        let name = format!("case-{name}");
        // Of the one that is redirected, under the id that it has.
        let account = one_attached(app, &name, TEXT).await;
        for mut rule in rules {
            if let Fault::Redirect { location } = &mut rule.fault {
                let id = truth(&account).into_keys().next().unwrap().1;
                *location = location.replace("article_attachments/1", &format!("article_attachments/{id}"));
            }
            account.inject(rule);
        }
        want(app, &name).await;
        assert_eq!(the_one(app, &name).await, Ok(right(&account)), "{name}");
    });
    join_all(played).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_without_a_byte_is_a_file() {
    let app = TestApp::embedded().await;
    let account = one_attached(&app, "acme", "").await;
    want(&app, "acme").await;
    assert_eq!(the_one(&app, "acme").await, Ok(Vec::new()));
    assert_eq!(right(&account), b"");
}

/// A list that cannot be read whole says nothing of what it lacks.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_broken_list_lacks_is_kept() {
    let app = TestApp::embedded().await;
    let empty = json!({ "article_attachments": [], "next_page": null, "page_count": 2, "count": 1 });
    let cases = [
        ("nameless", listed_without("id")),
        (
            "endless",
            FaultRule::always(Fault::Instead {
                content_type: "application/json".to_owned(),
                body: empty.to_string(),
            })
            .on(LIST),
        ),
    ];
    for (name, rule) in cases {
        let account = one_attached(&app, name, TEXT).await;
        want(&app, name).await;
        comes(&app, &account, name).await;
        account.inject(rule);
        account.clear_requests();
        // A full sync looks at all of them again.
        app.post("/helpsync/v1/sync", name, json!({ "customer_id": name, "full": true })).await;
        until("the lists to be read", async || {
            let looked = account.requests().iter().filter(|seen| seen.path.ends_with(LIST)).count();
            (looked >= 3).then_some(())
        })
        .await;
        attachments_rest(&app, name).await;
        assert_eq!(the_one(&app, name).await, Ok(right(&account)), "{name}");
    }
}

/// Waits until no run of a customer is under way.
async fn attachments_rest(app: &TestApp, name: &str) {
    let connection = app.connection(name, name).await;
    app.ended(connection).await;
}

/// Whether a run of the customer says when Zendesk is asked again.
async fn waits(app: &TestApp, name: &str) -> bool {
    let (parts, connection) = (app.parts(), app.connection(name, name).await);
    let runs = parts.store.admin().runs(parts.organization, Some(connection), 10).await.unwrap();
    let mut waits = runs.iter().filter_map(|run| run.waiting_for.as_deref());
    waits.any(|what| what.contains("Zendesk is asked again at"))
}

async fn the_list_answers(app: &TestApp, code: u16) {
    let name = format!("list-{code}");
    let account = one_attached(app, &name, TEXT).await;
    account.inject(FaultRule::always(status(code)).on(LIST));
    want(app, &name).await;
    if matches!(code, 402 | 423) {
        until("the wait to be told", async || waits(app, &name).await.then_some(())).await;
    } else {
        until("the list to be asked for", async || {
            account.requests().iter().any(|seen| seen.path.ends_with(LIST)).then_some(())
        })
        .await;
        attachments_rest(app, &name).await;
    }
    assert!(kept_of(app, &name).await.is_empty());
    account.clear_faults();
    sync(app, &name).await;
    comes(app, &account, &name).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_is_refused_is_asked_for_by_the_next_sync_whatever_the_status() {
    let extra = [("HELPSYNC_WORKER__SHARD_ATTEMPTS_MAX", "2"), ("HELPSYNC_WORKER__CONCURRENCY", "16")];
    let app = TestApp::start(Shape::Embedded, &extra, real_time()).await;
    let statuses = [402, 403, 410, 418, 423, 451, 500, 502, 503, 504, 520, 525];
    join_all(statuses.map(|code| the_list_answers(&app, code))).await;
}

/// Storage that refuses, limits or is broken is no account that does.
#[tokio::test(flavor = "multi_thread")]
async fn what_storage_answers_is_said_of_the_file_and_of_nothing_else() {
    let extra = [("HELPSYNC_WORKER__SHARD_ATTEMPTS_MAX", "2"), ("HELPSYNC_WORKER__CONCURRENCY", "16")];
    let app = TestApp::start(Shape::Embedded, &extra, real_time()).await;
    let storage = axum::Router::new().route(
        "/{code}",
        axum::routing::get(|axum::extract::Path(code): axum::extract::Path<u16>| async move {
            (axum::http::StatusCode::from_u16(code).unwrap(), "<Error><Code>AccessDenied</Code></Error>")
        }),
    );
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move { axum::serve(listener, storage).await.unwrap() });
    let cases = [
        (401, "zendesk forbids it"),
        (402, "rejects the request with 402"),
        (403, "zendesk forbids it"),
        (404, "zendesk finds nothing there"),
        (423, "rejects the request with 423"),
        (429, "zendesk is not available"),
        (503, "zendesk is not available"),
    ];
    let app = &app;
    join_all(cases.map(|(code, says)| async move {
        let location = format!("http://{address}/{code}");
        let rule = FaultRule::always(Fault::Redirect { location }).on(BYTES);
        is_left_out(app, &format!("storage-{code}"), vec![rule], says).await;
    }))
    .await;
    server.abort();
}
