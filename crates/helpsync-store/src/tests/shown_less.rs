//! What the store makes of answers that show less than there is.

use helpsync_model::{DataSourceStatus, RunKind, RunState};

use super::pages::{connected, request};
use crate::testing::{TestStore, article, name_of, stores};
use crate::{
    IncomingArticle, IncomingTranslation, ItemKind, NewItem, PageWrite, RunNote, ShardEnd, SkippedArticle,
    StartedShard,
};

/// An article in three languages.
fn translated(id: i64, version: i64) -> IncomingArticle {
    let mut article = article(id, "Title", version);
    let first = article.translations[0].clone();
    let others =
        ["de", "fr"].map(|locale| IncomingTranslation { locale: locale.to_owned(), ..first.clone() });
    article.translations.extend(others);
    article
}

fn only(locale: &str, article: IncomingArticle) -> IncomingArticle {
    let translations = article.translations.iter().filter(|one| one.locale == locale).cloned().collect();
    IncomingArticle { translations, ..article }
}

async fn locales(store: &TestStore) -> Vec<String> {
    let texts = "select locale from translation join file on file.id = file_id order by article_id, locale";
    sqlx::query_scalar(texts).fetch_all(&store.store.pool).await.unwrap()
}

async fn started(store: &TestStore) -> StartedShard {
    let (_, connection) = connected(store).await;
    let run = store
        .admin()
        .request_run(crate::testing::FIRST, &request(connection, Some(RunKind::Full)))
        .await
        .unwrap()
        .run;
    store.start(run).await
}

#[tokio::test]
async fn languages_that_could_not_be_read_stay() {
    for store in stores().await {
        let started = started(&store).await;
        let write = async |article: IncomingArticle| {
            let page = PageWrite { articles: vec![article], ..PageWrite::default() };
            store.sync().store_page(&started, &page).await.unwrap();
            locales(&store).await
        };
        assert_eq!(write(translated(1, 1)).await, ["de", "en-us", "fr"]);
        let kept_locales = vec!["de".to_owned()];
        let one_kept = IncomingArticle { kept_locales, ..only("en-us", translated(1, 2)) };
        assert_eq!(write(one_kept).await, ["de", "en-us"], "{}", name_of(&store));
        assert_eq!(write(translated(1, 3)).await, ["de", "en-us", "fr"]);
        let all_kept = IncomingArticle { keeps_others: true, ..only("en-us", translated(1, 4)) };
        assert_eq!(write(all_kept).await, ["de", "en-us", "fr"]);
        assert_eq!(write(only("fr", translated(1, 5))).await, ["fr"]);
    }
}

