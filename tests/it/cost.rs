//! What a sync that finds nothing new costs: messages, transactions, statements. Most syncs are such ones.

use helpsync_model::{Lane, RunParams, Trigger};
use helpsync_store::RunRequest;
use reqwest::StatusCode;

use crate::app::{Shape, TestApp, real_time, small, until};
use crate::browser::Browser;
use crate::log::Work;

const CUSTOMER: &str = "ada";
/// Deltas that are looked at: what else runs once in a while is not in the one that costs least.
const DELTAS: usize = 6;
/// Looks without anything new, after which the work of a run counts as done.
const QUIET_LOOKS: usize = 10;

/// Of a statement so much is printed.
const STATEMENT_WORDS: usize = 20;

const MESSAGES_MAX: usize = 2;
const TRANSACTIONS_MAX: usize = 8;
/// Ends of transactions among them, 40 in all. The rest is for looks at connections that were idle: the slower the machine,
/// the more of them there are.
const STATEMENTS_MAX: usize = 60;

/// What the cheapest of some unchanged deltas asked of database and queue.
async fn unchanged_delta(shape: Shape) -> Work {
    let extra = [
        ("HELPSYNC_DISPATCHER__TICK_SECONDS", "100"),
        ("HELPSYNC_DISPATCHER__SWEEP_AFTER_SECONDS", "86400"),
        ("HELPSYNC_WEBHOOKS__POLL_MS", "60000"),
        ("HELPSYNC_EMBEDDINGS__POLL_MS", "60000"),
    ];
    let app = TestApp::start(shape, &extra, real_time()).await;
    app.account("acme", small(20));
    app.connect(CUSTOMER, "acme").await;
    let connection = app.connection(CUSTOMER, "acme").await;
    let parts = app.parts();
    let mut cheapest: Option<Work> = None;
    for number in 0..DELTAS {
        let ended = app.logged("a run is done").len();
        app.work();
        let request = RunRequest {
            connection,
            kind: None,
            trigger: Trigger::Schedule,
            lane: Lane::Scheduled,
            request_id: format!("r-{number}"),
            upload_id: format!("r-{number}"),
            params: RunParams::default(),
        };
        parts.store.admin().request_run(parts.organization, &request).await.unwrap();
        parts.wake.notify_one();
        until("a run to end", async || (app.logged("a run is done").len() > ended).then_some(())).await;
        let mut work = Work::default();
        let mut quiet = 0;
        while quiet < QUIET_LOOKS {
            let more = app.work();
            quiet = if more.transactions + more.statements.len() == 0 { quiet + 1 } else { 0 };
            work.statements.extend(more.statements);
            work.transactions += more.transactions;
            work.messages += more.messages;
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        let cost = |work: &Work| (work.transactions, work.statements.len());
        if cheapest.as_ref().is_none_or(|least| cost(&work) < cost(least)) {
            cheapest = Some(work);
        }
    }
    cheapest.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unchanged_delta_is_one_message_and_few_transactions_on_services() {
    let work = unchanged_delta(Shape::Services).await;
    println!(
        "{} messages, {} transactions, {} statements",
        work.messages,
        work.transactions,
        work.statements.len()
    );
    for statement in &work.statements {
        println!("  {}", statement.split_whitespace().take(STATEMENT_WORDS).collect::<Vec<_>>().join(" "));
    }
    assert!(work.messages <= MESSAGES_MAX, "{work:#?}");
    assert!(work.transactions <= TRANSACTIONS_MAX, "{work:#?}");
    assert!(work.statements.len() <= STATEMENTS_MAX, "{work:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unchanged_delta_is_one_message_and_few_transactions_embedded() {
    let work = unchanged_delta(Shape::Embedded).await;
    assert!(work.messages <= MESSAGES_MAX, "{work:#?}");
    assert!(work.transactions <= TRANSACTIONS_MAX, "{work:#?}");
}

/// States that nobody gave out.
const STATES: usize = 60;

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_nobody_gave_out_costs_no_writers_turn_embedded() {
    a_state_that_nobody_gave_out_costs_no_writers_turn(Shape::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_nobody_gave_out_costs_no_writers_turn_on_services() {
    a_state_that_nobody_gave_out_costs_no_writers_turn(Shape::Services).await;
}

async fn a_state_that_nobody_gave_out_costs_no_writers_turn(shape: Shape) {
    let extra = [("HELPSYNC_DISPATCHER__TICK_SECONDS", "100"), ("HELPSYNC_WEBHOOKS__POLL_MS", "60000")];
    let app = TestApp::start(shape, &extra, real_time()).await;
    let browser = Browser::new(&app.http);
    // One that is good takes its turn: the count sees it.
    app.work();
    app.account("acme", small(1));
    app.oauth_url(CUSTOMER, "acme").await;
    assert!(app.work().transactions > 0, "writers are counted");
    for path in ["/integrations/zendesk", "/integrations/zendesk/connect"] {
        app.work();
        for number in 0..STATES {
            let url = app.url(&format!("{path}?state=random-{number}&code=x"));
            let answer = app.http.get(url.clone()).send().await.unwrap();
            assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{path}");
            assert_eq!(browser.open(url.as_str()).await.status, StatusCode::BAD_REQUEST, "{path}");
        }
        let work = app.work();
        // What the installation does by itself meanwhile.
        assert!(work.transactions < STATES / 2, "{path}: {} transactions", work.transactions);
    }
}
