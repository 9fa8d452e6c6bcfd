//! Deleting customers, and what an organization sets for all of them.

use std::time::Duration;

use helpsync_model::{AutoSync, RunParams};
use secrecy::ExposeSecret as _;
use serde_json::json;

use super::chunks::{chunk_all, customer, written};
use crate::testing::{
    FIRST, article, bring_back, delete_without_forgetting, name_of, sqlite, stores, take_away,
};
use crate::{FileFilters, NewGrant, OrganizationChange, PageWrite, ScheduleChange, StoreError};

/// Every table that holds something of a customer, besides those that are named by others.
const TABLES: [&str; 10] = [
    "customer",
    "connection",
    "oauth_state",
    "run",
    "shard",
    "file",
    "translation",
    "unsynced_article",
    "remote_article",
    "skipped",
];

#[tokio::test]
async fn a_deleted_customer_leaves_nothing_and_others_keep_everything() {
    for store in stores().await {
        let organization = store.admin().ensure_organization("default").await.unwrap();
        let kept = store.admin().customer(organization, "kept").await.unwrap();
        let connection = store.connect(&kept, "acme").await;
        store.sync_articles(connection, vec![article(11, "A", 5)]).await;
        let mut before = Vec::new();
        for table in TABLES {
            before.push(rows(&store, table).await);
        }

        let gone = store.admin().customer(organization, "gone").await.unwrap();
        let connection = store.connect(&gone, "acme").await;
        store.sync_articles(connection, vec![article(11, "A", 5), article(12, "B", 5)]).await;
        let filters =
            FileFilters { external_file_ids: Some(vec!["12".to_owned()]), ..FileFilters::default() };
        store.admin().delete_files(gone.id, &filters, false, true).await.unwrap();
        let grant = NewGrant {
            organization,
            customer: gone.id,
            customer_external_id: gone.external_id.clone(),
            subdomain: "acme".to_owned(),
            client_id: "client".to_owned(),
            redirect_uri: "https://x.example/integrations/zendesk".to_owned(),
            verifier: "verifier".to_owned().into(),
            sync_options: json!({}),
            tags: json!({}),
            scopes: Vec::new(),
            return_url: None,
            begun_by: None,
            api_key: None,
        };
        store
            .admin()
            .put_pending_grant(&"state".to_owned().into(), &grant, Duration::from_secs(60))
            .await
            .unwrap();
        let request = crate::RunRequest {
            connection,
            kind: None,
            trigger: helpsync_model::Trigger::Request,
            lane: helpsync_model::Lane::OnDemand,
            request_id: "r".to_owned(),
            upload_id: "u".to_owned(),
            params: RunParams::default(),
        };
        let run = store.admin().request_run(crate::testing::FIRST, &request).await.unwrap().run;
        let working = store.start(run).await;

        let deleted = store.admin().delete_customer(organization, "gone").await.unwrap().unwrap();
        assert_eq!(deleted.id, gone.id);
        let tokens: Vec<(&str, &str)> =
            deleted.tokens.iter().map(|(place, token)| (place.as_str(), token.expose_secret())).collect();
        assert_eq!(tokens, [("acme", "access-1")]);
        for (table, before) in TABLES.into_iter().zip(before) {
            assert_eq!(rows(&store, table).await, before, "{table}");
        }
        let page = PageWrite { articles: vec![article(13, "C", 6)], ..PageWrite::default() };
        let late = store.sync().store_page(&working, &page).await;
        assert!(matches!(late, Err(StoreError::Fenced)));
        assert!(store.admin().delete_customer(organization, "gone").await.unwrap().is_none());
        assert!(store.admin().find_customer(organization, "gone").await.unwrap().is_none());
    }
}

