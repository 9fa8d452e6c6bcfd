//! How long a shard is put off whose work the store does not take. A disk that is almost full takes every small write and
//! refuses the large one: without growing pauses the same page would be fetched and converted every second.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use helpsync_model::{Backoff, ShardCursor, ShardId};
use helpsync_store::{QueueStore, StartedShard, StoreError, StoreOutage};

/// 1 s, 2 s, 4 s … up to a minute.
const PAUSE: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_mins(1));
/// Shards that are told apart. Beyond, all begin with the first pause again.
const SHARDS_MAX: usize = 1_000;

/// The shards of this process that were put off, and have not come further since.
#[derive(Debug, Default)]
pub(crate) struct StoreWaits {
    shards: Mutex<HashMap<ShardId, PutOff>>,
    /// That there are any is told once, and that one of them got through.
    outage: StoreOutage,
}

#[derive(Debug)]
struct PutOff {
    times: u32,
    /// Where the shard stood.
    cursor: Option<ShardCursor>,
}

impl StoreWaits {
    /// How long the shard is put off now: twice as long each time that it stands where it stood.
    pub(crate) fn next(&self, started: &StartedShard) -> Duration {
        self.pause(started.fence.shard, started.shard.cursor.as_ref())
    }

    /// The store has not taken what a shard brought. Its folder may still take small files, so nobody else need notice.
    pub(crate) fn failed(&self, error: &StoreError) {
        self.outage
            .look()
            .failed(error, "the store does not take what work brings, shards try again with growing pauses");
    }

    /// The shard has ended in another way.
    pub(crate) async fn forget(&self, started: &StartedShard, store: &QueueStore) {
        if self.locked().remove(&started.fence.shard).is_some() {
            self.outage.look().worked(store, true, "the store takes what work brings again").await;
        }
    }

    fn locked(&self) -> MutexGuard<'_, HashMap<ShardId, PutOff>> {
        self.shards.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pause(&self, shard: ShardId, cursor: Option<&ShardCursor>) -> Duration {
        let mut shards = self.locked();
        if shards.len() >= SHARDS_MAX && !shards.contains_key(&shard) {
            shards.clear();
        }
        let put_off = shards.entry(shard).or_insert(PutOff { times: 0, cursor: None });
        if put_off.cursor.as_ref() != cursor {
            *put_off = PutOff { times: 0, cursor: cursor.cloned() };
        }
        put_off.times = put_off.times.saturating_add(1);
        PAUSE.ceiling(put_off.times)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_while_a_shard_comes_no_further() {
        let waits = StoreWaits::default();
        let seconds = |shard, page| waits.pause(ShardId(shard), Some(&ShardCursor::Page(page))).as_secs();
        assert_eq!([1, 1, 1, 1, 1, 1, 1, 1].map(|page| seconds(7, page)), [1, 2, 4, 8, 16, 32, 60, 60]);
        assert_eq!(seconds(8, 1), 1, "another shard");
        assert_eq!([2, 2].map(|page| seconds(7, page)), [1, 2], "it came further");
    }

    #[test]
    fn no_more_shards_are_kept_than_are_told_apart() {
        let waits = StoreWaits::default();
        for shard in 0..=SHARDS_MAX {
            waits.pause(ShardId(i64::try_from(shard).unwrap()), None);
        }
        assert_eq!(waits.locked().len(), 1);
    }
}
