//! An organization that has one of everything, for others who must not get at it.

use std::collections::BTreeSet;

use helpsync_model::ConnectionId;
use helpsync_queue::Origin;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use zendesk_sim::Account;

use crate::app::{API_KEY, Shape, TestApp, until};
use crate::audit::calls;
use crate::audited::{given_up, giving_up};
use crate::dashboard::Visitor;
use crate::webhooks_out::Receiver;

/// Both organizations have a customer of this name.
pub(crate) const CUSTOMER: &str = "ada";
const SUBDOMAIN: &str = "planted-subdomain";
const CLIENT: &str = "planted-client";
const KEY_NAME: &str = "planted-key-name";
const TAG: &str = "planted-tag";
const DISPLAY_NAME: &str = "Planted Display Name";
/// Another organization that the owner, who is the operator, may remove.
const EMPTY: &str = "planted-organization";
const MESSAGE: &str = "planted-message";
/// What an answer to anybody else may not hold: of its size it stands in nothing that is made up.
const TEXT_CHARS_MIN: usize = 8;
/// Files whose ids are tried.
const FILES: usize = 4;

/// What the owner has.
pub(crate) struct Planted {
    pub(crate) account: Account,
    /// Ids of everything: numbers of all tables together.
    pub(crate) ids: Vec<i64>,
    /// What names it.
    pub(crate) texts: BTreeSet<String>,
    receiver: Receiver,
    connection: ConnectionId,
    run: i64,
    files: Vec<i64>,
    article: Value,
    webhook: i64,
    delivery: i64,
    letters: Vec<String>,
    key: Value,
    empty: i64,
    endpoint: String,
}

async fn get(app: &TestApp, path: &str) -> Value {
    let (status, answer) = app.call(Method::GET, path, CUSTOMER, None).await;
    assert_eq!(status, StatusCode::OK, "{path}: {answer}");
    answer
}

/// The ids of every event.
async fn events(app: &TestApp) -> BTreeSet<i64> {
    let all = get(app, "/helpsync/v1/events?limit=1000").await;
    all["events"].as_array().unwrap().iter().map(|event| event["id"].as_i64().unwrap()).collect()
}

impl Planted {
    /// An installation whose first organization has one of everything.
    pub(crate) async fn start(shape: Shape) -> (TestApp, Self) {
        let extra = [("HELPSYNC_WEBHOOKS__ALLOW_PRIVATE", "true"), ("HELPSYNC_WEBHOOKS__POLL_MS", "20")];
        let (app, account) = giving_up(shape, &extra, SUBDOMAIN).await;
        let connection = app.connection(CUSTOMER, SUBDOMAIN).await;
        let run = app.sync(CUSTOMER, SUBDOMAIN).await;
        let receiver = Receiver::start(200).await;
        let url = format!("{}/planted-hook", receiver.url);
        let webhook = app.post("/add_webhook", CUSTOMER, json!({ "url": url })).await["id"].as_i64().unwrap();
        let redirect = "https://planted.example.com/integrations/zendesk";
        let credentials = json!({ "client_id": CLIENT, "client_secret": "s", "redirect_uri": redirect });
        let client = json!([{ "data_source_type": "ZENDESK", "credentials": credentials }]);
        app.post("/white_label/create", CUSTOMER, client).await;
        let branding = json!({ "display_name": DISPLAY_NAME });
        app.call(Method::PUT, "/helpsync/v1/branding", CUSTOMER, Some(branding)).await;
        let key = json!({ "name": KEY_NAME, "scope": "admin" });
        let key = app.post("/helpsync/v1/api-keys", CUSTOMER, key).await;
        let empty = app.post("/helpsync/v1/organizations", CUSTOMER, json!({ "name": EMPTY })).await;
        let listed = until("every text to be cut", async || {
            let listed = app.post("/user_files_v2", CUSTOMER, json!({})).await;
            let files = listed["results"].as_array().unwrap().clone();
            let is_cut = |file: &Value| file["file_statistics"]["num_tokens"].as_i64() > Some(0);
            files.iter().all(is_cut).then_some(files)
        })
        .await;
        let tags = json!({ "organization_user_file_id": listed[0]["id"], "tags": { TAG: "x" } });
        app.post("/create_user_file_tags", CUSTOMER, tags).await;
        let mut letters = vec![given_up(&app, &account, SUBDOMAIN).await];
        letters.push(given_up(&app, &account, SUBDOMAIN).await);
        if let Some(rabbit) = &app.parts().rabbit {
            let message = br#"{"schema":"helpsync.request.v9","customer_id":"ada"}"#.to_vec();
            assert!(rabbit.publish_raw(Origin::Requests, MESSAGE, message).await.is_stored());
            letters.push(format!("message-{MESSAGE}"));
        }
        // Those from before the webhook was there never do.
        until("the last event to arrive", async || {
            (receiver.events().last() == events(&app).await.last()).then_some(())
        })
        .await;
        let delivered = format!("/helpsync/v1/webhooks/{webhook}/deliveries");
        let delivery = get(&app, &delivered).await["deliveries"][0]["id"].as_i64().unwrap();
        let mut planted = Self {
            account,
            ids: Vec::new(),
            texts: [SUBDOMAIN, "planted-hook", CLIENT, KEY_NAME, TAG, DISPLAY_NAME, EMPTY, MESSAGE]
                .map(str::to_owned)
                .into(),
            receiver,
            connection,
            run: run.id.0,
            files: listed.iter().map(|file| file["id"].as_i64().unwrap()).collect(),
            article: listed[0]["external_file_id"].clone(),
            webhook,
            delivery,
            letters,
            key,
            empty: empty["id"].as_i64().unwrap(),
            endpoint: String::new(),
        };
        planted.name(run.request_id, &listed);
        (app, planted)
    }

