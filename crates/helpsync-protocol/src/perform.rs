//! What each step does. The table in docs/protocol.md says which function of the product each one stands for.

use helpsync_model::{
    Advance, ConnectionState, FenceNumbers, RunAt, RunEvent, RunKind, ShardEvent, ShardKind, ShardState,
    Startable, is_free,
};

use crate::action::{Action, End};
use crate::bounds::Break;
use crate::people::{people, serve_pending_request};
use crate::processes::{Dispatcher, State, Worker};
use crate::protocol::Protocol;
use crate::rows::{Message, Run, Shard, ShardAt};
use crate::time::{LEASE, OUTBOX_LEASE, time};

impl Protocol {
    /// `None`: it cannot happen.
    pub(crate) fn perform(&self, state: &mut State, action: Action) -> Option<()> {
        match action {
            Action::Look { by, shard } => {
                let attempt = state.rows.shard(shard)?.attempt;
                let published = false;
                state.dispatchers[usize::from(by)] = Dispatcher::Looked { shard, attempt, published };
            }
            Action::PublishEarly { by } => publish_early(state, by)?,
            Action::Release { by } => self.release(state, by)?,
            Action::Claim { by, row } => {
                let message = state.rows.outbox.get_mut(usize::from(row))?;
                if !is_free(message.lease.map(i64::from), self.dispatchers_clock()) {
                    // Its relay is slow, and its claim ran out.
                    state.faults.delays = state.faults.delays.checked_sub(1)?;
                }
                message.lease = Some(time(self.dispatchers_clock() + OUTBOX_LEASE));
                message.claims += 1;
                state.dispatchers[usize::from(by)] = Dispatcher::Claimed(*message);
            }
            Action::Publish { by, stored } => publish(state, by, stored)?,
            Action::SettleOutbox { by } => settle_outbox(state, by)?,
            Action::SweepLeases => self.sweep_leases(state),
            Action::SweepMessage { shard } => {
                if state.is_announced(shard) {
                    state.faults.delays = state.faults.delays.checked_sub(1)?;
                    state.seen.queue_failed = true;
                }
                state.rows.shard_mut(shard)?.step(ShardEvent::MessageLost);
            }
            Action::CrashDispatcher { by } => {
                state.faults.crashes = state.faults.crashes.checked_sub(1)?;
                state.dispatchers[usize::from(by)] = Dispatcher::Idle;
            }
            Action::Lose { shard } => {
                state.faults.losses = state.faults.losses.checked_sub(1)?;
                state.seen.queue_failed = true;
                *state.queued_mut(shard) -= 1;
            }
            Action::Double { shard } => {
                state.faults.doubles = state.faults.doubles.checked_sub(1)?;
                *state.queued_mut(shard) += 1;
            }
            Action::Tick { silent } => self.tick(state, silent)?,
            Action::Request | Action::Cancel | Action::Disconnect | Action::Reconnect => {
                people(state, action)?;
            }
            _ => self.perform_of_worker(state, action)?,
        }
        Some(())
    }

    fn perform_of_worker(&self, state: &mut State, action: Action) -> Option<()> {
        match action {
            Action::Deliver { to, shard } => {
                *state.queued_mut(shard) -= 1;
                state.workers[usize::from(to)] = Worker::Holds(shard);
            }
            Action::Start { by } => self.start(state, by)?,
            Action::Write { by } => self.write(state, by)?,
            Action::Count { by, end } => self.count(state, by, end)?,
            Action::Commit { by } => self.commit(state, by)?,
            Action::GoOn { by } => {
                let Worker::Ends { next, message, .. } = state.workers[usize::from(by)] else { return None };
                self.commit(state, by)?;
                take(state, by, next?, message)?;
            }
            Action::Acknowledge { by } => state.workers[usize::from(by)] = Worker::Idle,
            Action::Sleep { by } => {
                state.faults.sleeps = state.faults.sleeps.checked_sub(1)?;
                let Worker::Works { asleep, late, .. } = &mut state.workers[usize::from(by)] else {
                    return None;
                };
                (*asleep, *late) = (true, true);
            }
            Action::Wake { by } => {
                let Worker::Works { asleep, .. } = &mut state.workers[usize::from(by)] else { return None };
                *asleep = false;
            }
            Action::CrashWorker { by } => {
                state.faults.crashes = state.faults.crashes.checked_sub(1)?;
                let held = state.workers[usize::from(by)].holds()?;
                // The queue hands out again what was not acknowledged. An open transaction leaves nothing.
                if !self.lacks(Break::AcknowledgeLast) {
                    *state.queued_mut(held) += 1;
                }
                state.workers[usize::from(by)] = Worker::Idle;
            }
            _ => return None,
        }
        Some(())
    }

