//! End users have to name a locale: their lists are read by locale, each once, and every language of an article is kept.

use helpsync_model::{Plan, RunState};
use serde_json::json;
use zendesk_sim::{Account, BodyProfile, Change, Fault, FaultBody, FaultRule, GenerateOptions, Role};

use crate::app::TestApp;
use crate::copy::{assert_equal, ours};

const CUSTOMER: &str = "ada";
const LOCALES: [&str; 3] = ["en-us", "de", "fr"];

fn center(articles: usize) -> GenerateOptions {
    GenerateOptions {
        articles,
        draft_fraction: 0.1,
        restricted_fraction: 0.1,
        translated_fraction: 0.5,
        body_profile: BodyProfile::Small,
        ..GenerateOptions::default()
    }
}

/// For end users, refused with `status` where no locale is named, and with articles that are published in German only.
fn account(app: &TestApp, status: u16) -> Account {
    let account = app.account("acme", center(260));
    account.update_settings(|settings| {
        settings.grant_as = Role::EndUser;
        settings.locale_required = Some(status);
    });
    for _ in 0..3 {
        german(&account);
    }
    account
}

fn german(account: &Account) -> i64 {
    let (title, body) = ("English".to_owned(), "<p>english</p>".to_owned());
    let id = account.apply(Change::Create { section_id: None, title, body, draft: true }).unwrap().article;
    let (locale, title, body) = ("de".to_owned(), "Deutsch".to_owned(), "<p>deutsch</p>".to_owned());
    account.apply(Change::EditTranslation { id, locale, title, body, draft: false }).unwrap();
    id
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_wants_a_locale_is_read_in_each_of_them_once() {
    for status in [400, 403, 404, 422] {
        let app = TestApp::embedded().await;
        let account = account(&app, status);
        let run = app.connect(CUSTOMER, "acme").await;
        assert_eq!(run.plan, Some(Plan::Locales), "{run:?}");
        assert_equal(&app, &account, CUSTOMER).await;
        let requests = account.requests();
        let pages = |locale: &str| {
            let path = format!("/help_center/{locale}/articles");
            let cursor = |seen: &&zendesk_sim::SeenRequest| {
                seen.path.ends_with(&path) && seen.query.contains("page%5Bsize%5D")
            };
            requests.iter().filter(cursor).count()
        };
        assert_eq!(pages("en-us"), 3, "{requests:?}");
        assert!(pages("de") <= 3 && pages("fr") <= 3, "{requests:?}");

        // What changes, comes and goes, in whichever language.
        let ids = account.article_ids();
        let title = Some("Edited".to_owned());
        account.apply(Change::Edit { id: ids[5], title, body: None }).unwrap();
        let made = german(&account);
        app.sync(CUSTOMER, "acme").await;
        assert!(ours(&app, CUSTOMER).await.contains_key(&made));
        assert_equal(&app, &account, CUSTOMER).await;
        account.apply(Change::Delete { id: made }).unwrap();
        account.apply(Change::Archive { id: ids[9] }).unwrap();
        app.sync(CUSTOMER, "acme").await;
        assert_equal(&app, &account, CUSTOMER).await;

        account.clear_requests();
        app.sync(CUSTOMER, "acme").await;
        // The export is known to be refused: the tree, and of each list its latest changes and its count.
        assert!(account.requests().len() <= 2 + 2 * LOCALES.len(), "{:?}", account.requests());
        assert_eq!(app.audit(CUSTOMER, "acme").await.state, RunState::Done);
        assert_equal(&app, &account, CUSTOMER).await;
    }
}

fn by_locale(account: &Account) -> bool {
    account.requests().iter().any(|seen| seen.path.ends_with("/en-us/articles"))
}

/// What wants a locale may have been the trouble of a moment. Whether it was, shows only where the export answers: a list
/// without a locale may have fewer articles than those with.
#[tokio::test(flavor = "multi_thread")]
async fn lists_are_read_without_a_locale_again_only_where_the_export_answers() {
    let app = TestApp::embedded().await;
    let agents = app.account("agents", center(30));
    let refused = || Fault::Status { code: 404, retry_after: None, body: FaultBody::Json };
    for path in ["/api/v2/help_center/articles", "/api/v2/help_center/incremental"] {
        agents.inject(FaultRule::always(refused()).on(path));
    }
    app.connect("agent", "agents").await;
    assert!(by_locale(&agents));
    agents.clear_faults();
    app.audit("agent", "agents").await;
    app.audit("agent", "agents").await;
    agents.clear_requests();
    app.audit("agent", "agents").await;
    assert_equal(&app, &agents, "agent").await;
    assert!(!by_locale(&agents), "{:?}", agents.requests());

    let readers = account(&app, 404);
    app.connect(CUSTOMER, "acme").await;
    readers.update_settings(|settings| settings.locale_required = None);
    app.audit(CUSTOMER, "acme").await;
    readers.clear_requests();
    app.audit(CUSTOMER, "acme").await;
    assert!(by_locale(&readers), "{:?}", readers.requests());
    assert_equal(&app, &readers, CUSTOMER).await;
}

/// What stands in one language alone must not go because the list of languages is short for once.
#[tokio::test(flavor = "multi_thread")]
async fn a_locale_goes_only_with_its_list() {
    let app = TestApp::embedded().await;
    let account = account(&app, 404);
    app.connect(CUSTOMER, "acme").await;
    let only_english = Fault::Member { at: "/locales".to_owned(), every: 1, value: json!(["en-us"]) };
    account.inject(FaultRule::always(only_english).on("/help_center/locales"));
    app.audit(CUSTOMER, "acme").await;
    app.audit(CUSTOMER, "acme").await;
    assert_equal(&app, &account, CUSTOMER).await;
}

/// A translation that only its own list shows must not take the place of the others.
#[tokio::test(flavor = "multi_thread")]
async fn languages_of_several_lists_are_united_also_without_the_sideload() {
    let app = TestApp::embedded().await;
    let account = account(&app, 404);
    let fault = Fault::NoSideload { member: "translations".to_owned() };
    account.inject(FaultRule::always(fault).on("articles"));
    app.connect(CUSTOMER, "acme").await;
    assert_equal(&app, &account, CUSTOMER).await;
    for id in account.article_ids().into_iter().take(20) {
        account.apply(Change::Edit { id, title: Some(format!("Edited {id}")), body: None }).unwrap();
    }
    app.sync(CUSTOMER, "acme").await;
    assert_equal(&app, &account, CUSTOMER).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lists_by_locale_leave_out_stays_or_is_told() {
    let app = TestApp::embedded().await;
    let account = account(&app, 404);
    app.connect(CUSTOMER, "acme").await;
    let before = ours(&app, CUSTOMER).await;
    let some: Vec<i64> = before.keys().copied().take(3).collect();
    let omit = |ids: &[i64]| {
        account.inject(FaultRule::always(Fault::OmitArticles { ids: ids.to_vec() }).on("/articles"));
    };
    omit(&some);
    assert_eq!(app.audit(CUSTOMER, "acme").await.state, RunState::Done);
    assert_eq!(ours(&app, CUSTOMER).await, before);
    account.clear_faults();
    let made = german(&account);
    omit(&[made]);
    let connection = app.connection(CUSTOMER, "acme").await;
    app.post("/helpsync/v1/sync", CUSTOMER, json!({ "customer_id": CUSTOMER })).await;
    let run = app.ended(connection).await;
    assert_ne!((run.state, &run.audit_reason), (RunState::Done, &None), "{run:?}");
    account.clear_faults();
    app.sync(CUSTOMER, "acme").await;
    assert_equal(&app, &account, CUSTOMER).await;
}

/// As many as Zendesk counts came, but some of them twice.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_list_by_locale_repeats_does_not_stand_for_what_it_lacks() {
    let app = TestApp::embedded().await;
    // Nothing of it is new: what changes meanwhile would leave the comparison to the next run.
    let account = app.account("acme", center(260));
    account.update_settings(|settings| {
        settings.grant_as = Role::EndUser;
        settings.locale_required = Some(404);
    });
    let repeat = || FaultRule::always(Fault::RepeatArticles { count: 3 }).on("/en-us/articles");
    let by_cursor = FaultRule { query: Some("page%5Bsize%5D".to_owned()), ..repeat() };
    account.inject(repeat());
    let (status, page) = app.grant(CUSTOMER, "acme").await;
    assert!(status.is_success(), "{page}");
    let connection = app.connection(CUSTOMER, "acme").await;
    let run = app.ended(connection).await;
    assert_eq!(run.state, RunState::Incomplete, "{run:?}");
    let said = run.error.as_deref().unwrap();
    let seen = app.parts().store.sync().known_articles(connection).await.unwrap();
    let showed = format!("counts {} articles and showed {seen};", seen + 6);
    assert!(said.contains(&showed), "{said}");

    // Only by cursor: page numbers bring them.
    account.clear_faults();
    account.inject(by_cursor);
    let run = app.sync(CUSTOMER, "acme").await;
    assert!(run.audit_reason.is_some() || run.counters.created > 0, "{run:?}");
    assert_equal(&app, &account, CUSTOMER).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_help_center_of_one_locale_is_read_as_any_other() {
    let app = TestApp::embedded().await;
    let account = app.sim.create_account(zendesk_sim::AccountOptions {
        subdomain: "acme".to_owned(),
        locales: vec!["de".to_owned()],
        settings: zendesk_sim::Settings { grant_as: Role::EndUser, ..zendesk_sim::Settings::default() },
        clients: vec![crate::app::client()],
        generate: center(230),
    });
    let run = app.connect(CUSTOMER, "acme").await;
    assert_eq!(run.plan, Some(Plan::OffsetPages), "{run:?}");
    // What an answer has shown is not asked for again: the export once before its list and once behind it, a list without
    // a locale beside the export and beside one with.
    let paths: Vec<String> = account.requests().into_iter().map(|seen| seen.path).collect();
    let asked = |end: &str| paths.iter().filter(|path| path.ends_with(end)).count();
    assert_eq!(asked("/incremental/articles"), 2, "{paths:?}");
    assert_eq!(asked("/help_center/articles"), 2, "{paths:?}");
    assert_eq!(asked("/help_center/locales"), 1, "{paths:?}");
    // What changed last, two pages, and the count behind them.
    assert_eq!(asked("/help_center/de/articles"), 4, "{paths:?}");
    assert_equal(&app, &account, CUSTOMER).await;
    account.apply_random(20, 4);
    app.sync(CUSTOMER, "acme").await;
    assert_equal(&app, &account, CUSTOMER).await;
}

/// A help center that refuses the export for a moment has refused no list.
#[tokio::test(flavor = "multi_thread")]
async fn an_agents_lists_are_not_read_by_locale_because_the_export_was_refused() {
    let app = TestApp::embedded().await;
    let account = app.account("acme", center(30));
    app.connect(CUSTOMER, "acme").await;
    account.apply_random(10, 1);
    account.clear_requests();
    let refused = Fault::Status { code: 403, retry_after: None, body: FaultBody::Json };
    account.inject(FaultRule::always(refused).on("/incremental/articles").times(2));
    app.sync(CUSTOMER, "acme").await;
    app.sync(CUSTOMER, "acme").await;
    assert_equal(&app, &account, CUSTOMER).await;
    let by_locale = |seen: &zendesk_sim::SeenRequest| {
        LOCALES.iter().any(|locale| seen.path.contains(&format!("/help_center/{locale}/articles")))
    };
    let paths: Vec<String> = account.requests().into_iter().filter(by_locale).map(|seen| seen.path).collect();
    assert_eq!(paths, [""; 0]);
}
