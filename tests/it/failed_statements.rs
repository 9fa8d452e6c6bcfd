//! A statement that the database refuses is named, with the database's own words, wherever the failure is told of.

use std::process::Command;

use helpsync_app::{Parts, Runtime};
use helpsync_config::Settings;
use helpsync_model::RunState;
use helpsync_store::testing::{bring_back, take_away};
use helpsync_upstream::{Request, RequestAction, Upstream};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use zendesk_sim::{GenerateOptions, Sim, SimOptions};

use crate::app::{Shape, TestApp, broker, named, real_time, settings_of, sqlite_url, until};
use crate::metrics::{read, sum};
use crate::processes::binary;

const CUSTOMER: &str = "ada";
/// What SQLite says of a table that is not there.
const NO_TABLE: &str = "the database refused a statement: no such table: ";

/// An installation that gives a shard up at its first failure.
async fn impatient(shape: Shape) -> TestApp {
    let app = TestApp::start(shape, &[("HELPSYNC_WORKER__SHARD_ATTEMPTS_MAX", "1")], real_time()).await;
    app.account("acme", GenerateOptions { articles: 30, ..GenerateOptions::default() });
    app
}

/// The one entry of the list of work that gave up.
async fn dead_letter(app: &TestApp) -> Value {
    until("the dead letter", async || {
        let (status, answer) = app.call(Method::GET, "/helpsync/v1/dead-letters", CUSTOMER, None).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        let letters = answer["dead_letters"].as_array().unwrap();
        assert!(letters.len() <= 1, "{letters:?}");
        letters.first().cloned()
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn log_run_record_and_dead_letter_name_the_statement_that_stopped_a_walk() {
    let app = impatient(Shape::Embedded).await;
    let connection = app.connect(CUSTOMER, "acme").await.connection;
    take_away(&app.parts().store, "author").await;
    app.post("/helpsync/v1/sync", CUSTOMER, json!({ "customer_id": CUSTOMER, "full": true })).await;
    let run = app.ended(connection).await;
    let cause = format!("{NO_TABLE}author");
    assert_eq!(
        (run.state, run.error.as_deref().unwrap()),
        (RunState::Failed, &*format!("gave up after 1 tries: {cause}"))
    );
    for line in ["INFO shard did not finish", "INFO a run failed"] {
        // What is logged once it is committed may come a little after the row can be read.
        until(line, async || {
            let said = [format!("error={cause}"), format!("tries: {cause}")];
            let said = said.iter().flat_map(|said| app.logged(said));
            said.into_iter().find(|said| said.starts_with(line))
        })
        .await;
    }
    let letter = dead_letter(&app).await;
    assert!(letter["error"].as_str().unwrap().ends_with(&cause), "{letter}");
}

/// What starts a shard is refused: nobody can start one, so nothing can fail either.
#[tokio::test(flavor = "multi_thread")]
async fn what_keeps_shards_from_starting_is_told_once_and_seen_and_they_start_once_it_is_over() {
    let extra =
        [("HELPSYNC_DISPATCHER__SWEEP_AFTER_SECONDS", "10"), ("HELPSYNC_TELEMETRY__LISTEN", "127.0.0.1:0")];
    let app = TestApp::start(Shape::Embedded, &extra, real_time()).await;
    app.account("acme", GenerateOptions { articles: 30, ..GenerateOptions::default() });
    let connection = app.connect(CUSTOMER, "acme").await.connection;
    take_away(&app.parts().store, "remote_article").await;
    app.post("/helpsync/v1/sync", CUSTOMER, json!({ "customer_id": CUSTOMER })).await;
    let cause = format!("{NO_TABLE}remote_article");
    until("readiness to name it", async || {
        let (status, told) = app.call(Method::GET, "/readyz", CUSTOMER, None).await;
        (status == StatusCode::SERVICE_UNAVAILABLE && told["store"] == cause).then_some(())
    })
    .await;
    let metrics = format!("http://{}/metrics", app.processes[0].metrics_address().unwrap());
    until("several starts to fail", async || {
        let text = app.http.get(&metrics).send().await.unwrap().text().await.unwrap();
        (sum(&read(&text), "helpsync_shards_not_started_total", &[]) >= 2.0).then_some(())
    })
    .await;
    let told = app.logged(&format!("error={cause}"));
    let told: Vec<&String> = told.iter().filter(|line| line.contains("cannot be started")).collect();
    assert!(told.len() == 1 && told[0].starts_with("WARN"), "{told:?}");
    bring_back(&app.parts().store, "remote_article").await;
    app.finished(connection).await;
    until("its end to be told", async || app.logged("shards are started again").into_iter().next()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_run_record_names_the_statement_that_kept_a_run_from_being_finalized() {
    let app = impatient(Shape::Embedded).await;
    let connection = app.connect(CUSTOMER, "acme").await.connection;
    take_away(&app.parts().store, "skipped").await;
    app.post("/helpsync/v1/sync", CUSTOMER, json!({ "customer_id": CUSTOMER })).await;
    let run = app.ended(connection).await;
    let error = run.error.unwrap();
    assert!(error.starts_with("the run could not be finalized: gave up after 1 tries: "), "{error}");
    assert!(error.ends_with(&format!("{NO_TABLE}skipped")), "{error}");
    assert_eq!(app.logged(&format!("error={error}")).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_outside_is_told_nothing_of_the_statement_and_the_log_all_of_it() {
    let app = impatient(Shape::Embedded).await;
    app.connect(CUSTOMER, "acme").await;
    app.expect_error(&format!("the store failed a request error={NO_TABLE}run"));
    take_away(&app.parts().store, "run").await;
    let (status, answer) = app.call(Method::GET, "/helpsync/v1/status", CUSTOMER, None).await;
    bring_back(&app.parts().store, "run").await;
    let internal = json!({ "detail": "internal error: see the server's log" });
    assert_eq!((status, answer), (StatusCode::INTERNAL_SERVER_ERROR, internal));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_message_names_the_statement_that_kept_it_from_being_served() {
    let app = impatient(Shape::Services).await;
    app.connect(CUSTOMER, "acme").await;
    let jobs = app.parts().rabbit.as_ref().unwrap().names().jobs();
    let prefix = jobs.strip_suffix(".jobs").unwrap();
    let upstream = Upstream::new(&broker()).unwrap().with_prefix(prefix);
    take_away(&app.parts().store, "customer").await;
    upstream.publish("r1", &Request::new(CUSTOMER, RequestAction::Sync { full: false })).await.unwrap();
    upstream.close().await;
    let line = until("the request to be refused", async || {
        app.logged("a request cannot be done").into_iter().next()
    })
    .await;
    bring_back(&app.parts().store, "customer").await;
    let cause = "the database refused a statement: relation \"customer\" does not exist";
    assert!(line.contains(cause), "{line}");
    assert_eq!(dead_letter(&app).await["error"], cause);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_names_the_statement_once() {
    let sim = Sim::start(SimOptions::default()).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut env = settings_of(&sim);
    env.push(named("STORE__URL", sqlite_url(folder.path())));
    let parts = Parts::open(Settings::load(None, env.clone()).unwrap(), Runtime::default()).await.unwrap();
    take_away(&parts.store, "organization").await;
    parts.store.close().await;
    drop(parts);
    let mut command = Command::new(binary("helpsync"));
    let output = command.arg("up").env_clear().envs(env).current_dir(folder.path()).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    // Where no terminal is, a process says it in a line of its log.
    let line: Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
    let error = line["error"].as_str().unwrap();
    assert!(error.starts_with("cannot open the store in HELPSYNC_STORE__URL ("), "{said}");
    assert!(error.ends_with(&format!("): {NO_TABLE}organization")), "{said}");
    assert_eq!(said.matches(NO_TABLE).count(), 1, "{said}");
}
