//! Whether anybody is to be told of an announcement, which is decided while it is written.

use std::time::Duration;

use helpsync_model::EventKind;
use serde_json::json;

use super::outages::somebody_waits;
use super::webhooks::{add, drain};
use crate::event::events::{self, NewEvent};
use crate::testing::{name_of, postgres, stores};

const MANY: u32 = 1_000;
/// Anything here is there by then.
const LATE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn what_nobody_is_told_of_waits_for_nobody_and_a_new_webhook_hears_of_all_that_follows() {
    for store in stores().await {
        let organization = store.admin().ensure_organization("default").await.unwrap();
        let announced = EventKind::FileStatisticsAggregated;
        store.webhooks().announce(organization, announced).await.unwrap();
        assert_eq!(store.webhooks().fan_out_events(MANY).await.unwrap(), 0, "{}", name_of(&store));
        let stranger = store.admin().ensure_organization("other").await.unwrap();
        add(&store, stranger, "https://c.example/hook").await;
        store.webhooks().announce(organization, announced).await.unwrap();
        assert_eq!(store.webhooks().fan_out_events(MANY).await.unwrap(), 0, "another's webhook");
        let webhook = add(&store, organization, "https://a.example/hook").await;
        store.webhooks().announce(organization, announced).await.unwrap();
        assert_eq!(store.webhooks().fan_out_events(MANY).await.unwrap(), 1);
        assert_eq!(drain(&store, webhook, 9).await, [announced]);
        // All of them are there for who asks.
        assert_eq!(store.webhooks().events(organization, 0, MANY).await.unwrap().len(), 3);
    }
}

#[tokio::test]
async fn a_webhook_is_added_when_nobody_writes_an_announcement_any_more_that_found_none() {
    // SQLite has one writer.
    let store = postgres().await;
    let organization = store.admin().ensure_organization("default").await.unwrap();
    let customer = store.admin().customer(organization, "cust-1").await.unwrap();
    let connection = store.connect(&customer, "acme").await;
    let mut open = store.store.write().await.unwrap();
    let event = NewEvent {
        organization,
        customer: customer.id,
        connection,
        kind: EventKind::Add,
        object_type: "DATA_SOURCE",
        object_id: "1".to_owned(),
        detail: json!({}),
    };
    events::record(&mut open, event).await.unwrap();
    let other = store.reopen().await;
    let asked = async {
        somebody_waits(&store).await;
        open.commit().await.unwrap();
    };
    let adding = add(&other, organization, "https://a.example/hook");
    let (webhook, ()) = tokio::time::timeout(LATE, async { tokio::join!(adding, asked) }).await.unwrap();
    store.webhooks().announce(organization, EventKind::FileStatisticsAggregated).await.unwrap();
    store.webhooks().fan_out_events(MANY).await.unwrap();
    assert_eq!(drain(&store, webhook, 9).await, [EventKind::FileStatisticsAggregated]);
}
