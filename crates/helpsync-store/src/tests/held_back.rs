//! What a person has paused, who lives, and how customers stand.

use helpsync_model::{Clock as _, ConnectionId, Lane, RunKind, RunParams, Trigger};

use crate::testing::{FIRST, TestStore, article, stores};
use crate::{CustomerSearch, CustomerSort, HeldShard, ProcessSign, RunRequest, Store};

async fn connect(store: &TestStore, name: &str) -> ConnectionId {
    let organization = store.admin().ensure_organization("default").await.unwrap();
    let customer = store.admin().customer(organization, name).await.unwrap();
    store.connect(&customer, "acme").await
}

fn search(after: i64) -> CustomerSearch {
    CustomerSearch {
        organization: FIRST,
        id: None,
        text: None,
        filter: None,
        sort: CustomerSort::Id,
        after,
        after_age: -1,
        limit: 10,
    }
}

async fn request(store: &Store, connection: ConnectionId) {
    let request = RunRequest {
        connection,
        kind: Some(RunKind::Delta),
        trigger: Trigger::Request,
        lane: Lane::OnDemand,
        request_id: "r".to_owned(),
        upload_id: "u".to_owned(),
        params: RunParams::default(),
    };
    store.admin().request_run(FIRST, &request).await.unwrap();
}

async fn released(store: &Store) -> usize {
    store.queue().release_due(100, 100).await.unwrap()
}

#[tokio::test]
async fn the_work_of_a_paused_customer_waits_and_that_of_others_does_not() {
    for store in stores().await {
        let ada = connect(&store, "ada").await;
        let bob = connect(&store, "bob").await;
        assert!(store.admin().set_customer_paused(FIRST, "ada", true).await.unwrap());
        assert!(!store.admin().set_customer_paused(FIRST, "nobody", true).await.unwrap());
        request(&store, ada).await;
        assert_eq!(released(&store).await, 0);
        assert_eq!(store.queue().next_due().await.unwrap(), None, "nobody wakes up for it");
        request(&store, bob).await;
        assert_eq!(released(&store).await, 1);
        let state = store.admin().customer_state(FIRST, "ada").await.unwrap().unwrap();
        assert_eq!(state.paused_at, Some(store.clock.now_ms()));
        assert_eq!(store.admin().paused_customers(FIRST, 9).await.unwrap(), ["ada"]);
        assert!(store.admin().paused_customers(FIRST, 0).await.unwrap().is_empty());
        store.admin().set_customer_paused(FIRST, "ada", false).await.unwrap();
        assert_eq!(released(&store).await, 1);
    }
}

#[tokio::test]
async fn a_paused_lane_hands_nothing_out_until_it_is_resumed() {
    for store in stores().await {
        let ada = connect(&store, "ada").await;
        store.queue().set_lane_paused(Lane::OnDemand, true).await.unwrap();
        store.queue().set_lane_paused(Lane::OnDemand, true).await.unwrap();
        request(&store, ada).await;
        assert_eq!(released(&store).await, 0);
        let lanes = store.queue().lanes().await.unwrap();
        assert_eq!(lanes.iter().map(|lane| lane.lane).collect::<Vec<_>>(), Lane::ALL);
        assert_eq!((lanes[0].paused_at, lanes[0].pending, lanes[0].out), (Some(store.clock.now_ms()), 1, 0));
        assert_eq!(lanes[1].paused_at, None);
        store.queue().set_lane_paused(Lane::OnDemand, false).await.unwrap();
        assert_eq!(released(&store).await, 1);
        assert_eq!(store.queue().lanes().await.unwrap()[0].out, 1);
    }
}

fn sign(holder: &str) -> ProcessSign {
    ProcessSign {
        keys: vec!["k1".to_owned()],
        holder: holder.to_owned(),
        role: "worker",
        host: "h1".to_owned(),
        version: "1",
        concurrency: 4,
    }
}

