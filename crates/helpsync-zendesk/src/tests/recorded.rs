//! Real answers of the real service, read in place. Skipped, saying so, where the recordings are absent.

use std::path::PathBuf;

use serde_json::Value;

use super::*;

fn recording(name: &str) -> Option<Value> {
    let path =
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/zendesk-recorded").join(name);
    let Ok(text) = std::fs::read_to_string(path) else {
        eprintln!("SKIPPED: the recording {name} is not here");
        return None;
    };
    let recorded: Value = serde_json::from_str(&text).unwrap();
    Some(recorded["interactions"][0]["response"]["body"].clone())
}

#[tokio::test]
async fn a_recorded_export_is_read_whole() {
    let Some(body) = recording("nango/incremental-articles-start0.json") else { return };
    let page = Server::json(body.to_string()).await.client().client.export_articles(0).await.unwrap().value;
    assert_eq!((page.articles.len(), page.rejected.len(), page.next_start), (13, 0, None));
    assert_eq!(page.articles.iter().filter(|article| article.draft).count(), 12);
    assert!(page.articles.is_sorted_by_key(|article| article.updated_at));
    assert_eq!(page.end_time, page.articles.last().map(|article| article.updated_at.as_second()));
}

#[tokio::test]
async fn a_recorded_list_and_a_recorded_article_are_read_whole() {
    let (Some(list), Some(one)) =
        (recording("nango/list-articles.json"), recording("nango/get-article.json"))
    else {
        return;
    };
    let server = Server::start(move |seen| match seen.path.as_str() {
        "/acme/api/v2/help_center/articles" => json(list.to_string()),
        path if path.ends_with("/translations") => json(r#"{"translations":[]}"#),
        _ => json(one.to_string()),
    })
    .await;
    let client = server.client().client;
    let page = client.list_articles(&ListQuery::offset(Scope::All, 1)).await.unwrap().value;
    assert_eq!((page.articles.len(), page.rejected.len(), page.next), (13, 0, Next::End));
    let article = client.article(46_408_335_803_921).await.unwrap().value;
    assert!(article.draft && article.published().is_empty());
}

#[tokio::test]
async fn recorded_sections_and_categories_are_read_whole() {
    let (Some(sections), Some(categories)) =
        (recording("nango/sections.json"), recording("nango/categories.json"))
    else {
        return;
    };
    let server = Server::start(move |seen| {
        json(if seen.path.ends_with("sections") { sections.to_string() } else { categories.to_string() })
    })
    .await;
    let client = server.client().client;
    let sections = client.sections(1).await.unwrap().value;
    assert!(!sections.items.is_empty() && sections.rejected.is_empty());
    let categories = client.categories(1).await.unwrap().value;
    assert!(!categories.items.is_empty() && categories.rejected.is_empty());
}

#[tokio::test]
async fn recorded_brands_are_read_whole() {
    let Some(brands) = recording("salto/myBrand_mock_replies.json") else { return };
    let page = Server::json(brands.to_string()).await.client().client.brands(None).await.unwrap().value;
    assert!(page.brands.len() == 3 && page.rejected.is_empty() && page.next == Next::End, "{page:?}");
    // Its help center is disabled.
    let own = &page.brands[0];
    assert_eq!((own.subdomain.as_str(), own.has_articles, own.deleted), ("mybrand", false, false));
}
