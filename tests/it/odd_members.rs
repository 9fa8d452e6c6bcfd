//! Answers that are right but for one member: counts that disagree, translations that are left out, locales that are
//! spelt otherwise, and times to come back that are hard to read.

use std::collections::BTreeMap;

use futures::future::join_all;
use helpsync_model::{Plan, RunState};
use helpsync_store::Run;
use serde_json::{Value, json};
use zendesk_sim::{Account, BodyProfile, Change, Fault, FaultRule, GenerateOptions, Role};

use crate::app::{Shape, TestApp, real_time, small};
use crate::copy::{assert_equal, held_locales, ours};

/// Later than a stop by so much is too late, in ms: others use this machine too.
const LATE_MS: i64 = 20_000;

fn member(at: &str, every: usize, value: Value) -> Fault {
    Fault::Member { at: at.to_owned(), every, value }
}

fn no_member(at: &str, every: usize) -> Fault {
    Fault::NoMember { at: at.to_owned(), every }
}

async fn impatient() -> TestApp {
    TestApp::start(Shape::Embedded, &[("HELPSYNC_WORKER__SHARD_ATTEMPTS_MAX", "2")], real_time()).await
}

async fn ended(app: &TestApp, name: &str) -> Run {
    app.ended(app.connection(name, name).await).await
}

async fn full(app: &TestApp, name: &str) -> Run {
    app.post("/helpsync/v1/sync", name, json!({ "customer_id": name, "full": true })).await;
    ended(app, name).await
}

