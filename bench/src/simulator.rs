//! The simulated help center, in a process of its own: its processor time is not the product's.

use std::io::Read as _;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context as _;
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use zendesk_sim::{
    AccountOptions, GenerateOptions, OauthClient, Role, Settings, Sim, SimOptions, TokenLifetime,
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

    /// An address of the simulator's own handles on the help center.
    pub(crate) fn handle(&self, what: &str) -> String {
        self.template.replace("{subdomain}", &format!("_sim/accounts/{SUBDOMAIN}/{what}"))
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
    let account = sim.create_account(AccountOptions {
        subdomain: SUBDOMAIN.to_owned(),
        locales: vec!["en-us".to_owned()],
        settings: Settings { limit_per_minute: REQUESTS_PER_MINUTE, ..Settings::default() },
        clients: vec![OauthClient {
            client_id: CLIENT.0.to_owned(),
            client_secret: Some(CLIENT.1.to_owned()),
            redirect_uris: Vec::new(),
            lifetime: TokenLifetime::Expiring,
        }],
        generate: GenerateOptions {
            articles: options.synced,
            draft_fraction: 0.0,
            restricted_fraction: 0.0,
            translated_fraction: 0.0,
            ..GenerateOptions::default()
        },
    });
    let token = account.issue_tokens(CLIENT.0, Role::Admin, "hc:read").access_token;
    println!("{}", json!({ "template": sim.base_url_template(), "token": token }));
    // It ends when who started it ends.
    tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut Vec::new())).await??;
    sim.stop().await;
    Ok(())
}
