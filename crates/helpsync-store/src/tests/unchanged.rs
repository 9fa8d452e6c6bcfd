//! What needs no conversion: told before, and proved when it is stored.

use std::time::Duration;

use helpsync_model::RunKind;

use super::pages::{connected, request};
use crate::sync::settle::COMPARED_EVERY;
use crate::testing::{TestStore, article, stores};
use crate::{IncomingArticle, PageOutcome, PageWrite, StartedShard, StoreError};

/// An article as it is before its texts are converted.
fn bare(id: i64, title: &str, version: i64) -> IncomingArticle {
    let mut article = article(id, title, version);
    for text in &mut article.translations {
        (text.html, text.markdown, text.plain) = (String::new(), String::new(), String::new());
    }
    IncomingArticle { unconverted: true, ..article }
}

async fn started(store: &TestStore) -> StartedShard {
    let (_, connection) = connected(store).await;
    store.sync_articles(connection, vec![article(1, "A", 1), article(2, "B", 1)]).await;
    let run = store
        .admin()
        .request_run(crate::testing::FIRST, &request(connection, Some(RunKind::Full)))
        .await
        .unwrap()
        .run;
    store.start(run).await
}

fn page(articles: Vec<IncomingArticle>) -> PageWrite {
    PageWrite { articles, ..PageWrite::default() }
}

#[tokio::test]
async fn what_is_stored_as_it_is_needs_no_conversion() {
    for store in stores().await {
        let started = started(&store).await;
        let later = IncomingArticle { updated_at: i64::MAX, ..bare(1, "A", 1) };
        let by_another = IncomingArticle { converter: 2, ..bare(2, "B", 1) };
        let moved = IncomingArticle { metadata_hash: "elsewhere".to_owned(), ..bare(2, "B", 1) };
        let asked = [later.clone(), bare(2, "B 2", 2), by_another, moved, bare(3, "C", 1)];
        assert_eq!(store.sync().unchanged(&started, &asked).await.unwrap(), [1]);
        let outcome = store.sync().store_page(&started, &page(vec![later])).await.unwrap();
        assert_eq!(outcome, PageOutcome { unchanged: 1, ..PageOutcome::default() });
        sqlx::query("update file set hidden_at = 1 where article_id = 1").execute(&store.pool).await.unwrap();
        assert!(store.sync().unchanged(&started, &[bare(1, "A", 1)]).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn an_unconverted_article_that_has_changed_meanwhile_is_refused_with_its_page() {
    for store in stores().await {
        let started = started(&store).await;
        // Told to be unchanged, and then somebody else stored another version.
        sqlx::query("update file set content_hash = 'other' where article_id = 2")
            .execute(&store.pool)
            .await
            .unwrap();
        let both = page(vec![article(1, "A 2", 2), bare(2, "B", 1)]);
        let refused = store.sync().store_page(&started, &both).await;
        assert!(matches!(refused, Err(StoreError::Unconverted)), "{refused:?}");
        let texts = "select markdown from translation join file on file.id = file_id order by article_id";
        let kept: Vec<String> = sqlx::query_scalar(texts).fetch_all(&store.pool).await.unwrap();
        assert_eq!(kept, ["A\n", "B\n"]);
        let converted = page(vec![article(1, "A 2", 2), article(2, "B", 1)]);
        let outcome = store.sync().store_page(&started, &converted).await.unwrap();
        assert_eq!(outcome, PageOutcome { updated: 2, ..PageOutcome::default() });
    }
}

#[tokio::test]
async fn when_an_unchanged_file_was_compared_is_written_once_an_hour() {
    for store in stores().await {
        let (_, connection) = connected(&store).await;
        let shown = async || store.sync_articles(connection, vec![article(1, "A", 1)]).await;
        let written = async || -> (i64, Option<i64>) {
            let file = sqlx::query_as("select last_sync, held_at from file");
            file.fetch_one(&store.pool).await.unwrap()
        };
        shown().await;
        let (first, _) = written().await;
        store.clock.advance(COMPARED_EVERY - Duration::from_millis(1));
        assert_eq!(shown().await.unchanged, 1);
        assert_eq!(written().await, (first, None), "{}", store.url());
        // What was thought to be gone is shown again at once.
        sqlx::query("update file set held_at = 1").execute(&store.pool).await.unwrap();
        shown().await;
        let (again, held) = written().await;
        assert!(again > first && held.is_none(), "{}", store.url());
        store.clock.advance(COMPARED_EVERY);
        shown().await;
        assert!(written().await.0 > again, "{}", store.url());
    }
}
