//! What must last: organizations, customers, connections, runs, shards, files and announcements.
//!
//! The store is the truth; queue messages and coordinator state are hints that can be made again from it.
//! There is one body of SQL, run on SQLite (embedded) or Postgres (distributed) through `sqlx::Any`; the few
//! differences are named in [`Dialect`]. Everything that must happen together happens in one transaction of one
//! method here, so no caller ever holds a transaction, least of all while it talks to Zendesk.
//!
//! Fencing: every write of a sync carries a [`Fence`] (connection epoch and shard attempt). If either has moved
//! on, the write changes nothing and answers [`StoreError::Fenced`].

mod attachments;
mod brands;
mod choose;
mod chosen_files;
mod chunk_rows;
mod chunks;
mod connections;
mod customer_deletion;
mod customer_list;
mod customers;
mod cutting;
mod db;
mod deliveries;
mod delivery_list;
mod embedding;
mod error;
mod events;
mod failed_shards;
mod fence;
mod file_changes;
mod file_options;
mod file_query;
mod files;
mod finalize;
mod grants;
mod incoming;
mod items;
mod ledger;
mod limits;
mod listed;
mod migrations;
mod names;
mod oauth_clients;
mod organization_settings;
mod organizations;
mod outbox;
mod page_rows;
mod pages;
mod pgvector;
mod release;
mod removal;
mod rows;
mod runs;
mod schedule;
mod search;
mod selected;
mod selection;
mod shards;
mod skipped;
mod stages;
mod status;
mod sweep;
mod tag_filter;
mod tags;
#[cfg(any(test, feature = "testing"))]
pub mod testing;
#[cfg(test)]
mod tests;
mod tokens;
mod tree;
mod uploads;
mod vault;
mod viewer;
mod watches;
mod webhooks;
mod wishes;

pub use attachments::{DueFile, Kept, NewAttachment, StoredAttachment};
pub use brands::{Brand, BrandEnded, LostBrand, NewBrand};
pub use choose::{Choice, Chosen};
pub use chunks::{Chunk, ChunkOrder, ChunkQuery, VectorsOf};
pub use connections::{Connection, ConnectionOrder, ConnectionQuery};
pub use customer_deletion::DeletedCustomer;
pub use customer_list::{CustomerQuery, CustomerTotals};
pub use customers::{Customer, ScheduleChange, first_slot};
pub use cutting::{Cut, CutFile, FileToCut, NewChunk};
pub use db::{Dialect, Store, StoreOptions};
pub use deliveries::{ClaimedDelivery, ClaimedRound, Tried, TriedEnd, WebhookHealth};
pub use delivery_list::{Delivery, WebhookRetention, WebhooksPruned};
pub use embedding::{ChunkToEmbed, EmbeddedChunk, EmbeddingEnd, NOT_EMBEDDED};
pub use error::StoreError;
pub use events::Event;
pub use failed_shards::FailedShard;
pub use fence::Fence;
pub use file_changes::{ResyncOptions, ResyncRequested};
pub use file_options::FileOptions;
pub use file_query::{FileFilters, FileOrder, FileQuery};
pub use files::{File, FileContent};
pub use grants::{Consumed, GrantCompleted, GrantOutcome, NewGrant};
pub use incoming::{IncomingArticle, IncomingTranslation};
pub use items::{Item, ItemListKind, ItemOrder, ItemQuery};
pub use ledger::{LedgerEntry, ListWalk, RunNote};
pub use names::{FileNames, NewAuthor};
pub use oauth_clients::{OauthClient, StoredOauthClient};
pub use organization_settings::OrganizationChange;
pub use organizations::Organization;
pub use outbox::OutboxMessage;
pub use pages::{Page, PageOutcome, Progress, SkippedArticle, Split};
pub use removal::{Missing, RemovalCeiling, RemovalVerdict, RemovedOutcome};
pub use runs::{NewRun, Run, RunCounters, RunRequested};
pub use schedule::FiredSchedule;
pub use search::{QUERY_WORDS_MAX, Scored, VectorSearch, search_words};
pub use selection::{SelectionChanged, TreeLearned};
pub use shards::{Granted, NewShard, Shard, ShardEnd, StartedShard};
pub use skipped::Skipped;
pub use status::StoreStatus;
pub use sweep::SweepOutcome;
pub use tag_filter::TagFilter;
pub use tags::TagChange;
pub use tokens::{ConnectionTokens, NewTokens};
pub use tree::{ItemKind, NewItem};
pub use uploads::{Uploaded, UploadedChunk, UploadedFile};
pub use vault::{Vault, VaultError};
pub use viewer::Viewer;
pub use watches::{DueWatch, EventAccepted, Watch};
pub use webhooks::{Webhook, WebhookAdded, WebhookQuery};
