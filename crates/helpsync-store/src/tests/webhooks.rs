//! Webhooks and their deliveries, on both databases.

use std::time::Duration;

use helpsync_model::{
    ConnectionId, DeliveryState, EventKind, FileId, FileStatus, OrganizationId, WaitKind, WebhookId,
    WebhookStatus,
};
use secrecy::ExposeSecret;

use crate::event::events;
use crate::testing::{TestStore, article, name_of, postgres, stores};
use crate::{
    ClaimedDelivery, ClaimedRound, ShardEnd, Store, StoreError, Tried, TriedEnd, WebhookAdded, WebhookHealth,
    WebhookQuery, WebhookRetention,
};

const LEASE: Duration = Duration::from_secs(30);
const MANY: u32 = 1_000;

pub(super) async fn add(store: &Store, organization: OrganizationId, url: &str) -> WebhookId {
    match store.webhooks().add_webhook(organization, url, &"00ff".to_owned().into(), 3).await.unwrap() {
        WebhookAdded::Added(webhook) => webhook.id,
        other => panic!("{other:?}"),
    }
}

/// An organization with one webhook and one connection of customer `cust-1`.
async fn connected(store: &TestStore) -> (OrganizationId, WebhookId, ConnectionId) {
    let organization = store.admin().ensure_organization("default").await.unwrap();
    let webhook = add(store, organization, "https://a.example/hook").await;
    let customer = store.admin().customer(organization, "cust-1").await.unwrap();
    (organization, webhook, store.connect(&customer, "acme").await)
}

async fn claim(store: &Store, webhook: WebhookId, concurrency: u32) -> Vec<Tried> {
    claimed(store, webhook, concurrency).await.iter().map(delivery).collect()
}

async fn claimed(store: &Store, webhook: WebhookId, concurrency: u32) -> Vec<ClaimedDelivery> {
    let round = store.webhooks().claim_deliveries(webhook, concurrency, LEASE).await.unwrap();
    round.map(|round| round.deliveries).unwrap_or_default()
}

fn delivered(round: &ClaimedRound) -> Vec<Tried> {
    round.deliveries.iter().map(delivery).collect()
}

fn delivery(one: &ClaimedDelivery) -> Tried {
    Tried { delivery: one.id, attempt: one.attempt, end: TriedEnd::Delivered }
}

async fn settle(store: &Store, webhook: WebhookId, tried: &[Tried]) {
    store.webhooks().settle_deliveries(webhook, tried, WebhookHealth::clone).await.unwrap();
}

fn ended(tried: &Tried, end: TriedEnd) -> Vec<Tried> {
    vec![Tried { end, ..tried.clone() }]
}

fn retry(wait: Duration) -> TriedEnd {
    TriedEnd::Retry { wait, http_status: Some(500), error: "it answered 500".to_owned() }
}

/// Claims and settles until nothing is left; the kinds of the events in the order in which they were claimed.
pub(super) async fn drain(store: &Store, webhook: WebhookId, concurrency: u32) -> Vec<EventKind> {
    let mut kinds = Vec::new();
    while let Some(round) = store.webhooks().claim_deliveries(webhook, concurrency, LEASE).await.unwrap() {
        kinds.extend(round.deliveries.iter().map(|one| one.event.kind));
        settle(store, webhook, &delivered(&round)).await;
    }
    kinds
}

