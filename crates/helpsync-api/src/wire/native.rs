//! Helpsync's own endpoints.

use helpsync_store::{Event, FileChange, FileContent, Run, RunCounters, Skipped, StoredAttachment};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use super::data_source::DataSource;
use super::dead_letter::DeadLetter;
use super::file::UserFile;
use super::verify::FreshnessView;
use super::{Int, time, web_address};
use crate::readiness::Readiness;

#[derive(Serialize, ToSchema)]
pub(crate) struct Health {
    /// `ok`.
    pub(crate) status: &'static str,
    pub(crate) version: &'static str,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct Ready {
    /// `ok` or `unavailable`.
    pub(crate) status: &'static str,
    pub(crate) version: &'static str,
    #[serde(flatten)]
    pub(crate) parts: Readiness,
    /// Why it is unavailable.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) detail: Option<String>,
}

/// A run and its receipt.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct RunView {
    pub id: i64,
    pub customer_id: String,
    /// The subdomain of the customer's workspace.
    pub workspace: String,
    pub data_source_id: i64,
    /// The brand's subdomain, of a run over one of the workspace's further brands.
    pub brand: Option<String>,
    /// `full`, `delta` or `resync`.
    pub kind: String,
    /// `connect`, `schedule`, `request`, `webhook` or `upstream`.
    pub trigger: String,
    pub lane: String,
    /// `queued`, `running`, `finalizing`, `done`, `failed`, `incomplete` (Zendesk counts more articles than it showed) or
    /// `cancelled`.
    pub state: String,
    /// `plan`, `walk`, `removal` or `finalize`.
    pub stage: String,
    /// How it reads the articles: `export`, `offset_pages`, `cursor_ends`, `list_changes` or `locales`.
    pub plan: Option<String>,
    /// Why so.
    pub plan_reason: Option<String>,
    pub request_id: String,
    pub upload_id: String,
    #[schema(value_type = Object)]
    pub counters: RunCounters,
    /// What it waits for, in words.
    pub waiting_for: Option<String>,
    /// Of what kind that is: `suspended`, `help_center`, `budget`, `service`, `token`, `turn`, `moment`, `zendesk`, `person` or
    /// `other`.
    pub waiting_kind: Option<String>,
    /// What it did last, within two minutes; only of one run that is asked for by its id.
    pub working_on: Option<String>,
    /// Articles that no list shows any more and that it asks for one by one; only of one run under way that is asked for by
    /// its id.
    pub missing_articles: Option<MissingArticlesView>,
    /// Why it lists every article's id though nobody asked for that.
    pub audit_reason: Option<String>,
    /// Files shown at its end.
    pub files: Option<i64>,
    /// SHA-256 over those files, in lower hex: a line `article id:content hash` for each, by article id. An export has both.
    pub digest: Option<String>,
    pub error: Option<String>,
    pub created_at: String,
    pub started_at: Option<String>,
    pub finished_at: Option<String>,
}

/// How far a run is with them.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct MissingArticlesView {
    pub asked: usize,
    pub total: usize,
}

