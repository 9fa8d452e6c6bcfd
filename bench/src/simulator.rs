//! The simulated help center, in a process of its own: its processor time is not the product's.

use std::io::Read as _;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use reqwest::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use zendesk_sim::{
    AccountOptions, BodyProfile, GenerateOptions, OauthClient, Role, Settings, Sim, SimOptions, TokenLifetime,
};

use crate::Options;

/// Its one help center.
pub(crate) const SUBDOMAIN: &str = "acme";
/// The OAuth client it knows.
pub(crate) const CLIENT: (&str, &str) = ("helpsync-bench", "bench-secret");
/// Any answer is there by then.
const PATIENCE: Duration = Duration::from_secs(120);
/// No budget stands in the way of what is measured.
const REQUESTS_PER_MINUTE: u32 = 1_000_000;

/// A running one; ends when dropped.
pub(crate) struct Simulator {
    /// As `HELPSYNC_ZENDESK__BASE_URL` wants it.
    pub(crate) template: String,
    /// Lets an administrator read everything.
    pub(crate) token: String,
    _process: Child,
}

impl Simulator {
    /// Starts one with so many published articles.
    pub(crate) async fn start(articles: usize) -> anyhow::Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .args(["--simulate", "--synced", &articles.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let output = process.stdout.take().context("the simulator has no output")?;
        let line = BufReader::new(output).lines().next_line().await?.context("the simulator said nothing")?;
        let said: Value = serde_json::from_str(&line)?;
        let told = |name: &str| said[name].as_str().unwrap_or_default().to_owned();
        Ok(Self { template: told("template"), token: told("token"), _process: process })
    }

    /// An address within the help center.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.template.replace("{subdomain}", SUBDOMAIN))
    }

    /// Uses one of the simulator's own handles on a help center.
    pub(crate) async fn control(
        &self,
        subdomain: &str,
        method: Method,
        what: &str,
        body: &Value,
    ) -> anyhow::Result<Value> {
        self.handle(method, &format!("accounts/{subdomain}/{what}"), body).await
    }

    /// Makes a further help center, with so many published articles, each of them changed at a time of its own.
    pub(crate) async fn more(
        &self,
        subdomain: &str,
        articles: usize,
        body_profile: BodyProfile,
    ) -> anyhow::Result<()> {
        let mut account = account(subdomain, articles);
        (account.generate.largest_burst, account.generate.body_profile) = (1, body_profile);
        let account = serde_json::to_value(account)?;
        self.handle(Method::POST, "accounts", &account).await.map(drop)
    }

    /// Every answer of a help center comes so late.
    pub(crate) async fn answer_late(&self, subdomain: &str, late: Duration) -> anyhow::Result<()> {
        let fault = json!({ "path": "/api/v2/", "fault": { "kind": "delay", "ms": late.as_millis() } });
        self.control(subdomain, Method::POST, "faults", &fault).await.map(drop)
    }

    async fn handle(&self, method: Method, what: &str, body: &Value) -> anyhow::Result<Value> {
        let url = self.template.replace("{subdomain}", &format!("_sim/{what}"));
        let answer = self.client()?.request(method, url).json(body).send().await?;
        let text = answer.error_for_status()?.text().await?;
        Ok(serde_json::from_str(&text).unwrap_or_default())
    }

    /// A client that waits long, and follows no redirect by itself.
    pub(crate) fn client(&self) -> anyhow::Result<reqwest::Client> {
        Ok(reqwest::Client::builder()
            .timeout(PATIENCE)
            .redirect(reqwest::redirect::Policy::none())
            .build()?)
    }
}

/// What the process does: tells where it is, and serves until its input ends.
pub(crate) async fn serve(options: &Options) -> anyhow::Result<()> {
    let sim = Sim::start(SimOptions::default()).await?;
    let account = sim.create_account(account(SUBDOMAIN, options.synced));
    let token = account.issue_tokens(CLIENT.0, Role::Admin, "hc:read").access_token;
    println!("{}", json!({ "template": sim.base_url_template(), "token": token }));
    // It ends when who started it ends.
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    sim.stop().await;
    Ok(())
}

/// A help center that lets our OAuth client in.
fn account(subdomain: &str, articles: usize) -> AccountOptions {
    AccountOptions {
        subdomain: subdomain.to_owned(),
        locales: vec!["en-us".to_owned()],
        settings: Settings { limit_per_minute: REQUESTS_PER_MINUTE, ..Settings::default() },
        clients: vec![OauthClient {
            client_id: CLIENT.0.to_owned(),
            client_secret: Some(CLIENT.1.to_owned()),
            redirect_uris: Vec::new(),
            lifetime: TokenLifetime::Expiring,
        }],
        generate: GenerateOptions {
            articles,
            draft_fraction: 0.0,
            restricted_fraction: 0.0,
            translated_fraction: 0.0,
            ..GenerateOptions::default()
        },
    }
}
