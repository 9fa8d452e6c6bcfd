//! An installation in this process, and a customer who connects.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use helpsync_app::{Parts, Process, Role, Runtime};
use helpsync_config::Settings;
use helpsync_model::{ConnectionId, Entropy as _, OsEntropy, RunState, SystemClock};
use helpsync_queue_rabbitmq::delete_topology;
use helpsync_store::Run;
use reqwest::{Method, Url};
use serde_json::{Value, json};

use crate::simulator::{CLIENT, SUBDOMAIN, Simulator};

const API_KEY: &str = "bench-key-of-enough-length";
pub(crate) const CUSTOMER: &str = "ada";
/// Between two looks at what is waited for.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(10);
/// No run takes longer.
const RUN_PATIENCE: Duration = Duration::from_secs(300);
/// A broker answers by then.
const SERVICE_PATIENCE: Duration = Duration::from_secs(30);

/// What names on the shared broker and Redis begin with, behind which comes what is each installation's own.
const PREFIX: &str = "helpsync-bench";

/// All roles in this process.
pub(crate) struct Installation {
    /// The first has the API.
    processes: Vec<Process>,
    http: reqwest::Client,
}

impl Installation {
    /// Every role at once, over any store; queue and coordinator are in the process.
    pub(crate) async fn start(simulator: &Simulator, store: &str) -> anyhow::Result<Self> {
        Self::of(&[Role::All], simulator, store, Vec::new()).await
    }

    /// A dispatcher and two workers over Postgres, RabbitMQ and Redis.
    pub(crate) async fn services(simulator: &Simulator, store: &str) -> anyhow::Result<Self> {
        let prefix = format!("{PREFIX}-{}", OsEntropy.uuid().simple());
        let extra = vec![
            named("QUEUE__URL", &broker()),
            named("QUEUE__NAME_PREFIX", &prefix),
            named("COORDINATOR__URL", &service("REDIS_URL", "redis://127.0.0.1:6379")),
            named("COORDINATOR__KEY_PREFIX", &prefix),
            named("WORKER__HEALTH_LISTEN", "127.0.0.1:0"),
            named("DISPATCHER__HEALTH_LISTEN", "127.0.0.1:0"),
        ];
        Self::of(&[Role::Dispatcher, Role::Worker, Role::Worker], simulator, store, extra).await
    }

    async fn of(
        roles: &[Role],
        simulator: &Simulator,
        store: &str,
        extra: Vec<(String, String)>,
    ) -> anyhow::Result<Self> {
        let settings = Settings::load(
            None,
            extra.into_iter().chain([
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
            ]),
        )?;
        let runtime = Runtime { clock: Arc::new(SystemClock), entropy: Arc::new(OsEntropy) };
        let mut processes = Vec::new();
        for role in roles {
            let parts = Parts::open(settings.clone(), runtime.clone()).await?;
            if let Some(rabbit) = &parts.rabbit {
                rabbit.ready(SERVICE_PATIENCE).await?;
            }
            processes.push(Process::start(parts, *role).await?);
        }
        Ok(Self { processes, http: simulator.client()? })
    }

    /// What the process with the API works with.
    pub(crate) fn parts(&self) -> anyhow::Result<&Parts> {
        Ok(self.processes.first().context("no process")?.parts())
    }

    /// An address of its API.
    pub(crate) fn url(&self, path: &str) -> anyhow::Result<Url> {
        Ok(self.processes.first().and_then(Process::api_url).context("no API")?.join(path)?)
    }

    /// Follows no redirect by itself.
    pub(crate) fn http(&self) -> &reqwest::Client {
        &self.http
    }