impl From<Run> for RunView {
    fn from(run: Run) -> Self {
        Self {
            id: run.id.0,
            customer_id: run.customer_external_id,
            workspace: run.subdomain,
            data_source_id: run.source.0,
            brand: run.brand,
            kind: run.kind.as_str().to_owned(),
            trigger: run.trigger.as_str().to_owned(),
            lane: run.lane.as_str().to_owned(),
            state: run.state.as_str().to_owned(),
            stage: run.stage.as_str().to_owned(),
            plan: run.plan.map(|plan| plan.as_str().to_owned()),
            plan_reason: run.plan_reason,
            request_id: run.request_id,
            upload_id: run.upload_id,
            counters: run.counters,
            waiting_for: run.waiting_for,
            waiting_kind: run.waiting_kind.map(|kind| kind.as_str().to_owned()),
            working_on: None,
            missing_articles: None,
            audit_reason: run.audit_reason,
            files: run.files,
            digest: run.digest,
            error: run.error,
            created_at: time(run.created_at),
            started_at: run.started_at.map(time),
            finished_at: run.finished_at.map(time),
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Runs {
    /// Newest first.
    pub runs: Vec<RunView>,
    /// Pass it as `before` to read on; null at the end.
    pub next_before: Option<i64>,
}

/// A lane of which nothing is handed out.
#[derive(Serialize, ToSchema)]
pub(crate) struct PausedLane {
    /// `on_demand`, `scheduled` or `backfill`.
    pub(crate) lane: &'static str,
    /// Since when.
    pub(crate) paused_at: String,
}

/// The organization at a glance.
#[derive(Serialize, ToSchema)]
pub(crate) struct Status {
    pub(crate) version: &'static str,
    pub(crate) now: String,
    pub(crate) organization: String,
    /// `up`, or why the database does not take what it is told.
    pub(crate) store: String,
    /// Connections that are synced.
    pub(crate) active: i64,
    /// Connections whose grant has ended: they wait to be connected again.
    pub(crate) paused: i64,
    /// Customers whose work a person has paused, in the order they came, at most ten of them.
    pub(crate) paused_customers: Vec<String>,
    /// Lanes that a person has paused, for every organization.
    pub(crate) paused_lanes: Vec<PausedLane>,
    /// Files shown.
    pub(crate) files: i64,
    /// Files whose removal is held back until a person allows it.
    pub(crate) held: i64,
    /// The copies that were complete longest ago, at most ten; `/helpsync/v1/freshness` has the others.
    pub(crate) oldest: Vec<FreshnessView>,
    /// Runs under way, newest first.
    pub(crate) runs: Vec<RunView>,
    /// Shards that gave up, oldest first; `/helpsync/v1/dead-letters` has the messages too.
    pub(crate) dead_letters: Vec<DeadLetter>,
    /// Messages in the dead-letter list, of whichever organization. Null: this organization may not know, or the queue
    /// cannot be asked.
    pub(crate) dead_messages: Option<u64>,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct EventView {
    pub id: i64,
    /// In the words of Carbon's webhooks, for example `FILE_READY`.
    pub kind: String,
    /// Null if it concerns none, or its customer is gone.
    pub data_source_id: Option<i64>,
    /// Null if it concerns none, or the customer is gone.
    pub organization_user_id: Option<i64>,
    pub object_type: String,
    pub object_id: String,
    #[schema(value_type = Object)]
    pub detail: Value,
    pub created_at: String,
}

impl From<Event> for EventView {
    fn from(event: Event) -> Self {
        Self {
            id: event.id,
            kind: event.kind.as_str().to_owned(),
            data_source_id: event.connection.map(|id| id.0),
            organization_user_id: event.customer.map(|id| id.0),
            object_type: event.object_type,
            object_id: event.object_id,
            detail: event.detail,
            created_at: time(event.created_at),
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SkippedView {
    pub id: i64,
    /// Zendesk's id; null where none could be read.
    pub article_id: Option<i64>,
    pub reason: String,
    pub created_at: String,
}

impl From<Skipped> for SkippedView {
    fn from(skipped: Skipped) -> Self {
        Self {
            id: skipped.id,
            article_id: skipped.article_id,
            reason: skipped.reason,
            created_at: time(skipped.created_at),
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct SkippedArticles {
    /// Oldest first.
    pub skipped: Vec<SkippedView>,
    /// Pass it as `after` to read on.
    pub next: i64,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct Events {
    /// Oldest first.
    pub events: Vec<EventView>,
    /// Pass it as `after` to read on.
    pub next: i64,
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct TranslationView {
    pub locale: String,
    pub title: String,
    pub url: Option<String>,
    pub html: String,
    pub markdown: String,
    pub plain: String,
    /// SHA-256 of title, NUL, HTML.
    pub hash: String,
}

impl From<FileContent> for TranslationView {
    fn from(content: FileContent) -> Self {
        Self {
            locale: content.locale,
            title: content.title,
            url: web_address(content.external_url),
            html: content.html,
            markdown: content.markdown,
            plain: content.plain,
            hash: content.hash,
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct ContentTagView {
    pub id: String,
    /// Null where Zendesk did not tell it.
    pub name: Option<String>,
}

/// What hangs on an article.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct AttachmentView {
    /// Zendesk's id; images within the text name it in their address.
    pub id: i64,
    pub file_name: String,
    pub content_type: String,
    /// Shown within the text.
    pub inline: bool,
    /// Null if it was skipped.
    pub bytes: Option<i64>,
    pub sha256: Option<String>,
    /// Its bytes, for an hour. Null if it was skipped.
    pub url: Option<String>,
    /// Why it was skipped.
    pub skipped_reason: Option<String>,
}

impl AttachmentView {
    pub(crate) fn new(attachment: StoredAttachment, url: Option<String>) -> Self {
        Self {
            id: attachment.attachment_id,
            file_name: attachment.file_name,
            content_type: attachment.content_type,
            inline: attachment.inline,
            bytes: attachment.bytes,
            sha256: attachment.hash,
            url,
            skipped_reason: attachment.skipped,
        }
    }
}

/// A file with its text.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct FileDetail {
    #[serde(flatten)]
    pub file: UserFile,
    /// From the category down to the section.
    pub path: Vec<String>,
    #[schema(value_type = Vec<String>)]
    pub labels: Value,
    pub author_id: Option<i64>,
    /// Null where Zendesk did not tell it.
    pub author_name: Option<String>,
    pub content_tags: Vec<ContentTagView>,
    /// Where the selection has them.
    pub attachments: Vec<AttachmentView>,
    /// Who may read it; null = everyone.
    pub user_segment_id: Option<i64>,
    /// Every segment that may read it; empty = everyone.
    pub user_segment_ids: Vec<i64>,
    pub content_hash: Option<String>,
    pub source_locale: String,
    pub source_updated_at: String,
    /// What else is kept of the article.
    #[schema(value_type = Object)]
    pub metadata: Value,
    /// The locale that it was written in comes first.
    pub translations: Vec<TranslationView>,
}

/// A change of a file.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct FileChangeView {
    pub at: String,
    /// `created`, `text` (a translation's text or title), `details` (anything else of it) or `held` (its removal waits for a
    /// person).
    pub what: String,
}

impl From<FileChange> for FileChangeView {
    fn from(change: FileChange) -> Self {
        Self { at: time(change.at), what: change.what }
    }
}

/// What changed of a file and when.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
pub struct FileHistory {
    /// The latest first: a dozen at most, and that it was created.
    pub changes: Vec<FileChangeView>,
}

/// Requests for a sync: of all that a customer has connected, or of one data source.
#[derive(Deserialize, ToSchema)]
pub(crate) struct SyncInput {
    pub(crate) customer_id: Option<String>,
    #[schema(value_type = Option<i64>)]
    pub(crate) data_source_id: Option<Int>,
    /// Read every article again.
    pub(crate) full: Option<bool>,
    /// Stamped on created files.
    pub(crate) request_id: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct SyncAnswer {
    pub(crate) run_id: i64,
    pub(crate) data_source_id: i64,
    pub(crate) customer_id: String,
    /// Its subdomain.
    pub(crate) workspace: String,
    /// False: an equal run was under way.
    pub(crate) created: bool,
    /// Whether that run serves this request. Otherwise the one after it does.
    pub(crate) serves: bool,
    pub(crate) request_id: String,
}

/// A page of a list.
#[derive(Deserialize)]
pub(crate) struct After {
    pub(crate) after: Option<Int>,
    pub(crate) limit: Option<Int>,
}

#[derive(Deserialize)]
pub(crate) struct RunsQuery {
    pub(crate) customer_id: Option<String>,
    pub(crate) data_source_id: Option<Int>,
    pub(crate) before: Option<Int>,
    pub(crate) limit: Option<Int>,
}

#[derive(Deserialize)]
pub(crate) struct ExportQuery {
    pub(crate) customer_id: Option<String>,
}

#[derive(Serialize, ToSchema)]
pub(crate) struct CancelAnswer {
    pub(crate) data_source: DataSource,
}

/// What an organization wants of those who read.
#[derive(Serialize, ToSchema)]
pub(crate) struct Readers {
    /// Whether restricted articles are shown only to requests with the header `Helpsync-Viewer-Segments`.
    pub(crate) viewer_segments_required: bool,
}

#[derive(Deserialize, ToSchema)]
pub(crate) struct ReadersChange {
    pub(crate) viewer_segments_required: bool,
}
