//! What a run did not see is neither removed nor passed over in silence.

use futures::future::join_all;
use helpsync_model::RunState;
use helpsync_store::Run;
use serde_json::{Value, json};
use zendesk_sim::{Account, Change, Fault, FaultBody, FaultRule, Role};

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
        let app = TestApp::embedded().await;
        let account = app.account("acme", small(2_300));
        app.connect(CUSTOMER, "acme").await;
        let ids = account.article_ids();
        omit(&account, &ids[..omitted]);
        for id in &ids[200..] {
            account.apply(Change::Delete { id: *id }).unwrap();
        }
        let connection = app.connection(CUSTOMER, "acme").await;
        let path = format!("/helpsync/v1/data_sources/{}/allow_removals", connection.0);
        account.clear_requests();
        app.post(&path, CUSTOMER, json!({})).await;
        let run = app.ended(connection).await;
        let held = ours(&app, CUSTOMER).await;
        assert!(ids[..200].iter().all(|id| held.contains_key(id)), "{run:?}");
        if omitted == 0 {
            assert_eq!((run.state, run.counters.removed), (RunState::Done, 2_100), "{run:?}");
            assert!(account.requests().len() < 250, "{}", account.requests().len());
            assert_equal(&app, &account, CUSTOMER).await;
        } else {
            assert!(run.counters.removed > 1_900 && run.counters.held > 0, "{run:?}");
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

/// 41 of 300 articles are deleted, and the count says something else than the list.
async fn removals_under_a_count(app: &TestApp, role: Role, number: usize, count: &Value) {
    let name = format!("count-{number}-{}", if role == Role::Agent { "agent" } else { "user" });
    let account = app.account(&name, small(300));
    account.update_settings(|settings| (settings.grant_as, settings.locale_required) = (role, None));
    app.connect(&name, &name).await;
    let ids = account.article_ids();
    for id in &ids[200..241] {
        account.apply(Change::Delete { id: *id }).unwrap();
    }
    // Three more are shown by no list, and answer when they are asked for.
    omit(&account, &ids[100..103]);
    let wrong = Fault::Member { at: "/count".to_owned(), every: 1, value: count.clone() };
    account.inject(FaultRule::always(wrong).on("/help_center/articles"));
    let run = app.audit(&name, &name).await;
    assert!(matches!(run.state, RunState::Done | RunState::Incomplete), "{count} {role:?}: {run:?}");
    let held = ours(app, &name).await;
    assert!(account.article_ids().iter().all(|id| held.contains_key(id)), "{count} {role:?}: {run:?}");
    account.clear_faults();
    app.audit(&name, &name).await;
    assert_equal(app, &account, &name).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_there_stays_whatever_the_count_says_of_what_went() {
    let app = &TestApp::embedded().await;
    // As before the deletions, as without what lists leave out, too low, nothing, and no number.
    let counts = [json!(300), json!(256), json!(12), json!(0), Value::Null, json!("259"), json!(9_000)];
    join_all(counts.iter().enumerate().flat_map(|(number, count)| {
        [Role::Agent, Role::EndUser].map(|role| removals_under_a_count(app, role, number, count))
    }))
    .await;
}

/// What an article answers that lists lack and that is asked for by its id.
async fn one_answers(app: &TestApp, number: usize, fault: &Fault, stays: bool) {
    let name = format!("one-{number}");
    let account = app.account(&name, small(40));
    app.connect(&name, &name).await;
    let id = account.article_ids()[20];
    omit(&account, &[id]);
    account.inject(FaultRule::always(fault.clone()).on(&format!("/articles/{id}")));
    let run = app.audit(&name, &name).await;
    let held = ours(app, &name).await;
    assert_eq!(held.contains_key(&id), stays, "{fault:?}: {run:?}");
    let right = account.article_ids();
    assert!(held.keys().all(|held| right.contains(held)), "{fault:?}: another came in its place: {run:?}");
    account.clear_faults();
    app.audit(&name, &name).await;
    assert_equal(app, &account, &name).await;
}

/// Only a clear no is a proof.
#[tokio::test(flavor = "multi_thread")]
async fn an_article_that_lists_lack_goes_only_if_it_is_denied_by_name() {
    let extra = [("HELPSYNC_WORKER__SHARD_ATTEMPTS_MAX", "2")];
    let app = &TestApp::start(Shape::Embedded, &extra, real_time()).await;
    let status = |code, body| Fault::Status { code, retry_after: None, body };
    let member = |at: &str, value| Fault::Member { at: at.to_owned(), every: 1, value };
    let instead = |body: &str| {
        let (content_type, body) = ("application/json".to_owned(), body.to_owned());
        Fault::Instead { content_type, body }
    };
    let cases = [
        (status(404, FaultBody::Json), false),
        (status(410, FaultBody::Text), false),
        (status(403, FaultBody::Html), true),
        (status(400, FaultBody::Json), true),
        (status(500, FaultBody::Html), true),
        (Fault::EmptyBody, true),
        (Fault::HtmlOk, true),
        (Fault::TruncatedJson, true),
        (Fault::Reset, true),
        (instead("{}"), true),
        (instead("null"), true),
        (instead(r#"{"article":null}"#), true),
        (instead(r#"{"error":"RecordNotFound"}"#), true),
        (member("/article/id", json!(1)), true),
        (member("/article/id", Value::Null), true),
        (member("/article/draft", Value::Null), true),
        (member("/article/updated_at", json!("soon")), true),
        (Fault::Redirect { location: "https://evil.example/".to_owned() }, true),
    ];
    let each = cases.iter().enumerate();
    join_all(each.map(|(number, (fault, stays))| one_answers(app, number, fault, *stays))).await;
}

/// The list says that there is more and not where, or nothing at all.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_does_not_say_where_it_goes_on_is_no_whole_list() {
    let extra = [("HELPSYNC_WORKER__SHARD_ATTEMPTS_MAX", "2")];
    let app = TestApp::start(Shape::Embedded, &extra, real_time()).await;
    let member = |at: &str, value| Fault::Member { at: at.to_owned(), every: 1, value };
    let without = |at: &str| Fault::NoMember { at: at.to_owned(), every: 1 };
    let cases = [
        without("/meta/after_cursor,/links"),
        without("/meta"),
        member("/meta/has_more", Value::Null),
        member("/meta/has_more", json!("maybe")),
        member("/meta", json!([])),
        member("/meta/after_cursor,/links/next", json!("")),
        member("/meta/after_cursor,/links/next", json!(7)),
    ];
    for (number, fault) in cases.into_iter().enumerate() {
        let name = format!("more-{number}");
        let account = app.account(&name, small(230));
        account.update_settings(|settings| {
            (settings.grant_as, settings.locale_required) = (Role::EndUser, None);
        });
        app.connect(&name, &name).await;
        let ids = account.article_ids();
        account.apply(Change::Delete { id: ids[3] }).unwrap();
        let rule = FaultRule::always(fault.clone()).on("/help_center/articles");
        account.inject(FaultRule { query: Some("page%5Bsize%5D".to_owned()), ..rule });
        app.audit(&name, &name).await;
        let held = ours(&app, &name).await;
        assert!(account.article_ids().iter().all(|id| held.contains_key(id)), "{fault:?}");
        account.clear_faults();
        app.audit(&name, &name).await;
        assert_equal(&app, &account, &name).await;
    }
}