    /// An operator's key.
    pub(crate) fn key(&self) -> &'static str {
        API_KEY
    }

    /// The connection of a customer.
    pub(crate) async fn connection_of(&self, customer: &str) -> anyhow::Result<ConnectionId> {
        let parts = self.parts()?;
        let state = parts.store.admin().customer_state(parts.organization, customer).await?;
        Ok(state.and_then(|state| state.workspace).context("no workspace")?.connection)
    }

    /// The newest run of a customer.
    pub(crate) async fn run_of(&self, customer: &str) -> anyhow::Result<Run> {
        let (parts, connection) = (self.parts()?, self.connection_of(customer).await?);
        let runs = parts.store.admin().runs(parts.organization, Some(connection), 1).await?;
        runs.into_iter().next().context("no run")
    }

    /// Waits until a run that is looked at has ended well.
    pub(crate) async fn until_done(
        &self,
        look: impl AsyncFn() -> anyhow::Result<Option<Run>>,
    ) -> anyhow::Result<Run> {
        let waiting = async {
            loop {
                match look().await? {
                    Some(run) if run.state == RunState::Done => return Ok(run),
                    Some(run) if !run.state.is_active() => {
                        bail!("a run ended as {:?}: {:?}", run.state, run.error)
                    }
                    _ => tokio::time::sleep(LOOK_EVERY).await,
                }
            }
        };
        tokio::time::timeout(RUN_PATIENCE, waiting).await?
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
    pub(crate) async fn connect(&self, options: &Value) -> anyhow::Result<()> {
        self.connect_to(SUBDOMAIN, options).await
    }

    /// [`Installation::connect`] to another help center.
    pub(crate) async fn connect_to(&self, subdomain: &str, options: &Value) -> anyhow::Result<()> {
        self.grant(CUSTOMER, subdomain, options).await?;
        self.ended().await
    }

    /// Grants as a customer, with options of the data source. The first sync begins by itself.
    pub(crate) async fn grant(&self, customer: &str, subdomain: &str, options: &Value) -> anyhow::Result<()> {
        let mut body = json!({ "service": "ZENDESK", "zendesk_subdomain": subdomain });
        for (name, value) in options.as_object().into_iter().flatten() {
            body[name] = value.clone();
        }
        let grant = self.ask(Method::POST, "/integrations/oauth_url", customer, body).await?;
        // Our page sends a program on, and so does Zendesk's.
        let mut back = grant["oauth_url"].as_str().context("no URL")?.to_owned();
        for _ in ["our page", "Zendesk's"] {
            let sent_on = self.http.get(back).send().await?;
            back = sent_on.headers().get("location").context("no consent")?.to_str()?.to_owned();
        }
        self.http.get(back).send().await?.error_for_status()?;
        Ok(())
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
        let parts = self.parts()?;
        let runs = parts.store.admin().runs(parts.organization, None, 1).await?;
        Ok(runs.first().context("no run")?.counters.requests)
    }

    /// Waits for the end of the newest run.
    async fn ended(&self) -> anyhow::Result<()> {
        let parts = self.parts()?;
        let newest = async || {
            let runs = parts.store.admin().runs(parts.organization, None, 1).await?;
            Ok(runs.into_iter().next())
        };
        self.until_done(newest).await.map(drop)
    }

    /// Stops everything, and takes its queues off the broker.
    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        let names = self.parts()?.rabbit.as_ref().map(|rabbit| rabbit.names().clone());
        for process in self.processes.into_iter().rev() {
            process.stop().await;
        }
        if let Some(names) = names {
            delete_topology(&broker(), &names).await?;
        }
        Ok(())
    }
}

/// A setting as an environment variable.
fn named(name: &str, value: &str) -> (String, String) {
    (format!("HELPSYNC_{name}"), value.to_owned())
}

fn broker() -> String {
    service("AMQP_URL", "amqp://guest:guest@127.0.0.1:5672/%2f")
}

/// Where a service of the tests is.
fn service(name: &str, unless_told: &str) -> String {
    std::env::var(format!("HELPSYNC_TEST_{name}")).unwrap_or_else(|_unset| unless_told.to_owned())
}