    fn name(&mut self, request: String, files: &[Value]) {
        self.texts.extend([request, self.key["api_key"].as_str().unwrap().to_owned()]);
        for file in files {
            self.texts.insert(file["external_file_id"].as_str().unwrap().to_owned());
            self.texts.insert(file["name"].as_str().unwrap().to_owned());
        }
        self.texts.retain(|text| text.len() >= TEXT_CHARS_MIN);
        let numbers = [self.connection.0, self.run, self.webhook, self.delivery, self.empty, 1, 2, 3];
        let ids: BTreeSet<i64> = numbers
            .into_iter()
            .chain(self.key["id"].as_i64())
            .chain(self.files.iter().take(FILES).copied())
            .collect();
        self.ids = ids.into_iter().collect();
    }

    /// What of the owner's stands in the braces of a path.
    pub(crate) fn objects(&self, path: &str) -> Vec<String> {
        let one = |id: &dyn ToString| vec![id.to_string()];
        let braces = path.split(['{', '}']).nth(1).unwrap_or_default();
        match braces {
            "data_source_id" => one(&self.connection),
            "file_id" => one(&self.files[FILES - 1]),
            "run_id" => one(&self.run),
            "customer_id" => one(&CUSTOMER),
            "lane" => one(&"backfill"),
            "webhook_id" => one(&self.webhook),
            "endpoint" => one(&self.endpoint),
            "id" if path.contains("/webhooks/") => one(&self.webhook),
            "id" if path.contains("/webhook-deliveries/") => one(&self.delivery),
            "id" if path.contains("/api-keys/") => one(&self.key["id"]),
            "id" if path.contains("/organizations/") => one(&self.empty),
            "id" if path.contains("/dead-letters/") => self.letters.clone(),
            _ => panic!("nothing of the owner's is planted for {path}"),
        }
    }

    /// What of the owner's a parameter of the query names, where it names something.
    pub(crate) fn in_query(&self, parameter: &str) -> Option<String> {
        match parameter {
            "customer_id" => Some(CUSTOMER.to_owned()),
            "data_source_id" => Some(self.connection.to_string()),
            "organization" => Some("default".to_owned()),
            _ => None,
        }
    }