    fn release(&self, state: &mut State, by: u8) -> Option<()> {
        let released_at = time(self.dispatchers_clock());
        let doing = std::mem::replace(&mut state.dispatchers[usize::from(by)], Dispatcher::Idle);
        let Dispatcher::Looked { shard: at, attempt, published } = doing else { return None };
        let shard = state.rows.shard_mut(at)?;
        if !shard.step(ShardEvent::Released) {
            return Some(());
        }
        shard.released_at = released_at;
        shard.release += 1;
        let announces = (attempt, shard.release);
        if !published {
            // Whoever releases publishes.
            let lease = Some(time(self.dispatchers_clock() + OUTBOX_LEASE));
            let message = Message { shard: at, announces, lease, claims: 1 };
            state.rows.outbox.push(message);
            state.rows.outbox.sort_unstable();
            state.dispatchers[usize::from(by)] = Dispatcher::Claimed(message);
        }
        Some(())
    }

    fn sweep_leases(&self, state: &mut State) {
        let expired: Vec<ShardAt> = ShardAt::all()
            .filter(|at| state.rows.shard(*at).is_some_and(|shard| self.sweeps(state, *at, shard)))
            .collect();
        for at in expired {
            let Some(shard) = state.rows.shard_mut(at) else { continue };
            let attempt = i64::from(shard.attempt);
            shard.step(ShardEvent::LeaseExpired);
            state.seen.robbed |= state.workers.iter().any(|worker| {
                matches!(worker, Worker::Works { shard, fence, late: false, .. }
                    if *shard == at && fence.attempt == attempt)
            });
        }
    }

    fn start(&self, state: &mut State, by: u8) -> Option<()> {
        let Worker::Holds(at) = state.workers[usize::from(by)] else { return None };
        let run = state.rows.run(at.run)?;
        let startable = Startable {
            shard: state.rows.shard(at)?.state,
            run: run.state,
            connection: state.rows.connection,
            epoch_is_current: run.epoch == state.rows.epoch,
        };
        if !startable.may_start() {
            state.workers[usize::from(by)] = Worker::Settles(at);
            return Some(());
        }
        take(state, by, at, at)
    }

    /// Whether the fence lets a write pass.
    fn admits(&self, state: &State, at: ShardAt, fence: FenceNumbers) -> bool {
        let Some((now, shard)) = state.rows.numbers(at).zip(state.rows.shard(at)) else { return false };
        let compared = FenceNumbers {
            epoch: if self.lacks(Break::Epoch) || self.lacks(Break::EpochOfConnection) {
                now.epoch
            } else {
                fence.epoch
            },
            attempt: if self.lacks(Break::Epoch) || self.lacks(Break::Attempt) {
                now.attempt
            } else {
                fence.attempt
            },
        };
        compared.admit(now, shard.state)
    }

    /// Whether a write is one of the worker that the shard belongs to, whatever the fence says.
    fn is_rightful(state: &State, at: ShardAt, fence: FenceNumbers) -> bool {
        let Some((now, shard)) = state.rows.numbers(at).zip(state.rows.shard(at)) else { return false };
        let runs = state.rows.run(at.run).is_some_and(|run| run.state.is_active());
        now == fence && shard.state == ShardState::Running && runs
    }

    fn write(&self, state: &mut State, by: u8) -> Option<()> {
        let Worker::Works { shard: at, fence, message, .. } = state.workers[usize::from(by)] else {
            return None;
        };
        if !self.admits(state, at, fence) {
            state.seen.refused = true;
            state.workers[usize::from(by)] = Worker::Settles(message);
            return Some(());
        }
        state.seen.stale_write |= !Self::is_rightful(state, at, fence);
        if at.kind() == ShardKind::FindRemoved {
            let clean = state.rows.run(at.run)?.is_listed_cleanly();
            state.seen.unclean_removal |= !clean;
            state.seen.removal |= clean;
        }
        if let Worker::Works { wrote, .. } = &mut state.workers[usize::from(by)] {
            *wrote = true;
        }
        Some(())
    }

    /// The first half of the transaction that ends a shard: the fence, and what is open beside it.
    fn count(&self, state: &mut State, by: u8, end: End) -> Option<()> {
        let Worker::Works { shard: at, fence, message, .. } = state.workers[usize::from(by)] else {
            return None;
        };
        match end {
            End::Done => {}
            End::PutBack => state.faults.put_backs = state.faults.put_backs.checked_sub(1)?,
            End::Failed => state.faults.failures = state.faults.failures.checked_sub(1)?,
        }
        if !self.admits(state, at, fence) {
            state.seen.refused = true;
            state.workers[usize::from(by)] = Worker::Settles(message);
            return Some(());
        }
        let run = state.rows.run(at.run)?;
        let plans = end == End::Done && at.kind() == ShardKind::Plan;
        let added = u64::from(if plans { self.walks(at.run) } else { 0 });
        let open = run.count(Shard::is_open) - 1 + added;
        let failed = run.count(|shard| shard.state == ShardState::Failed) + u64::from(end == End::Failed);
        let stage = if plans { run.stage.planned(ShardKind::Plan) } else { run.stage };
        let at_now = RunAt { state: run.state, stage, kind: RunKind::Full };
        let advance = match end {
            End::PutBack => Advance::Nothing,
            End::Done if at.kind() == ShardKind::Finalize => Advance::Nothing,
            _ => at_now.advance(open, if self.lacks(Break::CleanListing) { 0 } else { failed }),
        };
        let next = match advance {
            Advance::Begins { first, .. } => Some(ShardAt::of(at.run, first)),
            _ if added == 1 && open == 1 => Some(ShardAt::of(at.run, ShardKind::WalkList)),
            _ => None,
        };
        let next = next.filter(|_| state.rows.connection == ConnectionState::Active);
        state.workers[usize::from(by)] =
            Worker::Ends { shard: at, fence, end, advance, failed: failed > 0, next, message };
        Some(())
    }

