//! The simulator over its socket, as a client meets it.
#![expect(clippy::unwrap_used, reason = "a test ends at its first surprise")]

mod faults;
mod lists;
mod oauth;
mod recorded;
mod webhooks;

use std::time::Duration;

use serde_json::Value;
use zendesk_sim::{
    Account, AccountOptions, GenerateOptions, OauthClient, Role, Sim, SimOptions, TokenLifetime,
};

pub(crate) const CLIENT: &str = "client";
pub(crate) const SECRET: &str = "secret";
const TIMEOUT: Duration = Duration::from_secs(20);

/// A simulator with the account "acme", and a client with an agent's token.
pub(crate) struct Setup {
    pub(crate) sim: Sim,
    pub(crate) account: Account,
    pub(crate) http: reqwest::Client,
    pub(crate) token: String,
}

impl Setup {
    pub(crate) async fn new(generate: GenerateOptions) -> Self {
        let sim = Sim::start(SimOptions::default()).await.unwrap();
        let account = sim.create_account(AccountOptions {
            locales: vec!["en-us".to_owned(), "de".to_owned()],
            clients: vec![OauthClient {
                client_id: CLIENT.to_owned(),
                client_secret: Some(SECRET.to_owned()),
                redirect_uris: Vec::new(),
                lifetime: TokenLifetime::Expiring,
            }],
            generate,
            ..AccountOptions::default()
        });
        let token = account.issue_tokens(CLIENT, Role::Admin, "read write").access_token;
        let http = reqwest::Client::builder()
            .timeout(TIMEOUT)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .unwrap();
        Self { sim, account, http, token }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}/acme{path}", self.sim.address())
    }

    pub(crate) async fn send(&self, path: &str) -> reqwest::Result<reqwest::Response> {
        let url = if path.starts_with("http") { path.to_owned() } else { self.url(path) };
        self.http.get(url).bearer_auth(&self.token).send().await
    }

    pub(crate) async fn get(&self, path: &str) -> (u16, Value) {
        let answer = self.send(path).await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap_or(Value::Null))
    }
}

pub(crate) fn articles(count: usize) -> GenerateOptions {
    GenerateOptions { articles: count, ..GenerateOptions::default() }
}
