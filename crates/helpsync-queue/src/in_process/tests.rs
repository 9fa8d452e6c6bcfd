//! The suite, and what only this backend promises.

use std::collections::BTreeMap;

use helpsync_model::SystemClock;
use proptest::prelude::*;

use super::*;
use crate::conformance::{Harness, dead_letters, message, next, store};

const CAPACITY: usize = 20;

struct InProcess(InProcessQueue);

#[async_trait]
impl Harness for InProcess {
    fn queue(&self) -> Arc<dyn Queue> {
        Arc::new(self.0.clone())
    }
    async fn publish_raw(&self, lane: Lane, id: &str, body: &[u8]) {
        assert!(self.0.publish_raw(lane, id, body).is_stored());
    }
    fn surely_full(&self) -> usize {
        CAPACITY + 1
    }
    async fn clean_up(&self) {}
}

fn small(dead_capacity: usize) -> InProcessQueue {
    InProcessQueue::new(InProcessSettings { lane_capacity: CAPACITY, dead_capacity }, Arc::new(SystemClock))
}

async fn fresh() -> Option<InProcess> {
    Some(InProcess(small(10)))
}

crate::queue_conformance!(fresh);

#[tokio::test]
async fn a_full_dead_letter_list_refuses_the_newest_and_says_so() {
    let queue: Arc<dyn Queue> = Arc::new(small(1));
    store(&queue, &[message(1, Lane::OnDemand), message(2, Lane::OnDemand)]).await;
    let mut consumer = queue.consume(Lane::OnDemand, 1).await.unwrap();
    next(&mut consumer).await.dead("first").await.unwrap();
    let refused = next(&mut consumer).await.dead("second").await;
    assert!(matches!(refused, Err(QueueError::DeadLettersFull(1))), "{refused:?}");
    assert_eq!(dead_letters(&queue, 1).await[0].id, "m-1");
    assert_eq!(queue.stats().await.unwrap().lanes[&Lane::OnDemand], crate::LaneStats::default());
}

#[tokio::test]
async fn unsettled_messages_keep_their_place_so_that_giving_back_never_overfills() {
    let queue: Arc<dyn Queue> = Arc::new(small(1));
    let all: Vec<_> = (0..CAPACITY).map(|n| message(i64::try_from(n).unwrap(), Lane::OnDemand)).collect();
    store(&queue, &all).await;
    let mut consumer = queue.consume(Lane::OnDemand, 5).await.unwrap();
    let held = next(&mut consumer).await;
    assert_eq!(queue.publish(&[message(99, Lane::OnDemand)]).await, [PublishOutcome::Refused(Refusal::Full)]);
    drop(held);
    assert_eq!(queue.stats().await.unwrap().lanes[&Lane::OnDemand].ready, CAPACITY as u64);
}

#[derive(Debug, Clone)]
enum Move {
    Publish,
    Take,
    Ack(usize),
    Release(usize),
    Drop(usize),
    Dead(usize),
    Replay,
}

fn moves() -> impl Strategy<Value = Move> {
    prop_oneof![
        3 => Just(Move::Publish),
        4 => Just(Move::Take),
        2 => (0..8_usize).prop_map(Move::Ack),
        1 => (0..8_usize).prop_map(Move::Release),
        1 => (0..8_usize).prop_map(Move::Drop),
        1 => (0..8_usize).prop_map(Move::Dead),
        1 => Just(Move::Replay),
    ]
}

proptest! {
    /// Whatever the order of moves: every stored message is in exactly one place until it is acknowledged.
    #[test]
    fn every_message_is_in_exactly_one_place(steps in proptest::collection::vec(moves(), 1..200)) {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
            let queue = small(1_000);
            let mut consumer = queue.consume(Lane::OnDemand, 1_000).await.unwrap();
            let mut place: BTreeMap<String, &str> = BTreeMap::new();
            let mut held: Vec<Delivery> = Vec::new();
            let mut number = 0;
            for step in steps {
                match step {
                    Move::Publish => {
                        number += 1;
                        let sent = message(number, Lane::OnDemand);
                        if queue.publish(std::slice::from_ref(&sent)).await[0].is_stored() {
                            place.insert(sent.id, "ready");
                        }
                    }
                    Move::Take => {
                        let ready = queue.stats().await.unwrap().lanes[&Lane::OnDemand].ready;
                        if ready > 0 {
                            let delivery = consumer.next().await.unwrap();
                            assert_eq!(place.insert(delivery.id.clone(), "held"), Some("ready"));
                            held.push(delivery);
                        }
                    }
                    Move::Ack(at) if at < held.len() => {
                        let delivery = held.swap_remove(at);
                        place.remove(&delivery.id);
                        delivery.ack().await.unwrap();
                    }
                    Move::Release(at) if at < held.len() => {
                        let delivery = held.swap_remove(at);
                        place.insert(delivery.id.clone(), "ready");
                        delivery.release().await.unwrap();
                    }
                    Move::Drop(at) if at < held.len() => {
                        let delivery = held.swap_remove(at);
                        let dies = delivery.returns == Some(crate::DELIVERY_LIMIT);
                        place.insert(delivery.id.clone(), if dies { "dead" } else { "ready" });
                    }
                    Move::Dead(at) if at < held.len() => {
                        let delivery = held.swap_remove(at);
                        place.insert(delivery.id.clone(), "dead");
                        delivery.dead("no").await.unwrap();
                    }
                    Move::Replay => {
                        let first = queue.dead_letters(1, None).await.unwrap().pop();
                        if let Some(letter) = first
                            && queue.replay(&letter.id).await.unwrap_or(false)
                        {
                            place.insert(letter.id, "ready");
                        }
                    }
                    _ => {}
                }
                let count = |what: &str| place.values().filter(|at| **at == what).count() as u64;
                let stats = queue.stats().await.unwrap();
                let lane = stats.lanes[&Lane::OnDemand];
                assert_eq!((lane.ready, lane.unsettled, stats.dead), (count("ready"), count("held"), count("dead")));
            }
        });
    }
}
