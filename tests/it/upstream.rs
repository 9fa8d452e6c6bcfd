//! Requests that upstream services publish to the broker.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use helpsync_model::{RunKind, Trigger};
use helpsync_queue::{Origin, Queue as _};
use helpsync_store::Run;
use helpsync_upstream::{Request, RequestAction, Upstream};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use zendesk_sim::{Change, GenerateOptions};

use crate::app::{API_KEY, Shape, TestApp, broker, make_key, named, real_time, until};
use crate::copy::assert_equal;
use crate::processes::{binary, output, said};
use crate::rabbit_node::Node;

pub(crate) const CUSTOMER: &str = "ada";
pub(crate) const LIST: &str = "/helpsync/v1/dead-letters";
const DOCUMENT: &str = include_str!("../../docs/upstream.md");

pub(crate) fn few() -> GenerateOptions {
    GenerateOptions { articles: 30, ..GenerateOptions::default() }
}

pub(crate) fn sync() -> Request {
    Request::new(CUSTOMER, RequestAction::Sync { full: false })
}

/// Waits for the end of the run that the request of this id made; of any request when it is `None`.
pub(crate) async fn run_of(app: &TestApp, id: Option<&str>, kind: Option<RunKind>) -> Run {
    let parts = app.parts();
    let connection = app.connection(CUSTOMER, "acme").await;
    until("the requested run to end", async || {
        let runs = parts.store.admin().runs(parts.organization, Some(connection), 20).await.unwrap();
        runs.into_iter().find(|run| {
            run.trigger == Trigger::Upstream
                && !run.state.is_active()
                && id.is_none_or(|id| run.request_id == id)
                && kind.is_none_or(|kind| run.kind == kind)
        })
    })
    .await
}

/// Waits until the list has so many entries.
pub(crate) async fn listed(app: &TestApp, count: usize) -> Vec<Value> {
    until("the dead letters", async || {
        let (status, answer) = app.call(Method::GET, LIST, CUSTOMER, None).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        let letters = answer["dead_letters"].as_array().unwrap().clone();
        (letters.len() == count).then_some(letters)
    })
    .await
}

