//! How long a shard is put off whose work the store does not take. A disk that is almost full takes every small write and
//! refuses the large one: without growing pauses the same page would be fetched and converted every second.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use helpsync_model::{Backoff, ShardCursor, ShardId};
use helpsync_store::StartedShard;

/// 1 s, 2 s, 4 s … up to a minute.
const PAUSE: Backoff = Backoff::new(Duration::from_secs(1), Duration::from_mins(1));
/// Shards that are told apart. Beyond, all begin with the first pause again.
const SHARDS_MAX: usize = 1_000;

/// The shards of this process that were put off, and have not come further since.
#[derive(Debug, Default)]
pub(crate) struct StoreWaits(Mutex<HashMap<ShardId, PutOff>>);

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

    /// The shard has ended in another way.
    pub(crate) fn forget(&self, started: &StartedShard) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&started.fence.shard);
    }

    fn pause(&self, shard: ShardId, cursor: Option<&ShardCursor>) -> Duration {
        let mut shards = self.0.lock().unwrap_or_else(PoisonError::into_inner);
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
        assert_eq!(waits.0.lock().unwrap().len(), 1);
    }
}
