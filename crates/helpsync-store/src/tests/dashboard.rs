//! What the dashboard stores and looks for: sessions, the last day, runs over time, customers by how they stand.

use std::time::Duration;

use helpsync_model::{
    Clock as _, FileId, KeyScope, Lane, RunId, RunKind, RunParams, ShardKind, ShardState, Trigger, WaitKind,
};

use crate::testing::{FIRST, TestStore, article, stores};
use crate::{
    AccountUse, ApiKey, BudgetWaits, CustomerFilter, CustomerSearch, CustomerSort, HISTORY_SLOTS,
    IncomingArticle, NewApiKey, RunRequest, SESSIONS_OF_KEY_MAX, SLOT_MS, ShardEnd, StoreError, USE_SLOT_MS,
    USE_SLOTS, WaitSpan, WebhookAdded,
};

const LIFE: Duration = Duration::from_secs(3_600);

async fn key(store: &TestStore, name: &str, expires_at: Option<i64>) -> ApiKey {
    let new = NewApiKey { name: name.to_owned(), scope: KeyScope::Read, expires_at, prefix: String::new() };
    let organization = store.admin().ensure_organization("default").await.unwrap();
    store
        .admin()
        .create_api_key(organization, &new, &format!("secret of {name}").into())
        .await
        .unwrap()
        .unwrap()
}

#[tokio::test]
async fn a_session_ends_in_time_by_a_log_out_and_with_its_key() {
    for store in stores().await {
        let admin = store.admin();
        let now = store.clock.now_ms();
        let (one, brief) = (key(&store, "one", None).await, key(&store, "brief", Some(now + 1_000)).await);
        let secret = |text: &str| text.to_owned().into();
        for (key, text) in [(&one, "a"), (&one, "b"), (&one, "c"), (&brief, "d")] {
            admin.begin_session(key, &secret(text), LIFE).await.unwrap();
        }
        let key_of =
            async |text: &str| admin.session(&secret(text)).await.unwrap().map(|session| session.key.id);
        assert_eq!(key_of("a").await, Some(one.id));
        assert_eq!(key_of("none of them").await, None);
        assert_eq!(key_of("d").await, Some(brief.id));
        store.clock.advance(Duration::from_secs(2));
        assert_eq!(key_of("d").await, None, "its key has expired");
        admin.end_session(&secret("a"), false).await.unwrap();
        assert_eq!((key_of("a").await, key_of("b").await), (None, Some(one.id)));
        admin.end_session(&secret("b"), true).await.unwrap();
        assert_eq!(key_of("c").await, None, "everywhere");
        admin.begin_session(&one, &secret("e"), LIFE).await.unwrap();
        let stored: Vec<String> = sqlx::query_scalar("select secret_hash from dashboard_session")
            .fetch_all(&store.store.pool)
            .await
            .unwrap();
        assert!(stored.iter().all(|hash| hash.len() == 64), "{stored:?}");
        store.clock.advance(LIFE);
        assert_eq!(key_of("e").await, None, "it has lived its time");
        admin.begin_session(&one, &secret("f"), LIFE).await.unwrap();
        assert!(admin.revoke_api_key(FIRST, one.id).await.unwrap());
        assert_eq!(key_of("f").await, None, "its key is gone");
    }
}

#[tokio::test]
async fn sessions_of_a_key_are_bounded_and_the_oldest_makes_room() {
    for store in stores().await {
        let admin = store.admin();
        let (one, other) = (key(&store, "one", None).await, key(&store, "other", None).await);
        admin.begin_session(&other, &"of another key".to_owned().into(), LIFE).await.unwrap();
        for number in 0..=SESSIONS_OF_KEY_MAX {
            admin.begin_session(&one, &format!("s{number}").into(), LIFE).await.unwrap();
        }
        let is_there = async |text: &str| admin.session(&text.to_owned().into()).await.unwrap().is_some();
        assert!(!is_there("s0").await && is_there("s1").await && is_there("of another key").await);
        let all: i64 = sqlx::query_scalar("select count(*) from dashboard_session")
            .fetch_one(&store.store.pool)
            .await
            .unwrap();
        assert_eq!(all, SESSIONS_OF_KEY_MAX + 1);
    }
}

