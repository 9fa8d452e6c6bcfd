//! The states of things, with the one spelling that store, wire, logs and documents share.

use serde::{Deserialize, Serialize};
use thiserror::Error;

/// A text that names no value of the enumeration it was read as.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{text:?} is not a {what}")]
pub struct UnknownName {
    /// The enumeration.
    pub what: &'static str,
    /// What was read.
    pub text: String,
}

/// A closed list of names, each with the one spelling that store, wire and logs share.
pub trait Name: Copy + PartialEq + 'static {
    /// Every value.
    const ALL: &'static [Self];

    /// The spelling.
    fn as_str(self) -> &'static str;
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $text:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $text)] $variant,)* }

        impl $name {
            /// Every value, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The one spelling, as stored and sent.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }

        impl Name for $name {
            const ALL: &'static [Self] = Self::ALL;

            fn as_str(self) -> &'static str {
                Self::as_str(self)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = UnknownName;

            fn from_str(text: &str) -> Result<Self, UnknownName> {
                Self::ALL
                    .iter()
                    .copied()
                    .find(|value| value.as_str() == text)
                    .ok_or_else(|| UnknownName { what: stringify!($name), text: text.to_owned() })
            }
        }
    )*};
}

names! {
    /// What a connection can do.
    ConnectionState {
        /// Its token works; it is synced.
        Active = "active",
        /// Its grant died; nothing is fetched until somebody reconnects. Its files stay.
        Paused = "paused",
        /// It was disconnected; its token is forgotten. Its files stay until they are deleted.
        Revoked = "revoked",
    }

    /// A data source's `sync_status`, in Carbon's words.
    DataSourceStatus {
        /// A run waits to start.
        Queued = "QUEUED_FOR_SYNCING",
        /// A run is under way.
        Syncing = "SYNCING",
        /// The last run ended well.
        Ready = "READY",
        /// The last run failed, or the grant is dead.
        Error = "SYNC_ERROR",
    }

    /// A data source's `last_sync_action`, in Carbon's words.
    SyncAction {
        /// Connected or reconnected.
        Add = "ADD",
        /// Files were selected or a sync was started.
        Update = "UPDATE",
        /// A person refused the grant, or a sync was cancelled.
        Cancel = "CANCEL",
        /// Disconnected.
        Revoke = "REVOKE",
    }

    /// A file's `sync_status`, in Carbon's words.
    FileStatus {
        /// Put off.
        Delayed = "DELAYED",
        /// Waits to be fetched.
        QueuedForSync = "QUEUED_FOR_SYNC",
        /// Being fetched.
        Syncing = "SYNCING",
        /// Stored and current.
        Ready = "READY",
        /// It could not be stored; the file's `sync_error_message` says why.
        SyncError = "SYNC_ERROR",
        /// Being compared with Zendesk's copy.
        EvaluatingResync = "EVALUATING_RESYNC",
        /// Waits for budget.
        RateLimited = "RATE_LIMITED",
        /// Stopped by a person.
        SyncAborted = "SYNC_ABORTED",
        /// Known but its content is not kept.
        ReadyToSync = "READY_TO_SYNC",
    }

    /// What the incremental export answers to a grant.
    ExportAccess {
        /// It answers.
        Allowed = "allowed",
        /// The grant's user is neither agent nor administrator.
        Refused = "refused",
        /// It answered once and does not any more: the user's role shrank, and what is missing from lists proves nothing.
        Lost = "lost",
    }

    /// What a run is for.
    RunKind {
        /// Every article, from nothing.
        Full = "full",
        /// What changed since the high-water mark, and what is gone.
        Delta = "delta",
        /// Requested articles only.
        Resync = "resync",
    }

    /// Where a run stands. [`RunState::after`](crate::Machine::after) has every edge; docs/states.md shows them.
    RunState {
        /// Created; its plan has not started.
        Queued = "queued",
        /// Planned or being planned; shards are worked on.
        Running = "running",
        /// Every shard ended; the receipt is being drawn up.
        Finalizing = "finalizing",
        /// Ended well.
        Done = "done",
        /// Ended with an error, which its record names.
        Failed = "failed",
        /// Ended, though Zendesk counts more articles than it showed. The record has both numbers.
        Incomplete = "incomplete",
        /// Stopped by a person, a disconnect or a newer grant.
        Cancelled = "cancelled",
    }

    /// What an active run is at. Each stage consists of shards; [`Stage::next`] says what follows.
    Stage {
        /// Chooses how to read.
        Plan = "plan",
        /// Reads articles.
        Walk = "walk",
        /// Finds what is gone at Zendesk, and removes it.
        Removal = "removal",
        /// Draws up the receipt and ends the run.
        Finalize = "finalize",
    }

    /// How a run reads the articles.
    Plan {
        /// The incremental export, by time of change.
        Export = "export",
        /// The list by page number, several stretches at once.
        OffsetPages = "offset_pages",
        /// The list by cursor, from both ends.
        CursorEnds = "cursor_ends",
        /// The list by time of change, latest first.
        ListChanges = "list_changes",
        /// The lists of every locale, each once.
        Locales = "locales",
    }

    /// What one shard of a run does.
    ShardKind {
        /// Looks at the account and cuts the run into shards.
        Plan = "plan",
        /// Reads the incremental export from a point in time.
        WalkExport = "walk_export",
        /// Reads listing pages.
        WalkList = "walk_list",
        /// Compares the remote listing with ours and marks what is gone.
        FindRemoved = "find_removed",
        /// Asks for each hidden article once more and deletes or restores it.
        ConfirmRemoved = "confirm_removed",
        /// Fetches requested articles one by one.
        FetchArticles = "fetch_articles",
        /// Looks at what hangs on articles, and fetches it.
        FetchAttachments = "fetch_attachments",
        /// Draws up the receipt and ends the run.
        Finalize = "finalize",
    }

    /// Where a shard stands. [`ShardState::after`](crate::Machine::after) has every edge; docs/states.md shows them.
    ShardState {
        /// Waits until it is due.
        Pending = "pending",
        /// Handed to the queue.
        Released = "released",
        /// A worker holds it under a lease.
        Running = "running",
        /// Its effect is recorded.
        Done = "done",
        /// It gave up; the reason is recorded.
        Failed = "failed",
        /// Its run was cancelled.
        Cancelled = "cancelled",
    }

    /// What work that is put off waits for. Stands beside the reason in words, which is for whoever runs Helpsync.
    WaitKind {
        /// That the owner of the Zendesk account has its suspension ended.
        Suspended = "suspended",
        /// That the help center is shown: it is off, or the grant's user may not read it.
        HelpCenter = "help_center",
        /// Requests that Zendesk answers in a minute.
        Budget = "budget",
        /// A part of Helpsync itself: the store, the coordinator, a key.
        Service = "service",
        /// That Zendesk renews the token.
        Token = "token",
        /// A free worker, behind others.
        Turn = "turn",
        /// A moment that has to pass.
        Moment = "moment",
        /// That Zendesk answers, and as it should.
        Zendesk = "zendesk",
        /// A person, who has paused it.
        Person = "person",
        /// Something else, or it was written by the version before, which named no kind.
        Other = "other",
    }

    /// What started a run.
    Trigger {
        /// A finished grant.
        Connect = "connect",
        /// The schedule of `/update_users`.
        Schedule = "schedule",
        /// A person or program asked.
        Request = "request",
        /// A Zendesk webhook.
        Webhook = "webhook",
        /// A job published by an upstream service.
        Upstream = "upstream",
    }

    /// An announcement, in the words of Carbon's webhooks.
    EventKind {
        /// A connection was made, or made again.
        Add = "ADD",
        /// A sync was started for a connection.
        Update = "UPDATE",
        /// A grant was refused.
        Cancel = "CANCEL",
        /// A connection was ended.
        Revoke = "REVOKE",
        /// The listing of a connection is complete.
        DataSourceReady = "DATA_SOURCE_READY",
        /// Files were seen for the first time.
        FilesCreated = "FILES_CREATED",
        /// Everything that an upload lists has been looked at.
        AllUploadedFilesQueued = "ALL_UPLOADED_FILES_QUEUED",
        /// A file is being fetched again.
        FileSyncing = "FILE_SYNCING",
        /// A file was stored or changed.
        FileReady = "FILE_READY",
        /// A file could not be stored.
        FileError = "FILE_ERROR",
        /// A file is gone.
        FileDeleted = "FILE_DELETED",
        /// Files were passed over.
        FilesSkipped = "FILES_SKIPPED",
        /// Every file of an upload reached its final state.
        AllFilesProcessed = "ALL_FILES_PROCESSED",
        /// A file waits for the account's request budget.
        RateLimitError = "RATE_LIMIT_ERROR",
        /// A customer's limit would be exceeded.
        FileSyncLimitReached = "FILE_SYNC_LIMIT_REACHED",
        /// A customer and all that it had are gone.
        OrganizationUserDeleted = "ORGANIZATION_USER_DELETED",
        /// The organization's totals were counted.
        FileStatisticsAggregated = "FILE_STATISTICS_AGGREGATED",
    }

    /// A webhook's `status`, in Carbon's words.
    WebhookStatus {
        /// Its last deliveries arrived, or it has had none.
        Active = "ACTIVE",
        /// It keeps failing: little is sent until it answers again.
        Flagged = "FLAGGED",
    }

    /// Where a chunk's vector stands.
    ChunkState {
        /// It gets no vector.
        Skipped = "skipped",
        /// To be embedded, or being embedded.
        Waiting = "waiting",
        /// It has its vector.
        Embedded = "embedded",
        /// It was tried too often; it is tried anew once it is due.
        Failed = "failed",
    }

    /// What an API key may do; each may do what those before it may.
    KeyScope {
        /// Read what is stored.
        Read = "read",
        /// Connect, sync, replay: whatever starts work.
        Sync = "sync",
        /// Everything within its organization, its keys included.
        Admin = "admin",
        /// Everything, and organizations.
        Operator = "operator",
    }

    /// Who began a grant by its URL, and so who may end it.
    GrantBegunBy {
        /// Nobody yet: whoever comes back from Zendesk was not sent there by us.
        Nobody = "nobody",
        /// A person, on our page: only the browser that the page was in may end it.
        Page = "page",
        /// A program that follows redirects: no browser may end it.
        Program = "program",
    }

    /// Where a delivery stands. [`DeliveryState::after`](crate::Machine::after) has every edge; docs/states.md shows
    /// them.
    DeliveryState {
        /// To be sent, or to be sent again.
        Pending = "pending",
        /// The receiver took it.
        Delivered = "delivered",
        /// It was tried too often or for too long.
        Dead = "dead",
    }
}

