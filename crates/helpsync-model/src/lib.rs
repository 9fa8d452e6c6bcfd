//! The nouns of Helpsync: typed ids, workspace names, the states of work, time and randomness.
//!
//! Nothing here does IO, so every other crate may depend on it and every rule in it can be tested in
//! microseconds. Clock and randomness are traits: whoever needs them takes them as a parameter.

mod backoff;
mod claim;
mod clock;
mod embedding;
mod entropy;
mod error;
mod id;
mod job;
mod key_ring;
mod machine;
mod outage;
mod params;
mod public_address;
mod request;
mod retry_after;
mod selection;
mod source;
mod state;
mod subdomain;
mod text;
mod trusted_proxies;

pub use backoff::Backoff;
pub use claim::{
    Advance, FenceNumbers, RENEWALS_PER_LEASE, RunAt, SILENT_RENEWALS_MAX, Startable, has_run_out, is_free,
};
pub use clock::{Clock, ManualClock, SystemClock};
pub use embedding::{EMBEDDING_MODEL_DEFAULT, EMBEDDING_MODELS};
pub use entropy::{Entropy, OsEntropy, SeededEntropy};
pub use error::{CAUSES_MAX, chain};
pub use id::{ConnectionId, CustomerId, DeliveryId, FileId, OrganizationId, RunId, ShardId, WebhookId};
pub use job::{Job, JobError, Lane, SCHEMA_VERSION};
pub use key_ring::{KeyRing, KeyRingError, SealingKey};
pub use machine::{ConnectionEvent, DeliveryEvent, Machine, RunEvent, ShardEvent};
pub use outage::Outage;
pub use params::{
    Articles, Confirm, ExportCursor, ExportRange, ListCursor, ListEnd, ListParams, Measured, RunParams,
    ShardCursor, ShardParams,
};
pub use public_address::is_public;
pub use request::{REQUEST_BYTES_MAX, REQUEST_SCHEMA, Request, RequestAction, RequestError};
pub use retry_after::{http_date, retry_after};
pub use selection::{Place, SectionTree, SelectionFilter};
pub use source::{AutoSync, Source};
pub use state::{
    ChunkState, ConnectionState, DataSourceStatus, DeliveryState, EventKind, ExportAccess, FileStatus,
    GrantBegunBy, KeyScope, NO_HELP_CENTER, Name, Plan, RunKind, RunState, ShardKind, ShardState, Stage,
    SyncAction, Trigger, UnknownName, WaitKind, WebhookStatus,
};
pub use subdomain::{Subdomain, SubdomainError};
pub use text::{is_sound_json, is_unseen, seen_json, sound_json, without_query};
pub use trusted_proxies::{FORWARDED_HOPS_MAX, ProxyNetwork, TrustedProxies};

/// A point in time, UTC, serialised as RFC 3339 with a `Z`.
pub type Timestamp = jiff::Timestamp;
