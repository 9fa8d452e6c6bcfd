//! The day itself: one event after the other. What decides is the product's own: schedules, the release, the stages of a run,
//! the budget of an account, the plans of the engine. What is simulated are Zendesk, the queue and the workers' slots.

mod queue;

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

use helpsync_coordinator::{Budget, DEFAULT_WINDOW, Report, Step, Terms};
use helpsync_model::{
    Advance, Lane, Machine as _, RunAt, RunEvent, RunKind, RunParams, RunState, ShardKind, ShardParams, Stage,
};
use helpsync_store::next_slot;

use self::queue::{LaneState, Slot};
use super::population::{Customer, DAY_MS, Population, Wanted};
use super::tally::{Cost, Lateness, Tally};
use super::task::{Run, Task};
use super::{Installed, MIDNIGHT};

/// From the release of a shard until a worker has begun with it, when a slot is free, in ms.
const MESSAGE_MS: i64 = 10;
/// Calls of Redis for a request: a permit, and how it ended.
const REDIS_PER_REQUEST: f64 = 2.0;

/// Who runs in a slot.
#[derive(Debug)]
struct Shard {
    run: i64,
    params: ShardParams,
    task: Task,
    /// Which slot it has, if any.
    slot: Option<Slot>,
    /// Requests that it has sent.
    asked: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// The dispatcher looks for due schedules.
    Tick,
    Wanted(u32, Wanted),
    /// A shard that was put off is due.
    Due(i64),
    Ask(i64),
    Answered(i64),
    End(i64),
}

#[derive(Debug)]
pub(super) struct World<'a> {
    of: &'a Installed,
    population: Population,
    customers: Vec<Customer>,
    /// By slot, the last first.
    schedule: Vec<(i64, u32)>,
    events: BinaryHeap<Reverse<(i64, u64, Event)>>,
    number: u64,
    now: i64,
    runs: HashMap<i64, Run>,
    shards: HashMap<i64, Shard>,
    ids: i64,
    lanes: [LaneState; Lane::ALL.len()],
    free: usize,
    free_on_demand: usize,
    busy: usize,
    /// The lane whose turn at a free slot it is.
    next_lane: usize,
    budgets: HashMap<u32, Budget>,
    tally: Tally,
}

impl<'a> World<'a> {
    pub(super) fn new(of: &'a Installed, mut population: Population, customers: u32) -> Self {
        let mut made = Vec::with_capacity(customers as usize);
        let mut events = BinaryHeap::new();
        let (mut schedule, mut tally) = (Vec::new(), Tally::default());
        let mut number = 0;
        for id in 0..customers {
            let customer = population.customer(id, MIDNIGHT, of.interval_ms, of.audit_ms());
            for (at, wanted) in population.wanted(&customer, MIDNIGHT) {
                number += 1;
                events.push(Reverse((at, number, Event::Wanted(id, wanted))));
            }
            if customer.synced_at.is_some() {
                schedule.push((customer.next_slot, id));
            }
            tally.articles += u64::from(customer.articles);
            made.push(customer);
        }
        schedule.sort_unstable_by_key(|due| Reverse(*due));
        events.push(Reverse((MIDNIGHT + of.tick_ms, 0, Event::Tick)));
        Self {
            free: of.workers.saturating_mul(of.slots),
            free_on_demand: of.workers.saturating_mul(of.on_demand_slots),
            of,
            population,
            customers: made,
            schedule,
            events,
            number,
            now: MIDNIGHT,
            runs: HashMap::new(),
            shards: HashMap::new(),
            ids: 0,
            lanes: Default::default(),
            busy: 0,
            next_lane: 0,
            budgets: HashMap::new(),
            tally,
        }
    }

