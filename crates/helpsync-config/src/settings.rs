//! All sections together, and the rules that span them.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    path::{Path, PathBuf},
};

use url::Url;

use crate::{
    ApiSettings, ConfigError, CoordinatorSettings, DispatcherSettings, EmbeddingsSettings, LogSettings,
    Problem, QueueSettings, SecretsSettings, StoreSettings, SyncSettings, TelemetrySettings,
    WebhooksSettings, WorkerSettings, ZendeskSettings, address::is_loopback, layers::Layers,
    reference::toml_value, sections::Section, setting::Setting,
};

/// Where a setting's value came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Nobody set it.
    Default,
    /// The settings file.
    File,
    /// The environment, or a file that the environment names.
    Environment,
}

impl Origin {
    fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::File => "file",
            Self::Environment => "environment",
        }
    }
}

/// Everything that can be set. Fields are public so that tests and the composition root may adjust a loaded value.
#[derive(Debug, Clone)]
#[expect(missing_docs, reason = "each section's type says what it is")]
pub struct Settings {
    pub api: ApiSettings,
    pub zendesk: ZendeskSettings,
    pub store: StoreSettings,
    pub queue: QueueSettings,
    pub coordinator: CoordinatorSettings,
    pub secrets: SecretsSettings,
    pub sync: SyncSettings,
    pub worker: WorkerSettings,
    pub dispatcher: DispatcherSettings,
    pub webhooks: WebhooksSettings,
    pub embeddings: EmbeddingsSettings,
    pub log: LogSettings,
    pub telemetry: TelemetrySettings,
    origins: BTreeMap<String, Origin>,
    files: BTreeMap<String, PathBuf>,
}

impl Settings {
    /// Loads and validates: defaults, then the file at `path` (else at `HELPSYNC_CONFIG` in `env`), then `env`.
    /// Pass `std::env::vars()` as `env`; names outside `HELPSYNC_` are ignored.
    ///
    /// # Errors
    /// [`ConfigError`]; all invalid settings are reported at once.
    pub fn load(
        path: Option<PathBuf>,
        env: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigError> {
        let mut layers = Layers::lay(path, env)?;
        let sections = (
            ApiSettings::read(&mut layers),
            ZendeskSettings::read(&mut layers),
            StoreSettings::read(&mut layers),
            QueueSettings::read(&mut layers),
            CoordinatorSettings::read(&mut layers),
            SecretsSettings::read(&mut layers),
            SyncSettings::read(&mut layers),
            WorkerSettings::read(&mut layers),
            DispatcherSettings::read(&mut layers),
            WebhooksSettings::read(&mut layers),
            EmbeddingsSettings::read(&mut layers),
            LogSettings::read(&mut layers),
            TelemetrySettings::read(&mut layers),
        );
        let mut problems = std::mem::take(&mut layers.problems);
        let (
            Some(api),
            Some(zendesk),
            Some(store),
            Some(queue),
            Some(coordinator),
            Some(secrets),
            Some(sync),
            Some(worker),
            Some(dispatcher),
            Some(webhooks),
            Some(embeddings),
            Some(log),
            Some(telemetry),
        ) = sections
        else {
            return Err(ConfigError::Invalid(problems));
        };
        let (origins, files) = layers.into_origins();
        let settings = Self {
            api,
            zendesk,
            store,
            queue,
            coordinator,
            secrets,
            sync,
            worker,
            dispatcher,
            webhooks,
            embeddings,
            log,
            telemetry,
            origins,
            files,
        };
        problems.extend(settings.check());
        if problems.is_empty() { Ok(settings) } else { Err(ConfigError::Invalid(problems)) }
    }

    /// Validates again, for callers that changed a field: bounds of single numbers are checked by `load` alone.
    #[must_use]
    pub fn check(&self) -> Vec<Problem> {
        let mut problems: Vec<Problem> =
            self.sections().into_iter().flat_map(|section| section.check).collect();
        if self.store.is_postgres() && self.secrets.keys.is_none() {
            problems.push(Problem::value(
                "HELPSYNC_SECRETS__KEYS",
                "it is required with a Postgres store, because every process must open the same sealed tokens",
                "id:key, the key being 32 random bytes in base64 (openssl rand -base64 32)",
            ));
        }
        if self.queue.url.is_some() && self.coordinator.url.is_none() {
            problems.push(Problem::value(
                "HELPSYNC_COORDINATOR__URL",
                "it is required with a broker, because workers share each account's request budget there",
                "redis://host:6379",
            ));
        }
        problems
    }

    /// What is allowed and yet deserves a line in the log at start; whole sentences without secrets.
    #[must_use]
    pub fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if self.public_url().scheme() == "http" && !is_loopback(&self.public_url()) {
            warnings.push(
                "api.public_url is plain http: grants and presigned URLs can be read on the way, and Zendesk accepts \
                 no such redirect URL"
                    .to_owned(),
            );
        }
        if self.queue.url.is_some() && !self.store.is_postgres() {
            warnings.push(
                "queue.url is set while store.url is SQLite: workers on other machines cannot see this store"
                    .to_owned(),
            );
        }
        if let (Some(url), Some(_)) = (&self.embeddings.url, &self.embeddings.key)
            && url.scheme() == "http"
            && !is_loopback(url)
        {
            warnings.push(
                "embeddings.url is plain http: its key and the texts can be read on the way".to_owned(),
            );
        }
        warnings
    }

