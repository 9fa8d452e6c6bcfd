//! An installation under test, and what a person does with it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use helpsync_app::{Parts, Process, Role, Runtime};
use helpsync_config::Settings;
use helpsync_model::{
    ConnectionId, Entropy as _, KeyScope, Lane, OrganizationId, OsEntropy, RunParams, RunState, SystemClock,
    Trigger,
};
use helpsync_store::testing::TestStore;
use helpsync_store::{AdminStore, ConnectionOrder, ConnectionQuery, NewApiKey, Run, RunRequest};
use reqwest::{Method, StatusCode, redirect};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Handle;
use zendesk_sim::{
    Account, AccountOptions, BodyProfile, GenerateOptions, OauthClient, Sim, SimOptions, TokenLifetime,
};

use crate::log::{Log, Work};

/// Later than any healthy wait ends, on a machine that runs everything else as well.
pub(crate) const LATE: Duration = Duration::from_secs(120);
const LOOK_EVERY: Duration = Duration::from_millis(20);
pub(crate) const API_KEY: &str = "test-key-of-enough-length";
pub(crate) const CLIENT_ID: &str = "helpsync-test";
pub(crate) const CLIENT_SECRET: &str = "test-secret";

/// Makes `secret` a key of the organization that may do everything within it.
pub(crate) async fn make_key(admin: &AdminStore, organization: OrganizationId, secret: &str) {
    let key = NewApiKey {
        name: secret.to_owned(),
        scope: KeyScope::Admin,
        expires_at: None,
        prefix: String::new(),
    };
    admin.create_api_key(organization, &key, &secret.to_owned().into()).await.unwrap().unwrap();
}

/// How an installation is put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// One process, SQLite, everything in memory.
    Embedded,
    /// A dispatcher and two workers over Postgres, RabbitMQ and Redis.
    Services,
}

/// One installation with its simulator.
pub(crate) struct TestApp {
    pub(crate) sim: Sim,
    /// The first has the API.
    pub(crate) processes: Vec<Process>,
    pub(crate) http: reqwest::Client,
    shape: Shape,
    /// Where its queues are, in the shape that has any.
    broker: String,
    log: Log,
    folder: TempDir,
    database: Option<TestStore>,
}

impl TestApp {
    pub(crate) async fn embedded() -> Self {
        Self::start(Shape::Embedded, &[], real_time()).await
    }

    pub(crate) async fn of(shape: Shape) -> Self {
        Self::start(shape, &[], real_time()).await
    }

    /// Starts an installation; `extra` settings win over those of the tests.
    pub(crate) async fn start(shape: Shape, extra: &[(&str, &str)], runtime: Runtime) -> Self {
        let sim = Sim::start(SimOptions::default()).await.unwrap();
        let folder = tempfile::tempdir().unwrap();
        let database = match shape {
            Shape::Embedded => None,
            Shape::Services => Some(helpsync_store::testing::postgres().await),
        };
        let mut env = settings_of(&sim);
        env.extend(match &database {
            None => vec![named("STORE__URL", sqlite_url(folder.path()))],
            Some(database) => services(database.url(), &prefix()),
        });
        for (name, value) in extra {
            env.retain(|(known, _)| known != name);
            env.push(((*name).to_owned(), (*value).to_owned()));
        }
        let settings = Settings::load(None, env).unwrap();
        let broker = settings.queue.url.as_ref().map(|url| url.expose().to_owned()).unwrap_or_default();
        let log = Log::keep(&service("HELPSYNC_TEST_LOG", "off"));
        let roles: &[Role] = match shape {
            Shape::Embedded => &[Role::All],
            Shape::Services => &[Role::Dispatcher, Role::Worker, Role::Worker],
        };
        let mut processes = Vec::new();
        for role in roles {
            let parts = Parts::open(settings.clone(), runtime.clone()).await.unwrap();
            if let Some(rabbit) = &parts.rabbit {
                rabbit.ready(LATE).await.unwrap();
            }
            processes.push(Process::start(parts, *role).await.unwrap());
        }
        let http =
            reqwest::Client::builder().timeout(LATE).redirect(redirect::Policy::none()).build().unwrap();
        Self { sim, processes, http, shape, broker, log, folder, database }
    }

