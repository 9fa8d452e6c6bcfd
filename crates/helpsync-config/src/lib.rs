//! The settings of Helpsync.
//!
//! Every setting is declared once, in its section's file under `sections/`: name, type, default, bounds and
//! meaning. Reading, the errors, `docs/settings.md` and `deploy/helpsync.example.toml` all follow from that.
//!
//! Layers, the later wins: the default, a TOML file (the given path, else `HELPSYNC_CONFIG`), the environment
//! (`HELPSYNC_<SECTION>__<KEY>`; an empty variable counts as unset). A secret may also stand in a file named by
//! `HELPSYNC_<SECTION>__<KEY>_FILE`. A name that is not known is refused, with the nearest one that is.
//!
//! Nothing here reads the process's environment: the caller passes it in, so tests run in parallel.

mod address;
mod declare;
mod error;
mod layers;
mod reference;
mod sections;
mod setting;
mod settings;

#[cfg(test)]
mod tests;

pub use address::{BaseUrl, ConnectionUrl};
pub use error::{ConfigError, Problem};
pub use reference::{example, reference};
pub use sections::{
    ApiSettings, CoordinatorSettings, DispatcherSettings, EmbeddingsSettings, LogFormat, LogSettings,
    QueueSettings, SecretsSettings, StoreSettings, SyncSettings, TelemetrySettings, WebhooksSettings,
    WorkerSettings, ZendeskSettings,
};
pub use settings::{Origin, Settings};