    /// The base of redirect and presigned URLs: `api.public_url`, else `http://` and `api.listen`.
    #[must_use]
    pub fn public_url(&self) -> Url {
        self.api.base()
    }

    /// The file that a secret was read from, by its dotted name; `None`: it was given otherwise, or not at all.
    #[must_use]
    pub fn file_of(&self, key: &str) -> Option<&Path> {
        self.files.get(key).map(PathBuf::as_path)
    }

    /// Where a setting came from, by its dotted name.
    #[must_use]
    pub fn origin(&self, key: &str) -> Origin {
        self.origins.get(key).copied().unwrap_or(Origin::Default)
    }

    /// The settings in force, each by its dotted name with its value (secrets as `***`, `None` = not set) and where that came
    /// from: `default`, `file` or `environment`.
    #[must_use]
    pub fn values(&self) -> Vec<(String, Option<String>, &'static str)> {
        let shown = self.sections().into_iter().flat_map(|section| section.shown);
        shown
            .map(|(setting, value)| {
                let key = setting.key();
                let origin = self.origin(&key).as_str();
                (key, value, origin)
            })
            .collect()
    }

    /// The settings in force as TOML, secrets as `***`, each line saying where the value came from. Settings that
    /// are absent stand as comments.
    #[must_use]
    pub fn redacted(&self) -> String {
        let mut out = String::new();
        for section in self.sections() {
            if !out.is_empty() {
                out.push('\n');
            }
            writeln!(out, "[{}]", section.name).expect("writing to a string");
            for (setting, value) in section.shown {
                let origin = self.origin(&setting.key()).as_str();
                match value {
                    Some(text) => {
                        writeln!(out, "{} = {} # {origin}", setting.leaf(), toml_value(setting, &text))
                    }
                    None => writeln!(out, "# {} is not set", setting.leaf()),
                }
                .expect("writing to a string");
            }
        }
        out
    }

    fn sections(&self) -> [Shown; 13] {
        [
            Shown::of(&self.api),
            Shown::of(&self.zendesk),
            Shown::of(&self.store),
            Shown::of(&self.queue),
            Shown::of(&self.coordinator),
            Shown::of(&self.secrets),
            Shown::of(&self.sync),
            Shown::of(&self.worker),
            Shown::of(&self.dispatcher),
            Shown::of(&self.webhooks),
            Shown::of(&self.embeddings),
            Shown::of(&self.log),
            Shown::of(&self.telemetry),
        ]
    }
}

/// One section's values and faults, its type erased.
struct Shown {
    name: &'static str,
    shown: Vec<(&'static Setting, Option<String>)>,
    check: Vec<Problem>,
}

impl Shown {
    fn of<S: Section>(section: &S) -> Self {
        Self { name: S::NAME, shown: section.shown(), check: section.check() }
    }
}