#[tokio::test]
async fn the_history_keeps_a_day_and_adds_what_processes_count() {
    for store in stores().await {
        let queue = store.queue();
        queue.note_history(&[("held", 5)], &[("requests", 10)]).await.unwrap();
        queue.note_history(&[("held", 3)], &[("requests", 7)]).await.unwrap();
        let values = async || {
            let points = queue.history().await.unwrap();
            points.into_iter().map(|point| (point.name, point.value)).collect::<Vec<_>>()
        };
        assert_eq!(values().await, [("held".to_owned(), 3), ("requests".to_owned(), 17)]);
        let slot = Duration::from_millis(SLOT_MS.unsigned_abs());
        for _ in 0..HISTORY_SLOTS {
            store.clock.advance(slot);
            queue.note_history(&[("held", 1)], &[]).await.unwrap();
        }
        let kept = values().await;
        assert_eq!(kept.len(), usize::try_from(HISTORY_SLOTS).unwrap());
        assert!(kept.iter().all(|(name, value)| name == "held" && *value == 1), "the first slot is gone");
        let rows: i64 = sqlx::query_scalar("select count(*) from history_point")
            .fetch_one(&store.store.pool)
            .await
            .unwrap();
        assert_eq!(rows, HISTORY_SLOTS, "and out of the table");
    }
}

#[tokio::test]
async fn the_use_of_an_accounts_budget_adds_up_by_half_hours_and_a_day_of_it_is_kept() {
    for store in stores().await {
        let organization = store.admin().ensure_organization("default").await.unwrap();
        let other = store.admin().ensure_organization("other").await.unwrap();
        let customer = store.admin().customer(organization, "ada").await.unwrap();
        let connection = store.connect(&customer, "acme").await;
        let queue = store.queue();
        let answered = |requests: i64, least_left: Option<i64>| AccountUse {
            requests,
            throttled: 1,
            waited_ms: 500,
            limit: least_left.map(|_| 400),
            least_left,
        };
        let note = async |account: &str, used: AccountUse| {
            queue.note_account_use(&[(account.to_owned(), used)]).await.unwrap();
        };
        for least_left in [None, Some(30), Some(90), None] {
            note("acme", answered(10, least_left)).await;
        }
        note("bolt", answered(1, Some(1))).await;
        let used = async |of| store.admin().account_use(of, connection).await.unwrap();
        let whole = AccountUse {
            requests: 40,
            throttled: 4,
            waited_ms: 2_000,
            limit: Some(400),
            least_left: Some(30),
        };
        assert_eq!(used(organization).await.into_iter().map(|(_, used)| used).collect::<Vec<_>>(), [whole]);
        assert_eq!(used(other).await, [], "another organization's connection");
        for _ in 0..USE_SLOTS {
            store.clock.advance(Duration::from_millis(USE_SLOT_MS.unsigned_abs()));
            note("acme", answered(1, None)).await;
        }
        assert_eq!(used(organization).await.len(), usize::try_from(USE_SLOTS).unwrap());
        let rows: i64 = sqlx::query_scalar("select count(*) from account_use")
            .fetch_one(&store.store.pool)
            .await
            .unwrap();
        assert_eq!(rows, USE_SLOTS, "the first slot is gone, and so is the other account's");
    }
}

