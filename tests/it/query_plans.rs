//! How the databases would read large tables: kept in `fixtures/query-plans-*.txt`, so that a change shows what it does to
//! them, and none reads a table whole where it was not read so.
//!
//! `HELPSYNC_TEST_BLESS=1 cargo test -p helpsync-tests --test it query_plans` writes the files anew.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use helpsync_store::testing::plans::{Planned, WHOLE, plans};
use reqwest::Method;
use serde_json::{Value, json};
use zendesk_sim::Change;

use crate::app::{Shape, TestApp, real_time, small, until};
use crate::log::nobodys_statements;

/// Rows of each table that holds anything.
const ROWS: i64 = 1_000_000;
/// Fewer statements are not what an installation does.
const STATEMENTS_MIN: usize = 100;
/// Of a file's statements so many are seen again: some are not asked on every day.
const KNOWN_PERCENT_MIN: usize = 80;
const CUSTOMER: &str = "ada";
/// Its webhooks lead to this machine.
const SETTINGS: [(&str, &str); 1] = [("HELPSYNC_WEBHOOKS__ALLOW_PRIVATE", "true")];

/// Everything that is done often: syncs with and without changes, removals, lists, searches, pages of the dashboard.
async fn ordinary_day(app: &TestApp) {
    let account = app.account("acme", small(60));
    app.connect(CUSTOMER, "acme").await;
    let webhook = app.post("/add_webhook", CUSTOMER, json!({ "url": "http://127.0.0.1:1/hook" })).await;
    let ids = account.article_ids();
    for id in ids.iter().take(3) {
        account
            .apply(Change::Edit { id: *id, title: None, body: Some("<p>changed</p>".to_owned()) })
            .unwrap();
        app.sync(CUSTOMER, "acme").await;
    }
    account.apply(Change::Delete { id: ids[4] }).unwrap();
    app.audit(CUSTOMER, "acme").await;
    app.sync(CUSTOMER, "acme").await;
    until("chunks", async || {
        let files = app.post("/user_files_v2", CUSTOMER, json!({})).await;
        let are_chunked = |file: &Value| file["file_statistics"]["num_tokens"].as_i64().unwrap_or(0) > 0;
        files["results"].as_array().unwrap().iter().all(are_chunked).then_some(())
    })
    .await;
    let deliveries = format!("/helpsync/v1/webhooks/{}/deliveries", webhook["id"]);
    until("a delivery that failed", async || {
        let (_, listed) = app.call(Method::GET, &deliveries, CUSTOMER, None).await;
        listed["deliveries"].as_array()?.iter().any(|one| one["error"].is_string()).then_some(())
    })
    .await;
    let file = app.post("/user_files_v2", CUSTOMER, json!({})).await["results"][0]["id"].clone();
    app.post("/resync_file", CUSTOMER, json!({ "file_id": file })).await;
    for order in ["created_at", "updated_at", "name", "last_sync", "file_size", "id"] {
        let body = json!({ "order_by": order, "pagination": { "limit": 2, "offset": 3 } });
        app.post("/user_files_v2", CUSTOMER, body).await;
    }
    for filters in [
        json!({ "ids": [file] }),
        json!({ "external_file_ids": ["1"] }),
        json!({ "sync_statuses": ["READY"] }),
        json!({ "name": "a" }),
    ] {
        app.post("/user_files_v2", CUSTOMER, json!({ "filters": filters })).await;
    }
    let source = app.connection(CUSTOMER, "acme").await.0;
    for (path, body) in [
        ("/embeddings", json!({ "query": "how to reset", "k": 3 })),
        ("/list_chunks_and_embeddings", json!({ "filters": {}, "pagination": { "limit": 2 } })),
        ("/integrations/items/list", json!({ "data_source_id": source })),
        ("/user_data_sources", json!({})),
        ("/user", json!({ "customer_id": CUSTOMER })),
        ("/update_users", json!({ "customer_ids": [CUSTOMER], "auto_sync_enabled_sources": ["ZENDESK"] })),
    ] {
        app.post(path, CUSTOMER, body).await;
    }
    for path in [
        "/helpsync/v1/status",
        "/helpsync/v1/customers",
        "/helpsync/v1/customers?state=held",
        "/helpsync/v1/customers/ada",
        "/helpsync/v1/runs",
        "/helpsync/v1/dead-letters",
        "/helpsync/v1/budgets",
        "/helpsync/v1/workers",
        "/helpsync/v1/lanes",
        "/readyz",
    ] {
        let (status, answer) = app.call(Method::GET, path, CUSTOMER, None).await;
        assert!(status.is_success(), "{path}: {answer}");
    }
}

