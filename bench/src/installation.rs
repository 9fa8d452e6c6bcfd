//! An installation in this process, and a customer who connects.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use helpsync_app::{Parts, Process, Role, Runtime};
use helpsync_config::Settings;
use helpsync_model::{OsEntropy, RunState, SystemClock};
use reqwest::{Method, Url};
use serde_json::{Value, json};

use crate::simulator::{CLIENT, SUBDOMAIN, Simulator};

const API_KEY: &str = "bench-key-of-enough-length";
const CUSTOMER: &str = "ada";
/// Between two looks at what is waited for.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(10);
/// No run takes longer.
const RUN_PATIENCE: Duration = Duration::from_secs(300);

/// Every role in one process, over any store; queue and coordinator are in the process.
pub(crate) struct Installation {
    process: Process,
    http: reqwest::Client,
}

impl Installation {
    pub(crate) async fn start(simulator: &Simulator, store: &str) -> anyhow::Result<Self> {
        let named = |name: &str, value: &str| (format!("HELPSYNC_{name}"), value.to_owned());
        let settings = Settings::load(
            None,
            [
                named("API__LISTEN", "127.0.0.1:0"),
                named("API__BOOTSTRAP_KEY", API_KEY),
                named("API__REQUESTS_PER_MINUTE_OF_KEY", "1000000"),
                named("API__REQUESTS_PER_MINUTE_OF_ADDRESS", "1000000"),
                named("ZENDESK__BASE_URL", &simulator.template),
                named("ZENDESK__CLIENT_ID", CLIENT.0),
                named("ZENDESK__CLIENT_SECRET", CLIENT.1),
                named("ZENDESK__REQUESTS_PER_MINUTE", "10000"),
                named("SECRETS__KEYS", &format!("k1:{}=", "A".repeat(43))),
                named("STORE__URL", store),
            ],
        )?;
        let runtime = Runtime { clock: Arc::new(SystemClock), entropy: Arc::new(OsEntropy) };
        let process = Process::start(Parts::open(settings, runtime).await?, Role::All).await?;
        Ok(Self { process, http: simulator.client()? })
    }

    /// An address of its API.
    pub(crate) fn url(&self, path: &str) -> anyhow::Result<Url> {
        Ok(self.process.api_url().context("no API")?.join(path)?)
    }

    /// Follows no redirect by itself.
    pub(crate) fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// An operator's key.
    pub(crate) fn key(&self) -> &'static str {
        API_KEY
    }

    /// The newest run of a customer.
    pub(crate) async fn run_of(&self, customer: &str) -> anyhow::Result<i64> {
        let parts = self.process.parts();
        let state = parts.store.admin().customer_state(parts.organization, customer).await?;
        let connection = state.and_then(|state| state.workspace).context("no workspace")?.connection;
        let runs = parts.store.admin().runs(parts.organization, Some(connection), 1).await?;
        Ok(runs.first().context("no run")?.id.0)
    }

    /// Sends a request as the customer.
    async fn post(&self, path: &str, body: Value) -> anyhow::Result<Value> {
        self.ask(Method::POST, path, CUSTOMER, body).await
    }

    /// Sends a request as any customer.
    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        customer: &str,
        body: Value,
    ) -> anyhow::Result<Value> {
        let request = self.http.request(method, self.url(path)?);
        let request = request.bearer_auth(API_KEY).header("customer-id", customer).json(&body);
        let answer = request.send().await?;
        let (status, text) = (answer.status(), answer.text().await?);
        ensure!(status.is_success(), "{path}: {status} {text}");
        Ok(serde_json::from_str(&text)?)
    }

    /// Grants, with options of the data source, and waits for the end of the first sync.
    pub(crate) async fn connect(&self, options: Value) -> anyhow::Result<()> {
        let mut body = json!({ "service": "ZENDESK", "zendesk_subdomain": SUBDOMAIN });
        for (name, value) in options.as_object().into_iter().flatten() {
            body[name] = value.clone();
        }
        let grant = self.post("/integrations/oauth_url", body).await?;
        // Our page sends a program on, and so does Zendesk's.
        let mut back = grant["oauth_url"].as_str().context("no URL")?.to_owned();
        for _ in ["our page", "Zendesk's"] {
            let sent_on = self.http.get(back).send().await?;
            back = sent_on.headers().get("location").context("no consent")?.to_str()?.to_owned();
        }
        self.http.get(back).send().await?.error_for_status()?;
        self.ended().await
    }

    /// Lists everything again, and waits for the end.
    pub(crate) async fn full_sync(&self) -> anyhow::Result<()> {
        self.post("/helpsync/v1/sync", json!({ "customer_id": CUSTOMER, "full": true })).await?;
        self.ended().await
    }

    /// Looks for what has changed, and waits for the end.
    pub(crate) async fn sync(&self) -> anyhow::Result<()> {
        self.post("/helpsync/v1/sync", json!({ "customer_id": CUSTOMER })).await?;
        self.ended().await
    }

    /// Requests to Zendesk of the newest run.
    pub(crate) async fn requests_of_last_run(&self) -> anyhow::Result<i64> {
        let parts = self.process.parts();
        let runs = parts.store.admin().runs(parts.organization, None, 1).await?;
        Ok(runs.first().context("no run")?.counters.requests)
    }

    /// Waits for the end of the newest run.
    async fn ended(&self) -> anyhow::Result<()> {
        let parts = self.process.parts();
        let look = async {
            loop {
                let runs = parts.store.admin().runs(parts.organization, None, 1).await?;
                match runs.first() {
                    Some(run) if run.state == RunState::Done => return Ok(()),
                    Some(run) if !run.state.is_active() => bail!("a run ended as {:?}", run.state),
                    _ => tokio::time::sleep(LOOK_EVERY).await,
                }
            }
        };
        tokio::time::timeout(RUN_PATIENCE, look).await?
    }

    pub(crate) async fn stop(self) {
        self.process.stop().await;
    }
}