/// A run under each of these faults, of a first sync and of one after it: it ends as told, loses nothing, and the run
/// after it is exact.
async fn count_is(app: &TestApp, role: Role, number: usize, faults: &[Fault], ends: &[RunState]) {
    let account = |name: &str| {
        let account = app.account(name, small(130));
        account.update_settings(|settings| (settings.grant_as, settings.locale_required) = (role, None));
        account
    };
    let spoil = |account: &Account| {
        for fault in faults {
            account.inject(FaultRule::always(fault.clone()).on("/help_center/articles"));
        }
    };
    let name = format!("first-{role:?}-{number}").to_lowercase().replace("enduser", "user");
    let first = account(&name);
    spoil(&first);
    let (status, page) = app.grant(&name, &name).await;
    assert!(status.is_success(), "{page}");
    let run = ended(app, &name).await;
    assert!(ends.contains(&run.state), "{faults:?} {role:?}: {run:?}");
    assert_eq!(ours(app, &name).await.len(), 130, "{faults:?} {role:?}: what is listed is stored: {run:?}");
    first.clear_faults();
    app.sync(&name, &name).await;
    assert_equal(app, &first, &name).await;

    let before = ours(app, &name).await;
    spoil(&first);
    for run in [app.audit(&name, &name).await, full(app, &name).await] {
        assert!(ends.contains(&run.state), "{faults:?} {role:?}: {run:?}");
        assert_eq!(ours(app, &name).await, before, "{faults:?} {role:?}: {run:?}");
    }
    first.clear_faults();
    let ids = first.article_ids();
    first.apply(Change::Delete { id: ids[7] }).unwrap();
    app.sync(&name, &name).await;
    assert_equal(app, &first, &name).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn counts_that_disagree_lose_nothing_and_are_told_where_they_say_more() {
    use RunState::{Done, Failed, Incomplete};
    let app = impatient().await;
    let count = |value: Value| vec![member("/count", 1, value)];
    let cases: Vec<(Vec<Fault>, &[RunState])> = vec![
        (count(json!(0)), &[Done]),
        (count(json!(5)), &[Done]),
        (count(json!("130")), &[Done]),
        (count(json!(130.0)), &[Done]),
        (count(json!(131)), &[Incomplete]),
        (count(json!(90_000)), &[Incomplete]),
        (count(json!(-1)), &[Done]),
        (count(Value::Null), &[Done]),
        (vec![no_member("/count", 1)], &[Done]),
        // Nothing says how many there are: what is read is kept, and the run says what it lacks.
        (vec![no_member("/count,/page_count", 1)], &[Failed]),
    ];
    let mut played = Vec::new();
    for (number, (faults, ends)) in cases.iter().enumerate() {
        for role in [Role::Agent, Role::EndUser] {
            played.push(count_is(&app, role, number, faults, ends));
        }
    }
    join_all(played).await;
}

/// So many articles, each in three languages.
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

async fn languages_are_left_out(app: &TestApp, role: Role, number: usize, fault: &Fault) {
    let name = format!("lang-{number}-{}", if role == Role::Agent { "agent" } else { "user" });
    let account = app.account(&name, translated(45));
    account.update_settings(|settings| settings.grant_as = role);
    app.connect(&name, &name).await;
    let before = held_locales(app, &name).await;
    account.inject(FaultRule::always(fault.clone()).on("articles"));
    for id in account.article_ids() {
        account.apply(Change::Edit { id, title: Some(format!("Edited {id}")), body: None }).unwrap();
    }
    app.sync(&name, &name).await;
    assert_eq!(held_locales(app, &name).await, before, "{fault:?} {role:?}");
    assert_equal(app, &account, &name).await;
    for run in [full(app, &name).await, app.audit(&name, &name).await] {
        assert_eq!(run.state, RunState::Done, "{fault:?} {role:?}: {run:?}");
        assert_equal(app, &account, &name).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn translations_that_some_articles_of_a_page_lack_are_asked_for() {
    let app = TestApp::embedded().await;
    let (all, bodies) = ("/articles/*/translations", "/articles/*/translations/*/body");
    let faults = [
        member(all, 3, Value::Null),
        member(all, 2, json!([])),
        member(all, 2, json!({})),
        no_member(all, 3),
        member(bodies, 2, Value::Null),
        no_member(bodies, 1),
        member("/articles/*/translations/*", 4, Value::Null),
    ];
    let cases = faults.iter().enumerate();
    let each = cases.flat_map(|(number, fault)| {
        [Role::Agent, Role::EndUser].map(|role| languages_are_left_out(&app, role, number, fault))
    });
    join_all(each).await;
}

/// Neither the page nor the article's own list tells them.
#[tokio::test(flavor = "multi_thread")]
async fn an_empty_list_of_translations_is_no_list() {
    let app = TestApp::embedded().await;
    for (name, told) in [
        ("empty", json!([])),
        ("bare", json!(["en-us", "de", "fr"].map(|locale| json!({ "locale": locale, "draft": false })))),
    ] {
        let account = app.account(name, translated(12));
        app.connect(name, name).await;
        let before = held_locales(&app, name).await;
        account.inject(FaultRule::always(member("/translations", 1, told)).on("/translations"));
        account.inject(
            FaultRule::always(member("/articles/*/translations,/article/translations", 1, json!([])))
                .on("articles"),
        );
        for id in account.article_ids() {
            account.apply(Change::Edit { id, title: Some(format!("Edited {id}")), body: None }).unwrap();
        }
        let run = app.audit(name, name).await;
        assert_eq!(held_locales(&app, name).await, before, "{name}: {run:?}");
        let parts = app.parts();
        let skipped = parts.store.admin().skipped(parts.organization, run.id, 0, 100).await.unwrap();
        assert!(!skipped.is_empty(), "{name}: it is told");
        account.clear_faults();
        app.audit(name, name).await;
        assert_equal(&app, &account, name).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn locales_are_read_once_each_however_they_are_spelt() {
    let app = TestApp::embedded().await;
    let cases = [
        (
            "mixed",
            ["en-us", "de"],
            json!({ "locales": ["EN-us", "de", "en_US", "De"], "default_locale": "en-US" }),
        ),
        ("unlisted", ["en-us", "de"], json!({ "locales": ["de"], "default_locale": "en-us" })),
        ("absent", ["en-us", "de"], json!({ "locales": ["de", "en-us"], "default_locale": "it" })),
        (
            "script",
            ["zh-hans-cn", "de"],
            json!({ "locales": ["de", "zh-Hans-CN"], "default_locale": "zh_hans_cn" }),
        ),
        ("nonsense", ["en-us", "de"], json!({ "locales": ["en-us", null, "", 7, "../x", "de"] })),
        ("none", ["en-us", "de"], json!({ "locales": ["en-us", "de"], "default_locale": null })),
    ];
    for (name, locales, told) in cases {
        let account = app.sim.create_account(zendesk_sim::AccountOptions {
            subdomain: name.to_owned(),
            locales: locales.map(ToOwned::to_owned).to_vec(),
            settings: zendesk_sim::Settings { grant_as: Role::EndUser, ..zendesk_sim::Settings::default() },
            clients: vec![crate::app::client()],
            generate: GenerateOptions { translated_fraction: 0.5, ..translated(90) },
        });
        let body = told.to_string();
        let fault = Fault::Instead { content_type: "application/json".to_owned(), body };
        account.inject(FaultRule::always(fault).on("/locales"));
        let run = app.connect(name, name).await;
        assert_eq!(run.plan, Some(Plan::Locales), "{name}: {run:?}");
        assert_equal(&app, &account, name).await;
        let mut pages: BTreeMap<String, usize> = BTreeMap::new();
        let is_page = |seen: &&zendesk_sim::SeenRequest| {
            seen.status == 200 && seen.path.ends_with("/articles") && seen.query.contains("page%5Bsize%5D")
        };
        for seen in account.requests().iter().filter(is_page) {
            let locale = seen.path.split('/').nth(4).unwrap().to_ascii_lowercase().replace('_', "-");
            *pages.entry(locale).or_default() += 1;
        }
        let read: Vec<(&str, usize)> =
            locales.iter().map(|locale| (*locale, pages.remove(*locale).unwrap_or(0))).collect();
        assert!(pages.is_empty() && read.iter().all(|(_, pages)| *pages == 1), "{name}: {read:?} {pages:?}");
        account.apply_random(15, 7);
        app.sync(name, name).await;
        assert_equal(&app, &account, name).await;
    }
}

/// A stop as it is told, what status comes with it, and how long nobody asks, in ms.
async fn stop_is(app: &TestApp, number: usize, code: Option<u16>, values: &[&str], at_least: i64) {
    let name = format!("stop-{number}");
    let account = app.account(&name, small(30));
    app.connect(&name, &name).await;
    account.apply_random(5, 1);
    let values = values.iter().map(ToString::to_string).collect();
    account.inject(FaultRule::once(Fault::RetryAfter { code, values }).on("incremental"));
    account.clear_requests();
    app.sync(&name, &name).await;
    assert_equal(app, &account, &name).await;
    let seen: Vec<_> =
        account.requests().into_iter().filter(|seen| seen.path.contains("/help_center")).collect();
    let stop = seen.iter().position(|seen| seen.fault.is_some()).unwrap();
    let waited = seen[stop + 1].at_ms - seen[stop].at_ms;
    assert!((at_least..at_least + LATE_MS).contains(&waited), "{code:?} {number}: {waited} ms");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_to_come_back_is_obeyed_in_whatever_form_and_with_whatever_status() {
    let app = TestApp::embedded().await;
    let cases: [(Option<u16>, &[&str], i64); 11] = [
        (Some(429), &["3"], 3_000),
        (Some(429), &["1, 3"], 3_000),
        (Some(503), &["1", "3"], 3_000),
        (Some(503), &["1.2"], 2_000),
        (None, &["3"], 3_000),
        (None, &[""], 0),
        (None, &["-7"], 0),
        (Some(503), &["-7"], 0),
        (Some(503), &[""], 0),
        (Some(429), &["Sunday, 06-Nov-94 08:49:37 GMT"], 1_000),
        (Some(503), &["Sun Nov  6 08:49:37 1994, 2"], 2_000),
    ];
    let played = cases.iter().enumerate();
    join_all(played.map(|(number, (code, values, least))| stop_is(&app, number, *code, values, *least)))
        .await;
}