    /// Stops everything in order, and takes the test's queues off the broker. The end of a test does it too; call it
    /// where something is looked at afterwards.
    pub(crate) async fn stop(mut self) {
        self.end().await;
    }

    async fn end(&mut self) {
        let Some(first) = self.processes.first() else { return };
        let names = first.parts().rabbit.as_ref().map(|rabbit| rabbit.names().clone());
        for process in std::mem::take(&mut self.processes).into_iter().rev() {
            process.stop().await;
        }
        self.sim.stop().await;
        if let (Shape::Services, Some(names)) = (self.shape, names) {
            helpsync_queue_rabbitmq::delete_topology(&self.broker, &names).await.unwrap();
        }
    }

    /// An ERROR line of the log with `text` in it must come before the test ends. Any other one fails it.
    pub(crate) fn expect_error(&self, text: &str) {
        self.log.expect_error(text);
    }

    /// The log lines so far, of INFO and above, that have `text` in them.
    pub(crate) fn logged(&self, text: &str) -> Vec<String> {
        self.log.with(text).into_iter().map(|line| format!("{} {}", line.level, line.text)).collect()
    }

    /// See [`Log::work`].
    pub(crate) fn work(&self) -> Work {
        self.log.work()
    }

    /// Where its database is.
    pub(crate) fn database_url(&self) -> String {
        match &self.database {
            Some(database) => database.url().to_owned(),
            None => sqlite_url(self.folder.path()),
        }
    }

    pub(crate) fn parts(&self) -> &Parts {
        self.processes[0].parts()
    }

    /// A help center in the simulator that lets the tests' OAuth client in.
    pub(crate) fn account(&self, subdomain: &str, generate: GenerateOptions) -> Account {
        account(&self.sim, subdomain, generate)
    }

    pub(crate) fn url(&self, path: &str) -> url::Url {
        self.processes[0].api_url().unwrap().join(path).unwrap()
    }

