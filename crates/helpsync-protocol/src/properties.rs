//! What must hold in every state, and what must be met at all, lest a model that does nothing passes.

use helpsync_model::{RunState, ShardState};
use stateright::{Model as _, Property};

use crate::processes::State;
use crate::protocol::Protocol;
use crate::rows::{Run, Shard, ShardAt};

/// An active run has an open shard, and no open shard is left when nothing can happen any more.
pub const NO_SHARD_LOST: &str = "no shard is lost";
/// No write counts that was begun under an older epoch or attempt.
pub const NO_STALE_WRITE: &str = "no write under a stale fence";
/// The end of a run is recorded once, and it is ended from then on.
pub const ONE_END: &str = "a run ends exactly once";
/// Nothing is removed by a run of which a walk did not end well.
pub const NO_UNCLEAN_REMOVAL: &str = "removal never after an unclean listing";
/// When nothing can happen any more every run has ended, and every request has had one.
pub const ENDS: &str = "everything accepted ends";
/// While the queue loses nothing, every released shard has a message on its way: the sweeper is needed for lost messages
/// and dead workers, and not for the protocol's own steps.
pub const MESSAGE_KEPT: &str = "a message is lost by the queue only";
/// Nobody takes a shard from a worker that is awake and renews, while clocks are no further apart than the margin.
pub const LEASE_KEPT: &str = "a lease outlives a missed renewal";

/// Of what an execution can come to, these are met only if the bounds allow for it.
pub const MET_DONE: &str = "met: a run is done";
/// See [`MET_DONE`].
pub const MET_FAILED: &str = "met: a run failed";
/// See [`MET_DONE`].
pub const MET_CANCELLED: &str = "met: a run is cancelled";
/// See [`MET_DONE`].
pub const MET_REMOVAL: &str = "met: a removal after a clean listing";
/// See [`MET_DONE`].
pub const MET_REFUSED: &str = "met: a write that the fence refuses";
/// See [`MET_DONE`].
pub const MET_SECOND: &str = "met: the run after the first is done";

pub(crate) fn all() -> Vec<Property<Protocol>> {
    vec![
        Property::always(NO_SHARD_LOST, |model, state: &State| {
            let idle = |run: &Run| run.state.is_active() && run.count(Shard::is_open) == 0;
            let stranded = has_open_shard(state) && is_over(model, state);
            !stranded && !state.rows.runs.iter().flatten().any(idle)
        }),
        Property::always(NO_STALE_WRITE, |_, state: &State| !state.seen.stale_write),
        Property::always(ONE_END, |_, state: &State| {
            state.rows.runs.iter().flatten().all(|run| run.ends == u8::from(!run.state.is_active()))
        }),
        Property::always(NO_UNCLEAN_REMOVAL, |_, state: &State| !state.seen.unclean_removal),
        Property::always(ENDS, |model, state: &State| has_all_ended(state) || !is_over(model, state)),
        Property::always(MESSAGE_KEPT, |_, state: &State| {
            state.seen.queue_failed
                || ShardAt::all().all(|at| !is_released(state, at) || state.is_announced(at))
        }),
        Property::always(LEASE_KEPT, |_, state: &State| !state.seen.robbed),
        Property::sometimes(MET_DONE, |_, state: &State| met_run(state, RunState::Done)),
        Property::sometimes(MET_FAILED, |_, state: &State| met_run(state, RunState::Failed)),
        Property::sometimes(MET_CANCELLED, |_, state: &State| met_run(state, RunState::Cancelled)),
        Property::sometimes(MET_REMOVAL, |_, state: &State| state.seen.removal),
        Property::sometimes(MET_REFUSED, |_, state: &State| state.seen.refused),
        Property::sometimes(MET_SECOND, |_, state: &State| {
            state.rows.run(1).is_some_and(|run| run.state == RunState::Done)
        }),
    ]
}

fn met_run(state: &State, end: RunState) -> bool {
    state.rows.runs.iter().flatten().any(|run| run.state == end)
}

fn is_released(state: &State, at: ShardAt) -> bool {
    state.rows.shard(at).is_some_and(|shard| shard.state == ShardState::Released)
}

fn has_open_shard(state: &State) -> bool {
    ShardAt::all().any(|at| state.rows.shard(at).is_some_and(Shard::is_open))
}

fn has_all_ended(state: &State) -> bool {
    state.rows.runs.iter().flatten().all(|run| !run.state.is_active()) && !state.seen.request_waits
}

/// Whether nothing can happen any more.
fn is_over(model: &Protocol, state: &State) -> bool {
    let mut actions = Vec::new();
    model.actions(state, &mut actions);
    actions.into_iter().all(|action| model.next_state(state, action).is_none())
}
