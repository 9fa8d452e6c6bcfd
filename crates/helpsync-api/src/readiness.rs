//! Whether a process can work, part by part.

use helpsync_account::Accounts;
use helpsync_model::chain;
use helpsync_queue::{Health, Queue};
use helpsync_store::Store;
use serde::Serialize;
use utoipa::ToSchema;

/// Of each part: `up`, or what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Readiness {
    /// The database, without which nothing works.
    pub store: String,
    /// How jobs travel. Without it the API answers, and jobs wait in the database.
    pub queue: String,
    /// Who shares out the budgets of accounts. Without it work goes on, slower.
    pub coordinator: String,
}

/// What a part is that works.
const UP: &str = "up";

/// `up`, or what is wrong with the database.
pub(crate) async fn store_readiness(store: &Store) -> String {
    store.ping_shared().await.err().map_or_else(|| UP.to_owned(), |error| chain(&error))
}

impl Readiness {
    /// Asks every part, each within its own bound of a few seconds.
    pub async fn of(store: &Store, queue: &dyn Queue, accounts: &Accounts) -> Self {
        let told = |answer: Result<(), String>| answer.err().unwrap_or_else(|| UP.to_owned());
        let (store, coordinator) = tokio::join!(store_readiness(store), accounts.ping_coordinator());
        Self {
            store,
            queue: told(match queue.health() {
                Health::Up => Ok(()),
                Health::Degraded(why) | Health::Down(why) => Err(why),
            }),
            coordinator: told(coordinator),
        }
    }

    /// Whether the database takes what it is told.
    #[must_use]
    pub fn store_is_up(&self) -> bool {
        self.store == UP
    }

    /// Whether budgets are shared out.
    #[must_use]
    pub fn coordinator_is_up(&self) -> bool {
        self.coordinator == UP
    }

    /// Whether jobs travel.
    #[must_use]
    pub fn queue_is_up(&self) -> bool {
        self.queue == UP
    }
}
