//! A hostile Zendesk. After each trouble the copy equals the truth; or the error is named while it lasts, nothing is
//! removed, and the copy equals the truth once the trouble is over.

use std::time::Duration;

use futures::future::join_all;
use helpsync_model::{Clock as _, SystemClock};
use serde_json::json;
use zendesk_sim::{
    Account, BodyProfile, Change, Churn, Fault, FaultBody, FaultRule, GenerateOptions, RecentStartRefusal,
    Role,
};

use crate::app::{Shape, TestApp, real_time, until};
use crate::copy::{assert_equal, ours};

const ARTICLES: usize = 180;
/// How far ahead the date of a stop is.
const STOP: Duration = Duration::from_secs(5);
/// Who does not understand the date waits half a minute; less than that on a machine that does much else.
const OBEYED_MAX: Duration = Duration::from_secs(25);

/// What must come of it.
enum Outcome {
    /// The sync ends well, and the copy equals the truth.
    Exact,
    /// The run shows a text that holds this, and nothing is removed.
    Named(&'static str),
}

use Outcome::{Exact, Named};

struct Trouble {
    name: &'static str,
    rules: Vec<FaultRule>,
    outcome: Outcome,
}

fn trouble(name: &'static str, rule: FaultRule, outcome: Outcome) -> Trouble {
    Trouble { name, rules: vec![rule.on("help_center")], outcome }
}

fn status(code: u16, retry_after: Option<&str>, body: FaultBody) -> Fault {
    Fault::Status { code, retry_after: retry_after.map(ToOwned::to_owned), body }
}

fn troubles() -> Vec<Trouble> {
    let always = FaultRule::always;
    let page = |fault| FaultRule::once(fault).after(1);
    vec![
        trouble("a storm of 429", always(status(429, Some("1"), FaultBody::Text)).times(4), Exact),
        trouble("429 with nonsense", always(status(429, Some("soon"), FaultBody::Html)).times(1), Exact),
        trouble("503 with a time", always(status(503, Some("1"), FaultBody::Html)).times(3), Exact),
        trouble(
            "503 until a date that is over",
            always(status(503, Some("Sunday, 06-Nov-94 08:49:37 GMT"), FaultBody::Html)).times(2),
            Exact,
        ),
        trouble("answers with many headers", always(Fault::ManyHeaders { count: 300 }), Exact),
        trouble("503 without", always(status(503, None, FaultBody::Html)).times(2), Exact),
        trouble("a burst of 500", always(status(500, None, FaultBody::Json)).times(2), Exact),
        trouble("502 of a proxy", page(status(502, None, FaultBody::Html)), Exact),
        trouble("truncated json", page(Fault::TruncatedJson), Exact),
        trouble("cut in the body", page(Fault::TruncatedBody { after_bytes: 3_000 }), Exact),
        trouble("reset", page(Fault::Reset), Exact),
        trouble("a slow body", always(Fault::SlowBody { chunk_bytes: 16_384, delay_ms: 5 }), Exact),
        trouble("a late answer", page(Fault::Delay { ms: 700 }), Exact),
        trouble("a page of a proxy, once", page(Fault::HtmlOk), Exact),
        trouble("a page of a proxy, for ever", always(Fault::HtmlOk), Named("html where json was due")),
        trouble("everything twice", always(Fault::DuplicateItems), Exact),
        trouble("403 of a proxy, once", FaultRule::once(status(403, None, FaultBody::Html)), Exact),
        trouble(
            "403 of a proxy, for ever",
            always(status(403, None, FaultBody::Html)),
            Named("not available"),
        ),
        trouble("403 for ever", always(status(403, None, FaultBody::Json)), Named("disabled")),
        trouble(
            "a foreign next page",
            always(Fault::ForeignNextPage { origin: "https://evil.example".to_owned() }),
            Named("evil.example"),
        ),
        trouble(
            "a redirect elsewhere",
            always(Fault::Redirect { location: "https://evil.example/api".to_owned() }),
            Named("evil.example"),
        ),
        trouble(
            "a suspended account",
            always(Fault::Suspended),
            Named("suspended the account: it answers 423"),
        ),
        trouble("a disabled help center", always(Fault::HelpCenterDisabled), Named("disabled")),
        trouble(
            "a help center that is disabled for a moment",
            always(Fault::HelpCenterDisabled).times(2),
            Exact,
        ),
        Trouble {
            name: "an export that is away for a moment",
            rules: vec![FaultRule::once(Fault::HelpCenterDisabled).on("incremental")],
            outcome: Exact,
        },
    ]
}

fn small() -> GenerateOptions {
    GenerateOptions { articles: ARTICLES, body_profile: BodyProfile::Small, ..GenerateOptions::default() }
}

/// A connected account with changes that were not synced yet; several pages for whoever reads.
async fn prepared(app: &TestApp, name: &str, seed: u64) -> Account {
    let account = app.account(name, small());
    account.update_settings(|settings| settings.incremental_page_size = 40);
    app.connect(name, name).await;
    account.apply_random(60, seed);
    account
}

async fn start(app: &TestApp, name: &str) {
    app.post("/helpsync/v1/sync", name, json!({ "customer_id": name })).await;
}

/// The text that the newest run shows of its trouble.
async fn shown(app: &TestApp, name: &str) -> String {
    let parts = app.parts();
    let connection = app.connection(name, name).await;
    let runs = parts.store.admin().runs(parts.organization, Some(connection), 1).await.unwrap();
    let run = &runs[0];
    format!("{} {}", run.error.as_deref().unwrap_or_default(), run.waiting_for.as_deref().unwrap_or_default())
}

async fn play(app: &TestApp, number: usize, trouble: Trouble) {
    let name = format!("case-{number}");
    let account = prepared(app, &name, number as u64).await;
    let before: Vec<i64> = ours(app, &name).await.into_keys().collect();
    for rule in trouble.rules {
        account.inject(rule);
    }
    start(app, &name).await;
    if let Named(text) = trouble.outcome {
        let what = format!("{} to be named in the record with {text:?}", trouble.name);
        until(&what, async || shown(app, &name).await.contains(text).then_some(())).await;
        let now = ours(app, &name).await;
        let lost: Vec<_> = before.iter().filter(|id| !now.contains_key(id)).collect();
        assert!(lost.is_empty(), "{}: {lost:?} were removed", trouble.name);
        account.clear_faults();
        // A run that still tries finds the trouble over; one that gave up is followed by another.
        start(app, &name).await;
        until("the runs to end", async || {
            let connection = app.connection(&name, &name).await;
            let run = app.ended(connection).await;
            let parts = app.parts();
            let newest = parts.store.admin().runs(parts.organization, Some(connection), 1).await.unwrap();
            (newest[0].id == run.id).then_some(())
        })
        .await;
        app.sync(&name, &name).await;
    } else {
        let connection = app.connection(&name, &name).await;
        app.finished(connection).await;
        account.clear_faults();
    }
    println!("{}", trouble.name);
    assert_equal(app, &account, &name).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_trouble_ends_in_an_exact_copy_or_a_named_error() {
    let app = TestApp::start(
        Shape::Embedded,
        &[("HELPSYNC_WORKER__CONCURRENCY", "24"), ("HELPSYNC_ZENDESK__REQUEST_TIMEOUT_SECONDS", "20")],
        real_time(),
    )
    .await;
    let played = troubles().into_iter().enumerate().map(|(number, trouble)| play(&app, number, trouble));
    join_all(played).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_until_a_date_is_obeyed_to_the_second() {
    let app = TestApp::embedded().await;
    let account = prepared(&app, "acme", 3).await;
    let until = std::time::UNIX_EPOCH + Duration::from_millis(SystemClock.now_ms().unsigned_abs()) + STOP;
    let date = httpdate::fmt_http_date(until);
    // The export is asked alone: no other request is on its way then.
    account.inject(FaultRule::once(status(429, Some(&date), FaultBody::Text)).on("incremental"));
    account.clear_requests();
    app.sync("acme", "acme").await;
    let seen: Vec<_> =
        account.requests().into_iter().filter(|request| request.path.contains("help_center")).collect();
    let refused = seen.iter().position(|request| request.status == 429).unwrap();
    let (at, next) = (seen[refused].at_ms, seen[refused + 1].at_ms);
    let waited = Duration::from_millis(u64::try_from(next - at).unwrap());
    // The date has whole seconds, and some time went by before it was sent.
    assert!(waited + Duration::from_secs(2) >= STOP && waited < OBEYED_MAX, "{waited:?}");
    assert_equal(&app, &account, "acme").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn invalid_text_loses_no_article_and_is_put_right_by_the_next_reading() {
    let app = TestApp::embedded().await;
    let account = prepared(&app, "acme", 5).await;
    account.inject(FaultRule::always(Fault::InvalidUtf8).on("help_center"));
    app.sync("acme", "acme").await;
    let ids = |held: std::collections::BTreeMap<i64, _>| held.into_keys().collect::<Vec<_>>();
    assert_eq!(ids(ours(&app, "acme").await), ids(crate::copy::truth(&account)));
    account.clear_faults();
    app.post("/helpsync/v1/sync", "acme", json!({ "customer_id": "acme", "full": true })).await;
    let connection = app.connection("acme", "acme").await;
    app.finished(connection).await;
    assert_equal(&app, &account, "acme").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_help_center_that_changes_while_it_is_read_is_exact_once_it_rests() {
    for role in [Role::Agent, Role::EndUser] {
        let app = TestApp::embedded().await;
        let account = app.account("acme", small());
        account.update_settings(|settings| {
            settings.grant_as = role;
            settings.incremental_page_size = 20;
            // Some hundredth of the articles with every request.
            settings.churn = Some(Churn { every_requests: 1, changes: 2, seed: 3 });
        });
        app.connect("acme", "acme").await;
        app.sync("acme", "acme").await;
        account.update_settings(|settings| settings.churn = None);
        app.sync("acme", "acme").await;
        assert_equal(&app, &account, "acme").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_quirks_of_lists_and_exports_are_survived() {
    let app = TestApp::embedded().await;
    let listed = app.account("listed", small());
    listed.update_settings(|settings| {
        settings.grant_as = Role::EndUser;
        settings.links_next_on_last_page = true;
    });
    app.connect("listed", "listed").await;
    assert_equal(&app, &listed, "listed").await;

    // More than a page of articles within one second, and a refusal of young start times on top.
    let crowded = app.account("crowded", small());
    crowded.update_settings(|settings| {
        settings.incremental_page_size = 25;
        settings.refuse_recent_start = Some(RecentStartRefusal { min_age_seconds: 60, status: 422 });
    });
    app.connect("crowded", "crowded").await;
    app.sim.clock().freeze();
    for number in 0..60 {
        let (title, body) = (format!("At once {number}"), "<p>x</p>".to_owned());
        crowded.apply(Change::Create { section_id: None, title, body, draft: false }).unwrap();
    }
    app.sim.clock().thaw();
    app.sync("crowded", "crowded").await;
    assert_equal(&app, &crowded, "crowded").await;
    app.sync("crowded", "crowded").await;
    assert_equal(&app, &crowded, "crowded").await;
}

/// Exports may never say null, and name a page that was read already.
#[tokio::test(flavor = "multi_thread")]
async fn an_export_that_names_a_page_that_was_read_costs_no_request_a_second() {
    let app = TestApp::embedded().await;
    let account = app.account("acme", small());
    app.connect("ada", "acme").await;
    account.apply_random(10, 1);
    account.clear_requests();
    let read = json!("/acme/api/v2/help_center/incremental/articles?start_time=1");
    let before = Fault::Member { at: "/next_page".to_owned(), every: 1, value: read };
    // A second that was left behind once is stepped over from then on. What begins in the present ends there.
    for (fault, requests_max) in [(before, 12), (Fault::NeverNull, 8)] {
        account.clear_faults();
        account.inject(FaultRule::always(fault).on("/incremental/articles"));
        for round in 0..3 {
            account.clear_requests();
            account.apply_random(10, round);
            app.sync("ada", "acme").await;
            assert_equal(&app, &account, "ada").await;
            let requests = account.requests();
            let asked = requests.iter().filter(|seen| seen.path.contains("/incremental/")).count();
            assert!(asked <= requests_max, "{asked} requests in round {round}: {requests:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_revoked_in_mid_sync_pauses_and_loses_nothing() {
    let app = TestApp::embedded().await;
    let account = prepared(&app, "acme", 9).await;
    let before = ours(&app, "acme").await.len();
    account.inject(FaultRule::once(Fault::RevokeToken).on("help_center").after(1));
    start(&app, "acme").await;
    let connection = app.connection("acme", "acme").await;
    let parts = app.parts();
    let reason = until("the connection to be paused", async || {
        parts.store.admin().connection(parts.organization, connection).await.unwrap().pause_reason
    })
    .await;
    assert!(reason.contains("reconnect the workspace"), "{reason}");
    assert!(ours(&app, "acme").await.len() + 60 >= before);
    app.connect("acme", "acme").await;
    assert_equal(&app, &account, "acme").await;
}