    /// Bodies that do what an operation is for.
    pub(crate) fn bodies(&self, operation: &str) -> Vec<Value> {
        let changing = calls(self.connection.0, &self.files, &self.article, self.webhook);
        let others = [
            ("POST /add_webhook", json!({ "url": "https://second.example.com/hook" })),
            ("POST /embeddings", json!({ "query": "article", "k": 3 })),
            ("POST /helpsync/v1/api-keys", json!({ "name": "second", "scope": "read" })),
            ("POST /helpsync/v1/verify", json!({ "customer_id": CUSTOMER })),
            ("POST /integrations/oauth_url", json!({ "service": "ZENDESK", "zendesk_subdomain": SUBDOMAIN })),
            ("POST /list_chunks_and_embeddings", json!({ "filters": {} })),
            (
                "POST /text_chunks",
                json!({ "filters": { "embedding_model": "OPENAI", "user_file_id": self.files[0] } }),
            ),
        ];
        let all = changing.into_iter().map(|(known, _, body)| (known, body)).chain(others);
        all.filter(|(known, _)| *known == operation).map(|(_, body)| body).collect()
    }

    /// All that the owner sees of its own.
    pub(crate) async fn everything(&self, app: &TestApp, session: &Visitor<'_>) -> Vec<Value> {
        let mut seen = Vec::new();
        let chunks = json!({ "filters": {} });
        for (path, body) in [
            ("/user_data_sources", json!({})),
            ("/data_sources", json!({})),
            ("/user_files_v2", json!({ "include_additional_files": true })),
            ("/list_chunks_and_embeddings", chunks),
            ("/list_users", json!({})),
            ("/webhooks", json!({})),
            ("/white_label/list", json!({})),
        ] {
            seen.push(app.post(path, CUSTOMER, body).await);
        }
        for path in [
            "/organization",
            "/whoami",
            "/helpsync/v1/runs",
            "/helpsync/v1/selection",
            "/helpsync/v1/events?limit=1000",
            "/helpsync/v1/api-keys",
            "/helpsync/v1/branding",
            "/helpsync/v1/readers",
            "/helpsync/v1/lanes",
            "/helpsync/v1/organizations",
            "/helpsync/v1/dead-letters",
            "/helpsync/v1/audit?limit=1000",
            "/helpsync/v1/customers/ada/deliveries?limit=1000",
        ] {
            seen.push(get(app, path).await);
        }
        seen.push(get(app, &format!("/helpsync/v1/webhooks/{}/deliveries?limit=1000", self.webhook)).await);
        seen.push(get(app, &format!("/helpsync/v1/runs/{}/shards", self.run)).await);
        for file in &self.files {
            seen.push(get(app, &format!("/helpsync/v1/files/{file}")).await);
            seen.push(get(app, &format!("/helpsync/v1/files/{file}/history")).await);
        }
        // Who is logged in stays so, and the key opens what it opened.
        session.page("").await;
        let by_key =
            app.http.get(app.url("/organization")).bearer_auth(self.key["api_key"].as_str().unwrap());
        seen.push(by_key.send().await.unwrap().error_for_status().unwrap().json().await.unwrap());
        seen.push(json!(self.receiver.received().len()));
        seen.into_iter().map(still).collect()
    }
}

/// What moves by itself, addresses with the time in them among it.
const MOVING: [&str; 4] = ["additional_presigned_urls", "last_used_at", "presigned_url", "updated_at"];

/// The organization that the stranger's credentials are of.
pub(crate) const STRANGER: &str = "other";

fn still(value: Value) -> Value {
    match value {
        Value::Object(object) => {
            let left = object.into_iter().filter(|(name, _)| !MOVING.contains(&name.as_str()));
            Value::Object(left.map(|(name, one)| (name, still(one))).collect())
        }
        // The stranger may change what is its own, which an operator sees.
        Value::Array(list) => list.into_iter().filter(|one| one["name"] != STRANGER).map(still).collect(),
        other => other,
    }
}

/// Who is logged in to the owner's dashboard.
pub(crate) async fn session(app: &TestApp) -> Visitor<'_> {
    Visitor::login(app, API_KEY).await
}
