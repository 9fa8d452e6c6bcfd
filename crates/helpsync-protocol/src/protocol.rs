//! The model: what can happen in each state.

use helpsync_model::{ShardEvent, ShardState, has_run_out, is_free};
use stateright::{Model, Property};

use crate::action::{Action, End};
use crate::bounds::{Bounds, Break};
use crate::processes::{Dispatcher, Faults, OF_EACH, Seen, State, Worker};
use crate::properties;
use crate::rows::{RUNS, Rows, SLOTS, Shard, ShardAt};

/// How long a released shard is waited for, in thirds of a lease.
const LOST_AFTER: i64 = 1;
/// A sweep is taken to look at the very end of a third of a lease: the worst moment for who is about to renew.
const SWEEP_LATENESS: i64 = 1;

/// The protocol within bounds.
#[derive(Debug, Clone, Copy)]
pub struct Protocol {
    /// How far.
    pub bounds: Bounds,
    /// States that differ only in which of two equal processes does what are taken for one. Paths then call one process
    /// by changing names, so stories are told without.
    pub folded: bool,
}

impl Protocol {
    /// The protocol within these bounds.
    #[must_use]
    pub const fn new(bounds: Bounds) -> Self {
        Self { bounds, folded: true }
    }

    pub(crate) fn lacks(&self, part: Break) -> bool {
        self.bounds.without == Some(part)
    }

    /// The same with two processes of a kind told apart, for stories.
    #[must_use]
    pub const fn unfolded(bounds: Bounds) -> Self {
        Self { bounds, folded: false }
    }

    /// What the dispatchers' clocks show when those of the workers show 0. That they are ahead is the worst case: leases
    /// end early. Where they are behind, or two of a kind differ, leases end later, as if time had not passed yet.
    pub(crate) fn dispatchers_clock(&self) -> i64 {
        i64::from(self.bounds.clocks_apart)
    }

    /// Whether a sweep ends the shard's lease. A row in a transaction is passed over.
    pub(crate) fn sweeps(&self, state: &State, at: ShardAt, shard: &Shard) -> bool {
        let now = self.dispatchers_clock() + SWEEP_LATENESS;
        shard.state.after_is_some(ShardEvent::LeaseExpired)
            && has_run_out(shard.lease.map(i64::from), now)
            && !self.is_locked(state, at)
    }

    pub(crate) fn is_locked(&self, state: &State, at: ShardAt) -> bool {
        let ends = |worker: &Worker| matches!(worker, Worker::Ends { shard, .. } if *shard == at);
        !self.lacks(Break::FinalizeLock) && state.workers.iter().any(ends)
    }

    /// Whether a sweep takes the shard's message for lost: it is, or it is late.
    fn misses_message(&self, state: &State, at: ShardAt, shard: &Shard) -> bool {
        let lost = i64::from(shard.released_at) < self.dispatchers_clock() - LOST_AFTER;
        shard.state == ShardState::Released
            && !state.rows.waits_in_outbox(at, shard)
            && if state.is_announced(at) { state.faults.delays > 0 } else { lost }
    }

    fn dispatcher_actions(&self, state: &State, by: u8, actions: &mut Vec<Action>) {
        let doing = &state.dispatchers[usize::from(by)];
        match doing {
            Dispatcher::Idle => {
                let due = |at: &ShardAt| {
                    state.rows.shard(*at).is_some_and(|shard| shard.state == ShardState::Pending)
                };
                actions.extend(ShardAt::all().filter(due).map(|shard| Action::Look { by, shard }));
                let rows = (0_u8..).zip(&state.rows.outbox);
                let free = rows.filter(|(_, row)| {
                    is_free(row.lease.map(i64::from), self.dispatchers_clock()) || state.faults.delays > 0
                });
                actions.extend(free.map(|(row, _)| Action::Claim { by, row }));
            }
            Dispatcher::Looked { published: false, .. } if self.lacks(Break::CommitBeforePublish) => {
                actions.push(Action::PublishEarly { by });
            }
            Dispatcher::Looked { .. } => actions.push(Action::Release { by }),
            Dispatcher::Claimed(_) => {
                actions.push(Action::Publish { by, stored: true });
                if state.faults.losses > 0 {
                    actions.push(Action::Publish { by, stored: false });
                }
            }
            Dispatcher::Published { .. } => actions.push(Action::SettleOutbox { by }),
        }
        if state.faults.crashes > 0 && *doing != Dispatcher::Idle {
            actions.push(Action::CrashDispatcher { by });
        }
    }

    /// The sweep runs beside whatever else its process does, and remembers nothing.
    fn sweeps_of(&self, state: &State, actions: &mut Vec<Action>) {
        let mut leases = false;
        for at in ShardAt::all() {
            let Some(shard) = state.rows.shard(at) else { continue };
            leases |= self.sweeps(state, at, shard);
            if self.misses_message(state, at, shard) {
                actions.push(Action::SweepMessage { shard: at });
            }
        }
        if leases {
            actions.push(Action::SweepLeases);
        }
    }