#[tokio::test]
async fn texts_of_a_customer_leave_the_files_though_the_process_ended_right_after_the_deletion() {
    const PLANTED: &str = "xyzzyplantedword";
    let store = sqlite().await;
    let (_, connection) = customer(&store, "gone").await;
    store.sync_articles(connection, vec![written(11, 5, &["the xyzzyplantedword stands here"])]).await;
    chunk_all(&store, connection, false).await;
    let (_, kept) = customer(&store, "kept").await;
    store.sync_articles(kept, vec![written(12, 5, &["another text"])]).await;
    let path = store.url().trim_start_matches("sqlite:").to_owned();
    let holds = |suffix: &str| {
        let bytes = std::fs::read(format!("{path}{suffix}")).unwrap_or_default();
        bytes.windows(PLANTED.len()).any(|window| window == PLANTED.as_bytes())
    };
    delete_without_forgetting(&store, FIRST, "gone").await;
    assert!(store.admin().empty_log().await.unwrap());
    assert!(holds(""), "the index of words keeps it");
    assert_eq!(rows(&store, "customer_deletion").await, 1);

    let next = store.reopen().await;
    assert!(next.admin().forget_deleted().await.unwrap());
    assert!(!holds("") && !holds("-wal"));
    assert_eq!(rows(&store, "customer_deletion").await, 0);
    assert_eq!(rows(&store, "file").await, 1);
}

#[tokio::test]
async fn what_cannot_be_forgotten_is_still_to_be_forgotten() {
    for store in stores().await {
        let (_, connection) = customer(&store, "gone").await;
        store.sync_articles(connection, vec![article(11, "A", 5)]).await;
        delete_without_forgetting(&store, FIRST, "gone").await;
        take_away(&store, "attachment").await;
        assert!(store.admin().forget_deleted().await.is_err());
        assert_eq!(rows(&store, "customer_deletion").await, 1, "{}", name_of(&store));
        bring_back(&store, "attachment").await;
        assert!(store.admin().forget_deleted().await.unwrap());
        assert_eq!(rows(&store, "customer_deletion").await, 0, "{}", name_of(&store));
    }
}

async fn rows(store: &crate::Store, table: &str) -> i64 {
    sqlx::query_scalar(crate::db::sql(format!("select count(*) from {table}")))
        .fetch_one(&store.pool)
        .await
        .unwrap()
}

#[tokio::test]
async fn an_organizations_schedule_holds_for_customers_without_one_of_their_own() {
    const HOUR: i64 = 3_600_000;
    for store in stores().await {
        let organization = store.admin().ensure_organization("default").await.unwrap();
        let mut connections = Vec::new();
        for name in ["plain", "own", "off"] {
            let customer = store.admin().customer(organization, name).await.unwrap();
            connections.push(store.connect(&customer, "acme").await);
        }
        let own = |auto_sync, interval_hours| ScheduleChange {
            auto_sync: Some(auto_sync),
            interval_hours,
            limits: serde_json::Map::new(),
        };
        store
            .admin()
            .set_schedules(organization, &["own".to_owned()], &own(AutoSync::All, Some(3)))
            .await
            .unwrap();
        store
            .admin()
            .set_schedules(organization, &["off".to_owned()], &own(AutoSync::Off, None))
            .await
            .unwrap();
        let next = async || {
            let mut slots = Vec::new();
            for connection in &connections {
                slots.push(store.admin().connection(organization, *connection).await.unwrap().next_sync_at);
            }
            slots
        };
        let before = next().await;
        assert_eq!((before[0], before[2]), (None, None));
        let change = OrganizationChange {
            auto_sync: Some(AutoSync::All),
            interval_hours: Some(6),
            ..OrganizationChange::default()
        };
        store.admin().update_organization(organization, &change).await.unwrap();
        let after = next().await;
        let now = helpsync_model::Clock::now_ms(&*store.clock);
        assert!(after[0].is_some_and(|slot| slot > now && slot <= now + 6 * HOUR), "{after:?}");
        assert_eq!((after[1], after[2]), (before[1], None));
        let read = store.admin().organization(organization).await.unwrap();
        assert_eq!((read.auto_sync, read.interval_hours), (Some(AutoSync::All), Some(6)));

        let off = OrganizationChange { auto_sync: Some(AutoSync::Off), ..OrganizationChange::default() };
        store.admin().update_organization(organization, &off).await.unwrap();
        assert_eq!(next().await, [None, before[1], None]);
    }
}
