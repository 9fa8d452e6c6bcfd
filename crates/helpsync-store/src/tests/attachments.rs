//! What hangs on articles: looked at once for each change, kept once whoever refers to it.

use helpsync_model::RunKind;
use sha2::{Digest as _, Sha256};

use super::pages::{connected, request};
use crate::testing::{TestStore, article, stores};
use crate::{Kept, NewAttachment, StartedShard};

async fn blobs(store: &TestStore) -> i64 {
    sqlx::query_scalar("select count(*) from blob").fetch_one(&store.store.pool).await.unwrap()
}

async fn arrived(store: &TestStore, started: &StartedShard, bytes: &[u8]) -> Kept {
    let blob = store.sync().start_blob(started).await.unwrap();
    store.sync().add_chunk(blob, 0, bytes).await.unwrap();
    Kept::Blob(blob, hex::encode(Sha256::digest(bytes)), i64::try_from(bytes.len()).unwrap())
}

fn picture(id: i64) -> NewAttachment {
    NewAttachment {
        attachment_id: id,
        file_name: "a.png".to_owned(),
        content_type: "image/png".to_owned(),
        inline: true,
        version: "1".to_owned(),
    }
}

#[tokio::test]
async fn an_article_that_changes_while_it_is_looked_at_is_looked_at_again() {
    for store in stores().await {
        let (_, connection) = connected(&store).await;
        store.sync_articles(connection, vec![article(11, "A", 5)]).await;
        let seen = store.sync().due_attachments(connection, 10).await.unwrap();
        assert_eq!(seen.len(), 1);
        store.clock.advance(std::time::Duration::from_secs(1));
        store.sync_articles(connection, vec![article(11, "B", 6)]).await;
        let run = store
            .admin()
            .request_run(crate::testing::FIRST, &request(connection, Some(RunKind::Resync)))
            .await
            .unwrap()
            .run;
        let started = store.start(run).await;
        store.sync().settle_attachments(&started, seen[0], Some(&[]), 0).await.unwrap();
        let again = store.sync().due_attachments(connection, 10).await.unwrap();
        assert_eq!(again.len(), 1, "the second change was not looked at");
        store.sync().settle_attachments(&started, again[0], Some(&[]), 0).await.unwrap();
        assert!(store.sync().due_attachments(connection, 10).await.unwrap().is_empty());
        assert_eq!(store.sync().due_attachments(connection, 0).await.unwrap(), []);
    }
}

#[tokio::test]
async fn equal_bytes_are_kept_once_and_go_with_the_last_that_refers_to_them() {
    for store in stores().await {
        let (organization, connection) = connected(&store).await;
        store.sync_articles(connection, vec![article(11, "A", 5), article(12, "B", 5)]).await;
        let due = store.sync().due_attachments(connection, 10).await.unwrap();
        let run = store
            .admin()
            .request_run(crate::testing::FIRST, &request(connection, Some(RunKind::Resync)))
            .await
            .unwrap()
            .run;
        let started = store.start(run).await;
        for (number, file) in due.iter().enumerate() {
            let kept = arrived(&store, &started, b"a picture").await;
            let id = i64::try_from(number).unwrap() + 1;
            store.sync().keep_attachment(&started, file.file, &picture(id), &kept).await.unwrap();
        }
        store.sync().sweep_blobs(organization).await.unwrap();
        assert_eq!(blobs(&store).await, 1);
        let kept = store.sync().attachments(crate::testing::FIRST, due[1].file).await.unwrap();
        assert_eq!((kept.len(), kept[0].bytes), (1, Some(9)));

        store.sync().settle_attachments(&started, due[0], Some(&[]), 0).await.unwrap();
        store.sync().sweep_blobs(organization).await.unwrap();
        assert_eq!(blobs(&store).await, 1, "the other article still has it");
        store.sync().settle_attachments(&started, due[1], Some(&[]), 0).await.unwrap();
        store.sync().sweep_blobs(organization).await.unwrap();
        assert_eq!(blobs(&store).await, 0);
    }
}
