//! What must last: organizations, customers, connections, runs, shards, files and announcements.
//!
//! The store is the truth; queue messages and coordinator state are hints that can be made again from it.
//! There is one body of SQL, run on SQLite (embedded) or Postgres (distributed) through `sqlx::Any`; the few
//! differences are named in [`Dialect`]. Everything that must happen together happens in one transaction of one
//! method here, so no caller ever holds a transaction, least of all while it talks to Zendesk.
//!
//! Fencing: every write of a sync carries a [`Fence`] (connection epoch and shard attempt). If either has moved
//! on, the write changes nothing and answers [`StoreError::Fenced`].

mod connection;
mod db;
mod event;
mod file;
mod filter;
mod run;
mod search;
mod sync;
mod tenant;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;

pub use connection::connections::{Connection, ConnectionOrder, ConnectionQuery};
pub use connection::event_subscriptions::{DueSubscription, EventAccepted, EventSubscription};
pub use connection::grants::{GrantCompleted, GrantOutcome};
pub use connection::pending_grants::{Consumed, NewGrant, PastGrant};
pub use connection::selection_filter::{PlaceKind, SelectionFilterChanged, TreeLearned};
pub use connection::status::StoreStatus;
pub use connection::tokens::{ConnectionTokens, NewTokens};
pub use db::audit;
pub use db::bounds::{ANSWER_BYTES_MAX, TAGS_BYTES_MAX};
pub use db::dialect::Dialect;
pub use db::error::{DatabaseError, Entity, StoreError};
pub use db::facets::{AdminStore, QueueStore, SearchStore, Store, SyncStore, TokenStore, WebhookStore};
pub use db::file::Holder;
pub use db::outage::{Look, StoreOutage};
pub use db::pool::StoreOptions;
pub use db::vault::{RingError, Vault, VaultError};
pub use event::deliveries::{ClaimedDelivery, ClaimedRound, Tried, TriedEnd, WebhookHealth};
pub use event::delivery_list::{
    CustomerDeliveries, Delivery, DeliveryMark, WebhookRetention, WebhooksPruned,
};
pub use event::events::Event;
pub use event::webhooks::{KeyRotated, Webhook, WebhookAdded, WebhookQuery};
pub use file::file_changes::{ResyncOptions, ResyncRequested};
pub use file::files::{COUNTED_MAX, File, FileContent};
pub use file::history::FileChange;
pub use file::items::{Item, ItemListKind, ItemOrder, ItemQuery};
pub use file::names::FileNames;
pub use file::synced_items::{ItemsRequest, ItemsRequested};
pub use file::tags::TagChange;
pub use filter::file_query::{FileFilters, FileOrder, FileQuery};
pub use filter::tag_filter::TagFilter;
pub use filter::viewer::Viewer;
pub use run::failed_shards::FailedShard;
pub use run::fence::Fence;
pub use run::file_options::FileOptions;
pub use run::going_on::{GoesOn, Onward};
pub use run::held_back::LaneState;
pub use run::note::RunNote;
pub use run::outbox::OutboxMessage;
pub use run::processes::{HeldShard, ProcessSeen, ProcessSign};
pub use run::release::{Released, release_order};
pub use run::retention::{PrunedTo, RunsPruned};
pub use run::runs::{Run, RunCounters, RunRequest, RunRequested, RunsOf};
pub use run::schedule::FiredSchedule;
pub use run::schedule::{first_slot, next_slot};
pub use run::shards::{Granted, NewShard, Shard, ShardEnd, StartedShard};
pub use run::sweep::SweepOutcome;
pub use run::timeline::{MissingArticles, TimedShard, WaitSpan, Waited};
pub use search::chunking::{Chunked, ChunkedFile, FileToChunk, NewChunk};
pub use search::chunks::{Chunk, ChunkOrder, ChunkQuery, VectorsOf};
pub use search::embedding::{ChunkToEmbed, EmbeddedChunk, EmbeddingEnd, NOT_EMBEDDED};
pub use search::query::{Scored, VectorSearch};
pub use search::query_words::QUERY_WORDS_MAX;
pub use search::terms::ChunkWords;
pub use search::uploads::{Uploaded, UploadedChunk, UploadedFile};
pub use sync::attachments::{DueFile, Kept, NewAttachment, StoredAttachment};
pub use sync::author_and_tag_names::NewAuthor;
pub use sync::brands::{Brand, BrandEnded, LostBrand, NewBrand};
pub use sync::budget_waits::BudgetWaits;
pub use sync::incoming::{IncomingArticle, IncomingTranslation};
pub use sync::ledger::{Known, LedgerEntry, ListWalk};
pub use sync::pages::{PageOutcome, PageWrite, Progress, SkippedArticle, Split};
pub use sync::removal::{Missing, RemovalCeiling, RemovalVerdict};
pub use sync::skipped::Skipped;
pub use sync::tree::{ItemKind, NewItem};
pub use sync::verify::{Cause, Compared, Difference};
pub use tenant::account_use::{AccountUse, USE_SLOT_MS, USE_SLOTS};
pub use tenant::api_keys::{ApiKey, BOOTSTRAP, NewApiKey};
pub use tenant::audit_log::{AuditEntry, AuditQuery};
pub use tenant::branding::Branding;
pub use tenant::customer_deletion::DeletedCustomer;
pub use tenant::customer_list::{CustomerQuery, CustomerTotals};
pub use tenant::customer_search::{CustomerFilter, CustomerSearch, CustomerSort};
pub use tenant::customer_state::{CustomerState, HeldFile, WorkspaceState};
pub use tenant::customers::{Customer, ScheduleChange};
pub use tenant::examine::{ProcessKeys, StoreExam, examine, first_key_id};
pub use tenant::freshness::Freshness;
pub use tenant::gauges::{Gauges, ShardGauge};
pub use tenant::history::{HISTORY_SLOTS, HistoryPoint, SLOT_MS};
pub use tenant::oauth_clients::{OauthClient, StoredOauthClient};
pub use tenant::organization_settings::OrganizationChange;
pub use tenant::organizations::{Organization, OrganizationSummary};
pub use tenant::overview::Overview;
pub use tenant::reseal::{ResealCursor, Resealed};
pub use tenant::sealing_keys::{KeyUse, SIGNED_FOR_MAX};
pub use tenant::sessions::{SESSIONS_OF_KEY_MAX, Session};