#[tokio::test]
async fn a_reading_is_settled_once_it_is_stored_as_it_is() {
    for store in stores().await {
        let started = started(&store).await;
        let articles = vec![article(1, "A", 5), article(2, "B", 5)];
        let page = PageWrite { articles, ..PageWrite::default() };
        store.sync().store_page(&started, &page).await.unwrap();
        let asked = [(1, 5_000), (2, 6_000), (3, 5_000)];
        for by_time in [false, true] {
            assert_eq!(store.sync().settled(&started, &asked, by_time).await.unwrap(), [1]);
        }
        store.queue().end_shard(&started.fence, &ShardEnd::Done(Vec::new())).await.unwrap();
        sqlx::query("update remote_article set seen_run = 0").execute(&store.store.pool).await.unwrap();
        assert_eq!(store.sync().settled(&started, &asked, true).await.unwrap(), [1]);
        assert!(store.sync().settled(&started, &asked, false).await.unwrap().is_empty());
        sqlx::query("update file set hidden_at = 1").execute(&store.store.pool).await.unwrap();
        assert!(store.sync().settled(&started, &asked, true).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_reason_for_one_text_stands_in_the_record_and_on_no_file() {
    for store in stores().await {
        let started = started(&store).await;
        let reason = SkippedArticle {
            article_id: Some(1),
            reason: "translation de: broken".to_owned(),
            created_at: None,
            section_id: None,
        };
        let page = PageWrite {
            articles: vec![article(1, "A", 5)],
            skipped_translations: vec![reason],
            settled: vec![9],
            ..PageWrite::default()
        };
        store.sync().store_page(&started, &page).await.unwrap();
        let counters = store.admin().run(crate::testing::FIRST, started.fence.run).await.unwrap().counters;
        assert_eq!((counters.skipped, counters.listed, counters.unchanged), (1, 2, 1));
        let status: String =
            sqlx::query_scalar("select status from file").fetch_one(&store.store.pool).await.unwrap();
        assert_eq!(status, "READY");
    }
}

#[tokio::test]
async fn a_run_that_is_owed_articles_ends_as_incomplete_and_an_audit_is_due() {
    for store in stores().await {
        for (owed, ends) in [(2, RunState::Done), (3, RunState::Incomplete)] {
            let (organization, connection) = connected(&store).await;
            let run = store
                .admin()
                .request_run(crate::testing::FIRST, &request(connection, Some(RunKind::Full)))
                .await
                .unwrap()
                .run;
            let plan = store.start(run).await;
            let articles = vec![article(1, "A", 5), article(2, "B", 5)];
            let page = PageWrite { articles, ..PageWrite::default() };
            store.sync().store_page(&plan, &page).await.unwrap();
            let note = RunNote { owed: Some(owed), ..RunNote::default() };
            store.sync().note_run(&plan.fence, &note).await.unwrap();
            store.queue().end_shard(&plan.fence, &ShardEnd::Done(Vec::new())).await.unwrap();
            let removal = store.start(run).await;
            store.queue().end_shard(&removal.fence, &ShardEnd::Done(Vec::new())).await.unwrap();
            let last = store.start(run).await;
            store.sync().finalize_run(&last).await.unwrap();
            let ended = store.admin().runs(organization, Some(connection), 1).await.unwrap().remove(0);
            assert_eq!(ended.state, ends, "{}: {ended:?}", name_of(&store));
            let said = ended.error.unwrap_or_default();
            let short = ends == RunState::Incomplete;
            assert_eq!(said.contains("counts 3 articles and showed 2"), short, "{said}");
            let (audit, status): (i64, String) =
                sqlx::query_as("select last_audit_at, sync_status from connection where id = $1")
                    .bind(connection.0)
                    .fetch_one(&store.store.pool)
                    .await
                    .unwrap();
            let shown = if short { DataSourceStatus::Error } else { DataSourceStatus::Ready };
            assert_eq!((audit == 0, status.as_str()), (short, shown.as_str()));
        }
    }
}

#[tokio::test]
async fn removals_that_nothing_proves_are_shown_again_and_held() {
    for store in stores().await {
        let started = started(&store).await;
        let articles = vec![article(1, "A", 5), article(2, "B", 5)];
        let page = PageWrite { articles, ..PageWrite::default() };
        store.sync().store_page(&started, &page).await.unwrap();
        sqlx::query("update file set hidden_at = 1").execute(&store.store.pool).await.unwrap();
        store.sync().hold(&started, &[2]).await.unwrap();
        let left = store.sync().hidden_articles(started.fence.connection, 10).await.unwrap();
        assert_eq!(left, [1]);
        assert_eq!(
            store.admin().run(crate::testing::FIRST, started.fence.run).await.unwrap().counters.held,
            1
        );
    }
}

#[tokio::test]
async fn a_tree_with_gaps_is_told_from_a_whole_one() {
    for store in stores().await {
        let started = started(&store).await;
        let connection = started.fence.connection;
        let item = |kind, external_id, parent| NewItem {
            kind,
            external_id,
            parent,
            category: Some(10),
            name: "name".to_owned(),
            external_url: None,
        };
        let below = item(ItemKind::Section, 20, Some((ItemKind::Section, 19)));
        let above = item(ItemKind::Section, 19, Some((ItemKind::Category, 10)));
        let top = item(ItemKind::Category, 10, None);
        let page = PageWrite { articles: vec![article(1, "A", 5)], ..PageWrite::default() };
        store.sync().store_page(&started, &page).await.unwrap();
        for (item, lacks) in [(below, true), (above, true), (top, false)] {
            let page = PageWrite { items: vec![item], ..PageWrite::default() };
            store.sync().store_page(&started, &page).await.unwrap();
            assert_eq!(store.sync().lacks_sections(connection).await.unwrap(), lacks, "{}", name_of(&store));
        }
    }
}

#[tokio::test]
async fn how_lists_are_asked_for_is_remembered_until_the_grant_is_another() {
    for store in stores().await {
        let started = started(&store).await;
        let (list_locales, locale_counts) = (vec!["en-us".to_owned(), "de".to_owned()], vec![3, 2]);
        let note = RunNote { list_locales: Some(list_locales.clone()), ..RunNote::default() };
        store.sync().note_run(&started.fence, &note).await.unwrap();
        let note = RunNote {
            locale_counts: Some(locale_counts.clone()),
            tree_mark: Some("{}".to_owned()),
            audit_reason: Some("why".to_owned()),
            audit_next: true,
            ..RunNote::default()
        };
        store.sync().note_run(&started.fence, &note).await.unwrap();
        store.queue().end_shard(&started.fence, &ShardEnd::Done(Vec::new())).await.unwrap();
        let next = store.start(started.fence.run).await;
        assert_eq!((&next.list_locales, next.locale_counts.as_ref()), (&list_locales, Some(&locale_counts)));
        assert_eq!((next.tree_mark.as_deref(), next.last_audit_at), (Some("{}"), Some(0)));
        assert_eq!(next.run.audit_reason.as_deref(), Some("why"));
        let (_, connection) = connected(&store).await;
        let run = store
            .admin()
            .request_run(crate::testing::FIRST, &request(connection, Some(RunKind::Full)))
            .await
            .unwrap()
            .run;
        assert!(store.start(run).await.list_locales.is_empty());
    }
}
