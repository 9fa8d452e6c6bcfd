//! Paths: where articles stand, whatever moves or is renamed without them.

use serde_json::json;
use zendesk_sim::{Account, BodyProfile, Change, Fault, FaultRule, GenerateOptions};

use crate::app::TestApp;
use crate::copy::{assert_equal, ours};

const CUSTOMER: &str = "ada";

fn center() -> GenerateOptions {
    GenerateOptions {
        articles: 132,
        draft_fraction: 0.0,
        restricted_fraction: 0.0,
        body_profile: BodyProfile::Small,
        ..GenerateOptions::default()
    }
}

fn category(account: &Account, number: usize) -> i64 {
    let all: std::collections::BTreeSet<i64> =
        account.truth().iter().map(|article| article.category_id).collect();
    *all.iter().nth(number).unwrap()
}

async fn synced(app: &TestApp, account: &Account) -> usize {
    account.clear_requests();
    app.sync(CUSTOMER, "acme").await;
    assert_equal(app, account, CUSTOMER).await;
    account.requests().len()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_article_below_a_section_without_articles_has_its_whole_path() {
    let app = TestApp::embedded().await;
    let account = app.account("acme", center());
    let section = |category_id| account.apply(Change::AddSection { category_id }).unwrap().article;
    let category_id = category(&account, 0);
    let (above, between, below) = (section(category_id), section(category_id), section(category_id));
    account.apply(Change::NestSection { section_id: between, parent_id: above }).unwrap();
    account.apply(Change::NestSection { section_id: below, parent_id: between }).unwrap();
    let create = || {
        let (title, body) = ("Deep".to_owned(), "<p>deep</p>".to_owned());
        account.apply(Change::Create { section_id: Some(below), title, body, draft: false }).unwrap()
    };
    create();
    app.connect(CUSTOMER, "acme").await;
    assert_equal(&app, &account, CUSTOMER).await;
    // And of one that comes later, in sections that are new.
    let (under, lower) = (section(category_id), section(category_id));
    account.apply(Change::NestSection { section_id: lower, parent_id: under }).unwrap();
    let id = create().article;
    account.apply(Change::Move { id, section_id: lower }).unwrap();
    synced(&app, &account).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_renamed_or_moved_without_its_articles_is_in_step_at_the_next_delta() {
    let app = TestApp::embedded().await;
    let account = app.account("acme", center());
    app.connect(CUSTOMER, "acme").await;
    let section_id = account.truth()[0].section_id;
    let (first, second) = (category(&account, 0), category(&account, 1));
    assert!(synced(&app, &account).await <= 4, "{:?}", account.requests());
    for change in [
        Change::RenameSection { section_id, name: "Another name".to_owned() },
        Change::RenameCategory { category_id: first, name: "Renamed".to_owned() },
        Change::MoveSection { section_id, category_id: second },
        Change::MoveSection { section_id, category_id: first },
    ] {
        account.apply(change).unwrap();
        assert!(synced(&app, &account).await <= 4, "{:?}", account.requests());
    }
}

/// Of a tree that is longer than a page an unchanged delta reads no more than the page that changed last.
#[tokio::test(flavor = "multi_thread")]
async fn a_tree_of_several_pages_is_read_when_it_has_changed() {
    let app = TestApp::embedded().await;
    let account = app.account("acme", center());
    let category_id = category(&account, 0);
    for _ in 0..230 {
        account.apply(Change::AddSection { category_id }).unwrap();
    }
    app.connect(CUSTOMER, "acme").await;
    assert_equal(&app, &account, CUSTOMER).await;
    app.sim.clock().advance(std::time::Duration::from_secs(5));
    synced(&app, &account).await;
    assert!(synced(&app, &account).await <= 4, "{:?}", account.requests());
    let section_id = account.truth()[0].section_id;
    account.apply(Change::RenameSection { section_id, name: "Another name".to_owned() }).unwrap();
    assert!(synced(&app, &account).await > 4, "{:?}", account.requests());
    assert!(synced(&app, &account).await <= 4, "{:?}", account.requests());
}

/// The article is five sections deep, and none of those above it holds any.
#[tokio::test(flavor = "multi_thread")]
async fn what_moves_far_above_an_article_is_in_step_at_the_next_delta() {
    let app = TestApp::embedded().await;
    let account = app.account("acme", center());
    let (first, second) = (category(&account, 0), category(&account, 1));
    let chain: Vec<i64> =
        (0..5).map(|_| account.apply(Change::AddSection { category_id: first }).unwrap().article).collect();
    for pair in chain.windows(2) {
        account.apply(Change::NestSection { section_id: pair[1], parent_id: pair[0] }).unwrap();
    }
    let (title, body) = ("Deep".to_owned(), "<p>deep</p>".to_owned());
    let lowest = Some(chain[4]);
    account.apply(Change::Create { section_id: lowest, title, body, draft: false }).unwrap();
    let other = account.apply(Change::AddSection { category_id: second }).unwrap().article;
    app.connect(CUSTOMER, "acme").await;
    assert_equal(&app, &account, CUSTOMER).await;
    for change in [
        Change::RenameSection { section_id: chain[1], name: "Second of five".to_owned() },
        Change::MoveSection { section_id: chain[0], category_id: second },
        Change::NestSection { section_id: chain[2], parent_id: other },
        Change::MoveSection { section_id: chain[3], category_id: first },
        Change::RenameCategory { category_id: first, name: "Renamed".to_owned() },
        Change::NestSection { section_id: chain[3], parent_id: chain[0] },
    ] {
        let told = format!("{change:?}");
        account.apply(change).unwrap();
        assert!(synced(&app, &account).await <= 4, "{told}: {:?}", account.requests());
    }
}

/// Parents that are missing, that lead in a ring, or that are no sections: every article is kept, and its path is right
/// once the tree is.
#[tokio::test(flavor = "multi_thread")]
async fn a_tree_that_makes_no_sense_costs_no_article_and_heals() {
    let app = TestApp::embedded().await;
    let account = app.account("acme", center());
    let section = account.truth()[0].section_id;
    let parent = |value: serde_json::Value| {
        let at = "/sections/*/parent_section_id".to_owned();
        FaultRule::always(Fault::Member { at, every: 1, value }).on("/help_center")
    };
    let no_category = |value: serde_json::Value| {
        let at = "/sections/*/category_id".to_owned();
        FaultRule::always(Fault::Member { at, every: 2, value }).on("/help_center")
    };
    app.connect(CUSTOMER, "acme").await;
    let before = account.truth().len();
    for rule in [
        parent(section.into()),
        parent(1.into()),
        parent("x".into()),
        parent((-1).into()),
        no_category(serde_json::Value::Null),
        no_category(7.into()),
    ] {
        let told = format!("{rule:?}");
        account.inject(rule);
        for params in [json!({ "customer_id": CUSTOMER }), json!({ "customer_id": CUSTOMER, "full": true })] {
            app.post("/helpsync/v1/sync", CUSTOMER, params).await;
            app.ended(app.connection(CUSTOMER, "acme").await).await;
            assert_eq!(ours(&app, CUSTOMER).await.len(), before, "{told}");
        }
        account.clear_faults();
        app.sync(CUSTOMER, "acme").await;
        assert_equal(&app, &account, CUSTOMER).await;
    }
}
