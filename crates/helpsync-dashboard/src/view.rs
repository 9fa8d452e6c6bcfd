//! What pages read of the API's answers.

use serde::Deserialize;
use serde_json::Value;

#[derive(Debug, Deserialize)]
pub(crate) struct Customers {
    pub(crate) customers: Vec<Customer>,
    pub(crate) next: Option<i64>,
    pub(crate) next_age: Option<i64>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Customer {
    pub(crate) customer_id: String,
    pub(crate) organization_user_id: i64,
    pub(crate) paused_at: Option<String>,
    pub(crate) interval_hours: Option<i64>,
    pub(crate) files: i64,
    pub(crate) workspace: Option<Workspace>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Workspace {
    pub(crate) data_source_id: i64,
    pub(crate) subdomain: String,
    pub(crate) state: String,
    pub(crate) pause_reason: Option<String>,
    pub(crate) scopes: String,
    pub(crate) granted_by: String,
    pub(crate) sync_status: String,
    pub(crate) complete_at: Option<String>,
    pub(crate) age_seconds: Option<i64>,
    pub(crate) next_sync_at: Option<String>,
    pub(crate) held: i64,
    pub(crate) dead_letters: i64,
    pub(crate) run_id: Option<i64>,
    pub(crate) waiting_for: Option<String>,
    pub(crate) waiting_until: Option<String>,
    pub(crate) events_error: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Runs {
    pub(crate) runs: Vec<Run>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Run {
    pub(crate) id: i64,
    pub(crate) customer_id: String,
    pub(crate) workspace: String,
    pub(crate) brand: Option<String>,
    pub(crate) kind: String,
    pub(crate) trigger: String,
    pub(crate) lane: String,
    pub(crate) state: String,
    pub(crate) stage: String,
    pub(crate) plan: Option<String>,
    pub(crate) plan_reason: Option<String>,
    pub(crate) counters: Counters,
    pub(crate) waiting_for: Option<String>,
    #[serde(default)]
    pub(crate) working_on: Option<String>,
    pub(crate) audit_reason: Option<String>,
    pub(crate) files: Option<i64>,
    pub(crate) digest: Option<String>,
    pub(crate) error: Option<String>,
    pub(crate) created_at: String,
    pub(crate) started_at: Option<String>,
    pub(crate) finished_at: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Counters {
    pub(crate) listed: i64,
    pub(crate) created: i64,
    pub(crate) updated: i64,
    pub(crate) unchanged: i64,
    pub(crate) drafts: i64,
    pub(crate) unselected: i64,
    pub(crate) skipped: i64,
    pub(crate) removed: i64,
    pub(crate) held: i64,
    pub(crate) requests: i64,
    pub(crate) bytes: i64,
    pub(crate) budget_wait_ms: i64,
    pub(crate) wait_pace_ms: i64,
    pub(crate) wait_window_ms: i64,
    pub(crate) wait_in_flight_ms: i64,
    pub(crate) wait_blocked_ms: i64,
    pub(crate) wait_put_off_ms: i64,
    pub(crate) remote_count: Option<i64>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Timeline {
    pub(crate) shards: Vec<Shard>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Shard {
    pub(crate) key: String,
    pub(crate) kind: String,
    pub(crate) state: String,
    pub(crate) created_at: String,
    pub(crate) started_at: Option<String>,
    pub(crate) updated_at: String,
    pub(crate) error: Option<String>,
    pub(crate) waits: Vec<Wait>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Wait {
    pub(crate) at: String,
    pub(crate) until: String,
    pub(crate) why: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct SkippedArticles {
    pub(crate) skipped: Vec<Skipped>,
    pub(crate) next: i64,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Skipped {
    pub(crate) article_id: Option<i64>,
    pub(crate) reason: String,
    pub(crate) created_at: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Held {
    pub(crate) held: Vec<HeldFile>,
    pub(crate) next: Option<i64>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct HeldFile {
    pub(crate) article_id: i64,
    pub(crate) name: String,
    pub(crate) external_url: Option<String>,
    pub(crate) held_at: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct DeadLetters {
    pub(crate) dead_letters: Vec<DeadLetter>,
    pub(crate) groups: Option<Vec<Group>>,
    pub(crate) next: Option<String>,
    pub(crate) messages_unavailable: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct DeadLetter {
    pub(crate) id: String,
    pub(crate) kind: String,
    pub(crate) customer_id: Option<String>,
    pub(crate) error: Option<String>,
    pub(crate) cause: String,
    pub(crate) failed_at: String,
    pub(crate) shard: Option<DeadShard>,
    pub(crate) message: Option<DeadMessage>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct DeadShard {
    pub(crate) run_id: i64,
    pub(crate) key: String,
    pub(crate) attempts: i64,
}

#[derive(Debug, Deserialize)]
pub(crate) struct DeadMessage {
    pub(crate) origin: String,
    pub(crate) body: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Group {
    pub(crate) cause: String,
    pub(crate) count: usize,
    pub(crate) customers: usize,
    pub(crate) last_failed_at: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Webhooks {
    pub(crate) results: Vec<Webhook>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Webhook {
    pub(crate) id: i64,
    pub(crate) url: String,
    pub(crate) status: String,
    pub(crate) status_reason: Option<String>,
    pub(crate) created_at: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Deliveries {
    pub(crate) deliveries: Vec<Delivery>,
    pub(crate) next: Option<i64>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Delivery {
    pub(crate) id: i64,
    pub(crate) kind: String,
    pub(crate) object_type: String,
    pub(crate) object_id: String,
    pub(crate) state: String,
    pub(crate) attempts: i64,
    pub(crate) http_status: Option<i64>,
    pub(crate) error: Option<String>,
    pub(crate) created_at: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Selection {
    pub(crate) brand_ids: Vec<i64>,
    pub(crate) category_ids: Vec<i64>,
    pub(crate) section_ids: Vec<i64>,
    pub(crate) labels: Vec<String>,
    pub(crate) locales: Vec<String>,
    pub(crate) public_only: bool,
    pub(crate) attachments: bool,
    pub(crate) brands: Vec<Brand>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Brand {
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) subdomain: String,
    pub(crate) selected: bool,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Files {
    pub(crate) results: Vec<File>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct File {
    pub(crate) id: i64,
    pub(crate) organization_supplied_user_id: String,
    pub(crate) external_file_id: String,
    pub(crate) external_url: Option<String>,
    pub(crate) sync_status: String,
    pub(crate) sync_error_message: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) last_sync: Option<String>,
    pub(crate) updated_at: String,
    pub(crate) file_statistics: Option<Value>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct FileDetail {
    #[serde(flatten)]
    pub(crate) file: File,
    pub(crate) path: Vec<String>,
    pub(crate) labels: Vec<String>,
    pub(crate) author_name: Option<String>,
    pub(crate) source_locale: String,
    pub(crate) source_updated_at: String,
    pub(crate) attachments: Vec<Attachment>,
    pub(crate) translations: Vec<Translation>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Attachment {
    pub(crate) file_name: String,
    pub(crate) content_type: String,
    pub(crate) bytes: Option<i64>,
    pub(crate) skipped_reason: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Translation {
    pub(crate) locale: String,
    pub(crate) title: String,
    pub(crate) html: String,
    pub(crate) markdown: String,
    pub(crate) plain: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Chunks {
    pub(crate) results: Vec<Chunk>,
    pub(crate) count: i64,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Chunk {
    pub(crate) chunk_index: Option<i64>,
    pub(crate) source_content: String,
    pub(crate) content_metadata: Option<Value>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Overview {
    pub(crate) version: String,
    pub(crate) active: i64,
    pub(crate) paused: i64,
    pub(crate) held: i64,
    pub(crate) by_age: Vec<AgeCount>,
    pub(crate) oldest: Vec<Copy>,
    pub(crate) syncing: i64,
    pub(crate) runs: Vec<Run>,
}

/// Copies that were complete within so many seconds, and not within fewer; without a bound: longer ago, or never.
#[derive(Debug, Deserialize)]
pub(crate) struct AgeCount {
    pub(crate) up_to_seconds: Option<i64>,
    pub(crate) copies: i64,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Copy {
    pub(crate) customer_id: String,
    pub(crate) workspace: String,
    pub(crate) age_seconds: Option<i64>,
    pub(crate) next_sync_at: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Processes {
    pub(crate) processes: Vec<Process>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Process {
    pub(crate) role: String,
    pub(crate) host: String,
    pub(crate) version: String,
    pub(crate) alive: bool,
    pub(crate) concurrency: i64,
    pub(crate) seen_at: String,
    pub(crate) shards: Vec<HeldShard>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct HeldShard {
    pub(crate) run_id: i64,
    pub(crate) kind: String,
    pub(crate) customer_id: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Lanes {
    pub(crate) lanes: Vec<Lane>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Lane {
    pub(crate) lane: String,
    pub(crate) paused_at: Option<String>,
    pub(crate) pending: i64,
    pub(crate) out: i64,
}

#[derive(Debug, Deserialize)]
pub(crate) struct History {
    pub(crate) slot_seconds: i64,
    pub(crate) series: std::collections::BTreeMap<String, Vec<Option<i64>>>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Organizations {
    pub(crate) organizations: Vec<Organization>,
    pub(crate) next_after: Option<i64>,
}

#[derive(Debug, Deserialize)]
pub(crate) struct Organization {
    pub(crate) id: i64,
    pub(crate) name: String,
    pub(crate) customers: i64,
    pub(crate) keys: i64,
}
