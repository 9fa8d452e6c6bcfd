//! One file per section. The order here is the order of every listing.

mod api;
mod coordinator;
mod dispatcher;
mod embeddings;
mod log;
mod queue;
mod secrets;
mod store;
mod sync;
mod telemetry;
mod webhooks;
mod worker;
mod zendesk;

pub use api::ApiSettings;
pub use coordinator::CoordinatorSettings;
pub use dispatcher::DispatcherSettings;
pub use embeddings::EmbeddingsSettings;
pub use log::{LogFormat, LogSettings};
pub use queue::QueueSettings;
pub use secrets::SecretsSettings;
pub use store::StoreSettings;
pub use sync::SyncSettings;
pub use telemetry::TelemetrySettings;
pub use webhooks::WebhooksSettings;
pub use worker::WorkerSettings;
pub use zendesk::ZendeskSettings;

use crate::{Problem, layers::Layers, setting::Setting};

/// What the `section!` macro gives every section.
pub(crate) trait Section: Sized {
    const NAME: &'static str;
    const MEANING: &'static str;
    const SETTINGS: &'static [Setting];

    /// Reads every field; faults are noted in `layers`, and then there is no section.
    fn read(layers: &mut Layers) -> Option<Self>;
    /// Every field with its printable value.
    fn shown(&self) -> Vec<(&'static Setting, Option<String>)>;
    /// The rules that hold inside the section.
    fn check(&self) -> Vec<Problem>;
}

/// A section's declaration, its type erased.
pub(crate) struct Heading {
    pub(crate) name: &'static str,
    pub(crate) meaning: &'static str,
    pub(crate) settings: &'static [Setting],
}

impl Heading {
    const fn of<S: Section>() -> Self {
        Self { name: S::NAME, meaning: S::MEANING, settings: S::SETTINGS }
    }
}

pub(crate) static SECTIONS: &[Heading] = &[
    Heading::of::<ApiSettings>(),
    Heading::of::<ZendeskSettings>(),
    Heading::of::<StoreSettings>(),
    Heading::of::<QueueSettings>(),
    Heading::of::<CoordinatorSettings>(),
    Heading::of::<SecretsSettings>(),
    Heading::of::<SyncSettings>(),
    Heading::of::<WorkerSettings>(),
    Heading::of::<DispatcherSettings>(),
    Heading::of::<WebhooksSettings>(),
    Heading::of::<EmbeddingsSettings>(),
    Heading::of::<LogSettings>(),
    Heading::of::<TelemetrySettings>(),
];

/// Every setting of every section.
pub(crate) fn all_settings() -> impl Iterator<Item = &'static Setting> {
    SECTIONS.iter().flat_map(|section| section.settings)
}

/// What a service on another machine without TLS is told.
fn unencrypted(env: &'static str, secured: &str, allow: &str) -> Problem {
    Problem::value(
        env,
        "it names another machine and does not insist on TLS: passwords and texts could be read on the way",
        format!("the same with {secured}, or {allow} to true where the network between is yours alone"),
    )
}