#[tokio::test]
async fn an_organization_has_so_many_webhooks_and_each_address_once() {
    for store in stores().await {
        let organization = store.admin().ensure_organization("default").await.unwrap();
        let stranger = store.admin().ensure_organization("other").await.unwrap();
        let key = "00ff".to_owned().into();
        let first = add(&store, organization, "https://a.example/1").await;
        let again = store.webhooks().add_webhook(organization, "https://a.example/1", &key, 3).await.unwrap();
        assert!(matches!(again, WebhookAdded::Known));
        // Two callers at once for the last place.
        add(&store, organization, "https://a.example/2").await;
        let other = store.reopen().await;
        let (one, two) = tokio::join!(
            store.webhooks().add_webhook(organization, "https://a.example/3", &key, 3),
            other.webhooks().add_webhook(organization, "https://a.example/4", &key, 3)
        );
        let full = [one.unwrap(), two.unwrap()].iter().filter(|it| matches!(it, WebhookAdded::Full)).count();
        assert_eq!(full, 1, "{}", name_of(&store));

        let query = WebhookQuery {
            organization,
            ids: None,
            starting_id: 0,
            by_created_at: true,
            descending: false,
            limit: 2,
            offset: 1,
        };
        let (page, count) = store.webhooks().webhooks(&query).await.unwrap();
        assert_eq!((page.len(), count), (2, 3));
        let named = WebhookQuery { ids: Some(vec![first.0, 99]), offset: 0, ..query.clone() };
        assert_eq!(store.webhooks().webhooks(&named).await.unwrap().0[0].id, first);
        assert_eq!(
            store.webhooks().webhooks(&WebhookQuery { organization: stranger, ..query }).await.unwrap().1,
            0
        );
        assert!(matches!(
            store.webhooks().delete_webhook(stranger, first).await,
            Err(StoreError::NotFound(_))
        ));
        store.webhooks().delete_webhook(organization, first).await.unwrap();
        assert!(matches!(
            store.webhooks().delete_webhook(organization, first).await,
            Err(StoreError::NotFound(_))
        ));
        add(&store, organization, "https://a.example/1").await;
    }
}