    fn worker_actions(&self, state: &State, by: u8, actions: &mut Vec<Action>) {
        let doing = &state.workers[usize::from(by)];
        match doing {
            Worker::Idle => {
                let ready = ShardAt::all().filter(|at| state.queued(*at) > 0);
                actions.extend(ready.map(|shard| Action::Deliver { to: by, shard }));
            }
            Worker::Holds(_) => actions.push(Action::Start { by }),
            Worker::Works { asleep: true, .. } => actions.push(Action::Wake { by }),
            Worker::Works { shard, wrote, .. } => {
                let kind = shard.kind();
                let writes = matches!(
                    kind,
                    helpsync_model::ShardKind::WalkList | helpsync_model::ShardKind::FindRemoved
                );
                if writes && !wrote {
                    actions.push(Action::Write { by });
                } else {
                    self.ends(state, by, *shard, End::Done, actions);
                }
                if state.faults.put_backs > 0 {
                    self.ends(state, by, *shard, End::PutBack, actions);
                }
                if state.faults.failures > 0 {
                    self.ends(state, by, *shard, End::Failed, actions);
                }
                if state.faults.sleeps > 0 {
                    actions.push(Action::Sleep { by });
                }
            }
            Worker::Ends { next, .. } => {
                actions.push(Action::Commit { by });
                if next.is_some() {
                    actions.push(Action::GoOn { by });
                }
            }
            Worker::Settles(_) => actions.push(Action::Acknowledge { by }),
        }
        if state.faults.crashes > 0 && *doing != Worker::Idle {
            actions.push(Action::CrashWorker { by });
        }
    }

    /// The end of a shard, unless another one of the run is being ended: that holds the run's row, and this one waits.
    fn ends(&self, state: &State, by: u8, at: ShardAt, end: End, actions: &mut Vec<Action>) {
        let holds_run = |worker: &Worker| matches!(worker, Worker::Ends { shard, end, .. } if shard.run == at.run && *end != End::PutBack);
        let waits =
            end != End::PutBack && !self.lacks(Break::FinalizeLock) && state.workers.iter().any(holds_run);
        if !waits {
            actions.push(Action::Count { by, end });
        }
    }

    fn queue_actions(state: &State, actions: &mut Vec<Action>) {
        for shard in ShardAt::all().filter(|at| state.queued(*at) > 0) {
            if state.faults.losses > 0 {
                actions.push(Action::Lose { shard });
            }
            if state.faults.doubles > 0 {
                actions.push(Action::Double { shard });
            }
        }
    }

    fn people_actions(&self, state: &State, actions: &mut Vec<Action>) {
        let active = state.rows.connection == helpsync_model::ConnectionState::Active;
        let room = state.rows.runs.iter().any(Option::is_none);
        if state.faults.requests > 0 && active && room {
            actions.push(Action::Request);
        }
        // Whoever ends a shard shares the connection's row, and these want it alone.
        let ending = state.workers.iter().any(|worker| matches!(worker, Worker::Ends { .. }));
        if state.faults.interrupts > 0 && active && (!ending || self.lacks(Break::FinalizeLock)) {
            let runs = state.rows.runs.iter().flatten().any(|run| run.state.is_active());
            if runs {
                actions.push(Action::Cancel);
                actions.push(Action::Disconnect);
            }
            if room {
                actions.push(Action::Reconnect);
            }
        }
    }
}

/// Whether an event does anything to a state.
trait After {
    fn after_is_some(self, event: ShardEvent) -> bool;
}

impl After for ShardState {
    fn after_is_some(self, event: ShardEvent) -> bool {
        helpsync_model::Machine::after(self, event).is_some()
    }
}

impl Model for Protocol {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        vec![State {
            rows: Rows::first(),
            queue: [[0; SLOTS]; RUNS],
            dispatchers: [Dispatcher::Idle; OF_EACH],
            workers: [Worker::Idle; OF_EACH],
            faults: Faults::of(&self.bounds),
            seen: Seen::default(),
        }]
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        // Nothing else can tell whether a message is acknowledged now or later, unless its worker is killed before.
        let settles = |worker: &Worker| matches!(worker, Worker::Settles(_));
        if self.folded
            && state.faults.crashes == 0
            && let Some(by) = (0_u8..).zip(&state.workers).find_map(|(by, it)| settles(it).then_some(by))
        {
            actions.push(Action::Acknowledge { by });
            return;
        }
        if !self.lacks(Break::Sweeper) {
            self.sweeps_of(state, actions);
        }
        for by in [0, 1] {
            self.dispatcher_actions(state, by, actions);
            self.worker_actions(state, by, actions);
        }
        Self::queue_actions(state, actions);
        self.people_actions(state, actions);
        actions.push(Action::Tick { silent: None });
        if state.faults.silences > 0 {
            for by in [0, 1] {
                if matches!(state.workers[usize::from(by)], Worker::Works { asleep: false, .. }) {
                    actions.push(Action::Tick { silent: Some(by) });
                }
            }
        }
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        let mut next = state.clone();
        self.perform(&mut next, action)?;
        if self.folded {
            next.fold();
        }
        // Time that passes without any effect is no step.
        (next != *state).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        properties::all()
    }
}