fn kept_in(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures").join(format!("query-plans-{name}.txt"))
}

fn as_text(planned: &[Planned]) -> String {
    let mut text = String::new();
    for Planned { statement, reads } in planned {
        let reads: Vec<&str> = reads.iter().map(String::as_str).collect();
        writeln!(text, "{statement}\n    {}", reads.join(", ")).unwrap();
    }
    text
}

/// What each statement read when the file was written.
fn read_back(text: &str) -> BTreeMap<&str, BTreeSet<&str>> {
    let lines: Vec<&str> = text.lines().collect();
    lines.chunks_exact(2).map(|pair| (pair[0], pair[1].trim().split(", ").collect())).collect()
}

/// What statements of the file read whole now, and did not.
fn worse(planned: &[Planned], before: &BTreeMap<&str, BTreeSet<&str>>) -> Vec<String> {
    let mut worse = Vec::new();
    for Planned { statement, reads } in planned {
        let Some(known) = before.get(statement.as_str()) else { continue };
        let new = |read: &&String| read.ends_with(WHOLE) && !known.contains(read.as_str());
        worse.extend(reads.iter().filter(new).map(|read| format!("{read}: {statement}")));
    }
    worse
}

fn check(name: &str, planned: &[Planned]) {
    assert!(planned.len() >= STATEMENTS_MIN, "only {} statements", planned.len());
    let path = kept_in(name);
    if std::env::var_os("HELPSYNC_TEST_BLESS").is_some() {
        std::fs::write(&path, as_text(planned)).unwrap();
    }
    let before = std::fs::read_to_string(&path).unwrap();
    let before = read_back(&before);
    let worse = worse(planned, &before);
    assert!(
        worse.is_empty(),
        "tables are read whole that were not; if that is meant (small tables), write the file anew with \
         HELPSYNC_TEST_BLESS=1:\n{}",
        worse.join("\n")
    );
    let seen = planned.iter().filter(|one| before.contains_key(one.statement.as_str())).count();
    assert!(
        seen * 100 >= before.len() * KNOWN_PERCENT_MIN,
        "{} holds {} statements, of which {seen} were seen: write it anew with HELPSYNC_TEST_BLESS=1",
        path.display(),
        before.len()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn no_statement_reads_a_large_table_whole_on_services() {
    let app = TestApp::start(Shape::Services, &SETTINGS, real_time()).await;
    app.work();
    ordinary_day(&app).await;
    let statements: BTreeSet<String> = app.work().statements.into_iter().collect();
    let url = app.database_url();
    check("postgres", &plans(&url, ROWS, &statements).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_statement_reads_a_large_table_whole_embedded() {
    nobodys_statements();
    let app = TestApp::start(Shape::Embedded, &SETTINGS, real_time()).await;
    ordinary_day(&app).await;
    check("sqlite", &plans(&app.database_url(), ROWS, &nobodys_statements()).await);
}

#[test]
fn a_table_that_is_read_whole_for_the_first_time_is_told_of() {
    let planned = |reads: &[&str]| {
        let reads = reads.iter().map(|read| (*read).to_owned()).collect();
        vec![Planned { statement: "select 1 from file".to_owned(), reads }]
    };
    let (index, whole) = ("file_by_name", format!("file{WHOLE}"));
    let before = as_text(&planned(&[index]));
    let before = read_back(&before);
    assert!(worse(&planned(&[index]), &before).is_empty());
    assert_eq!(worse(&planned(&[&whole]), &before), ["file (whole): select 1 from file"]);
    let both = as_text(&planned(&[index, &whole]));
    assert!(worse(&planned(&[&whole]), &read_back(&both)).is_empty());
}