    fn walks(&self, run: u8) -> u8 {
        if run == 0 { self.bounds.walks } else { 1 }
    }

    /// The second half: what was decided is written and committed.
    fn commit(&self, state: &mut State, by: u8) -> Option<()> {
        let Worker::Ends { shard: at, fence, end, advance, failed, message, .. } =
            state.workers[usize::from(by)]
        else {
            return None;
        };
        state.workers[usize::from(by)] = Worker::Settles(message);
        state.seen.stale_write |= !Self::is_rightful(state, at, fence);
        let walks = self.walks(at.run);
        state.rows.shard_mut(at)?.step(match end {
            End::Done => ShardEvent::Done,
            End::PutBack => ShardEvent::PutBack,
            End::Failed => ShardEvent::Failed,
        });
        let run = state.rows.run_mut(at.run)?;
        if end == End::Done && at.kind() == ShardKind::Plan {
            run.stage = run.stage.planned(ShardKind::Plan);
            run.add_walks(walks);
        }
        if let Advance::Begins { stage, first } = advance {
            run.stage = stage;
            run.step(RunEvent::StageBegun(stage));
            run.add(first);
        }
        let finalizes = end == End::Done && at.kind() == ShardKind::Finalize;
        if finalizes || advance == Advance::Fails {
            self.end_run(run, RunEvent::Finalized { failed });
            if finalizes || !self.lacks(Break::RequestOutlivesFailure) {
                serve_pending_request(state, at.run);
            }
        }
        Some(())
    }

    /// Without the lock the end is written as it was decided, whatever has become of the run since.
    fn end_run(&self, run: &mut Run, event: RunEvent) {
        if !run.step(event) && self.lacks(Break::FinalizeLock) {
            run.ends += 1;
        }
    }
}

/// Gives a shard that may be started to a worker, which has the message of the same or of the one before.
fn take(state: &mut State, by: u8, at: ShardAt, message: ShardAt) -> Option<()> {
    let run = state.rows.run_mut(at.run)?;
    run.step(RunEvent::ShardStarted);
    let epoch = i64::from(run.epoch);
    let shard = state.rows.shard_mut(at)?;
    shard.step(ShardEvent::Started);
    shard.attempt += 1;
    shard.lease = Some(time(LEASE));
    let fence = FenceNumbers { epoch, attempt: i64::from(shard.attempt) };
    state.workers[usize::from(by)] =
        Worker::Works { shard: at, fence, wrote: false, asleep: false, late: false, silent: 0, message };
    Some(())
}

fn publish_early(state: &mut State, by: u8) -> Option<()> {
    let Dispatcher::Looked { shard, published, .. } = &mut state.dispatchers[usize::from(by)] else {
        return None;
    };
    *published = true;
    let at = *shard;
    *state.queued_mut(at) += 1;
    Some(())
}

fn publish(state: &mut State, by: u8, stored: bool) -> Option<()> {
    let Dispatcher::Claimed(message) = state.dispatchers[usize::from(by)] else { return None };
    if stored {
        *state.queued_mut(message.shard) += 1;
    } else {
        state.faults.losses = state.faults.losses.checked_sub(1)?;
    }
    state.dispatchers[usize::from(by)] = Dispatcher::Published { message, stored };
    Some(())
}

/// Stored is stored: the row goes, whoever holds it now. A refused message is put back, unless another relay has it.
fn settle_outbox(state: &mut State, by: u8) -> Option<()> {
    let Dispatcher::Published { message, stored } = state.dispatchers[usize::from(by)] else { return None };
    state.dispatchers[usize::from(by)] = Dispatcher::Idle;
    let is_it = |row: &Message| row.shard == message.shard && row.announces == message.announces;
    if stored {
        state.rows.outbox.retain(|row| !is_it(row));
    } else if let Some(row) =
        state.rows.outbox.iter_mut().find(|row| is_it(row) && row.claims == message.claims)
    {
        row.lease = None;
        state.rows.outbox.sort_unstable();
    }
    Some(())
}