    /// Calls the API as a customer; the answer's JSON is null when it is none.
    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        customer: &str,
        body: Option<Value>,
    ) -> (StatusCode, Value) {
        let mut request = self.http.request(method, self.url(path)).bearer_auth(API_KEY);
        request = request.header("customer-id", customer);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        (status, serde_json::from_str(&text).unwrap_or(Value::Null))
    }

    /// POST that must succeed.
    pub(crate) async fn post(&self, path: &str, customer: &str, body: Value) -> Value {
        let (status, answer) = self.call(Method::POST, path, customer, Some(body)).await;
        assert!(status.is_success(), "{path}: {status} {answer}");
        answer
    }

    /// The URL that an administrator opens.
    pub(crate) async fn oauth_url(&self, customer: &str, subdomain: &str) -> String {
        // Also for a workspace that is connected: a grant is wanted, not a sync.
        let body =
            json!({ "service": "ZENDESK", "zendesk_subdomain": subdomain, "connecting_new_account": true });
        self.post("/integrations/oauth_url", customer, body).await["oauth_url"].as_str().unwrap().to_owned()
    }

    /// What a program does up to our callback.
    pub(crate) async fn consent(&self, oauth_url: &str) -> String {
        consent(&self.http, oauth_url).await
    }

    /// The whole grant; the page that the person ends on.
    pub(crate) async fn grant(&self, customer: &str, subdomain: &str) -> (StatusCode, String) {
        let callback = self.consent(&self.oauth_url(customer, subdomain).await).await;
        let answer = self.http.get(callback).send().await.unwrap();
        (answer.status(), answer.text().await.unwrap())
    }

    /// Grants, and waits for the first sync.
    pub(crate) async fn connect(&self, customer: &str, subdomain: &str) -> Run {
        let (status, page) = self.grant(customer, subdomain).await;
        assert_eq!(status, StatusCode::OK, "{page}");
        let connection = self.connection(customer, subdomain).await;
        self.finished(connection).await
    }

    pub(crate) async fn connection(&self, customer: &str, subdomain: &str) -> ConnectionId {
        let parts = self.parts();
        let id = parts.store.admin().customer(parts.organization, customer).await.unwrap().id;
        let query = ConnectionQuery {
            organization: parts.organization,
            customer: Some(id),
            ids: None,
            revoked: None,
            starting_id: 0,
            order: ConnectionOrder::CreatedAt,
            descending: false,
            limit: 10,
            offset: 0,
        };
        let (found, _) = parts.store.admin().connections(&query).await.unwrap();
        found.iter().find(|connection| connection.subdomain == subdomain).unwrap().id
    }

    /// Starts a sync by the API and waits for its end.
    pub(crate) async fn sync(&self, customer: &str, subdomain: &str) -> Run {
        self.post("/helpsync/v1/sync", customer, json!({ "customer_id": customer })).await;
        let connection = self.connection(customer, subdomain).await;
        self.finished(connection).await
    }

    /// Waits until the connection's newest run has ended well.
    pub(crate) async fn finished(&self, connection: ConnectionId) -> Run {
        let run = self.ended(connection).await;
        assert_eq!(run.state, RunState::Done, "{run:?}");
        run
    }

    /// Waits until the connection's newest run has ended.
    pub(crate) async fn ended(&self, connection: ConnectionId) -> Run {
        let parts = self.parts();
        until("a run to end", async || {
            let runs = parts.store.admin().runs(parts.organization, Some(connection), 1).await.unwrap();
            runs.into_iter().next().filter(|run| !run.state.is_active())
        })
        .await
    }

    /// Starts a run with parameters of its own and waits for its end.
    pub(crate) async fn run(&self, request: RunRequest) -> Run {
        let parts = self.parts();
        let connection = request.connection;
        parts.store.admin().request_run(parts.organization, &request).await.unwrap();
        parts.wake.notify_one();
        self.ended(connection).await
    }

    /// Lists everything of a customer's workspace again, and waits for the end of that run.
    pub(crate) async fn audit(&self, customer: &str, subdomain: &str) -> Run {
        let connection = self.connection(customer, subdomain).await;
        self.run(RunRequest {
            connection,
            kind: None,
            trigger: Trigger::Request,
            lane: Lane::OnDemand,
            request_id: "r".to_owned(),
            upload_id: "r".to_owned(),
            params: RunParams::audit(),
        })
        .await
    }
}

/// A help center of so many short articles that everybody may read.
pub(crate) fn small(articles: usize) -> GenerateOptions {
    GenerateOptions {
        articles,
        draft_fraction: 0.0,
        restricted_fraction: 0.0,
        body_profile: BodyProfile::Small,
        ..GenerateOptions::default()
    }
}

impl Drop for TestApp {
    /// Also at the end of a test that failed: its queues would stay on the broker.
    fn drop(&mut self) {
        let is_failing = std::thread::panicking();
        let end = tokio::time::timeout(LATE, self.end());
        let ended = tokio::task::block_in_place(|| Handle::current().block_on(end));
        assert!(is_failing || ended.is_ok(), "the installation did not stop within {LATE:?}");
    }
}

/// What a program that follows no redirects by itself does up to our callback: the callback's address with code and state.
/// No browser's client is sent on to Zendesk by our page, and Zendesk sends it back.
pub(crate) async fn consent(http: &reqwest::Client, oauth_url: &str) -> String {
    let mut address = oauth_url.to_owned();
    for _ in ["our page", "Zendesk's"] {
        let answer = http.get(&address).send().await.unwrap();
        assert_eq!(answer.status(), StatusCode::FOUND, "{}", answer.text().await.unwrap());
        address = answer.headers()["location"].to_str().unwrap().to_owned();
    }
    address
}

/// Waits for a condition.
pub(crate) async fn until<T>(what: &str, condition: impl AsyncFn() -> Option<T>) -> T {
    until_within(LATE, what, condition).await
}

