//! Slots for dear work, fair over organizations and customers: whoever asks for much waits behind himself.
//!
//! A customer holds a share of the slots at most and may have so many requests waiting; the next free slot goes to the
//! organization, and within it to the customer, that holds the fewest and was served longest ago.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use helpsync_model::{CustomerId, OrganizationId};
use tokio::sync::oneshot;

/// How many may do what at once.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Share {
    /// Slots altogether.
    pub(crate) slots: usize,
    /// Of them, those of one customer at most.
    pub(crate) of_customer: usize,
    /// Requests of one customer that wait; more are refused.
    pub(crate) waiting_of_customer: usize,
    /// Requests of everybody that wait; more are refused.
    pub(crate) waiting: usize,
}

/// Why there is no slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// This customer has too many requests waiting.
    Share,
    /// None came free in time.
    Late,
}

type Who = (OrganizationId, CustomerId);

struct Waiting {
    who: Who,
    slot: oneshot::Sender<Slot>,
}

#[derive(Default)]
struct State {
    running: HashMap<Who, usize>,
    /// In the order of arrival.
    waiting: Vec<Waiting>,
    /// When organizations and customers got their last slot, counted in slots; forgotten when they have nothing here.
    served: HashMap<Who, u64>,
    count: u64,
}

/// Slots and who waits for them. Cheap to clone.
#[derive(Clone)]
pub(crate) struct FairSlots {
    share: Share,
    state: Arc<Mutex<State>>,
}

/// A slot; free again when dropped.
pub(crate) struct Slot {
    slots: FairSlots,
    who: Who,
}

impl std::fmt::Debug for Slot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Slot").field(&self.who).finish()
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let given = {
            let mut state = self.slots.lock();
            state.leave(self.who);
            self.slots.next(&mut state)
        };
        give(given);
    }
}

/// Hands slots over. Outside of the lock: a slot whose waiter has gone comes back at once and takes the lock itself.
fn give(given: Vec<(oneshot::Sender<Slot>, Slot)>) {
    for (waiter, slot) in given {
        drop(waiter.send(slot));
    }
}

impl State {
    fn of_organization(&self, organization: OrganizationId) -> usize {
        self.running.iter().filter(|((of, _), _)| *of == organization).map(|(_, running)| running).sum()
    }

    fn served_organization(&self, organization: OrganizationId) -> u64 {
        self.served
            .iter()
            .filter(|((of, _), _)| *of == organization)
            .map(|(_, at)| *at)
            .max()
            .unwrap_or_default()
    }

    fn of_customer(&self, who: Who) -> usize {
        self.running.get(&who).copied().unwrap_or_default()
    }

    fn enter(&mut self, who: Who) {
        self.count += 1;
        self.served.insert(who, self.count);
        *self.running.entry(who).or_default() += 1;
    }

    fn leave(&mut self, who: Who) {
        if let Some(running) = self.running.get_mut(&who) {
            *running -= 1;
            if *running == 0 {
                self.running.remove(&who);
            }
        }
        let State { running, waiting, served, .. } = self;
        served.retain(|who, _| running.contains_key(who) || waiting.iter().any(|one| one.who == *who));
    }
}

