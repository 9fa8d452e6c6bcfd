//! Limits: what goes beyond one is skipped and said, and comes once there is room.

use helpsync_model::RunKind;
use reqwest::Method;
use serde_json::{Value, json};
use zendesk_sim::Change;

use crate::app::{Shape, TestApp};
use crate::copy::{assert_equal, ours, truth};
use crate::webhooks_out::{Received, Receiver, add, arrived, small, start};

const CUSTOMER: &str = "ada";
const MOST: i64 = 40;

async fn limit_files(app: &TestApp, most: i64) {
    let body = json!({ "customer_ids": [CUSTOMER], "max_files": most });
    app.post("/update_users", CUSTOMER, body).await;
}

/// How many files the API lists.
async fn listed(app: &TestApp) -> Value {
    let body = json!({ "include_count": true, "pagination": { "limit": 1 } });
    app.post("/user_files_v2", CUSTOMER, body).await["count"].clone()
}

async fn limits_hold_and_what_they_kept_out_comes_with_room(shape: Shape) {
    let app = start(shape, &[]).await;
    let account = app.account("acme", small(150));
    let receiver = Receiver::start(200).await;
    add(&app, &receiver.url).await;
    app.post("/organization/update", CUSTOMER, json!({ "global_user_config": { "max_files": 3 } })).await;
    limit_files(&app, MOST).await;
    // What is not named, or null, stays as it is.
    let more = json!({ "customer_ids": [CUSTOMER], "max_files": null, "max_characters": -1 });
    app.post("/update_users", CUSTOMER, more).await;
    let all = i64::try_from(truth(&account).len()).unwrap();

    let run = app.connect(CUSTOMER, "acme").await;
    assert_eq!((run.counters.created, run.counters.skipped), (MOST, all - MOST), "{run:?}");
    assert_eq!(listed(&app).await, MOST);
    let path = format!("/helpsync/v1/runs/{}/skipped?limit=200", run.id);
    let (_, skipped) = app.call(Method::GET, &path, CUSTOMER, None).await;
    let skipped = skipped["skipped"].as_array().unwrap().clone();
    assert_eq!(skipped.len(), usize::try_from(all - MOST).unwrap());
    let reason = format!("max_files would be exceeded: it is {MOST}");
    assert!(skipped.iter().all(|one| one["reason"] == reason), "{skipped:?}");

    arrived(&app, &receiver).await;
    let user = app.post("/user", CUSTOMER, json!({ "customer_id": CUSTOMER })).await;
    assert_eq!(user["custom_limits"], json!({ "max_files": MOST, "max_characters": -1 }));
    let received = receiver.received();
    let of =
        |kind: &str| received.iter().filter(|one| one.kind() == kind).cloned().collect::<Vec<Received>>();
    let (reached, ends) = (of("FILE_SYNC_LIMIT_REACHED"), of("FILES_SKIPPED"));
    assert_eq!((reached.len(), ends.len()), (1, 1));
    assert_eq!(reached[0].payload["obj"]["object_type"], "ORGANIZATION_USER");
    assert_eq!(*reached[0].object(), user["id"].to_string());
    assert_eq!((&ends[0].payload["obj"]["object_type"], ends[0].object()), (&json!("FILE_LIST"), &json!([])));
    let said = &ends[0].payload["obj"]["additional_information"];
    assert_eq!((&said["reason"], &said["articles"]), (&json!(reason), &json!((all - MOST).to_string())));

    // Where nothing changed and nothing has room, a sync is as small as ever.
    let run = app.sync(CUSTOMER, "acme").await;
    assert_eq!((run.kind, run.counters.created), (RunKind::Delta, 0));
    assert!(run.counters.listed < all, "{run:?}");

    // What is removed makes room, which the next sync finds.
    let gone = *ours(&app, CUSTOMER).await.keys().next().unwrap();
    account.apply(Change::Delete { id: gone }).unwrap();
    let run = app.sync(CUSTOMER, "acme").await;
    assert_eq!(
        (run.counters.removed, run.counters.held),
        (1, 0),
        "what was kept out counts as known: {run:?}"
    );
    let run = app.sync(CUSTOMER, "acme").await;
    assert_eq!(run.counters.created, 1, "{run:?}");
    assert_eq!(listed(&app).await, MOST);

    limit_files(&app, -1).await;
    let run = app.sync(CUSTOMER, "acme").await;
    assert_eq!((run.kind, run.counters.skipped), (RunKind::Delta, 0));
    assert!(run.plan_reason.as_deref().unwrap().contains("limits kept out"), "{run:?}");
    assert_equal(&app, &account, CUSTOMER).await;
    let run = app.sync(CUSTOMER, "acme").await;
    assert!(run.counters.listed < all, "everything was read for once: {run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_hold_and_what_they_kept_out_comes_with_room_embedded() {
    limits_hold_and_what_they_kept_out_comes_with_room(Shape::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_hold_and_what_they_kept_out_comes_with_room_on_services() {
    limits_hold_and_what_they_kept_out_comes_with_room(Shape::Services).await;
}
