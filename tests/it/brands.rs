//! Several brands under one connection: found where the grant shows them, kept like the workspace's own help center,
//! chosen, gone when they are gone, and one data source for everybody outside.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use helpsync_model::{ConnectionId, EventKind, Lane, RunKind, RunState, Trigger};
use helpsync_store::{Event, NewRun, Run};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use zendesk_sim::{Account, AccountOptions, BodyProfile, Change, GenerateOptions, Role};

use crate::app::{Shape, TestApp, until};
use crate::copy::{Held, assert_same, ours, truth};
use crate::watches::made;

const CUSTOMER: &str = "ada";
const SELECTION: &str = "/helpsync/v1/selection";
/// From the event to the answer without the article.
const FRESH_WITHIN: Duration = Duration::from_secs(5);

/// An account with two brands.
struct Brands {
    app: TestApp,
    acme: Account,
    two: Account,
}

fn center(articles: usize) -> GenerateOptions {
    GenerateOptions { articles, body_profile: BodyProfile::Small, ..GenerateOptions::default() }
}

fn brand(app: &TestApp, account: &Account, subdomain: &str, articles: usize) -> Account {
    let brand = app.sim.create_brand(
        account,
        AccountOptions {
            subdomain: subdomain.to_owned(),
            locales: ["en-us", "de", "fr"].map(ToOwned::to_owned).to_vec(),
            settings: account.settings(),
            clients: Vec::new(),
            generate: center(articles),
        },
    );
    assert_eq!(brand.subdomain(), subdomain);
    brand
}

impl Brands {
    async fn start(shape: Shape, articles: usize) -> Self {
        let app = TestApp::of(shape).await;
        let acme = app.account("acme", center(40));
        acme.update_settings(|settings| settings.grant_as = Role::Admin);
        let two = brand(&app, &acme, "acme-two", articles);
        Self { app, acme, two }
    }

    async fn connect(&self, scopes: &[&str]) -> ConnectionId {
        self.grant("acme", scopes).await;
        self.quiet("acme").await
    }

    async fn grant(&self, subdomain: &str, scopes: &[&str]) {
        let body = json!({
            "service": "ZENDESK", "zendesk_subdomain": subdomain, "scopes": scopes, "connecting_new_account": true,
        });
        let answer = self.app.post("/integrations/oauth_url", CUSTOMER, body).await;
        let callback = self.app.consent(answer["oauth_url"].as_str().unwrap()).await;
        let answer = self.app.http.get(callback).send().await.unwrap();
        assert!(answer.status().is_success(), "{}", answer.text().await.unwrap());
    }

    /// The newest runs of the connection and its brands, newest first.
    async fn runs(&self, connection: ConnectionId) -> Vec<Run> {
        let parts = self.app.parts();
        parts.store.runs(parts.organization, Some(connection), 200).await.unwrap()
    }

    /// Waits until no run of the connection or of a brand is under way; all of them ended well.
    async fn quiet(&self, subdomain: &str) -> ConnectionId {
        let connection = self.app.connection(CUSTOMER, subdomain).await;
        let runs = until("all runs to end", async || {
            let runs = self.runs(connection).await;
            runs.iter().all(|run| !run.state.is_active()).then_some(runs)
        })
        .await;
        let well = |run: &&Run| !matches!(run.state, RunState::Done | RunState::Cancelled);
        assert_eq!(runs.iter().find(well).map(|run| run.error.clone()), None);
        connection
    }

    async fn sync(&self) {
        self.app.post("/helpsync/v1/sync", CUSTOMER, json!({ "customer_id": CUSTOMER })).await;
        self.quiet("acme").await;
    }

    /// A run that compares everything.
    async fn audit(&self) {
        let wish = NewRun {
            connection: self.app.connection(CUSTOMER, "acme").await,
            kind: None,
            trigger: Trigger::Request,
            lane: Lane::OnDemand,
            request_id: "audit".to_owned(),
            upload_id: "audit".to_owned(),
            params: json!({ "audit": true }),
        };
        let parts = self.app.parts();
        let requested = parts.store.request_run(&wish).await.unwrap();
        parts.wake.notify_one();
        // A brand that is gone answers nothing: its own run may go on trying.
        until("the audit to end", async || {
            let run = parts.store.run(requested.run).await.unwrap();
            (!run.state.is_active()).then_some(())
        })
        .await;
    }

