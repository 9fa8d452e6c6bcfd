//! How many requests a run takes, counted by the simulator: of the help center, the OAuth handshake apart.
//!
//! `HELPSYNC_TEST_LONG=1` adds a help center of 100,000 articles.

use std::time::Instant;

use helpsync_model::{Plan, RunState};
use helpsync_store::Run;
use zendesk_sim::{Account, BodyProfile, Change, GenerateOptions, Role};

use crate::app::{TestApp, until};
use crate::copy::assert_equal;

const CUSTOMER: &str = "ada";
/// Beyond this the copy is compared by number only.
const COMPARED_MAX: usize = 10_000;

fn published(articles: usize) -> GenerateOptions {
    GenerateOptions {
        articles,
        draft_fraction: 0.0,
        restricted_fraction: 0.0,
        translated_fraction: 0.0,
        body_profile: BodyProfile::Fixed(100),
        ..GenerateOptions::default()
    }
}

fn spent(account: &Account) -> usize {
    account.requests().iter().filter(|request| request.path.contains("/help_center/")).count()
}

async fn assert_copy(app: &TestApp, account: &Account) {
    if account.article_ids().len() <= COMPARED_MAX {
        assert_equal(app, account, CUSTOMER).await;
    } else {
        let parts = app.parts();
        let connection = app.connection(CUSTOMER, "acme").await;
        let known = parts.store.sync().known_articles(connection).await.unwrap();
        assert_eq!(usize::try_from(known).unwrap(), account.article_ids().len());
    }
}

/// Connects, and waits for the end of the first sync for as long as it goes on.
async fn connected(app: &TestApp) -> Run {
    let (status, page) = app.grant(CUSTOMER, "acme").await;
    assert!(status.is_success(), "{page}");
    let parts = app.parts();
    let connection = app.connection(CUSTOMER, "acme").await;
    let mut listed = -1;
    loop {
        let run = until("the first sync to go on", async || {
            let runs = parts.store.admin().runs(parts.organization, Some(connection), 1).await.unwrap();
            let run = runs.into_iter().next()?;
            (!run.state.is_active() || run.counters.listed > listed).then_some(run)
        })
        .await;
        if !run.state.is_active() {
            assert_eq!(run.state, RunState::Done, "{run:?}");
            return run;
        }
        listed = run.counters.listed;
    }
}

/// `2 + d * (log2 n + 2)`, rounded down.
fn removal_bound(articles: usize, removed: usize) -> usize {
    let halvings = f64::from(u32::try_from(articles).unwrap()).log2();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "small and positive")]
    let each = ((halvings + 2.0) * f64::from(u32::try_from(removed).unwrap())) as usize;
    2 + each
}

async fn bounds(articles: usize, role: Role) {
    let app = TestApp::embedded().await;
    let account = app.account("acme", published(articles));
    account.update_settings(|settings| {
        settings.grant_as = role;
        // By locale each list costs what this one costs.
        settings.locale_required = None;
    });
    let began = Instant::now();
    let run = connected(&app).await;
    let (plan, most) = match role {
        Role::EndUser if articles > 10_000 => ("cursor_ends", articles.div_ceil(100) + 5),
        Role::EndUser => ("offset_pages", articles.div_ceil(100) + 4),
        Role::Admin | Role::Agent => ("export", articles.div_ceil(1_000) + 4),
    };
    let full = spent(&account);
    println!("{articles} {role:?}: full {full} of {most} requests in {:?}", began.elapsed());
    assert_eq!(run.plan.map(Plan::as_str), Some(plan), "{run:?}");
    assert!(run.plan_reason.is_some(), "{run:?}");
    assert!(full <= most, "a full sync took {full} requests, more than {most}");
    // Several pages show the same tags at once.
    let tags = account.requests().iter().filter(|request| request.path.contains("content_tags")).count();
    assert_eq!(tags, 1, "{:?}", account.requests());
    assert_copy(&app, &account).await;

    account.clear_requests();
    let run = app.sync(CUSTOMER, "acme").await;
    assert!(spent(&account) <= 4, "an unchanged delta: {:?}", account.requests());
    assert_eq!((run.counters.created, run.counters.updated, run.counters.removed), (0, 0, 0));

    for removed in [1, 3] {
        let ids = account.article_ids();
        for number in 0..removed {
            account.apply(Change::Delete { id: ids[(2 * number + 1) * ids.len() / 7] }).unwrap();
        }
        account.clear_requests();
        let run = app.sync(CUSTOMER, "acme").await;
        let (took, most) = (spent(&account), removal_bound(articles, removed));
        println!("{articles} {role:?}: {removed} removals in {took} of {most} requests");
        assert_eq!(usize::try_from(run.counters.removed).unwrap(), removed, "{run:?}");
        assert!(took <= most, "{removed} removals took {took} requests, more than {most}");
        assert_copy(&app, &account).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_of_one_thousand_stays_within_its_bounds() {
    bounds(1_000, Role::Agent).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_of_ten_thousand_stays_within_its_bounds() {
    bounds(10_000, Role::Agent).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_one_thousand_stays_within_its_bounds() {
    bounds(1_000, Role::EndUser).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_of_ten_thousand_stays_within_its_bounds() {
    bounds(10_000, Role::EndUser).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_thousand_stay_within_their_bounds() {
    if std::env::var("HELPSYNC_TEST_LONG").is_ok() {
        bounds(100_000, Role::Agent).await;
        bounds(100_000, Role::EndUser).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_removals_are_found_by_the_export_where_it_may_be_read() {
    const ARTICLES: usize = 3_000;
    const REMOVED: usize = 40;
    let app = TestApp::embedded().await;
    let account = app.account("acme", published(ARTICLES));
    connected(&app).await;
    let ids = account.article_ids();
    for id in ids.iter().step_by(ARTICLES / REMOVED).take(REMOVED) {
        account.apply(Change::Delete { id: *id }).unwrap();
    }
    account.clear_requests();
    let run = app.sync(CUSTOMER, "acme").await;
    assert_eq!(usize::try_from(run.counters.removed).unwrap(), REMOVED, "{run:?}");
    assert!(
        run.plan_reason.as_deref().is_some_and(|why| why.contains("by the incremental export, up to")),
        "{run:?}"
    );
    // Each removal is proved by itself; to find them took an export of three pages, and what every delta takes.
    let found = spent(&account) - REMOVED;
    println!("{ARTICLES}: {REMOVED} removals found in {found} requests");
    assert!(found <= ARTICLES / 1_000 + 8, "{found} requests: {:?}", account.requests());
    assert_copy(&app, &account).await;
}
