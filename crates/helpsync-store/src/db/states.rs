//! The one place where names of states become SQL. Every other file takes its lists and steps from here.
//!
//! They are written into the statement, not bound: the partial indexes (`where state = 'pending'`) serve only a
//! statement that says the same.

use std::fmt;

use helpsync_model::{
    ChunkState, ConnectionState, DataSourceStatus, DeliveryState, ExportAccess, FileStatus, GrantBegunBy,
    Machine, Name, RunKind, RunState, ShardKind, ShardState, Trigger,
};

/// Runs that have not ended.
pub(crate) const ACTIVE_RUN: AnyOf<RunState> = AnyOf(RunState::ACTIVE);
/// Runs of which no shard has started.
pub(crate) const QUEUED_RUN: One<RunState> = One(RunState::Queued);
/// Runs that have ended well.
pub(crate) const DONE_RUN: One<RunState> = One(RunState::Done);
/// Runs that sync a connection, of which one at a time is active.
pub(crate) const SYNC: AnyOf<RunKind> = AnyOf(RunKind::SYNCS);
/// Runs over requested articles, or over attachments.
pub(crate) const RESYNC: One<RunKind> = One(RunKind::Resync);
/// Runs that an event of Zendesk's began.
pub(crate) const BY_WEBHOOK: One<Trigger> = One(Trigger::Webhook);
/// Shards that have not ended.
pub(crate) const OPEN_SHARD: AnyOf<ShardState> = AnyOf(ShardState::OPEN);
/// Shards that a worker may start.
pub(crate) const STARTABLE_SHARD: AnyOf<ShardState> = AnyOf(ShardState::STARTABLE);
/// Shards that are handed out.
pub(crate) const OUTSTANDING_SHARD: AnyOf<ShardState> = AnyOf(ShardState::OUTSTANDING);
/// Shards that wait until they are due.
pub(crate) const PENDING_SHARD: One<ShardState> = One(ShardState::Pending);
/// Shards whose message is out.
pub(crate) const RELEASED_SHARD: One<ShardState> = One(ShardState::Released);
/// Shards under a lease.
pub(crate) const RUNNING_SHARD: One<ShardState> = One(ShardState::Running);
/// Shards whose effect is recorded.
pub(crate) const DONE_SHARD: One<ShardState> = One(ShardState::Done);
/// Shards that gave up.
pub(crate) const FAILED_SHARD: One<ShardState> = One(ShardState::Failed);
/// Shards that end their run.
pub(crate) const FINALIZE: One<ShardKind> = One(ShardKind::Finalize);
/// Connections that are synced.
pub(crate) const ACTIVE_CONNECTION: One<ConnectionState> = One(ConnectionState::Active);
/// Connections whose grant is dead.
pub(crate) const PAUSED_CONNECTION: One<ConnectionState> = One(ConnectionState::Paused);
/// Grants that could read the export and cannot any more.
pub(crate) const EXPORT_LOST: One<ExportAccess> = One(ExportAccess::Lost);
/// Grants that cannot read the export.
pub(crate) const EXPORT_REFUSED: One<ExportAccess> = One(ExportAccess::Refused);
/// Grants that a person began on our page.
pub(crate) const BEGUN_BY_PAGE: One<GrantBegunBy> = One(GrantBegunBy::Page);
/// Deliveries that are to be sent.
pub(crate) const PENDING_DELIVERY: One<DeliveryState> = One(DeliveryState::Pending);
/// Deliveries that were given up.
pub(crate) const DEAD_DELIVERY: One<DeliveryState> = One(DeliveryState::Dead);
/// Chunks that are to be embedded once they are due.
pub(crate) const CHUNK_TO_EMBED: AnyOf<ChunkState> = AnyOf(ChunkState::TO_EMBED);
/// Chunks whose tries are not counted anew when they move.
pub(crate) const SETTLED_CHUNK: AnyOf<ChunkState> = AnyOf(ChunkState::SETTLED);
/// Chunks that wait for their vector.
pub(crate) const WAITING_CHUNK: One<ChunkState> = One(ChunkState::Waiting);
/// Chunks that have their vector.
pub(crate) const EMBEDDED_CHUNK: One<ChunkState> = One(ChunkState::Embedded);
/// Chunks that were tried too often.
pub(crate) const FAILED_CHUNK: One<ChunkState> = One(ChunkState::Failed);
/// Files that are stored and current.
pub(crate) const READY_FILE: One<FileStatus> = One(FileStatus::Ready);
/// Files that show an error.
pub(crate) const FILE_ERROR: One<FileStatus> = One(FileStatus::SyncError);
/// What is shown of a family of connections: what is under way first, then what failed.
pub(crate) const STATUS_ORDER: OrderOf<DataSourceStatus> =
    OrderOf(&[DataSourceStatus::Syncing, DataSourceStatus::Queued, DataSourceStatus::Error]);