#[tokio::test]
async fn a_file_tells_its_last_changes_and_no_more_of_them_than_there_is_room_for() {
    for store in stores().await {
        let organization = store.admin().ensure_organization("default").await.unwrap();
        let other = store.admin().ensure_organization("other").await.unwrap();
        let customer = store.admin().customer(organization, "ada").await.unwrap();
        let connection = store.connect(&customer, "acme").await;
        let began = store.clock.now_ms();
        store.sync_articles(connection, vec![article(1, "A", 1)]).await;
        let file: i64 = sqlx::query_scalar("select id from file").fetch_one(&store.store.pool).await.unwrap();
        let told = async || -> Vec<(i64, String)> {
            let changes = store.admin().file_history(organization, FileId(file)).await.unwrap();
            changes.into_iter().map(|change| ((change.at - began) / 1_000, change.what)).collect()
        };
        assert_eq!(told().await, [(0, "created".to_owned())]);
        store.clock.advance(Duration::from_secs(10));
        store.sync_articles(connection, vec![article(1, "A 2", 2)]).await;
        store.clock.advance(Duration::from_secs(10));
        let moved = IncomingArticle {
            metadata_hash: "elsewhere".to_owned(),
            updated_at: 3_000,
            ..article(1, "A 2", 2)
        };
        store.sync_articles(connection, vec![moved]).await;
        let (text, details, created) = ("text".to_owned(), "details".to_owned(), "created".to_owned());
        assert_eq!(told().await, [(20, details), (10, text), (0, created.clone())]);
        let strangers = store.admin().file_history(other, FileId(file)).await;
        assert!(matches!(strangers, Err(StoreError::NotFound(_))), "{strangers:?}");
        for version in 4..40 {
            store.clock.advance(Duration::from_secs(1));
            store.sync_articles(connection, vec![article(1, &format!("A {version}"), version)]).await;
        }
        let changes = told().await;
        assert!((10..20).contains(&changes.len()), "{changes:?}");
        assert_eq!((changes[0].0, changes.last().unwrap()), (56, &(0, created)));
        sqlx::query("update file set held_at = $1")
            .bind(began + 70_000)
            .execute(&store.store.pool)
            .await
            .unwrap();
        assert_eq!(told().await[0], (70, "held".to_owned()));
    }
}

async fn run_of(store: &TestStore, customer: &str, subdomain: &str) -> RunId {
    let organization = store.admin().ensure_organization("default").await.unwrap();
    let customer = store.admin().customer(organization, customer).await.unwrap();
    let connection = store.connect(&customer, subdomain).await;
    let request = RunRequest {
        connection,
        kind: Some(RunKind::Full),
        trigger: Trigger::Request,
        lane: Lane::OnDemand,
        request_id: "r".to_owned(),
        upload_id: "u".to_owned(),
        params: RunParams::default(),
    };
    store.admin().request_run(FIRST, &request).await.unwrap().run
}

#[tokio::test]
async fn a_shard_tells_when_it_started_and_what_it_was_put_off_for() {
    for store in stores().await {
        let run = run_of(&store, "ada", "acme").await;
        let made = store.clock.now_ms();
        store.clock.advance(Duration::from_secs(5));
        let started = store.start(run).await;
        let snooze = |reason: &str| {
            let (wait, kind) = (Duration::from_secs(60), WaitKind::Budget);
            ShardEnd::Snooze { wait, kind, reason: reason.to_owned() }
        };
        store.queue().end_shard(&started.fence, &snooze("the budget \"of\" acme")).await.unwrap();
        let shards = store.admin().timeline(FIRST, run, 10).await.unwrap();
        let [shard] = &shards[..] else { panic!("{shards:?}") };
        assert_eq!((shard.kind, shard.state), (ShardKind::Plan, ShardState::Pending));
        assert_eq!((shard.created_at, shard.started_at), (made, Some(made + 5_000)));
        assert_eq!(shard.waits.len(), 1);
        let wait = &shard.waits[0];
        assert_eq!(
            (wait.at, wait.until, wait.why.as_str()),
            (made + 5_000, made + 65_000, "the budget \"of\" acme")
        );
        let other = store.admin().ensure_organization("other").await.unwrap();
        assert_eq!(store.admin().timeline(other, run, 10).await.unwrap(), []);
        // A shard that is put off for ever does not grow for ever, and its first start stays.
        let long = "x".repeat(1_000);
        for _ in 0..60 {
            store.clock.advance(Duration::from_secs(61));
            let again = store.start(run).await;
            store.queue().end_shard(&again.fence, &snooze(&long)).await.unwrap();
        }
        let shard = store.admin().timeline(FIRST, run, 10).await.unwrap().remove(0);
        assert_eq!(shard.started_at, Some(made + 5_000));
        assert!((10..60).contains(&shard.waits.len()), "{}", shard.waits.len());
        let bytes: i64 = sqlx::query_scalar("select cast(length(waits) as bigint) from shard")
            .fetch_one(&store.store.pool)
            .await
            .unwrap();
        assert!(bytes < crate::run::timeline::WAITS_BYTES_MAX + 400, "{bytes}");
    }
}

