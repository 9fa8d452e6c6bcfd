//! What pages tell of customers that are paused or disconnected, of what would go, and of what was done.

use helpsync_model::ShardKind;
use helpsync_store::testing::write_text;
use reqwest::header::LOCATION;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use super::Visitor;
use super::browser::dead_letters;
use crate::app::{API_KEY, Shape, TestApp, small};
use crate::copy::{ours, truth};
use crate::webhooks_out;

const CUSTOMER: &str = "ada";
/// More dead deliveries than the API sends again at once.
const DEAD: i64 = 1_200;
/// Above the list of them.
const SKIPPED: &str = "Skipped by the latest runs";

#[tokio::test(flavor = "multi_thread")]
async fn the_page_of_a_disconnected_customer_has_its_runs_and_what_was_changed_of_it() {
    let app = TestApp::embedded().await;
    app.account("acme", small(3));
    app.connect(CUSTOMER, "acme").await;
    let visitor = Visitor::login(&app, API_KEY).await;
    let customer = format!("/customers/{}", visitor.customer(CUSTOMER).await);
    visitor.post(&format!("{customer}/disconnect"), &[("sure", "1")]).await;
    let page = visitor.page(&customer).await;
    for part in ["No workspace is connected", "/runs/1\">Full 1", "/audit?customer=ada"] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(!page.contains("There was no run yet"), "{page}");
    let list = visitor.page("/customers").await;
    assert!(!list.contains("<td>never</td>"), "it was complete before: {list}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_selection_that_removes_files_is_saved_once_a_person_says_that_it_is_meant() {
    let app = TestApp::embedded().await;
    app.account("acme", small(30));
    app.connect(CUSTOMER, "acme").await;
    let visitor = Visitor::login(&app, API_KEY).await;
    let files = ours(&app, CUSTOMER).await.len();
    let path = format!("/customers/{}/selection", visitor.customer(CUSTOMER).await);
    let typed = ("labels", "no-such\nlabel");
    let asked = visitor.post(&path, &[typed]).await;
    assert_eq!(asked.status(), StatusCode::OK, "{:?}", asked.headers());
    let asked = asked.text().await.unwrap();
    assert!(asked.contains(&format!("{files} files")) && asked.contains("name=\"sure\""), "{asked}");
    assert_eq!(ours(&app, CUSTOMER).await.len(), files, "nothing is gone yet");
    // Whoever goes back finds what was typed.
    let back = visitor.post(&path, &[typed, ("back", "1")]).await.text().await.unwrap();
    assert!(back.contains(">no-such\nlabel</textarea>"), "{back}");
    assert_eq!(ours(&app, CUSTOMER).await.len(), files);
    let sure = visitor.post(&path, &[typed, ("sure", "1")]).await;
    assert!(sure.headers()[LOCATION].to_str().unwrap().contains("said=selection."));
    assert!(ours(&app, CUSTOMER).await.is_empty());
    // What removes nothing is saved at once.
    let more = visitor.post(&path, &[]).await;
    assert_eq!(more.status(), StatusCode::SEE_OTHER);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_shows_the_articles_that_its_latest_runs_skipped_and_why() {
    let app = TestApp::embedded().await;
    let account = app.account("acme", small(9));
    let all = truth(&account).len();
    app.post("/update_users", CUSTOMER, json!({ "customer_ids": [CUSTOMER], "max_files": 3 })).await;
    app.connect(CUSTOMER, "acme").await;
    let visitor = Visitor::login(&app, API_KEY).await;
    let customer = format!("/customers/{}", visitor.customer(CUSTOMER).await);
    let page = visitor.page(&customer).await;
    let (_, list) = page.split_once(SKIPPED).expect("a list of what was skipped");
    assert_eq!(list.matches("max_files would be exceeded: it is 3").count(), all - 3, "{list}");
    assert!(list.contains("/runs/1\">Full 1"), "{list}");
    // A run that skips nothing has no part in it.
    app.post("/update_users", CUSTOMER, json!({ "customer_ids": [CUSTOMER], "max_files": -1 })).await;
    app.sync(CUSTOMER, "acme").await;
    let page = visitor.page(&customer).await;
    assert!(page.contains("/runs/2\">"), "{page}");
    let (_, list) = page.split_once(SKIPPED).expect("the run before is still shown");
    assert!(!list.contains("/runs/2\">"), "{list}");
}

#[tokio::test(flavor = "multi_thread")]
async fn work_is_named_as_people_say_it() {
    let app = TestApp::embedded().await;
    app.account("acme", small(3));
    app.connect(CUSTOMER, "acme").await;
    dead_letters(&app).await;
    let visitor = Visitor::login(&app, API_KEY).await;
    let run = app.call(Method::GET, "/helpsync/v1/runs", CUSTOMER, None).await.1["runs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|run| run["id"].to_string())
        .next_back()
        .unwrap();
    let letters = visitor.page("/dead-letters").await;
    assert!(letters.contains(ShardKind::WalkExport.in_words()), "{letters}");
    let run = visitor.page(&format!("/runs/{run}")).await;
    assert!(run.contains(ShardKind::Finalize.in_words()), "{run}");
    for page in [letters, run] {
        for kind in ShardKind::ALL.iter().map(|kind| kind.as_str()).filter(|kind| kind.contains('_')) {
            for raw in [kind.to_owned(), format!(">{}", kind.replace('_', " "))] {
                assert!(!page.contains(&raw), "{raw}: {page}");
            }
        }
        assert!(!page.contains("1 tries") && !page.contains("1 shards"), "{page}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn all_dead_deliveries_are_sent_again_however_many_they_are() {
    let app = webhooks_out::start(Shape::Embedded, &[("HELPSYNC_WEBHOOKS__CONCURRENCY", "1")]).await;
    let receiver = webhooks_out::Receiver::start(200).await;
    let (webhook, _) = webhooks_out::add(&app, &receiver.url).await;
    app.account("acme", small(3));
    app.connect(CUSTOMER, "acme").await;
    webhooks_out::arrived(&app, &receiver).await;
    let store = &app.parts().store;
    for statement in [
        "insert into event (organization_id, customer_id, connection_id, kind, object_type, object_id, created_at, fanned_out)
         with recursive more(n) as (select 1 union all select n + 1 from more where n < cast($1 as integer))
         select event.organization_id, event.customer_id, event.connection_id, event.kind, event.object_type,
           event.object_id, event.created_at, 1
         from more cross join (select * from event order by id limit 1) as event",
        "insert into webhook_delivery (webhook_id, event_id, organization_id, barrier, state, failures, tried, due_at, since, created_at, finished_at)
         select (select max(id) from webhook), event.id, event.organization_id, 0, 'dead', 1, 1, 0, 0, 0, 0
         from event where event.id not in (select event_id from webhook_delivery) and $1 <> ''",
    ] {
        write_text(store, statement, &DEAD.to_string()).await;
    }
    let visitor = Visitor::login(&app, API_KEY).await;
    let sent = visitor.post(&format!("/webhooks/{webhook}?"), &[("dead", "1")]).await;
    let to = sent.headers()[LOCATION].to_str().unwrap().to_owned();
    let dead = format!("/helpsync/v1/webhooks/{webhook}/deliveries?state=dead");
    let left = app.call(Method::GET, &dead, CUSTOMER, None).await.1;
    assert_eq!(left["deliveries"], json!([]), "{to}");
    let page = visitor.get(&to).await.text().await.unwrap();
    assert!(page.contains("1,200 deliveries are sent again"), "{page}");
    let none = visitor.post(&format!("/webhooks/{webhook}?"), &[("dead", "1")]).await;
    let page = visitor.get(none.headers()[LOCATION].to_str().unwrap()).await.text().await.unwrap();
    assert!(page.contains("No delivery is dead"), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_page_leads_to_the_dashboard() {
    let app = TestApp::embedded().await;
    let home = app.http.get(app.url("/")).send().await.unwrap().text().await.unwrap();
    assert!(home.contains("/dashboard\">") && !home.contains("nothing to log in to"), "{home}");
}

/// Every place that shows a run, or what a customer waits for, says that a person has paused it.
pub(crate) async fn says_that_it_waits_for_a_person(app: &TestApp, customer: &str, run: &Value) {
    let place = format!("/helpsync/v1/customers/{}", customer.replace('/', "%2F"));
    for (path, shown) in [
        (format!("/helpsync/v1/runs/{run}"), ""),
        ("/helpsync/v1/runs".to_owned(), "/runs/0"),
        ("/helpsync/v1/status".to_owned(), "/runs/0"),
        ("/helpsync/v1/overview".to_owned(), "/runs/0"),
        (place, "/workspace"),
        ("/helpsync/v1/customers".to_owned(), "/customers/0/workspace"),
    ] {
        let (status, answer) = app.call(Method::GET, &path, customer, None).await;
        assert_eq!(status, StatusCode::OK, "{path}: {answer}");
        let of = answer.pointer(shown).unwrap_or_else(|| panic!("{path}: {answer}"));
        assert_eq!(of["waiting_kind"], "person", "{path}: {of}");
        assert!(of["waiting_for"].as_str().unwrap().contains("a person to resume"), "{path}: {of}");
        assert!(of["waiting_until"].is_null(), "{path}: {of}");
    }
    let visitor = Visitor::login(app, API_KEY).await;
    let number = visitor.customer(&customer.replace('/', "%2F")).await;
    for path in [String::new(), format!("/customers/{number}"), format!("/runs/{run}")] {
        let page = visitor.page(&path).await;
        assert!(page.contains("a person"), "{path}: {page}");
    }
}