#[tokio::test]
async fn every_event_reaches_every_webhook_of_its_organization_once() {
    for store in stores().await {
        let (organization, webhook, connection) = connected(&store).await;
        let second = add(&store, organization, "https://b.example/hook").await;
        let stranger = store.admin().ensure_organization("other").await.unwrap();
        let strange = add(&store, stranger, "https://c.example/hook").await;
        store.sync_articles(connection, (1..=5).map(|id| article(id, "T", 1)).collect()).await;
        let written = store.webhooks().events(organization, 0, MANY).await.unwrap();

        // Two relays at once, in small bites, and once more for nothing.
        let other = store.reopen().await;
        let fan = async |store: &Store| while store.webhooks().fan_out_events(2).await.unwrap() > 0 {};
        tokio::join!(fan(&store), fan(&other));
        fan(&store).await;
        assert_eq!(store.webhooks().due_webhooks(WebhookId(0), 10).await.unwrap(), [webhook, second]);
        assert_eq!(store.webhooks().due_webhooks(webhook, 10).await.unwrap(), [second, webhook]);
        for one in [webhook, second] {
            let (mine, theirs) = tokio::join!(drain(&store, one, 3), drain(&other, one, 3));
            assert_eq!(mine.len() + theirs.len(), written.len(), "{}", name_of(&store));
        }
        assert!(drain(&store, strange, 3).await.is_empty());
        assert!(store.webhooks().due_webhooks(WebhookId(0), 10).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn an_event_that_commits_late_is_not_passed_over() {
    // Postgres gives out ids before their transactions commit; SQLite has one writer.
    let store = postgres().await;
    let (organization, webhook, _) = connected(&store).await;
    while store.webhooks().fan_out_events(MANY).await.unwrap() > 0 {}
    drain(&store, webhook, 9).await;
    let mut late = store.store.write().await.unwrap();
    sqlx::query("insert into event (organization_id, kind, object_type, object_id, created_at) values ($1, 'ADD', 'NONE', 'null', 0)")
        .bind(organization.0)
        .execute(&mut *late.tx)
        .await
        .unwrap();
    store.webhooks().announce(organization, EventKind::FileStatisticsAggregated).await.unwrap();
    assert_eq!(store.webhooks().fan_out_events(MANY).await.unwrap(), 1);
    late.commit().await.unwrap();
    assert_eq!(store.webhooks().fan_out_events(MANY).await.unwrap(), 1);
    assert_eq!(drain(&store, webhook, 9).await, [EventKind::Add, EventKind::FileStatisticsAggregated]);
}

#[tokio::test]
async fn what_is_claimed_is_bounded_over_all_processes_and_comes_back_when_its_lease_ends() {
    for store in stores().await {
        let (_, webhook, connection) = connected(&store).await;
        store.sync_articles(connection, (1..=9).map(|id| article(id, "T", 1)).collect()).await;
        store.webhooks().fan_out_events(MANY).await.unwrap();
        settle(&store, webhook, &claim(&store, webhook, 1).await).await;

        let other = store.reopen().await;
        let first = claim(&store, webhook, 4).await;
        assert_eq!(first.len(), 4);
        assert!(claim(&other, webhook, 4).await.is_empty());
        assert_eq!(claim(&other, webhook, 6).await.len(), 2);
        store.clock.advance(LEASE);
        let again = claim(&other, webhook, 4).await;
        assert_eq!(again[0].delivery, first[0].delivery);
        assert!(again[0].attempt > first[0].attempt);
        // The first holder wakes up: it cannot fail what it lost, but it may have delivered it.
        settle(&store, webhook, &ended(&first[0], retry(Duration::ZERO))).await;
        assert!(claim(&store, webhook, 4).await.is_empty());
        settle(&store, webhook, &ended(&first[0], TriedEnd::Delivered)).await;
        settle(&other, webhook, &ended(&again[0], retry(Duration::ZERO))).await;
        let left = claim(&store, webhook, 9).await;
        assert!(left.iter().all(|one| one.delivery != first[0].delivery));
        // What a stopping process gives back has lost nothing.
        let released = ended(&again[1], TriedEnd::Released);
        settle(&other, webhook, &released).await;
        assert_eq!(claimed(&other, webhook, 99).await[0].failures, 2);
    }
}

#[tokio::test]
async fn events_of_one_file_keep_their_order_and_the_end_of_an_upload_comes_after_its_files() {
    for store in stores().await {
        let (organization, webhook, connection) = connected(&store).await;
        store.sync_articles(connection, vec![article(1, "A", 1), article(2, "B", 1)]).await;
        store.sync_articles(connection, vec![article(1, "A again", 2)]).await;
        store.webhooks().fan_out_events(MANY).await.unwrap();
        let written: Vec<EventKind> = store
            .webhooks()
            .events(organization, 0, MANY)
            .await
            .unwrap()
            .iter()
            .map(|event| event.kind)
            .collect();
        let ready = written.iter().filter(|kind| **kind == EventKind::FileReady).count();
        assert_eq!((written[0], ready), (EventKind::Add, 3), "{written:?}");

        let add = claim(&store, webhook, 9).await;
        settle(&store, webhook, &add).await;
        // Whatever was sent with it, file 1 is ready once, and fails.
        let mut failing = None;
        let mut seen = Vec::new();
        while let Some(round) = store.webhooks().claim_deliveries(webhook, 9, LEASE).await.unwrap() {
            let mut results = Vec::new();
            for one in &round.deliveries {
                let tried = Tried { delivery: one.id, attempt: one.attempt, end: TriedEnd::Delivered };
                if one.event.kind == EventKind::FileReady && failing.is_none() {
                    failing = Some(one.event.object_id.clone());
                    results.extend(ended(&tried, retry(Duration::from_secs(60))));
                } else {
                    seen.push((one.event.kind, one.event.object_id.clone()));
                    results.push(tried);
                }
            }
            settle(&store, webhook, &results).await;
        }
        let failing = failing.unwrap();
        assert!(
            !seen.iter().any(|(kind, object)| *kind == EventKind::FileReady && *object == failing),
            "{}: its second event overtook the first: {seen:?}",
            name_of(&store)
        );
        assert_eq!(seen.last().unwrap().0, EventKind::AllFilesProcessed, "a failed try holds up no upload");
        store.clock.advance(Duration::from_secs(60));
        assert!(drain(&store, webhook, 9).await.iter().all(|kind| *kind == EventKind::FileReady));
    }
}

#[tokio::test]
async fn an_open_circuit_lets_one_probe_through_when_its_time_has_come() {
    for store in stores().await {
        let (organization, webhook, connection) = connected(&store).await;
        store.sync_articles(connection, (1..=9).map(|id| article(id, "T", 1)).collect()).await;
        store.webhooks().fan_out_events(MANY).await.unwrap();
        let tried = claim(&store, webhook, 1).await;
        let until = helpsync_model::Clock::now_ms(&*store.clock) + 60_000;
        let open =
            WebhookHealth { failures: 5, open_until: Some(until), reason: Some("it answered 500".into()) };
        let failed = ended(&tried[0], retry(Duration::ZERO));
        store.webhooks().settle_deliveries(webhook, &failed, |_| open.clone()).await.unwrap();
        let shown = store.webhooks().webhook(organization, webhook).await.unwrap();
        assert_eq!(
            (shown.status, shown.status_reason.as_deref()),
            (WebhookStatus::Flagged, Some("it answered 500"))
        );
        assert!(store.webhooks().due_webhooks(WebhookId(0), 9).await.unwrap().is_empty());
        assert!(claim(&store, webhook, 9).await.is_empty());

        store.clock.advance(Duration::from_secs(60));
        let probe = claim(&store, webhook, 9).await;
        assert_eq!(probe.len(), 1);
        assert!(claim(&store, webhook, 9).await.is_empty());
        store.webhooks().settle_deliveries(webhook, &probe, |_| WebhookHealth::default()).await.unwrap();
        assert_eq!(
            store.webhooks().webhook(organization, webhook).await.unwrap().status,
            WebhookStatus::Active
        );
        assert!(claim(&store, webhook, 9).await.len() > 1);
    }
}

#[tokio::test]
async fn a_dead_delivery_is_listed_and_sent_again_when_a_person_asks() {
    for store in stores().await {
        let (organization, webhook, _) = connected(&store).await;
        store.webhooks().fan_out_events(MANY).await.unwrap();
        let tried = claim(&store, webhook, 9).await;
        let dead = TriedEnd::Dead { http_status: None, error: "cannot connect".to_owned() };
        let open =
            WebhookHealth { failures: 9, open_until: Some(i64::MAX), reason: Some("cannot connect".into()) };
        store.webhooks().settle_deliveries(webhook, &ended(&tried[0], dead), |_| open.clone()).await.unwrap();
        let listed = store
            .webhooks()
            .deliveries(organization, webhook, Some(DeliveryState::Dead), 0, 10)
            .await
            .unwrap();
        assert_eq!((listed.len(), listed[0].error.as_deref()), (1, Some("cannot connect")));
        assert_eq!((listed[0].kind, listed[0].attempts), (EventKind::Add, 1));
        let id = listed[0].id;
        assert!(store.webhooks().deliveries(organization, webhook, None, id.0, 10).await.unwrap().is_empty());

        let stranger = store.admin().ensure_organization("other").await.unwrap();
        assert!(matches!(store.webhooks().redeliver(stranger, id).await, Err(StoreError::NotFound(_))));
        assert!(matches!(
            store.webhooks().deliveries(stranger, webhook, None, 0, 10).await,
            Err(StoreError::NotFound(_))
        ));
        store.webhooks().redeliver(organization, id).await.unwrap();
        let again = claimed(&store, webhook, 9).await;
        assert_eq!((again.len(), again[0].failures), (1, 1));
        let again: Vec<Tried> = again.iter().map(delivery).collect();
        // While it is out, asking changes nothing.
        store.webhooks().redeliver(organization, id).await.unwrap();
        assert!(claim(&store, webhook, 9).await.is_empty());
        settle(&store, webhook, &again).await;
        assert_eq!(store.webhooks().redeliver_dead(organization, webhook, 10).await.unwrap(), 0);
        // Also what has arrived can be asked for.
        store.webhooks().redeliver(organization, id).await.unwrap();
        assert_eq!(drain(&store, webhook, 9).await, [EventKind::Add]);
    }
}

#[tokio::test]
async fn pruning_gives_up_what_is_too_old_and_forgets_the_rest_in_bounded_steps() {
    for store in stores().await {
        let (organization, webhook, connection) = connected(&store).await;
        let second = add(&store, organization, "https://b.example/hook").await;
        store.sync_articles(connection, (1..=5).map(|id| article(id, "T", 1)).collect()).await;
        store.webhooks().fan_out_events(MANY).await.unwrap();
        let events = store.webhooks().events(organization, 0, MANY).await.unwrap().len() as u64;
        drain(&store, webhook, 9).await;
        let retention =
            WebhookRetention { retry_age: Duration::from_secs(3_600), keep: Duration::from_secs(7_200) };
        let prune = async |limit| store.webhooks().prune_webhooks(retention, limit).await.unwrap();
        assert_eq!(prune(MANY).await, crate::WebhooksPruned::default());

        store.clock.advance(Duration::from_secs(3_601));
        assert_eq!(prune(3).await.expired, 3);
        assert_eq!(prune(MANY).await.expired, events - 3);
        let dead = store
            .webhooks()
            .deliveries(organization, second, Some(DeliveryState::Dead), 0, MANY)
            .await
            .unwrap();
        assert_eq!(dead[0].error.as_deref(), Some("it waited for too long"));

        store.clock.advance(Duration::from_secs(3_600));
        let first = prune(MANY).await;
        assert_eq!((first.deliveries, first.events), (events, 0), "the other's deliveries hold their events");
        store.webhooks().delete_webhook(organization, second).await.unwrap();
        assert_eq!(prune(2).await.deliveries, 2);
        prune(MANY).await;
        assert!(
            store.webhooks().events(organization, 0, MANY).await.unwrap().is_empty(),
            "{}",
            name_of(&store)
        );
    }
}

#[tokio::test]
async fn the_events_of_a_deleted_customer_still_go_out_and_the_last_says_so() {
    for store in stores().await {
        let (organization, webhook, _) = connected(&store).await;
        let customer = store.admin().customer(organization, "cust-1").await.unwrap();
        let mut write = store.store.write().await.unwrap();
        events::outlive_customer(&mut write, organization, customer.id, "cust-1").await.unwrap();
        write.commit().await.unwrap();
        store.webhooks().fan_out_events(MANY).await.unwrap();
        let mut said = Vec::new();
        while let Some(round) = store.webhooks().claim_deliveries(webhook, 9, LEASE).await.unwrap() {
            assert_eq!(round.signing_keys[0].expose_secret(), "00ff");
            for one in &round.deliveries {
                said.push((one.event.kind, one.customer.clone().unwrap(), one.event.object_id.clone()));
            }
            settle(&store, webhook, &delivered(&round)).await;
        }
        assert_eq!(said[0].1, "cust-1");
        let last = (EventKind::OrganizationUserDeleted, "cust-1".to_owned(), customer.id.to_string());
        assert_eq!(said.last(), Some(&last), "{}", name_of(&store));
    }
}

#[tokio::test]
async fn a_chosen_file_announces_that_it_is_fetched_and_that_it_waits() {
    for store in stores().await {
        let (organization, _, connection) = connected(&store).await;
        store.sync_articles(connection, vec![article(7, "A", 1), article(8, "B", 1)]).await;
        let customer = store.admin().customer(organization, "cust-1").await.unwrap();
        let seen = store.webhooks().events(organization, 0, MANY).await.unwrap();
        let ready = seen.iter().find(|event| event.kind == EventKind::FileReady).unwrap();
        let file = FileId(ready.object_id.parse().unwrap());
        store.admin().request_resync(customer.id, file, "again").await.unwrap();
        let run = store.admin().runs(organization, Some(connection), 1).await.unwrap()[0].id;
        let wait = || ShardEnd::Snooze {
            wait: Duration::from_secs(1),
            kind: WaitKind::Budget,
            reason: "budget".to_owned(),
        };
        for _ in 0..2 {
            let started = store.start(run).await;
            assert_eq!(store.admin().file(customer.id, file).await.unwrap().status, FileStatus::Syncing);
            store.queue().end_shard(&started.fence, &wait()).await.unwrap();
            assert_eq!(
                store.admin().file(customer.id, file).await.unwrap().status,
                FileStatus::QueuedForSync
            );
        }
        let after = store.webhooks().events(organization, seen.last().unwrap().id, MANY).await.unwrap();
        let said: Vec<(EventKind, &str)> =
            after.iter().map(|event| (event.kind, event.object_id.as_str())).collect();
        let (syncing, waiting) =
            ((EventKind::FileSyncing, &*ready.object_id), (EventKind::RateLimitError, &*ready.object_id));
        assert_eq!(said, [syncing, waiting, syncing, waiting], "{}", name_of(&store));
        assert_eq!(after[0].detail["request_id"], "again");
    }
}

#[tokio::test]
async fn a_late_failure_does_not_delay_what_a_person_has_asked_for_again() {
    for store in stores().await {
        let (organization, webhook, _) = connected(&store).await;
        store.webhooks().fan_out_events(MANY).await.unwrap();
        let late = claim(&store, webhook, 1).await;
        store.clock.advance(LEASE);
        store.webhooks().redeliver(organization, late[0].delivery).await.unwrap();
        settle(&store, webhook, &ended(&late[0], retry(Duration::from_secs(60)))).await;
        assert_eq!(claim(&store, webhook, 1).await.len(), 1, "{}", name_of(&store));
    }
}
