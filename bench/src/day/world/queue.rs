//! What waits for its release, what the broker holds, and the slots of the workers.

use std::collections::{HashMap, VecDeque};

use helpsync_model::Lane;
use helpsync_store::release_order;

use super::{MESSAGE_MS, MIDNIGHT, World};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Slot {
    Any,
    OnDemand,
}

/// What waits for the release, lane by lane.
#[derive(Debug, Default)]
pub(super) struct LaneState {
    turns: VecDeque<u32>,
    waiting: HashMap<u32, Waiting>,
    /// What the broker holds.
    messages: VecDeque<i64>,
}

#[derive(Debug, Default)]
struct Waiting {
    due: VecDeque<i64>,
    out: usize,
    has_turn: bool,
}

impl World<'_> {
    /// A shard waits for its release, and its connection has a turn.
    pub(super) fn wait(&mut self, shard: i64) {
        let Some((customer, lane)) = self.place(shard) else { return };
        let lane = &mut self.lanes[lane];
        let waiting = lane.waiting.entry(customer).or_default();
        waiting.due.push_back(shard);
        if !std::mem::replace(&mut waiting.has_turn, true) {
            lane.turns.push_back(customer);
        }
    }

    /// What the dispatcher does when it is woken: urgent lanes first, in batches.
    pub(super) fn release(&mut self) {
        for lane in 0..self.lanes.len() {
            while !self.lanes[lane].turns.is_empty() {
                self.release_batch(lane);
            }
        }
    }

    fn release_batch(&mut self, number: usize) {
        let (batch, window) = (self.of.batch, self.of.window);
        let lane = &mut self.lanes[number];
        let visited: Vec<u32> = lane.turns.drain(..lane.turns.len().min(batch)).collect();
        let turns: Vec<(usize, Vec<i64>)> = visited
            .iter()
            .filter_map(|customer| lane.waiting.get(customer))
            .map(|waiting| (waiting.out, waiting.due.iter().take(window.min(batch)).copied().collect()))
            .collect();
        let chosen = release_order(turns.iter().map(|(out, due)| (*out, due.as_slice())), batch, window);
        for shard in &chosen {
            self.spend(self.of.costs.message, 1.0);
            self.tally.at(self.now - MIDNIGHT).messages += 1.0;
            let Some((customer, _)) = self.place(*shard) else { continue };
            if let Some(waiting) = self.lanes[number].waiting.get_mut(&customer) {
                waiting.due.pop_front();
                waiting.out += 1;
            }
            self.lanes[number].messages.push_back(*shard);
        }
        let lane = &mut self.lanes[number];
        for customer in visited {
            let Some(waiting) = lane.waiting.get_mut(&customer) else { continue };
            waiting.has_turn = !waiting.due.is_empty() && waiting.out < window;
            if waiting.has_turn {
                lane.turns.push_back(customer);
            } else if waiting.due.is_empty() && waiting.out == 0 {
                lane.waiting.remove(&customer);
            }
        }
    }

    /// Workers take messages while they have slots: those of one lane first, then any other in turn.
    pub(super) fn begin(&mut self) {
        let on_demand = Lane::ALL.iter().position(|lane| *lane == Lane::OnDemand).unwrap_or(0);
        while self.free_on_demand > 0
            && let Some(shard) = self.lanes[on_demand].messages.pop_front()
        {
            self.free_on_demand -= 1;
            self.start(shard, Slot::OnDemand);
        }
        while self.free > 0 {
            let count = self.lanes.len();
            let turn = (0..count).map(|step| (self.next_lane + step) % count);
            let Some(lane) = turn.into_iter().find(|lane| !self.lanes[*lane].messages.is_empty()) else {
                return;
            };
            self.next_lane = (lane + 1) % count;
            if let Some(shard) = self.lanes[lane].messages.pop_front() {
                self.free -= 1;
                self.start(shard, Slot::Any);
            }
        }
    }

    fn start(&mut self, id: i64, slot: Slot) {
        self.busy += 1;
        if let Some(shard) = self.shards.get_mut(&id) {
            shard.slot = Some(slot);
        }
        self.work(id, MESSAGE_MS);
    }

    /// A shard gives its slot back, and its place in the window.
    pub(super) fn leave(&mut self, id: i64) {
        let place = self.place(id);
        let Some(shard) = self.shards.get_mut(&id) else { return };
        match shard.slot.take() {
            Some(Slot::Any) => self.free += 1,
            Some(Slot::OnDemand) => self.free_on_demand += 1,
            None => return,
        }
        self.busy -= 1;
        let Some((customer, lane)) = place else { return };
        let lane = &mut self.lanes[lane];
        let Some(waiting) = lane.waiting.get_mut(&customer) else { return };
        waiting.out -= 1;
        if !waiting.due.is_empty() && !std::mem::replace(&mut waiting.has_turn, true) {
            lane.turns.push_back(customer);
        } else if waiting.due.is_empty() && waiting.out == 0 && !waiting.has_turn {
            lane.waiting.remove(&customer);
        }
    }
}