impl FairSlots {
    pub(crate) fn new(share: Share) -> Self {
        Self { share, state: Arc::default() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A slot for a customer, within `patience`. Whoever gives up waiting leaves nothing behind.
    ///
    /// # Errors
    /// [`Refused`].
    pub(crate) async fn acquire(
        &self,
        organization: OrganizationId,
        customer: CustomerId,
        patience: Duration,
    ) -> Result<Slot, Refused> {
        let who = (organization, customer);
        let (slot, comes) = oneshot::channel();
        let given = {
            let mut state = self.lock();
            state.waiting.retain(|one| !one.slot.is_closed());
            let mine = state.waiting.iter().filter(|one| one.who == who).count();
            if mine >= self.share.waiting_of_customer || state.waiting.len() >= self.share.waiting {
                return Err(Refused::Share);
            }
            state.waiting.push(Waiting { who, slot });
            self.next(&mut state)
        };
        give(given);
        match tokio::time::timeout(patience, comes).await {
            Ok(Ok(slot)) => Ok(slot),
            Ok(Err(_)) | Err(_) => Err(Refused::Late),
        }
    }

    /// Takes waiters for whom there are slots now.
    fn next(&self, state: &mut State) -> Vec<(oneshot::Sender<Slot>, Slot)> {
        let mut given = Vec::new();
        while state.running.values().sum::<usize>() < self.share.slots {
            state.waiting.retain(|one| !one.slot.is_closed());
            let eligible = state.waiting.iter().enumerate();
            let eligible = eligible.filter(|(_, one)| state.of_customer(one.who) < self.share.of_customer);
            let turn = |who: Who| {
                let served = state.served.get(&who).copied().unwrap_or_default();
                (
                    state.of_organization(who.0),
                    state.served_organization(who.0),
                    state.of_customer(who),
                    served,
                )
            };
            let Some((place, _)) = eligible.min_by_key(|(_, one)| turn(one.who)) else { break };
            let Waiting { who, slot } = state.waiting.remove(place);
            state.enter(who);
            given.push((slot, Slot { slots: self.clone(), who }));
        }
        given
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt as _;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(60);
    const SHARE: Share = Share { slots: 4, of_customer: 2, waiting_of_customer: 3, waiting: 8 };

    fn slots() -> FairSlots {
        FairSlots::new(SHARE)
    }

    async fn acquire(slots: &FairSlots, organization: i64, customer: i64) -> Result<Slot, Refused> {
        slots.acquire(OrganizationId(organization), CustomerId(customer), PATIENCE).await
    }

    #[tokio::test]
    async fn a_customer_holds_his_share_and_others_pass_him() {
        let slots = slots();
        let first = acquire(&slots, 1, 1).await.unwrap();
        let _second = acquire(&slots, 1, 1).await.unwrap();
        let mut third = Box::pin(acquire(&slots, 1, 1));
        assert!((&mut third).now_or_never().is_none(), "his share is two");
        let _other = acquire(&slots, 1, 2).await.unwrap();
        drop(first);
        assert!(third.await.is_ok());
    }

    #[tokio::test]
    async fn who_fills_his_share_of_waiting_is_refused_and_nobody_else() {
        let slots = slots();
        let _held = [acquire(&slots, 1, 1).await.unwrap(), acquire(&slots, 1, 1).await.unwrap()];
        let mut waiting: Vec<_> =
            (0..SHARE.waiting_of_customer).map(|_| Box::pin(acquire(&slots, 1, 1))).collect();
        for one in &mut waiting {
            assert!(one.now_or_never().is_none());
        }
        assert_eq!(acquire(&slots, 1, 1).await.unwrap_err(), Refused::Share);
        assert!(acquire(&slots, 1, 2).await.is_ok());
        // Whoever gives up makes room.
        waiting.pop();
        assert!(Box::pin(acquire(&slots, 1, 1)).now_or_never().is_none());
    }

    #[tokio::test]
    async fn all_who_wait_together_are_bounded() {
        let slots = FairSlots::new(Share { slots: 0, ..SHARE });
        let mut waiting: Vec<_> = (0..8).map(|customer| Box::pin(acquire(&slots, 1, customer))).collect();
        for one in &mut waiting {
            assert!(one.now_or_never().is_none());
        }
        assert_eq!(acquire(&slots, 1, 99).await.unwrap_err(), Refused::Share);
    }

    #[tokio::test]
    async fn a_free_slot_goes_to_the_organization_that_holds_the_fewest() {
        let slots = slots();
        // Organization 1 holds all four slots with two customers, and a third waits with another organization behind him.
        let mut held = Vec::new();
        for customer in [1, 1, 2, 2] {
            held.push(acquire(&slots, 1, customer).await.unwrap());
        }
        let mut same = Box::pin(acquire(&slots, 1, 3));
        assert!((&mut same).now_or_never().is_none());
        let mut other = Box::pin(acquire(&slots, 2, 4));
        assert!((&mut other).now_or_never().is_none());
        held.pop();
        assert!((&mut same).now_or_never().is_none());
        assert!(other.await.is_ok());
    }

    #[tokio::test]
    async fn customers_of_one_organization_take_turns() {
        let slots = FairSlots::new(Share { slots: 1, ..SHARE });
        let held = acquire(&slots, 1, 1).await.unwrap();
        let mut again = Box::pin(acquire(&slots, 1, 1));
        assert!((&mut again).now_or_never().is_none());
        let mut other = Box::pin(acquire(&slots, 1, 2));
        assert!((&mut other).now_or_never().is_none());
        drop(held);
        assert!((&mut again).now_or_never().is_none(), "he was served last");
        drop(other.await.unwrap());
        assert!(again.await.is_ok());
    }

    #[tokio::test]
    async fn whoever_waits_too_long_is_told_and_takes_no_slot() {
        let slots = FairSlots::new(Share { slots: 1, ..SHARE });
        let held = acquire(&slots, 1, 1).await.unwrap();
        let soon = Duration::from_millis(10);
        let late = slots.acquire(OrganizationId(1), CustomerId(2), soon).await;
        assert_eq!(late.unwrap_err(), Refused::Late);
        drop(held);
        drop(acquire(&slots, 1, 3).await.unwrap());
        let state = slots.lock();
        assert!(state.running.is_empty() && state.waiting.is_empty() && state.served.is_empty());
    }
}