/// `helpsync` as a person runs it, against the installation.
pub(crate) fn helpsync(app: &TestApp, arguments: &[&str]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let url = app.url("/").to_string();
    let mut command = Command::new(binary("helpsync"));
    command.args(arguments).env_clear().current_dir(folder.path());
    output(command.env("HELPSYNC_URL", url).env("HELPSYNC_API_KEY", API_KEY))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_starts_a_sync_and_wrong_ones_are_listed_replayed_and_discarded() {
    let app = TestApp::of(Shape::Services).await;
    let account = app.account("acme", few());
    app.connect(CUSTOMER, "acme").await;
    let change = Change::Create {
        section_id: None,
        title: "New".to_owned(),
        body: "<p>x</p>".to_owned(),
        draft: false,
    };
    account.apply(change).unwrap();
    let rabbit = app.parts().rabbit.clone().unwrap();
    let prefix = rabbit.names().jobs().strip_suffix(".jobs").unwrap().to_owned();
    let upstream = Upstream::new(&broker()).unwrap().with_prefix(&prefix);
    upstream.publish("r1", &sync()).await.unwrap();
    assert_eq!(run_of(&app, Some("r1"), None).await.request_id, "r1");
    assert_equal(&app, &account, CUSTOMER).await;

    let nobody = Request::new("bob", RequestAction::Sync { full: false });
    upstream.publish("r 2/x", &nobody).await.unwrap();
    upstream.close().await;
    let foreign = br#"{"schema":"helpsync.request.v9","customer_id":"eve"}"#.to_vec();
    assert!(rabbit.publish_raw(Origin::Requests, "r3", foreign).await.is_stored());
    for letter in listed(&app, 2).await {
        let (reason, customer) = match letter["id"].as_str().unwrap() {
            "message-r 2/x" => ("bob", "bob"),
            "message-r3" => ("helpsync.request.v9", "eve"),
            other => panic!("{other}"),
        };
        assert!(letter["error"].as_str().unwrap().contains(reason), "{letter}");
        assert_eq!((&letter["kind"], &letter["customer_id"]), (&json!("request"), &json!(customer)));
        assert_eq!(letter["message"]["origin"], "requests");
    }
    let (_, page) = app.call(Method::GET, &format!("{LIST}?limit=1"), CUSTOMER, None).await;
    let after = page["next"].as_str().unwrap();
    let mut next = app.url(LIST);
    next.query_pairs_mut().append_pair("limit", "1").append_pair("after", after);
    let page = app.http.get(next).bearer_auth(API_KEY).send().await.unwrap();
    let page: Value = serde_json::from_str(&page.text().await.unwrap()).unwrap();
    assert_ne!(page["dead_letters"][0]["id"], after, "the second page goes on where the first ended: {page}");
    // What a look has just put back, the broker counts a moment later.
    until("both to be counted", async || {
        let (_, status) = app.call(Method::GET, "/helpsync/v1/status", CUSTOMER, None).await;
        (status["dead_messages"] == 2).then_some(())
    })
    .await;
    let (status, _) = app.call(Method::GET, &format!("{LIST}/shard-3"), CUSTOMER, None).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "an id of one kind names nothing of the other");

    // What was wrong is put right, and the letter read again.
    let shown = helpsync(&app, &["dead-letters", "show", "message-r 2/x"]);
    assert!(shown.status.success() && said(&shown).contains("bob"), "{}", said(&shown));
    app.account("bobs", few());
    app.connect("bob", "bobs").await;
    let replayed = helpsync(&app, &["dead-letters", "replay", "message-r 2/x"]);
    assert!(replayed.status.success(), "{}", said(&replayed));
    let parts = app.parts();
    let bobs = app.connection("bob", "bobs").await;
    until("bob's request to be done", async || {
        let runs = parts.store.admin().runs(parts.organization, Some(bobs), 5).await.unwrap();
        runs.into_iter().find(|run| run.trigger == Trigger::Upstream && run.request_id == "r 2/x")
    })
    .await;
    listed(&app, 1).await;
    let discarded = helpsync(&app, &["dead-letters", "discard", "message-r3"]);
    assert!(discarded.status.success(), "{}", said(&discarded));
    listed(&app, 0).await;
    let again = helpsync(&app, &["dead-letters", "discard", "message-r3"]);
    assert!(
        !again.status.success() && said(&again).contains("no dead letter message-r3: "),
        "{}",
        said(&again)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_message_is_shown_to_the_organization_that_it_names_and_to_no_other() {
    let app = TestApp::of(Shape::Services).await;
    let store = &app.parts().store;
    let other = store.admin().ensure_organization("other").await.unwrap();
    let key = "another-key-of-enough-length";
    make_key(store.admin(), other, key).await;
    let rabbit = app.parts().rabbit.clone().unwrap();
    let theirs = Request { organization: Some("other".to_owned()), ..sync() };
    for (id, body) in [("theirs", theirs.to_bytes()), ("ours", b"{".to_vec())] {
        assert!(rabbit.publish_raw(Origin::Requests, id, body).await.is_stored());
    }
    until("both to be dead", async || (rabbit.dead_letters(9, None).await.ok()?.len() == 2).then_some(()))
        .await;
    let (mine, foreign) = (listed(&app, 1).await, app.http.get(app.url(LIST)).bearer_auth(key));
    assert_eq!(mine[0]["id"], "message-ours");
    let foreign: Value = serde_json::from_str(&foreign.send().await.unwrap().text().await.unwrap()).unwrap();
    assert_eq!(foreign["dead_letters"].as_array().unwrap().len(), 1, "{foreign}");
    assert_eq!(foreign["dead_letters"][0]["id"], "message-theirs");
    for (method, path) in [(Method::POST, "/message-theirs/replay"), (Method::DELETE, "/message-theirs")] {
        let (status, _) = app.call(method, &format!("{LIST}{path}"), CUSTOMER, None).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{path}");
    }

    // Publishers of both use one id: each organization's letter is its own.
    let theirs = Request { organization: Some("other".to_owned()), ..sync() };
    for body in [theirs.to_bytes(), sync().to_bytes()] {
        assert!(rabbit.publish_raw(Origin::Requests, "same", body).await.is_stored());
    }
    let of_id = async |id: &str| {
        let letters = rabbit.dead_letters_of(&|letter| letter.id == id, 9, None).await.ok()?;
        letters.into_iter().next()
    };
    until("both of one id to be dead", async || {
        of_id("same").await?.reason.contains("1 other").then_some(())
    })
    .await;
    listed(&app, 2).await;
    let path = format!("{LIST}/message-same");
    let (status, shown) = app.call(Method::GET, &path, CUSTOMER, None).await;
    assert!(status.is_success() && !shown["error"].as_str().unwrap().contains("1 other"), "{shown}");
    assert_eq!(app.call(Method::DELETE, &path, CUSTOMER, None).await.0, StatusCode::OK);
    listed(&app, 1).await;
    assert_eq!(app.call(Method::DELETE, &path, CUSTOMER, None).await.0, StatusCode::NOT_FOUND);
    let left = app.http.get(app.url(&path)).bearer_auth(key).send().await.unwrap();
    assert_eq!(left.status(), StatusCode::OK, "the other organization's letter is still there");
    assert!(left.text().await.unwrap().contains("other"));
}

/// The code blocks of one language in the document, as they stand.
fn examples(language: &str) -> Vec<&'static str> {
    let fence = format!("```{language}\n");
    DOCUMENT.split(&fence).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

/// The interpreter with pika that `deploy/dev.sh setup` makes.
fn python() -> PathBuf {
    if let Some(named) = std::env::var_os("HELPSYNC_TEST_PYTHON") {
        return named.into();
    }
    let made = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/python/bin/python");
    assert!(
        made.exists(),
        "no Python with pika: deploy/dev.sh setup makes one, or name one in HELPSYNC_TEST_PYTHON"
    );
    made
}

#[tokio::test(flavor = "multi_thread")]
async fn the_examples_of_the_document_run_as_they_stand_and_each_leads_to_a_run() {
    let (node, python) = (Node::start().await, python());
    let own = node.amqp();
    let extra = [("HELPSYNC_QUEUE__URL", own.as_str()), ("HELPSYNC_QUEUE__NAME_PREFIX", "helpsync")];
    let app = TestApp::start(Shape::Services, &extra, real_time()).await;
    app.account("acme", few());
    app.connect(CUSTOMER, "acme").await;

    let [enqueue, curl] = examples("sh")[..] else { panic!("two shell examples are expected") };
    let run = |command: &mut Command| {
        let output = command.env("RABBITMQ_API", node.api()).output().unwrap();
        assert!(output.status.success(), "{}", said(&output));
        said(&output)
    };
    assert_eq!(run(Command::new("sh").args(["-ec", curl])).trim(), "{\"routed\":true}");
    run_of(&app, Some("curl-1"), None).await;

    let [script] = examples("python")[..] else { panic!("one Python example is expected") };
    let (name, value) = named("QUEUE__URL", &own);
    run(Command::new(python).args(["-c", script]).env(name, value));
    run_of(&app, None, Some(RunKind::Resync)).await;

    // The example names the usual port, and a binary that is in the path of nobody's test.
    let enqueue = enqueue.replace("amqp://guest:guest@127.0.0.1:5672/%2f", &own);
    let folder = binary("helpsync").parent().unwrap().to_owned();
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    let queued = run(Command::new("sh").args(["-ec", &enqueue]).env("PATH", path));
    let id = queued.split_whitespace().nth(1).unwrap().to_owned();
    run_of(&app, Some(&id), None).await;
}

#[test]
fn the_message_of_the_curl_example_is_the_one_that_the_client_would_send() {
    let curl = examples("sh")[1];
    let json = curl.split("-d '").nth(1).unwrap().split('\'').next().unwrap();
    let publish: Value = serde_json::from_str(json).unwrap();
    let read = Request::from_bytes(publish["payload"].as_str().unwrap().as_bytes()).unwrap();
    assert_eq!(read, sync());
    assert_eq!(
        (&publish["routing_key"], &publish["properties"]["delivery_mode"]),
        (&json!("request"), &json!(2))
    );
}