impl KeyScope {
    /// Whether a key of this scope may do what takes `needed`.
    #[must_use]
    pub const fn covers(self, needed: Self) -> bool {
        self as u8 >= needed as u8
    }
}

impl ShardKind {
    /// What it does, for people.
    #[must_use]
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Plan => "asking Zendesk what there is",
            Self::WalkExport | Self::WalkList => "reading articles",
            Self::FindRemoved => "looking for removed articles",
            Self::ConfirmRemoved => "asking for each missing article",
            Self::FetchArticles => "fetching single articles",
            Self::FetchAttachments => "fetching attachments",
            Self::Finalize => "finishing",
        }
    }
}

impl RunKind {
    /// Those that sync a connection, of which one at a time is active. A resync runs beside it.
    pub const SYNCS: &'static [Self] = &[Self::Full, Self::Delta];
}

impl RunState {
    /// Those of a run that can still change anything.
    pub const ACTIVE: &'static [Self] = &[Self::Queued, Self::Running, Self::Finalizing];

    /// Whether the run can still change anything. If not, it has a time at which it ended.
    #[must_use]
    pub const fn is_active(self) -> bool {
        matches!(self, Self::Queued | Self::Running | Self::Finalizing)
    }
}

impl ShardState {
    /// Those of a shard that is not ended: its stage goes on.
    pub const OPEN: &'static [Self] = &[Self::Pending, Self::Released, Self::Running];
    /// Those of a shard that a worker may start.
    pub const STARTABLE: &'static [Self] = &[Self::Pending, Self::Released];
    /// Those of a shard that counts against its connection's window.
    pub const OUTSTANDING: &'static [Self] = &[Self::Released, Self::Running];
}

impl ChunkState {
    /// Those of a chunk that is to be embedded once it is due.
    pub const TO_EMBED: &'static [Self] = &[Self::Waiting, Self::Failed];
    /// Those of a chunk whose tries are not counted anew when it moves.
    pub const SETTLED: &'static [Self] = &[Self::Waiting, Self::Embedded];
}

/// What work says that met a help center which shows nothing: pages tell people by it what to do.
pub const NO_HELP_CENTER: &str = "the help center is disabled, or the grant's user may not read it";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_reads_back_from_its_own_spelling() {
        for state in FileStatus::ALL {
            assert_eq!(state.as_str().parse::<FileStatus>().as_ref(), Ok(state));
        }
        assert_eq!("no".parse::<RunState>().unwrap_err().to_string(), "\"no\" is not a RunState");
    }
}
