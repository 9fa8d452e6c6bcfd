//! Time: what a third of a lease does to leases and releases.

use helpsync_model::{RENEWALS_PER_LEASE, SILENT_RENEWALS_MAX, ShardState};

use crate::processes::{Dispatcher, State, Worker};
use crate::protocol::Protocol;
use crate::rows::ShardAt;

/// Of a shard, in thirds of it.
pub(crate) const LEASE: i64 = RENEWALS_PER_LEASE as i64;
/// Of a message of the outbox, in thirds of a shard's lease.
pub(crate) const OUTBOX_LEASE: i64 = 1;
/// A time so far in the past that no clock thinks otherwise.
const LONG_AGO: i8 = -2;

impl Protocol {
    /// A third of a lease passes, at the end of which every worker that is awake renews its lease. Only what nobody
    /// attends to grows older: a row in a transaction is passed over by the sweeper, and a message that is on its way, or
    /// a relay that works, is late by a delay.
    pub(crate) fn tick(&self, state: &mut State, silent: Option<u8>) -> Option<()> {
        if silent.is_some() {
            state.faults.silences = state.faults.silences.checked_sub(1)?;
        }
        for at in ShardAt::all() {
            let forgotten = !state.is_announced(at);
            let locked = self.is_locked(state, at);
            let Some(shard) = state.rows.shard_mut(at) else { continue };
            if !locked {
                shard.lease = shard.lease.map(|until| (until - 1).max(LONG_AGO));
            }
            if shard.state == ShardState::Released && forgotten {
                shard.released_at = (shard.released_at - 1).max(LONG_AGO);
            }
        }
        let dispatchers = state.dispatchers;
        for row in &mut state.rows.outbox {
            let has_it = |doing: &Dispatcher| match doing {
                Dispatcher::Claimed(message) | Dispatcher::Published { message, .. } => {
                    (message.shard, message.announces, message.claims)
                        == (row.shard, row.announces, row.claims)
                }
                Dispatcher::Idle | Dispatcher::Looked { .. } => false,
            };
            if !dispatchers.iter().any(has_it) {
                row.lease = row.lease.map(|until| (until - 1).max(LONG_AGO));
            }
        }
        state.rows.outbox.sort_unstable();
        for by in [0, 1] {
            renew(state, by, silent == Some(by));
        }
        Some(())
    }
}

/// As rows hold it.
pub(crate) fn time(at: i64) -> i8 {
    i8::try_from(at).unwrap_or(i8::MAX)
}

fn renew(state: &mut State, by: u8, goes_unanswered: bool) {
    let worker = &mut state.workers[usize::from(by)];
    let Worker::Works { shard: at, fence, asleep: false, late, silent, message, .. } = worker else { return };
    let (at, message, attempt) = (*at, *message, fence.attempt);
    if goes_unanswered {
        *silent += 1;
        if u32::from(*silent) > SILENT_RENEWALS_MAX {
            *worker = Worker::Settles(message);
        }
        return;
    }
    (*silent, *late) = (0, false);
    match state.rows.shard_mut(at) {
        Some(shard) if i64::from(shard.attempt) == attempt && shard.lease.is_some() => {
            shard.lease = Some(time(LEASE));
        }
        _ => *worker = Worker::Settles(message),
    }
}