/// A name as an SQL literal: `'running'`.
#[derive(Clone, Copy)]
pub(crate) struct One<N>(pub(crate) N);

impl<N: Name> fmt::Display for One<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "'{}'", self.0.as_str())
    }
}

/// Names as an SQL list: `('queued', 'running')`. There is at least one.
#[derive(Clone, Copy)]
pub(crate) struct AnyOf<N: 'static>(pub(crate) &'static [N]);

impl<N: Name> fmt::Display for AnyOf<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&list(self.0))
    }
}

/// The branches of an SQL `case` that ranks names: `when 'on_demand' then 0 when 'scheduled' then 1 else 2`.
#[derive(Clone, Copy)]
pub(crate) struct OrderOf<N: 'static>(pub(crate) &'static [N]);

impl<N: Name> fmt::Display for OrderOf<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (rank, name) in self.0.iter().enumerate() {
            write!(f, "when {} then {rank} ", One(*name))?;
        }
        write!(f, "else {}", self.0.len())
    }
}

fn list<N: Name>(names: &[N]) -> String {
    let names: Vec<String> = names.iter().map(|name| One(*name).to_string()).collect();
    format!("({})", names.join(", "))
}

/// One event as SQL, made from the model's transitions.
pub(crate) struct Step {
    /// The list of states that the event can find: `('pending', 'released')`.
    pub(crate) from: String,
    /// The new state, as an expression over the old one: `'running'`.
    pub(crate) to: String,
}

impl Step {
    /// The step of rows whose state is in the column `state`.
    pub(crate) fn of<M: Machine>(event: M::Event) -> Self {
        let edges: Vec<(M, M)> = M::ALL.iter().filter_map(|from| Some((*from, from.after(event)?))).collect();
        let from: Vec<M> = edges.iter().map(|(from, _)| *from).collect();
        let to = match edges.split_first() {
            Some(((_, first), rest)) if rest.iter().all(|(_, to)| to == first) => One(*first).to_string(),
            _ => {
                let branches: Vec<String> =
                    edges.iter().map(|(from, to)| format!("when {} then {}", One(*from), One(*to))).collect();
                format!("case state {} end", branches.join(" "))
            }
        };
        Self { from: list(&from), to }
    }
}

#[cfg(test)]
mod tests {
    use helpsync_model::{RunEvent, ShardEvent};

    use super::*;

    #[test]
    fn a_step_names_every_state_that_its_event_can_find_and_where_each_goes() {
        let start = Step::of::<ShardState>(ShardEvent::Started);
        assert_eq!((start.from.as_str(), start.to.as_str()), ("('pending', 'released')", "'running'"));
        let start = Step::of::<RunState>(RunEvent::ShardStarted);
        assert_eq!(start.from, ACTIVE_RUN.to_string());
        assert_eq!(
            start.to,
            "case state when 'queued' then 'running' when 'running' then 'running' when 'finalizing' then 'finalizing' end"
        );
    }

    #[test]
    fn ranks_go_from_the_first_to_all_others() {
        assert_eq!(
            STATUS_ORDER.to_string(),
            "when 'SYNCING' then 0 when 'QUEUED_FOR_SYNCING' then 1 when 'SYNC_ERROR' then 2 else 3"
        );
    }
}
