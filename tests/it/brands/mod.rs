//! Several brands under one connection: found where the grant shows them, kept like the workspace's own help center,
//! selected, gone when they are gone, and one data source for everybody outside.

mod compared;
mod kept;
mod lifetime;
mod selected;

use std::collections::{BTreeMap, BTreeSet};

use helpsync_model::{ConnectionId, EventKind, Lane, RunKind, RunParams, RunState, Trigger};
use helpsync_store::{Event, Run, RunRequest};
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use zendesk_sim::{Account, AccountOptions, BodyProfile, Change, Fault, FaultRule, GenerateOptions, Role};

use crate::app::{Shape, TestApp, real_time, until};
use crate::copy::{Held, assert_same, ours, truth};
use crate::event_subscriptions::made;

const CUSTOMER: &str = "ada";
const SELECTION: &str = "/helpsync/v1/selection";

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
        // A help center in trouble fails its run at once.
        let app = TestApp::start(shape, &[("HELPSYNC_WORKER__SHARD_ATTEMPTS_MAX", "1")], real_time()).await;
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
        parts.store.admin().runs(parts.organization, Some(connection), 200).await.unwrap()
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
        let request = RunRequest {
            connection: self.app.connection(CUSTOMER, "acme").await,
            kind: None,
            trigger: Trigger::Request,
            lane: Lane::OnDemand,
            request_id: "audit".to_owned(),
            upload_id: "audit".to_owned(),
            params: RunParams::audit(),
        };
        let parts = self.app.parts();
        let requested = parts.store.admin().request_run(parts.organization, &request).await.unwrap();
        parts.wake.notify_one();
        // A brand that is gone answers nothing: its own run may go on trying.
        until("the audit to end", async || {
            let run = parts.store.admin().run(parts.organization, requested.run).await.unwrap();
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
            let more = parts.store.webhooks().events(parts.organization, after, 500).await.unwrap();
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
