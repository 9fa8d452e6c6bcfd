//! The slots of a worker: how many shards run at once, and in which lanes.

use std::sync::Arc;

use helpsync_model::Lane;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::WorkerOptions;

/// A worker's slots.
pub(crate) struct Slots {
    any: Arc<Semaphore>,
    on_demand: Arc<Semaphore>,
}

impl Slots {
    pub(crate) fn new(options: &WorkerOptions) -> Self {
        Self {
            any: Arc::new(Semaphore::new(options.concurrency)),
            on_demand: Arc::new(Semaphore::new(options.on_demand_concurrency)),
        }
    }

    /// Those that a lane may use.
    pub(crate) fn of(&self, lane: Lane) -> LaneSlots {
        let own = (lane == Lane::OnDemand).then(|| Arc::clone(&self.on_demand));
        LaneSlots { lane, any: Arc::clone(&self.any), own }
    }
}

/// The slots that one lane may use.
pub(crate) struct LaneSlots {
    pub(crate) lane: Lane,
    any: Arc<Semaphore>,
    /// Those that no other lane may use. They are taken first, so that a lane which waits for work holds none of the others.
    own: Option<Arc<Semaphore>>,
}

impl LaneSlots {
    /// How many are free.
    pub(crate) fn free(&self) -> usize {
        self.any.available_permits() + self.own.as_ref().map_or(0, |own| own.available_permits())
    }

    /// The next free one; `None` when the worker has ended.
    pub(crate) async fn acquire(&self) -> Option<OwnedSemaphorePermit> {
        let any = Arc::clone(&self.any).acquire_owned();
        match &self.own {
            None => any.await.ok(),
            Some(own) => tokio::select! {
                biased;
                permit = Arc::clone(own).acquire_owned() => permit.ok(),
                permit = any => permit.ok(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::FutureExt as _;

    use super::*;

    fn slots(any: usize, own: usize) -> Slots {
        Slots::new(&WorkerOptions {
            holder: String::new(),
            concurrency: any,
            on_demand_concurrency: own,
            lease: Duration::ZERO,
            drain: Duration::ZERO,
        })
    }

    fn take(slots: &LaneSlots) -> Option<OwnedSemaphorePermit> {
        slots.acquire().now_or_never().flatten()
    }

    #[test]
    fn a_lane_of_its_own_slots_uses_them_first_and_then_any_other() {
        let slots = slots(2, 1);
        let (urgent, other) = (slots.of(Lane::OnDemand), slots.of(Lane::Backfill));
        assert_eq!((urgent.free(), other.free()), (3, 2));
        let first = take(&urgent).unwrap();
        assert_eq!((urgent.free(), other.free()), (2, 2), "its own is taken first");
        let more = [take(&urgent).unwrap(), take(&urgent).unwrap()];
        assert!(take(&urgent).is_none() && take(&other).is_none());
        drop(more);
        assert!(take(&other).is_some());
        drop(first);
    }

    #[test]
    fn other_lanes_never_take_the_slots_of_a_lane() {
        let slots = slots(2, 1);
        let (urgent, other) = (slots.of(Lane::OnDemand), slots.of(Lane::Scheduled));
        let all = [take(&other).unwrap(), take(&other).unwrap()];
        assert!(take(&other).is_none());
        assert!(take(&urgent).is_some());
        drop(all);
    }
}
