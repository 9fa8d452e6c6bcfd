//! The HTTP API: Carbon's contract (so that its SDKs and widget run unchanged), the OAuth callback, and Helpsync's own
//! endpoints under `/helpsync/v1`.
//!
//! - `endpoint` says once what an endpoint is; the router and the OpenAPI document are both made from that list, so
//!   neither can forget the other.
//! - `auth` turns credentials into a caller; nothing behind it sees another organization's or customer's rows.
//! - `error` is the one envelope: `{"detail": …}`, a plain text or, with 422, a list of what was wrong where.
//! - `pages` is what a customer's administrator sees; `helpsync-pages` is how it looks.
//! - `wire` holds what crosses the line, one file per resource; `routes` what is done, one file per resource.
//!
//! The API writes requests into the store and wakes whoever carries them out; it fetches nothing from Zendesk itself,
//! except to finish a grant.

mod api;
mod audit;
mod auth;
mod body;
mod drain;
mod endpoint;
mod error;
mod fair;
#[cfg(test)]
mod fuzz;
mod inside;
mod layers;
mod openapi;
mod pages;
mod plain;
mod rate;
mod readiness;
#[cfg(test)]
mod reference;
mod routes;
mod signing;
mod told;
mod viewer;
#[allow(missing_docs, reason = "names are the API's own; /openapi.json says what each means")]
mod wire;

/// What answers hold, for callers in this process who read them.
pub mod answers {
    pub use crate::wire::api_key::{OrganizationRow, Organizations};
    pub use crate::wire::audit::{AuditActor, AuditLog, AuditRow};
    pub use crate::wire::chunk::{EmbeddingAndChunk, EmbeddingsAndChunksResponse};
    pub use crate::wire::customer_state::{CustomerView, Customers, HeldFileView, HeldFiles, WorkspaceView};
    pub use crate::wire::dead_letter::{DeadLetter, DeadLetterGroup, DeadLetters, DeadMessage, DeadShard};
    pub use crate::wire::file::{ChunkProperties, FileStatistics, UserFile, UserFilesV2};
    pub use crate::wire::installation::{
        AccountBudget, BudgetDay, HeldShardView, LaneView, Lanes, ProcessView, Processes,
    };
    pub use crate::wire::item::{ExternalSourceItem, ListDataSourceItemsResponse};
    pub use crate::wire::native::{
        AttachmentView, ContentTagView, EventView, Events, FileChangeView, FileDetail, FileHistory, RunView,
        Runs, SkippedArticles, SkippedView, TranslationView,
    };
    pub use crate::wire::overview::{AgeCount, Overview};
    pub use crate::wire::selection::{BrandView, NamedPlace, PlacesNamed, SelectionPreview, SelectionView};
    pub use crate::wire::timeline::{History, TimedShardView, Timeline, WaitView};
    pub use crate::wire::verify::FreshnessView;
    pub use crate::wire::webhook::{
        CustomerDeliveries, Deliveries, DeliveryView, Redelivered, WebhookNoKey, WebhookQueryResponse,
    };
}

pub use api::{Api, ApiOptions, WebhookRules};
pub use inside::{Asked, Inside};
pub use layers::measured;
pub use rate::network;
pub use readiness::Readiness;