    /// Lets the day pass, and what it began end.
    pub(super) fn pass(mut self) -> Tally {
        while let Some(Reverse((at, _, event))) = self.events.pop() {
            let elapsed = at - self.now;
            self.now = at;
            let busy = self.busy as f64 * elapsed as f64;
            self.tally.at(at - MIDNIGHT).busy_ms += busy;
            self.happen(event);
            self.release();
            self.begin();
        }
        self.tally.sort();
        self.tally
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Tick => self.fire_due(),
            Event::Wanted(customer, wanted) => {
                let (kind, params, lateness) = match wanted {
                    Wanted::First => (RunKind::Full, RunParams::default(), Lateness::First),
                    Wanted::Sync => (RunKind::Delta, RunParams::default(), Lateness::Person),
                    Wanted::Article => (RunKind::Resync, RunParams::articles(vec![1]), Lateness::Event),
                };
                self.request(customer, kind, &params, lateness, self.now);
            }
            Event::Due(shard) => self.wait(shard),
            Event::Ask(shard) => self.ask(shard),
            Event::Answered(shard) => self.answered(shard),
            Event::End(shard) => self.end(shard),
        }
    }

    fn at(&mut self, time: i64, event: Event) {
        self.number += 1;
        self.events.push(Reverse((time, self.number, event)));
    }

    fn fire_due(&mut self) {
        while let Some((slot, id)) = self.schedule.pop_if(|(slot, _)| *slot <= self.now) {
            let next = next_slot(slot, self.of.interval_ms, self.now);
            self.customers[id as usize].next_slot = next;
            self.request(id, RunKind::Delta, &RunParams::default(), Lateness::Schedule, slot);
        }
        if self.now < MIDNIGHT + DAY_MS {
            self.at(self.now + self.of.tick_ms, Event::Tick);
        }
    }

    fn request(&mut self, id: u32, kind: RunKind, params: &RunParams, lateness: Lateness, wanted_at: i64) {
        let customer = &mut self.customers[id as usize];
        if kind != RunKind::Resync && std::mem::replace(&mut customer.syncing, true) {
            // The run under way serves it.
            self.tally.merged += 1;
            return;
        }
        customer.runs += 1;
        let (stage, first) = Stage::first(kind, params);
        let first = params.first_shard(first);
        let run = Run {
            customer: id,
            kind,
            lateness,
            state: RunState::Queued,
            stage,
            wanted_at,
            started_at: None,
            open: 0,
            ranges: 1,
            changed: 0,
            removed: 0,
        };
        self.tally.at(self.now - MIDNIGHT).runs += 1.0;
        self.spend(self.of.costs.run, 1.0);
        self.ids += 1;
        let id = self.ids;
        self.runs.insert(id, run);
        let shard = self.add(id, first);
        self.wait(shard);
    }

    fn spend(&mut self, cost: Cost, times: f64) {
        let spent = &mut self.tally.at(self.now - MIDNIGHT).cost;
        spent.worker_us += cost.worker_us * times;
        spent.postgres_us += cost.postgres_us * times;
        spent.transactions += cost.transactions * times;
        spent.statements += cost.statements * times;
    }

    fn add(&mut self, run: i64, params: ShardParams) -> i64 {
        self.ids += 1;
        self.shards.insert(self.ids, Shard { run, params, task: Task::End, slot: None, asked: 0 });
        if let Some(run) = self.runs.get_mut(&run) {
            run.open += 1;
        }
        self.tally.at(self.now - MIDNIGHT).shards += 1.0;
        self.ids
    }

    /// The customer and the lane of a shard.
    fn place(&self, shard: i64) -> Option<(u32, usize)> {
        let run = self.runs.get(&self.shards.get(&shard)?.run)?;
        let lane = Lane::ALL.iter().position(|lane| *lane == run.lateness.lane())?;
        Some((run.customer, lane))
    }

    /// Whoever has a slot begins with a shard.
    fn work(&mut self, id: i64, after_ms: i64) {
        let Some(shard) = self.shards.get(&id) else { return };
        let Some(run) = self.runs.get_mut(&shard.run) else { return };
        run.state = run.state.after(RunEvent::ShardStarted).unwrap_or(run.state);
        let customer = &self.customers[run.customer as usize];
        if run.started_at.is_none() {
            let began = self.now + after_ms;
            run.started_at = Some(began);
            self.tally.started_after[run.lateness as usize].add(began - run.wanted_at);
            if let (RunKind::Delta, Some(synced_at)) = (run.kind, customer.synced_at) {
                run.changed = self.population.changed(customer, began - synced_at);
                run.removed = self.population.removed(customer, began - synced_at);
            }
        }
        let begun = shard.asked > 0;
        let task = run.task(&shard.params, customer, self.now, self.of);
        if let Some(shard) = self.shards.get_mut(&id) {
            // One that was put off goes on where it was.
            shard.task = if begun { shard.task } else { task };
        }
        let next = if matches!(task, Task::End) { Event::End(id) } else { Event::Ask(id) };
        self.at(self.now + after_ms, next);
    }

    /// Asks for a permit.
    fn ask(&mut self, id: i64) {
        let Some((customer, _)) = self.place(id) else { return };
        let Some(shard) = self.shards.get_mut(&id) else { return };
        let terms = Terms {
            ceiling: self.of.requests_per_minute,
            concurrency: self.of.requests_at_once,
            reserve_percent: self.of.reserve_percent,
            ttl_us: 90_000_000,
            patience_us: micros(self.of.patience_ms),
            window_us: u64::try_from(DEFAULT_WINDOW.as_micros()).unwrap_or(u64::MAX),
        };
        let permit = format!("{id}-{}", shard.asked);
        let step = self.budgets.entry(customer).or_default().acquire(&permit, &terms, micros(self.now));
        let redis = &mut self.tally.at(self.now - MIDNIGHT).redis;
        match step {
            Step::Granted | Step::Repeated => {
                *redis += REDIS_PER_REQUEST;
                let answer = self.population.answer_ms();
                self.at(self.now + answer, Event::Answered(id));
            }
            Step::Throttled(wait_us, _) => {
                *redis += 1.0;
                self.tally.throttled += 1;
                let wait = i64::try_from(wait_us.div_ceil(1_000)).unwrap_or(i64::MAX);
                if wait <= self.of.patience_ms {
                    self.at(self.now + wait, Event::Ask(id));
                } else {
                    self.tally.snoozed += 1;
                    self.leave(id);
                    self.at(self.now + wait, Event::Due(id));
                }
            }
        }
    }

    fn answered(&mut self, id: i64) {
        let Some((customer_id, _)) = self.place(id) else { return };
        let Some(shard) = self.shards.get_mut(&id) else { return };
        let Some(run) = self.runs.get_mut(&shard.run) else { return };
        let permit = format!("{id}-{}", shard.asked);
        if let Some(budget) = self.budgets.get_mut(&customer_id) {
            let report = Report { status: Some(200), ..Report::default() };
            let window = u64::try_from(DEFAULT_WINDOW.as_micros()).unwrap_or(u64::MAX);
            budget.report(&permit, &report, window, micros(self.now));
        }
        shard.asked += 1;
        let customer = &self.customers[customer_id as usize];
        let (brought, ended) = shard.task.answered(customer, &mut run.ranges, self.now);
        let run = shard.run;
        let minute = self.tally.at(self.now - MIDNIGHT);
        minute.requests += 1.0;
        minute.stored += f64::from(brought.stored);
        minute.compared += f64::from(brought.compared);
        let costs = self.of.costs.clone();
        self.spend(costs.request, 1.0);
        let articles = (f64::from(brought.stored), f64::from(brought.compared));
        self.spend(costs.stored, articles.0);
        self.spend(costs.compared, articles.1);
        if brought.stored + brought.compared > 0 {
            self.spend(costs.page, 1.0);
        }
        if let Some(params) = brought.split {
            let later = self.add(run, params);
            self.wait(later);
        }
        let us = |cost: Cost| cost.worker_us + cost.postgres_us;
        let took = us(costs.request) + articles.0 * us(costs.stored) + articles.1 * us(costs.compared);
        let next = self.now + (took / 1_000.0).ceil() as i64;
        self.at(next, if ended { Event::End(id) } else { Event::Ask(id) });
    }

    /// A shard is done: the same worker goes on where one shard alone follows, else its slot is free.
    fn end(&mut self, id: i64) {
        let Some(run_id) = self.shards.get(&id).map(|shard| shard.run) else { return };
        let Some(run) = self.runs.get_mut(&run_id) else { return };
        let Some(done) = self.shards.get(&id).map(|shard| shard.params.clone()) else { return };
        let customer = &self.customers[run.customer as usize];
        run.open -= 1;
        let mut following = run.follow(&done, customer, self.now);
        run.stage = run.stage.planned(done.kind());
        if done.kind() == ShardKind::Finalize {
            run.state = run.state.after(RunEvent::Finalized { failed: false }).unwrap_or(run.state);
            self.leave(id);
            self.shards.remove(&id);
            self.finish(run_id);
            return;
        }
        if following.is_empty()
            && let Advance::Begins { stage, first } =
                (RunAt { state: run.state, stage: run.stage, kind: run.kind }).advance(run.open, 0)
        {
            run.state = run.state.after(RunEvent::StageBegun(stage)).unwrap_or(run.state);
            run.stage = stage;
            following.push(ShardParams::empty(first));
        }
        let slot = self.shards.get(&id).and_then(|shard| shard.slot);
        let added: Vec<i64> = following.into_iter().map(|params| self.add(run_id, params)).collect();
        if let ([next], Some(slot)) = (added.as_slice(), slot) {
            // The slot and the place in the window are the next shard's.
            self.shards.remove(&id);
            if let Some(shard) = self.shards.get_mut(next) {
                shard.slot = Some(slot);
            }
            self.work(*next, 0);
        } else {
            self.leave(id);
            self.shards.remove(&id);
            added.into_iter().for_each(|shard| self.wait(shard));
        }
    }

    fn finish(&mut self, id: i64) {
        let Some(run) = self.runs.remove(&id) else { return };
        let began = run.started_at.unwrap_or(self.now);
        let customer = &mut self.customers[run.customer as usize];
        self.tally.done_after[run.lateness as usize].add(self.now - run.wanted_at);
        if run.kind == RunKind::Resync {
            self.tally.stored_after[1].add(self.now - run.wanted_at);
        } else {
            if let Some(synced_at) = customer.synced_at.filter(|_| !customer.subscribed) {
                for _ in 0..run.changed {
                    let before = self.population.somewhere_in(began - synced_at);
                    self.tally.stored_after[0].add(self.now - began + before);
                }
            }
            let audited = run.kind == RunKind::Full
                || helpsync_engine::planning::audit_is_due(
                    customer.audited_at,
                    self.of.audit_every,
                    self.now,
                );
            customer.audited_at = if audited { Some(self.now) } else { customer.audited_at };
            customer.synced_at = Some(began);
            customer.syncing = false;
        }
        customer.runs -= 1;
        if customer.runs == 0 {
            // Nobody asks for this account before its windows are over.
            self.budgets.remove(&run.customer);
        }
    }
}

fn micros(ms: i64) -> u64 {
    u64::try_from(ms).unwrap_or(0).saturating_mul(1_000)
}
