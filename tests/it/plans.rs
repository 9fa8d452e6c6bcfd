//! Every way of reading, under what goes wrong in the field: the copy is exact, or the run says why and nothing went.

use helpsync_model::{Plan, RunState};
use serde_json::json;
use zendesk_sim::{
    Account, BodyProfile, Change, Churn, Fault, FaultRule, GenerateOptions, RecentStartRefusal, Role,
};

use crate::app::{Shape, TestApp, real_time, small};
use crate::copy::{assert_equal, ours};

const CUSTOMER: &str = "ada";

fn starts(account: &Account) -> Vec<i64> {
    let requests = account.requests();
    let exports = requests.iter().filter(|request| request.path.contains("/incremental/"));
    exports
        .filter_map(|request| {
            let mut pairs = url::form_urlencoded::parse(request.query.as_bytes());
            pairs.find(|(key, _)| key == "start_time").and_then(|(_, value)| value.parse().ok())
        })
        .collect()
}

async fn ranges_split_and_are_walked_at_once(shape: Shape) {
    let app = TestApp::of(shape).await;
    let account = app.account("acme", small(3_000));
    account.update_settings(|settings| settings.incremental_page_size = 300);
    app.connect(CUSTOMER, "acme").await;
    let starts = starts(&account);
    assert!(!starts.is_sorted(), "one range after the other: {starts:?}");
    assert!(starts.len() <= 14, "{starts:?}");
    assert_equal(&app, &account, CUSTOMER).await;
    // The mark is where one range after the other would have left it.
    account.clear_requests();
    app.sync(CUSTOMER, "acme").await;
    assert_eq!(account.requests().len(), 4, "{:?}", account.requests());
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_split_and_are_walked_at_once_embedded() {
    ranges_split_and_are_walked_at_once(Shape::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ranges_split_and_are_walked_at_once_on_services() {
    ranges_split_and_are_walked_at_once(Shape::Services).await;
}

async fn changes_during_a_walk_are_caught_up_with(role: Role) {
    let app = TestApp::embedded().await;
    let account = app.account("acme", small(1_200));
    account.update_settings(|settings| {
        settings.grant_as = role;
        settings.incremental_page_size = 150;
        settings.links_next_on_last_page = true;
        settings.churn = Some(Churn { every_requests: 1, changes: 3, seed: 5 });
    });
    app.connect(CUSTOMER, "acme").await;
    app.sync(CUSTOMER, "acme").await;
    account.update_settings(|settings| settings.churn = None);
    app.sync(CUSTOMER, "acme").await;
    // A new article and a removed one leave the count as it was: that is what audits are for.
    let run = app.audit(CUSTOMER, "acme").await;
    assert_eq!(run.state, RunState::Done, "{run:?}");
    assert_equal(&app, &account, CUSTOMER).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_during_an_export_are_caught_up_with() {
    changes_during_a_walk_are_caught_up_with(Role::Agent).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_during_a_list_are_caught_up_with() {
    changes_during_a_walk_are_caught_up_with(Role::EndUser).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_answers_and_doubled_items_leave_an_exact_copy() {
    let app = TestApp::embedded().await;
    for (number, role) in [Role::Agent, Role::EndUser].into_iter().enumerate() {
        let name = format!("acme{number}");
        let account = app.account(&name, small(450));
        account.update_settings(|settings| {
            settings.grant_as = role;
            settings.incremental_page_size = 100;
        });
        account.inject(FaultRule::once(Fault::TruncatedJson).on("articles").after(2));
        account.inject(FaultRule::once(Fault::TruncatedBody { after_bytes: 700 }).on("articles").after(2));
        account.inject(FaultRule::always(Fault::DuplicateItems).on("articles"));
        let customer = format!("customer-{number}");
        app.connect(&customer, &name).await;
        account.clear_requests();
        app.sync(&customer, &name).await;
        assert_equal(&app, &account, &customer).await;
        let ids = account.article_ids();
        account.apply(Change::Delete { id: ids[ids.len() / 2] }).unwrap();
        app.sync(&customer, &name).await;
        assert_equal(&app, &account, &customer).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_help_center_disabled_in_mid_walk_fails_the_run_and_removes_nothing() {
    let extra = [("HELPSYNC_WORKER__SHARD_ATTEMPTS_MAX", "2")];
    let app = TestApp::start(Shape::Embedded, &extra, real_time()).await;
    let account = app.account("acme", small(400));
    account.update_settings(|settings| settings.incremental_page_size = 100);
    app.connect(CUSTOMER, "acme").await;
    let ids = account.article_ids();
    for id in &ids[..3] {
        account.apply(Change::Delete { id: *id }).unwrap();
    }
    // Whatever it was doing: after the first page, before a removal is found, or while it is confirmed.
    for passed in 0..5 {
        account.inject(FaultRule::always(Fault::HelpCenterDisabled).on("/help_center/").after(passed));
        let run = app.audit(CUSTOMER, "acme").await;
        assert_eq!(run.state, RunState::Failed, "{passed}: {run:?}");
        assert!(run.error.as_deref().is_some_and(|error| error.contains("help center")), "{run:?}");
        assert_eq!(ours(&app, CUSTOMER).await.len(), 400, "{passed}: {run:?}");
        account.clear_faults();
    }
    app.sync(CUSTOMER, "acme").await;
    assert_equal(&app, &account, CUSTOMER).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_smaller_role_removes_nothing_until_a_person_allows_it() {
    let extra = [("HELPSYNC_WORKER__SHARD_ATTEMPTS_MAX", "2")];
    let app = TestApp::start(Shape::Embedded, &extra, real_time()).await;
    let account = app.account("acme", GenerateOptions { restricted_fraction: 0.1, ..small(300) });
    app.connect(CUSTOMER, "acme").await;
    let before = ours(&app, CUSTOMER).await.len();
    // In the middle of a listing: the rest of it shows less, and what is missing answers 404.
    account.inject(FaultRule::once(Fault::DemoteUser).on("/help_center/articles").after(2));
    let run = app.audit(CUSTOMER, "acme").await;
    assert_eq!(ours(&app, CUSTOMER).await.len(), before, "{run:?}");
    account.clear_faults();
    for _ in 0..2 {
        let run = app.sync(CUSTOMER, "acme").await;
        assert!(run.counters.held > 0 && run.counters.removed == 0, "{run:?}");
        assert!(run.plan_reason.as_deref().is_some_and(|why| why.contains("no longer")), "{run:?}");
        assert_eq!(ours(&app, CUSTOMER).await.len(), before);
    }
    let run = app.audit(CUSTOMER, "acme").await;
    assert!(run.counters.held > 0 && run.counters.removed == 0, "{run:?}");
    assert_eq!(ours(&app, CUSTOMER).await.len(), before);

    let connection = app.connection(CUSTOMER, "acme").await;
    let path = format!("/helpsync/v1/data_sources/{}/allow_removals", connection.0);
    app.post(&path, CUSTOMER, json!({})).await;
    let allowed = app.finished(connection).await;
    assert!(allowed.counters.removed > 0, "{allowed:?}");
    account.update_settings(|settings| settings.grant_as = Role::EndUser);
    assert_equal(&app, &account, CUSTOMER).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_with_more_than_a_page_of_changes_is_listed_once_and_then_passed() {
    let app = TestApp::embedded().await;
    let account = app.account("acme", GenerateOptions { largest_burst: 60, ..small(900) });
    account.update_settings(|settings| settings.incremental_page_size = 25);
    let run = app.connect(CUSTOMER, "acme").await;
    assert_eq!(run.plan, Some(Plan::OffsetPages), "{run:?}");
    assert!(run.plan_reason.as_deref().is_some_and(|why| why.contains("second")), "{run:?}");
    assert_equal(&app, &account, CUSTOMER).await;
    account.apply_random(30, 3);
    let run = app.sync(CUSTOMER, "acme").await;
    assert_equal(&app, &account, CUSTOMER).await;
    assert_eq!(run.plan, Some(Plan::Export), "{run:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_that_is_too_recent_is_survived() {
    for status in [400, 422] {
        let app = TestApp::embedded().await;
        let account = app.account("acme", small(60));
        app.connect(CUSTOMER, "acme").await;
        account.update_settings(|settings| {
            settings.incremental_page_size = 20;
            settings.refuse_recent_start = Some(RecentStartRefusal { min_age_seconds: 60, status });
        });
        // More than a page, all of it in this very second or two.
        let touch = |id| Change::Edit { id, title: Some("Now".to_owned()), body: None };
        for id in account.article_ids() {
            account.apply(touch(id)).unwrap();
        }
        app.sync(CUSTOMER, "acme").await;
        account.update_settings(|settings| settings.refuse_recent_start = None);
        app.sync(CUSTOMER, "acme").await;
        assert_equal(&app, &account, CUSTOMER).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pair_of_a_new_and_a_removed_article_is_found_by_the_audit() {
    let app = TestApp::embedded().await;
    let account = app.account("acme", small(250));
    app.connect(CUSTOMER, "acme").await;
    account.apply(Change::Delete { id: account.article_ids()[7] }).unwrap();
    let (title, body) = ("New".to_owned(), "<p>new</p>".to_owned());
    account.apply(Change::Create { section_id: None, title, body, draft: false }).unwrap();
    let delta = app.sync(CUSTOMER, "acme").await;
    // The delta knows one more by now, so that it finds this pair by itself.
    assert_eq!(delta.counters.removed, 1, "{delta:?}");
    assert_equal(&app, &account, CUSTOMER).await;

    account.apply(Change::Delete { id: account.article_ids()[9] }).unwrap();
    // One that the delta does not show, for it changed before the mark.
    account.generate(&GenerateOptions { seed: 77, ..small(1) });
    let delta = app.sync(CUSTOMER, "acme").await;
    assert_eq!(delta.counters.removed, 0, "{delta:?}");
    let run = app.audit(CUSTOMER, "acme").await;
    assert_eq!((run.counters.removed, run.counters.created), (1, 1), "{run:?}");
    assert_equal(&app, &account, CUSTOMER).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_and_an_article_longer_than_an_answer_may_be_are_got_past() {
    let extra = [("HELPSYNC_ZENDESK__BODY_BYTES_MAX", "262144")];
    let app = TestApp::start(Shape::Embedded, &extra, real_time()).await;
    for (number, role) in [Role::Agent, Role::EndUser].into_iter().enumerate() {
        let name = format!("acme{number}");
        let options = GenerateOptions {
            translated_fraction: 0.0,
            body_profile: BodyProfile::Fixed(3_000),
            ..small(60)
        };
        let account = app.account(&name, options);
        account.update_settings(|settings| settings.grant_as = role);
        let (title, body) = ("Huge".to_owned(), format!("<p>{}</p>", "x".repeat(400_000)));
        let huge = account.apply(Change::Create { section_id: None, title, body, draft: false }).unwrap();
        let customer = format!("customer-{number}");
        let run = app.connect(&customer, &name).await;
        assert_eq!((run.counters.created, run.counters.skipped), (60, 1), "{run:?}");
        let held = ours(&app, &customer).await;
        assert!(held.len() == 60 && !held.contains_key(&huge.article));
        // It is skipped, not gone.
        let run = app.sync(&customer, &name).await;
        assert_eq!(run.counters.removed, 0, "{run:?}");
        let body = Some("<p>short</p>".to_owned());
        account.apply(Change::Edit { id: huge.article, title: None, body }).unwrap();
        app.sync(&customer, &name).await;
        assert_equal(&app, &account, &customer).await;
    }
}
