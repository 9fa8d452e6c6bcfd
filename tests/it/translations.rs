//! Languages: whatever an answer leaves out of them, what is stored stays.

use std::collections::BTreeSet;

use helpsync_model::{Lane, RunKind, RunParams, Trigger};
use helpsync_store::{Run, RunRequest};
use zendesk_sim::{Account, BodyProfile, Change, Fault, FaultBody, FaultRule, GenerateOptions, Role};

use crate::app::TestApp;
use crate::copy::{assert_equal, held_locales};

const CUSTOMER: &str = "ada";

fn translated(articles: usize) -> GenerateOptions {
    GenerateOptions {
        articles,
        draft_fraction: 0.0,
        restricted_fraction: 0.0,
        translated_fraction: 1.0,
        body_profile: BodyProfile::Small,
        ..GenerateOptions::default()
    }
}

async fn run(app: &TestApp, kind: RunKind, params: RunParams) -> Run {
    let connection = app.connection(CUSTOMER, "acme").await;
    let run = app
        .run(RunRequest {
            connection,
            kind: Some(kind),
            trigger: Trigger::Request,
            lane: Lane::OnDemand,
            request_id: "r".to_owned(),
            upload_id: "r".to_owned(),
            params,
        })
        .await;
    assert_eq!(run.state, helpsync_model::RunState::Done, "{run:?}");
    run
}

fn no_sideload(account: &Account) {
    let fault = Fault::NoSideload { member: "translations".to_owned() };
    account.inject(FaultRule::always(fault).on("articles"));
}

fn edit(account: &Account, ids: &[i64]) {
    for id in ids {
        let title = Some(format!("Edited {id}"));
        account.apply(Change::Edit { id: *id, title, body: None }).unwrap();
    }
}

async fn languages_survive_an_answer_without_the_sideload(role: Role) {
    let app = TestApp::embedded().await;
    let account = app.account("acme", translated(120));
    account.update_settings(|settings| settings.grant_as = role);
    app.connect(CUSTOMER, "acme").await;
    assert_equal(&app, &account, CUSTOMER).await;
    no_sideload(&account);
    let ids = account.article_ids();
    edit(&account, &ids[..10]);
    account.clear_requests();
    run(&app, RunKind::Delta, RunParams::default()).await;
    assert_equal(&app, &account, CUSTOMER).await;
    let asked = account.requests().iter().filter(|seen| seen.path.ends_with("/translations")).count();
    assert!((10..=40).contains(&asked), "only what has changed is asked for: {asked}");
    run(&app, RunKind::Full, RunParams::default()).await;
    run(&app, RunKind::Delta, RunParams::audit()).await;
    assert_equal(&app, &account, CUSTOMER).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn languages_survive_an_answer_without_the_sideload_for_an_agent() {
    languages_survive_an_answer_without_the_sideload(Role::Agent).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn languages_survive_an_answer_without_the_sideload_for_an_end_user() {
    languages_survive_an_answer_without_the_sideload(Role::EndUser).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_first_sync_without_the_sideload_has_every_language() {
    let app = TestApp::embedded().await;
    let account = app.account("acme", translated(150));
    no_sideload(&account);
    app.connect(CUSTOMER, "acme").await;
    assert_equal(&app, &account, CUSTOMER).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn translations_that_are_not_to_be_had_stay_and_the_run_says_so() {
    for code in [403, 404] {
        let app = TestApp::embedded().await;
        let account = app.account("acme", translated(20));
        app.connect(CUSTOMER, "acme").await;
        let before = held_locales(&app, CUSTOMER).await;
        let refused = Fault::Status { code, retry_after: None, body: FaultBody::Json };
        account.inject(FaultRule::always(refused).on("/translations"));
        no_sideload(&account);
        let ids = account.article_ids();
        edit(&account, &ids);
        let run = run(&app, RunKind::Delta, RunParams::audit()).await;
        assert_eq!(held_locales(&app, CUSTOMER).await, before, "{run:?}");
        let skipped =
            app.parts().store.admin().skipped(app.parts().organization, run.id, 0, 100).await.unwrap();
        assert!(skipped.iter().any(|one| one.reason.contains("translations cannot be had")), "{skipped:?}");
        account.clear_faults();
        self::run(&app, RunKind::Delta, RunParams::audit()).await;
        assert_equal(&app, &account, CUSTOMER).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_translation_that_cannot_be_read_costs_no_other() {
    let app = TestApp::embedded().await;
    let account = app.account("acme", translated(30));
    app.connect(CUSTOMER, "acme").await;
    let before = held_locales(&app, CUSTOMER).await;
    account.inject(FaultRule::always(Fault::BrokenTranslation { locale: "de".to_owned() }).on("articles"));
    let ids = account.article_ids();
    edit(&account, &ids);
    let delta = run(&app, RunKind::Delta, RunParams::default()).await;
    assert_eq!(held_locales(&app, CUSTOMER).await, before, "{delta:?}");
    let skipped =
        app.parts().store.admin().skipped(app.parts().organization, delta.id, 0, 100).await.unwrap();
    let named: BTreeSet<Option<i64>> = skipped.iter().map(|one| one.article_id).collect();
    assert_eq!(named.len(), 30, "{skipped:?}");
    assert!(skipped.iter().all(|one| one.reason.starts_with("translation de: ")), "{skipped:?}");
    let titles = crate::copy::titles(&app, CUSTOMER, "en-us").await;
    assert!(titles.iter().all(|title| title.starts_with("Edited ")), "{titles:?}");
    account.clear_faults();
    run(&app, RunKind::Full, RunParams::default()).await;
    assert_equal(&app, &account, CUSTOMER).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_spellings_of_a_locale_are_one() {
    let app = TestApp::embedded().await;
    let account = app.account("acme", translated(30));
    account.inject(FaultRule::always(Fault::SpeltLocales).on("articles"));
    app.connect(CUSTOMER, "acme").await;
    assert_equal(&app, &account, CUSTOMER).await;
    account.clear_faults();
    let again = run(&app, RunKind::Full, RunParams::default()).await;
    assert_eq!((again.counters.created, again.counters.updated), (0, 0), "{again:?}");
    assert_equal(&app, &account, CUSTOMER).await;
}

/// Whether Zendesk moves an article's time with a translation's is not written down.
#[tokio::test(flavor = "multi_thread")]
async fn a_translation_whose_change_moves_no_time_is_found_by_the_audit() {
    let app = TestApp::embedded().await;
    let account = app.account("acme", translated(30));
    app.connect(CUSTOMER, "acme").await;
    account.update_settings(|settings| settings.translation_edit_moves_article = false);
    let id = account.article_ids()[3];
    let (locale, title, body) = ("de".to_owned(), "Neu".to_owned(), "<p>neu</p>".to_owned());
    account.apply(Change::EditTranslation { id, locale, title, body, draft: false }).unwrap();
    run(&app, RunKind::Delta, RunParams::audit()).await;
    assert_equal(&app, &account, CUSTOMER).await;
}