#[tokio::test]
async fn a_process_is_seen_with_what_it_does_until_it_is_silent_for_a_day() {
    for store in stores().await {
        let connection = connect(&store, "ada").await;
        store.queue().note_process(&sign("test")).await.unwrap();
        let began = store.clock.now_ms();
        request(&store, connection).await;
        let run = store.admin().runs(FIRST, Some(connection), 1).await.unwrap()[0].id;
        let started = store.start(run).await;
        store.clock.advance(std::time::Duration::from_secs(10));
        store.queue().note_process(&sign("test")).await.unwrap();
        store.queue().note_process(&sign("idle")).await.unwrap();
        let seen = store.queue().processes().await.unwrap();
        assert_eq!(seen.iter().map(|one| one.holder.as_str()).collect::<Vec<_>>(), ["idle", "test"]);
        let test = &seen[1];
        assert_eq!((test.started_at, test.seen_at), (began, began + 10_000));
        let held = HeldShard {
            id: started.shard.id.0,
            run,
            kind: "plan".to_owned(),
            customer_id: "ada".to_owned(),
            subdomain: "acme".to_owned(),
            lease_until: began + 60_000,
        };
        assert_eq!(test.shards, [held]);
        assert!(seen[0].shards.is_empty());
        store.queue().forget_process("test").await.unwrap();
        store.clock.advance(std::time::Duration::from_secs(25 * 3_600));
        store.queue().note_process(&sign("new")).await.unwrap();
        let seen = store.queue().processes().await.unwrap();
        assert_eq!(seen.iter().map(|one| one.holder.as_str()).collect::<Vec<_>>(), ["new"]);
    }
}

#[tokio::test]
async fn a_customer_state_says_how_workspace_and_syncs_stand() {
    for store in stores().await {
        let connection = connect(&store, "ada").await;
        store.admin().customer(FIRST, "bob").await.unwrap();
        request(&store, connection).await;
        let states = store.admin().search_customers(&search(0)).await.unwrap();
        assert_eq!(states.iter().map(|one| one.customer_id.as_str()).collect::<Vec<_>>(), ["ada", "bob"]);
        assert_eq!(states[1].workspace, None);
        let ada = states[0].workspace.as_ref().unwrap();
        assert_eq!(
            (ada.connection, ada.subdomain.as_str(), ada.state.as_str()),
            (connection, "acme", "active")
        );
        assert_eq!((ada.complete_at, ada.held, ada.dead_letters), (None, 0, 0));
        assert!(ada.run.is_some() && ada.waiting_until.is_some(), "a sync is under way: {ada:?}");
        assert_eq!(store.admin().search_customers(&search(states[0].id)).await.unwrap().len(), 1);
        assert_eq!(store.admin().customer_state(FIRST, "nobody").await.unwrap(), None);
        let other = store.admin().ensure_organization("other").await.unwrap();
        assert_eq!(store.admin().customer_state(other, "ada").await.unwrap(), None);
    }
}

#[tokio::test]
async fn refused_removals_are_held_no_more_and_no_leave_is_left() {
    for store in stores().await {
        let connection = connect(&store, "ada").await;
        store.sync_articles(connection, vec![article(1, "one", 1), article(2, "two", 1)]).await;
        sqlx::query("update file set held_at = 7 where article_id = 1")
            .execute(&store.store.pool)
            .await
            .unwrap();
        store.admin().allow_removals(FIRST, connection).await.unwrap();
        let held = store.admin().held_files(FIRST, connection, 0, 10).await.unwrap();
        assert_eq!(held.iter().map(|file| (file.article_id, file.held_at)).collect::<Vec<_>>(), [(1, 7)]);
        assert!(store.admin().held_files(FIRST, connection, held[0].id, 10).await.unwrap().is_empty());
        assert_eq!(store.admin().refuse_removals(FIRST, connection).await.unwrap(), 1);
        assert!(store.admin().held_files(FIRST, connection, 0, 10).await.unwrap().is_empty());
        let allowed: i64 = sqlx::query_scalar("select removals_allowed from connection where id = $1")
            .bind(connection.0)
            .fetch_one(&store.store.pool)
            .await
            .unwrap();
        assert_eq!(allowed, 0);
    }
}
