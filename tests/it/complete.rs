//! What a run did not see is neither removed nor passed over in silence.

use helpsync_model::RunState;
use helpsync_store::Run;
use serde_json::json;
use zendesk_sim::{Account, Change, Fault, FaultRule, Role};

use crate::app::{Shape, TestApp, real_time, small};
use crate::copy::{assert_equal, ours};

const CUSTOMER: &str = "ada";

/// Lists leave these out, while the count has them and each answers when it is asked for by id.
fn omit(account: &Account, ids: &[i64]) {
    for list in ["/help_center/articles", "/incremental/articles"] {
        account.inject(FaultRule::always(Fault::OmitArticles { ids: ids.to_vec() }).on(list));
    }
}

async fn synced(app: &TestApp) -> Run {
    let connection = app.connection(CUSTOMER, "acme").await;
    app.post("/helpsync/v1/sync", CUSTOMER, json!({ "customer_id": CUSTOMER })).await;
    app.ended(connection).await
}

async fn what_lists_leave_out_stays(role: Role) {
    let app = TestApp::embedded().await;
    let account = app.account("acme", small(900));
    account.update_settings(|settings| settings.grant_as = role);
    app.connect(CUSTOMER, "acme").await;
    let ids = account.article_ids();
    omit(&account, &ids[100..103]);
    for id in &ids[200..241] {
        account.apply(Change::Delete { id: *id }).unwrap();
    }
    for _ in 0..2 {
        let run = app.audit(CUSTOMER, "acme").await;
        assert_eq!(run.state, RunState::Done, "{run:?}");
        let held = ours(&app, CUSTOMER).await;
        assert_eq!(held.len(), 859, "{run:?}");
        assert_equal(&app, &account, CUSTOMER).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lists_leave_out_stays_for_an_agent() {
    what_lists_leave_out_stays(Role::Agent).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lists_leave_out_stays_for_an_end_user() {
    what_lists_leave_out_stays(Role::EndUser).await;
}

/// More than are asked for by id: a second listing accounts for them, or those go that are asked for and the others wait.
#[tokio::test(flavor = "multi_thread")]
async fn very_many_removals_go_by_a_second_listing_only_if_it_accounts_for_them() {
    for omitted in [0, 3] {
        let few = [("HELPSYNC_SYNC__REMOVALS_ASKED_MAX", "200")];
        let app = TestApp::start(Shape::Embedded, &few, real_time()).await;
        let account = app.account("acme", small(500));
        app.connect(CUSTOMER, "acme").await;
        let ids = account.article_ids();
        omit(&account, &ids[..omitted]);
        for id in &ids[200..] {
            account.apply(Change::Delete { id: *id }).unwrap();
        }
        let connection = app.connection(CUSTOMER, "acme").await;
        let path = format!("/helpsync/v1/data_sources/{}/allow_removals", connection.0);
        app.post("/helpsync/v1/sync", CUSTOMER, json!({ "customer_id": CUSTOMER })).await;
        let held = app.ended(connection).await;
        assert!(held.counters.held >= 300 && held.counters.removed == 0, "{held:?}");
        account.clear_requests();
        app.post(&path, CUSTOMER, json!({})).await;
        let run = app.ended(connection).await;
        let held = ours(&app, CUSTOMER).await;
        assert!(ids[..200].iter().all(|id| held.contains_key(id)), "{run:?}");
        if omitted == 0 {
            assert_eq!((run.state, run.counters.removed), (RunState::Done, 300), "{run:?}");
            assert!(account.requests().len() < 150, "{}", account.requests().len());
            assert_equal(&app, &account, CUSTOMER).await;
        } else {
            assert!(run.counters.removed > 190 && run.counters.held > 0, "{run:?}");
        }
    }
}

/// The incremental export and the cursor lists lack some, by page number they are there.
#[tokio::test(flavor = "multi_thread")]
async fn what_one_way_of_reading_drops_another_brings() {
    let app = TestApp::embedded().await;
    let account = app.account("acme", small(319));
    let ids = account.article_ids();
    let dropped = Fault::OmitArticles { ids: ids[7..11].to_vec() };
    account.inject(FaultRule::always(dropped.clone()).on("/incremental/articles"));
    account.inject(FaultRule {
        query: Some("page%5Bsize%5D".to_owned()),
        ..FaultRule::always(dropped).on("/help_center/articles")
    });
    let run = app.connect(CUSTOMER, "acme").await;
    assert_eq!(run.counters.created, 319, "{run:?}");
    assert_equal(&app, &account, CUSTOMER).await;
}

/// What is known and what is counted are as many; one of them is not shown by the export, with its new text.
#[tokio::test(flavor = "multi_thread")]
async fn a_full_run_that_is_not_shown_what_is_known_reads_it_another_way() {
    let app = TestApp::embedded().await;
    let account = app.account("acme", small(40));
    app.connect(CUSTOMER, "acme").await;
    let id = account.article_ids()[20];
    account.inject(FaultRule::always(Fault::OmitArticles { ids: vec![id] }).on("/incremental/articles"));
    account.apply(Change::Edit { id, title: Some("Another".to_owned()), body: None }).unwrap();
    app.post("/helpsync/v1/sync", CUSTOMER, json!({ "customer_id": CUSTOMER, "full": true })).await;
    let connection = app.connection(CUSTOMER, "acme").await;
    app.finished(connection).await;
    assert_equal(&app, &account, CUSTOMER).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_sync_that_is_shown_nothing_says_so_and_the_next_run_brings_all() {
    for role in [Role::Agent, Role::EndUser] {
        let app = TestApp::embedded().await;
        let account = app.account("acme", small(319));
        account.update_settings(|settings| settings.grant_as = role);
        account.inject(FaultRule::always(Fault::EmptyList).on("articles"));
        let (status, page) = app.grant(CUSTOMER, "acme").await;
        assert!(status.is_success(), "{page}");
        let run = app.ended(app.connection(CUSTOMER, "acme").await).await;
        assert_eq!(run.state, RunState::Incomplete, "{run:?}");
        let said = run.error.as_deref().unwrap();
        assert!(said.contains("counts 319") && said.contains("showed 0"), "{said}");
        account.clear_faults();
        app.sync(CUSTOMER, "acme").await;
        assert_equal(&app, &account, CUSTOMER).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delta_that_misses_some_says_so_until_an_audit_has_them() {
    let app = TestApp::embedded().await;
    let account = app.account("acme", small(250));
    app.connect(CUSTOMER, "acme").await;
    let made: Vec<i64> = (0..4)
        .map(|number| {
            let (title, body) = (format!("New {number}"), "<p>new</p>".to_owned());
            account.apply(Change::Create { section_id: None, title, body, draft: false }).unwrap().article
        })
        .collect();
    omit(&account, &made);
    for _ in 0..2 {
        let run = synced(&app).await;
        assert_eq!(run.state, RunState::Incomplete, "{run:?}");
        let said = run.error.as_deref().unwrap();
        assert!(said.contains("counts 254") && said.contains("showed 250"), "{said}");
        assert_eq!(ours(&app, CUSTOMER).await.len(), 250);
    }
    account.clear_faults();
    let run = app.sync(CUSTOMER, "acme").await;
    assert_eq!(run.counters.created, 4, "{run:?}");
    assert_equal(&app, &account, CUSTOMER).await;
}

/// An article goes with every request, and lists lack some: no two counts in a row are equal.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_shrinks_while_it_is_read_is_read_again_by_the_next_run() {
    let app = TestApp::embedded().await;
    let account = app.account("acme", small(400));
    app.connect(CUSTOMER, "acme").await;
    let ids = account.article_ids();
    omit(&account, &ids[..60]);
    account.update_settings(|settings| settings.shrinks = true);
    let run = app.audit(CUSTOMER, "acme").await;
    account.update_settings(|settings| settings.shrinks = false);
    assert_eq!(run.state, RunState::Done, "{run:?}");
    let said = run.audit_reason.as_deref().unwrap();
    assert!(said.contains("does not stand still"), "{said}");
    let held = ours(&app, CUSTOMER).await;
    assert!(ids[..60].iter().all(|id| held.contains_key(id)), "what a moving list leaves out stays");

    // As many come as went unseen, and the export does not show them, so that the counts agree: only an audit tells.
    account.clear_faults();
    account.apply(Change::Delete { id: ids[0] }).unwrap();
    let connection = app.connection(CUSTOMER, "acme").await;
    let known = app.parts().store.sync().known_articles(connection).await.unwrap();
    let mut made = Vec::new();
    while i64::try_from(account.article_ids().len()).unwrap() < known {
        let (title, body) = ("New".to_owned(), "<p>new</p>".to_owned());
        let change = Change::Create { section_id: None, title, body, draft: false };
        made.push(account.apply(change).unwrap().article);
    }
    assert!(!made.is_empty());
    account.inject(FaultRule::always(Fault::OmitArticles { ids: made }).on("/incremental/articles"));
    app.sync(CUSTOMER, "acme").await;
    assert_equal(&app, &account, CUSTOMER).await;
    account.clear_requests();
    app.sync(CUSTOMER, "acme").await;
    assert!(account.requests().len() <= 4, "and one after that is none");
}

/// It accounts for one of Zendesk's count, however often it is read.
#[tokio::test(flavor = "multi_thread")]
async fn a_record_without_an_id_does_not_stand_for_an_article_that_lists_lack() {
    for role in [Role::Agent, Role::EndUser] {
        let app = TestApp::embedded().await;
        let account = app.account("acme", small(25));
        account.update_settings(|settings| settings.grant_as = role);
        let ids = account.article_ids();
        let nameless = |omitted: &[i64]| {
            let fault = Fault::NamelessArticle { id: ids[3], omitted: omitted.to_vec() };
            account.inject(FaultRule::always(fault).on("articles"));
        };
        nameless(&ids[5..6]);
        let (status, page) = app.grant(CUSTOMER, "acme").await;
        assert!(status.is_success(), "{page}");
        let connection = app.connection(CUSTOMER, "acme").await;
        let mut run = app.ended(connection).await;
        for _ in 0..2 {
            assert_eq!(run.state, RunState::Incomplete, "{run:?}");
            let said = run.error.as_deref().unwrap();
            assert!(said.contains("counts 25 articles and showed 23, and 1 without a readable id"), "{said}");
            let parts = app.parts();
            let skipped = parts.store.admin().skipped(parts.organization, run.id, 0, 100).await.unwrap();
            assert_eq!(skipped.len(), 1, "{skipped:?}");
            run = synced(&app).await;
        }
        account.clear_faults();
        nameless(&[]);
        let run = app.audit(CUSTOMER, "acme").await;
        assert_eq!((run.state, ours(&app, CUSTOMER).await.len()), (RunState::Done, 24), "{run:?}");
        account.clear_faults();
        app.audit(CUSTOMER, "acme").await;
        assert_equal(&app, &account, CUSTOMER).await;
    }
}