/// [`until`], for what may take longer than most.
pub(crate) async fn until_within<T>(
    patience: Duration,
    what: &str,
    condition: impl AsyncFn() -> Option<T>,
) -> T {
    let found = tokio::time::timeout(patience, async {
        loop {
            if let Some(found) = condition().await {
                return found;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    });
    found.await.unwrap_or_else(|_late| panic!("waited {patience:?} for {what}"))
}

pub(crate) fn real_time() -> Runtime {
    Runtime { clock: Arc::new(SystemClock), entropy: Arc::new(OsEntropy) }
}

/// The tests' broker.
pub(crate) fn broker() -> String {
    service("HELPSYNC_TEST_AMQP_URL", "amqp://guest:guest@127.0.0.1:5672/%2f")
}

pub(crate) fn service(name: &str, default: &str) -> String {
    std::env::var(name).unwrap_or_else(|_unset| default.to_owned())
}

/// The settings that every installation of the tests has.
pub(crate) fn settings_of(sim: &Sim) -> Vec<(String, String)> {
    vec![
        named("API__LISTEN", "127.0.0.1:0"),
        named("API__BOOTSTRAP_KEY", API_KEY),
        named("ZENDESK__BASE_URL", sim.base_url_template()),
        named("ZENDESK__CLIENT_ID", CLIENT_ID),
        named("ZENDESK__CLIENT_SECRET", CLIENT_SECRET),
        named("WORKER__HEALTH_LISTEN", "127.0.0.1:0"),
        named("DISPATCHER__HEALTH_LISTEN", "127.0.0.1:0"),
        named("DISPATCHER__TICK_SECONDS", "1"),
        named("ZENDESK__REQUESTS_PER_MINUTE", "10000"),
        // Of processes of their own; the log of this process is read by `log`.
        // What processes say of themselves is in their logs.
        named("LOG__FILTER", service("HELPSYNC_TEST_LOG", "error,helpsync_cli=info")),
    ]
}

/// The settings of an installation on Postgres, RabbitMQ and Redis, with names of its own on the latter two.
pub(crate) fn services(database: &str, prefix: &str) -> Vec<(String, String)> {
    vec![
        named("STORE__URL", database),
        named("STORE__CONNECTIONS_MAX", "4"),
        named("SECRETS__KEYS", format!("k1:{}=", "A".repeat(43))),
        named("QUEUE__URL", broker()),
        named("QUEUE__NAME_PREFIX", prefix),
        named("COORDINATOR__URL", service("HELPSYNC_TEST_REDIS_URL", "redis://127.0.0.1:6379")),
        named("COORDINATOR__KEY_PREFIX", prefix),
    ]
}

/// A setting as an environment variable.
pub(crate) fn named(name: &str, value: impl Into<String>) -> (String, String) {
    (format!("HELPSYNC_{name}"), value.into())
}

pub(crate) fn sqlite_url(folder: &Path) -> String {
    format!("sqlite:{}", folder.join("app.db").display())
}

/// First part of the names on shared services, like no other test's.
pub(crate) fn prefix() -> String {
    format!("helpsync-test-{}", OsEntropy.uuid().simple())
}

/// A help center that lets the tests' OAuth client in.
pub(crate) fn account(sim: &Sim, subdomain: &str, generate: GenerateOptions) -> Account {
    sim.create_account(AccountOptions {
        subdomain: subdomain.to_owned(),
        locales: ["en-us", "de", "fr"].map(ToOwned::to_owned).to_vec(),
        // Budgets have tests of their own; the others are not to wait for them.
        settings: zendesk_sim::Settings { limit_per_minute: 100_000, ..zendesk_sim::Settings::default() },
        clients: vec![client()],
        generate,
    })
}

/// The tests' OAuth client, as a help center knows it.
pub(crate) fn client() -> OauthClient {
    OauthClient {
        client_id: CLIENT_ID.to_owned(),
        client_secret: Some(CLIENT_SECRET.to_owned()),
        redirect_uris: Vec::new(),
        lifetime: TokenLifetime::Expiring,
    }
}
