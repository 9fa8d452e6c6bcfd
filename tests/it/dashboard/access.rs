//! Who sees what, who may do what, and what is refused.

use helpsync_model::KeyScope;
use helpsync_store::NewApiKey;
use reqwest::header::{COOKIE, LOCATION, ORIGIN, SET_COOKIE};
use reqwest::{Method, StatusCode};
use serde_json::json;
use zendesk_sim::{FaultRule, GenerateOptions};

use super::browser::dead_letters;
use super::{Visitor, origin, try_login};
use crate::app::{API_KEY, Shape, TestApp, make_key, small};
use crate::pages::status;
use crate::webhooks_out;

const CUSTOMER: &str = "ada";
const READ_KEY: &str = "a-key-that-only-reads";
const OTHER_KEY: &str = "a-key-of-another-organization";
/// Tries that the dashboard lets one address have in a minute.
const LOGINS: usize = 20;

async fn read_key(app: &TestApp) {
    let key = NewApiKey {
        name: "reader".to_owned(),
        scope: KeyScope::Read,
        expires_at: None,
        prefix: String::new(),
    };
    let parts = app.parts();
    let made =
        parts.store.admin().create_api_key(parts.organization, &key, &READ_KEY.to_owned().into()).await;
    made.unwrap().unwrap();
}

