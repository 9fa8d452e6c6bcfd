//! How well searches by words answer: questions as people ask them, on both databases.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use helpsync_content::{Limits, content_hash, convert};
use helpsync_model::CustomerId;
use helpsync_store::testing::{TestStore, article, name_of, stores};
use helpsync_store::{FileFilters, FileOrder, FileQuery, IncomingArticle};
use serde::Deserialize;
use tokio::sync::Notify;

use crate::Chunker;

/// Of a hundred questions, so many at least find their article first, and among the first three.
struct Floor {
    at_1: usize,
    at_3: usize,
}

/// Answers that a reader looks at.
const FIRST: usize = 3;

#[derive(Debug, Deserialize)]
struct Fixture {
    real: Vec<Question>,
    own: Own,
}

#[derive(Debug, Deserialize)]
struct Own {
    articles: Vec<OwnArticle>,
    questions: Vec<Question>,
}

#[derive(Debug, Deserialize)]
struct Question {
    language: String,
    question: String,
    articles: Vec<i64>,
}

#[derive(Debug, Deserialize)]
struct OwnArticle {
    id: i64,
    locale: String,
    title: String,
    labels: Vec<String>,
    body: String,
}

#[derive(Debug, Deserialize)]
struct Real {
    articles: Vec<RealArticle>,
}

#[derive(Debug, Deserialize)]
struct RealArticle {
    id: i64,
    title: String,
    draft: bool,
    label_names: Vec<String>,
    body: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn fixture() -> Fixture {
    let text = std::fs::read_to_string(root().join("tests/fixtures/search-questions.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

fn incoming(id: i64, locale: &str, title: &str, labels: Vec<String>, body: &str) -> IncomingArticle {
    let converted = convert(body, None, &Limits::default()).unwrap();
    let mut article = article(id, title, 5);
    locale.clone_into(&mut article.source_locale);
    article.labels = labels;
    let text = &mut article.translations[0];
    locale.clone_into(&mut text.locale);
    text.hash = content_hash(title, body);
    body.clone_into(&mut text.html);
    (text.markdown, text.plain) = (converted.markdown, converted.text);
    article
}

/// Stores and chunks articles as a sync does; answers the customer and the article of each file.
async fn filled(store: &TestStore, articles: Vec<IncomingArticle>) -> (CustomerId, HashMap<i64, i64>) {
    let organization = store.admin().ensure_organization("default").await.unwrap();
    let customer = store.admin().customer(organization, "ada").await.unwrap();
    let connection = store.connect(&customer, "acme").await;
    store.sync_articles(connection, articles).await;
    Chunker::new(store.search().clone(), Duration::ZERO, Arc::new(Notify::new())).drain().await;
    let query = FileQuery {
        customer: customer.id,
        filters: FileFilters::default(),
        starting_id: 0,
        order: FileOrder::Id,
        descending: false,
        limit: 1_000,
        offset: 0,
    };
    let (files, _) = store.admin().files(&query).await.unwrap();
    (customer.id, files.iter().map(|file| (file.id.0, file.article_id)).collect())
}

/// Asks every question; checks that enough find what answers them.
async fn ask(store: &TestStore, articles: Vec<IncomingArticle>, questions: &[Question], floor: &Floor) {
    let (customer, article_of) = filled(store, articles).await;
    let (mut at_1, mut at_3) = (0, 0);
    let mut by_language: HashMap<&str, (usize, usize)> = HashMap::new();
    for one in questions {
        let found = store
            .search()
            .chunks_with_words(customer, &FileFilters::default(), &one.question, 20)
            .await
            .unwrap();
        let ids: Vec<i64> = found.iter().map(|(chunk, _)| *chunk).collect();
        let chunks = store.search().chunks_by_id(customer, &ids, false).await.unwrap();
        let mut answers: Vec<i64> = Vec::new();
        for id in ids {
            let article = article_of[&chunks.iter().find(|chunk| chunk.id == id).unwrap().file.0];
            if !answers.contains(&article) {
                answers.push(article);
            }
        }
        answers.truncate(FIRST);
        let place = answers.iter().position(|article| one.articles.contains(article));
        at_1 += usize::from(place == Some(0));
        at_3 += usize::from(place.is_some());
        let language = by_language.entry(&one.language).or_default();
        *language = (language.0 + 1, language.1 + usize::from(place.is_some()));
        if place != Some(0) {
            println!("{}: {} at {place:?}: {answers:?}", name_of(store), one.question);
        }
    }
    let share = |hits: usize| hits * 100 / questions.len();
    println!(
        "{}: {} questions, {} % at 1, {} % at 3, by language {by_language:?}",
        name_of(store),
        questions.len(),
        share(at_1),
        share(at_3)
    );
    assert!(
        share(at_1) >= floor.at_1 && share(at_3) >= floor.at_3,
        "{at_1} and {at_3} of {}",
        questions.len()
    );
}

#[tokio::test]
async fn questions_in_three_languages_find_articles_of_three_languages() {
    let Fixture { own, .. } = fixture();
    let articles = || {
        let all = own.articles.iter();
        all.map(|it| incoming(it.id, &it.locale, &it.title, it.labels.clone(), &it.body)).collect()
    };
    for store in stores().await {
        ask(&store, articles(), &own.questions, &Floor { at_1: 90, at_3: 93 }).await;
    }
}

#[tokio::test]
async fn questions_in_three_languages_find_real_articles() {
    let path = root().join("../shared/data/real-articles/arduino/articles-subset.json");
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("skipped: {} is absent", path.display());
        return;
    };
    let Real { articles } = serde_json::from_str(&text).unwrap();
    let questions = fixture().real;
    assert!(questions.len() >= 60);
    for one in &questions {
        let quotes = |title: &str| one.question.to_lowercase().contains(&title.to_lowercase());
        assert!(articles.iter().all(|article| !quotes(&article.title)), "{} quotes a title", one.question);
    }
    let incoming = || {
        let published = articles.iter().filter(|it| !it.draft);
        published.map(|it| incoming(it.id, "en-us", &it.title, it.label_names.clone(), &it.body)).collect()
    };
    for store in stores().await {
        ask(&store, incoming(), &questions, &Floor { at_1: 85, at_3: 97 }).await;
    }
}