#[tokio::test]
async fn a_span_of_waits_is_kept_until_half_of_the_room_for_them_is_used() {
    for store in stores().await {
        let run = run_of(&store, "ada", "acme").await;
        let started = store.start(run).await;
        let span =
            |from| WaitSpan { from, until: from + 100, waited_ms: 40, why: "the even pace of requests" };
        for from in 0..60 {
            let waits = BudgetWaits {
                all_ms: 40,
                pace_ms: 40,
                span: Some(span(from * 100)),
                ..BudgetWaits::default()
            };
            store.sync().note_attempt(&started.fence, &waits, 0).await.unwrap();
        }
        let end = ShardEnd::Snooze {
            wait: Duration::from_secs(1),
            kind: WaitKind::Budget,
            reason: "the budget".to_owned(),
        };
        store.queue().end_shard(&started.fence, &end).await.unwrap();
        let shard = store.admin().timeline(FIRST, run, 10).await.unwrap().remove(0);
        let (last, spans) = shard.waits.split_last().unwrap();
        assert_eq!(
            (last.why.as_str(), last.waited_ms),
            ("the budget", None),
            "there is room for what it was put off for"
        );
        assert!((10..40).contains(&spans.len()), "{}", spans.len());
        for (number, wait) in (0_i64..).zip(spans) {
            assert_eq!((wait.at, wait.until, wait.waited_ms), (number * 100, number * 100 + 100, Some(40)));
        }
    }
}

#[tokio::test]
async fn a_customers_deliveries_are_read_part_by_part_past_events_that_went_nowhere() {
    for store in stores().await {
        let admin = store.admin();
        let organization = admin.ensure_organization("default").await.unwrap();
        let customer = admin.customer(organization, "ada").await.unwrap();
        let connection = store.connect(&customer, "acme").await;
        // These events are from before there was a webhook.
        store.sync_articles(connection, (1..=4).map(|id| article(id, "T", 1)).collect()).await;
        let webhooks = store.webhooks();
        while webhooks.fan_out_events(100).await.unwrap() > 0 {}
        for url in ["https://a.example/1", "https://a.example/2"] {
            let key = "00ff".to_owned().into();
            assert!(matches!(
                webhooks.add_webhook(organization, url, &key, 3).await.unwrap(),
                WebhookAdded::Added(_)
            ));
        }
        store.sync_articles(connection, (1..=4).map(|id| article(id, "U", 2)).collect()).await;
        while webhooks.fan_out_events(100).await.unwrap() > 0 {}
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let part = webhooks.deliveries_of_customer(organization, customer.id, after, 3).await.unwrap();
            assert!(part.deliveries.len() <= 3);
            found.extend(part.deliveries.iter().map(|one| (one.event, one.id.0)));
            after = part.next;
            if after.is_none() {
                break;
            }
        }
        let mut sorted = found.clone();
        sorted.sort_unstable_by(|one, other| other.cmp(one));
        sorted.dedup();
        assert_eq!(found, sorted, "the latest first, each once");
        assert!(found.len() >= 8 && found.len().is_multiple_of(2), "{found:?}");
        let other = admin.ensure_organization("other").await.unwrap();
        let none = webhooks.deliveries_of_customer(other, customer.id, None, 3).await.unwrap();
        assert!(none.deliveries.is_empty() && none.next.is_none());
    }
}

fn everyone() -> CustomerSearch {
    CustomerSearch {
        organization: FIRST,
        id: None,
        text: None,
        filter: None,
        sort: CustomerSort::Id,
        after: 0,
        after_age: -1,
        limit: 100,
    }
}

async fn found(store: &TestStore, search: CustomerSearch) -> Vec<String> {
    let found = store.admin().search_customers(&search).await.unwrap();
    found.into_iter().map(|customer| customer.customer_id).collect()
}