async fn a_session_begins_and_ends(shape: Shape) {
    let app = TestApp::of(shape).await;
    let refused = try_login(&app, "no-key-at-all-of-ours").await;
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    assert!(refused.headers().get(SET_COOKIE).is_none());
    let answer = try_login(&app, API_KEY).await;
    let cookie = answer.headers()[SET_COOKIE].to_str().unwrap().to_owned();
    for part in ["HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=43200"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains(API_KEY));
    let (one, two) = (Visitor::login(&app, API_KEY).await, Visitor::login(&app, API_KEY).await);
    assert_ne!(one.cookie, two.cookie);
    let logout = async |visitor: &Visitor<'_>, fields: &[(&str, &str)]| {
        let mut fields = fields.to_vec();
        fields.push(("token", &visitor.token));
        let request = app.http.post(app.url("/dashboard/logout")).header(COOKIE, &visitor.cookie);
        request.header(ORIGIN, origin(&app)).form(&fields).send().await.unwrap().status()
    };
    let is_in = async |visitor: &Visitor<'_>| visitor.get(&visitor.home).await.status() == StatusCode::OK;
    assert_eq!(logout(&one, &[]).await, StatusCode::SEE_OTHER);
    assert!(!is_in(&one).await && is_in(&two).await);
    let three = Visitor::login(&app, API_KEY).await;
    assert_eq!(logout(&three, &[("everywhere", "1")]).await, StatusCode::SEE_OTHER);
    assert!(!is_in(&two).await && !is_in(&three).await);

    read_key(&app).await;
    let reader = Visitor::login(&app, READ_KEY).await;
    let (parts, admin) = (app.parts(), app.parts().store.admin());
    let keys = admin.api_keys(parts.organization, 0, 10).await.unwrap();
    let key = keys.iter().find(|key| key.name == "reader").unwrap();
    assert!(key.last_used_at.is_some(), "its use is noted");
    admin.revoke_api_key(parts.organization, key.id).await.unwrap();
    let answer = reader.get(&format!("{}/customers?state=held", reader.home)).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    let to = answer.headers()[LOCATION].to_str().unwrap();
    assert!(to.starts_with("/dashboard/login?next=%2Fo%2F"), "{to}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_begins_with_a_key_and_ends_by_a_log_out_and_with_the_key() {
    a_session_begins_and_ends(Shape::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_begins_with_a_key_and_ends_by_a_log_out_and_with_the_key_on_services() {
    a_session_begins_and_ends(Shape::Services).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acts_but_a_form_of_the_dashboards_own_page() {
    let app = TestApp::embedded().await;
    app.account("acme", small(3));
    app.connect(CUSTOMER, "acme").await;
    let visitor = Visitor::login(&app, API_KEY).await;
    let customer = visitor.customer(CUSTOMER).await;
    let path = format!("{}/customers/{customer}/act/pause", visitor.home);
    let send = async |origin: Option<&str>, site: Option<&str>, token: &str| {
        let mut request = app.http.post(app.url(&path)).header(COOKIE, &visitor.cookie);
        for (name, value) in [("origin", origin), ("sec-fetch-site", site)] {
            if let Some(value) = value {
                request = request.header(name, value);
            }
        }
        request.form(&[("token", token)]).send().await.unwrap().status()
    };
    let (own, token) = (origin(&app), visitor.token.as_str());
    let other = Visitor::login(&app, API_KEY).await;
    assert_eq!(send(Some(&own), None, "").await, StatusCode::FORBIDDEN);
    assert_eq!(send(Some(&own), None, &other.token).await, StatusCode::FORBIDDEN, "another session's");
    assert_eq!(send(Some("https://evil.example"), None, token).await, StatusCode::FORBIDDEN);
    assert_eq!(send(Some("null"), None, token).await, StatusCode::FORBIDDEN);
    assert_eq!(send(None, None, token).await, StatusCode::FORBIDDEN);
    assert_eq!(send(Some(&own), Some("cross-site"), token).await, StatusCode::FORBIDDEN);
    assert_eq!(send(Some(&own), Some("same-site"), token).await, StatusCode::FORBIDDEN);
    assert_eq!(visitor.get(&path).await.status(), StatusCode::METHOD_NOT_ALLOWED);
    let state = async || app.parts().store.admin().customer_state(app.parts().organization, CUSTOMER).await;
    assert_eq!(state().await.unwrap().unwrap().paused_at, None, "nothing of it paused the customer");
    assert_eq!(send(Some(&own), Some("same-origin"), token).await, StatusCode::SEE_OTHER);
    assert!(state().await.unwrap().unwrap().paused_at.is_some());
    let long = "x".repeat(300 * 1_024);
    let answer = visitor.post(&format!("/customers/{customer}/selection"), &[("labels", &long)]).await;
    assert_eq!(answer.status(), StatusCode::PAYLOAD_TOO_LARGE);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_only_reads_sees_no_button_and_can_press_none() {
    let app = TestApp::embedded().await;
    app.account("acme", small(3));
    app.connect(CUSTOMER, "acme").await;
    read_key(&app).await;
    let reader = Visitor::login(&app, READ_KEY).await;
    let customer = reader.customer(CUSTOMER).await;
    let owner = Visitor::login(&app, API_KEY).await;
    for path in ["", "/selection", "/held"].map(|page| format!("/customers/{customer}{page}")) {
        let count = |page: &str| page.matches("<form method=\"post\"").count();
        let (read, owned) = (reader.page(&path).await, owner.page(&path).await);
        // The one form of every page logs out.
        assert_eq!(count(&read), 1, "{path}");
        assert!(count(&owned) > 1 || path.ends_with("held"), "{path}");
    }
    let disconnect = reader.get(&format!("{}/customers/{customer}/disconnect", reader.home)).await;
    assert_eq!(disconnect.status(), StatusCode::FORBIDDEN);
    assert!(disconnect.text().await.unwrap().contains("takes a key of the scope admin"));
    let act = |action: &str| format!("/customers/{customer}/act/{action}");
    for path in ["pause", "sync", "full", "approve", "refuse", "cancel"].map(act) {
        assert_eq!(reader.post(&path, &[]).await.status(), StatusCode::FORBIDDEN, "{path}");
    }
    let further = [
        (format!("/customers/{customer}/disconnect"), ("sure", "1")),
        (format!("/customers/{customer}/selection"), ("labels", "x")),
        (format!("/customers/{customer}/schedule"), ("switch", "off")),
        (format!("/customers/{customer}/verify"), ("", "")),
        ("/dead-letters".to_owned(), ("do", "discard")),
    ];
    for (path, field) in further {
        let fields = [field, ("id", "shard-1")];
        assert_eq!(reader.post(&path, &fields).await.status(), StatusCode::FORBIDDEN, "{path}");
    }
    let state = app.parts().store.admin().customer_state(app.parts().organization, CUSTOMER).await;
    let state = state.unwrap().unwrap();
    assert!(state.paused_at.is_none() && state.workspace.is_some());
    // Of the installation it sees nothing.
    assert!(!reader.page("").await.contains("data-region=\"processes\""));
    assert!(owner.page("").await.contains("data-region=\"processes\""));
    for place in ["/dashboard/organizations".to_owned(), format!("{}/audit", reader.home)] {
        assert_eq!(reader.get(&place).await.status(), StatusCode::FORBIDDEN, "{place}");
    }
    assert!(!reader.page("").await.contains("/audit\""));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_organization_is_not_there_but_for_an_operator() {
    let app = TestApp::embedded().await;
    app.account("acme", small(3));
    let run = app.connect(CUSTOMER, "acme").await;
    let admin = app.parts().store.admin();
    let other = admin.ensure_organization("other").await.unwrap();
    make_key(admin, other, OTHER_KEY).await;
    admin.customer(other, "eve").await.unwrap();
    let (operator, stranger) = (Visitor::login(&app, API_KEY).await, Visitor::login(&app, OTHER_KEY).await);
    let customer = operator.customer(CUSTOMER).await;
    let files = app.post("/user_files_v2", CUSTOMER, serde_json::json!({})).await;
    let file = files["results"][0]["id"].to_string();
    let run = run.id.0;
    let pages = [
        String::new(),
        "/customers".to_owned(),
        format!("/customers/{customer}"),
        format!("/customers/{customer}/files"),
        format!("/customers/{customer}/live"),
        format!("/runs/{run}"),
        format!("/files/{file}"),
        format!("/files/{file}/html"),
        "/dead-letters".to_owned(),
        "/webhooks".to_owned(),
        "/audit".to_owned(),
        "/palette".to_owned(),
    ];
    for page in &pages {
        // By the owner's address, and by the stranger's own.
        for place in [&operator.home, &stranger.home] {
            let answer = stranger.get(&format!("{place}{page}")).await;
            let (status, own) =
                (answer.status(), place == &stranger.home && !page.contains(|c: char| c.is_ascii_digit()));
            assert_eq!(status, if own { StatusCode::OK } else { StatusCode::NOT_FOUND }, "{place}{page}");
            if !page.ends_with("live") {
                assert!(!answer.text().await.unwrap().contains("acme"), "{place}{page}");
            }
        }
    }
    let answer = stranger.post(&format!("/customers/{customer}/act/pause"), &[]).await;
    assert_eq!(answer.status(), StatusCode::NOT_FOUND);
    let list = operator.get(&format!("{}/customers", stranger.home)).await.text().await.unwrap();
    assert!(list.contains("eve") && !list.contains(">ada<"), "{list}");
    let all = operator.get("/dashboard/organizations").await.text().await.unwrap();
    assert!(all.contains("other") && all.contains("default"), "{all}");
    assert_eq!(operator.get("/dashboard/o/999999").await.status(), StatusCode::NOT_FOUND);
    assert_eq!(operator.get("/dashboard/o/none").await.status(), StatusCode::NOT_FOUND);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_cannot_be_guessed_fast() {
    let app = TestApp::embedded().await;
    for _ in 0..LOGINS {
        assert_eq!(try_login(&app, "a guess").await.status(), StatusCode::UNAUTHORIZED);
    }
    let answer = try_login(&app, API_KEY).await;
    assert_eq!(answer.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(answer.headers().contains_key("retry-after"));
    assert!(answer.headers().get(SET_COOKIE).is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_load_nothing_from_elsewhere_and_a_customers_html_acts_in_nobodys_name() {
    let app = TestApp::embedded().await;
    let account = app.account("acme", small(0));
    let change = zendesk_sim::Change::Create {
        section_id: None,
        title: "</title><script>alert(1)</script>".to_owned(),
        body: "<p>Text <img src=\"https://evil.example/x.png\"></p>".to_owned(),
        draft: false,
    };
    account.apply(change).unwrap();
    app.connect(CUSTOMER, "acme").await;
    let visitor = Visitor::login(&app, API_KEY).await;
    let files = app.post("/user_files_v2", CUSTOMER, serde_json::json!({})).await;
    let file = files["results"][0]["id"].to_string();
    let page = visitor.get(&format!("{}/files/{file}", visitor.home)).await;
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    for part in ["default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"] {
        assert!(policy.contains(part) && !policy.contains("unsafe"), "{policy}");
    }
    assert_eq!(page.headers()["cache-control"], "no-store");
    let text = page.text().await.unwrap();
    assert!(!text.contains("<script>alert") && text.contains("sandbox=\"\""), "{text}");
    let html = visitor.get(&format!("{}/files/{file}/html", visitor.home)).await;
    let policy = html.headers()["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("sandbox; default-src 'none'; img-src data:;"), "{policy}");
    let (asset, _) = text.split("/assets/").nth(2).unwrap().split_once('"').unwrap();
    let asset = app.http.get(app.url(&format!("/dashboard/assets/{asset}"))).send().await.unwrap();
    assert!(asset.headers()["cache-control"].to_str().unwrap().contains("immutable"));
    let none = visitor.get(&format!("{}/nothing/there", visitor.home)).await;
    assert_eq!(none.status(), StatusCode::NOT_FOUND);
    let slash = visitor.get(&format!("{}/", visitor.home)).await;
    assert_eq!(slash.headers()[LOCATION].to_str().unwrap(), visitor.home);
    let login = app.http.get(app.url("/dashboard/login")).send().await.unwrap();
    assert!(!login.text().await.unwrap().contains("name=\"token\""));
}

/// The ids of the boxes of a page, or of its hidden fields.
fn ids_in(page: &str) -> Vec<String> {
    let ids = page.split("name=\"id\" value=\"").skip(1);
    ids.map(|rest| rest.split('"').next().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_discarded_when_a_person_says_so_twice() {
    let app = TestApp::embedded().await;
    dead_letters(&app).await;
    let visitor = Visitor::login(&app, API_KEY).await;
    let chosen = ids_in(&visitor.page("/dead-letters").await);
    assert_eq!(chosen.len(), 2);
    assert_eq!(ids_in(&visitor.page("/dead-letters?customer=bob").await).len(), 1);
    read_key(&app).await;
    let reader = Visitor::login(&app, READ_KEY).await.page("/dead-letters").await;
    assert!(
        ids_in(&reader).is_empty() && reader.contains("bob"),
        "nothing to choose where nothing can be done"
    );
    let discard = async |more: &[(&str, &str)]| {
        let mut fields = vec![("do", "discard")];
        fields.extend(chosen.iter().map(|id| ("id", id.as_str())));
        fields.extend(more);
        visitor.post("/dead-letters", &fields).await
    };
    let asked = discard(&[]).await;
    assert_eq!(asked.status(), StatusCode::OK);
    let page = asked.text().await.unwrap();
    assert!(page.contains("2 dead letters go for good") && page.contains("name=\"sure\""), "{page}");
    assert_eq!(ids_in(&page), chosen);
    assert_eq!(ids_in(&visitor.page("/dead-letters").await), chosen, "nothing is discarded yet");
    assert_eq!(discard(&[("sure", "1")]).await.status(), StatusCode::SEE_OTHER);
    assert!(ids_in(&visitor.page("/dead-letters").await).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_done_in_another_tab_is_said_and_what_was_typed_is_kept() {
    let app = TestApp::embedded().await;
    let account = app.account("acme", small(3));
    app.connect(CUSTOMER, "acme").await;
    let visitor = Visitor::login(&app, API_KEY).await;
    let customer = format!("/customers/{}", visitor.customer(CUSTOMER).await);
    let page = visitor.page(&customer).await;
    assert!(page.contains("data-now=\"connected unpaused\""), "{page}");
    assert!(page.contains("data-while=\"running\" hidden") && page.contains("data-while=\"paused\" hidden"));
    let led = |answer: &reqwest::Response| answer.headers()[LOCATION].to_str().unwrap().to_owned();
    let stopped = visitor.post(&format!("{customer}/act/cancel"), &[]).await;
    assert!(led(&stopped).contains("said=nothing_to_cancel."), "nothing is under way");

    let fields = [("locales", "e n"), ("labels", "one, two\nthree"), ("public", "1")];
    let refused = visitor.post(&format!("{customer}/selection"), &fields).await;
    assert_eq!(refused.status(), StatusCode::UNPROCESSABLE_ENTITY);
    let text = refused.text().await.unwrap();
    for kept in [">e n</textarea>", ">one, two\nthree</textarea>", "value=\"1\" checked", "role=\"alert\""] {
        assert!(text.contains(kept), "{kept}: {text}");
    }

    account.inject(FaultRule::always(status(400)).on("help_center"));
    let compared = visitor.post(&format!("{customer}/verify"), &[]).await.text().await.unwrap();
    assert!(compared.contains("broke off: zendesk rejects the request with 400"), "{compared}");
    assert_eq!(compared.matches("rejects the request").count(), 1, "it is said once: {compared}");
    account.clear_faults();

    let disconnect = format!("{customer}/disconnect");
    let done = visitor.post(&disconnect, &[("sure", "1")]).await;
    assert!(led(&done).contains("said=disconnect."));
    let page = visitor.get(&led(&done)).await.text().await.unwrap();
    assert!(page.contains("The workspace is disconnected."), "{page}");
    let (_, proof) =
        led(&done).rsplit_once('.').map(|(at, proof)| (at.to_owned(), proof.to_owned())).unwrap();
    // What it says holds for the page that it was made for.
    let (_, said) = led(&done).split_once('?').map(|(at, said)| (at.to_owned(), said.to_owned())).unwrap();
    let elsewhere = visitor.page(&format!("{customer}/deliveries?{said}")).await;
    assert!(!elsewhere.contains("note good"), "{elsewhere}");
    for forged in ["disconnect".to_owned(), "disconnect.".to_owned(), format!("sync.{proof}")] {
        let page = visitor.page(&format!("{customer}?said={forged}")).await;
        assert!(!page.contains("note good"), "nobody can have a page say {forged}: {page}");
    }
    let again = visitor.post(&disconnect, &[("sure", "1")]).await;
    assert!(led(&again).contains("said=disconnected_before."));
    let asked = visitor.get(&format!("{}{disconnect}", visitor.home)).await;
    assert!(led(&asked).contains("said=disconnected_before."));
    assert!(visitor.get(&led(&asked)).await.text().await.unwrap().contains("disconnected already"));

    let offers = visitor.page("/palette?search=organiz").await;
    assert!(offers.contains("/dashboard/organizations"), "an operator is offered them: {offers}");
    let login = app.http.get(app.url("/dashboard/login?next=a&next=b")).send().await.unwrap();
    assert_eq!(login.status(), StatusCode::BAD_REQUEST);
    assert!(login.text().await.unwrap().contains("<html"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_sent_again_leads_back_to_the_list_as_it_was_narrowed() {
    let app = webhooks_out::start(Shape::Embedded, &[]).await;
    let receiver = webhooks_out::Receiver::start(200).await;
    let (webhook, _) = webhooks_out::add(&app, &receiver.url).await;
    app.account("acme", small(1));
    app.connect(CUSTOMER, "acme").await;
    webhooks_out::arrived(&app, &receiver).await;
    let visitor = Visitor::login(&app, API_KEY).await;
    let narrowed = format!("/webhooks/{webhook}?state=delivered");
    let posted = format!("action=\"{}{narrowed}\"", visitor.home);
    assert!(visitor.page(&narrowed).await.contains(&posted), "its forms are posted there");
    let sent = visitor.post(&narrowed, &[("dead", "1")]).await;
    let to = sent.headers()[LOCATION].to_str().unwrap();
    assert!(to.contains("?state=delivered&said=nothing_dead."), "{to}");
    assert!(visitor.get(to).await.text().await.unwrap().contains("No delivery is dead"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_sees_of_another_organization_what_that_one_lets_its_readers_see() {
    let app = TestApp::embedded().await;
    let generate = GenerateOptions { articles: 20, restricted_fraction: 0.5, ..small(20) };
    let account = app.account("acme", generate);
    app.connect(CUSTOMER, "acme").await;
    let readers = json!({ "viewer_segments_required": true });
    let (status, _) = app.call(Method::PUT, "/helpsync/v1/readers", CUSTOMER, Some(readers)).await;
    assert_eq!(status, StatusCode::OK);
    let other = app.post("/helpsync/v1/organizations", CUSTOMER, json!({ "name": "other" })).await;
    let open = app.http.put(app.url("/helpsync/v1/readers")).bearer_auth(other["api_key"].as_str().unwrap());
    let open = open.json(&json!({ "viewer_segments_required": false })).send().await.unwrap();
    assert_eq!(open.status(), StatusCode::OK);
    let operator = json!({ "name": "abroad", "scope": "operator", "organization": "other" });
    let operator = app.post("/helpsync/v1/api-keys", CUSTOMER, operator).await;
    let visitor = Visitor::login(&app, operator["api_key"].as_str().unwrap()).await;
    let customer = Visitor::login(&app, API_KEY).await.customer(CUSTOMER).await;
    let home = format!("/dashboard/o/{}", app.parts().organization);
    let page = visitor.get(&format!("{home}/customers/{customer}/files")).await.text().await.unwrap();
    let truth = account.truth();
    let is_shown = |title: &str| page.contains(title);
    let open = truth.iter().filter(|one| one.user_segment_id.is_none());
    assert!(
        open.clone().count() > 0 && open.clone().any(|one| is_shown(&one.translations[0].title)),
        "{page}"
    );
    for restricted in truth.iter().filter(|one| one.user_segment_id.is_some()) {
        assert!(!is_shown(&restricted.translations[0].title), "{restricted:?}");
    }
}