    async fn assert_holds(&self, accounts: &[&Account]) {
        let mut all: BTreeMap<i64, Held> = BTreeMap::new();
        for account in accounts {
            all.append(&mut truth(account));
        }
        assert_same(&all, &ours(&self.app, CUSTOMER).await);
    }

    async fn events(&self) -> Vec<Event> {
        let parts = self.app.parts();
        let mut all: Vec<Event> = Vec::new();
        loop {
            let after = all.last().map_or(0, |event| event.id);
            let more = parts.store.events(parts.organization, after, 500).await.unwrap();
            if more.is_empty() {
                return all;
            }
            all.extend(more);
        }
    }

    async fn select(&self, brands: &[i64]) -> Value {
        let (status, answer) =
            self.app.call(Method::PUT, SELECTION, CUSTOMER, Some(json!({ "brand_ids": brands }))).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        self.quiet("acme").await;
        answer
    }

    fn id(&self, subdomain: &str) -> i64 {
        self.acme.brands().into_iter().find(|brand| brand.subdomain == subdomain).unwrap().id
    }

    async fn data_sources(&self) -> Vec<Value> {
        let answer = self.app.post("/user_data_sources", CUSTOMER, json!({})).await;
        answer["results"].as_array().unwrap().clone()
    }
}

async fn brands_are_kept_and_are_one_data_source(shape: Shape) {
    let brands = Brands::start(shape, 30).await;
    let Brands { app, acme, two } = &brands;
    let closed = brand(app, acme, "acme-closed", 5);
    acme.change_brand("acme-closed", |brand| brand.help_center_state = "disabled".to_owned());
    let connection = brands.connect(&["read"]).await;
    brands.assert_holds(&[acme, two]).await;
    // One request for the brands, within the bound of a full sync.
    let runs = brands.runs(connection).await;
    assert!(runs.len() == 2 && runs.iter().all(|run| run.counters.requests <= 1 + 4), "{runs:?}");
    assert_eq!(closed.requests().len(), 0, "nobody asks a help center that is disabled");

    // One data source, with the files and the tree of both.
    let sources = brands.data_sources().await;
    assert_eq!(sources.len(), 1, "{sources:?}");
    assert_eq!((&sources[0]["id"], &sources[0]["sync_status"]), (&json!(connection.0), &json!("READY")));
    let body = json!({
        "filters": { "organization_user_data_source_id": [connection.0] }, "include_all_children": true,
        "pagination": { "limit": 250, "offset": 0 },
    });
    let files = app.post("/user_files_v2", CUSTOMER, body).await;
    let files = files["results"].as_array().unwrap().clone();
    assert_eq!(files.len(), truth(acme).len() + truth(two).len());
    assert!(files.iter().all(|file| file["organization_user_data_source_id"] == connection.0), "{files:?}");
    let items = json!({ "data_source_id": connection.0, "pagination": { "limit": 250, "offset": 0 } });
    let items = app.post("/integrations/items/list", CUSTOMER, items).await;
    let categories: BTreeSet<i64> =
        [acme, two].iter().flat_map(|account| account.truth()).map(|article| article.category_id).collect();
    let shown: BTreeSet<i64> = items["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|item| item["external_id"].as_str()?.parse().ok())
        .collect();
    assert!(categories.is_subset(&shown), "{categories:?} of {items}");

    // What is announced is announced of the connection that people know, and once.
    let events = brands.events().await;
    assert!(events.iter().all(|event| event.connection == Some(connection)), "{events:?}");
    let of = |kind: EventKind| events.iter().filter(|event| event.kind == kind).collect::<Vec<_>>();
    assert_eq!(of(EventKind::DataSourceReady).len(), 1);
    assert_eq!(of(EventKind::DataSourceReady)[0].object_id, connection.to_string());
    assert_eq!(of(EventKind::AllFilesProcessed).len(), 1);
    assert!(
        of(EventKind::AllFilesProcessed)[0].id
            > events.iter().rfind(|event| event.object_type == "FILE").unwrap().id
    );

    // A delta of both asks for no brands, refreshes the one token once, and brings what changed and went.
    for account in [acme, two] {
        account.apply_random(12, 3);
        account.clear_requests();
    }
    acme.expire_access_tokens();
    brands.sync().await;
    brands.assert_holds(&[acme, two]).await;
    let asked = |account: &Account, what: &str| {
        account.requests().iter().filter(|request| request.path.contains(what)).count()
    };
    assert_eq!(
        (asked(acme, "/brands"), asked(acme, "/oauth/tokens"), asked(two, "/oauth/tokens")),
        (0, 1, 0)
    );
    let runs = brands.runs(connection).await;
    assert!(runs[..2].iter().all(|run| run.kind == RunKind::Delta && run.source == connection), "{runs:?}");
    assert_eq!(runs.iter().filter(|run| run.brand.as_deref() == Some("acme-two")).count(), 2, "{runs:?}");
    for account in [acme, two] {
        account.clear_requests();
    }
    brands.sync().await;
    assert_eq!((acme.requests().len(), two.requests().len()), (2, 2), "nothing changed");
    brands.app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn brands_are_kept_and_are_one_data_source_embedded() {
    brands_are_kept_and_are_one_data_source(Shape::Embedded).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn brands_are_kept_and_are_one_data_source_on_services() {
    brands_are_kept_and_are_one_data_source(Shape::Services).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_scope_the_workspaces_own_help_center_is_kept_and_no_brand_is_asked_for() {
    let brands = Brands::start(Shape::Embedded, 10).await;
    let connection = brands.connect(&["hc:read"]).await;
    brands.assert_holds(&[&brands.acme]).await;
    assert_eq!(brands.two.requests().len(), 0);
    assert!(!brands.acme.requests().iter().any(|request| request.path.contains("brands")));
    let (status, answer) =
        brands.app.call(Method::PUT, SELECTION, CUSTOMER, Some(json!({ "brand_ids": [7] }))).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{answer}");
    assert!(answer.to_string().contains("the scope `read`"), "{answer}");
    assert_eq!(brands.runs(connection).await.len(), 1);
    brands.app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn brands_are_chosen_and_unselecting_removes() {
    let brands = Brands::start(Shape::Embedded, 30).await;
    let Brands { app, acme, two } = &brands;
    brands.connect(&["read"]).await;
    let (_, shown) = app.call(Method::GET, SELECTION, CUSTOMER, None).await;
    let told = |id: i64, subdomain: &str| json!({ "id": id, "name": subdomain, "subdomain": subdomain, "selected": true });
    let (own, other) = (brands.id("acme"), brands.id("acme-two"));
    let all = [told(own, "acme"), told(other, "acme-two")];
    let named: Vec<Value> = shown["brands"].as_array().unwrap().clone();
    assert_eq!(named, all);

    let (status, answer) =
        app.call(Method::PUT, SELECTION, CUSTOMER, Some(json!({ "brand_ids": [other, 7] }))).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{answer}");
    assert!(
        answer.to_string().contains(&format!("no brand 7: the account's brands are {own} (acme)")),
        "{answer}"
    );

    let answer = brands.select(&[own]).await;
    brands.assert_holds(&[acme]).await;
    assert_eq!(answer["removed"].as_u64(), Some(truth(two).len() as u64), "{answer}");
    let deleted = brands.events().await.iter().filter(|event| event.kind == EventKind::FileDeleted).count();
    assert_eq!(deleted, truth(two).len());
    two.clear_requests();
    brands.sync().await;
    assert_eq!(two.requests().len(), 0, "nobody asks for what nobody wants");

    brands.select(&[other]).await;
    brands.assert_holds(&[two]).await;
    acme.apply_random(10, 5);
    two.apply_random(10, 6);
    brands.sync().await;
    brands.assert_holds(&[two]).await;

    brands.select(&[]).await;
    brands.assert_holds(&[acme, two]).await;
    brands.app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_brand_is_found_and_one_that_is_gone_goes() {
    let brands = Brands::start(Shape::Embedded, 150).await;
    let Brands { app, acme, two } = &brands;
    let connection = brands.connect(&["read"]).await;
    let three = brand(app, acme, "acme-three", 20);
    brands.audit().await;
    brands.quiet("acme").await;
    brands.assert_holds(&[acme, two, &three]).await;

    // Zendesk says so.
    acme.change_brand("acme-three", |brand| brand.is_deleted = true);
    brands.audit().await;
    brands.quiet("acme").await;
    brands.assert_holds(&[acme, two]).await;

    // It is not shown any more: many files are a person's to let go.
    let kept = ours(app, CUSTOMER).await;
    app.sim.delete_brand(acme, "acme-two");
    brands.audit().await;
    let held = |run: &Run| run.brand.is_none() && run.counters.held > 0;
    let runs = brands.runs(connection).await;
    assert!(runs.iter().any(held), "{runs:?}");
    assert_same(&kept, &ours(app, CUSTOMER).await);
    let allow = format!("/helpsync/v1/data_sources/{connection}/allow_removals");
    app.post(&allow, CUSTOMER, json!({})).await;
    brands.audit().await;
    until("the brand to be gone", async || {
        (ours(app, CUSTOMER).await.len() == truth(acme).len()).then_some(())
    })
    .await;
    brands.assert_holds(&[acme]).await;
    brands.app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn brands_follow_their_workspace_and_one_of_them_can_be_connected_alone() {
    let brands = Brands::start(Shape::Embedded, 30).await;
    let Brands { app, acme, two } = &brands;
    let connection = brands.connect(&["read"]).await;

    // The grant dies for both, and a reconnect goes on where they were.
    acme.revoke_tokens();
    app.post("/helpsync/v1/sync", CUSTOMER, json!({ "customer_id": CUSTOMER })).await;
    until("the pause", async || {
        (brands.data_sources().await[0]["sync_status"] == "SYNC_ERROR").then_some(())
    })
    .await;
    two.apply_random(10, 3);
    brands.grant("acme", &["read"]).await;
    brands.quiet("acme").await;
    brands.assert_holds(&[acme, two]).await;
    let kinds: Vec<RunKind> = brands.runs(connection).await[..2].iter().map(|run| run.kind).collect();
    assert_eq!(kinds, [RunKind::Delta, RunKind::Delta]);

    // The other brand is no second workspace while this one is connected.
    let body =
        json!({ "service": "ZENDESK", "zendesk_subdomain": "acme-two", "connecting_new_account": true });
    let (status, answer) = app.call(Method::POST, "/integrations/oauth_url", CUSTOMER, Some(body)).await;
    assert_eq!(status, StatusCode::CONFLICT, "{answer}");

    // Connected instead of it, it is the data source, and the other is its brand; and back.
    let (mut connected, mut seen) = (connection, BTreeSet::new());
    for (subdomain, scopes) in [("acme-two", "read"), ("acme", "read")] {
        app.post("/revoke_access_token", CUSTOMER, json!({ "data_source_id": connected.0 })).await;
        assert!(seen.insert(connected.0));
        two.apply_random(10, 4);
        brands.grant(subdomain, &[scopes]).await;
        connected = brands.quiet(subdomain).await;
        let sources = brands.data_sources().await;
        assert_eq!((sources.len(), &sources[0]["id"]), (1, &json!(connected.0)), "{sources:?}");
        brands.assert_holds(&[acme, two]).await;
    }
    assert_eq!(connected, connection);
    brands.app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_holds_over_all_brands_at_once() {
    const MOST: usize = 90;
    let brands = Brands::start(Shape::Services, 100).await;
    let Brands { app, acme, two } = &brands;
    let three = brand(app, acme, "acme-three", 100);
    let body = json!({ "customer_ids": [CUSTOMER], "max_files": MOST });
    app.post("/update_users", CUSTOMER, body).await;
    brands.connect(&["read"]).await;
    assert_eq!(ours(app, CUSTOMER).await.len(), MOST);
    let body = json!({ "customer_ids": [CUSTOMER], "max_files": -1 });
    app.post("/update_users", CUSTOMER, body).await;
    brands.sync().await;
    brands.assert_holds(&[acme, two, &three]).await;
    brands.app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_of_a_brand_is_fetched_from_its_help_center() {
    let brands = Brands::start(Shape::Embedded, 30).await;
    let Brands { app, acme, two } = &brands;
    brands.connect(&["read", "write"]).await;
    made(app, acme).await;
    let id = *truth(two).keys().next().unwrap();
    let began = Instant::now();
    two.apply(Change::Unpublish { id, locale: None }).unwrap();
    until("the article to be gone", async || (!ours(app, CUSTOMER).await.contains_key(&id)).then_some(()))
        .await;
    assert!(began.elapsed() <= FRESH_WITHIN, "{:?}", began.elapsed());
    brands.quiet("acme").await;
    brands.assert_holds(&[acme, two]).await;

    // One of a brand that nobody knows: the next run asks which there are.
    let three = brand(app, acme, "acme-three", 10);
    let id = *truth(&three).keys().next().unwrap();
    three.apply(Change::Unpublish { id, locale: None }).unwrap();
    until("the event to arrive", async || (three.deliveries().first()?.status == 200).then_some(())).await;
    brands.assert_holds(&[acme, two]).await;
    brands.sync().await;
    brands.assert_holds(&[acme, two, &three]).await;
    brands.app.stop().await;
}