#[tokio::test]
async fn customers_are_found_by_name_and_by_how_they_stand() {
    for store in stores().await {
        let admin = store.admin();
        run_of(&store, "Ada_1", "acme").await;
        let organization = admin.ensure_organization("default").await.unwrap();
        let bob = admin.customer(organization, "bob").await.unwrap();
        let connection = store.connect(&bob, "beta").await;
        store.sync_articles(connection, vec![article(1, "One", 5)]).await;
        admin.customer(organization, "eve").await.unwrap();
        admin.set_customer_paused(organization, "eve", true).await.unwrap();
        let other = admin.ensure_organization("other").await.unwrap();
        admin.customer(other, "ada of another").await.unwrap();

        let by = async |text: &str| {
            found(&store, CustomerSearch { text: Some(text.to_owned()), ..everyone() }).await
        };
        assert_eq!(found(&store, everyone()).await, ["Ada_1", "bob", "eve"]);
        assert_eq!(by("ada").await, ["Ada_1"]);
        assert_eq!(by("ADA_").await, ["Ada_1"], "an underscore is itself");
        assert_eq!(by("%").await, Vec::<String>::new(), "and so is a percent sign");
        assert_eq!(by("bet").await, ["bob"], "by its workspace");
        let standing =
            async |filter| found(&store, CustomerSearch { filter: Some(filter), ..everyone() }).await;
        assert_eq!(standing(CustomerFilter::Syncing).await, ["Ada_1"]);
        assert_eq!(standing(CustomerFilter::Paused).await, ["eve"]);
        assert_eq!(standing(CustomerFilter::NotConnected).await, ["eve"]);
        assert_eq!(standing(CustomerFilter::Held).await, Vec::<String>::new());
        assert_eq!(standing(CustomerFilter::DeadLetters).await, Vec::<String>::new());
        assert_eq!(standing(CustomerFilter::Failed).await, Vec::<String>::new());
        assert_eq!(standing(CustomerFilter::Reconnect).await, Vec::<String>::new());
        sqlx::query("update file set held_at = 1").execute(&store.store.pool).await.unwrap();
        assert_eq!(standing(CustomerFilter::Held).await, ["bob"]);
        assert_eq!(found(&store, CustomerSearch { id: Some(bob.id.0), ..everyone() }).await, ["bob"]);
        let of_other = CustomerSearch { organization: other, id: Some(bob.id.0), ..everyone() };
        assert_eq!(found(&store, of_other).await, Vec::<String>::new());
    }
}

#[tokio::test]
async fn pages_of_customers_by_age_hold_everyone_once() {
    for store in stores().await {
        let organization = store.admin().ensure_organization("default").await.unwrap();
        for number in 0..7_i64 {
            let customer = store.admin().customer(organization, &format!("c{number}")).await.unwrap();
            if number > 0 {
                let connection = store.connect(&customer, &format!("w{number}")).await;
                // Two of each age, and one that was never complete.
                sqlx::query("update connection set source_items_synced_at = $2 where id = $1")
                    .bind(connection.0)
                    .bind((number > 1).then_some(1_000 - number / 2))
                    .execute(&store.store.pool)
                    .await
                    .unwrap();
            }
        }
        let (mut after, mut after_age, mut seen) = (0, -1, Vec::new());
        loop {
            let page = CustomerSearch { sort: CustomerSort::Age, after, after_age, limit: 2, ..everyone() };
            let page = store.admin().search_customers(&page).await.unwrap();
            let Some(last) = page.last() else { break };
            after = last.id;
            after_age = last.workspace.as_ref().and_then(|it| it.listed_at).unwrap_or(0);
            seen.extend(page.into_iter().map(|customer| customer.customer_id));
        }
        assert_eq!(seen, ["c0", "c1", "c6", "c4", "c5", "c2", "c3"]);
    }
}

#[tokio::test]
async fn the_overview_counts_copies_by_age_and_syncs_under_way() {
    for store in stores().await {
        run_of(&store, "ada", "acme").await;
        let organization = store.admin().ensure_organization("default").await.unwrap();
        let bob = store.admin().customer(organization, "bob").await.unwrap();
        let connection = store.connect(&bob, "beta").await;
        sqlx::query("update connection set source_items_synced_at = $2 where id = $1")
            .bind(connection.0)
            .bind(store.clock.now_ms() - 100_000)
            .execute(&store.store.pool)
            .await
            .unwrap();
        let overview = store.admin().overview(organization, &[60, 120]).await.unwrap();
        assert_eq!(overview.by_age, [0, 1, 2]);
        assert_eq!((overview.active, overview.paused, overview.held, overview.syncing), (2, 0, 0, 1));
        assert_eq!(overview.runs[0].customer_external_id, "ada");
        let other = store.admin().ensure_organization("other").await.unwrap();
        let overview = store.admin().overview(other, &[60]).await.unwrap();
        assert_eq!((overview.by_age, overview.syncing, overview.runs.len()), (vec![0, 0], 0, 0));
    }
}
