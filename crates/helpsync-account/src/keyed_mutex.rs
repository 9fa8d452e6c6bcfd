//! One at a time within this process, per connection.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use helpsync_model::ConnectionId;
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

/// Above this number, turns that nobody waits for are forgotten before another is added.
const SWEEP_ABOVE: usize = 256;

/// Hands out turns. Waiters of one connection are served in their order; connections do not wait for each other.
#[derive(Debug, Default)]
pub struct KeyedMutex(Mutex<HashMap<ConnectionId, Weak<AsyncMutex<()>>>>);

impl KeyedMutex {
    /// Waits for the connection's turn; it ends with the guard.
    pub async fn take(&self, connection: ConnectionId) -> OwnedMutexGuard<()> {
        self.of(connection).lock_owned().await
    }

    fn of(&self, connection: ConnectionId) -> Arc<AsyncMutex<()>> {
        // A poisoned map is still a sound map: every change is made whole before the lock opens.
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(turn) = turns.get(&connection).and_then(Weak::upgrade) {
            return turn;
        }
        if turns.len() > SWEEP_ABOVE {
            turns.retain(|_, turn| turn.strong_count() > 0);
        }
        let turn = Arc::new(AsyncMutex::new(()));
        turns.insert(connection, Arc::downgrade(&turn));
        turn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_turn_is_waited_for_and_other_connections_go_on() {
        let turns = KeyedMutex::default();
        let first = turns.take(ConnectionId(1)).await;
        let other = turns.take(ConnectionId(2)).await;
        assert!(turns.of(ConnectionId(1)).try_lock().is_err());
        drop((first, other));
        assert!(turns.of(ConnectionId(1)).try_lock().is_ok());
    }

    #[test]
    fn turns_that_nobody_waits_for_are_forgotten() {
        let turns = KeyedMutex::default();
        for number in 0..10_000 {
            drop(turns.of(ConnectionId(number)));
        }
        assert!(turns.0.lock().unwrap().len() <= SWEEP_ABOVE + 1);
    }
}
