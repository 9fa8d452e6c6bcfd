//! Where Zendesk does not keep to what it documents: exports that do not begin at 0, seconds with more changes than a page,
//! lists in another order.

use std::time::Duration;

use helpsync_model::{Plan, RunKind, RunState};
use serde_json::json;
use zendesk_sim::{Account, Change, Fault, FaultBody, FaultRule, Role};

use crate::app::{Shape, TestApp, real_time, small};
use crate::copy::assert_equal;

const CUSTOMER: &str = "ada";
/// In seconds.
const HOUR: i64 = 3_600;

fn edit(account: &Account, ids: &[i64]) {
    for id in ids {
        let title = Some(format!("Edited {id}"));
        account.apply(Change::Edit { id: *id, title, body: None }).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn where_the_export_fails_from_the_start_the_list_takes_over_and_the_run_says_why() {
    let app = TestApp::embedded().await;
    for code in [400, 422, 502] {
        let (name, customer) = (format!("acme{code}"), format!("customer-{code}"));
        let account = app.account(&name, small(250));
        let fault = Fault::Status { code, retry_after: None, body: FaultBody::Json };
        account.inject(FaultRule { query: Some("start_time=0&".to_owned()), ..FaultRule::always(fault) });
        let run = app.connect(&customer, &name).await;
        assert_eq!(run.plan, Some(Plan::OffsetPages), "{run:?}");
        let why = run.plan_reason.as_deref().unwrap();
        assert!(why.starts_with("the incremental export fails from 0"), "{why}");
        let status = if code == 502 { "not available".to_owned() } else { code.to_string() };
        assert!(why.contains(&status), "{why}");
        assert_equal(&app, &account, &customer).await;
        // What changed is to be had from it.
        edit(&account, &account.article_ids()[..5]);
        let run = app.sync(&customer, &name).await;
        assert_eq!((run.kind, run.plan), (RunKind::Delta, Some(Plan::Export)), "{run:?}");
        assert_equal(&app, &account, &customer).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bulk_edit_of_more_than_a_page_a_second_is_listed_once() {
    let app = TestApp::embedded().await;
    let account = app.account("acme", small(400));
    account.update_settings(|settings| settings.incremental_page_size = 100);
    app.connect(CUSTOMER, "acme").await;
    let ids = account.article_ids();
    // Two seconds of it, and one article later than both.
    let clock = app.sim.clock();
    clock.freeze();
    edit(&account, &ids[..150]);
    clock.advance(Duration::from_secs(1));
    edit(&account, &ids[150..300]);
    clock.advance(Duration::from_secs(1));
    edit(&account, &ids[300..301]);
    clock.thaw();
    let listed = app.sync(CUSTOMER, "acme").await;
    assert_eq!(listed.plan, Some(Plan::OffsetPages), "{listed:?}");
    assert_equal(&app, &account, CUSTOMER).await;
    for edited in [0, 3, 0] {
        edit(&account, &ids[310..310 + edited]);
        account.clear_requests();
        let run = app.sync(CUSTOMER, "acme").await;
        assert_eq!(run.plan, Some(Plan::Export), "{run:?}");
        assert!(account.requests().len() <= 10, "{:?}", account.requests());
        assert_equal(&app, &account, CUSTOMER).await;
    }
    // One that comes in a second of its own is listed again, once.
    clock.freeze();
    edit(&account, &ids[..120]);
    clock.thaw();
    assert_eq!(app.sync(CUSTOMER, "acme").await.plan, Some(Plan::OffsetPages));
    assert_eq!(app.sync(CUSTOMER, "acme").await.plan, Some(Plan::Export));
    assert_equal(&app, &account, CUSTOMER).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_ignores_its_order_is_read_to_its_end() {
    let app = TestApp::embedded().await;
    let account = app.account("acme", small(350));
    account.update_settings(|settings| {
        settings.grant_as = Role::EndUser;
        settings.sort_by_ignored = true;
    });
    app.connect(CUSTOMER, "acme").await;
    assert_equal(&app, &account, CUSTOMER).await;
    let ids = account.article_ids();
    edit(&account, &ids[200..219]);
    app.sync(CUSTOMER, "acme").await;
    assert_equal(&app, &account, CUSTOMER).await;
}

/// Pages without an article that each name a next one: they are not followed for ever.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_without_end_is_not_followed_for_ever() {
    let app = TestApp::embedded().await;
    let account = app.account("acme", small(250));
    let endless = |path: &str| account.inject(FaultRule::always(Fault::EndlessList).on(path));
    endless("/incremental/articles");
    let run = app.connect(CUSTOMER, "acme").await;
    let why = run.plan_reason.as_deref().unwrap();
    assert!(why.contains("empty pages without end"), "{why}");
    assert_equal(&app, &account, CUSTOMER).await;
    edit(&account, &account.article_ids()[..5]);
    account.clear_requests();
    app.sync(CUSTOMER, "acme").await;
    assert_equal(&app, &account, CUSTOMER).await;
    assert!(account.requests().len() < 100, "{}", account.requests().len());

    // Lists by cursor too: the shard fails, is tried again, and what is held stays.
    let by_cursor = FaultRule::always(Fault::EndlessList).on("/help_center/articles").times(25);
    account.inject(FaultRule { query: Some("page%5Bsize%5D".to_owned()), ..by_cursor });
    account.clear_requests();
    let run = app.audit(CUSTOMER, "acme").await;
    assert_eq!(run.state, RunState::Done, "{run:?}");
    let followed = account.requests().iter().map(|seen| seen.query.matches('x').count()).max();
    assert!(followed.unwrap() <= 12, "{followed:?}");
    assert_equal(&app, &account, CUSTOMER).await;
}

/// After its restarts each try reads a page more, none of which is progress.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_never_ends_fails_its_run_and_what_is_held_stays() {
    let app =
        TestApp::start(Shape::Embedded, &[("HELPSYNC_WORKER__SHARD_ATTEMPTS_MAX", "3")], real_time()).await;
    let (empty, circle) = ("10 pages of the list in a row led nowhere", "the list ran in a circle");
    for (role, fault, why) in [
        (Role::Agent, Fault::EndlessList, empty),
        (Role::EndUser, Fault::EndlessList, empty),
        (Role::EndUser, Fault::CircularList, circle),
    ] {
        let name = format!("{role:?}-{}", why.len()).to_lowercase();
        let account = app.account(&name, small(250));
        account.update_settings(|settings| settings.grant_as = role);
        app.connect(&name, &name).await;
        let by_cursor = FaultRule::always(fault).on("/help_center*articles");
        account.inject(FaultRule { query: Some("page%5Bsize%5D".to_owned()), ..by_cursor });
        account.clear_requests();
        let run = app.audit(&name, &name).await;
        assert_eq!(run.state, RunState::Failed, "{run:?}");
        let said = run.error.as_deref().unwrap();
        assert!(said.contains(why), "{said}");
        assert!(account.requests().len() < 70, "{}", account.requests().len());
        account.clear_faults();
        app.sync(&name, &name).await;
        assert_equal(&app, &account, &name).await;
    }
}

/// Zendesk's clock is an hour behind ours, and its export names tomorrow in place of null: the mark goes by what was read.
#[tokio::test(flavor = "multi_thread")]
async fn an_export_that_leads_into_the_future_hides_no_change() {
    let app = TestApp::embedded().await;
    let now = app.sim.clock().now();
    app.sim.clock().freeze_at(now - HOUR);
    app.sim.clock().thaw();
    let account = app.account("acme", small(30));
    let tomorrow = format!("/acme/api/v2/help_center/incremental/articles?start_time={}", now + 24 * HOUR);
    let next = Fault::Member { at: "/next_page".to_owned(), every: 1, value: json!(tomorrow) };
    account.inject(FaultRule::always(next).on("/incremental/articles"));
    app.connect(CUSTOMER, "acme").await;
    for ids in account.article_ids().chunks(10) {
        edit(&account, ids);
        app.sync(CUSTOMER, "acme").await;
        assert_equal(&app, &account, CUSTOMER).await;
    }
}

/// Empty pages in the middle of an export are no end, whoever's clock is ahead.
#[tokio::test(flavor = "multi_thread")]
async fn empty_pages_before_the_present_of_zendesks_clock_are_followed() {
    let app = TestApp::embedded().await;
    app.sim.clock().advance(Duration::from_secs(HOUR.unsigned_abs()));
    let account = app.account("acme", small(30));
    account.update_settings(|settings| settings.incremental_page_size = 10);
    app.connect(CUSTOMER, "acme").await;
    for ids in account.article_ids().chunks(10) {
        edit(&account, ids);
        app.sim.clock().advance(Duration::from_secs(60));
    }
    account.inject(FaultRule::always(Fault::EndlessList).on("/incremental/articles").after(1).times(3));
    app.sync(CUSTOMER, "acme").await;
    assert_equal(&app, &account, CUSTOMER).await;
}
