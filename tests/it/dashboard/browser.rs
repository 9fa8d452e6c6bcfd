//! A person at the dashboard, in headless Chromium (`tests/dashboard/drive.js`): each part logs in by the form and does one
//! day's work. Every page that it sees is looked at by axe, light and dark, and at 360 pixels. Screenshots stay in
//! `target/dashboard`.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use reqwest::Method;
use serde_json::json;
use tokio::process::Command;
use zendesk_sim::{Change, Fault, FaultBody, FaultRule};

use super::Visitor;
use crate::app::{API_KEY, LATE, Shape, TestApp, make_key, small, until};
use crate::webhooks_out::{Receiver, add, start};

const CUSTOMER: &str = "ada";
const OTHER_KEY: &str = "a-key-of-another-organization";
/// One part does many things, each of which may take a while on a busy machine.
const PART_LATE: std::time::Duration = LATE.saturating_mul(2);

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Plays one part of the script.
async fn play(app: &TestApp, part: &str, more: &[(&str, &str)]) {
    let modules = root().join("target/sdk-node/node_modules");
    assert!(modules.join("axe-core").exists(), "axe-core is missing: run deploy/dev.sh setup");
    let shots = root().join("target/dashboard");
    std::fs::create_dir_all(&shots).unwrap();
    let output = Command::new("node")
        .arg(root().join("tests/dashboard/drive.js"))
        .env("NODE_PATH", modules)
        .env("HELPSYNC_URL", app.url("/").as_str().trim_end_matches('/'))
        .env("HELPSYNC_PART", part)
        .env("HELPSYNC_KEY", API_KEY)
        .env("HELPSYNC_CUSTOMER", CUSTOMER)
        .env("HELPSYNC_SCREENSHOTS", shots)
        .envs(more.iter().copied())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(PART_LATE, output).await;
    let output = output.unwrap_or_else(|_late| panic!("{part} does not end")).unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{part}: {said}{}", String::from_utf8_lossy(&output.stderr));
}

/// Two customers whose syncs give up.
pub(super) async fn dead_letters(app: &TestApp) {
    for name in ["bob", "cyd"] {
        let account = app.account(name, small(5));
        app.connect(name, name).await;
        let refused = Fault::Status { code: 400, retry_after: None, body: FaultBody::Json };
        account.inject(FaultRule::always(refused).on("help_center"));
        app.post("/helpsync/v1/sync", name, json!({ "customer_id": name })).await;
        app.ended(app.connection(name, name).await).await;
        account.clear_faults();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_runs_the_installation_from_the_dashboard() {
    let quick = [
        ("HELPSYNC_WEBHOOKS__ATTEMPTS_MAX", "1"),
        ("HELPSYNC_WEBHOOKS__RETRY_FIRST_MS", "1"),
        ("HELPSYNC_WEBHOOKS__BREAKER_OPEN_MS", "20"),
        ("HELPSYNC_WEBHOOKS__BREAKER_OPEN_MAX_SECONDS", "1"),
    ];
    let app = start(Shape::Embedded, &quick).await;
    let account = app.account("acme", small(400));
    let connect = app.oauth_url(CUSTOMER, "acme").await;
    play(&app, "connect", &[("HELPSYNC_CONNECT", &connect)]).await;

    for id in account.article_ids().into_iter().take(250) {
        account.apply(Change::Delete { id }).unwrap();
    }
    app.sync(CUSTOMER, "acme").await;
    play(&app, "removals", &[]).await;
    app.finished(app.connection(CUSTOMER, "acme").await).await;

    dead_letters(&app).await;
    play(&app, "dead_letters", &[]).await;
    until("the dead letters to be made good", async || {
        let (_, letters) = app.call(Method::GET, "/helpsync/v1/dead-letters", CUSTOMER, None).await;
        letters["dead_letters"].as_array().unwrap().is_empty().then_some(())
    })
    .await;

    let receiver = Receiver::start(503).await;
    let (webhook, _) = add(&app, &receiver.url).await;
    app.sync(CUSTOMER, "acme").await;
    let dead = format!("/helpsync/v1/webhooks/{webhook}/deliveries?state=dead");
    until("a delivery to be dead", async || {
        let (_, answer) = app.call(Method::GET, &dead, CUSTOMER, None).await;
        answer["deliveries"].as_array().unwrap().first().map(|_| ())
    })
    .await;
    receiver.answer(200);
    play(&app, "webhooks", &[]).await;
    until("the webhook to be told", async || (!receiver.events().is_empty()).then_some(())).await;

    play(&app, "settings", &[]).await;
    let (_, kept) = app.call(Method::GET, "/helpsync/v1/selection", CUSTOMER, None).await;
    assert_eq!(kept["locales"], json!(["en-us"]), "{kept}");

    let other = app.parts().store.admin().ensure_organization("other").await.unwrap();
    make_key(app.parts().store.admin(), other, OTHER_KEY).await;
    let owner = Visitor::login(&app, API_KEY).await;
    let customer = format!("{}/customers/{}", owner.home, owner.customer(CUSTOMER).await);
    play(&app, "stranger", &[("HELPSYNC_KEY", OTHER_KEY), ("HELPSYNC_ADDRESS", &customer)]).await;

    play(&app, "leave", &[]).await;
    let state = app.parts().store.admin().customer_state(app.parts().organization, CUSTOMER).await;
    assert!(state.unwrap().unwrap().workspace.is_none(), "disconnected");
}
