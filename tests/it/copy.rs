//! The proof: our copy against the simulator's truth, id by id and hash by hash.

use std::collections::BTreeMap;

use helpsync_model::OrganizationId;
use helpsync_store::{FileFilters, FileOrder, FileQuery, Store};
use zendesk_sim::{Account, TruthSelectionFilter};

use crate::app::TestApp;

const PAGE: i64 = 500;
/// Of many differences, so many are shown.
const SHOWN_MAX: usize = 5;

/// What is compared of one article.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Held {
    path: Vec<String>,
    labels: Vec<String>,
    author: Option<i64>,
    segment: Option<i64>,
    updated_at: i64,
    /// Title and hash by locale.
    translations: BTreeMap<String, (String, String)>,
}

/// What the simulator says a correct copy holds.
pub(crate) fn truth(account: &Account) -> BTreeMap<i64, Held> {
    selected(account, &TruthSelectionFilter::default())
}

/// What the simulator says a correct copy of a selection holds.
pub(crate) fn selected(account: &Account, selection: &TruthSelectionFilter) -> BTreeMap<i64, Held> {
    let held = selection.of(account.truth()).into_iter().map(|article| {
        let translations = article
            .translations
            .into_iter()
            .map(|t| (t.locale, (t.title, t.hash)))
            .collect::<BTreeMap<_, _>>();
        let held = Held {
            path: article.path,
            labels: article.labels,
            author: Some(article.author_id),
            segment: article.user_segment_id,
            updated_at: article.updated_at,
            translations,
        };
        (article.id, held)
    });
    held.collect()
}

/// What an installation holds of a customer.
pub(crate) async fn ours(app: &TestApp, customer: &str) -> BTreeMap<i64, Held> {
    let parts = app.parts();
    held(&parts.store, parts.organization, customer).await
}

/// What a store holds of a customer.
pub(crate) async fn held(store: &Store, organization: OrganizationId, customer: &str) -> BTreeMap<i64, Held> {
    let id = store.admin().customer(organization, customer).await.unwrap().id;
    let mut query = FileQuery {
        customer: id,
        filters: FileFilters::default(),
        starting_id: 0,
        order: FileOrder::Id,
        descending: false,
        limit: PAGE,
        offset: 0,
    };
    let mut held = BTreeMap::new();
    loop {
        let (files, _) = store.admin().files(&query).await.unwrap();
        let Some(last) = files.last() else { return held };
        query.starting_id = last.id.0;
        for file in files {
            let content = store.admin().file_content(file.organization, file.id).await.unwrap();
            for translation in &content {
                // The hash that is stored is that of what is stored.
                let hash = helpsync_content::content_hash(&translation.title, &translation.html);
                assert_eq!(hash, translation.hash, "article {}", file.article_id);
            }
            let one = Held {
                path: store.admin().path(&file).await.unwrap(),
                labels: serde_json::from_value(file.labels.clone()).unwrap(),
                author: file.author_id,
                segment: file.user_segment_id,
                updated_at: file.source_updated_at / 1000,
                translations: content.into_iter().map(|t| (t.locale, (t.title, t.hash))).collect(),
            };
            let twice = held.insert(file.article_id, one);
            assert!(twice.is_none(), "article {} is held twice", file.article_id);
        }
    }
}

/// The locales of each article that an installation holds of a customer.
pub(crate) async fn held_locales(app: &TestApp, customer: &str) -> BTreeMap<i64, Vec<String>> {
    let held = ours(app, customer).await.into_iter();
    held.map(|(id, held)| (id, held.translations.into_keys().collect())).collect()
}

/// The titles in one locale that an installation holds of a customer.
pub(crate) async fn titles(app: &TestApp, customer: &str, locale: &str) -> Vec<String> {
    let held = ours(app, customer).await.into_values();
    held.filter_map(|held| held.translations.get(locale).map(|(title, _)| title.clone())).collect()
}

/// Fails with the first differences.
pub(crate) async fn assert_equal(app: &TestApp, account: &Account, customer: &str) {
    assert_same(&truth(account), &ours(app, customer).await);
}

/// Fails with the first differences.
pub(crate) fn assert_same(truth: &BTreeMap<i64, Held>, ours: &BTreeMap<i64, Held>) {
    let missing: Vec<_> = truth.keys().filter(|id| !ours.contains_key(id)).collect();
    let surplus: Vec<_> = ours.keys().filter(|id| !truth.contains_key(id)).collect();
    let differing: Vec<_> = truth
        .iter()
        .filter_map(|(id, right)| ours.get(id).filter(|held| *held != right).map(|held| (id, right, held)))
        .collect();
    assert!(
        missing.is_empty() && surplus.is_empty() && differing.is_empty(),
        "of {} articles {} are missing {:?}, {} are too many {:?}, {} differ {:#?}",
        truth.len(),
        missing.len(),
        &missing[..missing.len().min(SHOWN_MAX)],
        surplus.len(),
        &surplus[..surplus.len().min(SHOWN_MAX)],
        differing.len(),
        &differing[..differing.len().min(SHOWN_MAX)],
    );
}
